//! Running a network on every tile of a box.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::lattice::{Lattice, Tiling};
use super::windows::join;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::field::TileBox;

/// Who hears of the tiles of a box while a network runs on them.
pub trait TileRun {
    /// Tiles are about to be worked on; an error ends the run.
    ///
    /// # Errors
    /// Its own, such as a cancellation.
    fn working_on(&mut self, tiles: &[TileBox]) -> Result<()>;
    /// What the network made of a tile, `[1, c, side, side, side]`.
    ///
    /// # Errors
    /// Those of the device.
    fn made(&mut self, tile: TileBox, output: Tensor<5>) -> Result<()>;
}

/// A field that was put together from windows.
#[derive(Debug, Clone)]
pub struct Joined<const D: usize> {
    /// The field.
    pub field: Tensor<D>,
    /// By how much windows that overlap disagree: the weighted rms of their departures from the field. `None` where
    /// none do.
    pub disagreement: Option<Tensor<D>>,
}

impl Joined<4> {
    /// Its only channel.
    pub fn single(self) -> Joined<3> {
        let single = |field: Tensor<4>| field.squeeze_dim(0);
        Joined { field: single(self.field), disagreement: self.disagreement.map(single) }
    }
}

/// Sums over windows that overlap.
struct Sums {
    /// Of weighted values.
    first: Tensor<4>,
    /// Of weighted squares.
    second: Tensor<4>,
}

impl Sums {
    fn new(values: Tensor<4>, weights: Tensor<4>) -> Self {
        let first = values.clone() * weights;
        Self { second: first.clone() * values, first }
    }

    fn add(sum: Option<Self>, more: Self) -> Option<Self> {
        Some(match sum {
            Some(sum) => Self { first: sum.first + more.first, second: sum.second + more.second },
            None => more,
        })
    }

    fn joined(self, lattice: &Lattice, device: &ComputeDevice) -> Joined<4> {
        let [field, squares] = [self.first, self.second].map(|sum| over_total(sum, lattice, device));
        let variance = (squares - field.clone().square()).clamp_min(0.0);
        Joined { field, disagreement: Some(variance.sqrt()) }
    }
}

/// What `network` makes of a box on the lattice of a `step`: `[c, n, n, n]`, on the device.
/// `network` is given tiles and returns `[tiles, c, side, side, side]`. Where tiles overlap
/// their outputs are fused with the lattice's weights, in the lattice's order, so that the
/// result does not depend on the device's batches. A tiling that is painted apart stays as it is, and
/// zero between its tiles.
///
/// # Errors
/// Those of `run`, and of the device.
pub fn over_tiles(
    lattice: &Lattice,
    step: usize,
    device: &ComputeDevice,
    network: impl Fn(&[TileBox]) -> Tensor<5> + Sync,
    run: &mut dyn TileRun,
) -> Result<Joined<4>> {
    // What is painted apart is put together afterwards.
    let window = window(lattice, device).filter(|_| !lattice.is_part());
    let mut sums: Option<Sums> = None;
    for tiling in lattice.tilings(step) {
        let tiles = tiling.tiles();
        let mut outputs = Vec::with_capacity(tiles.len());
        for batch in tiles.chunks((device.batch * device.workers).max(1)) {
            run.working_on(batch)?;
            let made: Vec<Tensor<5>> = match device.workers {
                0 | 1 => vec![network(batch)],
                _ => batch.par_chunks(device.batch.max(1)).map(&network).collect(),
            };
            let made = if made.len() == 1 { made.into_iter().next() } else { Some(Tensor::cat(made, 0)) };
            let made = made.expect("a batch has tiles");
            for (index, &tile) in batch.iter().enumerate() {
                run.made(tile, made.clone().narrow(0, index, 1))?;
            }
            outputs.push(made);
        }
        let field = join(outputs, &tiling);
        match &window {
            // Without weights there is one tiling.
            None => return Ok(Joined { field, disagreement: None }),
            Some(window) => sums = Sums::add(sums, Sums::new(field, over_box(window, &tiling))),
        }
    }
    Ok(sums.expect("a lattice has tiles").joined(lattice, device))
}

/// Put together what was painted apart: the field `[n, n, n]` of every one of the lattice's
/// [parts](Lattice::parts), in their order.
pub fn put_together(fields: Vec<Tensor<3>>, lattice: &Lattice, device: &ComputeDevice) -> Joined<3> {
    let Some(window) = window(lattice, device).filter(|_| fields.len() > 1) else {
        return Joined { field: fields.into_iter().next().expect("a lattice has a part"), disagreement: None };
    };
    let weighted = fields.into_iter().zip(lattice.parts()).map(|(field, part)| {
        let weights = over_box(&window, &part.tilings(0)[0]);
        Sums::new(field.unsqueeze_dim(0), weights)
    });
    let sums = weighted.fold(None, Sums::add).expect("a lattice has a part");
    sums.joined(lattice, device).single()
}

/// The weights of the windows of a tiling, `[1, n, n, n]`, zero where none lies.
fn over_box(window: &Tensor<5>, tiling: &Tiling) -> Tensor<4> {
    join(vec![window.clone(); tiling.tiles().len()], tiling)
}

/// The weights of a window, `[1, 1, side, side, side]`, where windows overlap.
fn window(lattice: &Lattice, device: &ComputeDevice) -> Option<Tensor<5>> {
    let (along, side) = (lattice.weights()?, lattice.tile());
    let weights: Vec<f32> =
        (0..side.pow(3)).map(|i| along[i / side / side] * along[i / side % side] * along[i % side]).collect();
    Some(Tensor::from_data(TensorData::new(weights, [1, 1, side, side, side]), &device.burn))
}

/// Weighted sums `[c, n, n, n]` over the weights of all windows.
fn over_total(sum: Tensor<4>, lattice: &Lattice, device: &ComputeDevice) -> Tensor<4> {
    let Some(total) = lattice.total_weight() else { return sum };
    (1..4).fold(sum, |sum, axis| {
        let mut shape = [1; 4];
        shape[axis] = lattice.n();
        sum / Tensor::<1>::from_floats(total.as_slice(), &device.burn).reshape(shape)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::device::host;
    use crate::stitch::Overlap;

    /// Nobody who hears of tiles.
    pub(in crate::stitch) struct Unheard;
    impl TileRun for Unheard {
        fn working_on(&mut self, _: &[TileBox]) -> Result<()> {
            Ok(())
        }
        fn made(&mut self, _: TileBox, _: Tensor<5>) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn windows_that_overlap_disagree_by_the_spread_of_what_they_say() {
        let (n, side, device) = (16, 8, ComputeDevice::cpu("a test"));
        // Every window says a number of its own everywhere.
        let says = |tile: &TileBox| (tile.origin[0] * 100 + tile.origin[1] * 10 + tile.origin[2]) as f32;
        let network = |tiles: &[TileBox]| {
            let windows = tiles.iter().map(|tile| Tensor::full([1, 1, side, side, side], says(tile), &device.burn));
            Tensor::cat(windows.collect(), 0)
        };
        let joined = |overlap: Overlap| {
            let lattice = Lattice::new(n, side, 2, overlap).unwrap();
            (over_tiles(&lattice, 0, &device, network, &mut Unheard).unwrap(), lattice)
        };
        let (blended, lattice) = joined(Overlap::Blended);
        let (field, spread) = (host(blended.field).unwrap(), host(blended.disagreement.unwrap()).unwrap());
        let weights = lattice.weights().unwrap();
        for voxel in [[0, 0, 0], [3, 9, 14], [15, 8, 7], [5, 5, 5]] {
            let (mut total, mut first, mut second) = (0f64, 0f64, 0f64);
            for tile in lattice.windows(0) {
                let within: [usize; 3] = std::array::from_fn(|axis| (voxel[axis] + n - tile.origin[axis]) % n);
                if within.iter().all(|&i| i < side) {
                    let weight = within.iter().map(|&i| f64::from(weights[i])).product::<f64>();
                    let value = f64::from(says(&tile));
                    total += weight;
                    first += weight * value;
                    second += weight * value * value;
                }
            }
            let mean = first / total;
            let expected = (second / total - mean * mean).sqrt();
            let at = (voxel[0] * n + voxel[1]) * n + voxel[2];
            assert!((f64::from(field[at]) / mean - 1.0).abs() < 1e-4, "{} for {mean}", field[at]);
            assert!((f64::from(spread[at]) / expected - 1.0).abs() < 1e-2, "{} for {expected}", spread[at]);
        }
        assert!(joined(Overlap::Shifted).0.disagreement.is_none());
    }
}

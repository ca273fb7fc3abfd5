//! Running a network on every tile of a box.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::lattice::Lattice;
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
) -> Result<Tensor<4>> {
    let window = window(lattice, device);
    let mut fused: Option<Tensor<4>> = None;
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
            outputs.push(match &window {
                // What is painted apart is put together afterwards.
                Some(window) if !lattice.is_part() => made * window.clone(),
                _ => made,
            });
        }
        let fields = join(outputs, &tiling);
        fused = Some(match fused {
            Some(sum) => sum + fields,
            None => fields,
        });
    }
    let fused = fused.expect("a lattice has tiles");
    Ok(if lattice.is_part() { fused } else { over_total(fused, lattice, device) })
}

/// Put together what was painted apart: the field `[n, n, n]` of every one of the lattice's
/// [parts](Lattice::parts), in their order.
pub fn put_together(fields: Vec<Tensor<3>>, lattice: &Lattice, device: &ComputeDevice) -> Tensor<3> {
    let Some(window) = window(lattice, device).filter(|_| fields.len() > 1) else {
        return fields.into_iter().next().expect("a lattice has a part");
    };
    let weighted = fields.into_iter().zip(lattice.parts()).map(|(field, part)| {
        let tiling = &part.tilings(0)[0];
        let windows = vec![window.clone(); tiling.tiles().len()];
        field * join(windows, tiling).squeeze_dim(0)
    });
    let sum: Tensor<3> = weighted.reduce(|a, b| a + b).expect("a lattice has a part");
    over_total(sum.unsqueeze_dim(0), lattice, device).squeeze_dim(0)
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

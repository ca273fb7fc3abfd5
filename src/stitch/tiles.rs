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
/// result does not depend on the device's batches.
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
    let side = lattice.tile();
    let window = lattice.weights().map(|along| {
        let weights: Vec<f32> =
            (0..side.pow(3)).map(|i| along[i / side / side] * along[i / side % side] * along[i % side]).collect();
        Tensor::<5>::from_data(TensorData::new(weights, [1, 1, side, side, side]), &device.burn)
    });
    let mut fused: Option<Tensor<4>> = None;
    for shift in lattice.tilings(step) {
        let tiles = lattice.tiles(shift);
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
                Some(window) => made * window.clone(),
                None => made,
            });
        }
        let fields = join(outputs, lattice.n(), shift);
        fused = Some(match fused {
            Some(sum) => sum + fields,
            None => fields,
        });
    }
    Ok(fused.expect("a lattice has tiles"))
}

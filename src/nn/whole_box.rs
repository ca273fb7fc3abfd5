//! Networks that answer once, run on a whole box: tile by tile, each tile seen
//! with its surroundings.

use burn::tensor::{Device, Tensor};

use super::{host, side_by_side};
use crate::error::Result;
use crate::stitch::{Lattice, scatter};

/// A cubic piece of a periodic box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Its first voxel.
    pub origin: [usize; 3],
    /// Voxels per axis.
    pub side: usize,
}

impl Tile {
    /// The tiles of a lattice that does not move.
    pub fn all(lattice: &Lattice) -> Vec<Self> {
        lattice.origins(0).iter().map(|&origin| Self { origin, side: lattice.tile() }).collect()
    }

    /// The tile with `context` voxels more on every side, in a box of `n³`.
    pub(super) fn surrounded(self, context: usize, n: usize) -> Self {
        let origin = self.origin.map(|o| (o + n * context.div_ceil(n) - context) % n);
        Self { origin, side: self.side + 2 * context }
    }
}

/// `[b, c, x, y, z]` without the outermost `context` voxels.
pub(super) fn inner(output: Tensor<5>, context: usize) -> Tensor<5> {
    let [b, c, x, y, z] = output.dims();
    let inside = |side: usize| context..side - context;
    output.slice([0..b, 0..c, inside(x), inside(y), inside(z)])
}

/// Put together what `output` makes of every tile of a box of `n³` voxels,
/// `[1, channels, side, side, side]` each: `n³` values a channel.
pub(super) fn tile_by_tile(
    lattice: &Lattice,
    channels: usize,
    n: usize,
    device: &Device,
    output: impl Fn(Tile) -> Tensor<5> + Sync + Send,
) -> Result<Vec<Vec<f32>>> {
    let tiles = Tile::all(lattice);
    let outputs = side_by_side(&tiles, device, |tiles| -> Result<Vec<Vec<f32>>> {
        tiles.iter().map(|&tile| host(output(tile))).collect()
    });
    let mut fields = vec![vec![0f32; n.pow(3)]; channels];
    let mut tiles = tiles.iter();
    for output in outputs {
        for (values, tile) in output?.iter().zip(&mut tiles) {
            for (field, block) in fields.iter_mut().zip(values.chunks(tile.side.pow(3))) {
                scatter(field, n, tile.origin, tile.side, block);
            }
        }
    }
    Ok(fields)
}

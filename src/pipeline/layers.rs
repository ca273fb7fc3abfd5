//! The fields of a job while they are made.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::device::host;
use crate::error::Result;
use crate::field::{Grid, TileBox};

/// Tiles of a layer that are remembered one by one; a reader that is further behind than that
/// takes the whole field.
const REMEMBERED: usize = 1024;

/// The values of a whole field, C order `[x, y, z]`, in the layer's unit.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // there are nine of them, not thousands
pub enum FieldValues {
    /// In the computer's own memory.
    Host(Arc<Grid>),
    /// On the GPU that runs the networks.
    Device {
        /// `[n, n, n]`.
        values: Tensor<3>,
        /// Comoving side of the box in Mpc/h.
        box_size: f64,
    },
}

/// What changed in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// These tiles, oldest first.
    Tiles(Vec<TileBox>),
    /// Everything, or more than is remembered.
    All,
}

/// A layer as it is at one moment. Cloning it copies no field.
#[derive(Debug, Clone)]
pub struct LayerView {
    /// The whole field.
    pub field: FieldValues,
    /// Changes whenever any voxel does; never 0.
    pub version: u64,
    /// Whether all of it was made; false while tiles are still to come.
    pub complete: bool,
    /// Version since which changes are remembered.
    since: u64,
    /// The tiles that changed after `since`, with the version that each brought.
    tiles: Arc<Vec<(u64, TileBox)>>,
}

impl LayerView {
    /// A whole field.
    pub(super) fn new(field: FieldValues, version: u64, complete: bool) -> Self {
        Self { field, version, complete, since: version, tiles: Arc::default() }
    }

    /// What changed after `version`; all of it for version 0.
    pub fn changed_since(&self, version: u64) -> Changed {
        if version == self.version {
            Changed::Nothing
        } else if version < self.since || version > self.version {
            Changed::All
        } else {
            let newer = self.tiles.iter().filter(|(of, _)| *of > version);
            Changed::Tiles(newer.map(|&(_, tile)| tile).collect())
        }
    }

    /// The field on the host; a copy from the device where it lives there.
    ///
    /// # Errors
    /// Those of the device.
    pub fn grid(&self) -> Result<Arc<Grid>> {
        match &self.field {
            FieldValues::Host(grid) => Ok(grid.clone()),
            FieldValues::Device { values, box_size } => {
                Ok(Arc::new(Grid::from_values(host(values.clone())?, *box_size)))
            }
        }
    }

    /// Write a tile of values `[x, y, z]`. Copies that others hold stay as they are.
    pub(super) fn paint(&mut self, tile: TileBox, values: Tensor<3>, version: u64) -> Result<()> {
        match &mut self.field {
            FieldValues::Host(grid) => {
                let values = host(values)?;
                let grid = Arc::make_mut(grid);
                let n = grid.n();
                let field = grid.as_slice_mut();
                let [sx, sy, sz] = tile.size;
                for x in 0..sx {
                    for y in 0..sy {
                        let line = ((tile.origin[0] + x) % n * n + (tile.origin[1] + y) % n) * n;
                        for z in 0..sz {
                            field[line + (tile.origin[2] + z) % n] = values[(x * sy + y) * sz + z];
                        }
                    }
                }
            }
            FieldValues::Device { values: field, .. } => {
                let n = field.dims()[0];
                // A tile that reaches over a far face is written piece by piece.
                let pieces = |axis: usize| {
                    let first = (n - tile.origin[axis]).min(tile.size[axis]);
                    [(tile.origin[axis], 0, first), (0, first, tile.size[axis] - first)]
                        .into_iter()
                        .filter(|(_, _, length)| *length > 0)
                };
                for (x, from_x, nx) in pieces(0) {
                    for (y, from_y, ny) in pieces(1) {
                        for (z, from_z, nz) in pieces(2) {
                            let piece =
                                values.clone().slice([from_x..from_x + nx, from_y..from_y + ny, from_z..from_z + nz]);
                            *field = field.clone().slice_assign([x..x + nx, y..y + ny, z..z + nz], piece);
                        }
                    }
                }
            }
        }
        let tiles = Arc::make_mut(&mut self.tiles);
        if tiles.len() >= REMEMBERED {
            self.since = self.version;
            tiles.clear();
        }
        tiles.push((version, tile));
        (self.version, self.complete) = (version, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    #[test]
    fn a_reader_hears_of_the_tiles_it_has_not_seen_and_of_no_more() {
        let n = 4;
        let zeros = || Tensor::<3>::zeros([n, n, n], &Device::flex());
        let corner = TileBox::cube([3, 3, 3], 2);
        let ones = || Tensor::<3>::from_data(TensorData::new(vec![1f32; 8], [2, 2, 2]), &Device::flex());
        for field in
            [FieldValues::Host(Arc::new(Grid::zeros(n, 1.0))), FieldValues::Device { values: zeros(), box_size: 1.0 }]
        {
            let mut layer = LayerView::new(field, 5, true);
            assert_eq!(layer.changed_since(0), Changed::All);
            assert_eq!(layer.changed_since(5), Changed::Nothing);
            let seen = layer.clone();
            layer.paint(corner, ones(), 6).unwrap();
            layer.paint(TileBox::cube([0; 3], 2), ones(), 7).unwrap();
            assert_eq!(layer.changed_since(6), Changed::Tiles(vec![TileBox::cube([0; 3], 2)]));
            assert_eq!(layer.changed_since(4), Changed::All);
            assert!(!layer.complete && layer.version == 7);
            // Around the corner of the box, and not in the copy that somebody reads.
            let grid = layer.grid().unwrap();
            assert_eq!(grid.values[[0, 3, 0]], 1.0);
            assert_eq!(grid.sum(), 15.0);
            assert_eq!(seen.grid().unwrap().sum(), 0.0);
            for version in 8..8 + 2 * REMEMBERED as u64 {
                layer.paint(corner, ones(), version).unwrap();
            }
            assert_eq!(layer.changed_since(7), Changed::All);
        }
    }
}

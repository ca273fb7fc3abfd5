//! Files in and out: snapshots and grids in, maps and tables out, always
//! atomically.

mod atomic;
mod gadget;
mod grid_file;
mod hdf5_file;
mod map;
mod snapshot;

use std::path::Path;

pub use atomic::{write_atomically, write_bytes};
pub use gadget::read_particles;
pub use grid_file::{GridFile, read_hdf5_grid, read_npy};
pub use map::{MapHeader, write_map};
pub use snapshot::{Particles, Snapshot, SnapshotHeader};

use crate::error::Result;

/// What a file turned out to hold.
#[derive(Debug, Clone)]
pub enum Opened {
    /// Particles.
    Snapshot(Box<Snapshot>),
    /// A field on a grid.
    Grid(Box<GridFile>),
}

/// Open a snapshot or a grid, told apart by content: `.npy` by its name, HDF5
/// by whether it has a `Header`. `preferred` names the dataset to take from a
/// file with several grids.
///
/// # Errors
/// [`crate::Error::Input`], as the readers of each kind.
pub fn open_source(path: &Path, preferred: Option<&str>) -> Result<Opened> {
    let name = path.to_string_lossy();
    let name = name.split('#').next().unwrap_or_default();
    if name.ends_with(".npy") {
        return Ok(Opened::Grid(Box::new(read_npy(path)?)));
    }
    if path.is_file() {
        let file = hdf5_file::open(path)?;
        if file.group("Header").is_err() {
            return Ok(Opened::Grid(Box::new(read_hdf5_grid(path, preferred)?)));
        }
    }
    Ok(Opened::Snapshot(Box::new(Snapshot::open(path)?)))
}

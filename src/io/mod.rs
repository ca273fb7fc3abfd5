//! Files in and out: snapshots and gridded fields in; maps, tables and reports
//! out.
//!
//! [`open_source`] tells by content what a file is. Everything that is read is
//! converted to Halodi's units (comoving Mpc/h, M☉/h, peculiar km/s, mK) on the
//! way in, and everything that had to be inferred is said in `notes`.

pub mod atomic;
mod catalogue;
mod checksum;
mod fits;
mod grid_file;
mod h5;
pub mod map;
mod npy;
pub mod snapshot;
mod source;
pub mod table;

pub use atomic::check_writable;
pub use catalogue::{Catalogue, CatalogueHeader, GroupRecord, read_catalogue, write_catalogue};
pub use checksum::{checksum, checksum_of};
pub use grid_file::{GridFile, GridHeader, GridSample, Quantity};
pub use map::{Map, MapHeader, holds_dark_matter, read_map, write_map};
pub use snapshot::{
    Particles, Properties, Snapshot, SnapshotHeader, SnapshotReader, Species, Units, read_particles, type_name,
    write_snapshot,
};
pub use source::{FileKind, Opened, identify, open_source, split_selection};
pub use table::{SpectrumTable, write_spectra};

//! Files in and out: snapshots and gridded fields in; maps, tables and reports
//! out.
//!
//! [`open_source`] tells by content what a file is. Everything that is read is
//! converted to Halodi's units (comoving Mpc/h, M☉/h, peculiar km/s, mK) on the
//! way in, and everything that had to be inferred is said in `notes`.

pub mod atomic;
mod catalogue;
mod files;
mod gadget;
mod gadget_out;
mod grid_file;
mod h5;
pub mod map;
mod npy;
pub mod snapshot;
mod source;
pub mod table;
mod units;

pub use atomic::check_writable;
pub use catalogue::write_catalogue;
pub use gadget::{Properties, SnapshotReader, read_particles, type_name};
pub use gadget_out::write_snapshot;
pub use grid_file::{GridFile, Quantity};
pub use map::{Map, MapHeader, read_map, write_map};
pub use snapshot::{Particles, Snapshot, SnapshotHeader};
pub use source::{CatalogueHeader, FileKind, Opened, identify, open_source, split_selection};
pub use table::{SpectrumTable, write_spectra};
pub use units::Units;

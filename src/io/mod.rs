//! Files in and out.

pub mod snapshot;

pub use snapshot::{Particles, Snapshot, SnapshotHeader};

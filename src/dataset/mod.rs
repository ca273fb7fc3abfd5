//! Data sets: boxes of one cosmology and different seeds, divided by box into
//! what networks learn from, what they are selected by, and what they are judged
//! on (a CV set in the sense of CAMELS).
//!
//! ```text
//! DIR/manifest.json
//! DIR/train/box_000/{snapshot_000.hdf5, fields.hdf5}
//! DIR/validation/…
//! DIR/test/…
//! ```

mod leakage;
mod make;
mod manifest;

pub use leakage::{Leakage, measure_leakage};
pub use make::{DatasetConfig, DatasetProgress, make, verify};
pub use manifest::{BoxRecord, Dataset, Entry, Manifest, Split, Test, Train, Validation};

//! Data sets: boxes of one size and resolution, at one redshift or several, divided by box into what networks learn
//! from, what they are selected by, and what they are judged on. They are simulated here (a CV
//! set in the sense of CAMELS), or made from pairs of dark matter and truth of other simulations.
//!
//! ```text
//! DIR/manifest.json
//! DIR/train/box_000/{fields.hdf5, snapshot_000.hdf5 if it was simulated here}
//! DIR/validation/…
//! DIR/test/…
//! ```

mod fields;
mod leakage;
mod make;
mod manifest;
mod pairs;

pub use fields::Fields;
pub use leakage::{Leakage, measure_leakage};
pub use make::{DatasetConfig, DatasetProgress, make, verify};
pub use manifest::{BoxRecord, Dataset, Entry, Manifest, Origin, SAME_REDSHIFT, Split, Test, Train, Validation};
pub use pairs::{Pair, PairList, PairsConfig, make_from_pairs};

//! Learning: crops of the boxes of a data set, an objective per network, and the
//! descent they share.

mod boxes;
mod correct;
mod data;
mod decide;
mod expectation;
mod fit;
mod halo;
mod importance;
mod lodi;
mod paint;
mod power;
mod refinement;
mod state;
mod voxels;

pub use correct::correct;
pub use data::{CubeSymmetry, Fields, TrainingBox, ValidationBox};
pub use decide::decide;
pub use expectation::{ExpectationBoxes, expectation_config, train_expectation};
pub use fit::{Fit, Fitted, Report, curve_csv};
pub use halo::{halo_config, train_halo};
pub use lodi::{LodiBoxes, lodi_config, train_lodi};
pub use power::{PowerPoint, PowerRatio, power_csv};
pub use refinement::train_refinement;
pub use state::{CurvePoint, saved_config};

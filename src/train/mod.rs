//! Learning: crops of the boxes of a data set, an objective per network, the descent they
//! share, and the calibration on boxes that nothing has learned from.

mod boxes;
mod calibrate;
mod conditional_mean;
mod data;
mod descent;
mod halo;
mod lodi;
mod power;
mod refinement;
mod sampling_weight;
mod state;
mod voxels;

pub use boxes::HaloBoxes;
pub use conditional_mean::{conditional_mean_config, train_conditional_mean};
pub use data::{CubeSymmetry, TrainingBox, ValidationBox};
pub use descent::{Learned, Report, TrainConfig, curve_csv};
pub use halo::{halo_config, train_halo};
pub use lodi::{LodiBoxes, lodi_config, train_lodi};
pub use power::{PowerPoint, PowerRatio, power_csv};
pub use refinement::train_refinement;
pub use state::{CurvePoint, saved_config};

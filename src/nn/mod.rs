//! The networks: HALO, and LODI with its conditional mean and its denoiser; what they see of
//! the dark matter, the noise schedule and samplers, and their weights.
//!
//! Every network answers for the window it is shown, `[batch, channels, x, y, z]`; how a box
//! is cut into windows and put together again is the business of [`crate::stitch`].

mod blocks;
mod calibration;
mod conditional_mean;
mod cpu;
mod features;
mod halo;
mod lodi;
mod relation;
mod residual;
mod schedule;
mod unet;
mod voxelwise;
mod weights;

pub use calibration::{CALIBRATION_LEVELS, Calibration, CalibrationTable, Calibrator, Surroundings};
pub use conditional_mean::{CONDITION_CHANNELS, ConditionalMean, ConditionalMeanConfig};
pub use features::{FeatureConfig, log_transform};
pub use halo::{HALO_CLASSES, Halo, HaloConfig};
pub use lodi::{Lodi, LodiConfig, TrainingRange};
pub use relation::LocalRelation;
pub use residual::{KNOTS, Residual, Standardised, knot_place};
pub use schedule::{NoiseSchedule, Sampler, Update, alpha, sigma};
pub use unet::{UNet, UNetConfig};
pub use voxelwise::{Voxelwise, inner};
pub use weights::{ModelCard, Network, Trained, halo_weights, lodi_weights, weights_checksums};

//! Training HALO and LODI.

mod data;
mod fit;

pub use data::{CubeSymmetry, Region, TrainingBox};
pub use fit::{Fit, Report, train_halo, train_lodi};

//! The networks: HALO and LODI with the map it expects, the noise schedule and samplers of LODI, their
//! weights, and the device they run on.

mod blocks;
mod conditioned;
mod correction;
mod departure;
mod device;
mod expectation;
mod halo;
mod halo_relation;
mod haloes;
mod linking;
mod lodi;
mod relation;
mod schedule;
mod solve;
mod unet;
mod voxelwise;
mod weights;
mod whole_box;

pub use conditioned::Conditioned;
pub use correction::{CORRECTION_LEVELS, Correction, Errors, KnotMeans, Neighbourhood};
pub use departure::Departure;
pub use device::{ComputeDevice, is_cpu, side_by_side};
pub use expectation::{Anchor, CONDITION_CHANNELS, Expectation, ExpectationConfig, ExpectationInput};
pub use halo::{DECIDED_CLASSES, Decision, HALO_CLASSES, HEAVY, Halo, HaloConfig, HaloInput, HaloMaps};
pub use halo_relation::{Candidate, HaloRelation};
pub use haloes::Haloes;
pub use linking::{Linking, Weighing};
pub use lodi::{Lodi, LodiConfig};
pub use relation::LocalRelation;
pub use schedule::{NoiseSchedule, Sampler, Update, alpha, sigma};
pub use unet::{UNet, UNetConfig};
pub use voxelwise::{RegionTransform, SurroundingsTransform, Voxelwise};
pub use weights::{ModelCard, Network, Trained, halo_weights, lodi_weights};
pub use whole_box::Tile;

use burn::tensor::Tensor;

use crate::error::{Error, Result};

/// A tensor's values, brought to the host.
///
/// # Errors
/// [`Error::Device`] where the device failed on the way to them.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.into_data().try_into_vec::<f32>().map_err(|e| {
        Error::device(format!("a result could not be read back ({e:?})"), "Run it again with --device cpu")
    })
}

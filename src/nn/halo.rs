//! HALO: halo mass density maps from a dark-matter field.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::features::FeatureConfig;
use super::unet::{UNet, UNetConfig};
use super::voxelwise::{Voxelwise, inner};
use crate::field::HALO_MASS_BINS;

/// Classes that HALO divides the matter of a voxel into: haloes of each mass bin, lightest
/// first, and what is in none.
pub const HALO_CLASSES: usize = HALO_MASS_BINS + 1;

/// What defines a HALO network besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaloConfig {
    /// The U-Net: the features in, [`HALO_CLASSES`] out.
    pub net: UNetConfig,
    /// Feature maps of the refinement behind it.
    pub refinement: usize,
    /// Voxels per axis whose output is kept (see [`HaloConfig::context`]).
    pub tile: usize,
    /// Voxels around a tile, on every side, that the network sees beyond it.
    pub context: usize,
    /// Voxel side it was trained at, Mpc/h.
    pub voxel: f64,
    /// What it sees of the dark matter.
    pub features: FeatureConfig,
    /// Edges of the halo mass bins in M☉/h, ascending, one more than bins; the
    /// last bin has no upper edge (its upper value is kept for the record).
    pub mass_edges: [f64; HALO_MASS_BINS + 1],
}

/// HALO: an attention-gated 3D residual U-Net (Mishra, Trotta & Viel 2025), and a
/// [`Voxelwise`] network that refines its answer. It gives the expected fraction of the matter
/// in every voxel that lies in haloes of each mass bin, so its maps have the density field's
/// own peaks and make no mass. An expectation is smoother than the truth: its power is about
/// `r²` of the truth's where haloes are smaller than a voxel.
#[derive(Module, Debug)]
pub struct Halo {
    net: UNet,
    refinement: Voxelwise,
    #[module(skip)]
    config: HaloConfig,
}

impl Halo {
    /// Mean and deviation, roughly, of the logarithm of a fraction: what the refinement's
    /// input is standardised by.
    const TYPICAL: [f64; 2] = [-4.0, 4.0];

    /// A network with fresh weights.
    pub fn new(config: &HaloConfig, device: &Device) -> Self {
        let refinement = [HALO_CLASSES + 1, config.refinement, HALO_CLASSES];
        Self { net: config.net.init(device), refinement: Voxelwise::new(refinement, device), config: config.clone() }
    }

    /// What defines it besides its weights.
    pub fn config(&self) -> &HaloConfig {
        &self.config
    }

    /// Voxels that it needs around a tile on every side: the context, rounded up to what the
    /// U-Net's levels divide.
    pub fn margin(&self) -> usize {
        self.config.context.max(Voxelwise::REACH).next_multiple_of(self.config.net.multiple())
    }

    /// The U-Net's answer to the features `[b, channels, x, y, z]`: the logarithms of the
    /// classes' fractions, `[b, HALO_CLASSES, x, y, z]`.
    pub fn coarse(&self, features: Tensor<5>) -> Tensor<5> {
        log_softmax(self.net.forward(features, None), 1)
    }

    /// The same, refined with the transformed density, `[b, 1, x, y, z]`: of a cube whose
    /// side is smaller by [`Voxelwise::REACH`] voxels at every face.
    pub fn refined(&self, coarse: Tensor<5>, density: Tensor<5>) -> Tensor<5> {
        let [mean, deviation] = Self::TYPICAL;
        let typical = (coarse.clone() - mean) / deviation;
        let added = self.refinement.forward(Tensor::cat(vec![typical, density], 1));
        log_softmax(inner(coarse, Voxelwise::REACH) + added, 1)
    }

    /// The fraction of the matter in haloes of each mass bin, `[b, HALO_MASS_BINS, s, s, s]`,
    /// in tiles of `s³` voxels that are seen with [`Halo::margin`] voxels around them.
    pub fn fractions(&self, features: Tensor<5>) -> Tensor<5> {
        let near = |x: Tensor<5>| inner(x, self.margin() - Voxelwise::REACH);
        let density = near(features.clone().narrow(1, 0, 1));
        self.refined(near(self.coarse(features)), density).narrow(1, 0, HALO_MASS_BINS).exp()
    }

    /// What the U-Net alone says of tiles that are seen with [`Halo::margin`] voxels around
    /// them: what the refinement is fitted to.
    pub fn coarse_tiles(&self, features: Tensor<5>) -> Tensor<5> {
        inner(self.coarse(features), self.margin())
    }
}

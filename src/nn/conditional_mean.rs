//! The conditional mean of the 21 cm map: what halo maps and dark matter say of the brightness
//! temperature before any scatter. LODI's diffusion paints the residual about it.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::features::{FeatureConfig, log_transform};
use super::relation::LocalRelation;
use super::voxelwise::Voxelwise;
use crate::field::{HALO_MASS_BINS, LogTransform};

/// Feature maps of LODI's condition: HALO's four, the dark matter, and the conditional mean.
pub const CONDITION_CHANNELS: usize = HALO_MASS_BINS + 2;

/// What the network multiplies is at least this, mK: where HALO sees no halo
/// there may be one, but as a rule there is not.
const LEAST: f32 = 0.01;
/// Bound of the logarithm of the factor.
const FARTHEST: f64 = 10.0;

/// What defines a [`ConditionalMean`] besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionalMeanConfig {
    /// Feature maps of the network.
    pub width: usize,
    /// From halo mass density in (M☉/h)/(Mpc/h)³ to the network's input.
    pub halo_mass: LogTransform,
    /// From the temperature of the local relation in mK to the network's input.
    pub temperature: LogTransform,
    /// What it sees of the dark matter.
    pub features: FeatureConfig,
    /// The local relation, which it corrects.
    pub relation: LocalRelation,
}

impl ConditionalMeanConfig {
    /// Channels that the network sees.
    pub fn channels(&self) -> usize {
        HALO_MASS_BINS + 1 + self.features.channels()
    }
}

/// The mean brightness temperature given HALO's maps and the dark matter: the temperature of
/// the local relation times a factor that a [`Voxelwise`] network finds.
///
/// The power of a mean is `r²` times the truth's, and the diffusion answers for the rest
/// alone, so an error of the diffusion is an error of the smaller part of the power (Mardani et
/// al. 2025, arXiv:2309.15214, do the same with the weather).
#[derive(Module, Debug)]
pub struct ConditionalMean {
    net: Voxelwise,
    #[module(skip)]
    config: ConditionalMeanConfig,
}

impl ConditionalMean {
    /// A network with fresh weights: the local relation itself.
    pub fn new(config: &ConditionalMeanConfig, device: &Device) -> Self {
        Self { net: Voxelwise::new([config.channels(), config.width, 1], device), config: config.clone() }
    }

    /// What defines it besides its weights.
    pub fn config(&self) -> &ConditionalMeanConfig {
        &self.config
    }

    /// The temperature of the local relation in mK, `[b, 1, …]`, of halo maps
    /// `[b, HALO_MASS_BINS, …]` in (M☉/h)/(Mpc/h)³; `scale` is
    /// [`Cosmology::brightness_temperature_scale`](crate::field::Cosmology::brightness_temperature_scale).
    pub fn local(&self, halo_mass: &Tensor<5>, scale: f64) -> Tensor<5> {
        let weights = self.config.relation.weights(scale).map(|w| w as f32);
        let weights = Tensor::<1>::from_floats(weights, &halo_mass.device()).reshape([1, HALO_MASS_BINS, 1, 1, 1]);
        (halo_mass.clone() * weights).sum_dim(1)
    }

    /// What the network sees: halo maps in (M☉/h)/(Mpc/h)³, the [local](Self::local)
    /// temperature in mK and the features.
    pub fn seen(&self, halo_mass: Tensor<5>, local: Tensor<5>, features: Tensor<5>) -> Tensor<5> {
        let halo_mass = log_transform(&self.config.halo_mass, halo_mass);
        let local = log_transform(&self.config.temperature, local);
        Tensor::cat(vec![halo_mass, local, features], 1)
    }

    /// The logarithm of the mean temperature in mK, `[b, 1, s, s, s]`, from what is
    /// [seen](Self::seen), with [`Voxelwise::REACH`] voxels more at every face, and the local
    /// temperature in mK, `[b, 1, s, s, s]`.
    pub fn log_temperature(&self, seen: Tensor<5>, local: Tensor<5>) -> Tensor<5> {
        (local + LEAST).log() + self.net.forward(seen).clamp(-FARTHEST, FARTHEST)
    }

    /// The mean temperature in mK, `[b, 1, s, s, s]`, of tiles seen with [`Voxelwise::REACH`]
    /// voxels around them.
    pub fn temperature(&self, halo_mass: Tensor<5>, features: Tensor<5>, scale: f64) -> Tensor<5> {
        let local = self.local(&halo_mass, scale);
        let inside = super::voxelwise::inner(local.clone(), Voxelwise::REACH);
        self.log_temperature(self.seen(halo_mass, local, features), inside).exp()
    }
}

//! LODI: a conditional variational diffusion model of the 21 cm brightness
//! temperature given HALO's maps (Mishra, Trotta & Viel 2025; Kingma et al.
//! 2021).

use burn::module::Module;
use burn::tensor::{Device, FloatDType, Tensor};
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::conditional_mean::{CONDITION_CHANNELS, ConditionalMean, ConditionalMeanConfig};
use super::features::log_transform;
use super::residual::Residual;
use super::schedule::{NoiseSchedule, alpha, sigma};
use super::unet::{UNet, UNetConfig};
use crate::field::{DarkMatter, HALO_MASS_BINS, LogTransform, NoiseCorrelation};

/// What defines a LODI network besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LodiConfig {
    /// The network: one latent channel and the condition in, one channel out.
    pub net: UNetConfig,
    /// Voxels per axis of a training tile.
    pub tile: usize,
    /// What it was trained on.
    pub trained_on: TrainingRange,
    /// The noise schedule.
    pub schedule: NoiseSchedule,
    /// How its noise is correlated.
    pub noise: NoiseCorrelation,
    /// How the denoiser sees its condition, channel by channel: halo mass density per bin in
    /// (M☉/h)/(Mpc/h)³, `1 + δ`, and the conditional mean in mK.
    pub condition: [LogTransform; CONDITION_CHANNELS],
    /// The conditional mean.
    pub conditional_mean: ConditionalMeanConfig,
    /// What the diffusion's data is: the standardised residual about the conditional mean.
    pub residual: Residual,
    /// The calibration of the denoiser's estimates.
    pub calibration: Calibration,
    /// Range of the training set in data space. Estimates are kept within it: a
    /// spectrum, which the brightest voxels rule, does not forgive overshooting.
    pub data_range: [f32; 2],
}

/// What the boxes of a training span, from the least to the greatest. Beyond it, networks are asked
/// for what they have never seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRange {
    /// Voxel side, Mpc/h.
    pub voxel: f64,
    /// Redshift.
    pub redshift: [f64; 2],
    /// Matter density `Ωm`.
    pub omega_m: [f64; 2],
    /// `σ8`.
    pub sigma_8: [f64; 2],
}

impl TrainingRange {
    /// That of some boxes, which are on voxels of one size.
    ///
    /// # Panics
    /// Without any.
    pub fn of<'a>(boxes: impl Iterator<Item = &'a DarkMatter> + Clone) -> Self {
        let range = |value: fn(&DarkMatter) -> f64| {
            let values = boxes.clone().map(value);
            [values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max)]
        };
        Self {
            voxel: boxes.clone().next().expect("boxes that were learned from").density.voxel(),
            redshift: range(|b| b.redshift),
            omega_m: range(|b| b.cosmology.omega_m),
            sigma_8: range(|b| b.cosmology.sigma_8),
        }
    }
}

/// LODI: the conditional mean, and the denoiser that paints the residual about it.
///
/// The denoiser predicts the velocity `v = α ε − σ x` (Salimans & Ho 2022), from
/// which the clean field and the noise follow without dividing by a small number
/// at either end of the schedule.
#[derive(Module, Debug)]
pub struct Lodi {
    conditional_mean: ConditionalMean,
    net: UNet,
    #[module(skip)]
    config: LodiConfig,
}

impl Lodi {
    /// A network with fresh weights.
    pub fn new(config: &LodiConfig, device: &Device) -> Self {
        Self {
            conditional_mean: ConditionalMean::new(&config.conditional_mean, device),
            net: config.net.init(device),
            config: config.clone(),
        }
    }

    /// What defines it besides its weights.
    pub fn config(&self) -> &LodiConfig {
        &self.config
    }

    /// The mean that the denoiser paints the residual about.
    pub fn conditional_mean(&self) -> &ConditionalMean {
        &self.conditional_mean
    }

    /// The same denoiser with tables fitted anew (a `config` of the same networks), behind a
    /// conditional mean.
    pub fn behind(self, conditional_mean: ConditionalMean, config: LodiConfig) -> Self {
        Self { conditional_mean, net: self.net, config }
    }

    /// The same denoiser computing in another precision; what goes in and comes out is single.
    pub fn with_precision(self, precision: FloatDType) -> Self {
        Self { net: self.net.with_precision(precision), ..self }
    }

    /// What the denoiser sees of a box beside the latent, `[CONDITION_CHANNELS, n, n, n]`: halo
    /// maps `[HALO_MASS_BINS, n, n, n]` in (M☉/h)/(Mpc/h)³, `1 + δ` and the conditional mean in
    /// mK, `[n, n, n]` each.
    pub fn condition(&self, halo_mass: &Tensor<4>, dark_matter: &Tensor<3>, mean: &Tensor<3>) -> Tensor<4> {
        let bin = |bin: usize| halo_mass.clone().narrow(0, bin, 1);
        let fields =
            (0..HALO_MASS_BINS).map(bin).chain([dark_matter, mean].map(|field| field.clone().unsqueeze_dim(0)));
        let channels = fields.zip(&self.config.condition).map(|(field, transform)| log_transform(transform, field));
        Tensor::cat(channels.collect(), 0)
    }

    /// The velocity: `z` `[b, 1, x, y, z]`, `condition`
    /// `[b, CONDITION_CHANNELS, x, y, z]`, `position` `[b]` (the schedule
    /// position of each latent, 0 clean to 1 noise) to `[b, 1, x, y, z]`.
    pub fn velocity(&self, z: Tensor<5>, condition: Tensor<5>, position: Tensor<1>) -> Tensor<5> {
        self.net.forward(Tensor::cat(vec![z, condition], 1), Some(position))
    }

    /// The estimate of the clean field `x̂ = α z − σ v̂`, within the range of the
    /// data, for latents that are all at `gamma`. Shapes as in
    /// [`Lodi::velocity`].
    pub fn denoise(&self, z: Tensor<5>, condition: Tensor<5>, gamma: f64) -> Tensor<5> {
        let [b, ..] = z.dims();
        let position = Tensor::full([b], self.config.schedule.position(gamma), &z.device());
        let velocity = self.velocity(z.clone(), condition, position);
        self.within_range(z * alpha(gamma) - velocity * sigma(gamma))
    }

    /// Estimates kept within the range of the data.
    pub fn within_range<const D: usize>(&self, estimate: Tensor<D>) -> Tensor<D> {
        let [lowest, highest] = self.config.data_range;
        estimate.clamp(lowest, highest)
    }

    /// The objective that training descends on, the weighted mean squared error of
    /// the velocity, for clean fields `x` `[b, 1, …]`, their condition, noise `eps`
    /// and voxel weights of the same shape as `x`, and one `t` in `[0, 1]` per
    /// sample.
    pub fn loss(
        &self,
        x: Tensor<5>,
        condition: Tensor<5>,
        eps: Tensor<5>,
        weight: Tensor<5>,
        times: &[f64],
    ) -> Tensor<1> {
        let schedule = &self.config.schedule;
        let b = times.len();
        let device = x.device();
        let per_sample = |f: &dyn Fn(f64) -> f64| -> Tensor<5> {
            let values: Vec<f32> = times.iter().map(|&t| f(schedule.gamma(t)) as f32).collect();
            Tensor::<1>::from_floats(values.as_slice(), &device).reshape([b, 1, 1, 1, 1])
        };
        let (a, s) = (per_sample(&alpha), per_sample(&sigma));
        let z = x.clone() * a.clone() + eps.clone() * s.clone();
        let target = eps * a - x * s;
        let position = per_sample(&|gamma| schedule.position(gamma)).reshape([b]);
        let squared = (self.velocity(z, condition, position) - target).square();
        (squared * weight).mean()
    }
}

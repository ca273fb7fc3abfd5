//! LODI: a conditional variational diffusion model of the 21 cm brightness
//! temperature given HALO's maps (Mishra, Trotta & Viel 2025; Kingma et al.
//! 2021).

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::correction::{Correction, Neighbourhood};
use super::departure::Departure;
use super::device::side_by_side;
use super::expectation::{Anchor, CONDITION_CHANNELS, Expectation, ExpectationConfig};
use super::schedule::{NoiseSchedule, alpha, sigma};
use super::unet::{UNet, UNetConfig};
use super::whole_box::{Tile, tile_by_tile};
use crate::error::Result;
use crate::field::Grid;
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::{ChannelField, Lattice, NoiseColour, Overlap, WindowBatch, gather};

/// What defines a LODI network besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LodiConfig {
    /// The network: one latent channel and the condition in, one channel out.
    pub net: UNetConfig,
    /// Voxels per axis of a training tile.
    pub tile: usize,
    /// Voxel side it was trained at, Mpc/h.
    pub voxel: f64,
    /// Redshift it was trained at.
    pub redshift: f64,
    /// The noise schedule.
    pub schedule: NoiseSchedule,
    /// How its noise is correlated; white where a file does not say.
    #[serde(default)]
    pub noise: NoiseColour,
    /// The expected map, and how both networks see their condition.
    pub expectation: ExpectationConfig,
    /// What the diffusion's data is: how the map departs from the expected one.
    pub departure: Departure,
    /// What sets the denoiser's estimates right.
    #[serde(default)]
    pub correction: Correction,
    /// Range of the training set in data space. Estimates are kept within it: a
    /// spectrum, which the brightest voxels rule, does not forgive overshooting.
    pub data_range: [f32; 2],
}

impl LodiConfig {
    /// A network with fresh weights.
    pub fn init(&self, device: &Device) -> Lodi {
        Lodi { expectation: self.expectation.init(device), net: self.net.init(device) }
    }

    /// What the denoiser sees of a box beside the latent: HALO's maps in
    /// (M☉/h)/(Mpc/h)³, `1 + δ`, and the expected map in mK.
    pub fn condition(
        &self,
        n: usize,
        halo_mass: &[&[f32]; HALO_MASS_BINS],
        dark_matter: &[f32],
        expected: &[f32],
    ) -> ChannelField {
        self.expectation.condition(n, halo_mass, dark_matter, expected)
    }

    /// How much the noise of each voxel changes the product of a map with the expected
    /// one, which most of its power lies in ([`LatentOverlap::balance`](crate::stitch::LatentOverlap)).
    pub fn balance(&self, expected: &[f32]) -> Vec<f32> {
        let weight = |&expected: &f32| {
            let [mean, deviation] = self.departure.spread(expected);
            expected * 2.0 * mean * deviation
        };
        let weights: Vec<f32> = expected.iter().map(weight).collect();
        let largest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        weights.into_iter().map(|weight| weight / largest).collect()
    }

    /// The map in mK of painted data, `n³` values, held by the `anchor` of the expected map.
    pub fn brightness_temperature(&self, data: &[f32], anchor: &Anchor) -> Grid {
        let expected = anchor.expected();
        let painted = self.departure.temperatures(data, expected.as_slice());
        anchor.hold(&Grid::from_values(painted, expected.box_size))
    }

    /// Set the estimates of a whole box at `gamma` right.
    pub fn correct(&self, gamma: f64, about: &Neighbourhood, estimate: &mut [f32]) {
        self.correction.apply(&self.schedule, gamma, about, estimate);
        let [lowest, highest] = self.data_range;
        estimate.iter_mut().for_each(|x| *x = x.clamp(lowest, highest));
    }
}

/// LODI: the expected map, and the denoiser that paints how a map departs from it.
///
/// The denoiser predicts the velocity `v = α ε − σ x` (Salimans & Ho 2022), from
/// which the clean field and the noise follow without dividing by a small number
/// at either end of the schedule.
#[derive(Module, Debug)]
pub struct Lodi {
    /// What the denoiser departs from.
    pub expectation: Expectation,
    net: UNet,
}

impl Lodi {
    /// The velocity: `z` `[b, 1, x, y, z]`, `condition`
    /// `[b, CONDITION_CHANNELS, x, y, z]`, `position` `[b]` (the schedule
    /// position of each latent, 0 clean to 1 noise) to `[b, 1, x, y, z]`.
    pub fn velocity(&self, z: Tensor<5>, condition: Tensor<5>, position: Tensor<1>) -> Tensor<5> {
        self.net.forward(Tensor::cat(vec![z, condition], 1), Some(position))
    }

    /// The estimate of the clean field `x̂ = α z − σ v̂`, within the range of the
    /// data, for latents that are all at `gamma`. Shapes as in
    /// [`Lodi::velocity`].
    pub fn denoise(&self, z: Tensor<5>, condition: Tensor<5>, config: &LodiConfig, gamma: f64) -> Tensor<5> {
        let [b, ..] = z.dims();
        let position = Tensor::full([b], config.schedule.position(gamma), &z.device());
        let velocity = self.velocity(z.clone(), condition, position);
        let [lowest, highest] = config.data_range;
        (z * alpha(gamma) - velocity * sigma(gamma)).clamp(lowest, highest)
    }

    /// The estimate of the clean field in each window of a box with `condition`:
    /// `[windows, 1, side, side, side]`.
    pub fn denoise_windows(
        &self,
        batch: &WindowBatch,
        condition: &ChannelField,
        config: &LodiConfig,
        device: &Device,
    ) -> Tensor<5> {
        let side = batch.side;
        let windows: Vec<(&[usize; 3], &[f32])> = batch.origins.iter().zip(batch.latents.chunks(side.pow(3))).collect();
        let estimates = side_by_side(&windows, device, |windows| {
            let origins: Vec<[usize; 3]> = windows.iter().map(|&(&origin, _)| origin).collect();
            let latents = windows.iter().flat_map(|&(_, latent)| latent.iter().copied()).collect();
            self.denoise_cut((&origins, latents), side, batch.gamma, condition, config, device)
        });
        Tensor::cat(estimates, 0)
    }

    /// The estimate of the clean field `x` of a whole box from `x` hidden by `noise` at
    /// `gamma`, on tiles that do not overlap and not [corrected](LodiConfig::correct): `n³` values.
    ///
    /// # Errors
    /// Those of the grid and of the device.
    pub fn denoise_hidden(
        &self,
        (x, noise): (&[f32], &[f32]),
        gamma: f64,
        condition: &ChannelField,
        config: &LodiConfig,
        device: &Device,
    ) -> Result<Vec<f32>> {
        let n = condition.n;
        let (a, s) = (alpha(gamma) as f32, sigma(gamma) as f32);
        let latent: Vec<f32> = x.iter().zip(noise).map(|(x, noise)| a * x + s * noise).collect();
        let lattice = Lattice::new(n, config.tile, config.net.multiple(), Overlap::Naive)?;
        let denoise = |Tile { origin, side }: Tile| {
            let mut window = Vec::with_capacity(side.pow(3));
            gather(&latent, n, origin, side, &mut window);
            self.denoise_cut((&[origin], window), side, gamma, condition, config, device)
        };
        Ok(tile_by_tile(&lattice, 1, n, device, denoise)?.remove(0))
    }

    /// The estimate in windows of `side³` voxels, given their origins and latents.
    fn denoise_cut(
        &self,
        (origins, latents): (&[[usize; 3]], Vec<f32>),
        side: usize,
        gamma: f64,
        condition: &ChannelField,
        config: &LodiConfig,
        device: &Device,
    ) -> Tensor<5> {
        let mut conditions = Vec::with_capacity(origins.len() * CONDITION_CHANNELS * side.pow(3));
        origins.iter().for_each(|&origin| condition.gather(origin, side, &mut conditions));
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [origins.len(), channels, side, side, side]), device)
        };
        self.denoise(tensor(latents, 1), tensor(conditions, CONDITION_CHANNELS), config, gamma)
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
        schedule: &NoiseSchedule,
    ) -> Tensor<1> {
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

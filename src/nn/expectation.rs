//! The expected 21 cm map: what halo maps and dark matter say of the brightness
//! temperature before any scatter, which is where LODI's diffusion begins.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::relation::LocalRelation;
use super::unet::{UNet, UNetConfig};
use super::whole_box::{Tile, inner, tile_by_tile};
use crate::error::Result;
use crate::field::LogTransform;
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::{ChannelField, Lattice, Overlap, gather};

/// Feature maps of a condition: HALO's four, the dark matter, and a temperature.
pub const CONDITION_CHANNELS: usize = HALO_MASS_BINS + 2;

/// What the network multiplies is at least this, mK: where HALO sees no halo
/// there may be one, but as a rule there is not.
const LEAST: f32 = 0.01;
/// Bound of the logarithm of the factor.
const FARTHEST: f64 = 10.0;

/// What defines an [`Expectation`] besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationConfig {
    /// The network: the condition in, one channel out.
    pub net: UNetConfig,
    /// Voxels per axis whose output is kept.
    pub tile: usize,
    /// Voxels around a tile, on every side, that the network sees beyond it.
    pub context: usize,
    /// How it sees its condition, channel by channel: halo mass density per bin in
    /// (M☉/h)/(Mpc/h)³, `1 + δ`, and a temperature in mK.
    pub condition: [LogTransform; CONDITION_CHANNELS],
    /// The local relation, which it corrects.
    pub relation: LocalRelation,
}

/// The expectation of the brightness temperature given HALO's maps and the dark
/// matter: the temperature of the local relation times a factor that an
/// [attention U-Net](UNet) finds.
///
/// The power of an expectation is `r²` times the truth's, and what it leaves to
/// the diffusion is only what nothing in the condition tells: the scatter. So an
/// error of the diffusion is an error of the smaller part of the power
/// (Mardani et al. 2025, arXiv:2309.15214, do the same with the weather).
#[derive(Module, Debug)]
pub struct Expectation {
    net: UNet,
}

impl Expectation {
    /// The logarithm of the expected temperature in mK, `[b, 1, x, y, z]`, from
    /// the condition `[b, CONDITION_CHANNELS, x, y, z]` and the temperature of the
    /// local relation in mK, `[b, 1, x, y, z]`.
    pub fn log_temperature(&self, condition: Tensor<5>, local: Tensor<5>) -> Tensor<5> {
        (local + LEAST).log() + self.net.forward(condition, None).clamp(-FARTHEST, FARTHEST)
    }
}

/// A box as an [`Expectation`] sees it.
#[derive(Debug, Clone)]
pub struct ExpectationInput {
    /// The condition, transformed.
    pub condition: ChannelField,
    /// Temperature of the local relation, mK.
    pub local: Vec<f32>,
}

impl ExpectationConfig {
    /// A network with fresh weights: the local relation itself.
    pub fn init(&self, device: &Device) -> Expectation {
        Expectation { net: self.net.init(device) }
    }

    /// The tiles of a box of `n³` voxels.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a grid that no tile divides.
    pub fn lattice(&self, n: usize) -> Result<Lattice> {
        Lattice::new(n, self.tile, self.net.multiple(), Overlap::Naive)
    }

    /// The transformed condition of a box: halo maps in (M☉/h)/(Mpc/h)³, `1 + δ`
    /// and a temperature in mK, `n³` values each.
    pub fn condition(
        &self,
        n: usize,
        halo_mass: &[&[f32]; HALO_MASS_BINS],
        dark_matter: &[f32],
        temperature: &[f32],
    ) -> ChannelField {
        let [a, b, c, d] = *halo_mass;
        let channels = [a, b, c, d, dark_matter, temperature];
        let mut values = Vec::with_capacity(CONDITION_CHANNELS * n.pow(3));
        for (channel, transform) in channels.into_iter().zip(&self.condition) {
            assert_eq!(channel.len(), n.pow(3), "channels share one grid");
            values.extend(channel.iter().map(|&v| transform.forward(v)));
        }
        ChannelField { n, values }
    }

    /// What the network sees of a box; `scale` is
    /// [`Cosmology::brightness_temperature_scale`](crate::field::Cosmology::brightness_temperature_scale).
    pub fn input(
        &self,
        n: usize,
        halo_mass: &[&[f32]; HALO_MASS_BINS],
        dark_matter: &[f32],
        scale: f64,
    ) -> ExpectationInput {
        let local = self.relation.temperature(halo_mass, scale);
        ExpectationInput { condition: self.condition(n, halo_mass, dark_matter, &local), local }
    }

    /// The expected temperature on one tile, mK: `[1, 1, side, side, side]`.
    pub fn run_tile(
        &self,
        expectation: &Expectation,
        input: &ExpectationInput,
        tile: Tile,
        device: &Device,
    ) -> Tensor<5> {
        let n = input.condition.n;
        // The context is rounded up to what the network's levels divide.
        let multiple = self.net.multiple();
        let context = self.context.div_ceil(multiple) * multiple;
        let Tile { origin, side } = tile.surrounded(context, n);
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [1, channels, side, side, side]), device)
        };
        let (mut condition, mut local) = (Vec::with_capacity(CONDITION_CHANNELS * side.pow(3)), Vec::new());
        input.condition.gather(origin, side, &mut condition);
        gather(&input.local, n, origin, side, &mut local);
        let log = expectation.log_temperature(tensor(condition, CONDITION_CHANNELS), tensor(local, 1));
        inner(log, context).exp()
    }

    /// The expected temperature of a whole box, mK: `n³` values.
    ///
    /// # Errors
    /// As [`ExpectationConfig::lattice`], and of reading the result back.
    pub fn run(&self, expectation: &Expectation, input: &ExpectationInput, device: &Device) -> Result<Vec<f32>> {
        let n = input.condition.n;
        let output = |tile| self.run_tile(expectation, input, tile, device);
        Ok(tile_by_tile(&self.lattice(n)?, 1, n, device, output)?.remove(0))
    }
}

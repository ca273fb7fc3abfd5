//! The expected 21 cm map: what halo maps and dark matter say of the brightness
//! temperature before any scatter, which is where LODI's diffusion begins.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::Array3;
use rustfft::num_complex::Complex32;
use serde::{Deserialize, Serialize};

use super::halo_relation::HaloRelation;
use super::haloes::Haloes;
use super::relation::LocalRelation;
use super::voxelwise::{RegionTransform, SurroundingsTransform, Voxelwise};
use super::whole_box::{Tile, tile_by_tile};
use crate::error::Result;
use crate::field::{Cosmology, Grid, LogTransform, RealFft3, fft_shell};
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::{ChannelField, Lattice, Overlap, gather};

/// Feature maps of a condition: HALO's four, the dark matter, and a temperature.
pub const CONDITION_CHANNELS: usize = HALO_MASS_BINS + 2;

/// What the network multiplies is at least this, mK: where HALO sees no halo
/// there may be one, but as a rule there is not.
const LEAST: f32 = 0.01;
/// Bound of the logarithm of the factor.
const FARTHEST: f64 = 10.0;
/// Voxels per axis of a tile. Any would do, as none sees more than the next voxel.
const TILE: usize = 32;

/// Where more than this is expected, in mK, an [`Anchor`] holds; fainter voxels have a
/// thousandth of the power.
const HELD_FROM: f32 = 1.0;

/// Where less than this is expected, in mK, an [`Anchor`] sets the mean.
const BRIGHT: f32 = 3.0;

/// What defines an [`Expectation`] besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectationConfig {
    /// Feature maps of the network.
    pub width: usize,
    /// How it sees its condition, channel by channel: halo mass density per bin in
    /// (M☉/h)/(Mpc/h)³, `1 + δ`, and a temperature in mK.
    pub condition: [LogTransform; CONDITION_CHANNELS],
    /// How it sees the overdense regions.
    pub regions: RegionTransform,
    /// How it sees the surroundings of a voxel.
    pub surroundings: SurroundingsTransform,
    /// The local relation, which it corrects.
    pub relation: LocalRelation,
    /// What haloes hold, however the network spreads it within them; none in older files.
    #[serde(default)]
    pub haloes: Option<HaloRelation>,
}

/// The expectation of the brightness temperature given HALO's maps and the dark
/// matter: the temperature of the local relation times a factor that a [`Voxelwise`]
/// network finds, scaled so that every halo holds the HI of a [`HaloRelation`]. A halo's HI follows from its mass, and how it is spread from the
/// distance to the halo's centre: both are those of the regions that a voxel lies in.
/// What HALO says of a halo is not always right; how far it is off may hang on the
/// surroundings, which it sees, too.
///
/// The power of an expectation is `r²` times the truth's, and what it leaves to
/// the diffusion is only what nothing in the condition tells: the scatter. So an
/// error of the diffusion is an error of the smaller part of the power
/// (Mardani et al. 2025, arXiv:2309.15214, do the same with the weather).
#[derive(Module, Debug)]
pub struct Expectation {
    net: Voxelwise,
}

impl Expectation {
    /// The logarithm of the expected temperature in mK, `[b, 1, x, y, z]`, from what is
    /// [seen](ExpectationInput::seen), with one voxel more at every face, and the
    /// temperature of the local relation in mK, `[b, 1, x, y, z]`.
    pub fn log_temperature(&self, seen: Tensor<5>, local: Tensor<5>) -> Tensor<5> {
        (local + LEAST).log() + self.net.forward(seen).clamp(-FARTHEST, FARTHEST)
    }
}

/// The expected map as an anchor for painted ones.
///
/// `E[T_b | condition]` is the expected map, so the regression of a map on it is
/// one at every wavenumber. A denoiser that has not learned to the end, and a
/// sampler of few steps, paint less than is expected in the heaviest haloes, which
/// are rare. What is missing of the expected map is added, shell by shell of
/// wavenumbers and where HI is expected, so that nothing becomes negative around
/// it; then the mean is set to the expected one at the faint end. What is painted about the
/// expectation, the scatter, stays as it is.
pub struct Anchor {
    plan: RealFft3,
    /// mK.
    expected: Grid,
    modes: Array3<Complex32>,
    /// `Σ |μ(k)|²` per shell of one fundamental mode.
    power: Vec<f64>,
}

impl Anchor {
    /// By an expected map in mK.
    pub fn new(expected: Grid) -> Self {
        let plan = RealFft3::new(expected.n());
        let modes = plan.forward(&expected.values);
        let power = sum_per_shell(expected.n(), &modes, &modes);
        Self { plan, expected, modes, power }
    }

    /// The expected map, mK.
    pub fn expected(&self) -> &Grid {
        &self.expected
    }

    /// The map `painted` in mK, held at the expected one; never negative.
    pub fn hold(&self, painted: &Grid) -> Grid {
        let n = painted.n();
        let transform = self.plan.forward(&painted.values);
        let cross = sum_per_shell(n, &transform, &self.modes);
        let missing: Vec<f32> = cross
            .iter()
            .zip(&self.power)
            .map(|(cross, power)| if *power > 0.0 { ((1.0 - cross / power) / (n as f64).powi(3)) as f32 } else { 0.0 })
            .collect();
        let mut missing_modes = self.modes.clone();
        for ((x, y, z), value) in missing_modes.indexed_iter_mut() {
            *value *= missing[fft_shell([x, y, z], n)];
        }
        let addition = self.plan.inverse(missing_modes);
        let mut held = painted.clone();
        ndarray::Zip::from(&mut held.values)
            .and(&addition)
            .and(&self.expected.values)
            .for_each(|t, &add, &expected| *t = (*t + add * expected / (expected + HELD_FROM)).max(0.0));
        // The mean is set at the faint end, which power does not see.
        let faint = |expected: f32| 1.0 / (1.0 + expected / BRIGHT);
        let pairs = held.values.iter().zip(&self.expected.values);
        let share = pairs.map(|(&t, &expected)| f64::from(t * faint(expected))).sum::<f64>() / (n as f64).powi(3);
        if share > 0.0 {
            let excess = ((held.mean() - self.expected.mean()) / share).clamp(-1.0, 1.0) as f32;
            held.values.zip_mut_with(&self.expected.values, |t, &expected| *t *= 1.0 - excess * faint(expected));
        }
        held
    }
}

/// `Σ Re a b*` over the modes of each shell.
fn sum_per_shell(n: usize, a: &Array3<Complex32>, b: &Array3<Complex32>) -> Vec<f64> {
    let mut sums = vec![0.0; n + 1];
    for ((x, y, z), a) in a.indexed_iter() {
        // Modes with z between 0 and the Nyquist stand for two.
        let twice = if z == 0 || 2 * z == n { 1.0 } else { 2.0 };
        sums[fft_shell([x, y, z], n)] += twice * f64::from((a * b[[x, y, z]].conj()).re);
    }
    sums
}

/// A box as an [`Expectation`] sees it.
#[derive(Debug, Clone)]
pub struct ExpectationInput {
    /// The condition, the regions and the surroundings, transformed.
    pub seen: ChannelField,
    /// Temperature of the local relation, mK.
    pub local: Vec<f32>,
    /// The haloes, if anything is known of what they hold.
    pub haloes: Option<Haloes>,
}

impl ExpectationInput {
    /// Give the haloes of a map in mK that the network made, `n³` values, what they hold:
    /// the expected map.
    pub fn hold(&self, made: &mut [f32]) {
        if let Some(haloes) = &self.haloes {
            haloes.hold(made);
        }
    }
}

impl ExpectationConfig {
    /// A network with fresh weights: the local relation itself.
    pub fn init(&self, device: &Device) -> Expectation {
        let seen = CONDITION_CHANNELS + self.regions.channels() + self.surroundings.radii.len();
        Expectation { net: Voxelwise::new([seen, self.width, 1], device) }
    }

    /// The tiles of a box of `n³` voxels.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a grid that no tile divides.
    pub fn lattice(&self, n: usize) -> Result<Lattice> {
        Lattice::new(n, TILE, 1, Overlap::Naive)
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

    /// What the network sees of a box with `dark_matter` `1 + δ` of a cosmology at a
    /// redshift, and with HALO's maps in (M☉/h)/(Mpc/h)³.
    pub fn input(
        &self,
        halo_mass: &[&[f32]; HALO_MASS_BINS],
        dark_matter: &Grid,
        (cosmology, redshift): (&Cosmology, f64),
    ) -> ExpectationInput {
        let local = self.relation.temperature(halo_mass, cosmology.brightness_temperature_scale(redshift));
        let mut seen = self.condition(dark_matter.n(), halo_mass, dark_matter.as_slice(), &local);
        seen.values.append(&mut self.regions.forward(dark_matter, cosmology));
        seen.values.append(&mut self.surroundings.forward(dark_matter));
        let haloes = self.haloes.as_ref().map(|relation| relation.haloes(dark_matter, (cosmology, redshift)));
        ExpectationInput { seen, local, haloes }
    }

    /// What the network makes of one tile, mK: `[1, 1, side, side, side]`. The expected map
    /// is the whole box of it, [held](ExpectationInput::hold).
    pub fn run_tile(
        &self,
        expectation: &Expectation,
        input: &ExpectationInput,
        tile: Tile,
        device: &Device,
    ) -> Tensor<5> {
        let ExpectationInput { seen, local, .. } = input;
        let window = tile.surrounded(Voxelwise::REACH, seen.n);
        let tensor = |values: Vec<f32>, channels: usize, side: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [1, channels, side, side, side]), device)
        };
        let (mut around, mut inside) = (Vec::with_capacity(seen.channels() * window.side.pow(3)), Vec::new());
        seen.gather(window.origin, window.side, &mut around);
        gather(local, seen.n, tile.origin, tile.side, &mut inside);
        expectation.log_temperature(tensor(around, seen.channels(), window.side), tensor(inside, 1, tile.side)).exp()
    }

    /// The expected temperature of a whole box, mK: `n³` values.
    ///
    /// # Errors
    /// As [`ExpectationConfig::lattice`], and of reading the result back.
    pub fn run(&self, expectation: &Expectation, input: &ExpectationInput, device: &Device) -> Result<Vec<f32>> {
        let n = input.seen.n;
        let output = |tile| self.run_tile(expectation, input, tile, device);
        let mut expected = tile_by_tile(&self.lattice(n)?, 1, n, device, output)?.remove(0);
        input.hold(&mut expected);
        Ok(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

    #[test]
    fn a_held_map_regresses_on_the_expected_one_with_one_and_is_not_negative() {
        let n = 16;
        let field = |seed: u64| {
            let mut grid = Grid::zeros(n, 25.0);
            fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
            grid
        };
        // Decades of temperature; 30 % of what is expected is lost, and the rest
        // scatters by a tenth.
        let expected = field(1).map(|v| (2.0 * v).exp());
        let mut painted = expected.map(|v| 0.7 * v);
        painted.values.zip_mut_with(&field(2).values, |t, s| *t *= 1.0 + 0.1 * s);
        let anchor = Anchor::new(expected.clone());
        let held = anchor.hold(&painted);
        assert!((held.mean() / expected.mean() - 1.0).abs() < 1e-5);
        assert!(held.as_slice().iter().all(|&t| t >= 0.0));
        let regression = |grid: &Grid| -> Vec<f64> {
            let cross = sum_per_shell(n, &anchor.plan.forward(&grid.values), &anchor.modes);
            cross.iter().zip(&anchor.power).filter(|(_, p)| **p > 0.0).map(|(c, p)| c / p).collect()
        };
        assert!(regression(&painted).iter().all(|b| *b < 0.8));
        for (shell, b) in regression(&held).iter().enumerate() {
            assert!((b - 1.0).abs() < 0.05, "shell {shell}: {b}");
        }
        // The scatter about what is expected is the painted one.
        let about = |grid: &Grid, part: f32| {
            let pairs = grid.values.iter().zip(&expected.values);
            pairs.map(|(t, e)| f64::from(t - part * e).powi(2)).sum::<f64>().sqrt()
        };
        let ratio = about(&held, 1.0) / about(&painted, 0.7);
        assert!((ratio - 1.0).abs() < 0.15, "{ratio} of the scatter");
    }
}

//! How the expected map is learned.

use std::path::Path;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

use super::boxes::SeenBox;
use super::data::{Draws, Fields, Split, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::halo::regions;
use super::importance::importance;
use super::power::PowerRatio;
use super::voxels::{VoxelBox, Voxels};
use crate::error::{Error, Result};
use crate::evaluate::K_MAPS;
use crate::field::{Grid, LogTransform};
use crate::nn::{
    Candidate, Expectation, ExpectationConfig, ExpectationInput, Halo, HaloRelation, Linking, LocalRelation,
    SurroundingsTransform, Trained,
};
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::{HydrogenModel, Painter};
use crate::stats::power_spectrum;
use crate::stitch::ChannelField;

/// Floor of the temperatures that networks see, mK.
const FAINT: f64 = 0.1;
/// Voxels per side of the blocks over which the local relation is fitted.
const BLOCK: usize = 8;

/// M☉/h of the lightest haloes whose HI is told by their mass. Lighter ones are many, and
/// the network knows them better.
const LEAST_HALO: f64 = 1e12;

/// A box with HALO's maps of it and its map without scatter.
struct ExpectedBox {
    seen: SeenBox,
    /// The mean of all draws of the 21 cm map, mK.
    mean: Grid,
    /// The mean power over all draws ([`Painter::mean_power`]), of boxes that are
    /// [unseen](Split::unseen).
    mean_power: Vec<f64>,
}

/// Boxes that the expected map is learned from.
pub struct ExpectationBoxes(Split<ExpectedBox>);

impl ExpectationBoxes {
    /// Run HALO on every box, and paint HI on its haloes without scatter, which is
    /// the mean over all draws of it.
    ///
    /// # Errors
    /// Those of HALO and of reading snapshots.
    pub fn new(
        train: &[TrainingBox],
        validation: &[ValidationBox],
        halo: &Trained<Halo>,
        hydrogen: &HydrogenModel,
        device: &Device,
    ) -> Result<Self> {
        let painted =
            |painter: Painter, unseen: bool| (painter.mean(), if unseen { painter.mean_power() } else { Vec::new() });
        // Finding haloes takes longest and one thread.
        let of_train = train
            .par_iter()
            .map(|b| Ok((b.fields(), painted(b.painter(hydrogen)?, validation.is_empty()))))
            .collect::<Result<Vec<_>>>()?;
        let of_validation = validation
            .par_iter()
            .map(|b| Ok((b.fields(), painted(b.painter(hydrogen)?, true))))
            .collect::<Result<Vec<_>>>()?;
        let all = |boxes: Vec<(&Fields, (Grid, Vec<f64>))>| {
            let with_maps = |(fields, (mean, mean_power))| {
                Ok(ExpectedBox { seen: SeenBox::new(fields, halo, device)?, mean, mean_power })
            };
            boxes.into_iter().map(with_maps).collect::<Result<Vec<_>>>()
        };
        Ok(Self(Split { train: all(of_train)?, validation: all(of_validation)? }))
    }

    /// The HI of haloes as a function of their mass, from the maps without scatter; its variance
    /// is still to be [found](Self::variance). `None` for too few haloes.
    pub fn halo_relation(&self) -> Option<HaloRelation> {
        let linking = Linking::FRIENDS_OF_FRIENDS;
        let candidates = |ExpectedBox { seen: SeenBox { fields, .. }, mean, .. }: &ExpectedBox| {
            Candidate::all(&linking, (&fields.dark_matter, mean), (&fields.cosmology, fields.redshift))
        };
        HaloRelation::fit(linking, LEAST_HALO, &self.0.train.iter().flat_map(candidates).collect::<Vec<_>>())
    }

    /// The [variance](HaloRelation::variance) with which the mean power that expected maps
    /// imply is that of all draws: least squares over the shells up to 10 h/Mpc of unseen boxes, relative
    /// to their power. `None` without haloes.
    ///
    /// # Errors
    /// Those of the device.
    pub fn variance(
        &self,
        (expectation, config): (&Expectation, &ExpectationConfig),
        device: &Device,
    ) -> Result<Option<f64>> {
        let (mut product, mut square) = (0.0, 0.0);
        for from in self.0.unseen() {
            let input = from.seen.input(config);
            let expected = Grid::from_values(config.run(expectation, &input, device)?, from.mean.box_size);
            let Some(haloes) = &input.haloes else { return Ok(None) };
            let spectrum = power_spectrum(&expected, None);
            let shells = spectrum.shells_up_to(K_MAPS);
            let own = haloes.own_power(&expected);
            for shell in (0..shells).filter(|&shell| from.mean_power[shell] > 0.0) {
                let [own, power] = [own[shell], spectrum.power[shell]].map(|p| p / from.mean_power[shell]);
                product += own * (1.0 - power);
                square += own * own;
            }
        }
        Ok((square > 0.0).then(|| (product / square).max(0.0)))
    }
}

/// The network of the expected map as it is trained by default.
pub fn expectation_config(boxes: &ExpectationBoxes) -> ExpectationConfig {
    // Decades above a floor, from nothing to a few: standardised by their deviation,
    // maps that are empty nearly everywhere would reach dozens in a halo.
    let decades = |floor: f64| LogTransform { floor, offset: floor.log10(), scale: 1.0 };
    // A hundredth of the mean matter density, far below any halo's edge.
    let halo_mass = decades(1e9);
    let dark_matter = LogTransform::standardised(boxes.0.train.iter().map(|b| &b.seen.fields.dark_matter), 0.05);
    ExpectationConfig {
        width: 64,
        condition: [halo_mass, halo_mass, halo_mass, halo_mass, dark_matter, decades(FAINT)],
        regions: regions(),
        surroundings: SurroundingsTransform {
            // From a halo's own radius to that of a cluster's neighbourhood.
            radii: vec![1.5, 3.0, 6.0],
            density: LogTransform { floor: 0.05, offset: 0.0, scale: 0.5 },
        },
        relation: LocalRelation { hydrogen_fraction: hydrogen_fractions(&boxes.0.train) },
        haloes: boxes.halo_relation(),
    }
}

/// Fit the HI mass per halo mass of each bin to the maps: weighted least squares
/// over blocks of [`BLOCK`]³ voxels, each with the weight of its own and the
/// mean temperature, so that neither the brightest nor the many empty ones rule.
fn hydrogen_fractions(boxes: &[ExpectedBox]) -> [f64; HALO_MASS_BINS] {
    const B: usize = HALO_MASS_BINS;
    let (mut normal, mut right) = ([[0f64; B]; B], [0f64; B]);
    for ExpectedBox { seen: SeenBox { fields, .. }, mean: map, .. } in boxes {
        let scale = fields.cosmology.brightness_temperature_scale(fields.redshift) / crate::field::RHO_CRITICAL;
        let target = block_means(map);
        let maps: [Vec<f64>; B] = std::array::from_fn(|bin| block_means(&fields.halo_mass[bin]));
        let mean = target.iter().sum::<f64>() / target.len() as f64;
        for i in 0..target.len() {
            let weight = 1.0 / (target[i] + mean);
            for a in 0..B {
                let x = scale * maps[a][i];
                right[a] += weight * x * target[i];
                for b in 0..B {
                    normal[a][b] += weight * x * scale * maps[b][i];
                }
            }
        }
    }
    solve_non_negative(normal, right)
}

fn block_means(grid: &Grid) -> Vec<f64> {
    let n = grid.n();
    let block = if n.is_multiple_of(BLOCK) { BLOCK } else { 1 };
    let blocks = n / block;
    let mut means = vec![0.0; blocks.pow(3)];
    for ((x, y, z), &v) in grid.values.indexed_iter() {
        means[((x / block) * blocks + y / block) * blocks + z / block] += f64::from(v) / block.pow(3) as f64;
    }
    means
}

/// The non-negative solution of `A x = b` for a symmetric positive `A`, by
/// cyclic coordinate descent.
fn solve_non_negative<const B: usize>(a: [[f64; B]; B], b: [f64; B]) -> [f64; B] {
    let mut x = [0.0; B];
    for _ in 0..10_000 {
        for i in 0..B {
            if a[i][i] > 0.0 {
                let rest: f64 = (0..B).filter(|&j| j != i).map(|j| a[i][j] * x[j]).sum();
                x[i] = ((b[i] - rest) / a[i][i]).max(0.0);
            }
        }
    }
    x
}

/// A box as the network learns from it, drawn by what the local relation says: every
/// decade of temperature counts, and the few voxels that hold the HI are seen often.
fn prepared(from: &ExpectedBox, config: &ExpectationConfig) -> VoxelBox {
    let ExpectationInput { seen, local, .. } = from.seen.input(config);
    let mean = local.iter().map(|&t| f64::from(t)).sum::<f64>() / local.len() as f64;
    let mut weights = importance(&local);
    weights.iter_mut().zip(&local).for_each(|(weight, t)| *weight += t / (mean as f32).max(f32::MIN_POSITIVE));
    let targets = ChannelField { n: seen.n, values: [&local, from.mean.as_slice()].concat() };
    VoxelBox::new(seen, targets, &weights)
}

/// What the network learns: to expect.
struct Expect<'a> {
    boxes: Split<VoxelBox>,
    /// The box whose map is looked at whole.
    looked_at: Option<&'a ExpectedBox>,
    config: &'a ExpectationConfig,
    /// Mean temperature of the training boxes, mK.
    mean: f64,
    fit: &'a Fit,
}

impl Task<Expectation> for Expect<'_> {
    type Crop = Voxels;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<Voxels> {
        (0..self.fit.batch).map(|_| Voxels::draw(self.boxes.seen(validating), draws)).collect()
    }

    /// The power of the expected map over that of the map without scatter.
    fn power(
        &self,
        expectation: &Expectation,
        device: &Device,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        let Some(from) = self.looked_at else { return Ok(Vec::new()) };
        if !report(0, 1) {
            return Err(Error::Cancelled);
        }
        let values = self.config.run(expectation, &from.seen.input(self.config), device)?;
        let map = Grid::from_values(values, from.mean.box_size);
        Ok(vec![PowerRatio::new("expected 21 cm", &map, std::slice::from_ref(&from.mean), K_MAPS)])
    }

    /// The Poisson deviance `μ − T + T ln(T/μ)` of the expected temperature `μ` in
    /// units of the mean temperature. It is least where `μ` is the mean of `T`, as
    /// a squared error is, and the errors of bright voxels, which scatter in
    /// proportion, do not drown all others.
    fn loss(&self, expectation: &Expectation, voxels: &[Voxels], device: &Device) -> Tensor<1> {
        let [seen, targets, shares] = Voxels::tensors(voxels, device);
        let (local, mean) = (targets.clone().narrow(1, 0, 1), targets.narrow(1, 1, 1));
        let log = expectation.log_temperature(seen, local);
        let known = (mean.clone() + f32::MIN_POSITIVE).log() - 1.0;
        let deviance = log.clone().exp() + mean * (known - log);
        (deviance * shares).mean() / self.mean
    }
}

/// Fit the expected map. It is made from HALO's own maps.
///
/// # Errors
/// Those of the state in `folder`.
pub fn train_expectation(
    boxes: &ExpectationBoxes,
    config: &ExpectationConfig,
    start: Option<Expectation>,
    fit: &Fit,
    device: &Device,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Fitted<Expectation>> {
    let prepare = |boxes: &[ExpectedBox]| boxes.iter().map(|b| prepared(b, config)).collect();
    device.seed(fit.seed);
    let network = start.unwrap_or_else(|| config.init(device));
    let task = Expect {
        boxes: Split { train: prepare(&boxes.0.train), validation: prepare(&boxes.0.validation) },
        looked_at: boxes.0.validation.first(),
        config,
        mean: boxes.0.train.iter().map(|b| b.mean.mean()).sum::<f64>() / boxes.0.train.len() as f64,
        fit,
    };
    descend((network, config), &task, fit, device, folder, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinate_descent_solves_and_stays_non_negative() {
        let a = [[4.0, 1.0], [1.0, 3.0]];
        let x = solve_non_negative(a, [1.0, 2.0]);
        assert!((x[0] - 1.0 / 11.0).abs() < 1e-12 && (x[1] - 7.0 / 11.0).abs() < 1e-12);
        assert_eq!(solve_non_negative(a, [-1.0, 2.0])[0], 0.0);
    }
}

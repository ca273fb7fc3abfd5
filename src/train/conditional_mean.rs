//! How the conditional mean is learned.

use std::path::Path;

use burn::tensor::{Device, Tensor};

use super::boxes::{HaloBox, HaloBoxes};
use super::data::{ChannelField, Draws, Split, TrainingBox};
use super::descent::{Learned, Report, Task, TrainConfig, descend};
use super::halo::features;
use super::power::PowerRatio;
use super::sampling_weight::sampling_weights;
use super::voxels::{VoxelBox, Voxels};
use crate::dataset::Fields;
use crate::device::{ComputeDevice, host};
use crate::error::{Error, Result};
use crate::field::{Grid, HALO_MASS_BINS, LogTransform};
use crate::nn::{ConditionalMean, ConditionalMeanConfig, FeatureConfig, LocalRelation};
use crate::predict::{NoObserver, expected_temperature};
use crate::stats::K_MAPS;

/// Floor of the temperatures that networks see, mK.
const FAINT: f64 = 0.1;
/// A box with a mean temperature below this, mK, is empty, and counts as one with it.
const EMPTY: f64 = 1e-4;
/// Voxels per side of the blocks over which the local relation is fitted.
const BLOCK: usize = 8;

/// The conditional mean as it is trained by default, on the `training` boxes that `boxes` were
/// made of.
///
/// # Errors
/// Those of the device.
pub fn conditional_mean_config(boxes: &HaloBoxes, training: &[TrainingBox]) -> Result<ConditionalMeanConfig> {
    // Decades above a floor, from nothing to a few: standardised by their deviation,
    // maps that are empty nearly everywhere would reach dozens in a halo.
    let decades = |floor: f64| LogTransform { floor, offset: floor.log10(), scale: 1.0 };
    Ok(ConditionalMeanConfig {
        width: 64,
        // A hundredth of the mean matter density, far below any halo's edge.
        halo_mass: decades(1e9),
        temperature: decades(FAINT),
        features: FeatureConfig {
            // From a halo's own radius to that of a cluster's neighbourhood.
            smoothing: vec![1.5, 3.0, 6.0],
            redshift: true,
            ..features(training)
        },
        relation: LocalRelation { hydrogen_fraction: hydrogen_fractions(&boxes.0.train)? },
    })
}

/// Fit the HI mass per halo mass of each bin to the maps: weighted least squares
/// over blocks of [`BLOCK`]³ voxels, each with the weight of its own and the
/// mean temperature, so that neither the brightest nor the many empty ones rule.
fn hydrogen_fractions(boxes: &[HaloBox]) -> Result<[f64; HALO_MASS_BINS]> {
    const B: usize = HALO_MASS_BINS;
    let (mut normal, mut right) = ([[0f64; B]; B], [0f64; B]);
    for HaloBox { fields, halo_mass } in boxes {
        let Fields { dark_matter, brightness_temperature: map, .. } = &**fields;
        let scale = dark_matter.brightness_temperature_scale() / crate::field::RHO_CRITICAL;
        let target = block_means(map.as_slice(), map.n());
        let halo_mass = host(halo_mass.clone())?;
        let maps: Vec<Vec<f64>> = halo_mass.chunks(map.n().pow(3)).map(|m| block_means(m, map.n())).collect();
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
    Ok(solve_non_negative(normal, right))
}

/// Means over blocks of a field of `n³` values.
fn block_means(values: &[f32], n: usize) -> Vec<f64> {
    let block = if n.is_multiple_of(BLOCK) { BLOCK } else { 1 };
    let blocks = n / block;
    let mut means = vec![0.0; blocks.pow(3)];
    for (index, &v) in values.iter().enumerate() {
        let [x, y, z] = [index / (n * n), index / n % n, index % n];
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
/// decade of temperature counts, and the few voxels that hold the HI are seen often. A box counts in
/// units of its mean temperature, or early ones, three times as bright as late ones, would rule: of
/// that of the local relation, as its truth's own would make boxes count less that had luck.
fn prepared(from: &HaloBox, network: &ConditionalMean, device: &ComputeDevice) -> Result<VoxelBox> {
    let HaloBox { fields, halo_mass } = from;
    let Fields { dark_matter, brightness_temperature, .. } = &**fields;
    let scale = dark_matter.brightness_temperature_scale();
    let halo_mass: Tensor<5> = halo_mass.clone().unsqueeze_dim(0);
    let features = network.config().features.on_device(dark_matter, &device.burn);
    let local = network.local(&halo_mass, scale);
    let seen = host(network.seen(halo_mass, local.clone(), features.unsqueeze_dim(0)))?;
    let local = host(local)?;
    let average = local.iter().map(|&t| f64::from(t)).sum::<f64>() / local.len() as f64;
    let mut weights = sampling_weights(&local);
    weights.iter_mut().zip(&local).for_each(|(weight, t)| *weight += t / (average as f32).max(f32::MIN_POSITIVE));
    let n = from.fields.n();
    let targets = ChannelField { n, values: [&local, brightness_temperature.as_slice()].concat() };
    Ok(VoxelBox::new(ChannelField { n, values: seen }, targets, &weights).counting(1.0 / average.max(EMPTY)))
}

/// What the network learns: the mean.
struct LearnMean<'a> {
    boxes: Split<VoxelBox>,
    /// The box whose map is looked at whole.
    looked_at: Option<&'a HaloBox>,
    settings: &'a TrainConfig,
}

impl Task<ConditionalMean> for LearnMean<'_> {
    type Crop = Voxels;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<Voxels> {
        (0..self.settings.batch).map(|_| Voxels::draw(self.boxes.seen(validating), draws)).collect()
    }

    /// The power of the mean map over that of the realisation: `r²` where the mean is right.
    fn power(
        &self,
        network: &ConditionalMean,
        device: &ComputeDevice,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        let Some(from) = self.looked_at else { return Ok(Vec::new()) };
        if !report(0, 1) {
            return Err(Error::Cancelled);
        }
        let HaloBox { fields, halo_mass } = from;
        let Fields { dark_matter, brightness_temperature, .. } = &**fields;
        let values = host(expected_temperature(dark_matter, halo_mass, network, device, &mut NoObserver)?)?;
        let map = Grid::from_values(values, brightness_temperature.box_size);
        Ok(vec![PowerRatio::new("21 cm conditional mean", &map, brightness_temperature, K_MAPS)])
    }

    /// The Poisson deviance `μ − T + T ln(T/μ)` of the expected temperature `μ` in
    /// units of the mean temperature to be expected in each box. It is least where `μ` is the mean of `T`, as
    /// a squared error is, and the errors of bright voxels, which scatter in
    /// proportion, do not drown all others.
    fn loss(&self, network: &ConditionalMean, voxels: &[Voxels], device: &Device) -> Tensor<1> {
        let [seen, targets, shares] = Voxels::tensors(voxels, device);
        let (local, truth) = (targets.clone().narrow(1, 0, 1), targets.narrow(1, 1, 1));
        let log = network.log_temperature(seen, local);
        let known = (truth.clone() + f32::MIN_POSITIVE).log() - 1.0;
        let deviance = log.clone().exp() + truth * (known - log);
        (deviance * shares).mean()
    }
}

/// Train the conditional mean. It is made from HALO's own maps.
///
/// # Errors
/// Those of the device and of the state in `folder`.
pub fn train_conditional_mean(
    boxes: &HaloBoxes,
    network: ConditionalMean,
    settings: &TrainConfig,
    device: &ComputeDevice,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Learned<ConditionalMean>> {
    let prepare = |boxes: &[HaloBox]| boxes.iter().map(|b| prepared(b, &network, device)).collect::<Result<Vec<_>>>();
    let task = LearnMean {
        boxes: Split { train: prepare(&boxes.0.train)?, validation: prepare(&boxes.0.validation)? },
        looked_at: boxes.0.validation.first(),
        settings,
    };
    device.burn.seed(settings.seed);
    descend(network, &task, settings, device, folder, report)
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

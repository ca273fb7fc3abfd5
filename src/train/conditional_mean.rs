//! How the conditional mean is learned.

use std::path::Path;

use burn::tensor::{Device, Tensor};

use super::boxes::{HaloBox, with_halo_maps};
use super::data::{ChannelField, Draws, Split, TrainingBox, ValidationBox};
use super::descent::{Learned, Report, Task, TrainConfig, descend};
use super::halo::features;
use super::power::PowerRatio;
use super::sampling_weight::sampling_weights;
use super::voxels::{VoxelBox, Voxels};
use crate::device::{ComputeDevice, host};
use crate::error::{Error, Result};
use crate::field::{Grid, HALO_MASS_BINS, LogTransform};
use crate::nn::{ConditionalMean, ConditionalMeanConfig, FeatureConfig, Halo, LocalRelation};
use crate::predict::{NoObserver, expected_temperature};
use crate::sim::{HydrogenModel, Painter};
use crate::stats::K_MAPS;

/// Floor of the temperatures that networks see, mK.
const FAINT: f64 = 0.1;
/// Voxels per side of the blocks over which the local relation is fitted.
const BLOCK: usize = 8;

/// A box with HALO's maps of it and its map without scatter.
struct MeanBox {
    seen: HaloBox,
    /// The mean of all realisations of the 21 cm map, mK.
    mean: Grid,
}

/// Boxes that the conditional mean is learned from.
pub struct MeanBoxes(Split<MeanBox>);

impl MeanBoxes {
    /// Run HALO on every box, and paint HI on its haloes without scatter, which is
    /// the mean over all realisations.
    ///
    /// # Errors
    /// Those of HALO and of reading snapshots.
    pub fn new(
        boxes: (&[TrainingBox], &[ValidationBox]),
        halo: &Halo,
        hydrogen: &HydrogenModel,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let Split { train, validation } =
            with_halo_maps(boxes, halo, hydrogen, device, |_, painter: &Painter| painter.mean())?;
        let all = |boxes: Vec<(HaloBox, Grid)>| boxes.into_iter().map(|(seen, mean)| MeanBox { seen, mean }).collect();
        Ok(Self(Split { train: all(train), validation: all(validation) }))
    }
}

/// The conditional mean as it is trained by default, on the `training` boxes that `boxes` were
/// made of.
pub fn conditional_mean_config(boxes: &MeanBoxes, training: &[TrainingBox]) -> ConditionalMeanConfig {
    // Decades above a floor, from nothing to a few: standardised by their deviation,
    // maps that are empty nearly everywhere would reach dozens in a halo.
    let decades = |floor: f64| LogTransform { floor, offset: floor.log10(), scale: 1.0 };
    ConditionalMeanConfig {
        width: 64,
        // A hundredth of the mean matter density, far below any halo's edge.
        halo_mass: decades(1e9),
        temperature: decades(FAINT),
        features: FeatureConfig {
            // From a halo's own radius to that of a cluster's neighbourhood.
            smoothing: vec![1.5, 3.0, 6.0],
            ..features(training)
        },
        relation: LocalRelation { hydrogen_fraction: hydrogen_fractions(&boxes.0.train) },
    }
}

/// Fit the HI mass per halo mass of each bin to the maps: weighted least squares
/// over blocks of [`BLOCK`]³ voxels, each with the weight of its own and the
/// mean temperature, so that neither the brightest nor the many empty ones rule.
fn hydrogen_fractions(boxes: &[MeanBox]) -> [f64; HALO_MASS_BINS] {
    const B: usize = HALO_MASS_BINS;
    let (mut normal, mut right) = ([[0f64; B]; B], [0f64; B]);
    for MeanBox { seen: HaloBox { fields, .. }, mean: map } in boxes {
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
fn prepared(from: &MeanBox, network: &ConditionalMean, device: &ComputeDevice) -> Result<VoxelBox> {
    let MeanBox { seen: HaloBox { dark_matter, halo_mass, .. }, mean } = from;
    let cosmology = &dark_matter.cosmology;
    let scale = cosmology.brightness_temperature_scale(dark_matter.redshift);
    let halo_mass: Tensor<5> = halo_mass.clone().unsqueeze_dim(0);
    let features = network.config().features.on_device(&dark_matter.density, cosmology, &device.burn);
    let local = network.local(&halo_mass, scale);
    let seen = host(network.seen(halo_mass, local.clone(), features.unsqueeze_dim(0)))?;
    let local = host(local)?;
    let average = local.iter().map(|&t| f64::from(t)).sum::<f64>() / local.len() as f64;
    let mut weights = sampling_weights(&local);
    weights.iter_mut().zip(&local).for_each(|(weight, t)| *weight += t / (average as f32).max(f32::MIN_POSITIVE));
    let n = from.seen.n();
    let targets = ChannelField { n, values: [&local, mean.as_slice()].concat() };
    Ok(VoxelBox::new(ChannelField { n, values: seen }, targets, &weights))
}

/// What the network learns: the mean.
struct LearnMean<'a> {
    boxes: Split<VoxelBox>,
    /// The box whose map is looked at whole.
    looked_at: Option<&'a MeanBox>,
    /// Mean temperature of the training boxes, mK.
    average: f64,
    settings: &'a TrainConfig,
}

impl Task<ConditionalMean> for LearnMean<'_> {
    type Crop = Voxels;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<Voxels> {
        (0..self.settings.batch).map(|_| Voxels::draw(self.boxes.seen(validating), draws)).collect()
    }

    /// The power of the mean map over that of the map without scatter.
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
        let HaloBox { dark_matter, halo_mass, .. } = &from.seen;
        let values = host(expected_temperature(dark_matter, halo_mass, network, device, &mut NoObserver)?)?;
        let map = Grid::from_values(values, from.mean.box_size);
        Ok(vec![PowerRatio::new("21 cm conditional mean", &map, std::slice::from_ref(&from.mean), K_MAPS)])
    }

    /// The Poisson deviance `μ − T + T ln(T/μ)` of the expected temperature `μ` in
    /// units of the mean temperature. It is least where `μ` is the mean of `T`, as
    /// a squared error is, and the errors of bright voxels, which scatter in
    /// proportion, do not drown all others.
    fn loss(&self, network: &ConditionalMean, voxels: &[Voxels], device: &Device) -> Tensor<1> {
        let [seen, targets, shares] = Voxels::tensors(voxels, device);
        let (local, mean) = (targets.clone().narrow(1, 0, 1), targets.narrow(1, 1, 1));
        let log = network.log_temperature(seen, local);
        let known = (mean.clone() + f32::MIN_POSITIVE).log() - 1.0;
        let deviance = log.clone().exp() + mean * (known - log);
        (deviance * shares).mean() / self.average
    }
}

/// Train the conditional mean. It is made from HALO's own maps.
///
/// # Errors
/// Those of the device and of the state in `folder`.
pub fn train_conditional_mean(
    boxes: &MeanBoxes,
    network: ConditionalMean,
    settings: &TrainConfig,
    device: &ComputeDevice,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Learned<ConditionalMean>> {
    let prepare = |boxes: &[MeanBox]| boxes.iter().map(|b| prepared(b, &network, device)).collect::<Result<Vec<_>>>();
    let task = LearnMean {
        boxes: Split { train: prepare(&boxes.0.train)?, validation: prepare(&boxes.0.validation)? },
        looked_at: boxes.0.validation.first(),
        average: boxes.0.train.iter().map(|b| b.mean.mean()).sum::<f64>() / boxes.0.train.len() as f64,
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

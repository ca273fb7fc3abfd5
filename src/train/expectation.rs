//! How the expected map is learned.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::boxes::SeenBox;
use super::data::{Draws, Fields, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::halo::EDGE;
use super::importance::{DrawnCrop, Importance};
use super::power::PowerRatio;
use crate::error::{Error, Result};
use crate::evaluate::K_MAPS;
use crate::field::{Grid, LogTransform};
use crate::nn::{
    CONDITION_CHANNELS, Expectation, ExpectationConfig, ExpectationInput, Halo, LocalRelation, Trained, UNetConfig,
};
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::HydrogenModel;

/// Floor of the temperatures that networks see, mK.
const FAINT: f64 = 0.1;
/// Voxels per side of the blocks over which the local relation is fitted.
const BLOCK: usize = 8;

/// A box with HALO's maps of it and its map without scatter.
struct ExpectedBox {
    seen: SeenBox,
    /// The mean of all draws of the 21 cm map, mK.
    mean: Grid,
}

/// Boxes that the expected map is learned from.
pub struct ExpectationBoxes {
    train: Vec<ExpectedBox>,
    validation: Vec<ExpectedBox>,
}

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
        let without_scatter = HydrogenModel { scatter: 0.0, ..*hydrogen };
        // Finding haloes takes longest and one thread.
        let paint = |maps: Result<Vec<Grid>>| maps.map(|mut maps| maps.remove(0));
        let train = train
            .par_iter()
            .map(|b| Ok((b.fields(), paint(b.repaint(&without_scatter, [0]))?)))
            .collect::<Result<Vec<_>>>()?;
        let validation = validation
            .par_iter()
            .map(|b| Ok((b.fields(), paint(b.repaint(&without_scatter, [0]))?)))
            .collect::<Result<Vec<_>>>()?;
        let all = |boxes: Vec<(&Fields, Grid)>| {
            let with_maps = |(fields, mean)| Ok(ExpectedBox { seen: SeenBox::new(fields, halo, device)?, mean });
            boxes.into_iter().map(with_maps).collect::<Result<Vec<_>>>()
        };
        Ok(Self { train: all(train)?, validation: all(validation)? })
    }
}

/// The network of the expected map as it is trained by default.
pub fn expectation_config(boxes: &ExpectationBoxes) -> ExpectationConfig {
    // Decades above a floor, from nothing to a few: standardised by their deviation,
    // maps that are empty nearly everywhere would reach dozens in a halo.
    let decades = |floor: f64| LogTransform { floor, offset: floor.log10(), scale: 1.0 };
    // A hundredth of the mean matter density, far below any halo's edge.
    let halo_mass = decades(1e9);
    let dark_matter = LogTransform::standardised(boxes.train.iter().map(|b| &b.seen.fields.dark_matter), 0.05);
    ExpectationConfig {
        net: UNetConfig::new(CONDITION_CHANNELS, 1, vec![32, 64]),
        tile: 32,
        context: 8,
        condition: [halo_mass, halo_mass, halo_mass, halo_mass, dark_matter, decades(FAINT)],
        relation: LocalRelation { hydrogen_fraction: hydrogen_fractions(&boxes.train) },
    }
}

/// Fit the HI mass per halo mass of each bin to the maps: weighted least squares
/// over blocks of [`BLOCK`]³ voxels, each with the weight of its own and the
/// mean temperature, so that neither the brightest nor the many empty ones rule.
fn hydrogen_fractions(boxes: &[ExpectedBox]) -> [f64; HALO_MASS_BINS] {
    const B: usize = HALO_MASS_BINS;
    let (mut normal, mut right) = ([[0f64; B]; B], [0f64; B]);
    for ExpectedBox { seen: SeenBox { fields, .. }, mean: map } in boxes {
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

/// A box as the network learns from it, `n³` values a field.
struct Prepared {
    input: ExpectationInput,
    /// mK.
    mean: Vec<f32>,
    importance: Importance,
}

impl Prepared {
    fn new(from: &ExpectedBox, config: &ExpectationConfig) -> Self {
        let input = from.seen.input(config);
        let importance = Importance::new(from.seen.n(), &input.local);
        Self { input, mean: from.mean.as_slice().to_vec(), importance }
    }
}

/// What the network learns: to expect.
struct Expect<'a> {
    train: Vec<Prepared>,
    validation: Vec<Prepared>,
    /// The box whose map is looked at whole.
    looked_at: Option<&'a ExpectedBox>,
    config: &'a ExpectationConfig,
    /// Mean temperature of the training boxes, mK.
    mean: f64,
    fit: &'a Fit,
}

/// A crop: what the network sees, the temperature of the local relation, what is to
/// be expected, and what the crop counts.
struct ExpectationCrop {
    condition: Vec<f32>,
    local: Vec<f32>,
    mean: Vec<f32>,
    share: f32,
}

impl Task<Expectation> for Expect<'_> {
    type Crop = ExpectationCrop;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<ExpectationCrop> {
        let boxes = if validating && !self.validation.is_empty() { &self.validation } else { &self.train };
        let (n, side) = (boxes[0].input.condition.n, self.fit.crop);
        let mut cut = |_| {
            let crop = draws.crop(boxes.len(), n);
            let from = &boxes[crop.index];
            let DrawnCrop { crop, oftener, .. } = from.importance.place(crop, side, draws);
            let cut = |fields: &[&[f32]]| {
                let mut values = Vec::with_capacity(fields.len() * side.pow(3));
                crop.cut(fields, n, side, &mut values);
                values
            };
            let condition: Vec<&[f32]> = from.input.condition.values.chunks(n.pow(3)).collect();
            ExpectationCrop {
                condition: cut(&condition),
                local: cut(&[&from.input.local]),
                mean: cut(&[&from.mean]),
                share: 1.0 / oftener,
            }
        };
        (0..self.fit.batch).map(&mut cut).collect()
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
    fn loss(&self, expectation: &Expectation, crops: &[ExpectationCrop], device: &Device) -> Tensor<1> {
        let (count, side) = (crops.len(), self.fit.crop);
        let tensor = |field: fn(&ExpectationCrop) -> &[f32], channels: usize| {
            let values = crops.iter().flat_map(|crop| field(crop).iter().copied()).collect::<Vec<f32>>();
            Tensor::<5>::from_data(TensorData::new(values, [count, channels, side, side, side]), device)
        };
        let log = expectation
            .log_temperature(tensor(|crop| &crop.condition, CONDITION_CHANNELS), tensor(|crop| &crop.local, 1));
        let mean = tensor(|crop| &crop.mean, 1);
        let known = (mean.clone() + f32::MIN_POSITIVE).log() - 1.0;
        let deviance = log.clone().exp() + mean * (known - log);
        let shares: Vec<f32> = crops.iter().map(|crop| crop.share).collect();
        let shares = Tensor::<1>::from_floats(shares.as_slice(), device).reshape([count, 1, 1, 1, 1]);
        // Where the surroundings are cut off, nobody could say what is a halo.
        let inside = EDGE..side - EDGE;
        let kept = deviance.slice([0..count, 0..1, inside.clone(), inside.clone(), inside]);
        (kept * shares).mean() / self.mean
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
    let prepare = |boxes: &[ExpectedBox]| boxes.iter().map(|b| Prepared::new(b, config)).collect();
    device.seed(fit.seed);
    let network = start.unwrap_or_else(|| config.init(device));
    let task = Expect {
        train: prepare(&boxes.train),
        validation: prepare(&boxes.validation),
        looked_at: boxes.validation.first(),
        config,
        mean: boxes.train.iter().map(|b| b.mean.mean()).sum::<f64>() / boxes.train.len() as f64,
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

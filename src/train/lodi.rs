//! How LODI learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use super::data::{Draws, Fields, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::paint::paint;
use super::power::PowerRatio;
use crate::error::Result;
use crate::evaluate::K_MAPS;
use crate::field::{Grid, LogTransform};
use crate::nn::{CONDITION_CHANNELS, Halo, LocalRelation, Lodi, LodiConfig, NoiseSchedule, Trained, UNetConfig};
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::HydrogenModel;
use crate::stitch::{ChannelField, fill_normal};

/// Below this temperature of the local relation, in mK, all voxels count alike.
const FAINT: f32 = 0.1;
/// Fraction of the training set's values, at either end, that lie outside
/// [`LodiConfig::data_range`].
const OUTSIDE: f64 = 1e-6;
/// Seed of the noise from which a validation box is painted, the same each time.
const LOOK_SEED: u64 = 1;
/// Voxels per side of the blocks over which the local relation is fitted.
const BLOCK: usize = 8;

/// A box as LODI learns from it, transformed, `n³` values a field.
struct Prepared {
    n: usize,
    condition: ChannelField,
    /// The data of every painting.
    data: Vec<Vec<f32>>,
    /// How much each voxel counts, one on average.
    weight: Vec<f32>,
    /// Sum of the weights up to and with each voxel.
    cumulative: Vec<f64>,
}

/// A box with HALO's maps of it.
pub(super) struct LodiBox {
    pub fields: Fields,
    /// (M☉/h)/(Mpc/h)³.
    seen: [Grid; HALO_MASS_BINS],
    /// Draws of the 21 cm map, mK.
    pub paintings: Vec<Grid>,
}

/// Boxes with HALO's maps of them.
pub struct LodiBoxes {
    pub(super) train: Vec<LodiBox>,
    pub(super) validation: Vec<LodiBox>,
}

impl LodiBoxes {
    /// Run HALO on every box, and paint HI on its haloes `paintings` times, the
    /// data set's own painting among them.
    ///
    /// # Errors
    /// Those of HALO and of reading snapshots.
    pub fn new(
        train: &[TrainingBox],
        validation: &[ValidationBox],
        halo: &Trained<Halo>,
        hydrogen: &HydrogenModel,
        paintings: usize,
        device: &Device,
    ) -> Result<Self> {
        let with_maps = |fields: &Fields, more: Vec<Grid>| -> Result<LodiBox> {
            let maps = halo.config.run(&halo.network, &fields.dark_matter, &fields.cosmology, device)?;
            let seen = std::array::from_fn(|bin| {
                let mut grid = Grid::zeros(fields.dark_matter.n(), fields.dark_matter.box_size);
                grid.as_slice_mut().copy_from_slice(&maps[bin]);
                grid.map(|v| halo.config.halo_mass[bin].inverse(v))
            });
            let paintings = std::iter::once(fields.brightness_temperature.clone()).chain(more).collect();
            Ok(LodiBox { fields: fields.clone(), seen, paintings })
        };
        // Haloes are numbered by mass: every box needs draws of its own.
        let seeds = |index: usize| (1..paintings as u64).map(move |painting| (painting << 32) + index as u64);
        let train = train
            .iter()
            .enumerate()
            .map(|(index, b)| with_maps(b.fields(), b.repaint(hydrogen, seeds(index))?))
            .collect::<Result<Vec<_>>>()?;
        let validation = validation
            .iter()
            .enumerate()
            .map(|(index, b)| with_maps(b.fields(), b.repaint(hydrogen, seeds(train.len() + index))?))
            .collect::<Result<_>>()?;
        Ok(Self { train, validation })
    }
}

impl LodiBox {
    fn halo_mass(&self) -> [&[f32]; HALO_MASS_BINS] {
        self.seen.each_ref().map(Grid::as_slice)
    }

    /// The local relation's temperature, mK.
    pub fn local(&self, relation: &LocalRelation) -> Vec<f32> {
        let scale = self.fields.cosmology.brightness_temperature_scale(self.fields.redshift);
        relation.temperature(&self.halo_mass(), scale)
    }

    /// LODI's condition, as the network sees it.
    pub fn condition(&self, config: &LodiConfig, local: &[f32]) -> ChannelField {
        let dark_matter = &self.fields.dark_matter;
        config.condition(dark_matter.n(), &self.halo_mass(), dark_matter.as_slice(), local)
    }
}

impl Prepared {
    fn new(from: &LodiBox, config: &LodiConfig) -> Self {
        let local = from.local(&config.relation);
        let data = |painting: &Grid| {
            painting.as_slice().iter().zip(&local).map(|(&t, &local)| config.relation.forward(t, local)).collect()
        };
        let weight = weights(&local);
        let sums = weight.iter().scan(0.0, |sum, &w| {
            *sum += f64::from(w);
            Some(*sum)
        });
        Self {
            n: from.fields.dark_matter.n(),
            condition: from.condition(config, &local),
            data: from.paintings.iter().map(data).collect(),
            cumulative: sums.collect(),
            weight,
        }
    }
}

/// How much each voxel counts in the objective: three quarters of a power of the
/// local relation's temperature, one on average. Nine voxels in ten are empty,
/// and a few thousand of two million hold nearly all the power; with this weight
/// every decade of temperature counts about the same. It depends on nothing but
/// the condition, so it moves the network's attention and not its optimum.
fn weights(local: &[f32]) -> Vec<f32> {
    let raw: Vec<f32> = local.iter().map(|&t| (1.0 + t / FAINT).powf(0.75)).collect();
    let mean = raw.iter().map(|&w| f64::from(w)).sum::<f64>() / raw.len() as f64;
    raw.iter().map(|w| w / mean as f32).collect()
}

/// LODI as it is trained by default.
pub fn lodi_config(boxes: &LodiBoxes) -> LodiConfig {
    let first = &boxes.train[0].fields;
    let mut config = LodiConfig {
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![32, 64]).with_frequencies(8),
        tile: 32,
        voxel: first.dark_matter.voxel(),
        redshift: first.redshift,
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 },
        condition: condition_transforms(boxes),
        relation: LocalRelation::new(hydrogen_fractions(&boxes.train)),
        painting: LocalRelation::new([0.0; HALO_MASS_BINS]),
        data_range: [0.0, 0.0],
    };
    let locals: Vec<Vec<f32>> = boxes.train.iter().map(|b| b.local(&config.relation)).collect();
    let voxels = || {
        boxes.train.iter().zip(&locals).flat_map(|(b, local)| {
            b.paintings.iter().flat_map(|painting| painting.as_slice().iter().copied().zip(local.iter().copied()))
        })
    };
    config.relation.fit(voxels());
    config.painting = config.relation.clone();
    let mut all: Vec<f32> = voxels().map(|(t, local)| config.relation.forward(t, local)).collect();
    let last = all.len() - 1;
    let cut = (all.len() as f64 * OUTSIDE) as usize;
    let mut quantile = |index: usize| *all.select_nth_unstable_by(index, f32::total_cmp).1;
    config.data_range = [quantile(cut), quantile(last - cut)];
    config
}

/// Decades above a floor, from nothing to a few: standardised by their deviation,
/// maps that are empty nearly everywhere would reach dozens in a halo.
fn condition_transforms(boxes: &LodiBoxes) -> [LogTransform; CONDITION_CHANNELS] {
    let decades = |floor: f64| LogTransform { floor, offset: floor.log10(), scale: 1.0 };
    // A hundredth of the mean matter density, far below any halo's edge.
    let halo_mass = decades(1e9);
    let dark_matter = standardised(boxes.train.iter().map(|b| &b.fields.dark_matter), 0.05);
    let local = decades(f64::from(FAINT));
    [halo_mass, halo_mass, halo_mass, halo_mass, dark_matter, local]
}

/// Fit the HI mass per halo mass of each bin to the maps: weighted least squares
/// over blocks of [`BLOCK`]³ voxels, each with the weight of its own and the
/// mean temperature, so that neither the brightest nor the many empty ones rule.
fn hydrogen_fractions(boxes: &[LodiBox]) -> [f64; HALO_MASS_BINS] {
    const B: usize = HALO_MASS_BINS;
    let (mut normal, mut right) = ([[0f64; B]; B], [0f64; B]);
    for LodiBox { fields, paintings, .. } in boxes {
        let scale = fields.cosmology.brightness_temperature_scale(fields.redshift) / crate::field::RHO_CRITICAL;
        let mut target = vec![0.0; block_means(&paintings[0]).len()];
        for painting in paintings {
            let share = 1.0 / paintings.len() as f64;
            target.iter_mut().zip(block_means(painting)).for_each(|(t, v)| *t += share * v);
        }
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

/// What LODI learns: to undo noise.
struct UndoNoise<'a> {
    train: Vec<Prepared>,
    validation: Vec<Prepared>,
    /// The box that is painted whole for a look at its power.
    looked_at: Option<&'a LodiBox>,
    config: &'a LodiConfig,
    fit: &'a Fit,
}

/// A crop of LODI's: the data, the condition, the weight of each voxel, the
/// noise and the time it is at.
struct LodiCrop {
    data: Vec<f32>,
    condition: Vec<f32>,
    weight: Vec<f32>,
    noise: Vec<f32>,
    time: f64,
}

impl UndoNoise<'_> {
    /// A crop of a box of `boxes` at `time`. Half of them are placed anywhere,
    /// half so that they hold a voxel drawn by its weight; a crop is then drawn
    /// `(1 + w̄)/2` times as often as by chance, `w̄` the mean of its weights, and
    /// counts that much less. The objective stays what it is, and the few crops
    /// that hold most of it are not left to luck.
    fn crop(&self, boxes: &[Prepared], draws: &mut Draws, time: f64) -> LodiCrop {
        let side = self.config.tile;
        let mut crop = draws.crop(boxes.len(), boxes[0].n);
        let from = &boxes[crop.index];
        let [which, painting, high, low] = draws.words();
        if which & 1 == 0 {
            let total = from.cumulative.last().copied().unwrap_or_default();
            let part = (f64::from(high) + f64::from(low) / 4_294_967_296.0) / 4_294_967_296.0;
            let voxel = from.cumulative.partition_point(|&sum| sum <= part * total).min(from.cumulative.len() - 1);
            let place = draws.words();
            crop.hold([voxel / from.n / from.n, voxel / from.n % from.n, voxel % from.n], from.n, side, place);
        }
        let painting = (u64::from(painting) * from.data.len() as u64) >> 32;
        let cut = |fields: &[&[f32]]| {
            let mut values = Vec::with_capacity(fields.len() * side.pow(3));
            crop.cut(fields, from.n, side, &mut values);
            values
        };
        let condition: Vec<&[f32]> = from.condition.values.chunks(from.n.pow(3)).collect();
        let mut weight = cut(&[&from.weight]);
        let oftener = 0.5 + 0.5 * weight.iter().sum::<f32>() / weight.len() as f32;
        weight.iter_mut().for_each(|w| *w /= oftener);
        let mut noise = vec![0f32; side.pow(3)];
        fill_normal(&mut noise, self.fit.seed, draws.stream());
        LodiCrop { data: cut(&[&from.data[painting as usize]]), condition: cut(&condition), weight, noise, time }
    }
}

impl Task<Lodi> for UndoNoise<'_> {
    type Crop = LodiCrop;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<LodiCrop> {
        let boxes = if validating && !self.validation.is_empty() { &self.validation } else { &self.train };
        let count = self.fit.batch;
        // Antithetic times cover [0, 1] evenly in every batch (Kingma et al. 2021).
        let first = f64::from(draws.words()[0]) / 4_294_967_296.0;
        (0..count).map(|index| self.crop(boxes, draws, (first + index as f64 / count as f64).fract())).collect()
    }

    /// The power of the box as it is painted over the mean of its draws'.
    fn power(
        &self,
        lodi: &Lodi,
        device: &Device,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        let Some(from) = self.looked_at else { return Ok(Vec::new()) };
        let painted = paint(from, (lodi, self.config), self.fit.power_steps, LOOK_SEED, device, report)?;
        let local = from.local(&self.config.relation);
        let mut map = from.fields.brightness_temperature.clone();
        for ((to, x), local) in map.as_slice_mut().iter_mut().zip(painted).zip(local) {
            *to = self.config.relation.inverse(x, local);
        }
        Ok(vec![PowerRatio::new("21 cm", &map, &from.paintings, K_MAPS)])
    }

    fn loss(&self, lodi: &Lodi, crops: &[LodiCrop], device: &Device) -> Tensor<1> {
        let side = self.config.tile;
        let tensor = |field: fn(&LodiCrop) -> &[f32], channels: usize| {
            let values = crops.iter().flat_map(|crop| field(crop).iter().copied()).collect::<Vec<f32>>();
            Tensor::<5>::from_data(TensorData::new(values, [crops.len(), channels, side, side, side]), device)
        };
        let times: Vec<f64> = crops.iter().map(|crop| crop.time).collect();
        let data = tensor(|crop| &crop.data, 1);
        let condition = tensor(|crop| &crop.condition, CONDITION_CHANNELS);
        let noise = tensor(|crop| &crop.noise, 1);
        let weight = tensor(|crop| &crop.weight, 1);
        lodi.loss(data, condition, noise, weight, &times, &self.config.schedule).objective
    }
}

/// Fit LODI. Its condition is HALO's own maps, which is what it will paint from.
/// `start` is where to begin; `None` is a network with fresh weights.
///
/// # Errors
/// Those of the state in `folder`.
pub fn train_lodi(
    boxes: &LodiBoxes,
    config: &LodiConfig,
    start: Option<Lodi>,
    fit: &Fit,
    device: &Device,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Fitted<Lodi>> {
    let train = boxes.train.iter().map(|b| Prepared::new(b, config)).collect();
    let validation = boxes.validation.iter().map(|b| Prepared::new(b, config)).collect();
    device.seed(fit.seed);
    let network = start.unwrap_or_else(|| config.init(device));
    let task = UndoNoise { train, validation, looked_at: boxes.validation.first(), config, fit };
    descend((network, config), &task, fit, device, folder, report)
}

/// The logarithm above `floor` with the training set's mean and deviation
/// taken out.
pub(super) fn standardised<'a>(fields: impl Iterator<Item = &'a Grid>, floor: f64) -> LogTransform {
    let plain = LogTransform::above(floor);
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for field in fields {
        for &v in field.as_slice() {
            let y = f64::from(plain.forward(v));
            (count, sum, squares) = (count + 1.0, sum + y, squares + y * y);
        }
    }
    let offset = sum / count;
    LogTransform { floor, offset, scale: (squares / count - offset * offset).sqrt().max(1e-3) }
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

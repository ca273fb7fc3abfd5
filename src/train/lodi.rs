//! How LODI learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::boxes::SeenBox;
use super::data::{Draws, Fields, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::importance::{DrawnCrop, Importance};
use super::paint::paint;
use super::power::PowerRatio;
use crate::error::Result;
use crate::evaluate::K_MAPS;
use crate::field::Grid;
use crate::nn::{
    CONDITION_CHANNELS, Departure, Expectation, Halo, Lodi, LodiConfig, NoiseSchedule, Trained, UNetConfig,
};
use crate::sim::HydrogenModel;
use crate::stitch::{ChannelField, fill_normal};

/// Fraction of the training set's values, at either end, that lie outside
/// [`LodiConfig::data_range`].
const OUTSIDE: f64 = 1e-6;
/// Seed of the noise from which a validation box is painted, the same each time.
const LOOK_SEED: u64 = 1;

/// A box as LODI learns from it, transformed, `n³` values a field.
struct Prepared {
    condition: ChannelField,
    /// The data of every painting.
    data: Vec<Vec<f32>>,
    importance: Importance,
}

/// A box with the maps that LODI sees, the expected one among them.
pub(super) struct LodiBox {
    pub seen: SeenBox,
    /// The expected map, mK.
    pub expected: Vec<f32>,
    /// Draws of the 21 cm map, mK.
    pub paintings: Vec<Grid>,
}

/// Boxes that LODI learns from and is selected by.
pub struct LodiBoxes {
    pub(super) train: Vec<LodiBox>,
    pub(super) validation: Vec<LodiBox>,
}

impl LodiBoxes {
    /// Run HALO and the expectation on every box, and paint HI on its haloes
    /// `paintings` times, the data set's own painting among them.
    ///
    /// # Errors
    /// Those of the networks and of reading snapshots.
    pub fn new(
        (train, validation): (&[TrainingBox], &[ValidationBox]),
        halo: &Trained<Halo>,
        expectation: &Trained<Expectation>,
        hydrogen: &HydrogenModel,
        paintings: usize,
        device: &Device,
    ) -> Result<Self> {
        let with_maps = |fields: &Fields, more: Vec<Grid>| -> Result<LodiBox> {
            let seen = SeenBox::new(fields, halo, device)?;
            let input = seen.input(&expectation.config);
            let expected = expectation.config.run(&expectation.network, &input, device)?;
            let paintings = std::iter::once(fields.brightness_temperature.clone()).chain(more).collect();
            Ok(LodiBox { seen, expected, paintings })
        };
        // Haloes are numbered by mass: every box needs draws of its own.
        let seeds = |index: usize| (1..paintings as u64).map(move |painting| (painting << 32) + index as u64);
        // Finding haloes takes longest and one thread.
        let train = train
            .par_iter()
            .enumerate()
            .map(|(index, b)| Ok((b.fields(), b.repaint(hydrogen, seeds(index))?)))
            .collect::<Result<Vec<_>>>()?;
        let validation = validation
            .par_iter()
            .enumerate()
            .map(|(index, b)| Ok((b.fields(), b.repaint(hydrogen, seeds(train.len() + index))?)))
            .collect::<Result<Vec<_>>>()?;
        let all = |boxes: Vec<(&Fields, Vec<Grid>)>| {
            boxes.into_iter().map(|(fields, more)| with_maps(fields, more)).collect::<Result<Vec<_>>>()
        };
        Ok(Self { train: all(train)?, validation: all(validation)? })
    }
}

impl LodiBox {
    /// LODI's condition, as the network sees it.
    pub fn condition(&self, config: &LodiConfig) -> ChannelField {
        let dark_matter = self.seen.fields.dark_matter.as_slice();
        config.condition(self.seen.n(), &self.seen.halo_mass(), dark_matter, &self.expected)
    }

    /// The map in mK of painted data.
    fn map(&self, data: &[f32], departure: &Departure) -> Grid {
        let values = data.iter().zip(&self.expected).map(|(&x, &expected)| departure.inverse(x, expected));
        Grid::from_values(values.collect(), self.seen.fields.dark_matter.box_size)
    }
}

impl Prepared {
    fn new(from: &LodiBox, config: &LodiConfig) -> Self {
        let data = |painting: &Grid| {
            let pairs = painting.as_slice().iter().zip(&from.expected);
            pairs.map(|(&t, &expected)| config.departure.forward(t, expected)).collect()
        };
        Self {
            condition: from.condition(config),
            data: from.paintings.iter().map(data).collect(),
            importance: Importance::new(from.seen.n(), &from.expected),
        }
    }
}

/// LODI as it is trained by default, behind an expectation.
pub fn lodi_config(boxes: &LodiBoxes, expectation: &Trained<Expectation>) -> LodiConfig {
    let first = &boxes.train[0].seen.fields;
    let voxels = || {
        boxes.train.iter().flat_map(|b| {
            b.paintings.iter().flat_map(|painting| painting.as_slice().iter().copied().zip(b.expected.iter().copied()))
        })
    };
    let mut departure = Departure::default();
    departure.fit(voxels());
    let mut all: Vec<f32> = voxels().map(|(t, expected)| departure.forward(t, expected)).collect();
    let last = all.len() - 1;
    let cut = (all.len() as f64 * OUTSIDE) as usize;
    let mut quantile = |index: usize| *all.select_nth_unstable_by(index, f32::total_cmp).1;
    LodiConfig {
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![32, 64]).with_frequencies(8),
        tile: 32,
        voxel: first.dark_matter.voxel(),
        redshift: first.redshift,
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 },
        expectation: expectation.config.clone(),
        painting: departure.clone(),
        data_range: [quantile(cut), quantile(last - cut)],
        departure,
    }
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
    /// A crop of a box of `boxes` at `time`.
    fn crop(&self, boxes: &[Prepared], draws: &mut Draws, time: f64) -> LodiCrop {
        let (n, side) = (boxes[0].condition.n, self.config.tile);
        let crop = draws.crop(boxes.len(), n);
        let from = &boxes[crop.index];
        let painting = (u64::from(draws.words()[0]) * from.data.len() as u64) >> 32;
        let DrawnCrop { crop, mut weight, oftener } = from.importance.place(crop, side, draws);
        weight.iter_mut().for_each(|w| *w /= oftener);
        let cut = |fields: &[&[f32]]| {
            let mut values = Vec::with_capacity(fields.len() * side.pow(3));
            crop.cut(fields, n, side, &mut values);
            values
        };
        let condition: Vec<&[f32]> = from.condition.values.chunks(n.pow(3)).collect();
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
        let map = from.map(&painted, &self.config.departure);
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

/// Fit LODI's denoiser behind an expectation, which stays as it is. Its condition is
/// HALO's own maps, which is what it will paint from. `start` is where to begin;
/// `None` is a denoiser with fresh weights.
///
/// # Errors
/// Those of the state in `folder`.
pub fn train_lodi(
    boxes: &LodiBoxes,
    config: &LodiConfig,
    (expectation, start): (&Expectation, Option<Lodi>),
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
    let mut fitted = descend((network, config), &task, fit, device, folder, report)?;
    // That of the state may be an earlier one.
    fitted.network.expectation = expectation.clone();
    Ok(fitted)
}

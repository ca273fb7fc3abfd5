//! How LODI learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::boxes::SeenBox;
use super::data::{Draws, Fields, Split, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::importance::{DrawnCrop, Importance};
use super::paint::paint;
use super::power::PowerRatio;
use crate::error::Result;
use crate::evaluate::K_MAPS;
use crate::field::Grid;
use crate::nn::{
    Anchor, CONDITION_CHANNELS, Correction, Departure, Expectation, Halo, Lodi, LodiConfig, NoiseSchedule, Trained,
    UNetConfig,
};
use crate::sim::HydrogenModel;
use crate::stitch::{ChannelField, Colouring, NoiseColour, below, gather};

/// Fraction of the training set's values, at either end, that lie outside
/// [`LodiConfig::data_range`].
const OUTSIDE: f64 = 1e-6;
/// How `x` itself is correlated where more than 10 mK are expected: neighbours
/// with 0.75 (0.87 above 100 mK), voxels two apart with 0.40 (0.56), three with 0.29
/// (0.37), in five boxes.
const COLOUR: NoiseColour = NoiseColour { smooth: 0.9, radius: 1.2 };
/// Voxels around a crop in which its noise is made, so that what enters at one face
/// has not left at the other.
const MARGIN: usize = 4;
/// `γ` between which it is decided what is painted: above, noise hides all scatter of HI
/// about halo mass; below, all is plain.
const DECIDED: [f64; 2] = [-3.0, 4.0];
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
pub struct LodiBoxes(pub(super) Split<LodiBox>);

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
        // Finding haloes takes longest and one thread.
        let train = train
            .par_iter()
            .enumerate()
            .map(|(index, b)| Ok((b.fields(), b.painter(hydrogen)?.further_draws(index, paintings.saturating_sub(1)))))
            .collect::<Result<Vec<_>>>()?;
        let validation = validation
            .par_iter()
            .enumerate()
            .map(|(index, b)| {
                Ok((b.fields(), b.painter(hydrogen)?.further_draws(train.len() + index, paintings.saturating_sub(1))))
            })
            .collect::<Result<Vec<_>>>()?;
        let all = |boxes: Vec<(&Fields, Vec<Grid>)>| {
            boxes.into_iter().map(|(fields, more)| with_maps(fields, more)).collect::<Result<Vec<_>>>()
        };
        Ok(Self(Split { train: all(train)?, validation: all(validation)? }))
    }
}

impl LodiBox {
    /// LODI's condition, as the network sees it.
    pub fn condition(&self, config: &LodiConfig) -> ChannelField {
        let dark_matter = self.seen.fields.dark_matter.as_slice();
        config.condition(self.seen.n(), &self.seen.halo_mass(), dark_matter, &self.expected)
    }

    /// The diffusion's data of a painting.
    pub fn data(&self, painting: usize, config: &LodiConfig) -> Vec<f32> {
        config.departure.data(self.paintings[painting].as_slice(), &self.expected)
    }

    /// What holds painted maps at the expected one.
    fn anchor(&self) -> Anchor {
        Anchor::new(Grid::from_values(self.expected.clone(), self.seen.fields.dark_matter.box_size))
    }
}

impl Prepared {
    fn new(from: &LodiBox, config: &LodiConfig) -> Self {
        Self {
            condition: from.condition(config),
            data: (0..from.paintings.len()).map(|painting| from.data(painting, config)).collect(),
            importance: Importance::new(from.seen.n(), &from.expected),
        }
    }
}

/// LODI as it is trained by default, behind an expectation.
pub fn lodi_config(boxes: &LodiBoxes, expectation: &Trained<Expectation>) -> LodiConfig {
    let first = &boxes.0.train[0].seen.fields;
    let voxels = || {
        boxes.0.train.iter().flat_map(|b| {
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
        noise: COLOUR,
        expectation: expectation.config.clone(),
        correction: Correction::default(),
        data_range: [quantile(cut), quantile(last - cut)],
        departure,
    }
}

/// What LODI learns: to undo noise.
struct UndoNoise<'a> {
    boxes: Split<Prepared>,
    /// The box that is painted whole for a look at its power.
    looked_at: Option<&'a LodiBox>,
    config: &'a LodiConfig,
    /// Of the noise of a crop and its margin.
    colouring: Colouring,
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
        let painting = below(from.data.len(), draws.words()[0]);
        let DrawnCrop { crop, mut weight, oftener } = from.importance.place(crop, side, draws);
        weight.iter_mut().for_each(|w| *w /= oftener);
        let cut = |fields: &[&[f32]]| {
            let mut values = Vec::with_capacity(fields.len() * side.pow(3));
            crop.cut(fields, n, side, &mut values);
            values
        };
        let condition: Vec<&[f32]> = from.condition.each().collect();
        let around = self.colouring.draw(self.fit.seed, draws.stream());
        let mut noise = Vec::with_capacity(side.pow(3));
        gather(&around, side + 2 * MARGIN, [MARGIN; 3], side, &mut noise);
        LodiCrop { data: cut(&[&from.data[painting]]), condition: cut(&condition), weight, noise, time }
    }
}

impl Task<Lodi> for UndoNoise<'_> {
    type Crop = LodiCrop;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<LodiCrop> {
        let boxes = self.boxes.seen(validating);
        let count = self.fit.batch;
        // Antithetic times cover [0, 1] evenly in every batch (Kingma et al. 2021).
        let first = f64::from(draws.words()[0]) / 4_294_967_296.0;
        let time = |index: usize| time(&self.config.schedule, (first + index as f64 / count as f64).fract());
        (0..count).map(|index| self.crop(boxes, draws, time(index))).collect()
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
        let map = self.config.brightness_temperature(&painted, &from.anchor());
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
        lodi.loss(data, condition, noise, weight, &times, &self.config.schedule)
    }
}

/// A time of `schedule` for a number that is uniform in `[0, 1]`: half of all times lie
/// where it is [decided](DECIDED) what is painted, the others anywhere.
fn time(schedule: &NoiseSchedule, uniform: f64) -> f64 {
    let [from, to] = DECIDED.map(|gamma| schedule.position(gamma).clamp(0.0, 1.0));
    // The inverse of the cumulative distribution is three straight lines.
    let within = 0.5 + 0.5 * (to - from);
    if uniform < 0.5 * from {
        2.0 * uniform
    } else if uniform < 0.5 * from + within {
        from + (uniform - 0.5 * from) * (to - from) / within
    } else {
        1.0 - 2.0 * (1.0 - uniform)
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
    let train = boxes.0.train.iter().map(|b| Prepared::new(b, config)).collect();
    let validation = boxes.0.validation.iter().map(|b| Prepared::new(b, config)).collect();
    device.seed(fit.seed);
    let network = start.unwrap_or_else(|| config.init(device));
    let colouring = Colouring::new(config.noise, config.tile + 2 * MARGIN);
    let task =
        UndoNoise { boxes: Split { train, validation }, looked_at: boxes.0.validation.first(), config, colouring, fit };
    let mut fitted = descend((network, config), &task, fit, device, folder, report)?;
    // That of the state may be an earlier one.
    fitted.network.expectation = expectation.clone();
    Ok(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dense_where_it_is_decided_what_is_painted() {
        let schedule = NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 };
        let times: Vec<f64> = (0..=1000).map(|i| time(&schedule, f64::from(i) / 1000.0)).collect();
        assert!(times[0] == 0.0 && times[1000] == 1.0 && times.is_sorted());
        let decided = times.iter().filter(|&&t| (DECIDED[0]..DECIDED[1]).contains(&schedule.gamma(t))).count();
        // Half of all, and of the other half as much as the interval has of the schedule.
        let expected = 0.5 + 0.5 * (DECIDED[1] - DECIDED[0]) / schedule.slope();
        assert!((decided as f64 / 1001.0 - expected).abs() < 0.01, "{decided} of 1001");
    }
}

//! How LODI's denoiser learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use super::boxes::{HaloBox, HaloBoxes};
use super::calibrate::calibrate;
use super::data::{ChannelField, Draws, Split};
use super::descent::{Learned, Report, Task, TrainConfig, descend};
use super::power::PowerRatio;
use super::sampling_weight::{DrawnCrop, SamplingWeights};
use crate::device::{ComputeDevice, host};
use crate::error::{Error, Result};
use crate::field::{CorrelatedNoise, Grid, HALO_MASS_BINS, LogTransform, NoiseCorrelation, TileBox};
use crate::nn::{
    CONDITION_CHANNELS, Calibration, ConditionalMean, Lodi, LodiConfig, NoiseSchedule, Residual, TrainingRange,
    UNetConfig,
};
use crate::predict::{Condition, NoObserver, Observer, Settings, Stage, expected_temperature, paint};
use crate::stats::K_MAPS;
use crate::stitch::gather;

/// Fraction of the training set's values, at either end, that lie outside
/// [`LodiConfig::data_range`].
const OUTSIDE: f64 = 1e-6;
/// How `x` itself is correlated where more than 10 mK are expected: neighbours
/// with 0.75 (0.87 above 100 mK), voxels two apart with 0.40 (0.56), three with 0.29
/// (0.37), in five boxes.
const CORRELATION: NoiseCorrelation = NoiseCorrelation { smooth: 0.9, radius: 1.2 };
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
    data: Vec<f32>,
    weights: SamplingWeights,
}

/// A box with the maps that LODI sees, the conditional mean among them.
pub(super) struct LodiBox {
    pub seen: HaloBox,
    /// The conditional mean on the device, mK, and on the host.
    mean: (Tensor<3>, Grid),
}

/// Boxes that LODI learns from and is selected by.
pub struct LodiBoxes(pub(super) Split<LodiBox>);

impl LodiBoxes {
    /// Find the conditional mean of every box.
    ///
    /// # Errors
    /// Those of the network.
    pub fn new(boxes: &HaloBoxes, mean: &ConditionalMean, device: &ComputeDevice) -> Result<Self> {
        let all = |boxes: &[HaloBox]| -> Result<Vec<LodiBox>> {
            let with_mean = |seen: &HaloBox| {
                let dark_matter = &seen.fields.dark_matter;
                let expected = expected_temperature(dark_matter, &seen.halo_mass, mean, device, &mut NoObserver)?;
                let on_host = Grid::from_values(host(expected.clone())?, dark_matter.density.box_size);
                Ok(LodiBox { seen: seen.clone(), mean: (expected, on_host) })
            };
            boxes.iter().map(with_mean).collect()
        };
        Ok(Self(Split { train: all(&boxes.0.train)?, validation: all(&boxes.0.validation)? }))
    }
}

impl LodiBox {
    /// The conditional mean, mK.
    pub fn mean(&self) -> &Grid {
        &self.mean.1
    }

    /// What `lodi` paints from.
    pub fn condition(&self, lodi: &Lodi, device: &ComputeDevice) -> Result<Condition> {
        let HaloBox { fields, halo_mass } = &self.seen;
        Condition::new(&fields.dark_matter, halo_mass.clone(), self.mean.0.clone(), lodi, device)
    }

    /// The diffusion's data.
    pub fn data(&self, config: &LodiConfig) -> Vec<f32> {
        config.residual.data(self.seen.fields.brightness_temperature.as_slice(), self.mean().as_slice())
    }

    fn prepared(&self, lodi: &Lodi, device: &ComputeDevice) -> Result<Prepared> {
        Ok(Prepared {
            condition: ChannelField { n: self.seen.fields.n(), values: self.condition(lodi, device)?.channels()? },
            data: self.data(lodi.config()),
            weights: SamplingWeights::new(self.seen.fields.n(), self.mean().as_slice()),
        })
    }
}

/// LODI as it is trained by default, behind a conditional mean.
pub fn lodi_config(boxes: &LodiBoxes, mean: &ConditionalMean) -> LodiConfig {
    let voxels = || {
        boxes.0.train.iter().flat_map(|b| {
            let truth = b.seen.fields.brightness_temperature.as_slice();
            truth.iter().copied().zip(b.mean().as_slice().iter().copied())
        })
    };
    let mut residual = Residual::default();
    residual.fit(voxels());
    let mut all: Vec<f32> = voxels().map(|(t, expected)| residual.forward(t, expected)).collect();
    let last = all.len() - 1;
    let cut = (all.len() as f64 * OUTSIDE) as usize;
    let mut quantile = |index: usize| *all.select_nth_unstable_by(index, f32::total_cmp).1;
    let of_mean = mean.config();
    let condition: [LogTransform; CONDITION_CHANNELS] = std::array::from_fn(|channel| match channel {
        0..HALO_MASS_BINS => of_mean.halo_mass,
        HALO_MASS_BINS => of_mean.features.dark_matter,
        _ => of_mean.temperature,
    });
    LodiConfig {
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![32, 64]).with_frequencies(8),
        tile: 32,
        trained_on: TrainingRange::of(boxes.0.train.iter().map(|b| &b.seen.fields.dark_matter)),
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 },
        noise: CORRELATION,
        condition,
        conditional_mean: of_mean.clone(),
        calibration: Calibration::default(),
        data_range: [quantile(cut), quantile(last - cut)],
        residual,
    }
}

/// What LODI learns: to undo noise.
struct UndoNoise<'a> {
    boxes: Split<Prepared>,
    /// The box that is painted whole for a look at its power.
    looked_at: Option<&'a LodiBox>,
    config: &'a LodiConfig,
    /// Of a crop and its margin.
    noise: CorrelatedNoise,
    settings: &'a TrainConfig,
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
        let DrawnCrop { crop, mut weight, sampling_ratio } = from.weights.place(crop, side, draws);
        weight.iter_mut().for_each(|w| *w /= sampling_ratio);
        let cut = |fields: &[&[f32]]| {
            let mut values = Vec::with_capacity(fields.len() * side.pow(3));
            crop.cut(fields, n, side, &mut values);
            values
        };
        let condition: Vec<&[f32]> = from.condition.each().collect();
        let around = self.noise.draw(self.settings.seed, draws.stream());
        let mut noise = Vec::with_capacity(side.pow(3));
        gather(&around, side + 2 * MARGIN, [MARGIN; 3], side, &mut noise);
        LodiCrop { data: cut(&[&from.data]), condition: cut(&condition), weight, noise, time }
    }
}

impl Task<Lodi> for UndoNoise<'_> {
    type Crop = LodiCrop;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<LodiCrop> {
        let boxes = self.boxes.seen(validating);
        let count = self.settings.batch;
        // Antithetic times cover [0, 1] evenly in every batch (Kingma et al. 2021).
        let first = f64::from(draws.words()[0]) / 4_294_967_296.0;
        let time = |index: usize| time(&self.config.schedule, (first + index as f64 / count as f64).fract());
        (0..count).map(|index| self.crop(boxes, draws, time(index))).collect()
    }

    /// The power of the box as it is painted over that of its truth.
    fn power(
        &self,
        lodi: &Lodi,
        device: &ComputeDevice,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        let Some(from) = self.looked_at else { return Ok(Vec::new()) };
        let settings = Settings { steps: self.settings.power_steps, seed: LOOK_SEED, ..Settings::default() };
        let condition = from.condition(lodi, device)?;
        let map = paint(&condition, lodi, device, &settings, &mut Reporting { report, done: 0, all: 0 })?;
        Ok(vec![PowerRatio::new("21 cm", &map, &from.seen.fields.brightness_temperature, K_MAPS)])
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
        lodi.loss(data, condition, noise, weight, &times)
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

/// Tells the report of a training how far a painting is.
struct Reporting<'a> {
    report: &'a mut dyn FnMut(usize, usize) -> bool,
    done: usize,
    all: usize,
}

impl Observer for Reporting<'_> {
    fn begin(&mut self, _: Stage, tiles: usize, steps: usize) -> Result<()> {
        self.all = tiles * steps;
        Ok(())
    }

    fn working_on(&mut self, tiles: &[TileBox]) -> Result<()> {
        let go_on = (self.report)(self.done, self.all);
        self.done += tiles.len();
        if go_on { Ok(()) } else { Err(Error::Cancelled) }
    }
}

/// Train LODI's denoiser behind its conditional mean, which stays as it is, and calibrate it.
/// Its condition is HALO's own maps, which is what it will paint from.
///
/// # Errors
/// Those of the device and of the state in `folder`.
pub fn train_lodi(
    boxes: &LodiBoxes,
    lodi: Lodi,
    settings: &TrainConfig,
    device: &ComputeDevice,
    folder: &Path,
    mut report: impl FnMut(Report) -> bool,
) -> Result<Learned<Lodi>> {
    let prepare = |boxes: &[LodiBox]| boxes.iter().map(|b| b.prepared(&lodi, device)).collect::<Result<Vec<_>>>();
    // Calibrated boxes would tell the denoiser to leave its errors alone.
    let config = LodiConfig { calibration: Calibration::default(), ..lodi.config().clone() };
    let mean = lodi.conditional_mean().clone();
    let task = UndoNoise {
        boxes: Split { train: prepare(&boxes.0.train)?, validation: prepare(&boxes.0.validation)? },
        looked_at: boxes.0.validation.first(),
        config: &config,
        noise: CorrelatedNoise::new(config.noise, config.tile + 2 * MARGIN),
        settings,
    };
    device.burn.seed(settings.seed);
    let learned = descend(lodi.behind(mean.clone(), config.clone()), &task, settings, device, folder, &mut report)?;
    // The state that was taken up may be of a training behind another conditional mean.
    let learned = Learned { network: learned.network.behind(mean.clone(), config.clone()), ..learned };
    if settings.calibration_boxes == 0 {
        return Ok(learned);
    }
    let mut now = learned.last_report(settings);
    let calibration = calibrate(boxes, settings.calibration_boxes, &learned.network, device, |done, all| {
        now.looking = Some([done, all]);
        report(now)
    });
    let calibration = match calibration {
        // Stopped: what was learned is kept as it is.
        Err(Error::Cancelled) => Calibration::default(),
        calibration => calibration?,
    };
    let network = learned.network.behind(mean, LodiConfig { calibration, ..config.clone() });
    Ok(Learned { network, ..learned })
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

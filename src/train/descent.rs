//! The descent that both networks share.

use std::path::Path;
use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::data::Draws;
use super::power::{PowerPoint, PowerRatio};
use super::state::{CurvePoint, Progress, State, Weights, least_validation};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::nn::Network;

/// Seconds between two savings of a training's state.
const SAVE_EVERY: f64 = 120.0;
/// Seed of the crops of the validation boxes, the same for every training.
const VALIDATION_SEED: u64 = 0x5eed;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Optimiser steps; 0 to learn nothing, and only set right what is there.
    pub steps: usize,
    /// Crops per step.
    pub batch: usize,
    /// Voxels per side of a crop of HALO, its context included (LODI's crops are
    /// its tiles).
    pub crop: usize,
    /// Peak learning rate, reached after `warmup` steps and brought to zero by a
    /// cosine.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Largest norm of a parameter's gradient.
    pub clip: f32,
    /// Decay of the moving average of the weights per step; it is the average
    /// that is kept.
    pub ema_decay: f64,
    /// Steps between two looks at the validation boxes.
    pub validate_every: usize,
    /// Crops of a look at the validation boxes; the same each time.
    pub validation_crops: usize,
    /// Steps between two looks at the power of a validation box; 0 for one at the
    /// end.
    pub power_every: usize,
    /// Denoising steps with which LODI paints the box for that.
    pub power_steps: usize,
    /// Validation boxes (training boxes where there are none) that the network runs
    /// on at the end, to be set right by.
    pub calibration_boxes: usize,
    /// Seed of weights, crops and noise.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            steps: 2000,
            batch: 2,
            crop: 48,
            learning_rate: 2e-3,
            warmup: 100,
            weight_decay: 1e-4,
            clip: 1.0,
            ema_decay: 0.995,
            validate_every: 100,
            validation_crops: 16,
            power_every: 1000,
            power_steps: 10,
            calibration_boxes: 2,
            seed: 1,
        }
    }
}

impl TrainConfig {
    /// Refuse what cannot work.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        let bad =
            |found: String, expected: &str| Err(Error::setting(found, expected, "Change the settings of the training"));
        let counts = [self.batch, self.validate_every, self.power_steps];
        if counts.contains(&0) {
            return bad("a training without crops or validation".to_owned(), "at least one of each");
        }
        if !(24..=256).contains(&self.crop) || !self.crop.is_multiple_of(8) {
            return bad(format!("crops of {}³ voxels", self.crop), "a multiple of 8 between 24 and 256");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate < 1.0 && (0.0..1.0).contains(&self.ema_decay)) {
            return bad(
                format!("a learning rate of {} and an EMA decay of {}", self.learning_rate, self.ema_decay),
                "both between 0 and 1",
            );
        }
        Ok(())
    }

    fn rate(&self, step: usize) -> f64 {
        let warm = ((step + 1) as f64 / self.warmup.max(1) as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / self.steps as f64).cos());
        self.learning_rate * warm * cosine
    }

    fn optimizer(&self) -> ModuleOptimizer {
        AdamWConfig::new()
            .with_weight_decay(self.weight_decay)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(self.clip)))
            .init()
    }
}

/// What a training step reports.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// The step just taken, from 1.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Its training loss.
    pub loss: f64,
    /// The last validation loss.
    pub validation: Option<f64>,
    /// Seconds per step of this process.
    pub seconds_per_step: f64,
    /// While the power of a validation box is looked at: how far that is, done
    /// and in all.
    pub looking: Option<[usize; 2]>,
}

/// A network that has learned.
#[derive(Debug, Clone)]
pub struct Learned<M> {
    /// The moving average of its weights, of the step where it did best on validation boxes.
    pub network: M,
    /// Steps taken.
    pub steps: usize,
    /// Seconds of training, over all processes that took part.
    pub seconds: f64,
    /// Training and validation loss.
    pub curve: Vec<CurvePoint>,
    /// Power of a validation box.
    pub power: Vec<PowerPoint>,
}

impl<M> Learned<M> {
    /// What the last step reported, roughly, for what comes after it.
    pub(super) fn last_report(&self, settings: &TrainConfig) -> Report {
        let last = self.curve.last();
        Report {
            step: self.steps,
            steps: settings.steps,
            loss: last.map_or(f64::NAN, |point| point.loss),
            validation: last.and_then(|point| point.validation),
            seconds_per_step: 0.0,
            looking: None,
        }
    }
}

/// What a network learns: the crops it is shown, and what it makes of them.
pub(super) trait Task<M>: Sync {
    /// One crop, ready for the network.
    type Crop: Send + Sync;

    /// A batch of crops of the training boxes, or of the validation boxes where
    /// `validating`.
    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<Self::Crop>;

    /// The power of what the network makes of a validation box over that of the
    /// truth; nothing where there is no such box. `report` hears how far it is,
    /// done and in all, and returns whether to go on.
    fn power(
        &self,
        model: &M,
        device: &ComputeDevice,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>>;

    /// The mean loss over the crops.
    fn loss(&self, model: &M, crops: &[Self::Crop], device: &Device) -> Tensor<1>;
}

/// Descend from `model` (on the plain device) and return the moving average of the weights at the step where it did
/// best on the validation boxes; the last one where nothing is validated.
///
/// The state is kept in `folder`, and what is there is taken up. `report` is
/// called after every step and returns whether to go on.
pub(super) fn descend<M: Network, T: Task<M>>(
    model: M,
    task: &T,
    settings: &TrainConfig,
    device: &ComputeDevice,
    folder: &Path,
    mut report: impl FnMut(Report) -> bool,
) -> Result<Learned<M>> {
    let config = serde_json::to_string_pretty(model.configuration()).expect("plain structs serialise");
    let state = State::new(folder.to_path_buf());
    let fresh = Weights { average: model.clone(), selected: model.clone(), model };
    let (weights, mut optimizer, progress) = state.load(fresh, settings.optimizer(), settings)?;
    let Weights { model, mut average, mut selected } = weights;
    let mut model = model.train();
    let mut progress = progress.unwrap_or(Progress {
        config: settings.clone(),
        step: 0,
        draws: 0,
        seconds: 0.0,
        curve: Vec::new(),
        power: Vec::new(),
    });
    progress.config = settings.clone();
    let before = progress.seconds;
    let first = progress.step;
    let mut draws = Draws::new(settings.seed, progress.draws);
    let mut validation = progress.curve.iter().rev().find_map(|point| point.validation);
    let (mut sum, mut count) = (0.0, 0usize);
    let (began, mut saved) = (Instant::now(), Instant::now());
    while progress.step < settings.steps {
        let (loss, gradients) = gradients(task, &model, &task.draw(&mut draws, false), device);
        model = optimizer.step(settings.rate(progress.step), model, gradients);
        // A young average would remember the random start.
        let decay = settings.ema_decay.min((1.0 + progress.step as f64) / (10.0 + progress.step as f64));
        average = moved_towards(average, &model.valid(), 1.0 - decay);
        progress.step += 1;
        progress.draws = draws.position();
        progress.seconds = before + began.elapsed().as_secs_f64();
        (sum, count) = (sum + loss, count + 1);
        let last = progress.step == settings.steps;
        if progress.step.is_multiple_of(settings.validate_every) || last {
            validation = (settings.validation_crops > 0).then(|| {
                let mut draws = Draws::new(VALIDATION_SEED, 0);
                let batches = settings.validation_crops.div_ceil(settings.batch);
                let crops: Vec<T::Crop> = (0..batches).flat_map(|_| task.draw(&mut draws, true)).collect();
                over_shards(&average, &crops, device, |model, crops| {
                    f64::from(task.loss(&model, crops, &device.burn).into_scalar::<f32>()) * crops.len() as f64
                })
                .into_iter()
                .sum::<f64>()
                    / crops.len() as f64
            });
            let least = least_validation(&progress.curve);
            if validation.is_none_or(|now| least.is_none_or(|least| now < least)) {
                selected = average.clone();
            }
            progress.curve.push(CurvePoint {
                step: progress.step,
                loss: sum / count as f64,
                validation,
                seconds: progress.seconds,
            });
            (sum, count) = (0.0, 0);
        }
        let seconds_per_step = began.elapsed().as_secs_f64() / (progress.step - first) as f64;
        let mut now =
            Report { step: progress.step, steps: settings.steps, loss, validation, seconds_per_step, looking: None };
        let mut go_on = report(now);
        if go_on && (last || settings.power_every > 0 && progress.step.is_multiple_of(settings.power_every)) {
            let looked_at = if last { &selected } else { &average };
            let looked = task.power(looked_at, device, &mut |done, all| {
                now.looking = Some([done, all]);
                report(now)
            });
            match looked {
                Ok(ratios) if ratios.is_empty() => {}
                Ok(ratios) => progress.power.push(PowerPoint { step: progress.step, ratios }),
                Err(Error::Cancelled) => go_on = false,
                Err(error) => return Err(error),
            }
        }
        if last || !go_on || saved.elapsed().as_secs_f64() > SAVE_EVERY {
            let weights = Weights { model: model.valid(), average: average.clone(), selected: selected.clone() };
            state.save(&weights, &optimizer, &progress, &config)?;
            saved = Instant::now();
        }
        if !go_on {
            break;
        }
    }
    // A training that was stopped before it was ever validated has its average.
    let network = if progress.curve.is_empty() { average } else { selected };
    Ok(Learned {
        network,
        steps: progress.step,
        seconds: progress.seconds,
        curve: progress.curve,
        power: progress.power,
    })
}

/// The mean loss of `crops` and its gradients.
fn gradients<M: Module, T: Task<M>>(
    task: &T,
    model: &M,
    crops: &[T::Crop],
    device: &ComputeDevice,
) -> (f64, GradientsParams) {
    let autodiff = device.burn.clone().autodiff();
    let shards = over_shards(&model.valid(), crops, device, |plain, shard| {
        // A graph of its own, so that no shard waits for another's.
        let model = plain.train();
        let loss = task.loss(&model, shard, &autodiff) * (shard.len() as f64 / crops.len() as f64);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        (f64::from(loss.into_scalar::<f32>()), gradients)
    });
    let mut accumulator = GradientsAccumulator::new();
    let mut sum = 0.0;
    for (loss, gradients) in shards {
        sum += loss;
        accumulator.accumulate(model, gradients);
    }
    (sum, accumulator.grads())
}

/// Apply `f` to the crops: all at once on a GPU, one each and side by side on
/// the CPU, where much of a network runs on one thread.
fn over_shards<M: Module, C: Sync, R: Send>(
    model: &M,
    crops: &[C],
    device: &ComputeDevice,
    f: impl Fn(M, &[C]) -> R + Sync,
) -> Vec<R> {
    let size = if device.is_cpu() { 1 } else { crops.len().max(1) };
    let shards: Vec<(M, &[C])> = crops.chunks(size).map(|crops| (model.clone(), crops)).collect();
    match shards.len() {
        1 => shards.into_iter().map(|(model, crops)| f(model, crops)).collect(),
        _ => shards.into_par_iter().map(|(model, crops)| f(model, crops)).collect(),
    }
}

/// The curves of a training as CSV.
pub fn curve_csv(curve: &[CurvePoint]) -> String {
    let mut text = String::from("step,loss,validation_loss,seconds\n");
    for point in curve {
        let validation = point.validation.map(|v| format!("{v:.6e}")).unwrap_or_default();
        text += &format!("{},{:.6e},{validation},{:.1}\n", point.step, point.loss, point.seconds);
    }
    text
}

/// `average + fraction · (model − average)`, parameter by parameter.
fn moved_towards<M: Module>(average: M, model: &M, fraction: f64) -> M {
    struct Collect(GradientsParams);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val());
        }
    }
    struct Move {
        towards: GradientsParams,
        fraction: f64,
    }
    impl ModuleMapper for Move {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let id = param.id;
            match self.towards.remove::<D>(id) {
                Some(target) => param.map(|value| value.clone() + (target - value) * self.fraction),
                None => param,
            }
        }
    }
    let mut collect = Collect(GradientsParams::new());
    model.visit(&mut collect);
    average.map(&mut Move { towards: collect.0, fraction })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::LogTransform;
    use crate::nn::{ConditionalMean, ConditionalMeanConfig, FeatureConfig, LocalRelation};

    /// Training goes on downhill; validation is at its best on the way.
    struct Overfit;

    impl Task<ConditionalMean> for Overfit {
        type Crop = bool;

        fn draw(&self, _: &mut Draws, validating: bool) -> Vec<bool> {
            vec![validating]
        }

        fn power(
            &self,
            _: &ConditionalMean,
            _: &ComputeDevice,
            _: &mut dyn FnMut(usize, usize) -> bool,
        ) -> Result<Vec<PowerRatio>> {
            Ok(Vec::new())
        }

        fn loss(&self, network: &ConditionalMean, crops: &[bool], device: &Device) -> Tensor<1> {
            let seen = Tensor::ones([1, network.config().channels(), 3, 3, 3], device);
            let says = network.log_temperature(seen, Tensor::ones([1, 1, 1, 1, 1], device)).mean();
            if crops[0] { (says + 0.5).square() } else { says }
        }
    }

    #[test]
    fn the_weights_that_did_best_on_validation_boxes_are_kept_also_over_a_stop() {
        let device = ComputeDevice::cpu("a test");
        let transform = LogTransform::above(0.1);
        let config = ConditionalMeanConfig {
            width: 4,
            halo_mass: transform,
            temperature: transform,
            features: FeatureConfig {
                dark_matter: transform,
                thresholds: Vec::new(),
                mass: transform,
                distance: transform,
                smoothing: Vec::new(),
                smoothed: transform,
                redshift: false,
            },
            relation: LocalRelation { hydrogen_fraction: [0.0; 4] },
        };
        let settings = TrainConfig {
            steps: 60,
            batch: 1,
            learning_rate: 0.05,
            warmup: 0,
            ema_decay: 0.5,
            validate_every: 2,
            validation_crops: 1,
            power_every: 0,
            ..TrainConfig::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let descended = |stop_at: usize, name: &str| {
            device.burn.seed(1);
            let network = ConditionalMean::new(&config, &device.burn);
            let go_on = |report: Report| report.step < stop_at;
            descend(network, &Overfit, &settings, &device, &folder.path().join(name), go_on).unwrap()
        };
        let whole = descended(usize::MAX, "whole");
        let (least, last) = (least_validation(&whole.curve).unwrap(), whole.curve.last().unwrap().validation.unwrap());
        assert!(last > 4.0 * least, "{least} is the least, {last} the last");
        let now = |learned: &Learned<ConditionalMean>| {
            f64::from(Overfit.loss(&learned.network, &[true], &device.burn).into_scalar::<f32>())
        };
        assert!((now(&whole) / least - 1.0).abs() < 1e-3, "{} for {least}", now(&whole));
        descended(40, "stopped");
        let resumed = descended(usize::MAX, "stopped");
        assert!((now(&resumed) - now(&whole)).abs() < 1e-6);
    }
}

//! The training loops.

use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::data::{CubeSymmetry, Draws, Region, TrainingBox, crop};
use crate::error::Result;
use crate::nn::{CONDITION_CHANNELS, Halo, HaloConfig, Lodi, LodiConfig, Trained};
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::fill_normal;

/// How a network is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Optimiser steps.
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
    /// Fraction of each box, along x, that crops are taken from.
    pub region: f64,
    /// Seed of weights, crops and noise.
    pub seed: u64,
}

impl Default for Fit {
    fn default() -> Self {
        Self {
            steps: 2000,
            batch: 4,
            crop: 48,
            learning_rate: 1e-3,
            warmup: 100,
            weight_decay: 1e-4,
            clip: 1.0,
            ema_decay: 0.995,
            region: 1.0,
            seed: 1,
        }
    }
}

impl Fit {
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
    /// Seconds since the training began.
    pub seconds: f64,
}

/// Fit HALO to `boxes`. `report` is called after every step and returns whether
/// to go on; what was learned until then is returned.
///
/// # Errors
/// None of its own; those of reading results back.
pub fn train_halo(
    boxes: &[TrainingBox],
    config: &HaloConfig,
    fit: &Fit,
    device: &Device,
    report: impl FnMut(Report) -> bool,
) -> Result<Halo> {
    let side = fit.crop;
    let inputs: Vec<Vec<f32>> =
        boxes.iter().map(|b| transformed(&b.dark_matter, |v| config.dark_matter.forward(v))).collect();
    let targets: Vec<Vec<Vec<f32>>> = boxes
        .iter()
        .map(|b| b.halo_mass.iter().zip(&config.halo_mass).map(|(map, t)| transformed(map, |v| t.forward(v))).collect())
        .collect();
    let inside = config.context..side - config.context;
    let device = device.clone().autodiff();
    device.seed(fit.seed);
    descend(config.init(&device), fit, report, |halo, draws| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for _ in 0..fit.batch {
            let (index, origin, symmetry) = draw_crop(boxes, fit, side, draws);
            let n = boxes[index].dark_matter.n();
            crop(&[&inputs[index]], n, origin, side, symmetry, &mut x);
            let fields: Vec<&[f32]> = targets[index].iter().map(Vec::as_slice).collect();
            crop(&fields, n, origin, side, symmetry, &mut y);
        }
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [fit.batch, channels, side, side, side]), &device)
        };
        let kept = [0..fit.batch, 0..HALO_MASS_BINS, inside.clone(), inside.clone(), inside.clone()];
        let output = halo.forward(tensor(x, 1)).slice(kept.clone());
        (output - tensor(y, HALO_MASS_BINS).slice(kept)).square().mean()
    })
}

/// Fit LODI to `boxes`. Its condition is the true halo maps in one half of the
/// crops and HALO's own maps in the other, so that it knows both what a halo
/// map means and how HALO errs. `halo_maps` holds HALO's transformed maps of
/// each box, `[HALO_MASS_BINS][n³]`.
///
/// # Errors
/// As [`train_halo`].
pub fn train_lodi(
    boxes: &[TrainingBox],
    halo: &Trained<Halo>,
    halo_maps: &[Vec<Vec<f32>>],
    config: &LodiConfig,
    fit: &Fit,
    device: &Device,
    report: impl FnMut(Report) -> bool,
) -> Result<Lodi> {
    let side = config.tile;
    let dark_matter: Vec<Vec<f32>> =
        boxes.iter().map(|b| transformed(&b.dark_matter, |v| halo.config.dark_matter.forward(v))).collect();
    let true_maps: Vec<Vec<Vec<f32>>> = boxes
        .iter()
        .map(|b| {
            b.halo_mass.iter().zip(&halo.config.halo_mass).map(|(map, t)| transformed(map, |v| t.forward(v))).collect()
        })
        .collect();
    let targets: Vec<Vec<f32>> = boxes
        .iter()
        .map(|b| transformed(&b.brightness_temperature, |v| config.brightness_temperature.forward(v)))
        .collect();
    let device = device.clone().autodiff();
    device.seed(fit.seed);
    descend(config.init(&device), fit, report, |lodi, draws| {
        let (mut x, mut condition) = (Vec::new(), Vec::new());
        // Antithetic times cover [0, 1] evenly in every batch (Kingma et al. 2021).
        let first = f64::from(draws.words()[0]) / 4_294_967_296.0;
        let times: Vec<f64> = (0..fit.batch).map(|i| (first + i as f64 / fit.batch as f64).fract()).collect();
        for _ in 0..fit.batch {
            let (index, origin, symmetry) = draw_crop(boxes, fit, side, draws);
            let maps = if draws.words()[0] & 1 == 0 { &true_maps[index] } else { &halo_maps[index] };
            let n = boxes[index].dark_matter.n();
            crop(&[&targets[index]], n, origin, side, symmetry, &mut x);
            let mut fields: Vec<&[f32]> = maps.iter().map(Vec::as_slice).collect();
            fields.push(&dark_matter[index]);
            crop(&fields, n, origin, side, symmetry, &mut condition);
        }
        let mut eps = vec![0f32; x.len()];
        fill_normal(&mut eps, fit.seed, draws.stream());
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [fit.batch, channels, side, side, side]), &device)
        };
        let condition = tensor(condition, CONDITION_CHANNELS);
        lodi.loss(tensor(x, 1), condition, tensor(eps, 1), &times, &config.schedule).objective
    })
}

fn transformed(grid: &crate::field::Grid, f: impl Fn(f32) -> f32 + Sync + Send) -> Vec<f32> {
    grid.map(f).values.into_raw_vec_and_offset().0
}

fn draw_crop(boxes: &[TrainingBox], fit: &Fit, side: usize, draws: &mut Draws) -> (usize, [usize; 3], CubeSymmetry) {
    let [which, a, b, c] = draws.words();
    let index = ((u64::from(which) * boxes.len() as u64) >> 32) as usize;
    let n = boxes[index].dark_matter.n();
    let origin = Region::first(fit.region, n).place(n, side, [a, b, c]);
    (index, origin, CubeSymmetry::random(draws.words()[0]))
}

/// Descend on `loss` and return the moving average of the weights, off the
/// autodiff device.
fn descend<M: Module>(
    mut model: M,
    fit: &Fit,
    mut report: impl FnMut(Report) -> bool,
    mut loss: impl FnMut(&M, &mut Draws) -> Tensor<1>,
) -> Result<M> {
    let mut optimizer = fit.optimizer();
    let mut average = model.valid();
    let mut draws = Draws::new(fit.seed);
    let began = Instant::now();
    for step in 0..fit.steps {
        let value = loss(&model, &mut draws);
        let gradients = GradientsParams::from_grads(value.backward(), &model);
        model = optimizer.step(fit.rate(step), model, gradients);
        // A young average would remember the random start.
        let decay = fit.ema_decay.min((1.0 + step as f64) / (10.0 + step as f64));
        average = moved_towards(average, &model.valid(), 1.0 - decay);
        let loss = f64::from(value.into_scalar::<f32>());
        if !report(Report { step: step + 1, steps: fit.steps, loss, seconds: began.elapsed().as_secs_f64() }) {
            break;
        }
    }
    Ok(average)
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

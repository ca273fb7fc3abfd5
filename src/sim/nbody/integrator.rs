//! The leapfrog: kick, drift, kick with the exact integrals of the expansion
//! (Quinn et al. 1997), steps even in `ln a`, and finer steps in powers of two
//! for the particles that need them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::gravity::Gravity;
use super::tree::morton;
use super::{Phase, UNIT};
use crate::field::{Cosmology, simpson};

/// Settings of the time steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepConfig {
    /// Longest step in `ln a` when structure forms (longer before, see
    /// [`Simulation::run`](super::Simulation::run)); the mesh force is taken once
    /// a step.
    pub longest: f64,
    /// A particle's step is at most `√(2 η ε / |a|)`, with the softening ε and
    /// the acceleration that the tree answers for: the mesh's is smooth, and
    /// taken once a step in any case.
    pub eta: f64,
    /// A step is halved for a particle at most this many times.
    pub levels: u32,
}

impl Default for StepConfig {
    fn default() -> Self {
        Self { longest: 0.035, eta: 0.3, levels: 3 }
    }
}

/// What a step was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Steps that the finest particles took.
    pub substeps: usize,
    /// Particle steps in all.
    pub particle_steps: u64,
}

/// Particles under way: their phase with the forces on them.
pub(super) struct Integrator {
    pub phase: Phase,
    cosmology: Cosmology,
    gravity: Gravity,
    config: StepConfig,
    /// Morton keys of the positions, ascending.
    keys: Vec<u64>,
    long: Vec<[f32; 3]>,
    short: Vec<[f32; 3]>,
    levels: Vec<u8>,
}

impl Integrator {
    /// Take over a phase and compute the forces on it.
    pub fn new(phase: Phase, cosmology: Cosmology, gravity: Gravity, config: StepConfig) -> Self {
        let count = phase.len();
        let mut integrator = Self {
            phase,
            cosmology,
            gravity,
            config,
            keys: Vec::new(),
            long: Vec::new(),
            short: vec![[0.0; 3]; count],
            levels: vec![0; count],
        };
        integrator.sort();
        integrator.all_forces();
        integrator
    }

    /// Compute both parts of the force on every particle.
    fn all_forces(&mut self) {
        let Self { phase, gravity, keys, long, short, .. } = self;
        *long = gravity.long_range(&phase.positions, phase.scale_factor);
        short.fill([0.0; 3]);
        gravity.short_range(&phase.positions, keys, phase.scale_factor, &|_| true, short);
    }

    /// Go to scale factor `to` in one step of the mesh. `go_on` is asked between
    /// the finer steps, with the fraction of this one that is done; `None` where
    /// it said no, and the phase is then of no use.
    pub fn step(&mut self, to: f64, mut go_on: impl FnMut(f64) -> bool) -> Option<Step> {
        // How gravity is divided stays as it is until the step's end.
        let division = self.phase.scale_factor;
        let (from, to) = (division.ln(), to.ln());
        self.assign_levels(to - from);
        let deepest = self.levels.par_iter().copied().max().unwrap_or(0);
        let substeps = 1usize << deepest;
        let at = |substep: f64| from + (to - from) * substep / substeps as f64;
        let mut taken = 0u64;

        let half = self.kick_factor(from, (from + to) / 2.0);
        kick(&mut self.phase.momenta, &self.long, half);
        for substep in 0..substeps {
            // Each level has its own length of step, and so its own kicks.
            let opening: Vec<f32> = (0..=deepest)
                .map(|level| {
                    let length = substeps >> level;
                    let begins = substep.is_multiple_of(length);
                    let (begin, middle) = (at(substep as f64), at(substep as f64 + length as f64 / 2.0));
                    if begins { self.kick_factor(begin, middle) } else { 0.0 }
                })
                .collect();
            self.kick_short(&opening);
            let drift = self.drift_factor(at(substep as f64), at(substep as f64 + 1.0));
            let per_unit = drift / (UNIT * self.phase.box_size);
            self.phase.positions.par_iter_mut().zip(&self.phase.momenta).for_each(|(x, p)| {
                for axis in 0..3 {
                    let moved = (f64::from(p[axis]) * per_unit).round() as i64;
                    x[axis] = x[axis].wrapping_add(moved as u32);
                }
            });
            self.sort();

            let end = substep + 1;
            let ends: Vec<bool> = (0..=deepest).map(|level| end.is_multiple_of(substeps >> level)).collect();
            let Self { phase, gravity, keys, short, levels, .. } = self;
            let active = |i: usize| ends[usize::from(levels[i])];
            gravity.short_range(&phase.positions, keys, division, &active, short);
            taken += levels.par_iter().filter(|&&level| ends[usize::from(level)]).count() as u64;
            let closing: Vec<f32> = (0..=deepest)
                .map(|level| {
                    let length = substeps >> level;
                    let (middle, finish) = (at(end as f64 - length as f64 / 2.0), at(end as f64));
                    if ends[usize::from(level)] { self.kick_factor(middle, finish) } else { 0.0 }
                })
                .collect();
            self.kick_short(&closing);
            if !go_on(end as f64 / substeps as f64) {
                return None;
            }
        }
        self.long = self.gravity.long_range(&self.phase.positions, division);
        let half = self.kick_factor((from + to) / 2.0, to);
        kick(&mut self.phase.momenta, &self.long, half);
        self.phase.scale_factor = to.exp();
        if self.gravity.has_short_range(to.exp()) != self.gravity.has_short_range(division) {
            self.all_forces();
        }
        Some(Step { substeps, particle_steps: taken })
    }

    /// Sort the particles (and all that belongs to them) along the Morton curve:
    /// neighbours in space become neighbours in memory.
    fn sort(&mut self) {
        let mut order: Vec<(u64, u32)> =
            self.phase.positions.par_iter().enumerate().map(|(i, &p)| (morton(p), i as u32)).collect();
        order.par_sort_unstable();
        self.keys = order.par_iter().map(|&(key, _)| key).collect();
        fn gather<T: Copy + Send + Sync>(values: &mut Vec<T>, order: &[(u64, u32)]) {
            if !values.is_empty() {
                *values = order.par_iter().map(|&(_, i)| values[i as usize]).collect();
            }
        }
        gather(&mut self.phase.positions, &order);
        gather(&mut self.phase.momenta, &order);
        gather(&mut self.phase.ids, &order);
        gather(&mut self.long, &order);
        gather(&mut self.short, &order);
        gather(&mut self.levels, &order);
    }

    /// How often the step of `length` in `ln a` is halved for each particle.
    fn assign_levels(&mut self, length: f64) {
        if !self.gravity.has_short_range(self.phase.scale_factor) {
            self.levels.fill(0);
            return;
        }
        let a = self.phase.scale_factor;
        // dt = √(2 η ε / |a|) with the physical ε = a ε and |a| = |∇ψ|/a², in 1/H0;
        // then d ln a = E dt.
        let scale =
            a.powf(1.5) * (2.0 * self.config.eta * self.gravity.softening).sqrt() * self.cosmology.e(1.0 / a - 1.0);
        let deepest = self.config.levels;
        self.levels.par_iter_mut().zip(&self.short).for_each(|(level, g)| {
            let g: f64 = g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let wanted = scale / g.sqrt();
            *level = (length / wanted).log2().ceil().clamp(0.0, f64::from(deepest)) as u8;
        });
    }

    fn kick_short(&mut self, factors: &[f32]) {
        let Phase { momenta, .. } = &mut self.phase;
        momenta.par_iter_mut().zip(&self.short).zip(&self.levels).for_each(|((p, g), &level)| {
            let factor = factors[usize::from(level)];
            for axis in 0..3 {
                p[axis] += factor * g[axis];
            }
        });
    }

    /// `∫ dt/a` between two `ln a`, in `1/H0`.
    fn kick_factor(&self, from: f64, to: f64) -> f32 {
        simpson(|ln_a: f64| (-ln_a).exp() / self.cosmology.e((-ln_a).exp() - 1.0), from, to, 4) as f32
    }

    /// `∫ dt/a²` between two `ln a`, in `1/H0`.
    fn drift_factor(&self, from: f64, to: f64) -> f64 {
        simpson(|ln_a: f64| (-2.0 * ln_a).exp() / self.cosmology.e((-ln_a).exp() - 1.0), from, to, 4)
    }
}

fn kick(momenta: &mut [[f32; 3]], accelerations: &[[f32; 3]], factor: f32) {
    momenta.par_iter_mut().zip(accelerations).for_each(|(p, g)| {
        for axis in 0..3 {
            p[axis] += factor * g[axis];
        }
    });
}

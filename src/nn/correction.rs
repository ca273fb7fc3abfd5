//! Setting right what a denoiser estimates.

use serde::{Deserialize, Serialize};

use super::departure::{KNOTS, knot_place};
use super::schedule::NoiseSchedule;
use super::solve::solve;
use crate::field::smooth;

/// Noise levels that the tables hold, evenly over the schedule.
pub const CORRECTION_LEVELS: usize = 17;
/// What an estimate is corrected by: a constant, itself, and its mean over the
/// neighbourhood.
const FEATURES: usize = 3;
/// A knot with fewer voxels than this takes its neighbour's correction: a thousand
/// voxels are some forty haloes, whose voxels depart together.
const ENOUGH: f64 = 1000.0;
/// Knots are corrected from this one on, 0.3 mK: all fainter voxels together hold 3 %
/// of the HI and a thousandth of the power.
const FIRST: usize = 2;
/// What the corrections cost, per voxel: where an estimate hardly varies, as near pure
/// noise, chance would set its gain.
const RIDGE: f64 = 1e-3;

/// The coefficients of every knot at one noise level.
type Level = Vec<[f64; FEATURES]>;

/// What is to be added to a denoiser's estimates `x̂`, at every noise level and expected
/// temperature: `offset + gain · x̂ + smooth · x̄`, where `x̄` is the mean of `x̂` over the
/// [`Neighbourhood`].
///
/// A network that has not learned to the end is too careful: the truth departs further
/// than it says, by a tenth to a half of its estimate where noise hides half of the
/// data. An error of the estimates that stays the same from step to step ends in the
/// sample as its integral, `½ ∫ dγ` of it, and so scatter and power go missing.
/// Corrected estimates are those of least squared error on noisy truths of boxes that
/// the network has not learned from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// One a noise level, from the least noise to the most; none for no correction.
    levels: Vec<Level>,
}

/// The surroundings of the voxels of a box: Gaussian, with a deviation of a voxel,
/// and weighted by the root of the expected temperature, so that the empty voxels
/// about a halo have no say in it.
pub struct Neighbourhood {
    n: usize,
    weight: Vec<f32>,
    /// The smoothed weight.
    total: Vec<f32>,
    /// Where each voxel lies among the knots of the expected temperature.
    place: Vec<f32>,
}

impl Neighbourhood {
    /// By the expected map of a box in mK, `n³` values.
    pub fn new(n: usize, expected: &[f32]) -> Self {
        let weight: Vec<f32> = expected.iter().map(|t| (t.max(0.0) + 1e-3).sqrt()).collect();
        let total = smooth(weight.clone(), n);
        Self { n, weight, total, place: expected.iter().map(|&t| knot_place(t) as f32).collect() }
    }

    /// The mean of `values` about every voxel.
    fn mean(&self, values: &[f32]) -> Vec<f32> {
        let mut mean = smooth(values.iter().zip(&self.weight).map(|(v, w)| v * w).collect(), self.n);
        mean.iter_mut().zip(&self.total).for_each(|(v, total)| *v /= total);
        mean
    }
}

impl Correction {
    /// Correct the estimates of a whole box at `gamma`.
    pub fn apply(&self, schedule: &NoiseSchedule, gamma: f64, about: &Neighbourhood, estimate: &mut [f32]) {
        let Some(last) = self.levels.len().checked_sub(1) else { return };
        let place = (schedule.position(gamma) * last as f64).clamp(0.0, last as f64);
        let level = (place as usize).min(last.saturating_sub(1));
        let part = place - level as f64;
        let table: Vec<[f32; FEATURES]> = (self.levels[level].iter().zip(&self.levels[(level + 1).min(last)]))
            .map(|(a, b)| std::array::from_fn(|i| (a[i] * (1.0 - part) + b[i] * part) as f32))
            .collect();
        let mean = about.mean(estimate);
        for ((x, mean), &place) in estimate.iter_mut().zip(mean).zip(&about.place) {
            let knot = (place as usize).min(table.len() - 2);
            let part = place - knot as f32;
            let [offset, gain, smooth] =
                std::array::from_fn(|i| table[knot][i] * (1.0 - part) + table[knot + 1][i] * part);
            *x += offset + gain * *x + smooth * mean;
        }
    }
}

/// Means of data at the knots of the expected temperature.
#[derive(Debug, Clone)]
pub struct KnotMeans {
    /// Voxels and sum.
    sums: Vec<(f64, f64)>,
}

impl Default for KnotMeans {
    fn default() -> Self {
        Self { sums: vec![(0.0, 0.0); KNOTS] }
    }
}

impl KnotMeans {
    /// Add the data of a box.
    pub fn add(&mut self, x: &[f32], about: &Neighbourhood) {
        for (&x, &place) in x.iter().zip(&about.place) {
            let (count, sum) = &mut self.sums[place.round() as usize];
            (*count, *sum) = (*count + 1.0, *sum + f64::from(x));
        }
    }

    /// Take the mean at its expected temperature from every voxel of a box.
    pub fn subtract_from(&self, x: &mut [f32], about: &Neighbourhood) {
        for (x, &place) in x.iter_mut().zip(&about.place) {
            let (count, sum) = self.sums[place.round() as usize];
            *x -= (sum / count.max(1.0)) as f32;
        }
    }
}

/// Sums over voxels from which a [`Correction`] is found.
#[derive(Debug, Clone)]
pub struct Errors {
    /// Per noise level and knot.
    sums: Vec<Vec<Sums>>,
}

/// Of one knot at one noise level.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Of the products of the features with each other.
    normal: [[f64; FEATURES]; FEATURES],
    /// Of the products of the features with the error.
    right: [f64; FEATURES],
}

impl Errors {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self { sums: vec![vec![Sums::default(); KNOTS]; CORRECTION_LEVELS] }
    }

    /// `γ` of a level.
    pub fn gamma(level: usize, schedule: &NoiseSchedule) -> f64 {
        schedule.gamma(level as f64 / (CORRECTION_LEVELS - 1) as f64)
    }

    /// Add what was estimated of the data `x` of a box at a level.
    pub fn add(&mut self, level: usize, x: &[f32], estimate: &[f32], about: &Neighbourhood) {
        let mean = about.mean(estimate);
        for (((&x, &estimate), &mean), &place) in x.iter().zip(estimate).zip(&mean).zip(&about.place) {
            let knot = place.round() as usize;
            if knot < FIRST {
                continue;
            }
            let Sums { normal, right } = &mut self.sums[level][knot];
            let features = [1.0, f64::from(estimate), f64::from(mean)];
            for (i, a) in features.into_iter().enumerate() {
                right[i] += a * f64::from(x - estimate);
                for (sum, b) in normal[i].iter_mut().zip(features) {
                    *sum += a * b;
                }
            }
        }
    }

    /// The correction of least squared error.
    pub fn correction(&self) -> Correction {
        let level = |knots: &Vec<Sums>| {
            let mut last = [0.0; FEATURES];
            let per_knot = knots.iter().map(|sums| {
                let count = sums.normal[0][0];
                if count >= ENOUGH {
                    let mut normal = sums.normal;
                    (1..FEATURES).for_each(|i| normal[i][i] += RIDGE * count);
                    last = solve(normal, sums.right);
                }
                last
            });
            per_knot.collect()
        };
        Correction { levels: self.sums.iter().map(level).collect() }
    }
}

impl Default for Errors {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

    const SCHEDULE: NoiseSchedule = NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 };

    #[test]
    fn a_careful_estimate_becomes_the_best_one_at_every_noise_level() {
        let n = 32;
        let mut estimate = vec![0f32; n * n * n];
        fill_normal(&mut estimate, 1, Stream::Latent);
        let expected: Vec<f32> = (0..n * n * n).map(|i| 10f32.powf((i % 7) as f32 / 2.0)).collect();
        let about = Neighbourhood::new(n, &expected);
        let mean = about.mean(&estimate);
        // The truth departs further, by more where there is more noise.
        let truth = |gamma: f64| -> Vec<f32> {
            let further = 0.5 * SCHEDULE.position(gamma) as f32;
            estimate.iter().zip(&mean).map(|(x, mean)| 0.1 + (1.0 + further) * x - 0.2 * mean).collect()
        };
        let mut errors = Errors::new();
        for level in 0..CORRECTION_LEVELS {
            errors.add(level, &truth(Errors::gamma(level, &SCHEDULE)), &estimate, &about);
        }
        let correction = errors.correction();
        for gamma in [-10.0, 1.3, 6.0] {
            let mut corrected = estimate.clone();
            correction.apply(&SCHEDULE, gamma, &about, &mut corrected);
            for (x, truth) in corrected.iter().zip(truth(gamma)) {
                assert!((x - truth).abs() < 0.01, "γ = {gamma}: {x} for {truth}");
            }
        }
        let mut untouched = estimate.clone();
        Correction::default().apply(&SCHEDULE, 0.0, &about, &mut untouched);
        assert_eq!(untouched, estimate);
    }

    #[test]
    fn centred_data_averages_nothing_at_every_expected_temperature() {
        let n = 8;
        let expected: Vec<f32> = (0..n * n * n).map(|i| 10f32.powi((i % 3) as i32)).collect();
        let about = Neighbourhood::new(n, &expected);
        let mut x: Vec<f32> = (0..n * n * n).map(|i| (i % 3) as f32 + (i % 5) as f32).collect();
        let mut means = KnotMeans::default();
        means.add(&x, &about);
        means.subtract_from(&mut x, &about);
        for class in 0..3 {
            let sum: f32 = x.iter().skip(class).step_by(3).sum();
            assert!(sum.abs() < 1e-3, "{sum} at class {class}");
        }
        assert!(x.iter().any(|x| x.abs() > 1.0));
    }

    #[test]
    fn empty_surroundings_have_no_say_in_the_mean_of_a_halo() {
        let n = 8;
        let voxel = (4 * n + 4) * n + 4;
        let mut expected = vec![0f32; n * n * n];
        let mut values = vec![5f32; n * n * n];
        (expected[voxel], expected[voxel + 1]) = (100.0, 100.0);
        (values[voxel], values[voxel + 1]) = (1.0, 1.0);
        let mean = Neighbourhood::new(n, &expected).mean(&values)[voxel];
        // All voxels alike, it would be 4.6.
        assert!((mean - 1.0).abs() < 0.2, "{mean}");
    }
}

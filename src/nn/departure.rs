//! How the brightness temperature departs from what is expected.

use serde::{Deserialize, Serialize};

/// Temperatures far below this, in mK, are alike to [`Departure`]: half the mean
/// of a box, and nothing to its power.
const SMALL: f64 = 0.1;
/// `log10` of the first knot of the tables and the distance between two, in dex.
const FIRST_KNOT: f64 = -1.0;
const KNOT_STEP: f64 = 0.25;
/// Knots of the tables: up to 3 · 10³ mK.
const KNOTS: usize = 19;
/// Least deviation of `√T_b` in √mK. Where haloes are far the true one is
/// nothing at all, and dividing by it would make giants of stray voxels.
const LEAST_DEVIATION: f64 = 0.15;
/// A knot with fewer voxels than this takes its neighbour's values.
const ENOUGH: u64 = 100;
/// A knot painted with fewer voxels than this is calibrated as its neighbour: a hundred
/// voxels are some four haloes, whose voxels depart together.
const ENOUGH_PAINTED: usize = 2000;
/// Expected temperature in mK below which there is nothing to calibrate: all
/// fainter voxels together hold 3 % of the HI and a thousandth of the power.
const CALIBRATED_FROM: f64 = 0.3;

/// How `√T_b` is distributed among the voxels of the training set that are
/// [expected](super::Expectation) to have a temperature. The diffusion's data is
/// `x = (√T_b − mean) / deviation`.
///
/// The logarithm of `T_b` spans decades that do not matter, and an error in its
/// mean is an error of a factor; `T_b` itself has a tail that no network of
/// squared errors can learn. Between them, at a given expectation, the square root
/// is nearly normal (kurtosis 3 where 99 % of the power is), and the mean and the
/// power of the map hang on the mean and the deviation of `x`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Departure {
    /// Mean of `√T_b` in units of `√(T_expected + 0.1 mK)`, at knots of
    /// `log10(T_expected + 0.1 mK)` from −1 on, a quarter of a dex apart.
    pub mean: Vec<f64>,
    /// Its deviation, in the same unit at the same knots.
    pub deviation: Vec<f64>,
}

impl Default for Departure {
    /// Still to be fitted: mean and deviation as large as what is expected.
    fn default() -> Self {
        Self { mean: vec![1.0; KNOTS], deviation: vec![1.0; KNOTS] }
    }
}

impl Departure {
    /// Mean and deviation of `√T_b` in √mK where
    /// `expected` mK are expected.
    pub fn spread(&self, expected: f32) -> [f32; 2] {
        let raised = f64::from(expected.max(0.0)) + SMALL;
        let place = ((raised.log10() - FIRST_KNOT) / KNOT_STEP).clamp(0.0, (KNOTS - 1) as f64);
        let knot = (place as usize).min(KNOTS - 2);
        let part = place - knot as f64;
        let at = |table: &[f64]| (raised.sqrt() * (table[knot] * (1.0 - part) + table[knot + 1] * part)) as f32;
        [at(&self.mean), at(&self.deviation)]
    }

    /// The diffusion's data for a brightness temperature in mK.
    pub fn forward(&self, temperature: f32, expected: f32) -> f32 {
        let [mean, deviation] = self.spread(expected);
        (temperature.max(0.0).sqrt() - mean) / deviation
    }

    /// The brightness temperature in mK, never negative, of the diffusion's data.
    pub fn inverse(&self, x: f32, expected: f32) -> f32 {
        let [mean, deviation] = self.spread(expected);
        (mean + deviation * x).max(0.0).powi(2)
    }

    /// The tables with which what was painted has the mean and the mean square
    /// of the truth at every knot: mean and deviation are shifted and stretched.
    pub fn calibrated(&self, moments: &Moments) -> Self {
        let mut departure = self.clone();
        let mut last = [0.0, 1.0];
        for knot in 0..KNOTS {
            let raised = raised_at(knot);
            let (truth, painted) = (&moments.truth[knot], &moments.painted[knot]);
            if raised >= CALIBRATED_FROM && truth.0 >= ENOUGH && painted.len() >= ENOUGH_PAINTED {
                let [mean, square] = [truth.1, truth.2].map(|sum| sum / truth.0 as f64);
                last = affine(painted, [self.mean[knot], self.deviation[knot]], [mean, square]);
            }
            let [shift, gain] = last;
            departure.mean[knot] = self.mean[knot] + self.deviation[knot] * shift;
            departure.deviation[knot] = self.deviation[knot] * gain;
        }
        departure
    }

    /// Fit the tables to voxels given as pairs of true and expected temperature.
    pub fn fit(&mut self, voxels: impl Iterator<Item = (f32, f32)>) {
        let mut moments = [(0u64, 0f64, 0f64); KNOTS];
        for (temperature, expected) in voxels {
            let (knot, raised) = nearest_knot(expected);
            let root = (f64::from(temperature.max(0.0)) / raised).sqrt();
            let (count, sum, squares) = &mut moments[knot];
            (*count, *sum, *squares) = (*count + 1, *sum + root, *squares + root * root);
        }
        let mut last = [1.0, 1.0];
        for (knot, (count, sum, squares)) in moments.into_iter().enumerate() {
            if count >= ENOUGH {
                let mean = sum / count as f64;
                let variance = (squares / count as f64 - mean * mean).max(0.0);
                last = [mean, (variance + LEAST_DEVIATION.powi(2) / raised_at(knot)).sqrt()];
            }
            [self.mean[knot], self.deviation[knot]] = last;
        }
    }
}

/// What was painted and what is true at every knot of the tables.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Voxels, sum and sum of squares of `T_b / (T_expected + 0.1 mK)`.
    truth: Vec<(u64, f64, f64)>,
    /// The data that was painted.
    painted: Vec<Vec<f32>>,
}

impl Moments {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self { truth: vec![(0, 0.0, 0.0); KNOTS], painted: vec![Vec::new(); KNOTS] }
    }

    /// Add true voxels: pairs of true and expected temperature in mK.
    pub fn add_truth(&mut self, voxels: impl Iterator<Item = (f32, f32)>) {
        for (temperature, expected) in voxels {
            let (knot, raised) = nearest_knot(expected);
            let ratio = f64::from(temperature) / raised;
            let (count, sum, squares) = &mut self.truth[knot];
            (*count, *sum, *squares) = (*count + 1, *sum + ratio, *squares + ratio * ratio);
        }
    }

    /// Add painted voxels: pairs of the diffusion's data and the expected
    /// temperature in mK.
    pub fn add_painted(&mut self, voxels: impl Iterator<Item = (f32, f32)>) {
        for (x, expected) in voxels {
            let (knot, raised) = nearest_knot(expected);
            if raised >= CALIBRATED_FROM {
                self.painted[knot].push(x);
            }
        }
    }
}

impl Default for Moments {
    fn default() -> Self {
        Self::new()
    }
}

/// The knot that an expected temperature belongs to, and the temperature raised.
fn nearest_knot(expected: f32) -> (usize, f64) {
    let raised = f64::from(expected.max(0.0)) + SMALL;
    (((raised.log10() - FIRST_KNOT) / KNOT_STEP).round().clamp(0.0, (KNOTS - 1) as f64) as usize, raised)
}

/// `T_expected + 0.1 mK` at a knot.
fn raised_at(knot: usize) -> f64 {
    10f64.powf(FIRST_KNOT + KNOT_STEP * knot as f64)
}

/// The shift and gain with which `(mean + deviation · (gain · x + shift))₊²` has
/// the given mean and mean square: the mean grows with the shift, and at a given
/// mean the square grows with the gain. The gain is kept between a half and two.
fn affine(x: &[f32], [mean, deviation]: [f64; 2], [target, target_square]: [f64; 2]) -> [f64; 2] {
    let moments = |shift: f64, gain: f64| {
        let values = x.iter().map(|&x| (mean + deviation * (gain * f64::from(x) + shift)).max(0.0).powi(2));
        let [sum, squares] = values.fold([0.0, 0.0], |[sum, squares], t| [sum + t, squares + t * t]);
        [sum / x.len() as f64, squares / x.len() as f64]
    };
    let shift_for = |gain: f64| bisect(-4.0, 4.0, |shift| moments(shift, gain)[0] < target);
    let gain = bisect(0.5, 2.0, |gain| moments(shift_for(gain), gain)[1] < target_square);
    [shift_for(gain), gain]
}

/// Where `low` turns from true to false between two values.
fn bisect(mut from: f64, mut to: f64, low: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..30 {
        let middle = 0.5 * (from + to);
        if low(middle) { from = middle } else { to = middle }
    }
    0.5 * (from + to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_fitted_tables_is_standardised_and_comes_back() {
        // √T_b = √T_expected · (1 ± 0.5), at all temperatures.
        let mut departure = Departure::default();
        let voxels: Vec<(f32, f32)> = (0..200_000)
            .map(|i| {
                let expected = 10f32.powf(-2.0 + 5.0 * (i as f32 / 200_000.0));
                let root = expected.sqrt() * if i % 2 == 0 { 0.5 } else { 1.5 };
                (root * root, expected)
            })
            .collect();
        departure.fit(voxels.iter().copied());
        for &(temperature, expected) in voxels.iter().filter(|(_, expected)| *expected > 1.0) {
            let x = departure.forward(temperature, expected);
            assert!((x.abs() - 1.0).abs() < 0.1, "x = {x} at {expected} mK");
            assert!((departure.inverse(x, expected) / temperature - 1.0).abs() < 1e-4);
        }
        assert_eq!(departure.inverse(-50.0, 1.0), 0.0);
        // Beyond the last knot the departure goes on in proportion.
        let [low, high] = [1e4, 4e4].map(|expected| departure.spread(expected)[0]);
        assert!((high / low - 2.0).abs() < 1e-3);
    }

    #[test]
    fn calibration_gives_back_the_scatter_that_painting_lost() {
        let departure = Departure::default();
        let mut x = vec![0f32; 40_000];
        crate::stitch::fill_normal(&mut x, 1, crate::stitch::Stream::Latent);
        let expected = |i: usize| 10f32.powf((i % 5) as f32 / 2.0);
        let mut moments = Moments::new();
        moments.add_truth(x.iter().enumerate().map(|(i, &x)| (departure.inverse(0.5 * x, expected(i)), expected(i))));
        // Painted with a tenth too little scatter and too low.
        let painted: Vec<(f32, f32)> = x.iter().enumerate().map(|(i, &x)| (0.45 * x - 0.1, expected(i))).collect();
        moments.add_painted(painted.iter().copied());
        let calibrated = departure.calibrated(&moments);
        let power = |departure: &Departure, scale: f32, shift: f32| -> [f64; 2] {
            let values =
                x.iter().enumerate().map(|(i, &x)| f64::from(departure.inverse(scale * x + shift, expected(i))));
            values.fold([0.0; 2], |[sum, squares], t| [sum + t, squares + t * t])
        };
        let (truth, before, after) =
            (power(&departure, 0.5, 0.0), power(&departure, 0.45, -0.1), power(&calibrated, 0.45, -0.1));
        for i in 0..2 {
            assert!((before[i] / truth[i] - 1.0).abs() > 0.05, "nothing to calibrate");
            assert!((after[i] / truth[i] - 1.0).abs() < 0.01, "{} of the truth", after[i] / truth[i]);
        }
    }
}

//! The standardised residual of the brightness temperature about its conditional mean.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::field::Grid;

/// Temperatures far below this, in mK, are alike to [`Residual`]: half the mean
/// of a box, and nothing to its power.
const SMALL: f64 = 0.1;
/// `log10` of the first knot of the tables and the distance between two, in dex.
const FIRST_KNOT: f64 = -1.0;
const KNOT_STEP: f64 = 0.25;
/// Knots of the tables: up to 3 · 10³ mK.
pub const KNOTS: usize = 19;
/// Least deviation of `√T_b` in √mK. Where haloes are far the true one is
/// nothing at all, and dividing by it would make giants of stray voxels.
const LEAST_DEVIATION: f64 = 0.15;
/// A knot with fewer voxels than this takes its neighbour's values.
const ENOUGH: u64 = 100;

/// How `√T_b` is distributed among the voxels of the training set that are
/// [expected](super::ConditionalMean) to have a temperature. The diffusion's data is
/// `x = (√T_b − mean) / deviation`.
///
/// The logarithm of `T_b` spans decades that do not matter, and an error in its
/// mean is an error of a factor; `T_b` itself has a tail that no network of
/// squared errors can learn. Between them, at a given expectation, the square root
/// is nearly normal (kurtosis 3 where 99 % of the power is), and the mean and the
/// power of the map hang on the mean and the deviation of `x`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    /// Mean of `√T_b` in units of `√(T_expected + 0.1 mK)`, at knots of
    /// `log10(T_expected + 0.1 mK)` from −1 on, a quarter of a dex apart.
    pub mean: Vec<f64>,
    /// Its deviation, in the same unit at the same knots.
    pub deviation: Vec<f64>,
}

impl Default for Residual {
    /// Still to be fitted: mean and deviation as large as what is expected.
    fn default() -> Self {
        Self { mean: vec![1.0; KNOTS], deviation: vec![1.0; KNOTS] }
    }
}

impl Residual {
    /// Mean and deviation of `√T_b` in √mK where
    /// `expected` mK are expected.
    pub fn spread(&self, expected: f32) -> [f32; 2] {
        let raised = f64::from(expected.max(0.0)) + SMALL;
        let place = knot_place(expected);
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

    /// The tables at every voxel of a conditional mean in mK.
    pub fn standardised(&self, conditional_mean: &Grid, device: &Device) -> Standardised {
        let n = conditional_mean.n();
        let spread: Vec<[f32; 2]> = conditional_mean.as_slice().iter().map(|&t| self.spread(t)).collect();
        let field = |i: usize| {
            let values = spread.iter().map(|s| s[i]).collect::<Vec<f32>>();
            Tensor::from_data(TensorData::new(values, [n, n, n]), device)
        };
        Standardised { mean: field(0), deviation: field(1) }
    }

    /// The diffusion's data for a map in mK, voxel by voxel.
    pub fn data(&self, temperatures: &[f32], expected: &[f32]) -> Vec<f32> {
        temperatures.iter().zip(expected).map(|(&t, &expected)| self.forward(t, expected)).collect()
    }

    /// Fit the tables to voxels given as pairs of true and expected temperature.
    pub fn fit(&mut self, voxels: impl Iterator<Item = (f32, f32)>) {
        let mut moments = [(0u64, 0f64, 0f64); KNOTS];
        for (temperature, expected) in voxels {
            let knot = knot_place(expected).round() as usize;
            let root = (f64::from(temperature.max(0.0)) / (f64::from(expected.max(0.0)) + SMALL)).sqrt();
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

/// Mean and deviation of `√T_b` in √mK at every voxel of a box, on the device.
#[derive(Debug, Clone)]
pub struct Standardised {
    /// `[n, n, n]`.
    pub mean: Tensor<3>,
    /// `[n, n, n]`.
    pub deviation: Tensor<3>,
}

impl Standardised {
    /// The brightness temperature in mK of the diffusion's data, `[n, n, n]`.
    pub fn temperature(&self, x: Tensor<3>) -> Tensor<3> {
        (self.mean.clone() + x * self.deviation.clone()).clamp_min(0.0).square()
    }

    /// The deviation in mK that one of `spread` about data `x` stands for, `[n, n, n]` each.
    pub fn deviation_of_temperature(&self, x: Tensor<3>, spread: Tensor<3>) -> Tensor<3> {
        (self.temperature(x.clone() + spread.clone()) - self.temperature(x - spread)).abs() / 2.0
    }
}

/// Where an expected temperature in mK lies among the knots, 0 the first.
pub fn knot_place(expected: f32) -> f64 {
    let raised = f64::from(expected.max(0.0)) + SMALL;
    ((raised.log10() - FIRST_KNOT) / KNOT_STEP).clamp(0.0, (KNOTS - 1) as f64)
}

/// `T_expected + 0.1 mK` at a knot.
fn raised_at(knot: usize) -> f64 {
    10f64.powf(FIRST_KNOT + KNOT_STEP * knot as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_fitted_tables_is_standardised_and_comes_back() {
        // √T_b = √T_expected · (1 ± 0.5), at all temperatures.
        let mut residual = Residual::default();
        let voxels: Vec<(f32, f32)> = (0..200_000)
            .map(|i| {
                let expected = 10f32.powf(-2.0 + 5.0 * (i as f32 / 200_000.0));
                let root = expected.sqrt() * if i % 2 == 0 { 0.5 } else { 1.5 };
                (root * root, expected)
            })
            .collect();
        residual.fit(voxels.iter().copied());
        for &(temperature, expected) in voxels.iter().filter(|(_, expected)| *expected > 1.0) {
            let x = residual.forward(temperature, expected);
            assert!((x.abs() - 1.0).abs() < 0.1, "x = {x} at {expected} mK");
            assert!((residual.inverse(x, expected) / temperature - 1.0).abs() < 1e-4);
        }
        assert_eq!(residual.inverse(-50.0, 1.0), 0.0);
        // Beyond the last knot the residual goes on in proportion.
        let [low, high] = [1e4, 4e4].map(|expected| residual.spread(expected)[0]);
        assert!((high / low - 2.0).abs() < 1e-3);
    }
}

//! Calibrating a denoiser's estimates on boxes that it has not learned from.

use burn::tensor::{Tensor, TensorData};

use super::lodi::{LodiBox, LodiBoxes};
use crate::device::{ComputeDevice, host};
use crate::error::{Error, Result};
use crate::field::{CorrelatedNoise, Stream};
use crate::nn::{
    CALIBRATION_LEVELS, Calibration, CalibrationTable, KNOTS, Lodi, NoiseSchedule, Surroundings, alpha, knot_place,
    sigma,
};

/// Seed of the noise with which the truths are hidden.
const SEED: u64 = 0xc0;
/// What an estimate is calibrated by: a constant, itself, and its mean over the surroundings.
const TERMS: usize = 3;
/// A knot with fewer voxels than this takes its neighbour's calibration: a thousand
/// voxels are some forty haloes, whose voxels depart together.
const ENOUGH: f64 = 1000.0;
/// Knots are calibrated from this one on, 0.3 mK: all fainter voxels together hold 3 %
/// of the HI and a thousandth of the power.
const FIRST: usize = 2;
/// What the coefficients cost, per voxel: where an estimate hardly varies, as near pure
/// noise, chance would set its gain.
const RIDGE: f64 = 1e-3;

/// Show the denoiser noisy truths of `count` validation boxes (training boxes where there
/// are none), at every noise level with other noise, and return the calibration with which its
/// estimates have the least squared error.
///
/// The truths are centred: data averages nothing at every conditional mean, and
/// where in these few boxes it does not, a handful of heavy haloes is why.
///
/// `report` hears of the noise levels done and in all, and returns whether to go on.
///
/// # Errors
/// Those of the device, and [`Error::Cancelled`].
pub fn calibrate(
    boxes: &LodiBoxes,
    count: usize,
    lodi: &Lodi,
    device: &ComputeDevice,
    mut report: impl FnMut(usize, usize) -> bool,
) -> Result<Calibration> {
    let config = lodi.config();
    let unseen = boxes.0.unseen();
    let count = count.min(unseen.len());
    let boxes: Vec<(&LodiBox, Vec<f32>)> = unseen
        .iter()
        .take(count)
        .map(|from| (from, from.mean().as_slice().iter().map(|&t| knot_place(t) as f32).collect()))
        .collect();
    let mut means = KnotMeans::default();
    boxes.iter().for_each(|(from, places)| means.add(&from.data(config), places));
    let mut errors = Errors::new();
    for (index, (from, places)) in boxes.iter().enumerate() {
        let n = from.seen.fields.n();
        let condition = from.condition(lodi, device)?;
        let surroundings = Surroundings::new(from.mean(), &device.burn);
        let noise = CorrelatedNoise::new(config.noise, n);
        let mut x = from.data(config);
        means.subtract_from(&mut x, places);
        let tensor = |values: Vec<f32>| Tensor::<3>::from_data(TensorData::new(values, [n, n, n]), &device.burn);
        for level in 0..CALIBRATION_LEVELS {
            let looks = index * CALIBRATION_LEVELS + level;
            if !report(looks, count * CALIBRATION_LEVELS) {
                return Err(Error::Cancelled);
            }
            let gamma = Errors::gamma(level, &config.schedule);
            let noise = noise.draw(SEED, Stream::Training(looks as u32));
            let latent = tensor(x.clone()) * alpha(gamma) + tensor(noise) * sigma(gamma);
            let estimate = condition.denoise(&latent, gamma, lodi, device)?;
            let mean = host(surroundings.mean(estimate.clone()))?;
            errors.add(level, &x, [&host(estimate)?, &mean], places);
        }
    }
    Ok(errors.calibration())
}

/// Means of data at the knots of the conditional mean.
#[derive(Debug, Clone)]
struct KnotMeans {
    /// Voxels and sum.
    sums: Vec<(f64, f64)>,
}

impl Default for KnotMeans {
    fn default() -> Self {
        Self { sums: vec![(0.0, 0.0); KNOTS] }
    }
}

impl KnotMeans {
    /// Add the data of a box whose voxels lie at `places` among the knots.
    fn add(&mut self, x: &[f32], places: &[f32]) {
        for (&x, &place) in x.iter().zip(places) {
            let (count, sum) = &mut self.sums[place.round() as usize];
            (*count, *sum) = (*count + 1.0, *sum + f64::from(x));
        }
    }

    /// Take the mean at its knot from every voxel of a box.
    fn subtract_from(&self, x: &mut [f32], places: &[f32]) {
        for (x, &place) in x.iter_mut().zip(places) {
            let (count, sum) = self.sums[place.round() as usize];
            *x -= (sum / count.max(1.0)) as f32;
        }
    }
}

/// Sums over voxels from which a [`Calibration`] is found.
#[derive(Debug, Clone)]
struct Errors {
    /// Per noise level and knot.
    sums: Vec<Vec<Sums>>,
}

/// Of one knot at one noise level.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Of the products of the terms with each other.
    normal: [[f64; TERMS]; TERMS],
    /// Of the products of the terms with the error.
    right: [f64; TERMS],
}

impl Errors {
    /// Of nothing yet.
    fn new() -> Self {
        Self { sums: vec![vec![Sums::default(); KNOTS]; CALIBRATION_LEVELS] }
    }

    /// `γ` of a level.
    fn gamma(level: usize, schedule: &NoiseSchedule) -> f64 {
        schedule.gamma(level as f64 / (CALIBRATION_LEVELS - 1) as f64)
    }

    /// Add what was estimated of the data `x` of a box at a level, and the mean of the estimate
    /// over the surroundings.
    fn add(&mut self, level: usize, x: &[f32], [estimate, mean]: [&[f32]; 2], places: &[f32]) {
        for (((&x, &estimate), &mean), &place) in x.iter().zip(estimate).zip(mean).zip(places) {
            let knot = place.round() as usize;
            if knot < FIRST {
                continue;
            }
            let Sums { normal, right } = &mut self.sums[level][knot];
            let terms = [1.0, f64::from(estimate), f64::from(mean)];
            for (i, a) in terms.into_iter().enumerate() {
                right[i] += a * f64::from(x - estimate);
                for (sum, b) in normal[i].iter_mut().zip(terms) {
                    *sum += a * b;
                }
            }
        }
    }

    /// The calibration of least squared error.
    fn calibration(&self) -> Calibration {
        let level = |knots: &Vec<Sums>| -> CalibrationTable {
            let mut last = [0.0; TERMS];
            let per_knot = knots.iter().map(|sums| {
                let count = sums.normal[0][0];
                if count >= ENOUGH {
                    let mut normal = sums.normal;
                    (1..TERMS).for_each(|i| normal[i][i] += RIDGE * count);
                    last = solve(normal, sums.right);
                }
                last
            });
            per_knot.collect()
        };
        Calibration { levels: self.sums.iter().map(level).collect() }
    }
}

/// The solution of `A x = b` for a symmetric positive `A`, by elimination.
fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        for j in i + 1..N {
            let factor = a[j][i] / a[i][i];
            for k in i..N {
                a[j][k] -= factor * a[i][k];
            }
            b[j] -= factor * b[i];
        }
    }
    let mut x = [0.0; N];
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| a[i][k] * x[k]).sum();
        x[i] = (b[i] - known) / a[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::field::{Grid, fill_normal};
    use crate::nn::Calibrator;

    const SCHEDULE: NoiseSchedule = NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 };

    fn places(mean: &Grid) -> Vec<f32> {
        mean.as_slice().iter().map(|&t| knot_place(t) as f32).collect()
    }

    #[test]
    fn a_careful_estimate_becomes_the_best_one_at_every_noise_level() {
        let (n, device) = (32, Device::flex());
        let mut estimate = vec![0f32; n * n * n];
        fill_normal(&mut estimate, 1, Stream::Latent);
        let conditional = (0..n * n * n).map(|i| 10f32.powf((i % 7) as f32 / 2.0)).collect();
        let conditional = Grid::from_values(conditional, 1.0);
        let tensor = Tensor::<3>::from_data(TensorData::new(estimate.clone(), [n, n, n]), &device);
        let mean = host(Surroundings::new(&conditional, &device).mean(tensor.clone())).unwrap();
        // The truth departs further, by more where there is more noise.
        let truth = |gamma: f64| -> Vec<f32> {
            let further = 0.5 * SCHEDULE.position(gamma) as f32;
            estimate.iter().zip(&mean).map(|(x, mean)| 0.1 + (1.0 + further) * x - 0.2 * mean).collect()
        };
        let mut errors = Errors::new();
        for level in 0..CALIBRATION_LEVELS {
            let truth = truth(Errors::gamma(level, &SCHEDULE));
            errors.add(level, &truth, [&estimate, &mean], &places(&conditional));
        }
        let calibrated = |calibration: &Calibration, gamma: f64| {
            let calibrator = Calibrator::new(calibration, &SCHEDULE, &conditional, &device);
            host(calibrator.apply(gamma, tensor.clone())).unwrap()
        };
        let calibration = errors.calibration();
        for gamma in [-10.0, 1.3, 6.0] {
            for (x, truth) in calibrated(&calibration, gamma).iter().zip(truth(gamma)) {
                assert!((x - truth).abs() < 0.01, "γ = {gamma}: {x} for {truth}");
            }
        }
        assert_eq!(calibrated(&Calibration::default(), 0.0), estimate);
    }

    #[test]
    fn centred_data_averages_nothing_at_every_conditional_mean() {
        let n = 8;
        let conditional = Grid::from_values((0..n * n * n).map(|i| 10f32.powi(i % 3)).collect(), 1.0);
        let mut x: Vec<f32> = (0..n * n * n).map(|i| (i % 3) as f32 + (i % 5) as f32).collect();
        let mut means = KnotMeans::default();
        means.add(&x, &places(&conditional));
        means.subtract_from(&mut x, &places(&conditional));
        for class in 0..3 {
            let sum: f32 = x.iter().skip(class).step_by(3).sum();
            assert!(sum.abs() < 1e-3, "{sum} at class {class}");
        }
        assert!(x.iter().any(|x| x.abs() > 1.0));
    }

    #[test]
    fn empty_surroundings_have_no_say_in_the_mean_of_a_halo() {
        let (n, device) = (8, Device::flex());
        let voxel = (4 * n + 4) * n + 4;
        let mut conditional = vec![0f32; n * n * n];
        let mut values = vec![5f32; n * n * n];
        (conditional[voxel], conditional[voxel + 1]) = (100.0, 100.0);
        (values[voxel], values[voxel + 1]) = (1.0, 1.0);
        let values = Tensor::<3>::from_data(TensorData::new(values, [n, n, n]), &device);
        let mean = host(Surroundings::new(&Grid::from_values(conditional, 1.0), &device).mean(values)).unwrap()[voxel];
        // All voxels alike, it would be 4.6.
        assert!((mean - 1.0).abs() < 0.2, "{mean}");
    }
}

//! The calibration of the denoiser's estimates on validation boxes.

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::residual::{KNOTS, knot_place};
use super::schedule::NoiseSchedule;
use crate::field::{Grid, SMOOTHING_KERNEL};

/// Noise levels that the tables hold, evenly over the schedule.
pub const CALIBRATION_LEVELS: usize = 17;

/// The coefficients at every knot of the conditional mean, at one noise level: a constant, of
/// the estimate itself, and of its mean over the [`Surroundings`].
pub type CalibrationTable = Vec<[f64; 3]>;

/// What is added to a denoiser's estimates `x̂`, at every noise level and conditional mean:
/// `offset + gain · x̂ + smooth · x̄`, where `x̄` is the mean of `x̂` over the
/// [`Surroundings`].
///
/// A network that has not learned to the end is too careful: the truth departs further from
/// the mean than it says. An error of the estimates that stays the same from step to step ends
/// in the sample as its integral over the schedule, and so scatter and power go missing.
/// Calibrated estimates are those of least squared error on noisy truths of boxes that the
/// network has not learned from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// One a noise level, from the least noise to the most; none for no calibration.
    pub levels: Vec<CalibrationTable>,
}

impl Calibration {
    /// The coefficients at `gamma`, at every knot; `None` without a calibration.
    fn at(&self, schedule: &NoiseSchedule, gamma: f64) -> Option<CalibrationTable> {
        let last = self.levels.len().checked_sub(1)?;
        let place = (schedule.position(gamma) * last as f64).clamp(0.0, last as f64);
        let level = (place as usize).min(last.saturating_sub(1));
        let part = place - level as f64;
        let pairs = self.levels[level].iter().zip(&self.levels[(level + 1).min(last)]);
        Some(pairs.map(|(a, b)| std::array::from_fn(|i| a[i] * (1.0 - part) + b[i] * part)).collect())
    }
}

/// The surroundings of the voxels of a box, on the device: Gaussian, with a deviation of a
/// voxel, and weighted by the root of the conditional mean, so that the empty voxels about a
/// halo have no say in it.
#[derive(Debug, Clone)]
pub struct Surroundings {
    weight: Tensor<3>,
    /// The smoothed weight.
    total: Tensor<3>,
}

impl Surroundings {
    /// By the conditional mean of a box in mK.
    pub fn new(conditional_mean: &Grid, device: &Device) -> Self {
        let n = conditional_mean.n();
        let weight: Vec<f32> = conditional_mean.as_slice().iter().map(|t| (t.max(0.0) + 1e-3).sqrt()).collect();
        let weight = Tensor::from_data(TensorData::new(weight, [n, n, n]), device);
        Self { total: smooth(weight.clone()), weight }
    }

    /// The mean of `values` about every voxel.
    pub fn mean(&self, values: Tensor<3>) -> Tensor<3> {
        smooth(values * self.weight.clone()) / self.total.clone()
    }
}

/// A [`Calibration`] made ready for one box.
#[derive(Debug, Clone)]
pub struct Calibrator {
    calibration: Calibration,
    schedule: NoiseSchedule,
    surroundings: Surroundings,
    /// The knot below each voxel's conditional mean, `[n³]`, and how far it is to the next.
    knot: Tensor<1, Int>,
    part: Tensor<1>,
}

impl Calibrator {
    /// For a box with a conditional mean in mK.
    pub fn new(calibration: &Calibration, schedule: &NoiseSchedule, conditional_mean: &Grid, device: &Device) -> Self {
        let knots = conditional_mean.as_slice().iter().map(|&t| {
            let place = knot_place(t);
            let knot = (place as usize).min(KNOTS - 2);
            (knot as i32, (place - knot as f64) as f32)
        });
        let (knot, part): (Vec<i32>, Vec<f32>) = knots.unzip();
        let voxels = knot.len();
        Self {
            calibration: calibration.clone(),
            schedule: *schedule,
            surroundings: Surroundings::new(conditional_mean, device),
            knot: Tensor::from_data(TensorData::new(knot, [voxels]), device),
            part: Tensor::from_data(TensorData::new(part, [voxels]), device),
        }
    }

    /// The calibrated estimate of a whole box at `gamma`, `[n, n, n]`.
    pub fn apply(&self, gamma: f64, estimate: Tensor<3>) -> Tensor<3> {
        let Some(table) = self.calibration.at(&self.schedule, gamma) else { return estimate };
        let device = estimate.device();
        let dims = estimate.dims();
        let coefficient = |i: usize| -> Tensor<3> {
            let column = |shift: usize| {
                let values: Vec<f32> = (0..KNOTS - 1).map(|knot| table[knot + shift][i] as f32).collect();
                Tensor::<1>::from_floats(values.as_slice(), &device).select(0, self.knot.clone())
            };
            let low = column(0);
            (low.clone() + (column(1) - low) * self.part.clone()).reshape(dims)
        };
        let mean = self.surroundings.mean(estimate.clone());
        estimate.clone() + coefficient(0) + coefficient(1) * estimate + coefficient(2) * mean
    }
}

/// A periodic field `[n, n, n]` smoothed along each axis in turn, as
/// [`smooth`](crate::field::smooth) does on the host.
fn smooth(field: Tensor<3>) -> Tensor<3> {
    (0..3).fold(field, |field, axis| {
        let n = field.dims()[axis];
        let reach = SMOOTHING_KERNEL.len() / 2;
        // Grids are larger than the kernel's reach.
        let padded = Tensor::cat(
            vec![field.clone().narrow(axis, n - reach, reach), field.clone(), field.narrow(axis, 0, reach)],
            axis,
        );
        let shifted = SMOOTHING_KERNEL.iter().enumerate().map(|(i, &w)| padded.clone().narrow(axis, i, n) * w);
        shifted.reduce(|a, b| a + b).expect("a kernel has weights")
    })
}

//! Half precision, where a test on the device shows it to be harmless.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use burn::tensor::{Device, FloatDType, Tensor, TensorData};

use crate::device::{ComputeDevice, host};
use crate::error::Result;
use crate::field::{Stream, fill_normal};
use crate::nn::{CONDITION_CHANNELS, Lodi};

/// Largest error of estimates, rms in their own, that is harmless: a realisation then differs by a
/// hundredth of its scatter, and its power by less than a thousandth.
const LARGEST_ERROR: f64 = 0.01;
/// Largest mean error of estimates, in deviations of the data. What is wrong in the same way at every
/// step ends in the map as its integral over the noise levels.
const LARGEST_BIAS: f64 = 0.001;
/// Places on the noise schedule at which estimates are compared, from clean to noise.
const PLACES: [f64; 5] = [0.1, 0.3, 0.5, 0.7, 0.9];

/// The denoiser in the precision that suits the device, and a sentence where that is not single:
/// half, where the device computes in it, it is faster, and the denoiser's estimates are the same.
pub(super) fn suited(lodi: Lodi, device: &ComputeDevice) -> (Lodi, Option<String>) {
    if device.is_cpu() || !device.burn.supports_dtype(FloatDType::F16) {
        return (lodi, None);
    }
    let half = lodi.clone().with_precision(FloatDType::F16);
    // Kernels that a driver cannot compile panic.
    let compared = std::panic::catch_unwind(AssertUnwindSafe(|| Compared::new([&lodi, &half], &device.burn)));
    match compared {
        Ok(Ok(compared)) if compared.is_harmless() && compared.is_faster() => (half, Some(compared.describe())),
        _ => (lodi, None),
    }
}

/// Estimates in half precision against those in single.
#[derive(Debug)]
struct Compared {
    /// Rms of the difference over the rms of the estimates, the largest over noise levels.
    error: f64,
    /// Mean difference, the largest over noise levels.
    bias: f64,
    /// Time of all estimates, single and half.
    times: [Duration; 2],
}

impl Compared {
    fn new([single, half]: [&Lodi; 2], device: &Device) -> Result<Self> {
        let schedule = single.config().schedule;
        let estimates = |lodi: &Lodi| -> Result<Vec<Vec<f32>>> {
            let of_place = |(index, &place): (usize, &f64)| {
                let [latent, condition] = example(index as u32, lodi.config().tile, device);
                host(lodi.denoise(latent, condition, schedule.gamma(place)))
            };
            PLACES.iter().enumerate().map(of_place).collect()
        };
        // The first pass compiles and tunes kernels.
        let timed = |lodi: &Lodi| -> Result<(Vec<Vec<f32>>, Duration)> {
            estimates(lodi)?;
            let began = Instant::now();
            Ok((estimates(lodi)?, began.elapsed()))
        };
        let (exact, in_single) = timed(single)?;
        let (rounded, in_half) = timed(half)?;
        let (mut error, mut bias) = (0f64, 0f64);
        for (exact, rounded) in exact.iter().zip(&rounded) {
            let count = exact.len() as f64;
            let differences = || exact.iter().zip(rounded).map(|(a, b)| f64::from(b - a));
            let power = exact.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            let ratio = (differences().map(|d| d * d).sum::<f64>() / power).sqrt();
            let mean = (differences().sum::<f64>() / count).abs();
            // What overflowed is no number, and no number is harmless.
            error = if ratio.is_nan() { f64::INFINITY } else { error.max(ratio) };
            bias = if mean.is_nan() { f64::INFINITY } else { bias.max(mean) };
        }
        Ok(Self { error, bias, times: [in_single, in_half] })
    }

    fn is_harmless(&self) -> bool {
        self.error <= LARGEST_ERROR && self.bias <= LARGEST_BIAS
    }

    fn is_faster(&self) -> bool {
        self.times[1] < self.times[0]
    }

    fn describe(&self) -> String {
        let [single, half] = self.times.map(|time| time.as_secs_f64());
        format!(
            "The denoiser computes in half precision, {:.1} times as fast; its estimates differ by {:.1e} of their size.",
            single / half,
            self.error
        )
    }
}

/// A latent and a condition of one tile of `side³` voxels, as large as they are in a box.
fn example(index: u32, side: usize, device: &Device) -> [Tensor<5>; 2] {
    let normals = |channels: usize, stream: u32| {
        let mut values = vec![0f32; channels * side.pow(3)];
        fill_normal(&mut values, 0x16, Stream::Training(stream));
        (values, [1, channels, side, side, side])
    };
    let (latent, shape) = normals(1, 2 * index);
    let latent = Tensor::from_data(TensorData::new(latent, shape), device);
    // Decades above a floor: most voxels have nothing, and few have four.
    let (condition, shape) = normals(CONDITION_CHANNELS, 2 * index + 1);
    let condition = condition.into_iter().map(|v| 1.5 * v.max(0.0)).collect::<Vec<f32>>();
    [latent, Tensor::from_data(TensorData::new(condition, shape), device)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::lodi_weights;

    #[test]
    fn estimates_of_the_weights_are_the_same_in_half_precision_and_a_denoiser_that_is_wrong_is_told() {
        let device = Device::flex();
        let lodi = lodi_weights(None, &device).unwrap().network;
        let half = lodi.clone().with_precision(FloatDType::F16);
        let compared = Compared::new([&lodi, &half], &device).unwrap();
        assert!(compared.is_harmless() && compared.error > 1e-5, "{compared:?}");
        let untrained = Lodi::new(lodi.config(), &device);
        let compared = Compared::new([&lodi, &untrained], &device).unwrap();
        assert!(!compared.is_harmless(), "{compared:?}");
    }

    #[test]
    fn the_cpu_computes_in_single_precision() {
        let device = ComputeDevice::cpu("a test");
        let lodi = lodi_weights(None, &device.burn).unwrap().network;
        assert!(suited(lodi, &device).1.is_none());
    }
}

//! Gaussian noise that is correlated from voxel to voxel.

use ndarray::Array3;
use serde::{Deserialize, Serialize};

use super::random::{Stream, fill_normal};
use super::{RealFft3, fft_frequency};

/// The correlation of a diffusion model's noise: part of its variance is white, the rest
/// is white noise smoothed with a Gaussian.
///
/// The residual of a halo's voxels is dominated by one common number, how much HI the halo
/// has for its mass. White noise hides it behind a thousand independent values, and a
/// network that averages them imperfectly loses power on large scales. Noise with about
/// the correlation of the data leaves all scales equally noisy at every step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoiseCorrelation {
    /// Part of the variance that is smooth, in `[0, 1)`.
    pub smooth: f64,
    /// Deviation of the Gaussian that smooths it, in voxels: voxels `r` apart
    /// then correlate with `smooth · exp(−r² / 4 radius²)`.
    pub radius: f64,
}

impl NoiseCorrelation {
    /// Every voxel on its own.
    pub const WHITE: Self = Self { smooth: 0.0, radius: 0.0 };
}

impl Default for NoiseCorrelation {
    fn default() -> Self {
        Self::WHITE
    }
}

/// Correlated noise in a periodic box: the spectrum of a [`NoiseCorrelation`] on its modes.
pub struct CorrelatedNoise {
    plan: RealFft3,
    /// Amplitude of every mode of the half-complex transform, over that of white
    /// noise; never 0.
    amplitude: Array3<f32>,
}

impl CorrelatedNoise {
    /// For boxes of `n³` voxels. The variance of a voxel stays one.
    pub fn new(correlation: NoiseCorrelation, n: usize) -> Self {
        // The spectrum of a Gaussian is one of three Gaussians of one axis each.
        let axis: Vec<f64> = (0..n)
            .map(|i| {
                let k = std::f64::consts::TAU * fft_frequency(i, n) as f64 / n as f64;
                (-(k * correlation.radius).powi(2)).exp()
            })
            .collect();
        let mean = (axis.iter().sum::<f64>() / n as f64).powi(3);
        let amplitude = Array3::from_shape_fn((n, n, n / 2 + 1), |(x, y, z)| {
            let smooth = axis[x] * axis[y] * axis[z] / mean;
            (1.0 - correlation.smooth + correlation.smooth * smooth).sqrt() as f32
        });
        Self { plan: RealFft3::new(n), amplitude }
    }

    /// Draw noise of this correlation: `n³` values in C order.
    pub fn draw(&self, seed: u64, stream: Stream) -> Vec<f32> {
        let mut white = vec![0f32; self.plan.n().pow(3)];
        fill_normal(&mut white, seed, stream);
        self.correlate(white)
    }

    /// Give white noise this correlation: `n³` values in C order.
    pub fn correlate(&self, white: Vec<f32>) -> Vec<f32> {
        self.filter(white, |amplitude| amplitude)
    }

    /// The white noise that was correlated.
    pub fn whiten(&self, correlated: Vec<f32>) -> Vec<f32> {
        self.filter(correlated, |amplitude| 1.0 / amplitude)
    }

    /// Mean over all modes of the logarithm of the noise's spectrum: `ln det C / n³`
    /// of its covariance `C`.
    pub fn mean_log_spectrum(&self) -> f64 {
        let n = self.plan.n();
        let sum: f64 = self
            .amplitude
            .indexed_iter()
            .map(|((_, _, z), &a)| {
                let twice = if z == 0 || 2 * z == n { 1.0 } else { 2.0 };
                twice * 2.0 * f64::from(a).ln()
            })
            .sum();
        sum / (n as f64).powi(3)
    }

    fn filter(&self, field: Vec<f32>, gain: impl Fn(f32) -> f32) -> Vec<f32> {
        let n = self.plan.n();
        let field = Array3::from_shape_vec((n, n, n), field).expect("a field of the box that this noise is for");
        let mut modes = self.plan.forward(&field);
        let volume = (n as f32).powi(3);
        modes.zip_mut_with(&self.amplitude, |mode, &amplitude| *mode *= gain(amplitude) / volume);
        self.plan.inverse(modes).into_raw_vec_and_offset().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORRELATION: NoiseCorrelation = NoiseCorrelation { smooth: 0.9, radius: 1.2 };

    fn white(n: usize) -> Vec<f32> {
        let mut white = vec![0f32; n.pow(3)];
        fill_normal(&mut white, 3, Stream::Latent);
        white
    }

    #[test]
    fn neighbours_correlate_as_asked_for_and_voxels_have_unit_variance() {
        let n = 64;
        let noise = CorrelatedNoise::new(CORRELATION, n).correlate(white(n));
        let at = |x: usize, y: usize, z: usize| f64::from(noise[(x % n * n + y % n) * n + z % n]);
        for [i, j, k] in [[0, 0, 0], [1, 0, 0], [0, 1, 1], [0, 0, 2], [6, 0, 0]] {
            let mut sum = 0.0;
            for (x, y, z) in (0..n).flat_map(|x| (0..n).flat_map(move |y| (0..n).map(move |z| (x, y, z)))) {
                sum += at(x, y, z) * at(x + i, y + j, z + k);
            }
            let squared = (i * i + j * j + k * k) as f64;
            let white = if squared == 0.0 { 1.0 - CORRELATION.smooth } else { 0.0 };
            let expected = white + CORRELATION.smooth * (-squared / (4.0 * CORRELATION.radius.powi(2))).exp();
            let found = sum / (n as f64).powi(3);
            // The smooth part of 64³ voxels is that of some 3400 independent ones.
            assert!((found - expected).abs() < 0.05, "{i} {j} {k}: {found}, expected {expected}");
        }
    }

    #[test]
    fn whitening_undoes_noise() {
        for (n, correlation) in [(16, CORRELATION), (15, CORRELATION), (16, NoiseCorrelation::WHITE)] {
            let noise = CorrelatedNoise::new(correlation, n);
            for (a, b) in noise.whiten(noise.correlate(white(n))).into_iter().zip(white(n)) {
                assert!((a - b).abs() < 1e-4, "{a} for {b}");
            }
        }
    }

    #[test]
    fn the_spectrum_of_white_noise_is_one_and_of_smooth_noise_less_in_the_mean_of_logarithms() {
        assert!(CorrelatedNoise::new(NoiseCorrelation::WHITE, 16).mean_log_spectrum().abs() < 1e-6);
        // Most modes have the white part alone: ln 0.1 = −2.3.
        let smooth = CorrelatedNoise::new(CORRELATION, 32).mean_log_spectrum();
        assert!((-2.3..-1.0).contains(&smooth), "{smooth}");
    }
}

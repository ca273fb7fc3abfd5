//! Finding what repeats with the tiles in series of one number a plane.
//!
//! A lattice of tiles puts its mark on the modes `j · n / tile` of such a series alone, at a
//! phase that says where its faces lie. The modes between them know nothing of the lattice,
//! and so they say how large those modes are where there is no seam. Modes of a series of
//! means over planes are close to normal and independent, whatever the field: the amplitude of
//! a known pattern at known places, weighted by the inverse of that power, has a known error.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex64;

use super::significance::{of_chi_squared, of_student};

/// Modes between the lattice's that the power at one of the lattice's is found from.
const NEIGHBOURS: usize = 12;
/// Mean and variance of the logarithm of the power of three complex modes over its
/// expectation.
const LOG_OF_THREE: [f64; 2] = [-0.1758, 0.3949];

/// Series along the three axes, one number for each of `n` planes, and what their modes are
/// expected to hold where there is no seam.
pub struct Comb {
    n: usize,
    /// Modes that the lattice has to itself are multiples of this: tiles an axis.
    tiles: usize,
    /// Modes 0 to n/2 of each axis.
    modes: [Vec<Complex64>; 3],
    /// Expected power of each mode without a seam, of all axes alike.
    noise: Vec<f64>,
    /// Relative error of that.
    scale: f64,
    /// Mean of the series over planes and axes.
    pub mean: f64,
}

/// The amplitude of a pattern at the faces of a lattice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amplitude {
    /// The amplitude, in the unit of the series.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// Standard deviations from none.
    pub z: f64,
}

impl Comb {
    /// Of series of a lattice of `tile` voxels, which divides their length.
    pub fn new(series: [Vec<f64>; 3], tile: usize) -> Self {
        let n = series[0].len();
        let tiles = n / tile;
        let mean = series.iter().flatten().sum::<f64>() / (3 * n) as f64;
        let plan = FftPlanner::<f64>::new().plan_fft_forward(n);
        let modes = series.map(|values| {
            let mut modes: Vec<Complex64> = values.iter().map(|v| Complex64::new(v - mean, 0.0)).collect();
            plan.process(&mut modes);
            modes.truncate(n / 2 + 1);
            modes
        });
        // Between the lattice's modes: logarithm of wavenumber, and of power.
        let between: Vec<[f64; 2]> = (1..n.div_ceil(2))
            .filter(|k| k % tiles != 0)
            .map(|k| {
                let power = modes.iter().map(|m| m[k].norm_sqr()).sum::<f64>() / 3.0;
                [(k as f64).ln(), power.max(f64::MIN_POSITIVE).ln() - LOG_OF_THREE[0]]
            })
            .collect();
        let noise = (0..=n / 2).map(|k| expected(&between, (k as f64).max(1.0).ln()).exp()).collect();
        let scale = (LOG_OF_THREE[1] / between.len().max(1) as f64).sqrt();
        Self { n, tiles, modes, noise, scale, mean }
    }

    /// The lattice's own modes, and how often a real series has each.
    fn own(&self) -> impl Iterator<Item = (usize, f64)> {
        let n = self.n;
        (self.tiles..=n / 2).step_by(self.tiles).map(move |k| (k, if 2 * k == n { 1.0 } else { 2.0 }))
    }

    /// The amplitude along one axis of `pattern`, one value for each place within a tile from a
    /// face on, if the lattice's first face lies at `offset`.
    pub fn amplitude(&self, axis: usize, pattern: &[f64], offset: usize) -> Amplitude {
        let tile = pattern.len();
        let turn = std::f64::consts::TAU / self.n as f64;
        let (mut sum, mut weight) = (0.0, 0.0);
        for (k, times) in self.own() {
            let wave: Complex64 = pattern
                .iter()
                .enumerate()
                .map(|(i, &f)| Complex64::from_polar(f, -turn * ((k * (i + offset)) % self.n) as f64))
                .sum::<Complex64>()
                * (self.n / tile) as f64;
            sum += times * (wave.conj() * self.modes[axis][k]).re / self.noise[k];
            weight += times * wave.norm_sqr() / self.noise[k];
        }
        self.judged(sum / weight, weight.powf(-0.5))
    }

    /// The mean amplitude of the three axes, where each has its first face at `offset`.
    pub fn together(&self, pattern: &[f64], offset: [usize; 3]) -> Amplitude {
        let each = [0, 1, 2].map(|axis| self.amplitude(axis, pattern, offset[axis]));
        self.judged(each.iter().map(|a| a.value).sum::<f64>() / 3.0, each[0].error / 3f64.sqrt())
    }

    fn judged(&self, value: f64, error: f64) -> Amplitude {
        Amplitude { value, error, z: of_student(value / error, 2.0 / self.scale.powi(2)) }
    }

    /// Standard deviations by which the lattice's modes hold more than those between them, at
    /// whatever phase: the comb test. `every` takes each mode (1), or every second (2) and so on:
    /// those of a lattice whose faces are as many times closer.
    pub fn excess(&self, every: usize) -> f64 {
        let (mut chi_squared, mut freedom) = (0.0, 0.0);
        for (k, times) in self.own().filter(|(k, _)| k % (every * self.tiles) == 0) {
            for modes in &self.modes {
                chi_squared += times * modes[k].norm_sqr() / self.noise[k];
                freedom += times;
            }
        }
        of_chi_squared(chi_squared, freedom, self.scale)
    }

    /// Power of every mode from 1 on, mean of the axes, over what is expected of it.
    pub fn spectrum(&self) -> Vec<f64> {
        let power = |k: usize| self.modes.iter().map(|m| m[k].norm_sqr()).sum::<f64>() / 3.0;
        (1..=self.n / 2).map(|k| power(k) / self.noise[k]).collect()
    }
}

/// A straight line through the nearest points, the nearer the weightier, at `x`.
fn expected(points: &[[f64; 2]], x: f64) -> f64 {
    let far = |p: &[f64; 2]| (p[0].exp() - x.exp()).abs();
    let mut near: Vec<[f64; 2]> = points.to_vec();
    near.sort_by(|a, b| far(a).total_cmp(&far(b)));
    near.truncate(NEIGHBOURS);
    let reach = near.last().map_or(1.0, far) + 1.0;
    let weighted: Vec<(f64, [f64; 2])> = near.iter().map(|p| ((1.0 - (far(p) / reach).powi(3)).powi(3), *p)).collect();
    let total: f64 = weighted.iter().map(|(w, _)| w).sum();
    let mean = [0, 1].map(|i| weighted.iter().map(|(w, p)| w * p[i]).sum::<f64>() / total);
    let spread: f64 = weighted.iter().map(|(w, p)| w * (p[0] - mean[0]).powi(2)).sum();
    let slope: f64 = weighted.iter().map(|(w, p)| w * (p[0] - mean[0]) * (p[1] - mean[1])).sum();
    // Two or three points say nothing of a slope.
    if near.len() < 4 || spread == 0.0 { mean[1] } else { mean[1] + slope / spread * (x - mean[0]) }
}

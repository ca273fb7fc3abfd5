//! The haloes of a box, what they hold, and the power that it implies.

use crate::field::Grid;
use crate::stats::power_spectrum;
use crate::stitch::philox;

/// Maps of signs that [`Haloes::own_power`] is averaged over: what they have by chance is a
/// tenth of it in a shell of ten modes, and less in shells of more.
const SIGNS: u32 = 8;

/// The haloes of a box and what they hold by a [`HaloRelation`](super::HaloRelation).
#[derive(Debug, Clone)]
pub struct Haloes {
    /// Which of them a voxel lies in; [`Haloes::NONE`] outside all of them.
    halo: Vec<u32>,
    /// Sum of the brightness temperature over the voxels of each, mK; none for one
    /// that is too light to say.
    temperature: Vec<Option<f64>>,
    /// Variance of a halo's HI from draw to draw, over the square of its mean.
    variance: f64,
}

impl Haloes {
    /// The halo of a voxel outside all of them.
    pub const NONE: u32 = u32::MAX;

    pub(super) fn new(halo: Vec<u32>, temperature: Vec<Option<f64>>, variance: f64) -> Self {
        Self { halo, temperature, variance }
    }

    /// The mean power over all draws of the map whose mean is `expected`, mK² (Mpc/h)³, shell
    /// by shell: haloes have as much HI as is expected times a factor of mean one, each its
    /// own, so it is the power of the expected map and the variance of the factor times
    /// [what haloes have by themselves](Self::own_power).
    pub fn mean_power(&self, expected: &Grid) -> Vec<f64> {
        let own = self.own_power(expected);
        let power = power_spectrum(expected, None).power;
        power.into_iter().zip(own).map(|(power, own)| power + self.variance * own).collect()
    }

    /// `Σ |T_h(k)|²` of the parts of a map in mK that lie in each halo, as power in mK²
    /// (Mpc/h)³ per shell: the mean power of maps in which every halo has a sign by chance.
    pub fn own_power(&self, map: &Grid) -> Vec<f64> {
        let mut mean = Vec::new();
        for index in 0..SIGNS {
            let sign = |halo: u32| match philox([halo, index, 7, 0], [0, 0])[0] & 1 {
                0 => 1.0,
                _ => -1.0,
            };
            let mut signed = map.clone();
            signed.as_slice_mut().iter_mut().zip(&self.halo).for_each(|(t, &halo)| {
                *t *= if halo == Self::NONE { 0.0 } else { sign(halo) };
            });
            let power = power_spectrum(&signed, None).power;
            mean.resize(power.len(), 0.0);
            mean.iter_mut().zip(power).for_each(|(mean, power)| *mean += power / f64::from(SIGNS));
        }
        mean
    }

    /// Scale an expected map in mK in every halo so that it holds what it should.
    pub fn hold(&self, expected: &mut [f32]) {
        let sums = self.sums(expected);
        let factor = |(wanted, sum): (&Option<f64>, &f64)| match wanted {
            Some(wanted) if *sum > 0.0 => (wanted / sum) as f32,
            _ => 1.0,
        };
        let factors: Vec<f32> = self.temperature.iter().zip(&sums).map(factor).collect();
        self.multiply(expected, &factors);
    }

    /// Multiply the `values`, one a voxel, by the factor of the halo that they lie in.
    pub(super) fn multiply(&self, values: &mut [f32], factors: &[f32]) {
        for (value, &halo) in values.iter_mut().zip(&self.halo).filter(|(_, halo)| **halo != Self::NONE) {
            *value *= factors[halo as usize];
        }
    }

    /// The sum of `values`, one a voxel, over every halo.
    pub(super) fn sums(&self, values: &[f32]) -> Vec<f64> {
        let mut sums = vec![0.0; self.temperature.len()];
        for (&value, &halo) in values.iter().zip(&self.halo).filter(|(_, halo)| **halo != Self::NONE) {
            sums[halo as usize] += f64::from(value);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maps in which the HI of every halo is drawn by itself have, in the mean over many of
    /// them, the power that is told from the expected map alone.
    #[test]
    fn the_mean_power_is_that_of_many_draws() {
        let (n, draws, variance) = (16, 400, 0.25);
        let mut halo_of = vec![Haloes::NONE; n * n * n];
        let mut expected = Grid::zeros(n, 16.0).map(|_| 0.1);
        for halo in 0..12u32 {
            let [x, y, z, t] = philox([halo, 0, 0, 0], [1, 0]).map(|word| word as usize);
            for voxel in [0, 1].map(|step| (x % n * n + y % n) * n + (z + step) % n) {
                halo_of[voxel] = halo;
                expected.as_slice_mut()[voxel] = 1.0 + (t % 8) as f32;
            }
        }
        let haloes = Haloes::new(halo_of, vec![None; 12], variance);
        let mut mean = vec![0.0; n];
        for draw in 0..draws {
            let mut map = expected.clone();
            for (t, &halo) in map.as_slice_mut().iter_mut().zip(&haloes.halo) {
                if halo != Haloes::NONE {
                    let up = philox([halo, draw, 1, 0], [2, 0])[0] & 1 == 0;
                    *t *= 1.0 + variance.sqrt() as f32 * if up { 1.0 } else { -1.0 };
                }
            }
            let power = power_spectrum(&map, None).power;
            mean.iter_mut().zip(power).for_each(|(mean, power)| *mean += power / f64::from(draws));
        }
        let told = haloes.mean_power(&expected);
        let alone = power_spectrum(&expected, None).power;
        for shell in 0..n / 2 {
            let ratio = told[shell] / mean[shell];
            assert!((ratio - 1.0).abs() < 0.06, "shell {shell}: {ratio}");
            assert!(alone[shell] < 0.95 * mean[shell]);
        }
    }
}

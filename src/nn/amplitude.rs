//! How far a painted map departs from the expected one, so that it has the power that
//! it should have.

use serde::Serialize;

use super::haloes::Haloes;
use super::solve::solve;
use crate::field::Grid;
use crate::stats::power_spectrum;

/// Wavenumbers up to which power counts, h/Mpc.
const K_MAX: f64 = 10.0;
/// Steps towards the best amplitude. Power is nearly a parabola of it, so few do.
const STEPS: usize = 3;
/// The logarithms of amplitudes between which a map's power is measured, and which they
/// keep to.
const APART: f64 = 0.2;
const FARTHEST: f64 = 0.7;
/// How far power may be off that an amplitude is changed by a factor of e, squared: what
/// power does not tell stays as it is painted.
const RELUCTANCE: f64 = 0.03;

/// What the departures of a painted map are multiplied by.
///
/// In a box of 25 Mpc/h a few heavy haloes hold most of the power, and by how much chance makes
/// them depart changes it by a sixth, from one seed to another. The mean over all draws is
/// the best that can be said of the power of a truth whose draw nobody knows, and it is told
/// by the expected map ([`Haloes::mean_power`]) within 2 %. So
/// a map is painted as chance will have it, and its departures are scaled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Amplitude {
    /// Of what the voxels of a halo have in common: that it has more HI than is expected or
    /// less, which has power on all scales.
    pub together: f64,
    /// Of what they have not, which has power on small scales alone.
    pub apart: f64,
}

impl Amplitude {
    /// As painted.
    pub const PAINTED: Self = Self { together: 1.0, apart: 1.0 };

    /// The one with which a `map` has `mean_power`, shell by shell: least squares over the
    /// shells up to 10 h/Mpc.
    pub fn of_power(map: impl Fn(Self) -> Grid, mean_power: &[f64]) -> Self {
        let ratios = |logarithms: [f64; 2]| {
            let [together, apart] = logarithms.map(f64::exp);
            let spectrum = power_spectrum(&map(Self { together, apart }), None);
            let shells = spectrum.shells_up_to(K_MAX).min(mean_power.len());
            let pairs = spectrum.power.into_iter().zip(mean_power).take(shells);
            pairs.filter(|(_, mean)| **mean > 0.0).map(|(power, mean)| power / mean).collect::<Vec<f64>>()
        };
        let mut at = [0.0; 2];
        for _ in 0..STEPS {
            let here = ratios(at);
            let slopes = [0, 1].map(|i| {
                let mut there = at;
                there[i] += APART;
                ratios(there).iter().zip(&here).map(|(there, here)| (there - here) / APART).collect::<Vec<f64>>()
            });
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let missing: Vec<f64> = here.iter().map(|ratio| 1.0 - ratio).collect();
            let mut normal = [0, 1].map(|i| [0, 1].map(|j| product(&slopes[i], &slopes[j])));
            let mut right = [0, 1].map(|i| product(&slopes[i], &missing));
            for i in [0, 1] {
                normal[i][i] += RELUCTANCE;
                right[i] -= RELUCTANCE * at[i];
            }
            for (at, step) in at.iter_mut().zip(solve(normal, right)) {
                *at = (*at + step).clamp(-FARTHEST, FARTHEST);
            }
        }
        let [together, apart] = at.map(f64::exp);
        Self { together, apart }
    }
}

/// The departures of a painted map, `n³` values.
pub struct Departures {
    data: Vec<f32>,
    /// What the voxels of a halo have in common; nothing outside of haloes.
    together: Vec<f32>,
}

impl Departures {
    /// Of the diffusion's `data`. What the voxels of one of the `haloes` have in common is
    /// their mean, each weighted by how much it changes the temperature.
    pub fn new(data: Vec<f32>, weights: &[f32], haloes: &Haloes) -> Self {
        Self { together: haloes.means(&data, weights), data }
    }

    /// The data with this amplitude.
    pub fn scaled(&self, Amplitude { together, apart }: Amplitude) -> Vec<f32> {
        let pairs = self.data.iter().zip(&self.together);
        pairs.map(|(&x, &mean)| together as f32 * mean + apart as f32 * (x - mean)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

    #[test]
    fn a_map_has_the_power_it_should_have() {
        let n = 16;
        let field = |seed: u64| {
            let mut grid = Grid::zeros(n, 25.0);
            fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
            grid
        };
        // Haloes of 4³ voxels; each departs as a whole and voxel by voxel, the former too little
        // and the latter too much.
        let halo: Vec<u32> =
            (0..n.pow(3)).map(|v| (v / (n * n) / 4 * 4 + v / n % n / 4) * 4 + v % n / 4).map(|h| h as u32).collect();
        let haloes = Haloes::new(halo.clone(), vec![None; 64], 0.0);
        let (expected, own, whole) = (field(1), field(2), field(3));
        let weights = vec![1.0; n.pow(3)];
        let data = (0..n.pow(3)).map(|v| own.as_slice()[v] + 2.0 * whole.as_slice()[halo[v] as usize]).collect();
        let departures = Departures::new(data, &weights, &haloes);
        let map = |amplitude: Amplitude| {
            let mut map = expected.clone();
            map.as_slice_mut().iter_mut().zip(departures.scaled(amplitude)).for_each(|(t, d)| *t += 0.5 * d);
            map
        };
        let wanted = Amplitude { together: 1.3, apart: 0.8 };
        let found = Amplitude::of_power(map, &power_spectrum(&map(wanted), None).power);
        // A little nearer to what is painted than power alone would have it.
        assert!((found.together / wanted.together - 1.0).abs() < 0.02, "{found:?}");
        assert!((0.8..0.85).contains(&found.apart), "{found:?}");
        assert_eq!(departures.scaled(Amplitude::PAINTED).len(), n.pow(3));
    }

    #[test]
    fn what_a_halo_has_in_common_is_the_weighted_mean() {
        let halo = vec![0, 0, 1, Haloes::NONE];
        let departures =
            Departures::new(vec![1.0, 4.0, 2.0, 3.0], &[2.0, 1.0, 1.0, 1.0], &Haloes::new(halo, vec![None; 2], 0.0));
        assert_eq!(departures.together, [2.0, 2.0, 2.0, 0.0]);
        assert_eq!(departures.scaled(Amplitude { together: 2.0, apart: 0.5 }), [3.5, 5.0, 4.0, 1.5]);
    }
}

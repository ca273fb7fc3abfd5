//! A painted map on the condition that it has the power that it should have.

use super::haloes::Haloes;
use super::solve::solve;
use crate::error::Result;
use crate::field::{Grid, RealFft3, fft_shell};
use crate::stats::power_spectrum;

/// Wavenumbers up to which power counts, h/Mpc.
const K_MAX: f64 = 10.0;
/// Bands of wavenumbers that power is set in: the first shells each, the others by their logarithm.
const BANDS: usize = 16;
const SINGLE: usize = 5;
/// What is asked of a map: its power in every band, and its mean.
const CONDITIONS: usize = BANDS + 1;
/// Steps towards the conditions; power is a parabola of the changes, so few do.
const STEPS: usize = 5;
/// Variance of the change of a halo, a part of its temperature: less than that from draw to draw.
const OF_CHANGE: f64 = 0.09;
/// How near a map is to come to the conditions, relative, squared.
const OF_CONDITIONS: f64 = 1e-4;
/// Between what a halo's change is kept.
const RANGE: [f64; 2] = [-0.8, 2.0];

/// A painted map whose haloes have been changed for it to have the mean power over all draws.
#[derive(Debug, Clone)]
pub struct Conditioned {
    /// mK.
    pub map: Grid,
    /// By what part the HI of haloes was changed: root mean square, each weighted with what it has.
    pub change: f64,
}

impl Conditioned {
    /// A `painted` map in mK on the condition that it has `mean_power`, mK² (Mpc/h)³ per shell, in bands
    /// of wavenumbers up to 10 h/Mpc, and the mean that it has: the temperature of every halo
    /// is multiplied by a factor of its own, all as near to one as it takes (Hoffman & Ribak
    /// 1991, with a condition that is not linear: Gauss and Newton's steps).
    ///
    /// In a box of 25 Mpc/h a few heavy haloes hold most of the power, and by how much chance makes
    /// them depart changes it by a sixth, from one seed to another. The mean over all draws is
    /// the best that can be said of the power of a truth whose draw nobody knows, and it is told
    /// by the expected map ([`Haloes::mean_power`]) within 1 to 3 % in every shell. So a map is
    /// painted as chance will have it, and then conditioned, as simulations are begun
    /// with modes of fixed amplitude (Angulo & Pontzen 2016).
    ///
    /// `go_on` is asked before every band of every step.
    ///
    /// # Errors
    /// Those of `go_on`, which end it.
    pub fn new(
        painted: &Grid,
        haloes: &Haloes,
        mean_power: &[f64],
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<Self> {
        let n = painted.n();
        let plan = RealFft3::new(n);
        let held = haloes.sums(painted.as_slice());
        let all = held.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let shares: Vec<f64> = held.iter().map(|held| held / all).collect();
        let mut changes = vec![0.0; shares.len()];
        let mut map = painted.clone();
        for _ in 0..STEPS {
            let spectrum = power_spectrum(&map, None);
            let bands = Bands::new(spectrum.shells_up_to(K_MAX).min(mean_power.len()), mean_power);
            let (mut missing, mut modes) = ([0.0; CONDITIONS], [0.0; BANDS]);
            for (shell, band) in bands.each() {
                let count = spectrum.modes[shell] as f64;
                missing[band] += count * (1.0 - spectrum.power[shell] / mean_power[shell]);
                modes[band] += count;
            }
            missing.iter_mut().zip(modes).for_each(|(missing, modes)| *missing /= f64::max(modes, 1.0));
            missing[BANDS] = -product(&shares, &changes);

            // How the power of each band, over what it should be, changes with each halo.
            let transform = plan.forward(&map.values);
            let unit = map.box_size.powi(3) / (n as f64).powi(6);
            let mut of_band = |band: usize| {
                go_on()?;
                let mut in_band = transform.clone();
                for ((x, y, z), mode) in in_band.indexed_iter_mut() {
                    let shell = fft_shell([x, y, z], n).checked_sub(1).filter(|&shell| bands.of(shell) == Some(band));
                    *mode *= shell.map_or(0.0, |shell| (unit / (mean_power[shell] * modes[band])) as f32);
                }
                let mut field = plan.inverse(in_band);
                field.zip_mut_with(&painted.values, |field, t| *field *= t);
                Ok(haloes.sums(field.as_slice().expect("in C order")))
            };
            let mut slopes = (0..BANDS).map(&mut of_band).collect::<Result<Vec<Vec<f64>>>>()?;
            slopes.push(shares.clone());

            let mut normal = [[0.0; CONDITIONS]; CONDITIONS];
            for (a, row) in normal.iter_mut().enumerate() {
                for (value, other) in row.iter_mut().zip(&slopes) {
                    *value = OF_CHANGE * product(&slopes[a], other);
                }
                row[a] += OF_CONDITIONS;
                // What has been changed before counts as not yet changed.
                missing[a] += product(&slopes[a], &changes);
            }
            let pull = solve(normal, missing);
            for (halo, change) in changes.iter_mut().enumerate() {
                let sum: f64 = slopes.iter().zip(pull).map(|(slope, pull)| slope[halo] * pull).sum();
                *change = (OF_CHANGE * sum).clamp(RANGE[0], RANGE[1]);
            }
            map = painted.clone();
            let factors: Vec<f32> = changes.iter().map(|&change| 1.0 + change as f32).collect();
            haloes.multiply(map.as_slice_mut(), &factors);
        }
        let squares: f64 = changes.iter().zip(&shares).map(|(change, share)| share * change * change).sum();
        Ok(Self { map, change: squares.sqrt() })
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Which shells are in which band.
struct Bands(Vec<Option<usize>>);

impl Bands {
    /// Of the first `shells`, but those that should have no power.
    fn new(shells: usize, mean_power: &[f64]) -> Self {
        let first = SINGLE as f64 + 1.0;
        let per_log = (BANDS - SINGLE) as f64 / ((shells as f64 + 1.0) / first).ln().max(f64::MIN_POSITIVE);
        let band = |shell: usize| match shell {
            shell if shell < SINGLE => shell,
            shell => (SINGLE + (per_log * ((shell as f64 + 1.0) / first).ln()) as usize).min(BANDS - 1),
        };
        Self((0..shells).map(|shell| (mean_power[shell] > 0.0).then(|| band(shell))).collect())
    }

    fn of(&self, shell: usize) -> Option<usize> {
        self.0.get(shell).copied().flatten()
    }

    /// Shells and their bands.
    fn each(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.0.iter().enumerate().filter_map(|(shell, band)| Some((shell, (*band)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::stitch::{Stream, fill_normal};

    /// Haloes of 4³ voxels, which depart from what is expected by less than they should.
    #[test]
    fn a_map_has_the_power_it_should_have_and_its_mean() {
        let (n, count) = (24, 216);
        let field = |seed: u64| {
            let mut grid = Grid::zeros(n, 8.0);
            fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
            grid
        };
        let halo = |v: usize| ((v / (n * n) / 4 * 6 + v / n % n / 4) * 6 + v % n / 4) as u32;
        let of_voxel: Vec<u32> = (0..n.pow(3)).map(halo).collect();
        let haloes = Haloes::new(of_voxel.clone(), vec![None; count], 0.25);
        let (bright, departing) = (field(1), field(2));
        let expected = of_voxel.iter().map(|&h| (1.2 * bright.as_slice()[h as usize]).exp()).collect();
        let expected = Grid::from_values(expected, 8.0);
        let mut painted = expected.clone();
        painted.as_slice_mut().iter_mut().zip(&of_voxel).for_each(|(t, &h)| {
            *t *= (1.0 + 0.3 * departing.as_slice()[h as usize]).max(0.1);
        });
        let wanted = haloes.mean_power(&expected);
        let off = |map: &Grid| {
            let spectrum = power_spectrum(map, None);
            let bands = Bands::new(spectrum.shells_up_to(K_MAX), &wanted);
            let mut sums = [(0.0, 0.0); BANDS];
            for (shell, band) in bands.each() {
                let modes = spectrum.modes[shell] as f64;
                sums[band].0 += modes * (spectrum.power[shell] / wanted[shell] - 1.0);
                sums[band].1 += modes;
            }
            sums.iter().filter(|s| s.1 > 0.0).map(|s| (s.0 / s.1).abs()).fold(0.0, f64::max)
        };
        let Conditioned { map, change } = Conditioned::new(&painted, &haloes, &wanted, || Ok(())).unwrap();
        let (before, after) = (off(&painted), off(&map));
        assert!(before > 0.1 && after < 0.03, "{before} before, {after} after, changed by {change}");
        assert!((map.mean() / painted.mean() - 1.0).abs() < 0.02 && change < 0.3, "changed by {change}");
        assert!(map.as_slice().iter().all(|&t| t > 0.0));

        let mut asked = 0;
        let stopped = Conditioned::new(&painted, &haloes, &wanted, || {
            asked += 1;
            if asked < 20 { Ok(()) } else { Err(Error::Cancelled) }
        });
        assert!(matches!(stopped, Err(Error::Cancelled)) && asked == 20);
    }

    #[test]
    fn bands_are_shells_first_and_then_wider() {
        let mean_power = vec![1.0; 39];
        let bands: Vec<usize> = Bands::new(39, &mean_power).each().map(|(_, band)| band).collect();
        assert!(bands.is_sorted() && bands[..6] == [0, 1, 2, 3, 4, 5] && bands[38] == BANDS - 1);
        let few: Vec<usize> = Bands::new(3, &mean_power).each().map(|(_, band)| band).collect();
        assert_eq!(few, [0, 1, 2]);
    }
}

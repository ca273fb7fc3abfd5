//! The relation between the mass of a halo and its HI.

use serde::{Deserialize, Serialize};

use super::solve::solve;
use crate::field::{Cosmology, Grid, RHO_CRITICAL, Regions};
use crate::stats::power_spectrum;
use crate::stitch::philox;

/// Coefficients of the relation.
const ORDER: usize = 3;
/// M☉/h, the unit of mass in it.
const PIVOT: f64 = 1e12;
/// Fewer haloes than this say nothing of a curve.
const ENOUGH: usize = 20;
/// Maps of signs that [`Haloes::own_power`] is averaged over: what they have by chance is a
/// tenth of it in a shell of ten modes, and less in shells of more.
const SIGNS: u32 = 8;
/// Iterations of the fit; it converges in five or six.
const ITERATIONS: usize = 30;

/// HI mass as a function of halo mass alone, haloes being the overdense [`Regions`].
///
/// An [`Expectation`](super::Expectation) finds voxel by voxel where in a halo the HI is. How
/// much there is of it, it learns by heart: in any number of boxes that can be simulated
/// the heavy haloes are few, and each has a mass of its own. On boxes that it has not seen
/// the HI of the fifteen brightest haloes was off by a tenth, and power, which they rule, with
/// it. A curve of three coefficients cannot learn haloes by heart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaloRelation {
    /// `1 + δ` above which connected matter is a halo.
    pub threshold: f64,
    /// Masses in M☉/h of the lightest and the heaviest halo that it was fitted to. Lighter ones
    /// are left alone; for heavier ones the slope is that of the heaviest.
    pub range: [f64; 2],
    /// `ln(M_HI / (M☉/h))` as a polynomial of `ln(M / (10¹² M☉/h))`, constant first.
    pub log_hydrogen: [f64; ORDER],
    /// Variance of a halo's HI from draw to draw, over the square of its mean.
    pub variance: f64,
}

impl HaloRelation {
    /// HI mass of a halo of `mass`, both in M☉/h.
    pub fn hydrogen(&self, mass: f64) -> f64 {
        let [constant, slope, curvature] = self.log_hydrogen;
        let x = (mass / PIVOT).ln();
        let last = x.min((self.range[1] / PIVOT).ln());
        let at_last = constant + (slope + curvature * last) * last;
        (at_last + (slope + 2.0 * curvature * last) * (x - last)).exp()
    }

    /// Fit it to haloes above `threshold`, given as pairs of mass and HI mass in M☉/h, from
    /// `least` mass on: the largest likelihood of a scatter whose variance is in proportion
    /// to the mean, as a Poisson distribution's, so that the sum of all HI is kept. `None`
    /// for too few haloes.
    pub fn fit(threshold: f64, least: f64, haloes: &[(f64, f64)]) -> Option<Self> {
        let haloes: Vec<(f64, f64)> = haloes.iter().copied().filter(|&(mass, _)| mass >= least).collect();
        let all: f64 = haloes.iter().map(|(_, hydrogen)| hydrogen).sum();
        if haloes.len() < ENOUGH || all <= 0.0 {
            return None;
        }
        let most = haloes.iter().map(|&(mass, _)| mass).fold(least, f64::max);
        // Begun with HI in proportion to mass.
        let ratio = all / haloes.iter().map(|&(mass, _)| mass).sum::<f64>();
        let mut c = [(ratio * PIVOT).ln(), 1.0, 0.0];
        for _ in 0..ITERATIONS {
            let (mut normal, mut right) = ([[0.0; ORDER]; ORDER], [0.0; ORDER]);
            for &(mass, hydrogen) in &haloes {
                let x = (mass / PIVOT).ln();
                let powers = [1.0, x, x * x];
                let logarithm: f64 = c.iter().zip(powers).map(|(c, p)| c * p).sum();
                let mean = logarithm.exp();
                for (i, a) in powers.into_iter().enumerate() {
                    right[i] += a * (mean * logarithm + hydrogen - mean);
                    normal[i].iter_mut().zip(powers).for_each(|(sum, b)| *sum += a * b * mean);
                }
            }
            c = solve(normal, right);
        }
        c.iter().all(|c| c.is_finite()).then_some(Self {
            threshold,
            range: [least, most],
            log_hydrogen: c,
            variance: 0.0,
        })
    }

    /// The haloes of a box with `dark_matter` `1 + δ` at a redshift.
    pub fn haloes(&self, dark_matter: &Grid, (cosmology, redshift): (&Cosmology, f64)) -> Haloes {
        let regions = Regions::new(dark_matter, self.threshold);
        let units = Units::new(dark_matter, cosmology, redshift);
        let temperature = |&mass: &f64| {
            let mass = mass * units.voxel_mass;
            (mass >= self.range[0]).then(|| self.hydrogen(mass) * units.temperature)
        };
        Haloes { temperature: regions.masses.iter().map(temperature).collect(), variance: self.variance, regions }
    }

    /// The haloes above `threshold` of a box as [`HaloRelation::fit`] takes them: its
    /// `dark_matter` `1 + δ` and its 21 cm map in mK at a redshift.
    pub fn pairs(
        threshold: f64,
        (dark_matter, brightness_temperature): (&Grid, &Grid),
        (cosmology, redshift): (&Cosmology, f64),
    ) -> Vec<(f64, f64)> {
        let regions = Regions::new(dark_matter, threshold);
        let units = Units::new(dark_matter, cosmology, redshift);
        let sums = regions.sums(brightness_temperature.as_slice());
        let pairs = regions.masses.iter().zip(sums);
        pairs.map(|(mass, sum)| (mass * units.voxel_mass, sum / units.temperature)).collect()
    }
}

/// What a voxel is in masses.
struct Units {
    /// M☉/h of matter in a voxel of mean density.
    voxel_mass: f64,
    /// mK in a voxel that holds one M☉/h of HI.
    temperature: f64,
}

impl Units {
    fn new(grid: &Grid, cosmology: &Cosmology, redshift: f64) -> Self {
        let volume = grid.voxel().powi(3);
        Self {
            voxel_mass: cosmology.mean_matter_density() * volume,
            temperature: cosmology.brightness_temperature_scale(redshift) / (RHO_CRITICAL * volume),
        }
    }
}

/// The haloes of a box and what they hold by a [`HaloRelation`].
#[derive(Debug, Clone)]
pub struct Haloes {
    regions: Regions,
    /// Sum of the brightness temperature over the voxels of each region, mK; none for one
    /// that is too light.
    temperature: Vec<Option<f64>>,
    /// [`HaloRelation::variance`].
    variance: f64,
}

impl Haloes {
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
            signed.as_slice_mut().iter_mut().zip(&self.regions.region).for_each(|(t, &region)| {
                *t *= if region == Regions::NONE { 0.0 } else { sign(region) };
            });
            let power = power_spectrum(&signed, None).power;
            mean.resize(power.len(), 0.0);
            mean.iter_mut().zip(power).for_each(|(mean, power)| *mean += power / f64::from(SIGNS));
        }
        mean
    }

    /// Scale an expected map in mK in every halo so that it holds what it should.
    pub fn hold(&self, expected: &mut [f32]) {
        let sums = self.regions.sums(expected);
        let factor = |(wanted, sum): (&Option<f64>, &f64)| match wanted {
            Some(wanted) if *sum > 0.0 => (wanted / sum) as f32,
            _ => 1.0,
        };
        let factors: Vec<f32> = self.temperature.iter().zip(&sums).map(factor).collect();
        for (t, &region) in expected.iter_mut().zip(&self.regions.region) {
            if region != Regions::NONE {
                *t *= factors[region as usize];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::hydrogen_mass;

    /// The published relation, with a scatter, from a hundred haloes; and beyond the heaviest
    /// as steep as there.
    #[test]
    fn the_published_relation_is_found_from_a_hundred_haloes() {
        let haloes: Vec<(f64, f64)> = (0..100)
            .map(|i| {
                let mass = 10f64.powf(11.0 + 2.7 * (f64::from(i) / 99.0).powi(2));
                (mass, hydrogen_mass(mass, 1.0) * if i % 2 == 0 { 1.2 } else { 0.8 })
            })
            .collect();
        let relation = HaloRelation::fit(60.0, 1e12, &haloes).unwrap();
        for mass in [1e12, 3e12, 1e13, 4e13] {
            let ratio = relation.hydrogen(mass) / hydrogen_mass(mass, 1.0);
            assert!((ratio - 1.0).abs() < 0.08, "{ratio} at {mass:e}");
        }
        let seen = || haloes.iter().filter(|(mass, _)| *mass >= 1e12);
        let [fitted, true_sum] = [seen().map(|h| relation.hydrogen(h.0)).sum(), seen().map(|h| h.1).sum::<f64>()];
        assert!((fitted / true_sum - 1.0).abs() < 1e-6, "the sum of all HI is kept");
        let most = relation.range[1];
        let slope = |mass: f64| (relation.hydrogen(1.01 * mass) / relation.hydrogen(mass)).ln() / 1.01f64.ln();
        assert!((slope(100.0 * most) - slope(most)).abs() < 1e-9 && (slope(most) - slope(0.98 * most)).abs() < 0.01);
        assert_eq!(HaloRelation::fit(60.0, 1e12, &haloes[..10]), None, "too few");
    }

    #[test]
    fn haloes_hold_what_they_should_and_the_rest_is_left_alone() {
        let n = 16;
        let mut dark_matter = Grid::zeros(n, 16.0 * 0.2).map(|_| 0.4);
        let when = (&Cosmology::default(), 1.0);
        // A heavy halo across the boundary, and a light one.
        let voxel = |x: usize, y: usize, z: usize| (x * n + y) * n + z;
        let heavy = [voxel(0, 3, 3), voxel(15, 3, 3), voxel(0, 4, 3)];
        heavy.iter().for_each(|&v| dark_matter.as_slice_mut()[v] = 2000.0);
        dark_matter.as_slice_mut()[voxel(8, 8, 8)] = 100.0;
        let relation =
            HaloRelation { threshold: 60.0, range: [1e12, 1e14], log_hydrogen: [23.0, 0.8, 0.0], variance: 0.3 };
        let mut expected: Vec<f32> = (0..n.pow(3)).map(|v| 1.0 + (v % 5) as f32).collect();
        let before = expected.clone();
        relation.haloes(&dark_matter, when).hold(&mut expected);
        let map = Grid::from_values(expected.clone(), dark_matter.box_size);
        let pairs = HaloRelation::pairs(60.0, (&dark_matter, &map), when);
        assert_eq!(pairs.len(), 2);
        let (mass, hydrogen) = pairs.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        assert!(mass > 1e12 && (hydrogen / relation.hydrogen(mass) - 1.0).abs() < 1e-5);
        let factor = expected[heavy[0]] / before[heavy[0]];
        for v in 0..n.pow(3) {
            let wanted = if heavy.contains(&v) { factor * before[v] } else { before[v] };
            assert!((expected[v] / wanted - 1.0).abs() < 1e-5, "voxel {v}");
        }
    }

    /// Maps in which the HI of every halo is drawn by itself have, in the mean over many of
    /// them, the power that is told from the expected map alone.
    #[test]
    fn the_mean_power_is_that_of_many_draws() {
        let (n, draws, variance) = (16, 400, 0.25);
        let mut dark_matter = Grid::zeros(n, 16.0).map(|_| 0.4);
        let mut expected = Grid::zeros(n, 16.0).map(|_| 0.1);
        for halo in 0..12u32 {
            let [x, y, z, t] = philox([halo, 0, 0, 0], [1, 0]).map(|word| word as usize);
            for voxel in [0, 1].map(|step| (x % n * n + y % n) * n + (z + step) % n) {
                dark_matter.as_slice_mut()[voxel] = 100.0;
                expected.as_slice_mut()[voxel] = 1.0 + (t % 8) as f32;
            }
        }
        let relation = HaloRelation { threshold: 60.0, range: [1e30, 1e31], log_hydrogen: [0.0; 3], variance };
        let haloes = relation.haloes(&dark_matter, (&Cosmology::default(), 1.0));
        let mut mean = vec![0.0; n];
        for draw in 0..draws {
            let mut map = expected.clone();
            for (t, &region) in map.as_slice_mut().iter_mut().zip(&haloes.regions.region) {
                if region != Regions::NONE {
                    let up = philox([region, draw, 1, 0], [2, 0])[0] & 1 == 0;
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

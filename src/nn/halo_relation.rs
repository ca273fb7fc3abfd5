//! The relation between the mass of a halo and its HI.

use serde::{Deserialize, Serialize};

use super::haloes::Haloes;
use super::linking::Linking;
use super::solve::{least, solve};
use crate::field::{Clumps, Cosmology, Grid, RHO_CRITICAL};

/// Coefficients of the relation.
const ORDER: usize = 3;
/// M☉/h, the unit of mass in it.
const PIVOT: f64 = 1e12;
/// Fewer haloes than this say nothing of a curve.
const ENOUGH: usize = 20;
/// Most iterations of the fit; it converges in five or six.
const ITERATIONS: usize = 30;
/// What the width of the linking density is sought between, and how finely.
const WIDTHS: [f64; 2] = [0.02, 0.5];
const FINENESS: f64 = 2e-3;

/// HI mass as a function of halo mass alone.
///
/// An [`Expectation`](super::Expectation) finds voxel by voxel where in a halo the HI is. How
/// much there is of it, it learns by heart: in any number of boxes that can be simulated
/// the heavy haloes are few, and each has a mass of its own. On boxes that it has not seen
/// the HI of the fifteen brightest haloes was off by a tenth, and power, which they rule, with
/// it. A curve of three coefficients cannot learn haloes by heart.
///
/// Haloes are made of the [`Clumps`] of the dark matter that are [linked](Linking). It matters much
/// which are: two halves hold 1.4 times the HI of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaloRelation {
    /// Which matter belongs to a halo.
    pub linking: Linking,
    /// Masses in M☉/h of the lightest and the heaviest halo that it was fitted to. Lighter ones
    /// are left alone; for heavier ones the slope is that of the heaviest.
    pub range: [f64; 2],
    /// `ln(M_HI / (M☉/h))` as a polynomial of `ln(M / (10¹² M☉/h))`, constant first.
    pub log_hydrogen: [f64; ORDER],
    /// Variance of a halo's HI from draw to draw, over the square of its mean.
    pub variance: f64,
}

/// Connected matter, which may be one halo or several, as the relation is fitted to it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// M☉/h.
    mass: f64,
    /// M☉/h.
    hydrogen: f64,
    /// Masses in M☉/h of its clumps.
    clumps: Vec<f64>,
    /// Saddles at which they join, and the masses in M☉/h of what does.
    joins: Vec<(f64, [f64; 2])>,
}

impl Candidate {
    /// All of a box: its `dark_matter` `1 + δ` and its 21 cm map in mK at a redshift.
    pub fn all(
        linking: &Linking,
        (dark_matter, brightness_temperature): (&Grid, &Grid),
        (cosmology, redshift): (&Cosmology, f64),
    ) -> Vec<Self> {
        let units = Units::new(dark_matter, cosmology, redshift);
        let found = linking.clumps(dark_matter);
        let group = found.groups_above(linking.threshold);
        let fresh = Self { mass: 0.0, hydrogen: 0.0, clumps: Vec::new(), joins: Vec::new() };
        let mut all = vec![fresh; group.len()];
        for (&group, &mass) in group.iter().zip(&found.masses) {
            let candidate = &mut all[group as usize];
            candidate.mass += mass * units.voxel_mass;
            candidate.clumps.push(mass * units.voxel_mass);
        }
        for join in &found.joins {
            let candidate = &mut all[group[join.groups[0] as usize] as usize];
            candidate.joins.push((join.saddle, join.masses.map(|mass| mass * units.voxel_mass)));
        }
        for (&clump, &t) in found.clump.iter().zip(brightness_temperature.as_slice()) {
            if clump != Clumps::NONE {
                all[group[clump as usize] as usize].hydrogen += f64::from(t) / units.temperature;
            }
        }
        all.retain(|candidate| candidate.mass > 0.0);
        all
    }

    /// The sum over its possible haloes of what `of_mass` adds to it.
    fn sum(&self, linking: &Linking, of_mass: impl Fn(f64) -> [f64; ORDER]) -> [f64; ORDER] {
        let mut sum = [0.0; ORDER];
        let mut add = |weight: f64, mass: f64| {
            if weight != 0.0 && mass > 0.0 {
                sum.iter_mut().zip(of_mass(mass)).for_each(|(sum, value)| *sum += weight * value);
            }
        };
        self.clumps.iter().for_each(|&mass| add(1.0, mass));
        for &(saddle, [a, b]) in &self.joins {
            let linked = linking.linked(saddle);
            add(linked, a + b);
            add(-linked, a);
            add(-linked, b);
        }
        sum
    }
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

    /// Fit it to what is known of `candidates`, of those that have at least `least_mass` in
    /// M☉/h: the largest likelihood of a scatter whose variance is in proportion to the
    /// mean, as a Poisson distribution's, so that the sum of all HI is kept. The width of
    /// `linking` is fitted, too. `None` for too few candidates.
    pub fn fit(linking: Linking, least_mass: f64, candidates: &[Candidate]) -> Option<Self> {
        let heavy: Vec<&Candidate> = candidates.iter().filter(|candidate| candidate.mass >= least_mass).collect();
        if heavy.len() < ENOUGH || heavy.iter().all(|candidate| candidate.hydrogen <= 0.0) {
            return None;
        }
        let with_width = |width: f64| Linking { width, ..linking };
        let deviance = |log_width: f64| relation(&with_width(log_width.exp()), &heavy).1;
        let width = least(deviance, WIDTHS.map(f64::ln), FINENESS).exp();
        let linking = with_width(width);
        let (log_hydrogen, deviance) = relation(&linking, &heavy);
        let most = heavy.iter().map(|candidate| candidate.mass).fold(least_mass, f64::max);
        deviance.is_finite().then_some(Self { linking, range: [least_mass, most], log_hydrogen, variance: 0.0 })
    }

    /// The haloes of a box with `dark_matter` `1 + δ` at a redshift.
    pub fn haloes(&self, dark_matter: &Grid, (cosmology, redshift): (&Cosmology, f64)) -> Haloes {
        let found = self.linking.clumps(dark_matter);
        let units = Units::new(dark_matter, cosmology, redshift);
        // A clump holds a share of its halo's HI in proportion to its mass.
        let per_mass = self.linking.mean_of_mass(&found, |mass| match mass * units.voxel_mass {
            mass if mass > 0.0 => self.hydrogen(mass) / mass,
            _ => 0.0,
        });

        // A halo is what is linked more likely than not.
        let group = found.groups_above(self.linking.density);
        let (mut mass_of, mut hydrogen_of) = (vec![0.0; group.len()], vec![0.0; group.len()]);
        for ((&group, mass), per_mass) in group.iter().zip(&found.masses).zip(per_mass) {
            let mass = mass * units.voxel_mass;
            mass_of[group as usize] += mass;
            hydrogen_of[group as usize] += per_mass * mass;
        }
        let temperature = mass_of
            .into_iter()
            .zip(hydrogen_of)
            .map(|(mass, hydrogen)| (mass >= self.range[0]).then_some(hydrogen * units.temperature));
        let halo = found.clump.iter().map(|&clump| match clump {
            Clumps::NONE => Haloes::NONE,
            clump => group[clump as usize],
        });
        Haloes::new(halo.collect(), temperature.collect(), self.variance)
    }
}

/// The coefficients of the relation with a linking, and the Poisson deviance of the HI of
/// `candidates` from it, over all of it: Fisher scoring.
fn relation(linking: &Linking, candidates: &[&Candidate]) -> ([f64; ORDER], f64) {
    // Begun with HI in proportion to mass.
    let sum = |of: fn(&Candidate) -> f64| candidates.iter().map(|candidate| of(candidate)).sum::<f64>();
    let all = sum(|candidate| candidate.hydrogen);
    let mut c = [(all / sum(|candidate| candidate.mass) * PIVOT).ln(), 1.0, 0.0];
    let mut deviance = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let (mut normal, mut right, mut sum) = ([[0.0; ORDER]; ORDER], [0.0; ORDER], 0.0);
        for candidate in candidates {
            // How the mean changes with every coefficient; with the constant, by itself.
            let gradient = candidate.sum(linking, |mass| {
                let x = (mass / PIVOT).ln();
                let powers = [1.0, x, x * x];
                let hydrogen = c.iter().zip(powers).map(|(c, p)| c * p).sum::<f64>().exp();
                powers.map(|p| p * hydrogen)
            });
            let (mean, hydrogen) = (gradient[0].max(f64::MIN_POSITIVE), candidate.hydrogen);
            let logarithm = if hydrogen > 0.0 { (hydrogen / mean).ln() } else { 0.0 };
            sum += mean - hydrogen + hydrogen * logarithm;
            for i in 0..ORDER {
                right[i] += gradient[i] * (hydrogen - mean) / mean;
                (0..ORDER).for_each(|j| normal[i][j] += gradient[i] * gradient[j] / mean);
            }
        }
        let before = std::mem::replace(&mut deviance, sum / all);
        if !deviance.is_finite() || (before - deviance).abs() < 1e-12 {
            break;
        }
        let step = solve(normal, right);
        c.iter_mut().zip(step).for_each(|(c, step)| *c += step);
    }
    (c, deviance)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::hydrogen_mass;

    fn whole(mass: f64, hydrogen: f64) -> Candidate {
        Candidate { mass, hydrogen, clumps: vec![mass], joins: Vec::new() }
    }

    /// The published relation, with a scatter, from a hundred haloes; and beyond the heaviest
    /// as steep as there.
    #[test]
    fn the_published_relation_is_found_from_a_hundred_haloes() {
        let haloes: Vec<Candidate> = (0..100)
            .map(|i| {
                let mass = 10f64.powf(11.0 + 2.7 * (f64::from(i) / 99.0).powi(2));
                whole(mass, hydrogen_mass(mass, 1.0) * if i % 2 == 0 { 1.2 } else { 0.8 })
            })
            .collect();
        let fit = |haloes: &[Candidate]| HaloRelation::fit(Linking::FRIENDS_OF_FRIENDS, 1e12, haloes);
        let relation = fit(&haloes).unwrap();
        for mass in [1e12, 3e12, 1e13, 4e13] {
            let ratio = relation.hydrogen(mass) / hydrogen_mass(mass, 1.0);
            assert!((ratio - 1.0).abs() < 0.08, "{ratio} at {mass:e}");
        }
        let seen = || haloes.iter().filter(|halo| halo.mass >= 1e12);
        let fitted: f64 = seen().map(|halo| relation.hydrogen(halo.mass)).sum();
        let true_sum: f64 = seen().map(|halo| halo.hydrogen).sum();
        assert!((fitted / true_sum - 1.0).abs() < 1e-6, "the sum of all HI is kept");
        let most = relation.range[1];
        let slope = |mass: f64| (relation.hydrogen(1.01 * mass) / relation.hydrogen(mass)).ln() / 1.01f64.ln();
        assert!((slope(100.0 * most) - slope(most)).abs() < 1e-9 && (slope(most) - slope(0.98 * most)).abs() < 0.01);
        assert_eq!(fit(&haloes[..10]), None, "too few");
    }

    /// Pairs of haloes that touch, at saddles of many densities, which are one or two as
    /// chance will have it.
    #[test]
    fn the_scatter_of_the_linking_density_is_found() {
        let linking = Linking { width: 0.2, ..Linking::FRIENDS_OF_FRIENDS };
        let pairs: Vec<Candidate> = (0..4000)
            .map(|i| {
                let uniform =
                    |word: usize| f64::from(crate::stitch::philox([i, 0, 0, 0], [3, 0])[word]) / 4_294_967_296.0;
                let masses = [1, 2].map(|word| 1e12 * 10f64.powf(uniform(word)));
                let saddle = 40.0 * 10f64.powf(0.7 * uniform(0));
                let both = masses[0] + masses[1];
                let hydrogen = match uniform(3) < linking.linked(saddle) {
                    true => hydrogen_mass(both, 1.0),
                    false => masses.map(|mass| hydrogen_mass(mass, 1.0)).iter().sum(),
                };
                Candidate { mass: both, hydrogen, clumps: masses.to_vec(), joins: vec![(saddle, masses)] }
            })
            .collect();
        let relation = HaloRelation::fit(Linking::FRIENDS_OF_FRIENDS, 1e12, &pairs).unwrap();
        assert!((relation.linking.width / 0.2 - 1.0).abs() < 0.15, "{}", relation.linking.width);
        for mass in [1e12, 5e12, 1e13] {
            let ratio = relation.hydrogen(mass) / hydrogen_mass(mass, 1.0);
            assert!((ratio - 1.0).abs() < 0.02, "{ratio} at {mass:e}");
        }
    }

    #[test]
    fn haloes_hold_what_they_should_and_the_rest_is_left_alone() {
        let n = 16;
        let mut dark_matter = Grid::zeros(n, 16.0 * 0.2).map(|_| 0.4);
        let when = (&Cosmology::default(), 1.0);
        // A heavy halo across the boundary that is linked beyond doubt to its neighbour, and a
        // light one.
        let voxel = |x: usize, y: usize, z: usize| (x * n + y) * n + z;
        let heavy = [(voxel(0, 3, 3), 2000.0), (voxel(15, 3, 3), 1000.0), (voxel(14, 3, 3), 1500.0)];
        heavy.iter().for_each(|&(v, density)| dark_matter.as_slice_mut()[v] = density);
        dark_matter.as_slice_mut()[voxel(8, 8, 8)] = 100.0;
        let linking = Linking::FRIENDS_OF_FRIENDS;
        let relation = HaloRelation { linking, range: [1e12, 1e14], log_hydrogen: [23.0, 0.8, 0.0], variance: 0.3 };
        let mut expected: Vec<f32> = (0..n.pow(3)).map(|v| 1.0 + (v % 5) as f32).collect();
        let before = expected.clone();
        relation.haloes(&dark_matter, when).hold(&mut expected);
        let map = Grid::from_values(expected.clone(), dark_matter.box_size);
        let found = Candidate::all(&linking, (&dark_matter, &map), when);
        assert_eq!(found.len(), 2);
        let candidate = found.into_iter().max_by(|a, b| a.mass.total_cmp(&b.mass)).unwrap();
        assert!(candidate.mass > 1e12 && candidate.clumps.len() == 2);
        assert!((candidate.hydrogen / relation.hydrogen(candidate.mass) - 1.0).abs() < 1e-5);
        let factor = expected[heavy[0].0] / before[heavy[0].0];
        for v in 0..n.pow(3) {
            let wanted = if heavy.iter().any(|h| h.0 == v) { factor * before[v] } else { before[v] };
            assert!((expected[v] / wanted - 1.0).abs() < 1e-5, "voxel {v}");
        }
    }

    /// Two equal haloes with a saddle between them as dense as linking takes: half of the time
    /// they are one.
    #[test]
    fn haloes_that_touch_hold_the_mean_of_one_and_two() {
        let n = 8;
        let mut dark_matter = Grid::zeros(n, 8.0 * 0.2);
        [1000.0, 81.0, 1000.0].into_iter().enumerate().for_each(|(x, v)| dark_matter.values[[x, 0, 0]] = v);
        let linking = Linking { density: 81.0, ..Linking::FRIENDS_OF_FRIENDS };
        let relation = HaloRelation { linking, range: [1e11, 1e14], log_hydrogen: [23.0, 0.5, 0.0], variance: 0.3 };
        let when = (&Cosmology::default(), 1.0);
        let mut map = vec![1.0; n.pow(3)];
        relation.haloes(&dark_matter, when).hold(&mut map);
        let map = Grid::from_values(map, dark_matter.box_size);
        let found = Candidate::all(&linking, (&dark_matter, &map), when).remove(0);
        let [a, b] = found.joins[0].1;
        let wanted = 0.5 * (relation.hydrogen(a + b) + relation.hydrogen(a) + relation.hydrogen(b));
        assert!((found.hydrogen / wanted - 1.0).abs() < 1e-5);
    }
}

//! Which matter is one halo, and how heavy that halo is.

use serde::{Deserialize, Serialize};

use crate::field::{Clumps, Cosmology, Grid};

/// Which matter belongs to a halo, all densities as `1 + δ`.
///
/// Friends of friends with a linking length `b` links particles where their density is
/// `n_c / b³` times the mean, `n_c = 0.652960` being that of percolation (More et al. 2011,
/// arXiv:1103.0005): 81.6 for `b = 0.2`. On a mesh no bridge between two haloes is as dense as
/// it is, so whether they are one is a matter of chance, the more probable the denser the
/// saddle between them ([`Linking::linked`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Linking {
    /// Matter is looked at from here on.
    pub threshold: f64,
    /// It counts to the mass of its halo from here on.
    pub edge: f64,
    /// Density of a saddle at which the clumps on both of its sides are one halo in half of
    /// all cases.
    pub density: f64,
    /// By how much the natural logarithm of that density scatters.
    pub width: f64,
}

impl Linking {
    /// Friends of friends with a linking length of 0.2, seen on a mesh as fine as the particles
    /// are apart. Threshold and edge are those with which the masses tell most of the HI.
    pub const FRIENDS_OF_FRIENDS: Self = Self { threshold: 40.0, edge: 60.0, density: 81.6, width: 0.14 };

    /// The probability that the clumps on both sides of a `saddle` are one halo: a logistic
    /// function of the logarithm of its density.
    pub fn linked(&self, saddle: f64) -> f64 {
        logistic((saddle / self.density).ln() / self.width)
    }

    /// The clumps of `dark_matter` `1 + δ`.
    pub(super) fn clumps(&self, dark_matter: &Grid) -> Clumps {
        Clumps::new(dark_matter, self.threshold, self.edge)
    }

    /// The mean, for every clump, of what `of_mass` says of the halo that it is part of, by
    /// that halo's mass in voxels of mean density.
    ///
    /// One linking density holds for all saddles, so two groups are one halo only where the
    /// denser saddles within them are linked, too: the halo of a clump is one of the groups
    /// that it joins, one after the other.
    pub(super) fn mean_of_mass(&self, found: &Clumps, of_mass: impl Fn(f64) -> f64) -> Vec<f64> {
        // What a group gains by joining, all of its parts gain; so from the last join to the first.
        let mut gained = vec![0.0; found.masses.len()];
        for join in found.joins.iter().rev() {
            let [a, b] = join.groups.map(|group| group as usize);
            let linked = self.linked(join.saddle);
            let together = of_mass(join.masses[0] + join.masses[1]);
            let [by_a, by_b] = join.masses.map(|mass| linked * (together - of_mass(mass)));
            gained[b] = gained[a] + by_b;
            gained[a] += by_a;
        }
        found.masses.iter().zip(gained).map(|(&mass, gained)| of_mass(mass) + gained).collect()
    }
}

/// How HALO tells its two heaviest bins apart: by the mass of the halo that matter is linked
/// to.
///
/// The network sees a part of a heavy halo, and learns the few that it is shown by heart. A
/// halo of two that touch, or one near the edge between the bins, it divides among both, or
/// gives to the wrong one. What clumps weigh together is the mass of the friends-of-friends
/// halo, without bias at 10¹³ M☉/h.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weighing {
    /// Which matter is one halo.
    pub linking: Linking,
    /// Deviation of the natural logarithm of a halo's mass from that of its clumps.
    pub scatter: f64,
}

impl Weighing {
    /// For [`Linking::FRIENDS_OF_FRIENDS`], from a threshold so low that the outskirts of a halo
    /// belong to its clumps: below it lies less than a thousandth of the matter of heavy haloes.
    /// In 30 boxes haloes between 7e12 and 1.5e13 M☉/h that are linked beyond doubt weigh 1.00 times
    /// what their clumps do, with a scatter of 0.012 dex, 0.028 in the natural logarithm.
    pub const FRIENDS_OF_FRIENDS: Self =
        Self { linking: Linking { threshold: 5.0, ..Linking::FRIENDS_OF_FRIENDS }, scatter: 0.028 };

    /// The probability, voxel by voxel, that the halo its matter would belong to has at least
    /// `mass` in M☉/h; 0 where matter is too thin. `dark_matter` is `1 + δ`.
    pub fn heavier(&self, mass: f64, dark_matter: &Grid, cosmology: &Cosmology) -> Vec<f32> {
        let found = self.linking.clumps(dark_matter);
        let voxel_mass = cosmology.mean_matter_density() * dark_matter.voxel().powi(3);
        // A logistic function with the deviation of the scatter.
        let width = self.scatter * 3f64.sqrt() / std::f64::consts::PI;
        let heavier = |clumps: f64| logistic((clumps * voxel_mass / mass).ln() / width);
        let of_clump = self.linking.mean_of_mass(&found, heavier);
        let of_voxel = |&clump: &u32| if clump == Clumps::NONE { 0.0 } else { of_clump[clump as usize] as f32 };
        found.clump.iter().map(of_voxel).collect()
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

    /// Clumps of a rugged field, their halo's mass by every linking density in turn.
    #[test]
    fn what_a_halo_is_on_average_is_the_mean_over_linking_densities() {
        let n = 20;
        let mut field = Grid::zeros(n, 1.0);
        fill_normal(field.as_slice_mut(), 11, Stream::Latent);
        let smooth = crate::field::smooth(field.map(|v| (2.5 * v).exp()).as_slice().to_vec(), n);
        let linking = Linking { threshold: 8.0, edge: 15.0, density: 30.0, width: 0.3 };
        let found = linking.clumps(&Grid::from_values(smooth, 1.0));
        assert!(found.joins.len() > 20);
        let of_mass = |mass: f64| mass.sqrt();
        let told = linking.mean_of_mass(&found, of_mass);

        let draws = 2000;
        let mut mean = vec![0.0; found.masses.len()];
        for draw in 0..draws {
            // The quantiles of a logistic distribution of the logarithm.
            let p = (f64::from(draw) + 0.5) / f64::from(draws);
            let groups = found.groups_above(linking.density * (p / (1.0 - p)).powf(linking.width));
            let mut masses = vec![0.0; groups.len()];
            groups.iter().zip(&found.masses).for_each(|(&group, mass)| masses[group as usize] += mass);
            for (mean, &group) in mean.iter_mut().zip(&groups) {
                *mean += of_mass(masses[group as usize]) / f64::from(draws);
            }
        }
        for (told, mean) in told.iter().zip(&mean) {
            assert!((told - mean).abs() < 0.01 * mean.max(1.0), "{told} and {mean}");
        }
    }

    /// A halo, one of half its mass, two such halves with a saddle at which they are one half of
    /// the time, and the outskirts of all.
    #[test]
    fn haloes_weigh_what_their_linked_clumps_do() {
        let n = 16;
        let mut dark_matter = Grid::zeros(n, n as f64 * 0.2).map(|_| 0.5);
        let cosmology = Cosmology::default();
        let edge = 1500.0 * cosmology.mean_matter_density() * 0.2f64.powi(3);
        let mut row = |y: usize, densities: &[f32]| {
            densities.iter().enumerate().for_each(|(x, &v)| dark_matter.values[[x, y, 3]] = v);
        };
        row(2, &[2000.0, 20.0]);
        row(6, &[1000.0, 20.0]);
        row(10, &[1000.0, 81.6, 1000.0, 20.0]);
        let heavier = Weighing::FRIENDS_OF_FRIENDS.heavier(edge, &dark_matter, &cosmology);
        let at = |x: usize, y: usize| heavier[(x * n + y) * n + 3];
        for (x, y, wanted) in
            [(0, 2, 1.0), (1, 2, 1.0), (0, 6, 0.0), (1, 6, 0.0), (0, 10, 0.5), (1, 10, 0.5), (3, 10, 0.5)]
        {
            assert!((at(x, y) - wanted).abs() < 1e-3, "{x} {y}: {}", at(x, y));
        }
        assert_eq!(at(8, 8), 0.0);
        // At the edge itself, and a scatter away from it.
        let exact = Weighing::FRIENDS_OF_FRIENDS.heavier(edge / 0.75, &dark_matter, &cosmology);
        assert!((exact[2 * n + 3] - 0.5).abs() < 1e-3);
        let near = Weighing::FRIENDS_OF_FRIENDS.heavier(edge / 0.75 * 1.028, &dark_matter, &cosmology);
        assert!((0.1..0.2).contains(&near[2 * n + 3]), "{}", near[2 * n + 3]);
    }
}

//! The gravity of the particles on themselves.

use serde::{Deserialize, Serialize};

use super::mesh::Mesh;
use super::tree::{Law, REACH, Tree};
use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::sim::linear_power::LinearPower;

/// How gravity is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Force {
    /// The mesh for long range and a tree for short: resolved to the softening.
    #[default]
    TreeMesh,
    /// The mesh alone: resolved to about three mesh cells, and faster.
    Mesh,
}

/// Settings of the gravity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GravityConfig {
    /// Mesh or mesh and tree.
    pub force: Force,
    /// Mesh cells per axis.
    pub mesh: usize,
    /// Plummer softening in units of the mean particle separation.
    pub softening: f64,
    /// Force split `r_s` in mesh cells.
    pub split: f64,
    /// A node of the tree counts as one mass where its side is below this times
    /// its distance.
    pub opening: f64,
    /// The tree joins where the rms linear overdensity in spheres of the mean
    /// particle separation has grown to this. While matter is nearly even, the
    /// forces on a particle cancel and what the tree leaves of them is error: it
    /// would cost 5 % of the power in linear modes.
    #[serde(default)]
    pub tree_from: f64,
}

impl GravityConfig {
    /// The defaults for a mesh of `mesh` cells per axis: a softening of 4 % of
    /// the mean separation, as is usual for halo work, and GADGET's split.
    pub fn new(force: Force, mesh: usize) -> Self {
        Self { force, mesh, softening: 0.04, split: 1.25, opening: 0.8, tree_from: 0.5 }
    }

    /// Refuse what cannot work.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        let smallest = (2.0 * REACH * self.split).ceil() as usize;
        if self.mesh < smallest.max(16) || self.mesh > 4096 {
            return Err(Error::setting(
                format!("a mesh of {} cells per axis", self.mesh),
                format!("{} to 4096", smallest.max(16)),
                "Choose a mesh of twice the particles per axis",
            ));
        }
        for (name, value, low, high) in [
            ("softening", self.softening, 1e-4, 1.0),
            ("split", self.split, 0.5, 8.0),
            ("opening", self.opening, 0.05, 2.0),
            ("tree_from", self.tree_from, 0.0, 10.0),
        ] {
            if !(value >= low && value <= high) {
                return Err(Error::setting(format!("{name} = {value}"), format!("{low} to {high}"), "Change it"));
            }
        }
        Ok(())
    }
}

/// Gravity in one box.
pub(super) struct Gravity {
    mesh: Mesh,
    short_range: Option<ShortRange>,
    box_size: f64,
    /// Plummer softening, Mpc/h.
    pub softening: f64,
}

/// The part of gravity that the tree answers for.
struct ShortRange {
    law: Law,
    opening: f64,
    /// Force split, Mpc/h.
    split: f64,
    /// Scale factor from which on there is one.
    from: f64,
}

impl Gravity {
    /// # Errors
    /// [`Error::Setting`] for a cosmology without a linear power spectrum.
    pub fn new(cosmology: &Cosmology, box_size: f64, particles: usize, config: &GravityConfig) -> Result<Self> {
        let source = 1.5 * cosmology.omega_m;
        let cell = box_size / config.mesh as f64;
        let split = config.split * cell;
        let separation = box_size / (particles as f64).cbrt();
        let softening = config.softening * separation;
        let short_range = match config.force {
            Force::Mesh => None,
            Force::TreeMesh => Some(ShortRange {
                law: Law::new(source, box_size.powi(3) / particles as f64, split, softening),
                opening: config.opening,
                split,
                from: scale_factor_of(cosmology, config.tree_from / LinearPower::new(cosmology)?.sigma(separation)),
            }),
        };
        Ok(Self { mesh: Mesh::new(config.mesh, box_size, source), short_range, box_size, softening })
    }

    /// Whether there is a short-range part at a scale factor.
    pub fn has_short_range(&self, scale_factor: f64) -> bool {
        self.short_range.as_ref().is_some_and(|short| scale_factor >= short.from)
    }

    /// The long-range part of `−∇ψ`, (Mpc/h) H0²: all of it where there is no
    /// short-range part.
    pub fn long_range(&self, positions: &[[u32; 3]], scale_factor: f64) -> Vec<[f32; 3]> {
        let split = self.short_range.as_ref().filter(|short| scale_factor >= short.from).map(|short| short.split);
        self.mesh.accelerations(positions, split)
    }

    /// The short-range part of `−∇ψ` of every particle that `active` says yes
    /// to, (Mpc/h) H0². The particles are in the order of their ascending `keys`.
    pub fn short_range(
        &self,
        positions: &[[u32; 3]],
        keys: &[u64],
        scale_factor: f64,
        active: &(impl Fn(usize) -> bool + Sync),
        out: &mut [[f32; 3]],
    ) {
        if let Some(ShortRange { law, opening, .. }) =
            self.short_range.as_ref().filter(|short| scale_factor >= short.from)
        {
            Tree::new(positions, keys, self.box_size, law.reach(), *opening).accelerations(law, active, out);
        }
    }
}

/// The scale factor at which linear growth, one today, was `growth`.
fn scale_factor_of(cosmology: &Cosmology, growth: f64) -> f64 {
    let (mut early, mut late) = (1e-4_f64, 10.0_f64);
    for _ in 0..60 {
        let middle = (early * late).sqrt();
        if cosmology.growth(1.0 / middle - 1.0) < growth { early = middle } else { late = middle }
    }
    late
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::nbody::fixed;
    use crate::sim::nbody::tree::morton;

    fn accelerations(gravity: &Gravity, positions: &[[u32; 3]]) -> Vec<[f64; 3]> {
        let mut order: Vec<usize> = (0..positions.len()).collect();
        order.sort_by_key(|&i| morton(positions[i]));
        let sorted: Vec<[u32; 3]> = order.iter().map(|&i| positions[i]).collect();
        let keys: Vec<u64> = sorted.iter().map(|&p| morton(p)).collect();
        let mut total = gravity.long_range(&sorted, 1.0);
        let mut short = vec![[0.0; 3]; total.len()];
        gravity.short_range(&sorted, &keys, 1.0, &|_| true, &mut short);
        for (t, s) in total.iter_mut().zip(&short) {
            for a in 0..3 {
                t[a] += s[a];
            }
        }
        let mut out = vec![[0.0; 3]; positions.len()];
        for (&i, g) in order.iter().zip(&total) {
            out[i] = g.map(f64::from);
        }
        out
    }

    /// The exact periodic force of a pair by Ewald summation (Hernquist, Bouchet
    /// & Suto 1991): that of a unit point mass in a unit box with a neutral
    /// background, `−∇(−1/r …)`, towards the source.
    fn ewald(d: [f64; 3]) -> [f64; 3] {
        let alpha: f64 = 2.0;
        let mut force = [0.0; 3];
        // erfc by Abramowitz & Stegun 7.1.26 is too coarse here; integrate.
        let erfc =
            |x: f64| 1.0 - 2.0 / std::f64::consts::PI.sqrt() * crate::field::simpson(|t| (-t * t).exp(), 0.0, x, 400);
        for (i, j, k) in (-3..=3).flat_map(|i| (-3..=3).flat_map(move |j| (-3..=3).map(move |k| (i, j, k)))) {
            let r = [d[0] - f64::from(i), d[1] - f64::from(j), d[2] - f64::from(k)];
            let length = r.iter().map(|v| v * v).sum::<f64>().sqrt();
            let x = alpha * length;
            let part = erfc(x) + 2.0 * x / std::f64::consts::PI.sqrt() * (-x * x).exp();
            for a in 0..3 {
                force[a] += r[a] / length.powi(3) * part;
            }
            let h = [f64::from(i), f64::from(j), f64::from(k)];
            let h2 = h.iter().map(|v| v * v).sum::<f64>();
            if h2 > 0.0 {
                let pi = std::f64::consts::PI;
                let wave = 2.0 / h2
                    * (-pi * pi * h2 / (alpha * alpha)).exp()
                    * (2.0 * pi * h.iter().zip(&d).map(|(h, d)| h * d).sum::<f64>()).sin();
                for a in 0..3 {
                    force[a] += h[a] * wave;
                }
            }
        }
        force
    }

    #[test]
    fn a_pair_feels_the_exact_periodic_force_at_every_distance() {
        let cosmology = Cosmology::default();
        let mut config = GravityConfig::new(Force::TreeMesh, 64);
        config.softening = 1e-4;
        let gravity = Gravity::new(&cosmology, 1.0, 2, &config).unwrap();
        let strength = 1.5 * cosmology.omega_m / 2.0 / (4.0 * std::f64::consts::PI);
        for (i, distance) in [0.004, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.3, 0.45].into_iter().enumerate() {
            // A direction that is none of the mesh's.
            let direction = [0.36, 0.48, 0.8];
            let from = [0.93 + 0.003 * i as f64, 0.21, 0.98];
            let d: [f64; 3] = std::array::from_fn(|a| direction[a] * distance);
            let positions = [from.map(fixed), std::array::from_fn(|a| fixed(from[a] + d[a]))];
            let g = accelerations(&gravity, &positions);
            let exact = ewald(d).map(|f| f * strength);
            let size = exact.iter().map(|v| v * v).sum::<f64>().sqrt();
            for a in 0..3 {
                let error = (g[0][a] - exact[a]).abs() / size;
                assert!(error < 0.02, "distance {distance}, axis {a}: off by {error}");
                assert!((g[0][a] + g[1][a]).abs() / size < 0.02, "the pair does not pull equally");
            }
        }
    }

    #[test]
    fn the_tree_agrees_with_summing_every_pair() {
        let cosmology = Cosmology::default();
        // A clustered set: points of an r⁻² cloud and a uniform background.
        let mut noise = vec![0f32; 6 * 3000];
        crate::field::fill_normal(&mut noise, 3, crate::field::Stream::Latent);
        let positions: Vec<[u32; 3]> = (0..3000)
            .map(|i| {
                let n = &noise[6 * i..6 * i + 6];
                let radius = if i % 3 == 0 { 0.5 } else { 0.03 * f64::from(n[3].abs()) };
                std::array::from_fn(|a| fixed(0.98 + radius * f64::from(n[a])))
            })
            .collect();
        let forces = |opening| {
            let config = GravityConfig { opening, ..GravityConfig::new(Force::TreeMesh, 64) };
            accelerations(&Gravity::new(&cosmology, 1.0, positions.len(), &config).unwrap(), &positions)
        };
        let (fast, exact) = (forces(0.6), forces(0.05));
        let square = |v: &[f64; 3]| v.iter().map(|x| x * x).sum::<f64>();
        let difference: f64 =
            fast.iter().zip(&exact).map(|(f, e)| square(&[f[0] - e[0], f[1] - e[1], f[2] - e[2]])).sum();
        let total: f64 = exact.iter().map(square).sum();
        let error = (difference / total).sqrt();
        assert!(error < 0.01 && error > 0.0, "rms force error {error}");
    }
}

//! Neutral hydrogen painted on haloes (Villaescusa-Navarro et al. 2018,
//! arXiv:1804.09180).

use serde::{Deserialize, Serialize};

use super::{Frame, Halo};
use crate::field::philox;
use crate::field::{Grid, RHO_CRITICAL, assign_mass};
use crate::io::Particles;

/// Table 1 of arXiv:1804.09180 for friends-of-friends haloes: redshift, α,
/// M0 (M☉/h), Mmin (M☉/h) of `M_HI = M0 (M/Mmin)^α exp(−(Mmin/M)^0.35)`.
const HYDROGEN_TABLE: [[f64; 4]; 6] = [
    [0.0, 0.24, 4.3e10, 2.0e12],
    [1.0, 0.53, 1.5e10, 6.0e11],
    [2.0, 0.60, 1.3e10, 3.6e11],
    [3.0, 0.76, 2.9e9, 6.7e10],
    [4.0, 0.79, 1.4e9, 2.1e10],
    [5.0, 0.74, 1.9e9, 2.0e10],
];

/// Mean HI mass in M☉/h of a halo of `mass` M☉/h: eq. 13 of arXiv:1804.09180,
/// its parameters interpolated in redshift (α linearly, the masses in their
/// logarithm) and held beyond z = 5.
pub fn hydrogen_mass(mass: f64, redshift: f64) -> f64 {
    let above = HYDROGEN_TABLE.iter().position(|row| row[0] >= redshift).unwrap_or(HYDROGEN_TABLE.len() - 1).max(1);
    let (low, high) = (HYDROGEN_TABLE[above - 1], HYDROGEN_TABLE[above]);
    let t = ((redshift - low[0]) / (high[0] - low[0])).clamp(0.0, 1.0);
    let alpha = low[1] + t * (high[1] - low[1]);
    let log = |i: usize| (low[i].ln() + t * (high[i].ln() - low[i].ln())).exp();
    let (m0, m_min) = (log(2), log(3));
    m0 * (mass / m_min).powf(alpha) * (-(m_min / mass).powf(0.35)).exp()
}

/// How HI is painted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HydrogenModel {
    /// Log-normal scatter of a halo's HI mass about the mean relation, dex. The
    /// mean over haloes is kept.
    pub scatter: f64,
    /// Seed of the scatter.
    pub seed: u64,
    /// Core radius of the HI profile in units of the halo's rms radius.
    pub core: f64,
}

impl Default for HydrogenModel {
    fn default() -> Self {
        Self { scatter: 0.2, seed: 1, core: 0.25 }
    }
}

impl HydrogenModel {
    /// What a map of this model on `count` haloes is, a part of a sentence.
    pub fn describe(&self, count: usize) -> String {
        format!(
            "HI painted on {count} friends-of-friends haloes (arXiv:1804.09180, scatter {} dex, seed {})",
            self.scatter, self.seed
        )
    }
}

/// A map of neutral hydrogen.
#[derive(Debug, Clone)]
pub struct HydrogenMap {
    /// 21 cm brightness temperature in mK.
    pub brightness_temperature: Grid,
    /// HI density in units of today's critical density.
    pub omega_hi: f64,
}

/// Paint HI on haloes and return its 21 cm map.
///
/// A halo's HI is shared among its own particles with weights
/// `1/(1 + (r/r_core)²)`: it keeps the halo's shape and is more concentrated
/// than its mass, as HI is, whose profile falls as r⁻² or steeper outside a
/// core. In redshift space each particle moves with its own velocity, so the
/// map has the haloes' fingers of god.
pub fn paint_hydrogen(haloes: &[Halo], particles: &Particles, frame: &Frame, model: &HydrogenModel) -> HydrogenMap {
    // ⟨10^(s g)⟩ = exp((s ln 10)²/2) for a standard normal g.
    let sigma = model.scatter * std::f64::consts::LN_10;
    let factor = |halo: u64| (sigma * normal(model.seed, halo) - sigma * sigma / 2.0).exp();
    paint(haloes, particles, frame, model.core, factor)
}

/// Paint every halo with the mean HI of its mass times a factor that hangs on its number,
/// with a `core` as [`HydrogenModel::core`].
fn paint(haloes: &[Halo], particles: &Particles, frame: &Frame, core: f64, factor: impl Fn(u64) -> f64) -> HydrogenMap {
    let box_size = frame.box_size;
    let mut members = Vec::new();
    let mut masses = Vec::new();
    for (index, halo) in haloes.iter().enumerate() {
        let total = hydrogen_mass(halo.mass, frame.redshift) * factor(index as u64);
        let squares: Vec<f64> = halo
            .members
            .iter()
            .map(|&i| distance_squared(&particles.positions[i as usize], &halo.centre, box_size))
            .collect();
        let core = core.powi(2) * squares.iter().sum::<f64>() / squares.len() as f64;
        let weights: Vec<f64> = squares.iter().map(|r2| 1.0 / (1.0 + r2 / core.max(f64::MIN_POSITIVE))).collect();
        let sum: f64 = weights.iter().sum();
        for (&i, w) in halo.members.iter().zip(&weights) {
            members.push(i);
            masses.push(total * w / sum);
        }
    }
    hydrogen_map(particles, &members, &masses, frame)
}

/// The 21 cm map of HI `masses` (M☉/h) at the particles `members`.
pub fn hydrogen_map(particles: &Particles, members: &[u32], masses: &[f64], frame: &Frame) -> HydrogenMap {
    let positions: Vec<[f32; 3]> = members.iter().map(|&i| frame.place(particles, i as usize)).collect();
    let to_temperature =
        frame.cosmology.brightness_temperature_scale(frame.redshift) / (RHO_CRITICAL * frame.voxel_volume());
    let mass = |i: usize| masses[i] * to_temperature;
    HydrogenMap {
        brightness_temperature: assign_mass(&positions, mass, frame.n, frame.box_size, frame.assignment),
        omega_hi: masses.iter().sum::<f64>() / (frame.box_size.powi(3) * RHO_CRITICAL),
    }
}

fn distance_squared(p: &[f32; 3], q: &[f64; 3], box_size: f64) -> f64 {
    (0..3)
        .map(|axis| {
            let d = f64::from(p[axis]) - q[axis];
            (d - box_size * (d / box_size).round()).powi(2)
        })
        .sum()
}

/// A standard normal that belongs to halo `index`.
fn normal(seed: u64, index: u64) -> f64 {
    let words = philox([index as u32, (index >> 32) as u32, 0, 4], [seed as u32, (seed >> 32) as u32]);
    let u = (f64::from(words[0]) + 1.0) / 4_294_967_296.0;
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * f64::from(words[1]) / 4_294_967_296.0).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Cosmology, MassAssignment};
    use crate::sim::{HaloFinder, find_haloes, halo_mass_bin};

    #[test]
    fn hydrogen_mass_is_the_published_relation() {
        // At M = Mmin the relation is M0/e, at any redshift of the table.
        for [z, _, m0, m_min] in HYDROGEN_TABLE {
            assert!((hydrogen_mass(m_min, z) / (m0 / std::f64::consts::E) - 1.0).abs() < 1e-12);
        }
        // Small haloes are cut off, and z in between lies in between.
        assert!(hydrogen_mass(1e9, 0.0) < 1e-6 * hydrogen_mass(1e12, 0.0));
        let (low, middle, high) = (hydrogen_mass(1e12, 1.0), hydrogen_mass(1e12, 1.5), hydrogen_mass(1e12, 2.0));
        assert!(low < middle && middle < high);
    }

    #[test]
    fn painting_conserves_hydrogen_and_knows_its_seed() {
        let positions: Vec<[f32; 3]> =
            (0..200).map(|i| [0, 1, 2].map(|a| 4.0 + 0.01 * ((i * (3 + a * 7)) % 23) as f32)).collect();
        let particles = Particles { positions, uniform_mass: Some(1e10), ..Particles::default() };
        let haloes = find_haloes(&particles, 10.0, HaloFinder::default());
        assert_eq!(haloes.len(), 1);
        assert_eq!(halo_mass_bin(haloes[0].mass), Some(2));
        let cosmology = Cosmology::default();
        let frame = Frame {
            n: 16,
            box_size: 10.0,
            redshift: 1.0,
            cosmology,
            assignment: MassAssignment::Cic,
            line_of_sight: None,
        };
        let paint = |scatter, seed| {
            let model = HydrogenModel { scatter, seed, ..HydrogenModel::default() };
            paint_hydrogen(&haloes, &particles, &frame, &model)
        };
        let map = paint(0.0, 1);
        let expected = hydrogen_mass(2e12, 1.0) / (1000.0 * RHO_CRITICAL);
        assert!((map.omega_hi / expected - 1.0).abs() < 1e-9);
        let mean = map.brightness_temperature.mean() / cosmology.brightness_temperature_scale(1.0);
        assert!((mean / expected - 1.0).abs() < 1e-5);
        assert_eq!(paint(0.2, 1).omega_hi, paint(0.2, 1).omega_hi);
        assert_ne!(paint(0.2, 1).omega_hi, paint(0.2, 2).omega_hi);
    }
}

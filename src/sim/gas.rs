//! Neutral hydrogen of gas particles: photo-ionisation equilibrium with
//! self-shielding (Rahmati et al. 2013, arXiv:1210.7808) and a correction for
//! molecules (Blitz & Rosolowsky 2006, astro-ph/0605035).

use crate::error::{Error, Result};
use crate::io::SnapshotReader;

/// Mass fraction of hydrogen.
pub const HYDROGEN_FRACTION: f64 = 0.76;
/// Adiabatic index.
const GAMMA: f64 = 5.0 / 3.0;
/// Mass of the proton, g.
const PROTON: f64 = 1.672_621_9e-24;
/// Boltzmann's constant, erg/K.
const BOLTZMANN: f64 = 1.380_649e-16;
/// Solar mass, g.
const SOLAR_MASS: f64 = 1.989e33;
/// Megaparsec, cm.
const MEGAPARSEC: f64 = 3.085_678e24;
/// Temperature of the star-forming gas, K: its internal energy is that of the
/// subgrid model's hot and cold phases together, and hydrogen is in the cold.
const STAR_FORMING: f64 = 1e4;

/// Rahmati et al. 2013: redshift, `log10 n0` (cm⁻³), α1, α2, β and f of their
/// fit (table A1) and the photo-ionisation rate (1/s) of the ultraviolet
/// background it is made with (Haardt & Madau 2001; table 2).
const SHIELDING: [[f64; 7]; 6] = [
    [0.0, -2.94, -3.98, -1.09, 1.29, 0.01, 8.34e-14],
    [1.0, -2.29, -2.94, -0.90, 1.21, 0.03, 7.39e-13],
    [2.0, -2.06, -2.22, -1.09, 1.75, 0.03, 1.50e-12],
    [3.0, -2.13, -1.99, -0.88, 1.72, 0.04, 1.16e-12],
    [4.0, -2.23, -2.05, -0.75, 1.93, 0.02, 7.92e-13],
    [5.0, -2.35, -2.63, -0.57, 1.77, 0.01, 5.43e-13],
];

/// The self-shielded ultraviolet background at one redshift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Background {
    n0: f64,
    alpha1: f64,
    alpha2: f64,
    beta: f64,
    f: f64,
    rate: f64,
}

impl Background {
    /// At `redshift`: the table, interpolated linearly (the density and the rate
    /// in their logarithm) and held beyond z = 5.
    pub fn at(redshift: f64) -> Self {
        let above = SHIELDING.iter().position(|row| row[0] >= redshift).unwrap_or(SHIELDING.len() - 1).max(1);
        let (low, high) = (SHIELDING[above - 1], SHIELDING[above]);
        let t = ((redshift - low[0]) / (high[0] - low[0])).clamp(0.0, 1.0);
        let mix = |i: usize| low[i] + t * (high[i] - low[i]);
        Self {
            n0: 10f64.powf(mix(1)),
            alpha1: mix(2),
            alpha2: mix(3),
            beta: mix(4),
            f: mix(5),
            rate: (low[6].ln() + t * (high[6] / low[6]).ln()).exp(),
        }
    }

    /// Photo-ionisation rate (1/s) inside gas of `density` hydrogen nuclei per
    /// cm³ (eq. A1).
    pub fn rate(&self, density: f64) -> f64 {
        let x = density / self.n0;
        let shielded =
            (1.0 - self.f) * (1.0 + x.powf(self.beta)).powf(self.alpha1) + self.f * (1.0 + x).powf(self.alpha2);
        self.rate * shielded
    }

    /// Fraction of hydrogen that is neutral in equilibrium at `density` (nuclei
    /// per cm³) and `temperature` (K): recombination against photo-ionisation
    /// and collisions (eqs A3 to A8).
    pub fn neutral_fraction(&self, density: f64, temperature: f64) -> f64 {
        let lambda = 315_614.0 / temperature;
        let recombination = 1.269e-13 * lambda.powf(1.503) / (1.0 + (lambda / 0.522).powf(0.47)).powf(1.923);
        let collisions =
            1.17e-10 * temperature.sqrt() * (-157_809.0 / temperature).exp() / (1.0 + (temperature / 1e5).sqrt());
        let a = recombination + collisions;
        let b = 2.0 * recombination + self.rate(density) / density + collisions;
        // The root below one of a η² − b η + α = 0, in the form that does not
        // cancel.
        2.0 * recombination / (b + (b * b - 4.0 * a * recombination).max(0.0).sqrt())
    }
}

/// Molecular hydrogen over atomic at a `pressure` over Boltzmann's constant, in
/// K/cm³ (Blitz & Rosolowsky 2006, eq. 11).
pub fn molecular_ratio(pressure: f64) -> f64 {
    (pressure / 4.3e4).powf(0.92)
}

/// How the neutral fractions of a snapshot came to be, a part of a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct GasHydrogen {
    /// Mass of atomic hydrogen per gas particle, M☉/h.
    pub masses: Vec<f64>,
    /// What was done.
    pub recipe: String,
}

/// Atomic hydrogen of the gas (PartType0) of a snapshot.
///
/// Gas that forms stars is in equilibrium at 10⁴ K, less its molecules. Other
/// gas has the code's own neutral fraction where the file gives it
/// (`NeutralHydrogenAbundance`) and the density lies below the onset of
/// self-shielding; above, the larger of it and the shielded equilibrium, since
/// some codes write an optically thin value. Without it, the equilibrium.
///
/// # Errors
/// [`Error::Input`] where the snapshot has no gas or lacks its density or
/// internal energy.
pub fn gas_hydrogen(reader: &SnapshotReader, masses: impl Fn(usize) -> f64) -> Result<GasHydrogen> {
    let header = reader.header();
    let need = |name: &str| -> Result<Vec<f32>> {
        if reader.has(0, name) {
            return reader.scalars(0, name);
        }
        Err(Error::input(
            &header.path,
            format!("its gas has no {name}"),
            "gas with Density and InternalEnergy",
            "Paint HI on the haloes, or use a snapshot with full gas properties",
        ))
    };
    let optional = |name: &str| -> Result<Option<Vec<f32>>> {
        if reader.has(0, name) { reader.scalars(0, name).map(Some) } else { Ok(None) }
    };
    let (density, energy) = (need("Density")?, need("InternalEnergy")?);
    let electrons = optional("ElectronAbundance")?;
    let star_formation = optional("StarFormationRate")?;
    let neutral = optional("NeutralHydrogenAbundance")?;

    let (units, h, z) = (reader.units(), header.cosmology.h, header.redshift);
    // Comoving code density (h-free lengths and masses are not written with h)
    // to proper g/cm³: M☉/h over (Mpc/h)³ is h² M☉/Mpc³.
    let to_cgs = units.mass / units.length.powi(3) * h * h * SOLAR_MASS / MEGAPARSEC.powi(3) * (1.0 + z).powi(3);
    let to_energy = (units.velocity * 1e5).powi(2);
    let background = Background::at(z);
    let mut forming = 0usize;
    let atomic = (0..density.len())
        .map(|i| {
            let rho = f64::from(density[i]) * to_cgs;
            let nuclei = HYDROGEN_FRACTION * rho / PROTON;
            let specific = f64::from(energy[i]) * to_energy;
            let electrons = electrons.as_ref().map_or(1.16, |x| f64::from(x[i]));
            let weight = 4.0 / (1.0 + 3.0 * HYDROGEN_FRACTION + 4.0 * HYDROGEN_FRACTION * electrons);
            let temperature = (GAMMA - 1.0) * specific * weight * PROTON / BOLTZMANN;
            let fraction = if star_formation.as_ref().is_some_and(|s| s[i] > 0.0) {
                forming += 1;
                let pressure = (GAMMA - 1.0) * specific * rho / BOLTZMANN;
                background.neutral_fraction(nuclei, STAR_FORMING) / (1.0 + molecular_ratio(pressure))
            } else {
                let equilibrium = background.neutral_fraction(nuclei, temperature.max(10.0));
                match &neutral {
                    Some(own) if nuclei < 0.1 * background.n0 => f64::from(own[i]).clamp(0.0, 1.0),
                    Some(own) => f64::from(own[i]).clamp(0.0, 1.0).max(equilibrium),
                    None => equilibrium,
                }
            };
            HYDROGEN_FRACTION * fraction * masses(i)
        })
        .collect();
    let source = match neutral {
        Some(_) => "neutral fractions of the simulation below the onset of self-shielding",
        None => "photo-ionisation equilibrium",
    };
    let recipe = format!(
        "{source}, self-shielding after Rahmati et al. (2013), star-forming gas ({forming} of {} cells) less molecules \
         after Blitz & Rosolowsky (2006)",
        density.len()
    );
    Ok(GasHydrogen { masses: atomic, recipe })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thin_gas_is_ionised_dense_gas_is_neutral_and_hot_gas_is_ionised_by_collisions() {
        for z in [0.0, 0.5, 1.0, 3.0, 7.0] {
            let background = Background::at(z);
            assert!(background.neutral_fraction(1e-5, 1e4) < 1e-2);
            assert!(background.neutral_fraction(10.0, 1e4) > 0.9);
            assert!(background.neutral_fraction(1.0, 1e6) < 1e-4);
        }
    }

    #[test]
    fn the_fraction_balances_recombination_and_ionisation() {
        // Optically thin, fully ionised gas: η ≈ α n / Γ, with the case A rate
        // 4.2e-13 cm³/s at 10⁴ K (Osterbrock & Ferland 2006).
        let background = Background::at(3.0);
        let density = 1e-5;
        let expected = 4.18e-13 * density / background.rate(density);
        let ratio = background.neutral_fraction(density, 1e4) / expected;
        assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
        // A tenth of the rate is left a little above n0: shielding sets in.
        assert!(background.rate(background.n0 * 3.0) < 0.2 * background.rate);
        assert!(background.rate(background.n0 * 1e-3) > 0.95 * background.rate);
    }

    #[test]
    fn half_the_hydrogen_is_molecular_at_the_published_pressure() {
        assert!((molecular_ratio(4.3e4) - 1.0).abs() < 1e-12);
        assert!(molecular_ratio(4.3e5) > 8.0);
    }
}

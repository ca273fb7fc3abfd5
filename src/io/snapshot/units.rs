//! Which units a snapshot is written in.
//!
//! Snapshots of one family differ in units (kpc/h, Mpc/h, h-free Mpc) and often
//! do not say. The mean density does: the total mass in the box over its volume
//! must be `Ωm ρc`, and two choices of units differ by at least `h²`.

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::io::h5::{Parameter, Places};

/// Centimetres per megaparsec.
const CM_PER_MPC: f64 = 3.085_677_58e24;
/// Grams per solar mass. Codes use 1.988e33 to 1.99e33; see [`Units::round`].
const G_PER_SOLAR_MASS: f64 = 1.988_41e33;
/// How far from `Ωm ρc` a mean density may be to be believed: a hydrodynamic
/// run without its baryons is at 0.84, the nearest wrong units at `h² ≈ 0.45`.
const TOLERANCE: f64 = 0.25;
/// The least part of the matter that a cut-out or a subsample may have before
/// its units are doubted: kpc and Mpc differ by nine decades.
const LEAST: f64 = 1e-4;

/// What turns a file's numbers into Halodi's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Units {
    /// Multiply lengths by this to have comoving Mpc/h.
    pub length: f64,
    /// Multiply masses by this to have M☉/h.
    pub mass: f64,
    /// Multiply velocities by this, and by `a^velocity_a_power`, to have
    /// peculiar km/s.
    pub velocity: f64,
    /// 1/2 for the Gadget family, 0 for SWIFT.
    pub velocity_a_power: f64,
}

impl Units {
    /// The usual units of the Gadget family: kpc/h, 10¹⁰ M☉/h, √a km/s.
    pub const GADGET: Self = Self { length: 1e-3, mass: 1e10, velocity: 1.0, velocity_a_power: 0.5 };

    /// The length unit in words.
    pub fn length_name(&self, h: f64) -> String {
        let is = |value: f64| (self.length / value - 1.0).abs() < 2e-3;
        match () {
            () if is(1e-3) => "kpc/h".to_owned(),
            () if is(1.0) => "Mpc/h".to_owned(),
            () if is(h) => "Mpc (no h)".to_owned(),
            () if is(1e-3 * h) => "kpc (no h)".to_owned(),
            () => format!("{:.6e} Mpc/h", self.length),
        }
    }

    /// The mass unit in words.
    pub fn mass_name(&self, h: f64) -> String {
        let is = |value: f64| (self.mass / value - 1.0).abs() < 2e-3;
        match () {
            () if is(1e10) => "10¹⁰ Msun/h".to_owned(),
            () if is(1e10 * h) => "10¹⁰ Msun (no h)".to_owned(),
            () if is(1.0) => "Msun/h".to_owned(),
            () => format!("{:.4e} Msun/h", self.mass),
        }
    }

    /// What the file says of its units; `None` where it says nothing. `dataset`
    /// is where positions may say whether h is in them.
    pub(super) fn declared(places: &Places, dataset: Option<&Places>, h: f64) -> Option<Self> {
        let find = |parameter| {
            let value = places.find(parameter)?.first();
            (value.is_finite() && value > 0.0).then_some(value)
        };
        let has_h = |usual: bool| match dataset.and_then(|d| d.find(Parameter::HubbleScaling)) {
            Some(power) => power.first() != 0.0,
            None => usual,
        };
        let (length, mass, velocity, plain) = match find(Parameter::PlainUnitLength) {
            Some(length) => {
                let velocity = find(Parameter::PlainUnitTime).map_or(1e5, |time| length / time);
                (length, find(Parameter::PlainUnitMass)?, velocity, true)
            }
            None => {
                let velocity = find(Parameter::UnitVelocity).unwrap_or(1e5);
                (find(Parameter::UnitLength)?, find(Parameter::UnitMass)?, velocity, false)
            }
        };
        let per_h = if has_h(!plain) { 1.0 } else { h };
        Some(Self {
            length: Self::round(length / CM_PER_MPC) * per_h,
            mass: Self::round(mass / G_PER_SOLAR_MASS) * per_h,
            velocity: Self::round(velocity / 1e5),
            velocity_a_power: if plain { 0.0 } else { 0.5 },
        })
    }

    /// A power of ten where `value` is within 0.1 % of one: codes differ in the
    /// fourth digit of the parsec and the solar mass, and all mean 10¹⁰.
    fn round(value: f64) -> f64 {
        let power = 10f64.powf(value.log10().round());
        if (value / power - 1.0).abs() < 1e-3 { power } else { value }
    }

    /// Mean density in (M☉/h)/(Mpc/h)³ in these units.
    pub(super) fn density(&self, raw: &RawDensity) -> f64 {
        raw.mass * self.mass / (raw.box_size * self.length).powi(3)
    }

    /// Mean density over `Ωm ρc` in these units.
    fn density_ratio(&self, raw: &RawDensity, cosmology: &Cosmology) -> f64 {
        self.density(raw) / cosmology.mean_matter_density()
    }

    /// The units of a file, starting from what it declares, and the reason as a
    /// sentence. What is declared is believed unless the mean density makes it
    /// impossible: more than all matter, or next to none.
    ///
    /// # Errors
    /// [`Error::Input`] where no units that are known make sense.
    pub(super) fn decide(
        path: &Path,
        declared: Option<Self>,
        raw: &RawDensity,
        cosmology: &Cosmology,
    ) -> Result<(Self, String)> {
        let h = cosmology.h;
        let ratio = |units: &Self| units.density_ratio(raw, cosmology);
        let plausible = |units: &Self| (ratio(units) - 1.0).abs() < TOLERANCE;
        let possible = |units: &Self| (LEAST..1.0 + TOLERANCE).contains(&ratio(units));
        let describe = |units: &Self| {
            format!(
                "Lengths are in {} and masses in {}: that puts the mean density at {} Ωm ρc",
                units.length_name(h),
                units.mass_name(h),
                in_digits(ratio(units))
            )
        };
        let gadget = declared.unwrap_or(Self::GADGET);
        let candidates = [(1e-3, 1e10), (1.0, 1e10), (1e-3 * h, 1e10 * h), (h, 1e10 * h), (1.0, 1.0), (1e-3, 1.0)]
            .map(|(length, mass)| Self { length, mass, ..gadget });
        if let Some(units) = declared {
            if plausible(&units) {
                return Ok((units, format!("{}, as the file's unit attributes say", describe(&units))));
            }
            if possible(&units) {
                let other = candidates.iter().find(|u| plausible(u)).map_or(String::new(), |other| {
                    format!("; with lengths in {} it would be {}", other.length_name(h), in_digits(ratio(other)))
                });
                return Ok((
                    units,
                    format!("{}, with the units that the file's attributes say{other}", describe(&units)),
                ));
            }
        }
        if let Some(units) = candidates.iter().find(|u| plausible(u)) {
            let why = match declared {
                Some(said) => format!(
                    ", where the file's unit attributes ({} and {}) would give {}: they contradict the density and are not believed",
                    said.length_name(h),
                    said.mass_name(h),
                    in_digits(ratio(&said))
                ),
                None => String::new(),
            };
            return Ok((*units, describe(units) + &why));
        }
        // A cut-out or a subsample: nothing fits, but kpc/h and Mpc/h still
        // differ by nine decades, so one of the common ones is right, if any.
        let distance = |u: &Self| ratio(u).log10().abs();
        let closest = |a: &Self, b: &Self| distance(a).total_cmp(&distance(b));
        let common = candidates[..2].iter().copied().filter(|u| possible(u)).min_by(closest);
        match (declared, common) {
            (None, Some(units)) => {
                Ok((units, format!("{}, so this is a cut-out, a subsample, or has other units", describe(&units))))
            }
            _ => {
                let units = declared.unwrap_or_else(|| candidates.into_iter().min_by(closest).unwrap_or(gadget));
                let said = if declared.is_some() { ", as the file says" } else { " at best" };
                Err(Error::input(
                    path,
                    format!(
                        "its mass and its box make {} Ωm ρc with lengths in {} and masses in {}{said}",
                        in_digits(ratio(&units)),
                        units.length_name(h),
                        units.mass_name(h)
                    ),
                    "the mean density of the universe in units that are known (kpc/h, Mpc/h, 10¹⁰ Msun/h …)",
                    "Check BoxSize, the masses and the unit attributes",
                ))
            }
        }
    }
}

/// A ratio, as a decimal fraction where that is readable.
fn in_digits(ratio: f64) -> String {
    if (1e-2..100.0).contains(&ratio) { format!("{ratio:.3}") } else { format!("{ratio:.3e}") }
}

/// Total mass and side of the box as the file has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawDensity {
    /// Sum of the masses of all particle types, in the file's unit.
    pub mass: f64,
    /// Side of the box, in the file's unit.
    pub box_size: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_mean_density_tells_the_units(
            box_mpc in 5.0f64..3000.0,
            omega_m in 0.1f64..0.5,
            h in 0.5f64..0.8,
            which in 0usize..4,
            missing in 0.0f64..0.18,
        ) {
            let cosmology = Cosmology { omega_m, h, ..Cosmology::default() };
            let (length, mass) = [(1e-3, 1e10), (1.0, 1e10), (1e-3 * h, 1e10 * h), (h, 1e10 * h)][which];
            let total = (1.0 - missing) * cosmology.mean_matter_density() * box_mpc.powi(3);
            let raw = RawDensity { mass: total / mass, box_size: box_mpc / length };
            let path = Path::new("snapshot.hdf5");
            let (units, reason) = Units::decide(path, None, &raw, &cosmology).unwrap();
            prop_assert!((units.length / length - 1.0).abs() < 1e-9, "{reason}");
            // What the file declares wins, unless the density makes it impossible,
            // as kpc for Mpc is.
            let right = Units { length, mass, ..Units::GADGET };
            let (units, reason) = Units::decide(path, Some(right), &raw, &cosmology).unwrap();
            prop_assert!(units == right && reason.contains("attributes say"), "{reason}");
            let wrong = Units { length: if length < 0.1 { 1.0 } else { 1e-3 }, ..Units::GADGET };
            let (units, reason) = Units::decide(path, Some(wrong), &raw, &cosmology).unwrap();
            prop_assert!((units.length / length - 1.0).abs() < 1e-9 && reason.contains("contradict"), "{reason}");
        }
    }

    #[test]
    fn a_subsample_still_tells_kpc_from_mpc() {
        let cosmology = Cosmology::default();
        for (length, name) in [(1e-3, "kpc/h"), (1.0, "Mpc/h")] {
            let mass = 0.01 * cosmology.mean_matter_density() * 25f64.powi(3) / 1e10;
            let raw = RawDensity { mass, box_size: 25.0 / length };
            let (units, reason) = Units::decide(Path::new("snapshot.hdf5"), None, &raw, &cosmology).unwrap();
            assert!(units.length == length && reason.contains(name) && reason.contains("cut-out"), "{reason}");
        }
    }

    #[test]
    fn h_free_units_that_are_not_declared_are_told_and_grams_are_refused() {
        let cosmology = Cosmology { omega_m: 0.27, h: 0.72, ..Cosmology::default() };
        let path = Path::new("snapshot.hdf5");
        let mass = cosmology.mean_matter_density() * 25f64.powi(3);
        // Declared as Mpc/h, but h-free: within what a cut-out may be, so it is
        // believed, and the other reading is told.
        let raw = RawDensity { mass: mass / (1e10 * 0.72), box_size: 25.0 / 0.72 };
        let declared = Units { length: 1.0, ..Units::GADGET };
        let (units, reason) = Units::decide(path, Some(declared), &raw, &cosmology).unwrap();
        assert!(units == declared && reason.contains("(no h) it would be 1.000"), "{reason}");
        let grams = RawDensity { mass: mass / 0.72 * 1.989e33, box_size: 25e3 };
        let error = Units::decide(path, None, &grams, &cosmology).unwrap_err().to_string();
        assert!(error.contains("Ωm ρc"), "{error}");
    }
}

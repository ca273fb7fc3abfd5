//! Which units a snapshot is written in.
//!
//! Snapshots of one family differ in units (kpc/h, Mpc/h, h-free Mpc) and often
//! do not say. The mean density does: the total mass in the box over its volume
//! must be `Ωm ρc`, and two choices of units differ by at least `h²`.

use hdf5::{File, Location};
use serde::Serialize;

use super::h5;
use crate::field::Cosmology;

/// Centimetres per megaparsec.
const CM_PER_MPC: f64 = 3.085_677_58e24;
/// Grams per solar mass. Codes use 1.988e33 to 1.99e33; see [`Units::round`].
const G_PER_SOLAR_MASS: f64 = 1.988_41e33;
/// How far from `Ωm ρc` a mean density may be to be believed: a hydrodynamic
/// run without its baryons is at 0.84, the nearest wrong units at `h² ≈ 0.45`.
const TOLERANCE: f64 = 0.25;

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

    /// What the file says of its units; `None` where it says nothing.
    pub(super) fn declared(file: &File, particle_group: Option<&Location>, h: f64, swift: bool) -> Option<Self> {
        if swift {
            let units = file.group("Units").ok()?;
            let length = h5::number(&units, "Unit length in cgs (U_L)")?;
            let mass = h5::number(&units, "Unit mass in cgs (U_M)")?;
            let time = h5::number(&units, "Unit time in cgs (U_t)")?;
            return Some(Self {
                length: Self::round(length / CM_PER_MPC) * h,
                mass: Self::round(mass / G_PER_SOLAR_MASS) * h,
                velocity: Self::round(length / time / 1e5),
                velocity_a_power: 0.0,
            });
        }
        let groups = ["Parameters", "Header", "Units"].into_iter().filter_map(|name| file.group(name).ok());
        let (length, mass, velocity) = groups.into_iter().find_map(|group| {
            Some((
                h5::number(&group, "UnitLength_in_cm")?,
                h5::number(&group, "UnitMass_in_g")?,
                h5::number(&group, "UnitVelocity_in_cm_per_s").unwrap_or(1e5),
            ))
        })?;
        // GADGET-4 and AREPO say for each dataset whether h is divided out.
        let has_h = particle_group.and_then(|g| h5::number(g, "h_scaling")).is_none_or(|power| power != 0.0);
        let per_h = if has_h { 1.0 } else { h };
        Some(Self {
            length: Self::round(length / CM_PER_MPC) * per_h,
            mass: Self::round(mass / G_PER_SOLAR_MASS) * per_h,
            velocity: Self::round(velocity / 1e5),
            velocity_a_power: 0.5,
        })
    }

    /// A power of ten where `value` is within 0.1 % of one: codes differ in the
    /// fourth digit of the parsec and the solar mass, and all mean 10¹⁰.
    fn round(value: f64) -> f64 {
        let power = 10f64.powf(value.log10().round());
        if (value / power - 1.0).abs() < 1e-3 { power } else { value }
    }

    /// Mean density over `Ωm ρc` in these units.
    fn density_ratio(&self, raw: &RawDensity, cosmology: &Cosmology) -> f64 {
        raw.mass * self.mass / (raw.box_size * self.length).powi(3) / cosmology.mean_matter_density()
    }

    /// The units in which the mean density is `Ωm ρc`, starting from what the
    /// file declares, and the reason as a sentence.
    pub(super) fn decide(declared: Option<Self>, raw: &RawDensity, cosmology: &Cosmology) -> (Self, String) {
        let h = cosmology.h;
        let plausible = |units: &Self| (units.density_ratio(raw, cosmology) - 1.0).abs() < TOLERANCE;
        let describe = |units: &Self| {
            format!(
                "Lengths are in {} and masses in {}: that puts the mean density at {:.3} Ωm ρc",
                units.length_name(h),
                units.mass_name(h),
                units.density_ratio(raw, cosmology)
            )
        };
        if let Some(units) = declared
            && plausible(&units)
        {
            return (units, format!("{}, as the file's unit attributes say", describe(&units)));
        }
        let gadget = declared.unwrap_or(Self::GADGET);
        let candidates = [(1e-3, 1e10), (1.0, 1e10), (1e-3 * h, 1e10 * h), (h, 1e10 * h), (1.0, 1.0), (1e-3, 1.0)]
            .map(|(length, mass)| Self { length, mass, ..gadget });
        if let Some(units) = candidates.iter().find(|u| plausible(u)) {
            let why = match declared {
                Some(said) => format!(
                    ", where the file's unit attributes ({}) would give {:.3e}",
                    said.length_name(h),
                    said.density_ratio(raw, cosmology)
                ),
                None => String::new(),
            };
            return (*units, describe(units) + &why);
        }
        // A cut-out or a subsample: nothing fits, but kpc/h and Mpc/h still
        // differ by nine decades, so the closest of the common ones is right.
        let distance = |u: &Self| u.density_ratio(raw, cosmology).log10().abs();
        let closest = |a: &Self, b: &Self| distance(a).total_cmp(&distance(b));
        let units = declared.unwrap_or_else(|| candidates[..2].iter().copied().min_by(closest).unwrap_or(gadget));
        (units, format!("{}, so this is a cut-out, a subsample, or has other units", describe(&units)))
    }
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
            let (units, reason) = Units::decide(None, &raw, &cosmology);
            prop_assert!((units.length / length - 1.0).abs() < 1e-9, "{reason}");
            // What the file declares does not win against the density.
            let wrong = Units { length: if which == 1 { 1e-3 } else { 1.0 }, ..Units::GADGET };
            let (units, reason) = Units::decide(Some(wrong), &raw, &cosmology);
            prop_assert!((units.length / length - 1.0).abs() < 1e-9, "{reason}");
        }
    }

    #[test]
    fn a_subsample_still_tells_kpc_from_mpc() {
        let cosmology = Cosmology::default();
        for (length, name) in [(1e-3, "kpc/h"), (1.0, "Mpc/h")] {
            let mass = 0.01 * cosmology.mean_matter_density() * 25f64.powi(3) / 1e10;
            let (units, reason) = Units::decide(None, &RawDensity { mass, box_size: 25.0 / length }, &cosmology);
            assert!(units.length == length && reason.contains(name) && reason.contains("cut-out"), "{reason}");
        }
    }
}

//! What the particles of a snapshot are, and whether those that are read make up
//! the matter.

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};

/// How far from Ωm all matter of a file may be: neutrinos that are followed on
/// a mesh, unit constants in the third digit.
const TOLERANCE: f64 = 0.05;
/// The largest share of the matter that neutrinos have.
const MOST_NEUTRINOS: f64 = 0.1;

/// What the particles of one type are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Species {
    /// Gas.
    Gas,
    /// Dark matter.
    DarkMatter,
    /// Stars.
    Stars,
    /// Black holes.
    BlackHoles,
    /// Massive neutrinos.
    Neutrinos,
    /// Without mass: tracers of the gas, or a type with no particles.
    Tracers,
}

impl Species {
    /// What they are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gas => "gas",
            Self::DarkMatter => "dark matter",
            Self::Stars => "stars",
            Self::BlackHoles => "black holes",
            Self::Neutrinos => "neutrinos",
            Self::Tracers => "tracers",
        }
    }
}

/// What is known of the particles of one type.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Census {
    pub count: u64,
    /// Part of Ωm that they make up.
    pub share: f64,
    /// Whether they have what only black holes have.
    pub accretes: bool,
}

/// What every type is. Types 2, 3 and 5 mean different things in different
/// codes: coarse dark matter of a zoom, a second species, neutrinos, tracers,
/// black holes.
pub(super) fn species(census: &[Census]) -> Vec<Species> {
    let mean = |c: &Census| c.share / c.count as f64;
    let hydrodynamic = census.first().is_some_and(|gas| gas.count > 0);
    let halo = census.get(1).copied().unwrap_or_default();
    let of = |(particle_type, c): (usize, &Census)| {
        let light = halo.count > 0 && mean(c) < 0.2 * mean(&halo) && c.share < MOST_NEUTRINOS;
        match particle_type {
            _ if c.count == 0 || c.share == 0.0 => Species::Tracers,
            0 => Species::Gas,
            1 => Species::DarkMatter,
            2 | 3 if light => Species::Neutrinos,
            2 | 3 => Species::DarkMatter,
            // Without gas there is nothing that stars and black holes are made of.
            4 if hydrodynamic => Species::Stars,
            5 if c.accretes || (hydrodynamic && c.share < 0.01) => Species::BlackHoles,
            4 | 5 => Species::DarkMatter,
            6 => Species::Neutrinos,
            _ if light => Species::Neutrinos,
            _ => Species::DarkMatter,
        }
    };
    census.iter().enumerate().map(of).collect()
}

/// What is to be said of the dark matter that is read, and what needs the
/// user's consent.
pub(super) struct Verdict {
    /// Sentences for the user.
    pub notes: Vec<String>,
    /// Why the user must agree, if that is so: what was found and what was
    /// expected.
    pub consent: Option<(String, String)>,
}

/// See what the types that are dark matter make up.
pub(super) fn verdict(census: &[Census], species: &[Species]) -> Verdict {
    let share = |of: &dyn Fn(Species) -> bool| -> f64 {
        species.iter().zip(census).filter(|(s, _)| of(**s)).map(|(_, c)| c.share).sum()
    };
    let types = |of: Species| -> Vec<usize> { (0..species.len()).filter(|&t| species[t] == of).collect() };
    let label = |types: &[usize]| {
        types.iter().map(|t| format!("PartType{t} ({:.1} %)", 100.0 * census[*t].share)).collect::<Vec<_>>().join(", ")
    };
    let mut notes = Vec::new();
    let (dark, neutrinos) = (types(Species::DarkMatter), types(Species::Neutrinos));
    if dark.len() > 1 {
        notes.push(format!("Dark matter is in several types, which are added up: {}, of Ωm", label(&dark)));
    }
    if !neutrinos.is_empty() {
        notes.push(format!("{} of Ωm, of light particles: taken to be neutrinos and left out", label(&neutrinos)));
    }
    let baryons = share(&|s| matches!(s, Species::Gas | Species::Stars | Species::BlackHoles));
    let matter = share(&|s| s == Species::DarkMatter);
    if baryons > 0.0 && matter > 0.0 {
        notes.push(format!(
            "The dark matter is {:.1} % of Ωm; baryons ({:.1} %) are not part of it",
            100.0 * matter,
            100.0 * baryons
        ));
    }
    let total = share(&|_| true);
    let consent = ((total - 1.0).abs() > TOLERANCE).then(|| {
        let all: Vec<usize> = (0..species.len()).filter(|&t| census[t].share > 0.0).collect();
        (
            format!("its particles make up {:.1} % of Ωm: {}", 100.0 * total, label(&all)),
            "a box that holds all of its matter (no cut-out, subsample or zoom without its surroundings)".to_owned(),
        )
    });
    Verdict { notes, consent }
}

/// The error of a snapshot that needs consent.
pub(super) fn needs_consent(path: &Path, types: &[usize], reason: &(String, String)) -> Result<()> {
    Err(Error::Consent {
        path: path.to_path_buf(),
        found: reason.0.clone(),
        expected: reason.1.clone(),
        types: types.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(types: &[(u64, f64)]) -> Vec<Census> {
        types.iter().map(|&(count, share)| Census { count, share, accretes: false }).collect()
    }

    #[test]
    fn types_are_told_by_mass_and_company() {
        use Species::{BlackHoles, DarkMatter, Gas, Neutrinos, Stars, Tracers};
        let none = (0, 0.0);
        // Two equal species, and zooms with coarse matter in type 2 or 5.
        assert_eq!(species(&census(&[none, (2048, 0.5), (2048, 0.5)]))[1..], [DarkMatter, DarkMatter]);
        let zoom = census(&[none, (1256, 0.038), none, none, none, (3939, 0.962)]);
        assert_eq!(species(&zoom)[5], DarkMatter);
        assert!(verdict(&zoom, &species(&zoom)).consent.is_none());
        // Neutrinos: as many as dark matter and far lighter.
        assert_eq!(species(&census(&[none, (512, 0.985), (512, 0.015)]))[2], Neutrinos);
        // A hydrodynamic run with tracers, stars and black holes.
        let full = census(&[(500, 0.15), (512, 0.837), none, (500, 0.0), (9, 0.012), (1, 0.0003)]);
        assert_eq!(species(&full), [Gas, DarkMatter, Tracers, Tracers, Stars, BlackHoles]);
        assert!(verdict(&full, &species(&full)).consent.is_none());
    }

    #[test]
    fn what_is_missing_needs_consent() {
        let cut = census(&[(0, 0.0), (512, 0.3)]);
        let (found, _) = verdict(&cut, &species(&cut)).consent.unwrap();
        assert!(found.contains("30.0 % of Ωm"), "{found}");
        // Neutrinos that are no particles are within the tolerance.
        let light = census(&[(0, 0.0), (512, 0.97)]);
        assert!(verdict(&light, &species(&light)).consent.is_none());
    }
}

//! What one file of an HDF5 snapshot says of itself, in its own units.

use std::path::Path;

use hdf5::{File, Group};

use super::units::Units;
use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::io::h5::{self, Found, Parameter, Places};

/// Where codes keep what describes a run.
const GROUPS: [&str; 5] = ["Header", "Cosmology", "Parameters", "Units", "RuntimePars"];
/// More pieces than any simulation writes.
const MOST_PIECES: f64 = 65_536.0;
/// A redshift this far below zero is zero, rounded.
const ROUNDING: f64 = 1e-3;

/// A header in the file's own units.
#[derive(Debug, Clone)]
pub(super) struct RawHeader {
    pub format: String,
    pub box_size: f64,
    pub redshift: f64,
    /// Matter density where it is given, and a full cosmology with Halodi's
    /// defaults for what is not.
    pub omega_m: Option<f64>,
    pub cosmology: Cosmology,
    pub mass_table: Vec<f64>,
    /// Particles per type in this file, as its datasets have them.
    pub counts_here: Vec<u64>,
    /// Particles per type in the snapshot, as the header says; empty where it
    /// does not.
    pub totals: Totals,
    pub files: usize,
    /// What the file says of its units; `None` where it says nothing.
    pub units: Option<Units>,
    pub notes: Vec<String>,
}

/// Particle totals of a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Per type.
    pub counts: Vec<u64>,
    /// Whether only the low 32 bits were kept, so that more particles may be
    /// there than are counted.
    pub low_word_alone: bool,
}

impl Totals {
    /// Totals by what their integers mean, however they are stored: `low` is the
    /// whole number, or its low 32 bits beside `high`, and writers with signed
    /// integers make those bits negative. `None` for numbers that are no counts.
    pub fn from_words(low: &[i128], high: &[i128]) -> Option<Self> {
        const WORD: i128 = 1 << 32;
        let unsigned = |v: i128| if (-WORD / 2..0).contains(&v) { v + WORD } else { v };
        let counts = low.iter().enumerate().map(|(t, &low)| {
            let (low, high) = (unsigned(low), high.get(t).copied().map_or(0, unsigned));
            let whole = if low < WORD { low + high * WORD } else { low };
            u64::try_from(whole).ok().filter(|&count| count < 1 << 60 && low >= 0 && high >= 0)
        });
        let counts = counts.collect::<Option<Vec<u64>>>()?;
        let low_word_alone = low.iter().all(|&l| unsigned(l) < WORD) && high.iter().all(|&h| h == 0);
        Some(Self { counts, low_word_alone })
    }

    /// Whether `count` particles of a type are what the header counts.
    pub fn agree(&self, particle_type: usize, count: u64) -> bool {
        let total = self.counts.get(particle_type).copied().unwrap_or(0);
        total == count || (self.low_word_alone && count > u64::from(u32::MAX) && count & 0xffff_ffff == total)
    }
}

impl RawHeader {
    /// Read the header of an HDF5 file.
    pub fn read(path: &Path, file: &File) -> Result<Self> {
        let Some(header) = h5::group(path, file, "Header")? else {
            return Err(Error::input(
                path,
                "it has no group Header",
                h5::EXPECTED,
                "Choose a snapshot of the Gadget family",
            ));
        };
        let places = Places::of_file(file, &GROUPS);
        if places.has(Parameter::Groups) || places.has(Parameter::GroupsHere) {
            return Err(Error::input(
                path,
                "it is a catalogue of groups, not a snapshot",
                "a snapshot with particles",
                "Open the snapshot of the same number (snapshot_NNN or snap_NNN)",
            ));
        }
        // SWIFT names its units so, whether or not it signs the file.
        let swift = places.has(Parameter::PlainUnitTime)
            || h5::text(&header, "Code").is_some_and(|code| code.trim().eq_ignore_ascii_case("swift"));
        let mut notes = Vec::new();
        cosmological(path, &places)?;
        let box_size = box_size(path, &places)?;
        let redshift = redshift(path, &places, swift, &mut notes)?;
        let (omega_m, cosmology) = cosmology(path, &places, &mut notes)?;

        let counts_here = particles_here(path, file, &places)?;
        let totals = match places.integers(Parameter::Counts) {
            Some(low) => {
                let high = places.integers(Parameter::CountsHigh).unwrap_or_default();
                Totals::from_words(&low, &high).ok_or_else(|| {
                    Error::input(
                        path,
                        format!("the header counts {low:?} particles (high words {high:?})"),
                        "particle totals",
                        "Copy or download it again",
                    )
                })?
            }
            None => Totals::default(),
        };
        let files = match places.find(Parameter::Files) {
            Some(found) if !(0.0..=MOST_PIECES).contains(&found.first()) => {
                return Err(Error::input(
                    path,
                    format!("{} counts {} files", found.name, found.first()),
                    format!("1 to {MOST_PIECES} files"),
                    "Copy or download it again",
                ));
            }
            Some(found) => found.first().max(1.0) as usize,
            None => 1,
        };
        if totals.counts.is_empty() {
            notes.push("The header has no NumPart_Total; particles are counted in the file".to_owned());
        }
        if file.link_exists("CompressionInfo") {
            notes.push("Positions and velocities were rounded by the publisher's lossy compression".to_owned());
        }
        let mass_table = places.find(Parameter::MassTable).map(|found| found.values).unwrap_or_default();
        if let Some(bad) = mass_table.iter().find(|m| !(m.is_finite() && **m >= 0.0)) {
            return Err(Error::input(
                path,
                format!("the header's MassTable gives a mass of {bad}"),
                "positive, finite masses",
                "Copy or download it again",
            ));
        }
        let coordinates = (0..counts_here.len())
            .filter(|&t| counts_here[t] > 0)
            .find_map(|t| file.dataset(&format!("PartType{t}/Coordinates")).ok());
        if let Some(coordinates) = &coordinates
            && h5::number(coordinates, "Value stored as physical") == Some(1.0)
        {
            return Err(Error::input(
                path,
                "it has physical positions",
                "comoving positions",
                "Write it in comoving units",
            ));
        }
        let dataset = coordinates.map(|c| Places::only("Coordinates", &c));
        Ok(Self {
            format: format_name(file, &header, &places, swift),
            box_size,
            redshift,
            omega_m,
            cosmology,
            mass_table,
            counts_here,
            totals,
            files,
            units: Units::declared(&places, dataset.as_ref(), cosmology.h),
            notes,
        })
    }
}

/// See that the file says of itself nothing that no cosmological run says.
fn cosmological(path: &Path, places: &Places) -> Result<()> {
    let refuse = |found: String| {
        Err(Error::input(
            path,
            format!("it is not from a cosmological run: {found}"),
            "a comoving, periodic box of an expanding universe",
            "Choose a cosmological run",
        ))
    };
    for found in places.all(Parameter::Cosmological) {
        if found.first() == 0.0 {
            return refuse(format!("{} is 0", found.name));
        }
    }
    if let Some(found) = places.find(Parameter::OmegaM)
        && !(found.first() > 0.0 && found.first() <= 2.0)
    {
        return refuse(format!("{} is {}", found.name, found.first()));
    }
    Ok(())
}

/// Side of the box in the file's unit.
fn box_size(path: &Path, places: &Places) -> Result<f64> {
    let refuse =
        |found: String| Err(Error::input(path, found, "a cubic periodic box", "Choose a periodic cosmological run"));
    let Some(found) = places.find(Parameter::BoxSize) else {
        return refuse("the header has no BoxSize".to_owned());
    };
    let (side, sides) = (found.first(), &found.values);
    if !(side.is_finite() && side > 0.0 && side < 1e30)
        || sides.iter().any(|&s| !s.is_finite() || (s / side - 1.0).abs() > 1e-6)
    {
        return refuse(format!("the header gives {} as {sides:?}", found.name.rsplit('/').next().unwrap_or("BoxSize")));
    }
    Ok(side)
}

/// Redshift of the file: what it is called, and what the scale factor says.
fn redshift(path: &Path, places: &Places, swift: bool, notes: &mut Vec<String>) -> Result<f64> {
    let refuse = |found: String, expected: &str| {
        Err(Error::input(path, found, expected, "Choose an output of a cosmological run at z = 0 or above"))
    };
    let given = places.find(Parameter::Redshift);
    // SWIFT's time is in its own unit; where the scale factor has a name of its
    // own, so may be the time of others.
    let explicit = places.find(Parameter::ScaleFactor);
    let factor = explicit.clone().or_else(|| if swift { None } else { places.find(Parameter::Time) });
    let of_factor = |found: &Found| 1.0 / found.first() - 1.0;
    match (&given, &factor) {
        (Some(found), _) if !(found.first().is_finite() && found.first() > -ROUNDING && found.first() < 1e5) => {
            refuse(format!("the header gives {} as {}", found.name, found.first()), "a redshift of 0 or above")
        }
        (Some(found), None) => Ok(found.first().max(0.0)),
        (Some(found), Some(factor)) => {
            let z = found.first().max(0.0);
            let agrees = (factor.first() * (1.0 + z) - 1.0).abs() < 2e-3;
            if !agrees {
                notes.push(format!(
                    "{} is {}, but at {} {z} the scale factor is {:.4}: the redshift is believed",
                    factor.name,
                    factor.first(),
                    found.name,
                    1.0 / (1.0 + z)
                ));
            }
            Ok(z)
        }
        (None, Some(factor)) => {
            let a = factor.first();
            if !(a.is_finite() && a > 1e-5 && of_factor(factor) > -ROUNDING) {
                return refuse(
                    format!("it gives no redshift, and {} is {a}, which is no scale factor", factor.name),
                    "a redshift, or a scale factor up to 1",
                );
            }
            Ok(of_factor(factor).max(0.0))
        }
        (None, None) => refuse("it gives neither a redshift nor a scale factor".to_owned(), "one of the two"),
    }
}

/// The Hubble parameter h of a name whose value may be h, or H0 in km/s/Mpc.
pub(in crate::io) fn hubble(value: f64) -> Option<f64> {
    match value {
        v if (0.1..=2.0).contains(&v) => Some(v),
        v if (20.0..=200.0).contains(&v) => Some(v / 100.0),
        _ => None,
    }
}

/// Ωm where it is given, and the cosmology with defaults for what is not.
pub(in crate::io) fn cosmology(
    path: &Path,
    places: &Places,
    notes: &mut Vec<String>,
) -> Result<(Option<f64>, Cosmology)> {
    let default = Cosmology::default();
    let mut assumed = Vec::new();
    let all = places.all(Parameter::OmegaM);
    let omega_m = all.first().map(Found::first);
    if let (Some(first), Some(other)) =
        (all.first(), all.iter().find(|f| (f.first() / all[0].first() - 1.0).abs() > 1e-2))
    {
        notes.push(format!(
            "{} is {}, and {} is {}: the first is believed",
            first.name,
            first.first(),
            other.name,
            other.first()
        ));
    }
    let h = places.all(Parameter::Hubble);
    let of_h = h.iter().find_map(|found| hubble(found.first()));
    if let (None, Some(found)) = (of_h, h.first()) {
        return Err(Error::input(
            path,
            format!("it gives {} as {}", found.name, found.first()),
            "a Hubble parameter h between 0.1 and 2",
            "Choose a cosmological run",
        ));
    }
    let mut take = |label, parameter: Parameter, fallback: f64| {
        let found = places.find(parameter).map(|f| f.first()).filter(|v| v.is_finite() && v.abs() < 10.0);
        found.unwrap_or_else(|| {
            assumed.push(label);
            fallback
        })
    };
    let matter = omega_m.unwrap_or(default.omega_m);
    let cosmology = Cosmology {
        omega_m: matter,
        omega_lambda: take("ΩΛ", Parameter::OmegaLambda, 1.0 - matter),
        omega_b: take("Ωb", Parameter::OmegaB, default.omega_b),
        h: of_h.unwrap_or(default.h),
        n_s: take("ns", Parameter::SpectralIndex, default.n_s),
        sigma_8: take("σ8", Parameter::Sigma8, default.sigma_8),
    };
    if of_h.is_none() {
        assumed.push("h");
    }
    if !assumed.is_empty() {
        notes.push(format!("The file does not give {}; taken to be Halodi's default", assumed.join(", ")));
    }
    let rate = cosmology.e(0.0);
    if !rate.is_finite() || rate <= 0.0 {
        return Err(Error::input(
            path,
            format!("its cosmology (Ωm {}, ΩΛ {}) has no expansion rate", cosmology.omega_m, cosmology.omega_lambda),
            "a cosmological run",
            "Choose another snapshot",
        ));
    }
    Ok((omega_m, cosmology))
}

/// Particles per type in one file, checked against its datasets.
fn particles_here(path: &Path, file: &File, places: &Places) -> Result<Vec<u64>> {
    let in_dataset = |t: usize| -> Result<Option<u64>> {
        let Some(group) = h5::group(path, file, &format!("PartType{t}"))? else { return Ok(None) };
        let dataset = match h5::dataset(path, &group, "Coordinates")? {
            Some(dataset) => Some(dataset),
            None => h5::dataset(path, &group, "IntCoordinates")?,
        };
        if let Some(dataset) = &dataset {
            h5::check_sources(path, dataset)?;
        }
        Ok(dataset.and_then(|d| d.shape().first().map(|&rows| rows as u64)))
    };
    let Some(said) = places.integers(Parameter::CountsHere) else {
        return (0..7).map(|t| Ok(in_dataset(t)?.unwrap_or(0))).collect();
    };
    let Some(said) = Totals::from_words(&said, &[]) else {
        return Err(Error::input(
            path,
            format!("the header counts {said:?} particles in this file"),
            "particle counts",
            "Copy or download it again",
        ));
    };
    let mut counts = said.counts.clone();
    counts.truncate(64);
    for (t, count) in counts.iter_mut().enumerate() {
        // Types a code writes nothing for are counted in the header at times
        // (tracers); only dark matter and gas must be there.
        let held = in_dataset(t)?;
        match held {
            Some(held) if said.agree(t, held) => *count = held,
            Some(held) => {
                return Err(Error::input(
                    path,
                    format!("the header counts {count} particles of PartType{t}, the file holds {held}"),
                    "all particles of the file",
                    "Copy or download it again",
                ));
            }
            None if *count > 0 && t < 2 => {
                return Err(Error::input(
                    path,
                    format!("the header counts {count} particles of PartType{t}, the file has no positions of them"),
                    "all particles of the file",
                    "Copy or download it again",
                ));
            }
            None => {}
        }
    }
    Ok(counts)
}

/// Who wrote the file.
fn format_name(file: &File, header: &Group, places: &Places, swift: bool) -> String {
    let config = |names: &[&str]| file.group("Config").is_ok_and(|c| names.iter().any(|n| c.attr(n).is_ok()));
    if swift {
        "SWIFT"
    } else if header.attr("GIZMO_version").is_ok() {
        "GIZMO"
    } else if file.link_exists("RuntimePars") && places.has(Parameter::ScaleFactor) {
        "EAGLE"
    } else if config(&["VORONOI", "REFINEMENT_SPLIT_CELLS", "CELL_CENTER_GRAVITY"])
        || header.attr("Composition_vector_length").is_ok()
        || file.link_exists("PartType0/GFM_Metallicity")
    {
        "AREPO"
    } else if header.attr("Git_commit").is_ok() || config(&["NTYPES", "SELFGRAVITY"]) {
        "GADGET-4"
    } else {
        "GADGET-2/3"
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_by_what_they_mean() {
        let count = |low: i128, high: &[i128]| Totals::from_words(&[low], high).map(|t| t.counts[0]);
        let five = 5 + (1i128 << 32);
        // 4294967301 as 64 bits, as two words of any width, and as both at once.
        assert_eq!(count(five, &[]), Some(4_294_967_301));
        assert_eq!(count(5, &[1]), Some(4_294_967_301));
        assert_eq!(count(five, &[1]), Some(4_294_967_301));
        // 2147483655 in a signed word.
        assert_eq!(count(-2_147_483_641, &[0]), Some(2_147_483_655));
        assert_eq!(count(-2_147_483_641, &[1]), Some(6_442_450_951));
        assert_eq!(count(-(1 << 40), &[]), None);
        // A total that was cut to 32 bits agrees with what is there.
        let cut = Totals::from_words(&[0, 5], &[0, 0]).unwrap();
        assert!(cut.agree(1, 4_294_967_301) && cut.agree(1, 5) && !cut.agree(1, 6));
        assert!(!Totals::from_words(&[5, 0], &[1, 0]).unwrap().agree(0, 5));
    }
}

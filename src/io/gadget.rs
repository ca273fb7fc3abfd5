//! Reading Gadget-family HDF5 snapshots: GADGET-2/3/4, AREPO (IllustrisTNG,
//! CAMELS), Quijote, SWIFT.
//!
//! The family shares its groups and little else. Cosmology may be in
//! `Cosmology`, `Parameters` or `Header`; attributes may be scalars or arrays;
//! lengths may be kpc/h, Mpc/h or without h. What cannot be read is inferred
//! from an unambiguous test, the total mass in the box against Ωm ρc, and a
//! note says so.

use std::path::{Path, PathBuf};

use hdf5::{Dataset, File, Group};
use rayon::prelude::*;

use super::hdf5_file::{damaged, number, numbers, open, text};
use super::snapshot::{Particles, Snapshot, SnapshotHeader};
use crate::error::{Error, Result};
use crate::field::Cosmology;

const CM_PER_MPC: f64 = 3.085_677_581_5e24;
const GRAMS_PER_SOLAR_MASS: f64 = 1.988_41e33;
/// Gadget's usual unit of mass, in M☉/h.
const GADGET_MASS: f64 = 1e10;

impl Snapshot {
    /// Read a snapshot's header and dark matter. `path` is a file, any piece of
    /// a multi-file snapshot, or the folder that holds the pieces.
    ///
    /// # Errors
    /// [`Error::Input`] for anything that is not a whole snapshot with dark
    /// matter inside its box.
    pub fn open(path: &Path) -> Result<Self> {
        let header = SnapshotHeader::open(path)?;
        let dark_matter = read_particles(&header, 1)?;
        Ok(Self { header, dark_matter })
    }
}

/// What the header says, with the file's units worked out.
impl SnapshotHeader {
    /// Read what a snapshot says of itself.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn open(path: &Path) -> Result<Self> {
        let first = first_piece(path)?;
        let file = open(&first)?;
        let raw = RawHeader::read(&first, &file)?;
        let files = raw.pieces(&first)?;
        let mut notes = Vec::new();

        let cosmology = read_cosmology(&file, &mut notes);
        let redshift = raw.redshift;
        let swift = raw.swift;
        let mass_unit = if swift {
            let grams = unit(&file, "Unit mass in cgs (U_M)").unwrap_or(GADGET_MASS * GRAMS_PER_SOLAR_MASS);
            grams / GRAMS_PER_SOLAR_MASS * cosmology.h
        } else {
            match unit(&file, "UnitMass_in_g") {
                Some(grams) => grams / GRAMS_PER_SOLAR_MASS,
                None => GADGET_MASS,
            }
        };
        let total_mass = raw.total_mass(&files)? * mass_unit;
        let length_unit = length_unit(&file, &raw, total_mass, &cosmology, &mut notes).map_err(|found| {
            Error::input(
                &first,
                found,
                "lengths in kpc/h or Mpc/h with a mean density near Ωm ρc",
                "Check the header's BoxSize, MassTable and Omega0",
            )
        })?;
        Ok(Self {
            path: first,
            files,
            format: raw.format,
            box_size: raw.box_size * length_unit,
            redshift,
            cosmology,
            counts: raw.counts,
            mass_table: raw.mass_table.iter().map(|m| m * mass_unit).collect(),
            length_unit,
            mass_unit,
            velocity_unit: if swift { 1.0 } else { (1.0 / (1.0 + redshift)).sqrt() },
            notes,
        })
    }
}

/// Read the particles of one type from every file of a snapshot, in Halodi's
/// units. Positions equal to the box size, which rounding to `f32` makes, are
/// wrapped to zero.
///
/// # Errors
/// [`Error::Input`] for a missing type, a missing dataset, numbers that are not
/// finite, or positions outside the box.
pub fn read_particles(header: &SnapshotHeader, particle_type: usize) -> Result<Particles> {
    let name = format!("PartType{particle_type}");
    let kind = if particle_type == 1 { "dark matter" } else { "particles" };
    let declared = header.counts.get(particle_type).copied().unwrap_or(0);
    if declared == 0 {
        return Err(Error::input(
            &header.path,
            format!("no particles of type {particle_type} ({name})"),
            format!("{kind} in {name}"),
            "Choose a snapshot that holds them",
        ));
    }
    let mut particles = Particles {
        uniform_mass: header.mass_table.get(particle_type).copied().filter(|&m| m > 0.0),
        ..Particles::default()
    };
    for path in &header.files {
        let file = open(path)?;
        let Ok(group) = file.group(&name) else { continue };
        let failed = |e: hdf5::Error| damaged(path, &e);
        let positions = read_positions(path, &group, header)?;
        particles.positions.extend(positions);
        if particles.uniform_mass.is_none() {
            let masses = dataset(&group, "Masses").ok_or_else(|| {
                Error::input(
                    path,
                    format!("neither {name}/Masses nor a mass in Header/MassTable"),
                    "one of the two",
                    "Choose a snapshot that was written whole",
                )
            })?;
            let masses = masses.read_raw::<f32>().map_err(failed)?;
            if let Some(bad) = masses.iter().find(|m| !(m.is_finite() && **m >= 0.0)) {
                return Err(Error::input(
                    path,
                    format!("a particle mass of {bad}"),
                    "finite masses, not negative",
                    "Choose a snapshot that was written whole",
                ));
            }
            particles.masses.extend(masses.iter().map(|&m| (f64::from(m) * header.mass_unit) as f32));
        }
        if let Some(velocities) = dataset(&group, "Velocities") {
            let velocities = velocities.read_raw::<f32>().map_err(failed)?;
            let unit = header.velocity_unit as f32;
            particles.velocities.extend(velocities.as_chunks::<3>().0.iter().map(|v| v.map(|c| c * unit)));
        }
        if let Some(ids) = dataset(&group, "ParticleIDs") {
            particles.ids.extend(ids.read_raw::<u64>().map_err(failed)?);
        }
    }
    let found = particles.len() as u64;
    if found == 0 {
        return Err(Error::input(
            &header.path,
            format!("no group {name}, although the header counts {declared} particles"),
            format!("{kind} in {name}"),
            "It may be cut off: copy or download it again",
        ));
    }
    if found != declared {
        return Err(Error::input(
            &header.path,
            format!("{found} particles in {name}"),
            format!("the {declared} that the header counts"),
            "A piece of the snapshot may be missing: put all pieces in one folder",
        ));
    }
    // Some pieces with and some without: of no use to anyone.
    if particles.velocities.len() != particles.len() {
        particles.velocities.clear();
    }
    if particles.ids.len() != particles.len() {
        particles.ids.clear();
    }
    Ok(particles)
}

fn dataset(group: &Group, name: &str) -> Option<Dataset> {
    group.dataset(name).ok()
}

fn read_positions(path: &Path, group: &Group, header: &SnapshotHeader) -> Result<Vec<[f32; 3]>> {
    let failed = |e: hdf5::Error| damaged(path, &e);
    let box_size = header.box_size;
    let raw: Vec<f64> = if let Some(coordinates) = dataset(group, "Coordinates") {
        coordinates.read_raw::<f64>().map_err(failed)?.into_iter().map(|x| x * header.length_unit).collect()
    } else if let Some(integers) = dataset(group, "IntCoordinates") {
        // GADGET-4 can keep positions as fractions of the box.
        let bits = integers.dtype().map_err(failed)?.size() as i32 * 8;
        let scale = box_size / 2f64.powi(bits);
        integers.read_raw::<u64>().map_err(failed)?.into_iter().map(|x| x as f64 * scale).collect()
    } else {
        return Err(Error::input(
            path,
            format!("no Coordinates in {}", group.name()),
            "particle positions",
            "Choose a snapshot that was written whole",
        ));
    };
    // A thousandth of the box is what drifting and rounding may leave outside.
    let slack = 1e-3 * box_size;
    let bad = raw.par_iter().enumerate().find_first(|(_, x)| !(**x >= -slack && **x <= box_size + slack));
    if let Some((index, x)) = bad {
        let (found, action) = if x.is_finite() {
            (
                format!("a position at {x:.4} Mpc/h, outside its box of {box_size} Mpc/h (particle {})", index / 3),
                "Check BoxSize and the unit of length in its header",
            )
        } else {
            (format!("a position that is {x} (particle {})", index / 3), "Write the snapshot again: its run went wrong")
        };
        return Err(Error::input(path, found, format!("positions between 0 and {box_size} Mpc/h"), action));
    }
    let limit = box_size as f32;
    let wrap = |x: f64| -> f32 {
        let wrapped = x.rem_euclid(box_size) as f32;
        if wrapped >= limit { 0.0 } else { wrapped }
    };
    Ok(raw.as_chunks::<3>().0.iter().map(|p| p.map(wrap)).collect())
}

/// The header as it stands in the file.
struct RawHeader {
    format: String,
    swift: bool,
    box_size: f64,
    redshift: f64,
    counts: Vec<u64>,
    counts_here: Vec<u64>,
    mass_table: Vec<f64>,
    pieces: usize,
}

impl RawHeader {
    fn read(path: &Path, file: &File) -> Result<Self> {
        let missing = |what: &str| {
            Error::input(
                path,
                format!("HDF5 without {what}"),
                "a Gadget-family snapshot (Header with BoxSize and NumPart_ThisFile, PartType1)",
                "Choose a snapshot, not a catalogue or another product",
            )
        };
        let header = file.group("Header").map_err(|_| missing("a Header group"))?;
        if file.group("Group").is_ok() && file.group("PartType1").is_err() {
            return Err(Error::input(
                path,
                "a halo catalogue (it has a Group, and no PartType1)",
                "a snapshot with particles",
                "Choose the snapshot that the catalogue belongs to",
            ));
        }
        let counts = |name: &str| -> Option<Vec<u64>> {
            numbers(&header, name).map(|v| v.into_iter().map(|n| n as u64).collect())
        };
        let counts_here = counts("NumPart_ThisFile").ok_or_else(|| missing("Header/NumPart_ThisFile"))?;
        let mut total = counts("NumPart_Total").unwrap_or_else(|| counts_here.clone());
        if let Some(high) = counts("NumPart_Total_HighWord") {
            for (low, high) in total.iter_mut().zip(high) {
                *low += high << 32;
            }
        }
        if total.iter().all(|&n| n == 0) {
            total.clone_from(&counts_here);
        }
        let box_size = number(&header, "BoxSize").ok_or_else(|| missing("Header/BoxSize"))?;
        if !(box_size.is_finite() && box_size > 0.0) {
            return Err(Error::input(
                path,
                format!("a BoxSize of {box_size}"),
                "a positive box size",
                "Choose a cosmological snapshot in a periodic box",
            ));
        }
        let redshift = number(&header, "Redshift")
            .or_else(|| number(&header, "Time").map(|a| 1.0 / a - 1.0))
            .ok_or_else(|| missing("Header/Redshift or Header/Time"))?;
        if !(redshift.is_finite() && redshift > -1.0) {
            return Err(Error::input(
                path,
                format!("a redshift of {redshift}"),
                "a redshift above −1",
                "Check Header/Redshift and Header/Time",
            ));
        }
        let swift = text(&header, "Code").is_some_and(|code| code.starts_with("SWIFT"));
        let format = if swift {
            "SWIFT"
        } else if header.attr("Git_commit").is_ok() && header.attr("NumPart_Total_HighWord").is_err() {
            "GADGET-4"
        } else if file.group("Config").is_ok_and(|config| config.attr("VORONOI").is_ok()) {
            "AREPO"
        } else {
            "Gadget HDF5"
        };
        Ok(Self {
            format: format.to_owned(),
            swift,
            box_size,
            redshift,
            mass_table: if swift { Vec::new() } else { numbers(&header, "MassTable").unwrap_or_default() },
            pieces: number(&header, "NumFilesPerSnapshot").map_or(1, |n| n.max(1.0) as usize),
            counts: total,
            counts_here,
        })
    }

    /// Every file of the snapshot that `first` belongs to.
    fn pieces(&self, first: &Path) -> Result<Vec<PathBuf>> {
        if self.pieces <= 1 || self.counts == self.counts_here {
            return Ok(vec![first.to_path_buf()]);
        }
        let name = first.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parts: Vec<&str> = name.split('.').collect();
        let index = parts.iter().rposition(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
        let Some(index) = index else {
            return Err(Error::input(
                first,
                format!("one of {} pieces, with no number in its name", self.pieces),
                "names like snapshot_001.0.hdf5",
                "Rename the pieces and keep them in one folder",
            ));
        };
        (0..self.pieces)
            .map(|i| {
                let number = i.to_string();
                let mut parts = parts.clone();
                parts[index] = &number;
                let path = first.with_file_name(parts.join("."));
                if path.exists() {
                    return Ok(path);
                }
                Err(Error::input(
                    &path,
                    "no such file",
                    format!("all {} pieces of the snapshot {}", self.pieces, first.display()),
                    "Put every piece in the same folder",
                ))
            })
            .collect()
    }

    /// Mass of all particles of all types, in the file's unit.
    fn total_mass(&self, files: &[PathBuf]) -> Result<f64> {
        let mut total = 0.0;
        for (kind, &count) in self.counts.iter().enumerate() {
            let table = self.mass_table.get(kind).copied().unwrap_or(0.0);
            if count == 0 {
                continue;
            }
            if table > 0.0 {
                total += table * count as f64;
                continue;
            }
            for path in files {
                let file = open(path)?;
                let masses = file.group(&format!("PartType{kind}")).ok().and_then(|group| dataset(&group, "Masses"));
                if let Some(masses) = masses {
                    let masses = masses.read_raw::<f32>().map_err(|e| damaged(path, &e))?;
                    total += masses.iter().map(|&m| f64::from(m)).sum::<f64>();
                }
            }
        }
        Ok(total)
    }
}

/// A unit from wherever the family keeps it.
fn unit(file: &File, name: &str) -> Option<f64> {
    ["Units", "Parameters", "Header"]
        .iter()
        .find_map(|group| number(&*file.group(group).ok()?, name))
        .filter(|u| *u > 0.0)
}

/// The unit of length in Mpc/h, or what is wrong with the box.
fn length_unit(
    file: &File,
    raw: &RawHeader,
    total_mass: f64,
    cosmology: &Cosmology,
    notes: &mut Vec<String>,
) -> std::result::Result<f64, String> {
    let density_at = |unit: f64| total_mass / (raw.box_size * unit).powi(3) / cosmology.mean_matter_density();
    let plausible = |density: f64| (0.5..2.0).contains(&density);
    let stated = if raw.swift {
        unit(file, "Unit length in cgs (U_L)").map(|cm| cm / CM_PER_MPC * cosmology.h)
    } else {
        unit(file, "UnitLength_in_cm").map(|cm| cm / CM_PER_MPC)
    };
    if let Some(stated) = stated {
        if total_mass > 0.0 && !plausible(density_at(stated)) {
            notes.push(format!(
                "The mean density is {:.3} Ωm ρc with the units that the file states.",
                density_at(stated)
            ));
        }
        return Ok(stated);
    }
    let candidates = [(1e-3, "kpc/h"), (1.0, "Mpc/h")];
    if total_mass > 0.0 {
        for (candidate, name) in candidates {
            if plausible(density_at(candidate)) {
                notes.push(format!(
                    "The file names no unit of length: {name} puts the mean density at {:.3} Ωm ρc.",
                    density_at(candidate)
                ));
                return Ok(candidate);
            }
        }
        return Err(format!(
            "a mean density of {:.2e} Ωm ρc in kpc/h and {:.2e} in Mpc/h",
            density_at(1e-3),
            density_at(1.0)
        ));
    }
    // No masses at all: boxes of interest are tens to thousands of Mpc/h.
    let unit = if raw.box_size >= 1e4 { 1e-3 } else { 1.0 };
    notes.push("The file states neither units nor masses: the unit of length is a guess from the box size.".to_owned());
    Ok(unit)
}

/// Cosmology from wherever the family keeps it.
fn read_cosmology(file: &File, notes: &mut Vec<String>) -> Cosmology {
    let mut cosmology = Cosmology::default();
    let find = |names: &[&str]| -> Option<f64> {
        ["Cosmology", "Parameters", "Header"].iter().find_map(|group| {
            let group = file.group(group).ok()?;
            names.iter().find_map(|name| number(&group, name))
        })
    };
    let mut missing = Vec::new();
    let mut set = |value: &mut f64, symbol: &str, names: &[&str]| match find(names) {
        Some(found) if found.is_finite() && found > 0.0 => *value = found,
        _ => missing.push(format!("{symbol} = {value}")),
    };
    set(&mut cosmology.omega_m, "Ωm", &["Omega0", "Omega_m"]);
    set(&mut cosmology.omega_lambda, "ΩΛ", &["OmegaLambda", "Omega_lambda"]);
    set(&mut cosmology.h, "h", &["HubbleParam", "h"]);
    set(&mut cosmology.omega_b, "Ωb", &["OmegaBaryon", "Omega_b"]);
    set(&mut cosmology.sigma_8, "σ8", &["Sigma8"]);
    set(&mut cosmology.n_s, "ns", &["PrimordialIndex"]);
    // Only the first three enter a prediction; the rest is for the record.
    let needed: Vec<&String> = missing.iter().filter(|m| ["Ωm", "ΩΛ", "h "].iter().any(|s| m.starts_with(s))).collect();
    if !needed.is_empty() {
        let list: Vec<&str> = needed.iter().map(|s| s.as_str()).collect();
        notes.push(format!("The file lacks part of its cosmology; taken as {}.", list.join(", ")));
    }
    cosmology
}

/// The file to begin with: `path` itself, or the first snapshot in a folder.
fn first_piece(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_path_buf());
    }
    let entries = std::fs::read_dir(path).map_err(|e| {
        Error::input(path, format!("cannot be read ({e})"), "a folder with a snapshot", "Check that you may read it")
    })?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|e| e == "hdf5" || e == "h5"))
        .collect();
    files.sort();
    files.into_iter().next().ok_or_else(|| {
        Error::input(path, "a folder without .hdf5 files", "a snapshot or a folder with its pieces", "Check the path")
    })
}

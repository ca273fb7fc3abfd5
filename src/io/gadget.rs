//! Reading HDF5 snapshots of the Gadget family: GADGET-2/3/4, AREPO, CAMELS,
//! Quijote, and SWIFT.

use std::path::{Path, PathBuf};

use hdf5::{File, Group};
use rayon::prelude::*;

use super::files::pieces;
use super::h5;
use super::snapshot::{Particles, SnapshotHeader};
use super::units::{RawDensity, Units};
use crate::error::{Error, Result};
use crate::field::Cosmology;

/// Up to this many masses of a type are summed in full to find the units;
/// beyond, evenly spread samples do.
const EXACT_MASS_SUM: u64 = 1 << 24;
/// Particles this far outside the box (as a fraction of its side) have drifted
/// since the code last wrapped them; farther out, the box or the unit is wrong.
const DRIFT: f64 = 0.01;

/// What to read of each particle besides its position and mass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties {
    /// Peculiar velocities.
    pub velocities: bool,
    /// Identifiers.
    pub ids: bool,
}

/// A snapshot whose header has been read and checked, ready to give particles.
#[derive(Debug)]
pub struct SnapshotReader {
    header: SnapshotHeader,
    units: Units,
    /// Masses per type in the file's unit; zero where particles have their own.
    mass_table: Vec<f64>,
    /// Total mass per type in M☉/h.
    masses: Vec<f64>,
    /// Particles per file and type.
    per_file: Vec<Vec<u64>>,
}

/// Read the particles of `particle_type` (0 gas, 1 dark matter, 4 stars, …) of
/// the snapshot at `path`.
///
/// # Errors
/// As [`SnapshotReader::open`] and [`SnapshotReader::particles`].
pub fn read_particles(path: impl AsRef<Path>, particle_type: usize, properties: Properties) -> Result<Particles> {
    SnapshotReader::open(path)?.particles(particle_type, properties)
}

impl SnapshotReader {
    /// Read and check the header of the snapshot at `path`: a file, any piece of
    /// a multi-file snapshot, the folder that holds one, or the name without
    /// `.hdf5` or `.0.hdf5`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no readable, complete snapshot.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let files = pieces(path)?;
        let first = files.iter().find(|f| f.exists()).unwrap_or(&files[0]);
        let file = h5::open(first)?;
        let raw = RawHeader::read(first, &file)?;
        let mut notes = raw.notes.clone();

        let declared_files = raw.files;
        let standing_alone = raw.counts_here.iter().sum::<u64>() == raw.totals.iter().sum::<u64>();
        let files = if declared_files <= 1 || standing_alone {
            if declared_files > 1 {
                notes.push(format!(
                    "The header counts {declared_files} files, but this one holds every particle and is read alone"
                ));
            }
            vec![first.clone()]
        } else {
            check_pieces(path, &files, declared_files)?
        };

        let mut per_file = vec![raw.counts_here.clone()];
        for piece in &files[1..] {
            per_file.push(RawHeader::read(piece, &h5::open(piece)?)?.counts_here);
        }
        let types = per_file.iter().map(Vec::len).max().unwrap_or(0).max(raw.totals.len());
        let counts: Vec<u64> =
            (0..types).map(|t| per_file.iter().map(|c| c.get(t).copied().unwrap_or(0)).sum()).collect();
        for (particle_type, &total) in raw.totals.iter().enumerate() {
            if total != counts[particle_type] {
                return Err(Error::input(
                    path,
                    format!(
                        "the header counts {total} particles of PartType{particle_type}, the {} {}",
                        if files.len() == 1 { "file holds" } else { "files hold" },
                        counts[particle_type]
                    ),
                    "all particles of the snapshot",
                    "Open it with all its pieces, or copy it again",
                ));
            }
        }
        if counts.iter().sum::<u64>() == 0 {
            return Err(Error::input(
                path,
                "it holds no particles",
                "a snapshot with dark matter (PartType1)",
                "Choose another output of the simulation",
            ));
        }

        let mut reader = Self {
            units: Units::GADGET,
            mass_table: raw.mass_table.clone(),
            masses: vec![0.0; types],
            per_file,
            header: SnapshotHeader {
                path: path.to_path_buf(),
                files,
                format: raw.format.clone(),
                box_size: 0.0,
                redshift: raw.redshift,
                cosmology: raw.cosmology,
                counts,
                notes,
            },
        };
        let raw_masses: Vec<f64> = (0..types).map(|t| reader.raw_mass(t)).collect::<Result<_>>()?;
        let density = RawDensity { mass: raw_masses.iter().sum(), box_size: raw.box_size };
        let (units, reason) = Units::decide(raw.declared_units(&file), &density, &raw.cosmology);
        reader.units = units;
        reader.masses = raw_masses.iter().map(|mass| mass * units.mass).collect();
        reader.header.box_size = raw.box_size * units.length;
        reader.header.notes.push(reason);
        if types > 3 && reader.header.counts[2..4].iter().any(|&c| c > 0) && reader.header.counts[1] > 0 {
            reader.header.notes.push(
                "PartType2 and PartType3 are not read as dark matter (neutrinos, tracers, or the coarse part of a zoom)"
                    .to_owned(),
            );
        }
        Ok(reader)
    }

    /// The header.
    pub fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// The header, without the rest.
    pub fn into_header(self) -> SnapshotHeader {
        self.header
    }

    /// The units the file is written in.
    pub fn units(&self) -> Units {
        self.units
    }

    /// Total mass per particle type in M☉/h (from a sample for types of more
    /// than 16 million particles with individual masses).
    pub fn masses(&self) -> &[f64] {
        &self.masses
    }

    /// Read the particles of one type.
    ///
    /// # Errors
    /// [`Error::Input`] where the snapshot has none of them, lacks a property
    /// asked for, or holds positions outside the box, masses that are not
    /// positive, or anything that is not a number.
    pub fn particles(&self, particle_type: usize, properties: Properties) -> Result<Particles> {
        let count = self.header.counts.get(particle_type).copied().unwrap_or(0);
        if count == 0 {
            let present: Vec<String> = (0..self.header.counts.len())
                .filter(|&t| self.header.counts[t] > 0)
                .map(|t| format!("PartType{t}"))
                .collect();
            return Err(Error::input(
                &self.header.path,
                format!("it holds {} and no PartType{particle_type}", present.join(", ")),
                format!("particles of type {particle_type} ({})", type_name(particle_type)),
                "Choose another snapshot",
            ));
        }
        let mut particles = Particles { positions: Vec::with_capacity(count as usize), ..Particles::default() };
        for (path, group) in self.groups(particle_type)? {
            self.read_positions(&path, &group, &mut particles.positions)?;
            if properties.velocities {
                self.read_velocities(&path, &group, &mut particles.velocities)?;
            }
            if properties.ids {
                let ids = dataset(&path, &group, "ParticleIDs")?;
                particles.ids.extend(ids.read_raw::<u64>().map_err(|error| h5::damaged(&path, &error))?);
            }
        }
        match self.table_mass(particle_type) {
            Some(mass) => particles.uniform_mass = Some(mass * self.units.mass),
            None => self.read_masses(particle_type, &mut particles)?,
        }
        Ok(particles)
    }

    /// Read a dataset of one number per particle (such as `Density` or
    /// `NeutralHydrogenAbundance`), in the file's own unit.
    ///
    /// # Errors
    /// [`Error::Input`] where a file lacks it or it holds something else.
    pub fn scalars(&self, particle_type: usize, name: &str) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(self.header.counts.get(particle_type).copied().unwrap_or(0) as usize);
        for (path, group) in self.groups(particle_type)? {
            let dataset = dataset(&path, &group, name)?;
            let shape = dataset.shape();
            if shape.len() != 1 {
                return Err(Error::input(
                    &path,
                    format!("{}/{name} has shape {shape:?}", group.name()),
                    "one number per particle",
                    "Choose another dataset",
                ));
            }
            h5::read_blocks(&path, &dataset, 0..shape[0], |block| {
                values.extend(block.iter().map(|&v| v as f32));
                Ok(())
            })?;
        }
        Ok(values)
    }

    /// Whether every file with particles of the type has the dataset `name`.
    pub fn has(&self, particle_type: usize, name: &str) -> bool {
        self.groups(particle_type)
            .is_ok_and(|groups| !groups.is_empty() && groups.iter().all(|(_, group)| group.link_exists(name)))
    }

    /// The groups of one particle type, in the files that have any.
    fn groups(&self, particle_type: usize) -> Result<Vec<(PathBuf, Group)>> {
        let with_any = |counts: &Vec<u64>| counts.get(particle_type).is_some_and(|&c| c > 0);
        let files = self.header.files.iter().zip(&self.per_file).filter(|(_, counts)| with_any(counts));
        files
            .map(|(path, _)| {
                let group = h5::open(path)?.group(&format!("PartType{particle_type}"));
                Ok((path.clone(), group.map_err(|error| h5::damaged(path, &error))?))
            })
            .collect()
    }

    /// The mass of every particle of a type, where the header gives one.
    fn table_mass(&self, particle_type: usize) -> Option<f64> {
        self.mass_table.get(particle_type).copied().filter(|&mass| mass > 0.0)
    }

    /// Total mass of one type in the file's unit.
    fn raw_mass(&self, particle_type: usize) -> Result<f64> {
        let count = self.header.counts[particle_type];
        if let Some(mass) = self.table_mass(particle_type) {
            return Ok(mass * count as f64);
        }
        let mut total = 0.0;
        for (path, group) in self.groups(particle_type)? {
            let Ok(masses) = group.dataset("Masses").or_else(|_| group.dataset("DynamicalMasses")) else {
                if particle_type > 1 {
                    continue; // tracers have none
                }
                return Err(Error::input(
                    &path,
                    format!("{} has no Masses, and the header's MassTable no mass for it", group.name()),
                    "one of the two",
                    "Write the snapshot with masses",
                ));
            };
            let rows = masses.shape().first().copied().unwrap_or(0);
            let step = if count <= EXACT_MASS_SUM { rows } else { rows.div_ceil(64) };
            let length = if count <= EXACT_MASS_SUM { rows } else { step.min(4096) };
            let (mut sum, mut read) = (0.0, 0);
            for first in (0..rows).step_by(step.max(1)) {
                h5::read_blocks(&path, &masses, first..(first + length).min(rows), |block| {
                    sum += block.iter().sum::<f64>();
                    read += block.len();
                    Ok(())
                })?;
            }
            total += sum / read.max(1) as f64 * rows as f64;
        }
        Ok(total)
    }

    fn read_positions(&self, path: &Path, group: &Group, positions: &mut Vec<[f32; 3]>) -> Result<()> {
        let box_size = self.header.box_size;
        let (dataset, scale) = match group.dataset("Coordinates") {
            Ok(coordinates) => (coordinates, self.units.length),
            // GADGET-4 can write positions as integers over the whole box.
            Err(_) => {
                let integers =
                    dataset(path, group, "IntCoordinates").map_err(|_| missing(path, group, "Coordinates"))?;
                let bits = 8 * integers.dtype().map_err(|error| h5::damaged(path, &error))?.size() as i32;
                (integers, box_size / 2f64.powi(bits))
            }
        };
        let rows = three_columns(path, group, &dataset)?;
        h5::read_blocks(path, &dataset, 0..rows, |block| {
            let wrapped: Option<Vec<[f32; 3]>> = block
                .par_chunks_exact(3)
                .map(|p| {
                    Some([wrap(p[0] * scale, box_size)?, wrap(p[1] * scale, box_size)?, wrap(p[2] * scale, box_size)?])
                })
                .collect();
            match wrapped {
                Some(wrapped) => {
                    positions.extend(wrapped);
                    Ok(())
                }
                None => {
                    let bad =
                        block.iter().map(|v| v * scale).find(|&v| wrap(v, box_size).is_none()).unwrap_or(f64::NAN);
                    Err(impossible_position(path, group, bad, box_size))
                }
            }
        })
    }

    fn read_velocities(&self, path: &Path, group: &Group, velocities: &mut Vec<[f32; 3]>) -> Result<()> {
        let dataset = dataset(path, group, "Velocities")?;
        let rows = three_columns(path, group, &dataset)?;
        let a_power = h5::number(&dataset, "a_scaling").unwrap_or(self.units.velocity_a_power);
        let scale = self.units.velocity * (1.0 + self.header.redshift).powf(-a_power);
        h5::read_blocks(path, &dataset, 0..rows, |block| {
            if let Some(bad) = block.iter().find(|v| !v.is_finite()) {
                return Err(Error::input(
                    path,
                    format!("{} has a velocity of {bad}", group.name()),
                    "finite velocities",
                    "Write the snapshot again: this one is damaged",
                ));
            }
            velocities.extend(block.chunks_exact(3).map(|v| [v[0], v[1], v[2]].map(|c| (c * scale) as f32)));
            Ok(())
        })
    }

    /// Read individual masses; where all are the same, only that mass is kept.
    fn read_masses(&self, particle_type: usize, particles: &mut Particles) -> Result<()> {
        let mut masses: Vec<f32> = Vec::with_capacity(particles.len());
        for (path, group) in self.groups(particle_type)? {
            let dataset = group
                .dataset("DynamicalMasses")
                .or_else(|_| group.dataset("Masses"))
                .map_err(|_| missing(&path, &group, "Masses"))?;
            let rows = dataset.shape().first().copied().unwrap_or(0);
            h5::read_blocks(&path, &dataset, 0..rows, |block| {
                if let Some(bad) = block.iter().find(|&&m| !(m.is_finite() && m > 0.0)) {
                    return Err(Error::input(
                        &path,
                        format!("{} has a mass of {bad}", group.name()),
                        "positive, finite masses",
                        "Write the snapshot again: this one is damaged",
                    ));
                }
                masses.extend(block.iter().map(|m| (m * self.units.mass) as f32));
                Ok(())
            })?;
        }
        if masses.len() != particles.len() {
            return Err(Error::input(
                &self.header.path,
                format!("PartType{particle_type} has {} positions and {} masses", particles.len(), masses.len()),
                "a mass for every particle",
                "Write the snapshot again: this one is damaged",
            ));
        }
        match masses.first() {
            Some(&first) if masses.par_iter().all(|&m| m == first) => particles.uniform_mass = Some(f64::from(first)),
            _ => particles.masses = masses,
        }
        Ok(())
    }
}

/// What a particle type holds, in words.
pub fn type_name(particle_type: usize) -> &'static str {
    match particle_type {
        0 => "gas",
        1 => "dark matter",
        2 => "dark matter or neutrinos",
        3 => "dark matter or tracers",
        4 => "stars",
        5 => "black holes",
        6 => "neutrinos",
        _ => "unknown",
    }
}

/// A coordinate brought into `[0, box_size)`; `None` where it is not a number
/// or too far outside.
fn wrap(x: f64, box_size: f64) -> Option<f32> {
    if !(x >= -DRIFT * box_size && x <= (1.0 + DRIFT) * box_size) {
        return None;
    }
    let inside = x.rem_euclid(box_size) as f32;
    // Rounding to f32 can land on the far face, which is the near one.
    Some(if f64::from(inside) < box_size { inside } else { 0.0 })
}

fn impossible_position(path: &Path, group: &Group, x: f64, box_size: f64) -> Error {
    if x.is_finite() {
        Error::input(
            path,
            format!("{} has a particle at {x:.6} Mpc/h, outside the box of {box_size:.6} Mpc/h", group.name()),
            "positions inside the periodic box",
            "Check BoxSize in the header and the units",
        )
    } else {
        Error::input(
            path,
            format!("{} has a position that is {x}", group.name()),
            "finite positions",
            "Write the snapshot again: this one is damaged",
        )
    }
}

fn missing(path: &Path, group: &Group, name: &str) -> Error {
    Error::input(
        path,
        format!("{} has no dataset {name}", group.name()),
        format!("{name} for every particle"),
        "Write the snapshot with this property",
    )
}

fn dataset(path: &Path, group: &Group, name: &str) -> Result<hdf5::Dataset> {
    group.dataset(name).map_err(|_| missing(path, group, name))
}

/// Number of rows of a `[rows, 3]` dataset.
fn three_columns(path: &Path, group: &Group, dataset: &hdf5::Dataset) -> Result<usize> {
    match dataset.shape()[..] {
        [rows, 3] => Ok(rows),
        ref shape => Err(Error::input(
            path,
            format!("{} has a vector dataset of shape {shape:?}", group.name()),
            "shape [particles, 3]",
            "Write the snapshot again: this one is damaged",
        )),
    }
}

/// The files of a snapshot of `count` pieces, all of which must exist.
fn check_pieces(path: &Path, files: &[PathBuf], count: usize) -> Result<Vec<PathBuf>> {
    let wanted = if files.len() >= count { &files[..count] } else { files };
    let absent = wanted.iter().find(|f| !f.exists());
    if wanted.len() < count || absent.is_some() {
        let missing = absent.map_or_else(
            || format!("it is one of {count} pieces, and its name does not number them"),
            |f| format!("piece {} of {count} is missing", f.file_name().unwrap_or_default().to_string_lossy()),
        );
        return Err(Error::input(
            path,
            missing,
            format!("{count} files named NAME.0.hdf5 to NAME.{}.hdf5", count - 1),
            "Put all pieces into one folder",
        ));
    }
    Ok(wanted.to_vec())
}

/// A header in the file's own units.
struct RawHeader {
    format: String,
    box_size: f64,
    redshift: f64,
    cosmology: Cosmology,
    mass_table: Vec<f64>,
    /// Particles per type in this file, as its datasets have them.
    counts_here: Vec<u64>,
    /// Particles per type in the snapshot, as the header says; empty where it
    /// does not.
    totals: Vec<u64>,
    files: usize,
    notes: Vec<String>,
}

impl RawHeader {
    fn read(path: &Path, file: &File) -> Result<Self> {
        let header = file.group("Header").map_err(|_| {
            Error::input(path, "it has no group Header", h5::EXPECTED, "Choose a snapshot of the Gadget family")
        })?;
        if header.attr("Ngroups_Total").is_ok() {
            return Err(Error::input(
                path,
                "it is a catalogue of groups, not a snapshot",
                "a snapshot with particles",
                "Open the snapshot of the same number (snapshot_NNN or snap_NNN)",
            ));
        }
        let swift = h5::text(&header, "Code").is_some_and(|code| code.eq_ignore_ascii_case("swift"));
        let mut notes = Vec::new();

        let sides = h5::numbers(&header, "BoxSize")
            .or_else(|| file.group("Parameters").ok().and_then(|parameters| h5::numbers(&parameters, "BoxSize")))
            .unwrap_or_default();
        let box_size = sides.first().copied().unwrap_or(0.0);
        if !(box_size.is_finite() && box_size > 0.0) || sides.iter().any(|&s| (s / box_size - 1.0).abs() > 1e-6) {
            let found = match sides.len() {
                0 => "the header has no BoxSize".to_owned(),
                _ => format!("the header gives BoxSize as {sides:?}"),
            };
            return Err(Error::input(path, found, "a cubic periodic box", "Choose a periodic cosmological run"));
        }

        let redshift = match (h5::number(&header, "Redshift"), h5::number(&header, "Time")) {
            (Some(z), _) if z.is_finite() && z > -1.0 => z,
            (None, Some(a)) if a.is_finite() && a > 0.0 => 1.0 / a - 1.0,
            (z, a) => {
                return Err(Error::input(
                    path,
                    format!("the header gives Redshift {z:?} and Time {a:?}"),
                    "a redshift above -1",
                    "Choose a cosmological run",
                ));
            }
        };

        let counts_here = particles_here(path, file, &header)?;
        let mut totals = match h5::integers(&header, "NumPart_Total") {
            Some((low, bytes)) => {
                let high = h5::integers(&header, "NumPart_Total_HighWord").map(|(high, _)| high).unwrap_or_default();
                let word = |t: usize| if bytes <= 4 { high.get(t).copied().unwrap_or(0) << 32 } else { 0 };
                low.iter().enumerate().map(|(t, &low)| low | word(t)).collect()
            }
            None => Vec::new(),
        };
        let files = h5::number(&header, "NumFilesPerSnapshot").map_or(1, |n| n.max(1.0) as usize);
        // A SWIFT file is whole even where its header counts the ranks' files.
        let files = if swift && counts_here == totals { 1 } else { files };
        if totals.is_empty() {
            notes.push("The header has no NumPart_Total; particles are counted in the file".to_owned());
            totals = if files == 1 { counts_here.clone() } else { Vec::new() };
        }
        if file.link_exists("CompressionInfo") {
            notes.push("Positions and velocities were rounded by the publisher's lossy compression".to_owned());
        }
        let (cosmology, assumed) = cosmology(file, &header);
        if !assumed.is_empty() {
            notes.push(format!("The file does not give {}; taken to be Halodi's default", assumed.join(", ")));
        }
        Ok(Self {
            format: format_name(file, &header, swift),
            box_size,
            redshift,
            cosmology,
            mass_table: h5::numbers(&header, "MassTable").unwrap_or_default(),
            counts_here,
            totals,
            files,
            notes,
        })
    }

    fn declared_units(&self, file: &File) -> Option<Units> {
        let coordinates = (0..self.counts_here.len())
            .filter(|&t| self.counts_here[t] > 0)
            .find_map(|t| file.dataset(&format!("PartType{t}/Coordinates")).ok());
        Units::declared(file, coordinates.as_ref().map(|c| &***c), self.cosmology.h, self.format == "SWIFT")
    }
}

/// Particles per type in one file, checked against its datasets.
fn particles_here(path: &Path, file: &File, header: &Group) -> Result<Vec<u64>> {
    let in_dataset = |t: usize| -> Option<u64> {
        let group = file.group(&format!("PartType{t}")).ok()?;
        let dataset = group.dataset("Coordinates").or_else(|_| group.dataset("IntCoordinates")).ok()?;
        dataset.shape().first().map(|&rows| rows as u64)
    };
    let Some((said, _)) = h5::integers(header, "NumPart_ThisFile") else {
        return Ok((0..7).map(|t| in_dataset(t).unwrap_or(0)).collect());
    };
    for (t, &count) in said.iter().enumerate() {
        // Types a code writes nothing for are counted in the header at times
        // (tracers); only dark matter and gas must be there.
        let held = in_dataset(t);
        if held.is_some_and(|held| held != count) || (held.is_none() && count > 0 && t < 2) {
            return Err(Error::input(
                path,
                match held {
                    Some(held) => format!("the header counts {count} particles of PartType{t}, the file holds {held}"),
                    None => {
                        format!("the header counts {count} particles of PartType{t}, the file has no positions of them")
                    }
                },
                "all particles of the file",
                "Copy or download it again",
            ));
        }
    }
    Ok(said)
}

/// Who wrote the file.
fn format_name(file: &File, header: &Group, swift: bool) -> String {
    let config = |names: &[&str]| file.group("Config").is_ok_and(|c| names.iter().any(|n| c.attr(n).is_ok()));
    if swift {
        "SWIFT"
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

/// The cosmology of a run, and the names of what the file does not give.
fn cosmology(file: &File, header: &Group) -> (Cosmology, Vec<&'static str>) {
    let mut groups: Vec<Group> = ["Cosmology", "Parameters"].iter().filter_map(|name| file.group(name).ok()).collect();
    groups.push(header.clone());
    let mut assumed = Vec::new();
    let default = Cosmology::default();
    let mut find = |label, names: &[&str], fallback: f64| {
        let found = groups.iter().find_map(|g| names.iter().find_map(|n| h5::number(g, n)));
        found.filter(|v| v.is_finite() && *v > 0.0).unwrap_or_else(|| {
            assumed.push(label);
            fallback
        })
    };
    let omega_m = find("Ωm", &["Omega_m", "Omega0", "OmegaMatter"], default.omega_m);
    let cosmology = Cosmology {
        omega_m,
        omega_lambda: find("ΩΛ", &["Omega_lambda", "OmegaLambda"], 1.0 - omega_m),
        omega_b: find("Ωb", &["Omega_b", "OmegaBaryon", "OmegaB"], default.omega_b),
        h: find("h", &["h", "HubbleParam"], default.h),
        n_s: find("ns", &["PrimordialIndex", "n_s", "ns"], default.n_s),
        sigma_8: find("σ8", &["Sigma8", "sigma_8", "sigma8"], default.sigma_8),
    };
    (cosmology, assumed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn wrapped_positions_are_inside_and_congruent(x in -0.01f64..1.01, box_size in 0.1f64..5000.0) {
            let inside = f64::from(wrap(x * box_size, box_size).unwrap());
            prop_assert!((0.0..box_size).contains(&inside));
            let turns = (x * box_size - inside) / box_size;
            prop_assert!((turns - turns.round()).abs() < 1e-6);
        }
    }

    #[test]
    fn the_far_face_is_the_near_one_and_the_outside_is_refused() {
        assert_eq!(wrap(25.0, 25.0), Some(0.0));
        assert_eq!(wrap(24.999_999_999_9, 25.0), Some(0.0));
        for bad in [f64::NAN, f64::INFINITY, -1.0, 26.0] {
            assert_eq!(wrap(bad, 25.0), None);
        }
    }
}

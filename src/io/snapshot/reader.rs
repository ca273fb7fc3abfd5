//! Reading snapshots of the Gadget family: GADGET-2/3/4 (HDF5 and binary),
//! AREPO, GIZMO, EAGLE, CAMELS, Quijote, and SWIFT.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::files::{locate, siblings};
use super::header::{RawHeader, Totals};
use super::piece::{Column, IDS, INTEGER_POSITIONS, MASSES, POSITIONS, Piece, VELOCITIES};
use super::species::{Census, needs_consent, species, verdict};
use super::units::{RawDensity, Units};
use super::{Particles, SnapshotHeader, Species};
use crate::error::{Error, Result};
use crate::field::{Grid, MassAssignment, add_mass};
use crate::memory;

/// Up to this many masses of a type are summed in full to find the units;
/// beyond, evenly spread samples do.
const EXACT_MASS_SUM: u64 = 1 << 24;
/// Samples of masses, and how many masses each has.
const SAMPLES: usize = 256;
const SAMPLE: usize = 2048;
/// Particles this far outside the box (as a fraction of its side) have drifted
/// since the code last wrapped them; farther out, the box or the unit is wrong.
const DRIFT: f64 = 0.01;
/// Particles that are put on a grid at a time: 350 MB of them with what sorting
/// them takes.
const AT_ONCE: usize = 1 << 23;
/// Masses that are to be one differ by rounding, to single precision or in a
/// publisher's lossy compression.
const SAME_MASS: f64 = 1e-3;

/// What to read of each particle besides its position and mass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties {
    /// Peculiar velocities.
    pub velocities: bool,
    /// Identifiers.
    pub ids: bool,
}

/// A snapshot whose header has been read and checked, ready to give particles.
#[derive(Debug, Clone)]
pub struct SnapshotReader {
    header: SnapshotHeader,
    units: Units,
    /// Masses per type in the file's unit; zero where particles have their own.
    mass_table: Vec<f64>,
    /// Total mass per type in M☉/h.
    masses: Vec<f64>,
    /// Particles per file and type.
    per_file: Vec<Vec<u64>>,
    /// The types that stand for the dark matter.
    dark_matter: Vec<usize>,
    /// Why reading the dark matter needs the user's consent, if it does.
    consent: Option<(String, String)>,
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
        let named = locate(path)?;
        let raw = Piece::open(&named)?.header()?;
        let mut notes = raw.notes.clone();
        let (files, headers) = whole(&named, &raw, &mut notes)?;
        let per_file: Vec<Vec<u64>> = headers.iter().map(|header| header.counts_here.clone()).collect();
        let types = per_file.iter().map(Vec::len).max().unwrap_or(0).max(raw.totals.counts.len()).min(64);
        let mut counts = vec![0u64; types];
        for here in &per_file {
            for (sum, count) in counts.iter_mut().zip(here) {
                *sum = sum.saturating_add(*count);
            }
        }
        check_totals(path, &raw.totals, &counts, files.len(), &mut notes)?;
        if counts.iter().all(|&count| count == 0) {
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
            dark_matter: Vec::new(),
            consent: None,
            header: SnapshotHeader {
                path: path.to_path_buf(),
                files,
                format: raw.format.clone(),
                box_size: 0.0,
                redshift: raw.redshift,
                cosmology: raw.cosmology,
                species: vec![Species::Tracers; types],
                counts,
                notes,
            },
        };
        let raw_masses: Vec<f64> = (0..types).map(|t| reader.raw_mass(t)).collect::<Result<_>>()?;
        let density = RawDensity { mass: raw_masses.iter().sum(), box_size: raw.box_size };
        if raw.omega_m.is_none() {
            reader.matter_density(&raw, &density)?;
        }
        let cosmology = reader.header.cosmology;
        let (units, reason) = Units::decide(path, raw.units, &density, &cosmology)?;
        reader.units = units;
        reader.masses = raw_masses.iter().map(|mass| mass * units.mass).collect();
        reader.header.box_size = raw.box_size * units.length;
        reader.header.notes.push(reason);
        reader.take_census();
        Ok(reader)
    }

    /// Ωm of a file that does not give it: what its mass makes in the units that
    /// it declares.
    fn matter_density(&mut self, raw: &RawHeader, density: &RawDensity) -> Result<()> {
        let made = raw.units.map(|units| units.density(density) / crate::field::RHO_CRITICAL);
        match made {
            Some(omega_m) if (0.05..=1.0).contains(&omega_m) => {
                let cosmology = &mut self.header.cosmology;
                if cosmology.omega_lambda == 1.0 - cosmology.omega_m {
                    cosmology.omega_lambda = 1.0 - omega_m;
                }
                cosmology.omega_m = omega_m;
                self.header.notes.push(format!(
                    "The file does not give Ωm: its mass makes {omega_m:.4} in the units that it declares"
                ));
                Ok(())
            }
            _ => Err(Error::input(
                &self.header.path,
                "it does not give Ωm under any name that is known (Omega0, Omega_m, Omega_Matter …)",
                "a cosmological run with its matter density",
                "Add the attribute Omega0 to the group Header",
            )),
        }
    }

    /// Find what the types are, and whether they make up the matter.
    fn take_census(&mut self) {
        let matter = self.header.cosmology.mean_matter_density() * self.header.box_size.powi(3);
        let accretes = |t: usize| {
            self.header.counts[t] > 0 && ["BH_Mass", "BH_Mdot", "SubgridMasses"].iter().any(|name| self.has(t, name))
        };
        let census: Vec<Census> = (0..self.header.counts.len())
            .map(|t| Census {
                count: self.header.counts[t],
                share: self.masses[t] / matter,
                accretes: t == 5 && accretes(t),
            })
            .collect();
        let species = species(&census);
        let verdict = verdict(&census, &species);
        self.dark_matter = (0..species.len()).filter(|&t| species[t] == Species::DarkMatter).collect();
        self.consent = verdict.consent;
        self.header.species = species;
        self.header.notes.extend(verdict.notes);
        if let Some((found, _)) = &self.consent {
            self.header.notes.push(format!("Not all matter is here: {found}"));
        }
    }

    /// Let the particles of `types` stand for the dark matter, whatever they
    /// make up.
    ///
    /// # Errors
    /// [`Error::Input`] where the snapshot has none of one of them.
    pub fn with_species(mut self, types: &[usize]) -> Result<Self> {
        for &particle_type in types {
            self.require(particle_type)?;
        }
        let mut types = types.to_vec();
        types.sort_unstable();
        types.dedup();
        let share = types.iter().map(|&t| self.masses[t]).sum::<f64>()
            / (self.header.cosmology.mean_matter_density() * self.header.box_size.powi(3));
        let names: Vec<String> = types.iter().map(|t| format!("PartType{t}")).collect();
        self.header.notes.push(format!(
            "{} stand for the dark matter, as was asked for: {:.1} % of Ωm",
            names.join(", "),
            100.0 * share
        ));
        for (t, species) in self.header.species.iter_mut().enumerate() {
            match (types.contains(&t), *species) {
                (true, _) => *species = Species::DarkMatter,
                (false, Species::DarkMatter) => *species = Species::Tracers,
                _ => {}
            }
        }
        self.dark_matter = types;
        self.consent = None;
        Ok(self)
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

    /// Whether the user must say which types stand for the dark matter before it
    /// is read: why, as a part of a sentence.
    pub fn consent(&self) -> Option<&str> {
        self.consent.as_ref().map(|(found, _)| found.as_str())
    }

    /// The types that are read as dark matter.
    ///
    /// # Errors
    /// [`Error::Input`] where there are none; [`Error::Consent`] where they are
    /// not all of the matter.
    fn dark_types(&self) -> Result<&[usize]> {
        if let Some(reason) = &self.consent {
            needs_consent(&self.header.path, &self.dark_matter, reason)?;
        }
        if self.dark_matter.is_empty() {
            self.require(1)?;
        }
        Ok(&self.dark_matter)
    }

    /// See that there are particles of a type.
    fn require(&self, particle_type: usize) -> Result<u64> {
        let count = self.header.counts.get(particle_type).copied().unwrap_or(0);
        if count > 0 {
            return Ok(count);
        }
        let present: Vec<String> = (0..self.header.counts.len())
            .filter(|&t| self.header.counts[t] > 0)
            .map(|t| format!("PartType{t}"))
            .collect();
        Err(Error::input(
            &self.header.path,
            format!("it holds {} and no PartType{particle_type}", present.join(", ")),
            format!("particles of type {particle_type} ({})", type_name(particle_type)),
            "Choose another snapshot",
        ))
    }

    /// The density field of the dark matter on `n³` voxels, as mass per voxel in
    /// M☉/h. Particles are read a few million at a time: memory is that of the
    /// field and at most a gigabyte.
    ///
    /// # Errors
    /// [`Error::Input`] and [`Error::Consent`] as [`SnapshotReader::dark_matter`];
    /// [`Error::Setting`] for a grid that does not fit into memory.
    pub fn density(&self, n: usize, scheme: MassAssignment) -> Result<Grid> {
        let types = self.dark_types()?.to_vec();
        let work = (n as u64).pow(2).saturating_mul(16).saturating_add(400 << 20);
        memory::check(
            memory::of_fields(n as u64, 1).saturating_add(work.min(1 << 30)),
            format!("a field of {n}³ voxels"),
            "Choose fewer voxels",
        )?;
        let mut grid = Grid::zeros(n, self.header.box_size);
        for particle_type in types {
            self.pieces(particle_type, Properties::default(), |particles| {
                let mass = |i: usize| particles.mass(i);
                add_mass(&mut grid, &particles.positions, mass, scheme);
                Ok(())
            })?;
        }
        let sum = grid.sum();
        if !(sum.is_finite() && sum > 0.0) {
            return Err(Error::input(
                &self.header.path,
                format!("the masses of its dark matter add up to {sum}"),
                "positive, finite masses",
                "Check the masses and their unit",
            ));
        }
        Ok(grid)
    }

    /// Read all the dark matter, whichever types it is in.
    ///
    /// # Errors
    /// [`Error::Consent`] where it is not all the matter there should be, and
    /// nobody said so ([`SnapshotReader::with_species`]); otherwise as
    /// [`SnapshotReader::particles`].
    pub fn dark_matter(&self, properties: Properties) -> Result<Particles> {
        let types = self.dark_types()?;
        let count = types.iter().map(|&t| self.header.counts[t]).fold(0, u64::saturating_add);
        self.check_memory(count, properties)?;
        let mut all = self.particles(types[0], properties)?;
        for &particle_type in &types[1..] {
            all.append(self.particles(particle_type, properties)?);
        }
        Ok(all)
    }

    /// Read the particles of one type.
    ///
    /// # Errors
    /// [`Error::Input`] where the snapshot has none of them, lacks a property
    /// asked for, or holds positions outside the box, masses that are not
    /// positive, or anything that is not a number; [`Error::Setting`] where they
    /// do not fit into memory.
    pub fn particles(&self, particle_type: usize, properties: Properties) -> Result<Particles> {
        let count = self.require(particle_type)?;
        self.check_memory(count, properties)?;
        let mut particles = Particles::default();
        self.pieces(particle_type, properties, |piece| {
            particles.append(piece);
            Ok(())
        })?;
        particles.one_mass_if_equal();
        Ok(particles)
    }

    fn check_memory(&self, count: u64, properties: Properties) -> Result<()> {
        let each = 12 + 4 + 12 * u64::from(properties.velocities) + 8 * u64::from(properties.ids);
        memory::check(
            memory::bytes(count, each),
            format!("reading {count} particles of {}", self.header.path.display()),
            "Use a machine with more memory, or a smaller snapshot",
        )
    }

    /// Give the particles of one type to `sink`, at most [`AT_ONCE`] at a time.
    fn pieces(
        &self,
        particle_type: usize,
        properties: Properties,
        mut sink: impl FnMut(Particles) -> Result<()>,
    ) -> Result<()> {
        let expected = self.require(particle_type)?;
        let mut read = 0u64;
        let with_any = |counts: &Vec<u64>| counts.get(particle_type).is_some_and(|&c| c > 0);
        for (path, counts) in self.header.files.iter().zip(&self.per_file).filter(|(_, counts)| with_any(counts)) {
            let piece = Piece::open(path)?;
            let scale = self.units.length;
            let column = |names: &[&'static str]| piece.column(path, particle_type, names);
            let (positions, scale) = match column(POSITIONS)? {
                Some(positions) => (positions, scale),
                // GADGET-4 can write positions as integers over the whole box.
                None => match column(INTEGER_POSITIONS)? {
                    Some(integers) => {
                        let bits = integers.bits()?;
                        (integers, self.header.box_size / 2f64.powi(bits))
                    }
                    None => return Err(missing(path, particle_type, "Coordinates")),
                },
            };
            let rows = positions.rows;
            if positions.columns != 3 {
                return Err(no_vectors(path, &positions));
            }
            // A simulation that is still writing, or a file that is replaced
            // meanwhile.
            if rows as u64 != counts[particle_type] {
                return Err(Error::input(
                    path,
                    format!("it had {} particles of PartType{particle_type} and now has {rows}", counts[particle_type]),
                    "a file that does not change while it is read",
                    "Wait until the program that writes it is done",
                ));
            }
            let of_rows = |column: &Column<'_>| match column.rows == rows {
                true => Ok(()),
                false => Err(Error::input(
                    path,
                    format!("PartType{particle_type} has {rows} positions and {} of {}", column.rows, column.name),
                    "as many values as particles",
                    "Write the snapshot again: this one is damaged",
                )),
            };
            let velocities = if properties.velocities {
                let velocities = column(VELOCITIES)?.ok_or_else(|| missing(path, particle_type, "Velocities"))?;
                if velocities.columns != 3 {
                    return Err(no_vectors(path, &velocities));
                }
                of_rows(&velocities)?;
                Some(velocities)
            } else {
                None
            };
            let masses = match self.table_mass(particle_type) {
                Some(_) => None,
                None => {
                    let masses = column(MASSES)?.ok_or_else(|| missing(path, particle_type, "Masses"))?;
                    of_rows(&masses)?;
                    Some(masses)
                }
            };
            let mut ids = Vec::new();
            if properties.ids {
                let column = column(IDS)?.ok_or_else(|| missing(path, particle_type, "ParticleIDs"))?;
                of_rows(&column)?;
                column.ids(&mut ids)?;
            }
            let mut first = 0;
            while first < rows {
                let range = first..rows.min(first + AT_ONCE);
                let mut part = Particles {
                    positions: Vec::with_capacity(range.len()),
                    uniform_mass: self.table_mass(particle_type).map(|mass| mass * self.units.mass),
                    ..Particles::default()
                };
                self.read_positions(path, &positions, scale, range.clone(), &mut part.positions)?;
                if let Some(velocities) = &velocities {
                    self.read_velocities(path, velocities, range.clone(), &mut part.velocities)?;
                }
                if let Some(masses) = &masses {
                    self.read_masses(path, masses, range.clone(), &mut part.masses)?;
                }
                if properties.ids {
                    part.ids = ids[range.clone()].to_vec();
                }
                read += range.len() as u64;
                first = range.end;
                sink(part)?;
            }
        }
        if read != expected {
            return Err(Error::input(
                &self.header.path,
                format!("{read} of {expected} particles of PartType{particle_type} could be read"),
                "a file that does not change while it is read",
                "Wait until the program that writes it is done",
            ));
        }
        Ok(())
    }

    /// Read a dataset of one number per particle (such as `Density` or
    /// `NeutralHydrogenAbundance`), in the file's own unit.
    ///
    /// # Errors
    /// [`Error::Input`] where a file lacks it or it holds something else.
    pub fn scalars(&self, particle_type: usize, name: &str) -> Result<Vec<f32>> {
        let count = self.header.counts.get(particle_type).copied().unwrap_or(0);
        memory::check(
            memory::bytes(count, 4),
            format!("reading {name} of {count} particles"),
            "Use a machine with more memory, or a smaller snapshot",
        )?;
        let mut values = Vec::with_capacity(count as usize);
        for path in self.files_with(particle_type) {
            let piece = Piece::open(path)?;
            let column =
                piece.column(path, particle_type, &[name])?.ok_or_else(|| missing(path, particle_type, name))?;
            if column.columns != 1 {
                return Err(Error::input(
                    path,
                    format!("{} has shape [{}, {}]", column.name, column.rows, column.columns),
                    "one number per particle",
                    "Choose another dataset",
                ));
            }
            column.read(0..column.rows, |block| {
                if let Some(bad) = block.iter().find(|v| !v.is_finite()) {
                    return Err(Error::input(
                        path,
                        format!("{} has a value of {bad}", column.name),
                        "finite values",
                        "Write the snapshot again: this one is damaged",
                    ));
                }
                values.extend(block.iter().map(|&v| v as f32));
                Ok(())
            })?;
        }
        if values.len() as u64 != count {
            return Err(Error::input(
                &self.header.path,
                format!("PartType{particle_type} has {count} particles and {} values of {name}", values.len()),
                "one number per particle",
                "Write the snapshot again: this one is damaged",
            ));
        }
        Ok(values)
    }

    /// Whether every file with particles of the type has the dataset `name`.
    pub fn has(&self, particle_type: usize, name: &str) -> bool {
        let files: Vec<&PathBuf> = self.files_with(particle_type).collect();
        let in_file = |path: &PathBuf| {
            Piece::open(path).is_ok_and(|piece| matches!(piece.column(path, particle_type, &[name]), Ok(Some(_))))
        };
        !files.is_empty() && files.into_iter().all(in_file)
    }

    /// The files that have particles of a type.
    fn files_with(&self, particle_type: usize) -> impl Iterator<Item = &PathBuf> {
        let with_any = move |counts: &Vec<u64>| counts.get(particle_type).is_some_and(|&c| c > 0);
        self.header.files.iter().zip(&self.per_file).filter(move |(_, counts)| with_any(counts)).map(|(path, _)| path)
    }

    /// The mass of every particle of a type, where the header gives one.
    fn table_mass(&self, particle_type: usize) -> Option<f64> {
        self.mass_table.get(particle_type).copied().filter(|&mass| mass > 0.0)
    }

    /// Total mass of one type in the file's unit.
    ///
    /// # Errors
    /// [`Error::Input`] where there are no masses, or two that contradict.
    fn raw_mass(&self, particle_type: usize) -> Result<f64> {
        let count = self.header.counts[particle_type];
        if count == 0 {
            return Ok(0.0);
        }
        let table = self.table_mass(particle_type);
        let files = self.files_with(particle_type).count().max(1);
        let mut total = 0.0;
        for path in self.files_with(particle_type) {
            let piece = Piece::open(path)?;
            let Some(masses) = piece.column(path, particle_type, MASSES)? else {
                match table {
                    Some(_) => break,
                    None if particle_type > 1 => continue, // tracers have none
                    None => {
                        return Err(Error::input(
                            path,
                            format!("PartType{particle_type} has no Masses, and the header's MassTable no mass for it"),
                            "one of the two",
                            "Write the snapshot with masses",
                        ));
                    }
                }
            };
            let rows = masses.rows;
            // Where the table has the mass, a few samples tell whether the two agree.
            let exact = count <= EXACT_MASS_SUM && table.is_none();
            let parts = if table.is_some() { 8 } else { SAMPLES.div_ceil(files) };
            let step = if exact { rows } else { rows.div_ceil(parts) };
            let length = if exact { rows } else { step.min(SAMPLE) };
            let (mut sum, mut read) = (0.0, 0);
            for first in (0..rows).step_by(step.max(1)) {
                masses.read(first..(first + length).min(rows), |block| {
                    let wrong = |m: &f64| !m.is_finite() || *m < 0.0 || (*m == 0.0 && particle_type < 2);
                    if let Some(bad) = block.iter().find(|m| wrong(m)) {
                        return Err(bad_mass(path, particle_type, *bad));
                    }
                    if let Some(table) = table
                        && let Some(other) = block.iter().find(|m| (*m / table - 1.0).abs() > SAME_MASS)
                    {
                        return Err(Error::input(
                            path,
                            format!(
                                "the header's MassTable gives every particle of PartType{particle_type} the mass \
                                 {table}, and {} gives {other} to one",
                                masses.name
                            ),
                            "masses that do not contradict each other",
                            "Set the entry of MassTable to 0 if the particles have their own masses, or delete Masses",
                        ));
                    }
                    sum += block.iter().sum::<f64>();
                    read += block.len();
                    Ok(())
                })?;
            }
            total += sum / read.max(1) as f64 * rows as f64;
        }
        Ok(table.map_or(total, |mass| mass * count as f64))
    }

    fn read_positions(
        &self,
        path: &Path,
        column: &Column<'_>,
        scale: f64,
        rows: std::ops::Range<usize>,
        positions: &mut Vec<[f32; 3]>,
    ) -> Result<()> {
        let box_size = self.header.box_size;
        column.read(rows, |block| {
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
                    Err(impossible_position(path, &column.name, bad, box_size))
                }
            }
        })
    }

    fn read_velocities(
        &self,
        path: &Path,
        column: &Column<'_>,
        rows: std::ops::Range<usize>,
        velocities: &mut Vec<[f32; 3]>,
    ) -> Result<()> {
        let a_power = column.a_power().unwrap_or(self.units.velocity_a_power);
        let scale = self.units.velocity * (1.0 + self.header.redshift).powf(-a_power);
        column.read(rows, |block| {
            // Faster than light is a wrong unit, or damage.
            if let Some(bad) = block.iter().find(|v| !v.is_finite() || v.abs() * scale >= 3e5) {
                return Err(Error::input(
                    path,
                    format!("{} has a velocity of {bad}", column.name),
                    "finite velocities below that of light",
                    "Write the snapshot again: this one is damaged",
                ));
            }
            velocities.extend(block.chunks_exact(3).map(|v| [v[0], v[1], v[2]].map(|c| (c * scale) as f32)));
            Ok(())
        })
    }

    fn read_masses(
        &self,
        path: &Path,
        column: &Column<'_>,
        rows: std::ops::Range<usize>,
        masses: &mut Vec<f32>,
    ) -> Result<()> {
        column.read(rows, |block| {
            let scaled = |m: f64| (m * self.units.mass) as f32;
            if let Some(bad) = block.iter().find(|&&m| !(scaled(m).is_finite() && scaled(m) > 0.0)) {
                let particle_type = column.name.chars().find_map(|c| c.to_digit(10)).unwrap_or(0) as usize;
                return Err(bad_mass(path, particle_type, *bad));
            }
            masses.extend(block.iter().map(|&m| scaled(m)));
            Ok(())
        })
    }
}

/// The files of the snapshot that `named` belongs to, and their headers.
fn whole(named: &Path, raw: &RawHeader, notes: &mut Vec<String>) -> Result<(Vec<PathBuf>, Vec<RawHeader>)> {
    let declared = raw.files;
    let holds_all = !raw.totals.counts.is_empty()
        && (0..raw.totals.counts.len().max(raw.counts_here.len()))
            .all(|t| raw.totals.agree(t, raw.counts_here.get(t).copied().unwrap_or(0)));
    if declared <= 1 || holds_all {
        // A SWIFT file is whole even where its header counts the ranks' files.
        if declared > 1 {
            notes.push(format!(
                "The header counts {declared} files, but this one holds every particle and is read alone"
            ));
        }
        return Ok((vec![named.to_path_buf()], vec![raw.clone()]));
    }
    let files = siblings(named, declared)?;
    let mut headers = Vec::with_capacity(files.len());
    for file in &files {
        if file == named {
            headers.push(raw.clone());
            continue;
        }
        let other = Piece::open(file)?.header()?;
        let same = (other.box_size / raw.box_size - 1.0).abs() < 1e-6
            && (other.redshift - raw.redshift).abs() < 1e-6 * (1.0 + raw.redshift)
            && other.totals == raw.totals;
        if !same {
            return Err(Error::input(
                file,
                format!(
                    "it is of another snapshot than {} (redshift {}, {:?} particles; not {}, {:?})",
                    named.display(),
                    other.redshift,
                    other.totals.counts,
                    raw.redshift,
                    raw.totals.counts
                ),
                "pieces of one snapshot",
                "Put every snapshot into a folder of its own",
            ));
        }
        headers.push(other);
    }
    Ok((files, headers))
}

/// See that the files hold what the header counts.
fn check_totals(path: &Path, totals: &Totals, counts: &[u64], files: usize, notes: &mut Vec<String>) -> Result<()> {
    for (particle_type, &total) in totals.counts.iter().enumerate() {
        let count = counts.get(particle_type).copied().unwrap_or(0);
        if !totals.agree(particle_type, count) {
            return Err(Error::input(
                path,
                format!(
                    "the header counts {total} particles of PartType{particle_type}, the {} {count}",
                    if files == 1 { "file holds" } else { "files hold" },
                ),
                "all particles of the snapshot",
                "Open it with all its pieces, or copy it again",
            ));
        }
        if total != count {
            notes.push(format!(
                "The header's count of PartType{particle_type}, {total}, is the low 32 bits of the {count} particles that are there"
            ));
        }
    }
    Ok(())
}

/// What a particle type usually holds, in words.
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

fn impossible_position(path: &Path, name: &str, x: f64, box_size: f64) -> Error {
    if x.is_finite() {
        Error::input(
            path,
            format!("{name} has a particle at {x:.6} Mpc/h, outside the box of {box_size:.6} Mpc/h"),
            "positions inside the periodic box",
            "Check BoxSize in the header and the units",
        )
    } else {
        Error::input(
            path,
            format!("{name} has a position that is {x}"),
            "finite positions",
            "Write the snapshot again: this one is damaged",
        )
    }
}

fn bad_mass(path: &Path, particle_type: usize, bad: f64) -> Error {
    Error::input(
        path,
        format!("PartType{particle_type} has a mass of {bad}"),
        "positive, finite masses",
        "Write the snapshot again: this one is damaged",
    )
}

fn missing(path: &Path, particle_type: usize, name: &str) -> Error {
    Error::input(
        path,
        format!("PartType{particle_type} has no dataset {name}"),
        format!("{name} for every particle"),
        "Write the snapshot with this property",
    )
}

fn no_vectors(path: &Path, column: &Column<'_>) -> Error {
    Error::input(
        path,
        format!("{} has shape [{}, {}]", column.name, column.rows, column.columns),
        "shape [particles, 3]",
        "Write the snapshot again: this one is damaged",
    )
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

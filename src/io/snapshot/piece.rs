//! One file of a snapshot, whichever format it has.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::{Dataset, File, Group};

use super::binary::{self, Binary};
use super::header::RawHeader;
use crate::error::{Error, Result};
use crate::io::h5::{self, Parameter, Places};

/// What a property is called in HDF5 snapshots, the usual name first.
pub(super) const POSITIONS: &[&str] = &["Coordinates"];
pub(super) const INTEGER_POSITIONS: &[&str] = &["IntCoordinates"];
pub(super) const VELOCITIES: &[&str] = &["Velocities", "Velocity"];
pub(super) const IDS: &[&str] = &["ParticleIDs", "ParticleIds"];
/// `DynamicalMasses` are those of SWIFT's black holes that gravity acts on.
pub(super) const MASSES: &[&str] = &["DynamicalMasses", "Masses", "Mass"];

/// One open file.
pub(super) enum Piece {
    Hdf5 { path: PathBuf, file: File },
    Binary(Binary),
}

/// The values of one property of one type of particles in one file.
pub(super) struct Column<'a> {
    path: &'a Path,
    /// As `PartType1/Coordinates`.
    pub name: String,
    source: Source<'a>,
    pub rows: usize,
    pub columns: usize,
}

enum Source<'a> {
    Hdf5(Dataset),
    Binary { file: &'a Binary, particle_type: usize, name: &'static str },
}

impl Piece {
    /// Open the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        if binary::is_binary(path)? {
            return Ok(Self::Binary(Binary::open(path)?));
        }
        Ok(Self::Hdf5 { path: path.to_path_buf(), file: h5::open(path)? })
    }

    pub fn header(&self) -> Result<RawHeader> {
        match self {
            Self::Hdf5 { path, file } => RawHeader::read(path, file),
            Self::Binary(file) => file.header(),
        }
    }

    fn group(&self, particle_type: usize) -> Result<Option<Group>> {
        match self {
            Self::Hdf5 { path, file } => h5::group(path, file, &format!("PartType{particle_type}")),
            Self::Binary(_) => Ok(None),
        }
    }

    /// A property of a type, by the first of its names that is there.
    ///
    /// # Errors
    /// [`Error::Input`] where it is there and cannot be opened, or is no list or
    /// table.
    pub fn column<'a>(&'a self, path: &'a Path, particle_type: usize, names: &[&str]) -> Result<Option<Column<'a>>> {
        let label = |name: &str| format!("PartType{particle_type}/{name}");
        match self {
            Self::Hdf5 { path: own, .. } => {
                let Some(group) = self.group(particle_type)? else { return Ok(None) };
                for name in names {
                    if let Some(dataset) = h5::dataset(own, &group, name)? {
                        let (rows, columns) = match dataset.shape()[..] {
                            [rows] => (rows, 1),
                            [rows, columns] => (rows, columns),
                            ref shape => {
                                return Err(Error::input(
                                    own,
                                    format!("{} has shape {shape:?}", label(name)),
                                    "shape [particles] or [particles, 3]",
                                    "Write the snapshot again: this one is damaged",
                                ));
                            }
                        };
                        return Ok(Some(Column {
                            path,
                            name: label(name),
                            source: Source::Hdf5(dataset),
                            rows,
                            columns,
                        }));
                    }
                }
                Ok(None)
            }
            Self::Binary(file) => Ok(names.iter().find_map(|name| {
                let name = Binary::known(name)?;
                let (rows, columns) = file.rows(particle_type, name)?;
                let source = Source::Binary { file, particle_type, name };
                Some(Column { path, name: label(name), source, rows, columns })
            })),
        }
    }
}

impl Column<'_> {
    /// Read `rows`, block by block, as `f64` in row-major order.
    ///
    /// # Errors
    /// [`Error::Input`], and whatever `sink` returns.
    pub fn read(&self, rows: Range<usize>, sink: impl FnMut(Vec<f64>) -> Result<()>) -> Result<()> {
        match &self.source {
            Source::Hdf5(dataset) => h5::read_blocks(self.path, dataset, rows, sink),
            Source::Binary { file, particle_type, name } => file.read(*particle_type, name, rows, sink),
        }
    }

    /// Append all values as identifiers.
    pub fn ids(&self, ids: &mut Vec<u64>) -> Result<()> {
        match &self.source {
            // Identifiers are whole numbers of 64 bits, which `f64` does not hold.
            Source::Hdf5(dataset) => {
                h5::check_values(self.path, dataset)?;
                let read = dataset.read_raw::<u64>().map_err(|error| h5::refused(self.path, &self.name, &error))?;
                ids.extend(read);
                Ok(())
            }
            Source::Binary { file, particle_type, .. } => file.ids(*particle_type, ids),
        }
    }

    /// Bits of the integers that it is stored in.
    pub fn bits(&self) -> Result<i32> {
        match &self.source {
            Source::Hdf5(dataset) => {
                let kind = dataset.dtype().map_err(|error| h5::refused(self.path, &self.name, &error))?;
                Ok(8 * kind.size().min(8) as i32)
            }
            Source::Binary { .. } => Ok(32),
        }
    }

    /// The power of the scale factor that turns a stored value into the physical
    /// one, where the file says so.
    pub fn a_power(&self) -> Option<f64> {
        match &self.source {
            Source::Hdf5(dataset) => {
                let found = Places::only(&self.name, dataset).find(Parameter::ExpansionScaling)?.first();
                (found.abs() <= 4.0).then_some(found)
            }
            Source::Binary { .. } => None,
        }
    }
}

//! Telling by content what a file is.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::catalogue::is_catalogue;
use super::h5::Parameter;
use super::snapshot::{binary, files};
use super::{GridFile, SnapshotReader, fits, h5, npy};
use crate::error::{Error, Result};

/// What a file turned out to be.
#[derive(Debug, Clone)]
pub enum Opened {
    /// Particles, which have not been read.
    Snapshot(SnapshotReader),
    /// A gridded field.
    Grid(GridFile),
}

/// What a file is, before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A simulation snapshot.
    Snapshot,
    /// A gridded field, or several.
    Grid,
    /// A catalogue of groups (FoF, SUBFIND).
    GroupCatalogue,
}

impl Opened {
    /// What had to be inferred, each a sentence for the user.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Snapshot(reader) => &reader.header().notes,
            Self::Grid(grid) => &grid.notes,
        }
    }
}

/// Open whatever is at `path`: a snapshot, whose particles are read later, or a
/// grid. `FILE:NAME` or `FILE#NAME` picks one of several grids, by the index of
/// the simulation in a `.npy` file or by the name of the dataset in an HDF5 file.
///
/// # Errors
/// [`Error::Input`] where it is neither, or cannot be read.
pub fn open_source(path: impl AsRef<Path>) -> Result<Opened> {
    let (path, selection) = split_selection(path.as_ref());
    match identify(&path)? {
        FileKind::Grid => Ok(Opened::Grid(GridFile::open(&path, selection.as_deref())?)),
        // For a catalogue the snapshot reader has the sentence.
        FileKind::Snapshot | FileKind::GroupCatalogue => SnapshotReader::open(&path).map(Opened::Snapshot),
    }
}

/// What the file at `path` (without a selection) is, by its content.
///
/// # Errors
/// [`Error::Input`] where there is no readable file of a known kind.
pub fn identify(path: &Path) -> Result<FileKind> {
    let first = files::locate(path)?;
    if npy::is_npy(&first)? || fits::is_fits(&first)? {
        return Ok(FileKind::Grid);
    }
    if binary::is_binary(&first)? {
        return Ok(FileKind::Snapshot);
    }
    let packed = match h5::first_bytes::<4>(&first)?[..] {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [b'P', b'K', 3, 4] => Some("zip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("Zstandard"),
        _ => None,
    };
    if let Some(packer) = packed {
        return Err(Error::input(
            &first,
            format!("it is a file packed with {packer}"),
            h5::EXPECTED,
            "Unpack it first",
        ));
    }
    let file = h5::open(&first)?;
    let Some(header) = h5::group(&first, &file, "Header")? else {
        return Ok(FileKind::Grid);
    };
    let places = h5::Places::only("Header", &header);
    if is_catalogue(&places) {
        return Ok(FileKind::GroupCatalogue);
    }
    let counts = [Parameter::CountsHere, Parameter::Counts, Parameter::MassTable];
    let particles = counts.into_iter().any(|parameter| places.has(parameter))
        || (0..7).any(|t| file.link_exists(&format!("PartType{t}")));
    Ok(if particles { FileKind::Snapshot } else { FileKind::Grid })
}

/// `FILE:NAME` or `FILE#NAME` as the file and the name, unless a file of the
/// whole name exists.
pub fn split_selection(path: &Path) -> (PathBuf, Option<String>) {
    if path.exists() {
        return (path.to_path_buf(), None);
    }
    let whole = path.to_string_lossy();
    if let Some((file, name)) = whole.rsplit_once(['#', ':'])
        && !name.is_empty()
        && Path::new(file).is_file()
    {
        return (PathBuf::from(file), Some(name.to_owned()));
    }
    (path.to_path_buf(), None)
}

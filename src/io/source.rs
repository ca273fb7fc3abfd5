//! Telling by content what a file is.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{GridFile, Snapshot, SnapshotReader, h5, npy};
use crate::error::{Error, Result};

/// What a file turned out to be.
#[derive(Debug, Clone)]
pub enum Opened {
    /// Particles.
    Snapshot(Snapshot),
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

/// What a catalogue of groups says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogueHeader {
    /// The file.
    pub path: PathBuf,
    /// Groups in the catalogue.
    pub groups: u64,
    /// Redshift.
    pub redshift: Option<f64>,
    /// Side of the box, in the file's unit.
    pub box_size: Option<f64>,
}

/// Open whatever is at `path`: a snapshot (with its dark matter) or a grid.
/// `FILE:NAME` or `FILE#NAME` picks one of several grids, by the index of the
/// simulation in a `.npy` file or by the name of the dataset in an HDF5 file.
///
/// # Errors
/// [`Error::Input`] where it is neither, or cannot be read.
pub fn open_source(path: impl AsRef<Path>) -> Result<Opened> {
    let (path, selection) = split_selection(path.as_ref());
    match identify(&path)? {
        FileKind::Snapshot => Ok(Opened::Snapshot(Snapshot::open(&path)?)),
        FileKind::Grid => Ok(Opened::Grid(GridFile::open(&path, selection.as_deref())?)),
        // The snapshot reader has the sentence for it.
        FileKind::GroupCatalogue => SnapshotReader::open(&path).map(|reader| {
            let header = reader.into_header();
            Opened::Snapshot(Snapshot { header, dark_matter: Default::default() })
        }),
    }
}

/// What the file at `path` (without a selection) is, by its content.
///
/// # Errors
/// [`Error::Input`] where there is no readable file of a known kind.
pub fn identify(path: &Path) -> Result<FileKind> {
    let files = super::files::pieces(path)?;
    let first = files.iter().find(|f| f.exists()).unwrap_or(&files[0]);
    if npy::is_npy(first)? {
        return Ok(FileKind::Grid);
    }
    let file = h5::open(first)?;
    let Ok(header) = file.group("Header") else {
        return Ok(FileKind::Grid);
    };
    if header.attr("Ngroups_Total").is_ok() {
        return Ok(FileKind::GroupCatalogue);
    }
    let particles = ["NumPart_ThisFile", "NumPart_Total", "MassTable"].iter().any(|name| header.attr(name).is_ok())
        || (0..7).any(|t| file.link_exists(&format!("PartType{t}")));
    Ok(if particles { FileKind::Snapshot } else { FileKind::Grid })
}

impl CatalogueHeader {
    /// Read what the catalogue at `path` says of itself.
    ///
    /// # Errors
    /// [`Error::Input`] where it is no catalogue.
    pub fn open(path: &Path) -> Result<Self> {
        let no_catalogue = || {
            Error::input(
                path,
                "it has no Header with Ngroups_Total",
                "a FoF or SUBFIND catalogue",
                "Choose another file",
            )
        };
        let header = h5::open(path)?.group("Header").map_err(|_| no_catalogue())?;
        Ok(Self {
            path: path.to_path_buf(),
            groups: h5::number(&header, "Ngroups_Total").ok_or_else(no_catalogue)? as u64,
            redshift: h5::number(&header, "Redshift"),
            box_size: h5::number(&header, "BoxSize"),
        })
    }
}

/// `FILE:NAME` or `FILE#NAME` as the file and the name, unless a file of the
/// whole name exists.
pub fn split_selection(path: &Path) -> (PathBuf, Option<String>) {
    let whole = path.to_string_lossy();
    if !path.exists()
        && let Some((file, name)) = whole.rsplit_once(['#', ':'])
        && !name.is_empty()
        && Path::new(file).is_file()
    {
        return (PathBuf::from(file), Some(name.to_owned()));
    }
    (path.to_path_buf(), None)
}

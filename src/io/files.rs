//! Which files make up a snapshot.

use std::fs;
use std::path::{Path, PathBuf};

use super::h5;
use crate::error::{Error, Result};

/// More pieces than any simulation writes; a larger number in a name is a date
/// or a version.
const MOST_PIECES: usize = 16_384;

/// The files of the snapshot that `path` names, piece 0 first. For
/// `NAME.3.hdf5` these are all pieces that exist or that the header counts; the
/// reader reports the missing ones.
///
/// # Errors
/// [`Error::Input`] where there is no such file, or a folder holds no snapshot
/// or several.
pub(super) fn pieces(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() {
        return pieces(&only_snapshot(path)?);
    }
    if !path.exists() {
        // Pylians' convention: the name without its ending.
        for ending in [".hdf5", ".0.hdf5", ".h5", ".0.h5"] {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            let candidate = PathBuf::from(name);
            if candidate.is_file() {
                return pieces(&candidate);
            }
        }
    }
    let Some((stem, _, ending)) = numbered(path) else {
        return Ok(vec![path.to_path_buf()]);
    };
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let same = |name: PathBuf| numbered(&name).filter(|(s, _, e)| *s == stem && *e == ending).map(|(_, i, _)| i);
    let last = fs::read_dir(folder)
        .ok()
        .and_then(|entries| entries.filter_map(|entry| same(entry.ok()?.path())).max())
        .filter(|&last| last < MOST_PIECES);
    let Some(last) = last else {
        return Ok(vec![path.to_path_buf()]);
    };
    // What the header counts, so that a missing tail can be reported by name.
    let count = header_count(path).unwrap_or(1).clamp(last + 1, MOST_PIECES);
    Ok((0..count).map(|i| path.with_file_name(format!("{stem}.{i}.{ending}"))).collect())
}

fn header_count(path: &Path) -> Option<usize> {
    let file = h5::open(path).ok()?;
    let header = file.group("Header").ok()?;
    h5::number(&header, "NumFilesPerSnapshot").map(|n| n as usize)
}

/// `NAME.3.hdf5` as `("NAME", 3, "hdf5")`.
fn numbered(path: &Path) -> Option<(String, usize, String)> {
    let name = path.file_name()?.to_str()?;
    let (rest, ending) = name.rsplit_once('.')?;
    let (stem, number) = rest.rsplit_once('.')?;
    Some((stem.to_owned(), number.parse().ok()?, ending.to_owned()))
}

/// The one snapshot inside a folder: its file, or its first piece.
fn only_snapshot(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Error::input(
            folder,
            format!("the folder cannot be read ({error})"),
            "a readable folder",
            "Change its permissions",
        )
    })?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && is_snapshot(path))
        .collect();
    found.sort();
    // One entry per multi-file snapshot: its lowest piece that is there.
    let mut stems: Vec<(Option<String>, PathBuf)> = Vec::new();
    for path in found {
        let stem = numbered(&path).map(|(stem, ..)| stem);
        if stem.is_none() || !stems.iter().any(|(known, _)| *known == stem) {
            stems.push((stem, path));
        }
    }
    match stems.len() {
        1 => Ok(stems.remove(0).1),
        0 => Err(Error::input(
            folder,
            "the folder holds no snapshot",
            "a folder with one snapshot in HDF5 (one file, or all its pieces)",
            "Name the file itself",
        )),
        _ => {
            let names: Vec<String> = stems
                .iter()
                .take(4)
                .map(|(_, path)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
                .collect();
            let more = if stems.len() > 4 { ", …" } else { "" };
            Err(Error::input(
                folder,
                format!("the folder holds {} snapshots ({}{more})", stems.len(), names.join(", ")),
                "a folder with one snapshot",
                "Name one of them",
            ))
        }
    }
}

/// Whether the file looks like a snapshot or a piece of one.
fn is_snapshot(path: &Path) -> bool {
    let open = |path: &Path| h5::open(path).ok()?.group("Header").ok();
    open(path).is_some_and(|header| {
        ["NumPart_ThisFile", "NumPart_Total", "MassTable"].iter().any(|name| header.attr(name).is_ok())
    })
}

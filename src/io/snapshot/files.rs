//! Which files make up a snapshot.
//!
//! A file that is named is the file that is opened. Names are read only where a
//! header counts more than one file, to find the others.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::binary;
use crate::error::{Error, Result};
use crate::io::h5;

/// Endings that a name may leave out (Pylians' convention).
const ENDINGS: [&str; 4] = ["hdf5", "h5", "hdf", "bin"];
/// Endings of what editors, shells, downloads and rsync leave behind.
const LITTER: [&str; 13] =
    ["bak", "old", "orig", "tmp", "temp", "part", "partial", "swp", "swo", "crdownload", "download", "save", "aria2"];
/// More digits than any number of a piece has.
const MOST_DIGITS: usize = 6;

/// `NAME.3.hdf5` or `NAME.3`: a file that may be a piece of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Numbered {
    /// `NAME`.
    stem: String,
    /// `3`, as it is written.
    digits: String,
    /// `hdf5`, or nothing.
    ending: String,
}

impl Numbered {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let is_number = |s: &str| !s.is_empty() && s.len() <= MOST_DIGITS && s.bytes().all(|b| b.is_ascii_digit());
        let (rest, last) = name.rsplit_once('.')?;
        if is_number(last) {
            return Some(Self { stem: rest.to_owned(), digits: last.to_owned(), ending: String::new() });
        }
        let (stem, digits) = rest.rsplit_once('.')?;
        is_number(digits).then(|| Self { stem: stem.to_owned(), digits: digits.to_owned(), ending: last.to_owned() })
    }

    fn index(&self) -> usize {
        self.digits.parse().unwrap_or(usize::MAX)
    }

    fn name(&self, index: usize) -> String {
        let (stem, width) = (&self.stem, self.digits.len());
        // `9` beside `10` is no padding.
        let width = if self.digits.starts_with('0') { width } else { 1 };
        match self.ending.as_str() {
            "" => format!("{stem}.{index:0width$}"),
            ending => format!("{stem}.{index:0width$}.{ending}"),
        }
    }
}

/// The file that `path` names: itself, the first piece in the folder it names,
/// or the file whose name it begins (`snap_090` for `snap_090.0.hdf5`).
///
/// # Errors
/// [`Error::Input`] where there is no such file, or a folder holds no snapshot
/// or several.
pub(in crate::io) fn locate(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        return only_snapshot(path, 0);
    }
    if path.exists() {
        return Ok(path.to_path_buf());
    }
    if let Some(name) = path.file_name().and_then(OsStr::to_str) {
        for ending in ENDINGS {
            let candidate = path.with_file_name(format!("{name}.{ending}"));
            if candidate.is_file() {
                return Ok(candidate);
            }
        }
        // snap_090, or snapdir_090 beside it.
        let beside =
            name.rsplit_once('_').map(|(_, number)| path.with_file_name(format!("snapdir_{number}")).join(name));
        for stem in [Some(path.to_path_buf()), beside].into_iter().flatten() {
            let pieces = numbered_in(stem.parent().unwrap_or(Path::new("")));
            let first = pieces.into_iter().filter(|(n, _)| n.stem == name).min_by_key(|(n, _)| n.index());
            if let Some((_, file)) = first {
                return Ok(file);
            }
        }
    }
    Ok(path.to_path_buf())
}

/// The `count` files of the snapshot that `file` is a piece of, in order.
///
/// # Errors
/// [`Error::Input`] where one is missing, or the name has no number.
pub(super) fn siblings(file: &Path, count: usize) -> Result<Vec<PathBuf>> {
    let refuse = |found: String, ending: &str| {
        Err(Error::input(
            file,
            found,
            format!("{count} files named NAME.0{ending} to NAME.{}{ending}", count - 1),
            "Put all pieces into one folder",
        ))
    };
    let Some(own) = Numbered::of(file) else {
        return refuse(format!("it is one of {count} pieces, and its name does not number them"), ".hdf5");
    };
    let ending = if own.ending.is_empty() { String::new() } else { format!(".{}", own.ending) };
    let mut by_index: BTreeMap<usize, PathBuf> = BTreeMap::new();
    for (other, path) in numbered_in(file.parent().unwrap_or(Path::new(""))) {
        if other.stem == own.stem && other.ending == own.ending {
            let index = other.index();
            // Of NAME.5 and NAME.005 the one that is written as the named one.
            let padded = |n: &Numbered| n.digits == own.name(index) || n.digits.len() == own.digits.len();
            if !by_index.contains_key(&index) || padded(&other) {
                by_index.insert(index, path);
            }
        }
    }
    by_index.insert(own.index(), file.to_path_buf());
    // Pieces count from 0; some are numbered from 1.
    let start = usize::from(!by_index.contains_key(&0) && by_index.contains_key(&count));
    if own.index() < start || own.index() >= start + count {
        return refuse(format!("it is one of {count} pieces, and its name does not number them"), &ending);
    }
    let mut files = Vec::with_capacity(count);
    for index in start..start + count {
        match by_index.remove(&index) {
            Some(path) => files.push(path),
            None => return refuse(format!("piece {} of {count} is missing", own.name(index)), &ending),
        }
    }
    Ok(files)
}

/// Files of a folder whose names have a number, without litter.
fn numbered_in(folder: &Path) -> Vec<(Numbered, PathBuf)> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(folder).into_iter().flatten();
    let path = |entry: std::io::Result<fs::DirEntry>| Some(folder.join(entry.ok()?.file_name()));
    let mut files: Vec<_> = entries
        .filter_map(path)
        .filter(|path| !is_litter(path) && path.is_file())
        .filter_map(|path| Some((Numbered::of(&path)?, path)))
        .collect();
    files.sort();
    files
}

/// Whether a name is that of what macOS, editors, downloads or rsync leave
/// beside files.
fn is_litter(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    name.starts_with(['.', '#', '~']) || name.ends_with(['~', '#']) || LITTER.contains(&ending.as_str())
}

/// The one snapshot inside a folder: its file, or its first piece.
fn only_snapshot(folder: &Path, depth: usize) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Error::input(
            folder,
            format!("the folder cannot be read ({error})"),
            "a readable folder",
            "Change its permissions",
        )
    })?;
    let mut all: Vec<PathBuf> = entries.filter_map(|entry| Some(folder.join(entry.ok()?.file_name()))).collect();
    all.sort();
    // One entry per numbered family: its lowest piece stands for the others.
    let mut families: BTreeMap<(String, String), (usize, PathBuf)> = BTreeMap::new();
    let mut found: Vec<PathBuf> = Vec::new();
    for path in all.iter().filter(|path| !is_litter(path) && path.is_file()) {
        match Numbered::of(path).filter(|n| is_piece(path) && n.index() < usize::MAX) {
            Some(n) => {
                let entry = families.entry((n.stem.clone(), n.ending.clone())).or_insert((n.index(), path.clone()));
                if n.index() < entry.0 {
                    *entry = (n.index(), path.clone());
                }
            }
            None if is_snapshot(path) => found.push(path.clone()),
            None => {}
        }
    }
    found.extend(families.into_values().map(|(_, path)| path));
    found.sort();
    // A virtual file over files that are here is another view of the same.
    if found.len() > 1 {
        let here: Vec<_> = all.iter().filter_map(|path| path.file_name()).collect();
        found.retain(|path| {
            let sources = virtual_sources(path);
            sources.is_empty() || !sources.iter().all(|s| s.file_name().is_some_and(|name| here.contains(&name)))
        });
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            // snapdir_090 inside the folder that was named.
            let inside: Vec<&PathBuf> = all.iter().filter(|path| path.is_dir() && is_snapshot_folder(path)).collect();
            match inside[..] {
                [one] if depth == 0 => only_snapshot(one, depth + 1),
                _ => Err(Error::input(
                    folder,
                    "the folder holds no snapshot",
                    "a folder with one snapshot (one file, or all its pieces)",
                    "Name the file itself",
                )),
            }
        }
        count => {
            let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let names: Vec<String> = found.iter().take(4).map(name).collect();
            let more = if count > 4 { ", …" } else { "" };
            Err(Error::input(
                folder,
                format!("the folder holds {count} snapshots ({}{more})", names.join(", ")),
                "a folder with one snapshot",
                "Name one of them",
            ))
        }
    }
}

fn is_snapshot_folder(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snapdir_"))
}

/// Number of files that a snapshot's header counts; `None` for another file.
fn declared_files(path: &Path) -> Option<usize> {
    if binary::is_binary(path).unwrap_or(false) {
        return Some(binary::Binary::open(path).ok()?.header().ok()?.files);
    }
    let file = h5::open(path).ok()?;
    let places = h5::Places::of_file(&file, &["Header"]);
    let has = |p| places.has(p);
    if has(h5::Parameter::Groups) || has(h5::Parameter::GroupsHere) {
        return None;
    }
    let snapshot = has(h5::Parameter::CountsHere) || has(h5::Parameter::Counts) || has(h5::Parameter::MassTable);
    snapshot.then(|| places.find(h5::Parameter::Files).map_or(1, |found| found.first().max(1.0) as usize))
}

/// Whether the file looks like a snapshot or a piece of one.
fn is_snapshot(path: &Path) -> bool {
    declared_files(path).is_some()
}

/// Whether the file is a piece of several: its number is more than a part of
/// its name.
fn is_piece(path: &Path) -> bool {
    declared_files(path).is_some_and(|count| count > 1)
}

/// The files that a virtual snapshot takes its particles from.
fn virtual_sources(path: &Path) -> Vec<PathBuf> {
    let Ok(file) = h5::open(path) else { return Vec::new() };
    let positions = (0..7).filter_map(|t| file.dataset(&format!("PartType{t}/Coordinates")).ok());
    positions.flat_map(|dataset| h5::sources_of(path, &dataset).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_and_litter_are_told() {
        let of = |name: &str| Numbered::of(Path::new(name)).map(|n| (n.stem.clone(), n.index(), n.ending.clone()));
        assert_eq!(of("a/snap_090.3.hdf5"), Some(("snap_090".to_owned(), 3, "hdf5".to_owned())));
        assert_eq!(of("snap_090.12"), Some(("snap_090".to_owned(), 12, String::new())));
        assert_eq!(of("snap_z0.500.hdf5"), Some(("snap_z0".to_owned(), 500, "hdf5".to_owned())));
        assert_eq!(of("snap_090.hdf5"), None);
        let padded = Numbered::of(Path::new("padded_005.000.hdf5")).unwrap();
        assert_eq!((padded.name(1), padded.name(12)), ("padded_005.001.hdf5".into(), "padded_005.012.hdf5".into()));
        for litter in
            ["._snap.0.hdf5", ".DS_Store", "snap.hdf5~", "#snap.hdf5#", ".snap.0.hdf5.Xq3a1K", "snap.hdf5.bak"]
        {
            assert!(is_litter(Path::new(litter)), "{litter}");
        }
        assert!(!is_litter(Path::new("snap_090.0.hdf5")));
    }
}

//! HDF5 with errors a user can act on: opening a file, reading attributes of
//! any shape and type, reading datasets in blocks.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use hdf5::types::{FixedAscii, VarLenAscii, VarLenUnicode};
use hdf5::{Dataset, File, Location};

use crate::error::{Error, Result};

/// Bytes every HDF5 file starts with (after a user block of 0, 512, 1024, …
/// bytes, which no simulation writes).
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Rows read at a time: 12 to 24 MB of coordinates.
const BLOCK: usize = 1 << 20;

/// What every reader asks for.
pub(super) const EXPECTED: &str = "a snapshot (HDF5) or a gridded field (.npy or HDF5)";

/// The first bytes of the file at `path`; fewer if it is shorter.
///
/// # Errors
/// [`Error::Input`] where there is no readable file.
pub(super) fn first_bytes<const N: usize>(path: &Path) -> Result<Vec<u8>> {
    let reason = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Error::input(path, "there is no such file", EXPECTED, "Check the spelling of the path"),
        ErrorKind::PermissionDenied => {
            Error::input(path, "it may not be read by you", "a readable file", "Change its permissions (chmod +r)")
        }
        _ => Error::input(path, format!("it cannot be read ({error})"), "a readable file", "Check the disk"),
    };
    if fs::metadata(path).map_err(reason)?.is_dir() {
        return Err(Error::input(path, "it is a folder", EXPECTED, "Name a file inside it"));
    }
    let mut bytes = Vec::with_capacity(N);
    fs::File::open(path).map_err(reason)?.take(N as u64).read_to_end(&mut bytes).map_err(reason)?;
    Ok(bytes)
}

/// Whether the file at `path` starts as an HDF5 file does.
pub(super) fn is_hdf5(path: &Path) -> Result<bool> {
    Ok(first_bytes::<8>(path)? == SIGNATURE)
}

/// Open an HDF5 file for reading.
///
/// # Errors
/// [`Error::Input`] where it is missing, unreadable, not HDF5 or cut short.
pub(super) fn open(path: &Path) -> Result<File> {
    if !is_hdf5(path)? {
        let size = fs::metadata(path).map_or(0, |m| m.len());
        let found = if size == 0 { "it is empty".to_owned() } else { "it is not an HDF5 file".to_owned() };
        return Err(Error::input(
            path,
            found,
            EXPECTED,
            "Convert it to HDF5 or .npy first (Gadget's binary formats 1 and 2 are not read)",
        ));
    }
    File::open(path).map_err(|error| damaged(path, &error))
}

/// The error for an HDF5 file that HDF5 itself refuses.
pub(super) fn damaged(path: &Path, error: &hdf5::Error) -> Error {
    let text = error.to_string();
    let (found, action) = if text.contains("truncated") || text.contains("eof") {
        ("the HDF5 file is cut short".to_owned(), "Copy or download it again")
    } else if text.contains("filter") {
        (
            "its data are compressed by a filter that cannot be read here".to_owned(),
            "Repack it with gzip (h5repack -f GZIP=4) or Blosc",
        )
    } else if text.contains("lock") {
        ("the HDF5 file is locked by another program".to_owned(), "Wait until the simulation has closed it")
    } else {
        let first = text.split(['\n', ';']).next().unwrap_or_default().trim().trim_end_matches('.');
        (format!("the HDF5 file is damaged ({first})"), "Copy or download it again")
    };
    Error::input(path, found, "a complete, readable HDF5 file", action)
}

/// All numbers of the attribute `name`, whether it is a scalar or an array;
/// `None` where it does not exist or holds no numbers.
pub(super) fn numbers(location: &Location, name: &str) -> Option<Vec<f64>> {
    location.attr(name).ok()?.read_raw::<f64>().ok()
}

/// The first number of the attribute `name`.
pub(super) fn number(location: &Location, name: &str) -> Option<f64> {
    numbers(location, name)?.first().copied()
}

/// The integers of the attribute `name`, and the bytes each takes in the file.
pub(super) fn integers(location: &Location, name: &str) -> Option<(Vec<u64>, usize)> {
    let attribute = location.attr(name).ok()?;
    let size = attribute.dtype().ok()?.size();
    Some((attribute.read_raw::<u64>().ok()?, size))
}

/// The attribute `name` as text, whichever kind of HDF5 string it is.
pub(super) fn text(location: &Location, name: &str) -> Option<String> {
    let attribute = location.attr(name).ok()?;
    let first = |strings: Vec<String>| strings.into_iter().next();
    attribute
        .read_raw::<VarLenUnicode>()
        .map(|v| v.iter().map(ToString::to_string).collect())
        .or_else(|_| attribute.read_raw::<VarLenAscii>().map(|v| v.iter().map(ToString::to_string).collect()))
        .or_else(|_| attribute.read_raw::<FixedAscii<1024>>().map(|v| v.iter().map(ToString::to_string).collect()))
        .ok()
        .and_then(first)
}

/// Read `dataset` (shape `[rows]` or `[rows, columns]`) as `f64`, block by block:
/// `sink` gets the row-major values of consecutive rows.
///
/// # Errors
/// [`Error::Input`] where HDF5 cannot read a block, and whatever `sink` returns.
pub(super) fn read_blocks(
    path: &Path,
    dataset: &Dataset,
    rows: std::ops::Range<usize>,
    mut sink: impl FnMut(Vec<f64>) -> Result<()>,
) -> Result<()> {
    // Whole chunks at a time, or each would be decompressed once per block.
    let chunk = dataset.chunk().and_then(|c| c.first().copied()).unwrap_or(1).max(1);
    let block = (BLOCK / chunk * chunk).max(chunk);
    let columns = dataset.ndim() > 1;
    let mut first = rows.start;
    while first < rows.end {
        // Blocks end where chunks do, wherever the first one starts.
        let last = ((first / block + 1) * block).min(rows.end);
        let read = if columns {
            dataset.read_slice::<f64, _, ndarray::IxDyn>((first..last, ..))
        } else {
            dataset.read_slice::<f64, _, ndarray::IxDyn>(first..last)
        };
        let (values, _) = read.map_err(|error| damaged(path, &error))?.into_raw_vec_and_offset();
        sink(values)?;
        first = last;
    }
    Ok(())
}

//! HDF5 with errors a user can act on: opening a file, reading attributes of
//! any shape and type, reading datasets in blocks.

mod chunks;
mod heap;
mod reason;
mod spellings;
mod storage;

use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use hdf5::types::{FixedAscii, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Dataset, File, Group, Location};

pub(super) use reason::{refused, why};
pub(super) use spellings::{Found, Parameter, Places};
pub(super) use storage::{check as check_values, check_sources, sources_of};

use crate::error::{Error, Result};
use crate::memory;

/// Bytes every HDF5 file starts with, after a user block of 0, 512, 1024, 2048 …
/// bytes (MATLAB writes one of 512).
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Rows read at a time: 12 to 24 MB of coordinates.
const BLOCK: usize = 1 << 20;
/// An attribute is a few numbers; what is larger is damage.
const LARGEST_ATTRIBUTE: usize = 1 << 16;

/// What every reader asks for.
pub(super) const EXPECTED: &str = "a snapshot (HDF5, Gadget binary) or a gridded field (.npy, HDF5, FITS)";

/// The error for a file that the system will not give.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::input(path, "there is no such file", EXPECTED, "Check the spelling of the path"),
        ErrorKind::PermissionDenied => {
            Error::input(path, "it may not be read by you", "a readable file", "Change its permissions (chmod +r)")
        }
        ErrorKind::UnexpectedEof => {
            Error::input(path, "the file is cut short", "a complete file", "Copy or download it again")
        }
        _ => Error::input(path, format!("it cannot be read ({error})"), "a readable file", "Check the disk"),
    }
}

/// The first bytes of the file at `path`; fewer if it is shorter.
///
/// # Errors
/// [`Error::Input`] where there is no readable file.
pub(super) fn first_bytes<const N: usize>(path: &Path) -> Result<Vec<u8>> {
    let reason = |error: std::io::Error| unreadable(path, &error);
    let kind = fs::metadata(path).map_err(reason)?;
    if kind.is_dir() {
        return Err(Error::input(path, "it is a folder", EXPECTED, "Name a file inside it"));
    }
    if !kind.is_file() {
        return Err(Error::input(path, "it is a pipe or a device", EXPECTED, "Save it as a file first"));
    }
    let mut bytes = Vec::with_capacity(N);
    fs::File::open(path).map_err(reason)?.take(N as u64).read_to_end(&mut bytes).map_err(reason)?;
    Ok(bytes)
}

/// Whether the file at `path` is an HDF5 file, with or without a user block.
pub(super) fn is_hdf5(path: &Path) -> Result<bool> {
    if first_bytes::<8>(path)? == SIGNATURE {
        return Ok(true);
    }
    let mut file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let size = file.metadata().map_or(0, |m| m.len());
    let mut place = 512u64;
    while place + 8 <= size {
        let mut bytes = [0u8; 8];
        if file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut bytes)).is_err() {
            return Ok(false);
        }
        if bytes == SIGNATURE {
            return Ok(true);
        }
        place *= 2;
    }
    Ok(false)
}

/// Open an HDF5 file for reading.
///
/// # Errors
/// [`Error::Input`] where it is missing, unreadable, not HDF5 or cut short.
pub(super) fn open(path: &Path) -> Result<File> {
    if !is_hdf5(path)? {
        let size = fs::metadata(path).map_or(0, |m| m.len());
        let found = if size == 0 { "it is empty" } else { "it is not an HDF5 file" };
        return Err(Error::input(path, found, EXPECTED, "Convert it to HDF5 or .npy first"));
    }
    if path.to_str().is_none() {
        return Err(Error::input(
            path,
            "its name is not valid UTF-8",
            "a name that HDF5 can be given",
            "Rename it, or open it through a link with a plain name",
        ));
    }
    File::open(path).map_err(|error| refused(path, "the file", &error))
}

/// The group `name`, if there is one.
///
/// # Errors
/// [`Error::Input`] where it is there and HDF5 cannot open it.
pub(super) fn group(path: &Path, parent: &Group, name: &str) -> Result<Option<Group>> {
    match parent.group(name) {
        Ok(group) => Ok(Some(group)),
        Err(_) if !parent.link_exists(name) => Ok(None),
        Err(error) => Err(refused(path, name, &error)),
    }
}

/// The dataset `name` of a group, if there is one: a missing dataset and one
/// that HDF5 cannot open are two things.
///
/// # Errors
/// [`Error::Input`] where it is there and HDF5 cannot open it.
pub(super) fn dataset(path: &Path, parent: &Group, name: &str) -> Result<Option<Dataset>> {
    match parent.dataset(name) {
        Ok(dataset) => Ok(Some(dataset)),
        Err(_) if !parent.link_exists(name) => Ok(None),
        Err(error) => Err(refused(path, &format!("{}/{name}", parent.name().trim_end_matches('/')), &error)),
    }
}

/// All numbers of the attribute `name`, whether it is a scalar or an array;
/// `None` where it does not exist or holds no numbers.
pub(super) fn numbers(location: &Location, name: &str) -> Option<Vec<f64>> {
    let attribute = location.attr(name).ok()?;
    if attribute.size() > LARGEST_ATTRIBUTE {
        return None;
    }
    match attribute.dtype().ok()?.to_descriptor().ok()? {
        TypeDescriptor::Integer(_) | TypeDescriptor::Unsigned(_) | TypeDescriptor::Float(_) => {
            attribute.read_raw::<f64>().ok()
        }
        _ => None,
    }
}

/// The first number of the attribute `name`.
pub(super) fn number(location: &Location, name: &str) -> Option<f64> {
    numbers(location, name)?.first().copied()
}

/// The integers of the attribute `name` as they are stored, with their sign.
pub(super) fn integers(location: &Location, name: &str) -> Option<Vec<i128>> {
    let attribute = location.attr(name).ok()?;
    if attribute.size() > LARGEST_ATTRIBUTE {
        return None;
    }
    match attribute.dtype().ok()?.to_descriptor().ok()? {
        TypeDescriptor::Unsigned(_) => Some(attribute.read_raw::<u64>().ok()?.into_iter().map(i128::from).collect()),
        TypeDescriptor::Integer(_) => Some(attribute.read_raw::<i64>().ok()?.into_iter().map(i128::from).collect()),
        TypeDescriptor::Float(_) => {
            attribute.read_raw::<f64>().ok()?.into_iter().map(|v| (v.fract() == 0.0).then_some(v as i128)).collect()
        }
        _ => None,
    }
}

/// The attribute `name` as text, whichever kind of HDF5 string it is.
pub(super) fn text(location: &Location, name: &str) -> Option<String> {
    let attribute = location.attr(name).ok()?;
    if attribute.size() > LARGEST_ATTRIBUTE {
        return None;
    }
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let sound = || heap::sound(Path::new(&location.filename()));
    match attribute.dtype().ok()?.to_descriptor().ok()? {
        TypeDescriptor::VarLenUnicode if sound() => {
            attribute.read_raw::<VarLenUnicode>().ok()?.first().map(|text| lossy(text.as_bytes()))
        }
        TypeDescriptor::VarLenAscii if sound() => {
            attribute.read_raw::<VarLenAscii>().ok()?.first().map(|text| lossy(text.as_bytes()))
        }
        TypeDescriptor::FixedAscii(size) | TypeDescriptor::FixedUnicode(size) if size <= 1024 => {
            attribute.read_raw::<FixedAscii<1024>>().ok()?.first().map(|text| lossy(text.as_bytes()))
        }
        _ => None,
    }
}

/// Names of the attributes of a location. The `hdf5` crate takes the bytes of a
/// name for UTF-8 without looking; those that are not are left out here.
fn attribute_names(location: &Location) -> Vec<String> {
    let names = location.attr_names().unwrap_or_default();
    names.into_iter().filter_map(|name| String::from_utf8(name.into_bytes()).ok()).collect()
}

/// Read `dataset` (shape `[rows]` or `[rows, …]`) as `f64`, block by block:
/// `sink` gets the row-major values of consecutive rows.
///
/// # Errors
/// [`Error::Input`] where values are missing from the file or HDF5 cannot read a
/// block, and whatever `sink` returns.
pub(super) fn read_blocks(
    path: &Path,
    dataset: &Dataset,
    rows: std::ops::Range<usize>,
    mut sink: impl FnMut(Vec<f64>) -> Result<()>,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let name = dataset.name();
    storage::check(path, dataset)?;
    let kind = dataset.dtype().and_then(|t| t.to_descriptor());
    if !matches!(
        kind,
        Ok(TypeDescriptor::Integer(_)
            | TypeDescriptor::Unsigned(_)
            | TypeDescriptor::Float(_)
            | TypeDescriptor::Boolean)
    ) {
        return Err(Error::input(
            path,
            format!("{name} does not hold plain numbers"),
            "integers or floating-point numbers",
            "Choose another dataset or write it with another type",
        ));
    }
    let columns = dataset.shape().iter().skip(1).try_fold(1usize, |product, &side| product.checked_mul(side));
    let columns = columns.unwrap_or(usize::MAX).max(1);
    let chunk = dataset.chunk().and_then(|c| c.first().copied()).unwrap_or(1).max(1);
    let wanted = (3 * BLOCK / columns).max(1);
    // Whole chunks at a time, or each would be decompressed once per block.
    let block = (wanted / chunk * chunk).max(chunk.min(rows.len()));
    memory::check(
        memory::bytes(memory::bytes(block.min(rows.len()) as u64, columns as u64), 16),
        format!("reading {name} of {}", path.display()),
        "Close other programs, or write the file in smaller chunks",
    )?;
    let mut chunks = chunks::Chunks::of(path, dataset)?;
    let mut first = rows.start;
    while first < rows.end {
        // Blocks end where chunks do, wherever the first one starts.
        let last = ((first / block).saturating_add(1)).saturating_mul(block).min(rows.end);
        let values = match &mut chunks {
            Some(chunks) => chunks.read(first..last)?,
            None => {
                let read = match dataset.ndim() {
                    1 => dataset.read_slice::<f64, _, ndarray::IxDyn>(first..last),
                    2 => dataset.read_slice::<f64, _, ndarray::IxDyn>((first..last, ..)),
                    _ => dataset.read_slice::<f64, _, ndarray::IxDyn>((first..last, .., ..)),
                };
                read.map_err(|error| refused(path, &name, &error))?.into_raw_vec_and_offset().0
            }
        };
        sink(values)?;
        first = last;
    }
    Ok(())
}

//! Whether a dataset's values are there.
//!
//! HDF5 gives fill values, and no error, for what was never written and for the
//! parts of a virtual dataset whose files are missing. Zeros are not data.

use std::path::{Path, PathBuf};

use hdf5::Dataset;
use hdf5::dataset::Layout;
use hdf5::filters::Filter;

use super::reason::{missing_filter, refused};
use crate::error::{Error, Result};

/// Names of compression filters by their number in the registry of HDF5.
const FILTERS: [(i32, &str); 16] = [
    (4, "szip"),
    (305, "LZO"),
    (307, "bzip2"),
    (32002, "MAFISC"),
    (32004, "LZ4"),
    (32008, "bitshuffle"),
    (32013, "ZFP"),
    (32014, "FPZip"),
    (32015, "Zstandard"),
    (32016, "B³D"),
    (32017, "SZ"),
    (32019, "JPEG"),
    (32022, "granular bit round"),
    (32023, "SZ3"),
    (32024, "Delta-Rice"),
    (32026, "Blosc2"),
];

/// What one part of a virtual dataset is taken from.
struct Mapping {
    file: String,
    dataset: String,
    /// Values that it gives; `None` for as many as there are.
    values: Option<u64>,
    /// Values that the other dataset had when it was mapped.
    of: Option<u64>,
}

/// The parts of a virtual dataset. The `hdf5` crate has a list of them, but
/// refuses selections of whole blocks, which most files have.
fn mappings(path: &Path, name: &str, dataset: &Dataset) -> Result<Vec<Mapping>> {
    use hdf5_metno_sys::{h5i::hid_t, h5p, h5s};
    let list = dataset.create_plist().map_err(|error| refused(path, name, &error))?;
    let damaged = || {
        Error::input(
            path,
            format!("the list of files that {name} is put together from is damaged"),
            "a complete, readable HDF5 file",
            "Copy or download it again",
        )
    };
    type Text = unsafe extern "C" fn(hid_t, usize, *mut std::ffi::c_char, usize) -> isize;
    let text = |call: Text, index: usize| -> Result<String> {
        // SAFETY: without a buffer the call gives the length of the text; then it
        // writes as much into a buffer with room for the final NUL.
        let length = unsafe { call(list.id(), index, std::ptr::null_mut(), 0) };
        let length = usize::try_from(length).ok().filter(|length| *length < 1 << 16).ok_or_else(damaged)?;
        let mut bytes = vec![0u8; length + 1];
        // SAFETY: as above.
        if unsafe { call(list.id(), index, bytes.as_mut_ptr().cast(), bytes.len()) } < 0 {
            return Err(damaged());
        }
        bytes.truncate(length);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let _turn = hdf5_metno_sys::LOCK.lock();
    let mut count = 0usize;
    // SAFETY: the list is open, and the call writes one number.
    if unsafe { h5p::H5Pget_virtual_count(list.id(), &raw mut count) } < 0 {
        return Err(damaged());
    }
    (0..count)
        .map(|index| {
            // SAFETY: each space is closed after its size was asked for.
            let (values, of) = unsafe {
                let space = h5p::H5Pget_virtual_vspace(list.id(), index);
                let values = h5s::H5Sget_select_npoints(space);
                h5s::H5Sclose(space);
                let space = h5p::H5Pget_virtual_srcspace(list.id(), index);
                let of = h5s::H5Sget_simple_extent_npoints(space);
                h5s::H5Sclose(space);
                (values, of)
            };
            Ok(Mapping {
                file: text(h5p::H5Pget_virtual_filename, index)?,
                dataset: text(h5p::H5Pget_virtual_dsetname, index)?,
                values: u64::try_from(values).ok(),
                of: u64::try_from(of).ok(),
            })
        })
        .collect()
}

/// The files that a virtual or external dataset takes its values from, as it
/// names them.
pub(in crate::io) fn sources_of(path: &Path, dataset: &Dataset) -> Result<Vec<PathBuf>> {
    let name = dataset.name();
    match dataset.layout() {
        Layout::Virtual => {
            let mut names: Vec<PathBuf> =
                mappings(path, &name, dataset)?.into_iter().map(|m| PathBuf::from(m.file)).collect();
            names.retain(|name| name != Path::new("."));
            names.dedup();
            Ok(names)
        }
        Layout::Contiguous => {
            let list = dataset.create_plist().map_err(|error| refused(path, &name, &error))?;
            Ok(list.external().into_iter().map(|file| PathBuf::from(plain(file.name))).collect())
        }
        _ => Ok(Vec::new()),
    }
}

/// See that the files a dataset takes its values from exist; cheap, for the
/// time when a header is read.
///
/// # Errors
/// [`Error::Input`] that names the missing file.
pub(in crate::io) fn check_sources(path: &Path, dataset: &Dataset) -> Result<()> {
    let name = dataset.name();
    if dataset.layout() == Layout::Contiguous {
        return check_external(path, &name, dataset);
    }
    for source in sources_of(path, dataset)? {
        // A name with %b stands for as many files as there are.
        let first = PathBuf::from(source.to_string_lossy().replace("%b", "0"));
        if find(path, &first).is_none() {
            return Err(Error::input(
                path,
                format!("{name} is put together from other files, and {} is missing", first.display()),
                "all files that belong to this one",
                "Put it where this file names it, or name the file that holds the values",
            ));
        }
    }
    Ok(())
}

/// Where HDF5 looks for a source file: beside the file that names it, then from
/// here, then by its bare name.
fn find(path: &Path, source: &Path) -> Option<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let bare = source.file_name().map(|name| folder.join(name));
    [Some(folder.join(source)), Some(source.to_path_buf()), bare].into_iter().flatten().find(|file| file.is_file())
}

/// A name that the `hdf5` crate has taken for UTF-8 without looking.
fn plain(name: String) -> String {
    String::from_utf8_lossy(name.as_bytes()).into_owned()
}

fn check_external(path: &Path, name: &str, dataset: &Dataset) -> Result<()> {
    let list = dataset.create_plist().map_err(|error| refused(path, name, &error))?;
    for file in list.external() {
        let external = plain(file.name);
        let held = std::fs::metadata(&external).ok().filter(std::fs::Metadata::is_file).map(|m| m.len());
        let needed = (file.offset as u64).saturating_add(file.size as u64);
        let unlimited = file.size as u64 >= u64::MAX / 2;
        let found = match held {
            None => format!("{name} lies in the file {external}, which is missing"),
            Some(held) if !unlimited && held < needed => {
                format!("{name} lies in the file {external}, which has {held} of {needed} bytes")
            }
            Some(_) => continue,
        };
        return Err(Error::input(
            path,
            found,
            "all files that belong to this one",
            "Put the whole file where this one names it (names are taken from the current folder)",
        ));
    }
    Ok(())
}

/// See that all values of a dataset are in the file (or its sources) and can be
/// decompressed.
///
/// # Errors
/// [`Error::Input`] where they are not.
pub(in crate::io) fn check(path: &Path, dataset: &Dataset) -> Result<()> {
    check_layers(path, dataset, 0)
}

/// As [`check`]; a virtual dataset may lie over others, `depth` deep.
fn check_layers(path: &Path, dataset: &Dataset, depth: usize) -> Result<()> {
    let name = dataset.name();
    let list = dataset.create_plist().map_err(|error| refused(path, &name, &error))?;
    let unwritten = |found: String| {
        Error::input(
            path,
            found,
            "values that were written",
            "Write the file again: the program that made it did not finish",
        )
    };
    if dataset.size() == 0 {
        return Ok(());
    }
    match dataset.layout() {
        Layout::Virtual => {
            check_sources(path, dataset)?;
            let mut covered = Some(0u64);
            for map in mappings(path, &name, dataset)? {
                covered = covered.zip(map.values).and_then(|(sum, values)| sum.checked_add(values));
                if map.file.contains("%b") {
                    covered = None;
                    continue;
                }
                if depth > 2 {
                    continue;
                }
                let source = match map.file.as_str() {
                    "." => path.to_path_buf(),
                    other => find(path, Path::new(other)).unwrap_or_else(|| PathBuf::from(other)),
                };
                let file = super::open(&source)?;
                match super::dataset(&source, &file, map.dataset.trim_start_matches('/'))? {
                    Some(inner) if map.of.is_some_and(|of| (inner.size() as u64) < of) => {
                        return Err(unwritten(format!(
                            "{name} takes values from {} of {}, which has {} of them and should have {}",
                            map.dataset,
                            source.display(),
                            inner.size(),
                            map.of.unwrap_or(0)
                        )));
                    }
                    Some(inner) => check_layers(&source, &inner, depth + 1)?,
                    None => {
                        return Err(Error::input(
                            path,
                            format!(
                                "{name} takes values from {} of {}, which is not there",
                                map.dataset,
                                source.display()
                            ),
                            "all datasets that belong to this one",
                            "Name the file that holds the values",
                        ));
                    }
                }
            }
            if covered.is_some_and(|covered| covered < dataset.size() as u64) {
                return Err(unwritten(format!(
                    "{name} has {} values, and its sources give {}",
                    dataset.size(),
                    covered.unwrap_or(0)
                )));
            }
        }
        Layout::Chunked => {
            let chunk = dataset.chunk().unwrap_or_default();
            let per_axis = dataset.shape().into_iter().zip(chunk).map(|(side, chunk)| side.div_ceil(chunk.max(1)));
            let needed = per_axis.fold(1usize, usize::saturating_mul);
            let held = dataset.num_chunks().unwrap_or(0);
            if held < needed {
                return Err(unwritten(format!("{name} has {needed} chunks, {held} of which were written")));
            }
            check_filters(path, &name, dataset)?;
        }
        Layout::Contiguous => {
            check_external(path, &name, dataset)?;
            if dataset.offset().is_none() && list.external().is_empty() {
                return Err(unwritten(format!("{name} has {} values, none of which were written", dataset.size())));
            }
        }
        Layout::Compact => {}
    }
    Ok(())
}

/// See that every filter of a chunked dataset is built in.
fn check_filters(path: &Path, name: &str, dataset: &Dataset) -> Result<()> {
    let list = dataset.create_plist().map_err(|error| refused(path, name, &error))?;
    let filters = list.get_filters().map_err(|error| {
        Error::input(
            path,
            format!("the parameters of the compression of {name} make no sense ({})", super::why(&error)),
            "a complete, readable HDF5 file",
            "Copy or download it again",
        )
    })?;
    for filter in filters {
        if !filter.is_available() || matches!(filter, Filter::User(..)) {
            let id = filter.id();
            let known = FILTERS.iter().find(|(known, _)| *known == id).map(|(_, name)| *name);
            let label = known.map_or_else(|| format!("number {id}"), |known| format!("{known} (number {id})"));
            return Err(missing_filter(path, name, &label));
        }
    }
    Ok(())
}

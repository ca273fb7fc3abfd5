//! Why HDF5 would not: its own reason, under a sentence that fits it.

use std::path::Path;

use crate::error::Error;

/// The newest form of the format that is read.
const LIBRARY: &str = "HDF5 1.14";

/// What HDF5 says, from what was asked for down to what failed.
fn frames(error: &hdf5::Error) -> Vec<String> {
    // Reasons quote names from the file, which need not be UTF-8.
    let lossy = |text: &str| String::from_utf8_lossy(text.as_bytes()).into_owned();
    match error {
        hdf5::Error::Internal(text) => vec![lossy(text)],
        hdf5::Error::HDF5(stack) => match stack.clone().expand() {
            Ok(stack) => stack.iter().map(|frame| lossy(frame.desc())).collect(),
            Err(_) => Vec::new(),
        },
    }
}

/// HDF5's reason in a few words: the system's, where it gives one.
pub(in crate::io) fn why(error: &hdf5::Error) -> String {
    let frames = frames(error);
    let quoted = |frame: &String| Some(frame.split_once("error message = '")?.1.split('\'').next()?.to_owned());
    frames
        .iter()
        .rev()
        .find_map(quoted)
        .or_else(|| frames.iter().rev().find(|frame| !frame.is_empty()).cloned())
        .unwrap_or_else(|| "HDF5 gives no reason".to_owned())
        .trim_end_matches('.')
        .to_owned()
}

/// The error for `what` (a dataset, or the file) that HDF5 refuses to open or
/// read.
pub(in crate::io) fn refused(path: &Path, what: &str, error: &hdf5::Error) -> Error {
    let all = frames(error).join("; ").to_lowercase();
    let why = why(error);
    let has = |parts: &[&str]| parts.iter().any(|part| all.contains(part));
    if has(&["unable to lock file", "resource temporarily unavailable"]) {
        return Error::input(
            path,
            format!("the HDF5 file is locked by another program ({why})"),
            "a file that nobody writes",
            "Wait until the simulation has closed it",
        );
    }
    if has(&["permission denied"]) {
        return Error::input(path, "it may not be read by you", "a readable file", "Change its permissions (chmod +r)");
    }
    if has(&["truncated file"]) {
        return Error::input(
            path,
            format!("the HDF5 file is cut short ({why})"),
            "a complete, readable HDF5 file",
            "Copy or download it again",
        );
    }
    if has(&["is not registered", "can't open directory", "unable to load filter", "required filter"]) {
        let name = why.split('\'').nth(1).filter(|name| !name.is_empty()).unwrap_or("of unknown name").to_owned();
        return missing_filter(path, what, &name);
    }
    if has(&["unable to open external", "external link", "external file"]) {
        return Error::input(
            path,
            format!("{what} lies in another file, which cannot be opened ({why})"),
            "all files that belong to this one",
            "Put the other file where this one expects it",
        );
    }
    if has(&["filter", "inflate", "checksum", "fletcher"]) {
        return Error::input(
            path,
            format!("a compressed piece of {what} is damaged ({why})"),
            "a complete, readable HDF5 file",
            "Copy or download it again",
        );
    }
    if has(&["version", "unknown", "unsupported"]) {
        return Error::input(
            path,
            format!("{what} is written in a form of HDF5 newer than {LIBRARY}, or is damaged ({why})"),
            format!("a file that {LIBRARY} can read"),
            "Repack it with an older format (h5repack --low=0 --high=3), or copy it again if it should be old",
        );
    }
    Error::input(
        path,
        format!("the HDF5 file is damaged: {what} cannot be read ({why})"),
        "a complete, readable HDF5 file",
        "Copy or download it again",
    )
}

/// The error for data compressed by a filter that is not built in.
pub(super) fn missing_filter(path: &Path, what: &str, name: &str) -> Error {
    Error::input(
        path,
        format!("{what} is compressed by the filter {name}, which Halodi does not have"),
        "gzip, LZF, Blosc, n-bit, scale-offset or no compression",
        "Repack it with gzip (h5repack -f GZIP=4)",
    )
}

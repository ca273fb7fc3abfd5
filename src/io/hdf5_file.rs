//! Small readers of HDF5 attributes and files, with Halodi's errors.

use std::path::Path;

use hdf5::types::{FixedAscii, FixedUnicode, VarLenAscii, VarLenUnicode};
use hdf5::{File, Location};

use crate::error::{Error, Result};

/// Open an HDF5 file for reading.
///
/// # Errors
/// [`Error::Input`] for a file that is missing, unreadable, not HDF5 or cut off.
pub(super) fn open(path: &Path) -> Result<File> {
    const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
    let expected = "a Gadget-family HDF5 snapshot";
    let mut head = [0u8; 8];
    let read = std::fs::File::open(path).and_then(|mut file| {
        use std::io::Read;
        file.read(&mut head)
    });
    match read {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::input(path, "no such file", expected, "Check the path"));
        }
        Err(e) => {
            return Err(Error::input(
                path,
                format!("cannot be read ({e})"),
                expected,
                "Check that it is a file and that you may read it",
            ));
        }
        Ok(read) if read < head.len() || head != SIGNATURE => {
            return Err(Error::input(path, "not an HDF5 file", expected, "Convert it, or give a grid as .npy or HDF5"));
        }
        Ok(_) => {}
    }
    // The library would print its own stack of errors on the terminal.
    hdf5::silence_errors(true);
    File::open(path).map_err(|e| damaged(path, &e))
}

/// The error for a file that HDF5 gives up on.
pub(super) fn damaged(path: &Path, error: &hdf5::Error) -> Error {
    let reason = error.to_string();
    let reason = reason.lines().next().unwrap_or_default().to_owned();
    Error::input(
        path,
        format!("HDF5 cannot read it ({reason})"),
        "a whole file",
        "It may be cut off: copy or download it again",
    )
}

/// A numeric attribute as floats: a scalar, or every element of an array.
pub(super) fn numbers(location: &Location, name: &str) -> Option<Vec<f64>> {
    let attribute = location.attr(name).ok()?;
    attribute.read_raw::<f64>().ok().or_else(|| attribute.read_scalar::<f64>().ok().map(|v| vec![v]))
}

/// The first element of a numeric attribute.
pub(super) fn number(location: &Location, name: &str) -> Option<f64> {
    numbers(location, name)?.first().copied()
}

/// A text attribute, however it is stored.
pub(super) fn text(location: &Location, name: &str) -> Option<String> {
    let attribute = location.attr(name).ok()?;
    None.or_else(|| attribute.read_scalar::<VarLenUnicode>().ok().map(|s| s.to_string()))
        .or_else(|| attribute.read_scalar::<VarLenAscii>().ok().map(|s| s.to_string()))
        .or_else(|| attribute.read_scalar::<FixedAscii<1024>>().ok().map(|s| s.to_string()))
        .or_else(|| attribute.read_scalar::<FixedUnicode<1024>>().ok().map(|s| s.to_string()))
}

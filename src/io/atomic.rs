//! Writing files so that a reader never sees half of one.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Let `write` fill a temporary file beside `path` and move it there when it is
/// whole. On any error `path` stays as it was.
///
/// # Errors
/// [`Error::Output`], and those of `write`.
pub fn write_atomically(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| Error::output(folder, e))?;
    let temporary = tempfile::Builder::new()
        .prefix(".halodi-")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(|e| Error::output(path, e))?;
    let temporary = temporary.into_temp_path();
    write(&temporary)?;
    temporary.persist(path).map_err(|e| Error::output(path, e.error))
}

/// Write bytes to `path` atomically.
///
/// # Errors
/// [`Error::Output`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |temporary| {
        let mut file = std::fs::File::create(temporary).map_err(|e| Error::output(path, e))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| Error::output(path, e))
    })
}

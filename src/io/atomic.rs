//! Files that are either complete or absent.

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Write the file at `path` through `fill`, which is given the path of a
/// temporary file beside it: when `fill` returns, that file takes the name
/// `path`, so that no reader ever sees half of it. Missing folders are made.
///
/// # Errors
/// [`Error::Output`] where the folder or the file cannot be written, and
/// whatever `fill` returns; an earlier file at `path` is then still there.
pub fn write_with(path: impl AsRef<Path>, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let path = path.as_ref();
    let failed = |error: std::io::Error| Error::output(path, error);
    if path.is_dir() {
        return Err(Error::output(path, "it is a folder"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    // The random name keeps two Halodis apart; it goes away with an error.
    let mut builder = tempfile::Builder::new();
    builder.prefix(".halodi-").suffix(".part");
    #[cfg(unix)]
    {
        // tempfile's own default is readable by the owner alone.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder).map_err(failed)?.into_temp_path();
    fill(&temporary)?;
    fs::File::open(&temporary).and_then(|file| file.sync_all()).map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))
}

/// Write `bytes` as the file at `path` (see [`write_with`]).
///
/// # Errors
/// [`Error::Output`] where it cannot be written.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    write_with(path, |temporary| {
        let mut file = fs::File::create(temporary).map_err(|error| Error::output(path, error))?;
        file.write_all(bytes).map_err(|error| Error::output(path, error))
    })
}

/// Make `folder` if need be and see that a file can be written there, so that a
/// long job need not end to find out.
///
/// # Errors
/// [`Error::Output`] where it cannot.
pub fn check_writable(folder: impl AsRef<Path>) -> Result<()> {
    let folder = folder.as_ref();
    fs::create_dir_all(folder)
        .and_then(|()| tempfile::Builder::new().prefix(".halodi-").tempfile_in(folder))
        .map(drop)
        .map_err(|error| Error::output(folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/map.bin");
        write(&path, b"first").unwrap();
        let error = write_with(&path, |temporary| {
            fs::write(temporary, b"half").unwrap();
            Err(Error::Cancelled)
        });
        assert!(matches!(error, Err(Error::Cancelled)));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_in_the_place_of_the_file_or_a_file_in_the_place_of_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(write(folder.path(), b""), Err(Error::Output { .. })));
        let file = folder.path().join("file");
        write(&file, b"").unwrap();
        let error = write(file.join("map"), b"").unwrap_err();
        assert!(error.exit_code() == 1 && error.to_string().contains("cannot be written"));
    }
}

//! Frames as PNG files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Shape, Sink};
use crate::error::{Error, Result};
use crate::figure::{DOTS_PER_INCH, Pixels, Provenance, encode_png};

/// Make the folder `path` with what `fill` adds to it; the folder appears with its last frame.
pub(super) fn write(
    path: &Path,
    shape: Shape,
    provenance: &Provenance,
    mut fill: impl FnMut(Box<dyn Sink + '_>) -> Result<()>,
) -> Result<()> {
    let failed = |error: std::io::Error| Error::output(path, error);
    if path.is_file() || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::setting(
            format!("{}, which is there and not empty", path.display()),
            "a new folder for the frames",
            "Write them under another name",
        ));
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(failed)?;
    let folder = tempfile::Builder::new().prefix(".halodi-").suffix(".part").tempdir_in(parent).map_err(failed)?;
    let digits = shape.count.max(1).ilog10() as usize + 1;
    fill(Box::new(Film { folder: folder.path().to_path_buf(), digits: digits.max(4), next: 0, provenance }))?;
    #[cfg(unix)]
    {
        // tempfile's own default is readable by the owner alone.
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(failed)?;
    }
    if path.is_dir() {
        fs::remove_dir(path).map_err(failed)?;
    }
    let whole = folder.keep();
    fs::rename(&whole, path).map_err(|error| {
        // Nothing is left of it.
        let _ = fs::remove_dir_all(&whole);
        failed(error)
    })
}

struct Film<'a> {
    folder: PathBuf,
    digits: usize,
    next: u64,
    provenance: &'a Provenance,
}

impl Sink for Film<'_> {
    fn add(&mut self, frame: &Pixels) -> Result<()> {
        let path = self.folder.join(format!("frame_{:0digits$}.png", self.next, digits = self.digits));
        self.next += 1;
        fs::write(&path, encode_png(frame, DOTS_PER_INCH, self.provenance)).map_err(|e| Error::output(&path, e))
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

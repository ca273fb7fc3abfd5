//! Results on the demo that are kept in the user's cache, so that the talk that comes with Halodi
//! begins at once the second time.

use std::path::{Path, PathBuf};

use super::Session;
use crate::error::{Error, Result};
use crate::figure::Format;
use crate::io::checksum_of;
use crate::nn::weights_checksums;
use crate::pipeline::{JobConfig, Outcome, Source};
use crate::report;

/// The folder of everything that is kept.
fn cache() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("halodi").join("talk"))
}

/// Where the results of `job` are kept: a folder for each configuration, networks and version.
/// `None` where nothing is kept of it.
fn folder_of(job: &JobConfig) -> Option<PathBuf> {
    if job.source != Source::Demo || job.reference.is_some() {
        return None;
    }
    let job = JobConfig { results: None, ..job.clone() };
    let networks = weights_checksums(job.weights.as_deref()).ok()?;
    let version = env!("CARGO_PKG_VERSION");
    let key = serde_json::to_vec(&(version, job, networks)).expect("a configuration has nothing that JSON has not");
    Some(cache()?.join(&checksum_of(&key)[..16]))
}

/// Whether a folder is one of those: nobody else's, and not for a session to name.
pub(in crate::ui) fn is_kept(folder: &Path) -> bool {
    cache().is_some_and(|cache| folder.starts_with(cache))
}

/// Let the jobs of a session read what is kept of them.
pub(in crate::ui) fn find(session: &mut Session) {
    session.each_job(|job| {
        if job.results.is_none() {
            job.results = folder_of(job).filter(|folder| folder.join("map.hdf5").is_file());
        }
    });
}

/// Keep what a job made, with its denoising steps; where, if anywhere.
///
/// # Errors
/// [`Error::Output`].
pub(in crate::ui) fn keep(outcome: &Outcome) -> Result<Option<PathBuf>> {
    let Some(folder) = folder_of(&outcome.config).filter(|folder| !folder.exists()) else { return Ok(None) };
    let parent = folder.parent().unwrap_or(&folder);
    let failed = |e: std::io::Error| Error::output(&folder, e);
    std::fs::create_dir_all(parent).map_err(failed)?;
    // Complete or not at all, also where two windows do it at once.
    let temporary = tempfile::Builder::new().prefix(".making-").tempdir_in(parent).map_err(failed)?;
    report::write_outcome(temporary.path(), outcome, &[] as &[Format])?;
    report::write_steps(temporary.path(), outcome)?;
    match std::fs::rename(temporary.path(), &folder) {
        Ok(()) => {
            // It has another name now.
            let _ = temporary.keep();
            Ok(Some(folder))
        }
        Err(_) if folder.exists() => Ok(Some(folder)),
        Err(error) => Err(failed(error)),
    }
}

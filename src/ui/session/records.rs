//! Whether the files of a session are still the ones that they were.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::{FileRecord, Session};
use crate::error::Result;
use crate::io;
use crate::nn::weights_checksums;
use crate::pipeline::{JobConfig, Source, map_of};

/// Checksums that were computed, by path, size and time of the last change: large snapshots take
/// seconds.
#[derive(Debug, Clone, Default)]
pub struct Checksums(Arc<Mutex<HashMap<Key, String>>>);

type Key = (PathBuf, u64, Option<SystemTime>);

impl Checksums {
    /// What is known of a file; its checksum is computed if `compute`. `None` where it is not there.
    fn record(&self, path: PathBuf, compute: bool) -> Option<FileRecord> {
        let about = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let key = (path.clone(), about.len(), about.modified().ok());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sha256 = known().get(&key).cloned();
        if sha256.is_none() && compute {
            sha256 = io::checksum(&path).ok();
            if let Some(sum) = &sha256 {
                known().insert(key, sum.clone());
            }
        }
        Some(FileRecord { path, sha256, bytes: about.len() })
    }
}

impl Session {
    /// Put down what its files are now; checksums that are not known are computed if `compute`, and
    /// that takes a while.
    pub(in crate::ui) fn record(&mut self, checksums: &Checksums, compute: bool) {
        let mut paths: Vec<PathBuf> = Vec::new();
        let jobs = self.job.iter().chain(self.runs.iter().map(|run| &run.job));
        for path in jobs.flat_map(files_of) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        self.files = paths.into_iter().filter_map(|path| checksums.record(path, compute)).collect();
        if let Some(job) = self.job.as_ref().filter(|_| compute)
            && let Ok(sums) = weights_checksums(job.weights.as_deref())
        {
            self.networks = sums;
        }
    }

    /// What of its files and networks has changed since it was written, a sentence each. Reads all of
    /// them.
    pub(in crate::ui) fn changes(&self, checksums: &Checksums) -> Vec<String> {
        let mut changes = Vec::new();
        for file in &self.files {
            let Some(now) = checksums.record(file.path.clone(), file.sha256.is_some()) else { continue };
            if now.bytes != file.bytes || (file.sha256.is_some() && now.sha256 != file.sha256) {
                changes.push(format!(
                    "{} is not the file that it was when the session was saved: what is shown is what it holds now.",
                    file.path.display()
                ));
            }
        }
        let Some(job) = &self.job else { return changes };
        let other = |now: Result<_>| now.is_ok_and(|sums| sums != self.networks);
        if job.results.is_none() && !self.networks.is_empty() && other(weights_checksums(job.weights.as_deref())) {
            changes.push(
                "The networks are not those that the session was saved with: Run makes another map from the same seed."
                    .to_owned(),
            );
        }
        changes
    }
}

/// The files that a job reads, all pieces of a snapshot among them.
fn files_of(job: &JobConfig) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Source::File(path) = &job.source {
        files.extend(pieces(path));
    }
    files.extend(job.reference.iter().map(|path| io::split_selection(path).0));
    files.extend(job.results.as_deref().map(map_of));
    files
}

fn pieces(path: &Path) -> Vec<PathBuf> {
    match io::open_source(path) {
        Ok(io::Opened::Snapshot(reader)) => reader.header().files.clone(),
        _ => vec![io::split_selection(path).0],
    }
}

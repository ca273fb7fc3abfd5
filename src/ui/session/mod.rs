//! A session: what is open, how it is looked at and the talk about it, in one readable file that
//! holds no data.
//!
//! The file is JSON. Paths in it are relative to its folder, so that it can be moved together with
//! the data, and go with checksums that tell whether a file is still the one it was.

pub(super) mod autosave;
pub(super) mod prepared;
mod records;
pub(super) mod window;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(super) use self::records::Checksums;
use super::layout::Layout;
use super::talk::Talk;
use super::view_state::ViewState;
use crate::error::{Error, Result};
use crate::io;
use crate::pipeline::{JobConfig, Source};

/// What a session's file is, in errors.
const EXPECTED: &str = "a session written by Halodi";

/// A session. In memory its paths are those of this machine; as it is written they are relative to
/// the folder of the session's file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Version of the format, [`Session::FORMAT`] when it was written.
    pub format: u32,
    /// Name and version of the program that wrote it.
    pub program: String,
    /// What is open, with the settings, the seed and the weights of its prediction; `None` for
    /// an empty window. Where its results are on disk they are read, no network runs.
    pub job: Option<JobConfig>,
    /// Runs on the same box that it is compared with, oldest first.
    pub runs: Vec<ComparedRun>,
    /// The files that these name, as they were.
    pub files: Vec<FileRecord>,
    /// SHA-256 of the networks' files, by name.
    pub networks: BTreeMap<String, String>,
    /// How it is looked at.
    pub view: ViewState,
    /// Where the panels are.
    pub layout: Layout,
    /// The scenes of the talk.
    #[serde(rename = "scenes")]
    pub talk: Talk,
}

/// A run that the one on show is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparedRun {
    /// Its number, which views name it by.
    pub number: usize,
    /// What it ran with.
    pub job: JobConfig,
}

/// What is known of a file, to tell whether it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of its content, in hexadecimal digits; `None` where it was never computed.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Session {
    /// Version of the format that this program writes. It reads older ones.
    pub const FORMAT: u32 = 1;
    /// Ending of the names of sessions.
    pub const ENDING: &'static str = "halodi";

    /// Whether `path` is named as sessions are.
    pub fn is_named(path: &Path) -> bool {
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(Self::ENDING))
    }

    /// Read a session. Its paths are then those of files on this machine; those that are not there
    /// are [`Session::missing`].
    ///
    /// # Errors
    /// [`Error::Input`] for a file that cannot be read, is no session, is damaged, or was written
    /// by a newer version.
    pub fn read(path: &Path) -> Result<Self> {
        let bad = |found: String| Error::input(path, found, EXPECTED, "Take another copy of it, or save it again");
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::input(path, format!("it cannot be read ({e})"), EXPECTED, "Check the path"))?;
        let mut session = Self::parse(&text, path, bad)?;
        let folder = folder_of(path);
        session.each_path(|path| *path = found(&folder, path));
        Ok(session)
    }

    /// The session in a text that comes with the program and names no files.
    fn embedded(text: &str, name: &str) -> Result<Self> {
        let bad = |found: String| Error::input(name, found, EXPECTED, "Report this");
        Self::parse(text, Path::new(name), bad)
    }

    fn parse(text: &str, path: &Path, bad: impl Fn(String) -> Error) -> Result<Self> {
        let damaged = |e: serde_json::Error| bad(format!("it is no session, or a damaged one ({e})"));
        let json: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
        // Before anything else is looked at: a newer format may have changed all of it.
        let format = json.get("format").and_then(serde_json::Value::as_u64);
        match format {
            None => return Err(bad("it is JSON, but no session".to_owned())),
            Some(format) if format > u64::from(Self::FORMAT) => {
                let program = json.get("program").and_then(serde_json::Value::as_str).unwrap_or("a newer Halodi");
                return Err(Error::input(
                    path,
                    format!("a session of format {format}, written by {program}"),
                    format!("format {} or older", Self::FORMAT),
                    "Open it with that version of Halodi or a newer one",
                ));
            }
            Some(_) => {}
        }
        // The text again: it tells the line of what is wrong.
        let session: Self = serde_json::from_str(text).map_err(damaged)?;
        if let Some(index) = session.talk.scenes.iter().position(|scene| !scene.is_sound()) {
            return Err(bad(format!("scene {} holds numbers that no window makes", index + 1)));
        }
        if !session.view.is_sound() || !session.talk.is_sound() {
            return Err(bad("its view holds numbers that no window makes".to_owned()));
        }
        Ok(session)
    }

    /// Write it, with paths relative to the folder of `path` and complete or not at all.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut written = Self {
            format: Self::FORMAT,
            program: concat!("halodi ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..self.clone()
        };
        let folder = folder_of(path);
        written.each_path(|path| *path = relative(path, &folder));
        let text = serde_json::to_string_pretty(&written).expect("a session has nothing that JSON has not") + "\n";
        io::atomic::write(path, text.as_bytes())
    }

    /// The files and folders that it needs and that are not there.
    pub fn missing(&self) -> Vec<PathBuf> {
        let mut missing = Vec::new();
        self.clone().each_job(|job| {
            each_path_of(job, |path| {
                if !is_there(path) && !missing.contains(path) {
                    missing.push(path.clone());
                }
            });
        });
        missing
    }

    /// Look for `lost` at `found`, and for whatever else is missing beside it.
    pub fn relocate(&mut self, lost: &Path, found: &Path) {
        let (old, new) = (folder_of(lost), folder_of(found));
        self.each_path(|path| {
            if path == lost {
                *path = found.to_path_buf();
            } else if !is_there(path)
                && let Ok(rest) = path.strip_prefix(&old)
                && is_there(&new.join(rest))
            {
                *path = new.join(rest);
            }
        });
    }

    /// Go on without a file that is missing: without the reference, without results (the networks
    /// run instead), with the networks that come with Halodi, or empty.
    pub fn forget(&mut self, lost: &Path) {
        if self.job.as_ref().is_some_and(|job| matches!(&job.source, Source::File(path) if path == lost)) {
            (self.job, self.runs) = (None, Vec::new());
        }
        self.each_job(|job| {
            for path in [&mut job.reference, &mut job.weights, &mut job.results] {
                if path.as_deref() == Some(lost) {
                    *path = None;
                }
            }
        });
        self.files.retain(|file| file.path != lost);
    }

    /// Whether what is missing under this path is a folder.
    fn is_folder(&self, lost: &Path) -> bool {
        let jobs = || self.job.iter().chain(self.runs.iter().map(|run| &run.job));
        // A map that was opened is the source of its box and its results.
        let is_source = |job: &JobConfig| matches!(&job.source, Source::File(path) if path == lost);
        !jobs().any(is_source)
            && jobs().flat_map(|job| [&job.weights, &job.results]).any(|path| path.as_deref() == Some(lost))
    }

    /// Apply `change` to every path in it.
    fn each_path(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        self.each_job(|job| each_path_of(job, &mut change));
        self.files.iter_mut().for_each(|file| change(&mut file.path));
    }

    fn each_job(&mut self, mut change: impl FnMut(&mut JobConfig)) {
        let runs = self.runs.iter_mut().map(|run| &mut run.job);
        self.job.iter_mut().chain(runs).for_each(&mut change);
    }
}

fn each_path_of(job: &mut JobConfig, mut change: impl FnMut(&mut PathBuf)) {
    if let Source::File(path) = &mut job.source {
        change(path);
    }
    [&mut job.reference, &mut job.weights, &mut job.results].into_iter().flatten().for_each(change);
}

/// Whether there is a file or folder, also where the path goes on with the name of a grid in it.
fn is_there(path: &Path) -> bool {
    io::split_selection(path).0.exists() || io::identify(path).is_ok()
}

/// The folder of a file, absolute.
fn folder_of(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::canonicalize(folder).or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_path_buf())
}

/// A path of a session in `folder` on this machine: where it says, or beside the session.
fn found(folder: &Path, path: &Path) -> PathBuf {
    let there = tidy(&folder.join(path));
    let beside = path.file_name().map(|name| folder.join(name));
    match beside {
        Some(beside) if !is_there(&there) && is_there(&beside) => beside,
        _ => there,
    }
}

/// A path without steps back.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if matches!(tidy.components().next_back(), Some(Component::Normal(_))) => {
                tidy.pop();
            }
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}

/// `path` as seen from `folder`, with forward slashes on every system.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let whole = folder_of(path).join(name);
    let (to, from): (Vec<_>, Vec<_>) = (whole.components().collect(), folder.components().collect());
    let shared = to.iter().zip(&from).take_while(|(a, b)| a == b).count();
    // Another drive, or nothing in common but the root.
    if shared == 0 {
        return whole;
    }
    let back = std::iter::repeat_n("..".to_owned(), from.len() - shared);
    let on = to[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    back.chain(on).collect::<Vec<_>>().join("/").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::talk::Scene;

    fn session(folder: &Path) -> Session {
        for name in ["data/snap.hdf5", "runs/one/map.hdf5"] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let job = JobConfig {
            source: Source::File(folder.join("data/snap.hdf5")),
            results: Some(folder.join("runs/one")),
            ..JobConfig::default()
        };
        let file = FileRecord { path: folder.join("data/snap.hdf5"), sha256: Some("ab".to_owned()), bytes: 1 };
        let scene = Scene { name: "First".to_owned(), ..Scene::default() };
        Session { job: Some(job), files: vec![file], talk: Talk { scenes: vec![scene] }, ..Session::default() }
    }

    #[test]
    fn a_session_moves_with_its_data_and_asks_for_what_is_gone() {
        let root = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(root.path()).unwrap();
        let (here, there) = (root.join("here"), root.join("there"));
        let session = session(&here);
        let path = here.join("talks/mine.halodi");
        session.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"../data/snap.hdf5\"") && !text.contains(root.to_str().unwrap()), "{text}");
        let read = Session::read(&path).unwrap();
        assert_eq!((&read.job, &read.files, &read.talk), (&session.job, &session.files, &session.talk));
        assert!(read.missing().is_empty());
        std::fs::rename(&here, &there).unwrap();
        let moved = Session::read(&there.join("talks/mine.halodi")).unwrap();
        assert_eq!(moved.job.as_ref().unwrap().source, Source::File(there.join("data/snap.hdf5")));
        assert!(moved.missing().is_empty());
        // The snapshot alone goes elsewhere: what is asked for is found with what lies beside it.
        std::fs::rename(there.join("data"), root.join("archive")).unwrap();
        let mut lost = Session::read(&there.join("talks/mine.halodi")).unwrap();
        assert_eq!(lost.missing(), [there.join("data/snap.hdf5")]);
        lost.relocate(&there.join("data/snap.hdf5"), &root.join("archive/snap.hdf5"));
        assert!(lost.missing().is_empty());
        assert_eq!(lost.files[0].path, root.join("archive/snap.hdf5"));
        let mut without = Session::read(&there.join("talks/mine.halodi")).unwrap();
        without.forget(&there.join("data/snap.hdf5"));
        assert!(without.job.is_none() && without.missing().is_empty() && without.talk.scenes.len() == 1);
    }

    #[test]
    fn what_is_no_session_of_this_version_is_told_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.halodi");
        session(folder.path()).write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Session::read(&path).unwrap_err().to_string()
        };
        let newer = told(&text.replace("\"format\": 1", "\"format\": 9").replace("halodi 0", "halodi 7"));
        assert!(newer.contains("mine.halodi: a session of format 9, written by halodi 7"), "{newer}");
        let damaged = told(&text[..text.len() / 2]);
        assert!(damaged.contains("damaged") && damaged.contains("line"), "{damaged}");
        assert!(told("{\"a\": 1}").contains("no session"));
        let scene = told(&text.replace("\"seconds\": 8.0", "\"seconds\": -8.0"));
        assert!(scene.contains("scene 1 holds numbers that no window makes"), "{scene}");
        assert!(Session::read(&folder.path().join("none.halodi")).unwrap_err().to_string().contains("cannot be read"));
    }
}

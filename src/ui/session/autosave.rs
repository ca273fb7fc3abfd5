//! The session of an open window, written every now and then: a crash takes nothing of it.
//!
//! A window locks a file of its own for as long as it is open. A session whose lock nobody holds is
//! that of a window that was not closed.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Session;
use super::records::Checksums;

/// Least time between two writings, seconds.
pub(in crate::ui) const EVERY: f64 = 3.0;

/// What writes the session of one window.
pub(in crate::ui) struct Autosave {
    path: PathBuf,
    lock: File,
    written: Option<Session>,
    at: f64,
    /// Whether the window is closed; held while a thread writes.
    closed: Arc<Mutex<bool>>,
    busy: Arc<AtomicBool>,
}

impl Autosave {
    /// For a window, in `folder`; `None` where nothing can be kept there.
    pub fn new(folder: &Path) -> Option<Self> {
        std::fs::create_dir_all(folder).ok()?;
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        let path = folder.join(format!("{}-{since}.{}", std::process::id(), Session::ENDING));
        let lock = File::create(lock_of(&path)).ok()?;
        lock.try_lock().ok()?;
        Some(Self { path, lock, written: None, at: 0.0, closed: Arc::default(), busy: Arc::default() })
    }

    /// Whether `session` is as it was written last.
    pub fn is_current(&self, session: &Session) -> bool {
        match &self.written {
            Some(written) => written == session,
            None => session.job.is_none() && session.talk.scenes.is_empty(),
        }
    }

    /// Write `session` on a thread of its own, and what else is kept of the window (`beside`), unless that was done
    /// just now.
    pub fn write(&mut self, now: f64, session: Session, checksums: &Checksums, beside: impl FnOnce() + Send + 'static) {
        if now - self.at < EVERY || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        (self.at, self.written) = (now, Some(session.clone()));
        let (path, closed, busy, checksums) =
            (self.path.clone(), self.closed.clone(), self.busy.clone(), checksums.clone());
        std::thread::spawn(move || {
            let mut session = session;
            session.record(&checksums, false);
            let closed = closed.lock().unwrap_or_else(PoisonError::into_inner);
            if !*closed {
                // There is nothing to be done about a full disk that the user is not told otherwise.
                let _ = session.write(&path);
                beside();
            }
            busy.store(false, Ordering::Release);
        });
    }
}

impl Drop for Autosave {
    fn drop(&mut self) {
        // A window that breaks off leaves its session behind.
        if std::thread::panicking() {
            return;
        }
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let _ = std::fs::remove_file(&self.path);
        let _ = self.lock.unlock();
        let _ = std::fs::remove_file(lock_of(&self.path));
    }
}

fn lock_of(path: &Path) -> PathBuf {
    path.with_extension("lock")
}

/// The newest session in `folder` whose window was not closed. Older ones are forgotten.
pub(in crate::ui) fn left_behind(folder: &Path) -> Option<PathBuf> {
    let files: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let (mut left, locks): (Vec<PathBuf>, Vec<PathBuf>) =
        files.into_iter().filter(|path| is_abandoned(path)).partition(|path| Session::is_named(path));
    // A window that broke off before it had anything to write.
    locks.iter().filter(|lock| !lock.with_extension(Session::ENDING).exists()).for_each(|lock| forget(lock));
    left.sort_by_key(|path| std::fs::metadata(path).and_then(|about| about.modified()).ok());
    let newest = left.pop();
    left.iter().for_each(|path| forget(path));
    newest
}

/// Remove a session that was left behind.
pub(in crate::ui) fn forget(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_file(lock_of(path));
}

fn is_abandoned(path: &Path) -> bool {
    match File::open(lock_of(path)).map(|lock| lock.try_lock()) {
        Ok(Err(TryLockError::WouldBlock)) => false,
        // The lock goes with the handle.
        Ok(_) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::JobConfig;

    #[test]
    fn a_window_that_is_closed_leaves_nothing_and_one_that_breaks_off_its_session() {
        let folder = tempfile::tempdir().unwrap();
        let session = Session { job: Some(JobConfig::default()), ..Session::default() };
        let write = |autosave: &mut Autosave| {
            autosave.write(10.0, session.clone(), &Checksums::default(), || ());
            while autosave.busy.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert!(autosave.is_current(&session));
        };
        let mut open = Autosave::new(folder.path()).unwrap();
        assert!(!open.is_current(&session));
        write(&mut open);
        // It is open: nobody takes it for a crash.
        assert_eq!(left_behind(folder.path()), None);
        drop(open);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let broken = std::thread::scope(|scope| {
            let window = scope.spawn(|| {
                let mut window = Autosave::new(folder.path()).unwrap();
                write(&mut window);
                panic!("as a window does that breaks off");
            });
            window.join().is_err()
        });
        assert!(broken);
        let left = left_behind(folder.path()).expect("its session");
        assert_eq!(Session::read(&left).unwrap().job, session.job);
        forget(&left);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

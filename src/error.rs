//! The one error type of the library.
//!
//! Every variant prints as one sentence that says what was found, what was
//! expected and what to do about it. The command line prints it and exits with
//! [`Error::exit_code`]; the window shows it in a dismissible banner. Nothing
//! else in Halodi prints errors.

use std::path::{Path, PathBuf};

/// What went wrong, in a sentence a user can act on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A file that was read is not what it should be.
    #[error("{}: {found}; expected {expected}. {action}", path.display())]
    Input {
        /// The file that was read.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
        /// What the user can do, as a sentence without its full stop.
        action: String,
    },
    /// A setting (command line, window or configuration file) that cannot work.
    #[error("{found}; expected {expected}. {action}")]
    Setting {
        /// What was asked for.
        found: String,
        /// What can be asked for.
        expected: String,
        /// What the user can do.
        action: String,
    },
    /// A file that could not be written.
    #[error("{}: cannot be written ({reason}); expected a writable folder with free space. Choose another place", path.display())]
    Output {
        /// The file that was to be written.
        path: PathBuf,
        /// The operating system's (or HDF5's) reason.
        reason: String,
    },
    /// The compute or graphics device refused or failed.
    #[error("{found}; expected a working compute device. {action}")]
    Device {
        /// What the device reported.
        found: String,
        /// What the user can do.
        action: String,
    },
    /// The user stopped the work.
    #[error("cancelled")]
    Cancelled,
}

/// Halodi's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Input`] about `path`.
    pub fn input(
        path: impl AsRef<Path>,
        found: impl Into<String>,
        expected: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self::Input {
            path: path.as_ref().to_path_buf(),
            found: found.into(),
            expected: expected.into(),
            action: action.into(),
        }
    }

    /// An [`Error::Setting`].
    pub fn setting(found: impl Into<String>, expected: impl Into<String>, action: impl Into<String>) -> Self {
        Self::Setting { found: found.into(), expected: expected.into(), action: action.into() }
    }

    /// An [`Error::Output`] about `path`.
    pub fn output(path: impl AsRef<Path>, reason: impl std::fmt::Display) -> Self {
        Self::Output { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// An [`Error::Device`].
    pub fn device(found: impl Into<String>, action: impl Into<String>) -> Self {
        Self::Device { found: found.into(), action: action.into() }
    }

    /// The process exit code: 2 for bad input or settings, 130 for a
    /// cancellation (as a shell reports Ctrl-C), 1 for everything else.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Input { .. } | Self::Setting { .. } => 2,
            Self::Output { .. } | Self::Device { .. } => 1,
            Self::Cancelled => 130,
        }
    }
}

//! `halodi view`: the window.

use std::path::PathBuf;

use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::pipeline::{JobConfig, Source};
use crate::ui::{self, Begin, Session};

/// Open the window
#[derive(Debug, Default, clap::Args)]
pub struct View {
    /// Snapshot, gridded dark matter, map of a prediction or session (.halodi) to open
    #[arg(conflicts_with = "demo")]
    snapshot: Option<PathBuf>,
    /// Open the snapshot that comes with Halodi
    #[arg(long)]
    demo: bool,
    /// Give the talk of the session at once, in full screen; without a session the one that comes with
    /// Halodi
    #[arg(long, conflicts_with = "demo")]
    talk: bool,
    /// Run the networks in the talk that comes with Halodi, also where their results are kept
    #[arg(long, requires = "talk", conflicts_with = "snapshot")]
    live: bool,
    /// Voxels per axis [default: what suits the snapshot]
    #[arg(long)]
    grid: Option<usize>,
    /// A 21 cm map to compare with
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

impl View {
    /// Open the window and return when it is closed.
    ///
    /// # Errors
    /// As [`ui::run`].
    pub fn run(&self) -> Result<()> {
        let session = self.snapshot.as_ref().filter(|path| Session::is_named(path));
        if let Some(path) = session {
            // What the window would say too late.
            Session::read(path)?;
            return ui::run(Begin::Session { path: path.clone(), talk: self.talk }, self.device);
        }
        match (self.talk, &self.snapshot) {
            (true, None) => return ui::run(Begin::DemoTalk { live: self.live }, self.device),
            (true, Some(path)) => {
                return Err(Error::setting(
                    format!("a talk of {}", path.display()),
                    "a session, which holds the scenes of a talk",
                    "Open it without --talk, add scenes and save the session",
                ));
            }
            (false, _) => {}
        }
        let source = self.snapshot.clone().map(Source::File).or(self.demo.then_some(Source::Demo));
        let begin = source.map_or(Begin::Empty, |source| {
            Begin::Job(Box::new(JobConfig {
                source,
                grid: self.grid,
                reference: self.reference.clone(),
                ..JobConfig::default()
            }))
        });
        ui::run(begin, self.device)
    }
}

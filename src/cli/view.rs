//! `halodi view`: the window.

use std::path::PathBuf;

use crate::device::DeviceChoice;
use crate::error::Result;
use crate::pipeline::{JobConfig, Source};
use crate::ui;

/// Open the window
#[derive(Debug, Default, clap::Args)]
pub struct View {
    /// Snapshot or gridded dark matter to open
    #[arg(conflicts_with = "demo")]
    snapshot: Option<PathBuf>,
    /// Open the snapshot that comes with Halodi
    #[arg(long)]
    demo: bool,
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
        let source = self.snapshot.clone().map(Source::File).or(self.demo.then_some(Source::Demo));
        let initial = source.map(|source| JobConfig {
            source,
            grid: self.grid,
            reference: self.reference.clone(),
            ..JobConfig::default()
        });
        ui::run(initial, self.device)
    }
}

//! `halodi predict`: the window's job, headless.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::settings::PaintArgs;
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::field::MassAssignment;
use crate::figure::Format;
use crate::io;
use crate::pipeline::{self, Ended, Job, JobConfig, Outcome, Source, Watch};
use crate::predict::Stage;
use crate::report;

/// How long to wait for a change before looking whether there was one.
const PATIENCE: Duration = Duration::from_millis(500);

/// Predict the 21 cm map of a dark-matter snapshot
#[derive(Debug, clap::Args)]
pub struct Predict {
    /// Snapshot (Gadget family or SWIFT, HDF5 or Gadget binary) or gridded dark matter (.npy, HDF5, FITS,
    /// the map of an earlier prediction)
    #[arg(required_unless_present = "demo", conflicts_with = "demo")]
    snapshot: Option<PathBuf>,
    /// Predict from the snapshot that comes with Halodi
    #[arg(long)]
    demo: bool,
    /// Folder for map.hdf5, spectrum.csv, report.json and the figures slices and spectrum
    #[arg(long)]
    out: PathBuf,
    /// Particle types that stand for the dark matter, as in 1,2 [default: what they are in the snapshot]
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    species: Option<Vec<usize>>,
    /// Voxels per axis [default: what suits the snapshot]
    #[arg(long)]
    grid: Option<usize>,
    /// How particles are shared among voxels
    #[arg(long, value_enum, default_value_t)]
    assignment: MassAssignment,
    #[command(flatten)]
    paint: PaintArgs,
    /// Realisations of the map, each from a seed of its own; those beside the first are written to
    /// realisation_N.hdf5
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    realisations: u16,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Folder with halo.safetensors and lodi.safetensors [default: those that come with Halodi]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// A 21 cm map to compare with
    #[arg(long)]
    reference: Option<PathBuf>,
    /// Write the denoising steps too, as step_NNN.hdf5, to be played in a talk
    #[arg(long)]
    keep_steps: bool,
    /// What figures are written as, several with commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "png")]
    figures: Vec<Format>,
}

impl Predict {
    /// Run the job and write its results.
    ///
    /// # Errors
    /// Those of the job and of writing.
    pub fn run(&self) -> Result<()> {
        // Before the work, not after it: a folder that cannot be written.
        io::check_writable(&self.out)?;
        let config = JobConfig {
            source: self.snapshot.clone().map_or(Source::Demo, Source::File),
            species: self.species.clone(),
            grid: self.grid,
            assignment: self.assignment,
            settings: self.paint.settings(),
            realisations: self.realisations.into(),
            weights: self.weights.clone(),
            reference: self.reference.clone(),
            results: None,
            until: Stage::Statistics,
        };
        let job = pipeline::spawn(config, self.device, || ());
        job.look_at(Watch { fields: self.keep_steps, spectra: false });
        let outcome = follow(&job, &super::on_interrupt())?;
        let mut written = report::write_outcome(&self.out, &outcome, &self.figures)?;
        if self.keep_steps {
            written.extend(report::write_steps(&self.out, &outcome)?);
        }
        summarise(&outcome);
        let written: Vec<String> = written.iter().map(|path| format!("{}\n", path.display())).collect();
        super::print(&written.concat())
    }
}

/// Follow a job with a progress bar, and cancel it once it is interrupted.
pub(super) fn follow(job: &Job, interrupted: &AtomicBool) -> Result<Arc<Outcome>> {
    let style = ProgressStyle::with_template("{prefix:24} {bar:32} {pos}/{len}  {msg}").expect("a valid template");
    let bar = ProgressBar::new(1).with_style(style);
    let (mut version, mut told, mut device_told) = (0, 0, false);
    loop {
        let view = job.view_after(version, PATIENCE);
        if interrupted.load(Ordering::Relaxed) {
            job.control.cancel();
        }
        version = view.version;
        for sentence in &view.warnings[told..] {
            bar.suspend(|| eprintln!("Note: {sentence}"));
        }
        told = view.warnings.len();
        if let Some(device) = view.device.filter(|_| !device_told) {
            bar.suspend(|| eprintln!("Networks run on {}. {}", device.name, device.reason));
            device_told = true;
        }
        if let Some(progress) = view.progress {
            bar.set_prefix(progress.stage.name());
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            let step = progress.step.map(|(step, of)| format!("step {step}/{of}  ")).unwrap_or_default();
            let left = progress.remaining.map(|left| format!("{} s left", left.as_secs())).unwrap_or_default();
            bar.set_message(step + &left);
        }
        if let Some(ended) = view.ended {
            bar.finish_and_clear();
            return match ended {
                Ended::Finished(outcome) => Ok(outcome),
                Ended::Cancelled => Err(Error::Cancelled),
                Ended::Failed(error) => Err(error.as_ref().clone()),
            };
        }
    }
}

fn summarise(outcome: &Outcome) {
    for sentence in &outcome.weights {
        eprintln!("{sentence}");
    }
    let seconds: Vec<String> =
        outcome.seconds.iter().map(|(stage, seconds)| format!("{} {seconds:.1} s", stage.name())).collect();
    eprintln!("{}", seconds.join(", "));
}

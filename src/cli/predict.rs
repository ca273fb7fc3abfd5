//! `halodi predict`: the window's job, headless.

use std::path::PathBuf;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};
use crate::field::MassAssignment;
use crate::io;
use crate::nn::Sampler;
use crate::pipeline::{self, DeviceChoice, Event, JobConfig, MapPower, NoCanvas, Outcome, Source, Stage};
use crate::report;
use crate::stitch::Overlap;

/// Predict the 21 cm map of a dark-matter snapshot
#[derive(Debug, clap::Args)]
pub struct Predict {
    /// Snapshot (Gadget-family HDF5) or gridded dark matter (.npy, HDF5)
    #[arg(required_unless_present = "demo", conflicts_with = "demo")]
    snapshot: Option<PathBuf>,
    /// Predict from the snapshot that comes with Halodi
    #[arg(long)]
    demo: bool,
    /// Folder for map.hdf5, spectrum.csv, slices.png, spectrum.png and report.json
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
    /// Denoising steps
    #[arg(long, default_value_t = JobConfig::default().steps)]
    steps: usize,
    /// Seed of all noise
    #[arg(long, default_value_t = JobConfig::default().seed)]
    seed: u64,
    /// How tiles are joined
    #[arg(long, value_enum, default_value_t)]
    overlap: Overlap,
    /// How a denoised estimate becomes the next latent
    #[arg(long, value_enum, default_value_t)]
    sampler: Sampler,
    /// Whose power the 21 cm map has
    #[arg(long, value_enum, default_value_t)]
    power: MapPower,
    /// Tiles given to the network at once [default: what suits the device]
    #[arg(long)]
    batch: Option<usize>,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// Folder with halo.safetensors and lodi.safetensors [default: those that come with Halodi]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// A 21 cm map to compare with
    #[arg(long)]
    reference: Option<PathBuf>,
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
            steps: self.steps,
            seed: self.seed,
            overlap: self.overlap,
            sampler: self.sampler,
            power: self.power,
            batch: self.batch,
            weights: self.weights.clone(),
            reference: self.reference.clone(),
            until: Stage::Statistics,
        };
        let device = crate::render::compute_device(self.device)?;
        eprintln!("Networks run on {}. {}", device.name, device.reason);
        let outcome = follow(pipeline::spawn(config, device, Arc::new(NoCanvas)))?;
        let written = report::write_outcome(&self.out, &outcome)?;
        summarise(&outcome);
        let written: Vec<String> = written.iter().map(|path| format!("{}\n", path.display())).collect();
        super::print(&written.concat())
    }
}

/// Follow a job with a progress bar; Ctrl-C cancels it.
pub(super) fn follow(job: pipeline::Job) -> Result<Arc<Outcome>> {
    let control = job.control.clone();
    // Only the first job of a process can claim the handler; a second keeps the
    // default, which ends the process.
    let _ = ctrlc::set_handler(move || control.cancel());
    let style = ProgressStyle::with_template("{prefix:24} {bar:32} {pos}/{len}  {msg}").expect("a valid template");
    let bar = ProgressBar::new(1).with_style(style);
    for event in &job.events {
        match event {
            Event::Stage(stage) => {
                bar.set_prefix(stage.name());
                bar.set_position(0);
                bar.set_message("");
            }
            Event::Progress(progress) => {
                bar.set_length(progress.total as u64);
                bar.set_position(progress.done as u64);
                let step = progress.step.map(|(step, of)| format!("step {step}/{of}  ")).unwrap_or_default();
                let left = progress.remaining.map(|left| format!("{} s left", left.as_secs())).unwrap_or_default();
                bar.set_message(step + &left);
            }
            Event::Warning(sentence) => bar.suspend(|| eprintln!("Note: {sentence}")),
            Event::Finished(outcome) => {
                bar.finish_and_clear();
                return Ok(outcome);
            }
            Event::Failed(error) => {
                bar.finish_and_clear();
                return Err(error);
            }
            _ => {}
        }
    }
    Err(Error::device("the job ended without a word", "Run it again, and report it if it happens again"))
}

fn summarise(outcome: &Outcome) {
    for sentence in &outcome.weights {
        eprintln!("{sentence}");
    }
    let seconds: Vec<String> =
        outcome.seconds.iter().map(|(stage, seconds)| format!("{} {seconds:.1} s", stage.name())).collect();
    eprintln!("{}", seconds.join(", "));
}

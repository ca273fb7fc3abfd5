//! A job's thread, its clock and what it reports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::stages;
use super::{Canvas, Control, Event, HALO_MASS_BINS, JobConfig, Layer, Progress, Series, Stage};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid, LogTransform};
use crate::nn::{ComputeDevice, Haloes};
use crate::stats::PowerSpectrum;

/// A running job.
pub struct Job {
    /// What it reports; closed when it has ended.
    pub events: Receiver<Event>,
    /// Pause and cancel.
    pub control: Control,
}

/// What a job made.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The configuration it ran with, `grid` and `batch` filled in.
    pub config: JobConfig,
    /// Name of what was predicted from.
    pub source: String,
    /// Redshift of the snapshot.
    pub redshift: f64,
    /// Cosmology of the snapshot.
    pub cosmology: Cosmology,
    /// Every field made or read, in physical units.
    pub fields: BTreeMap<Layer, Arc<Grid>>,
    /// What LODI painted the 21 cm map from; `None` where it did not.
    pub told: Option<Arc<Told>>,
    /// By what part its haloes were changed for it to have its power
    /// ([`Conditioned`](crate::nn::Conditioned)).
    pub conditioned_by: Option<f64>,
    /// How each field is shown.
    pub transforms: BTreeMap<Layer, LogTransform>,
    /// The spectra of those fields.
    pub spectra: BTreeMap<Series, PowerSpectrum>,
    /// What the reference is, if there is one, as a sentence.
    pub reference: Option<String>,
    /// Name of the device that ran the networks.
    pub device: String,
    /// Why that device was chosen, a sentence.
    pub device_reason: String,
    /// What the weights are and how they were trained, a sentence per network.
    pub weights: Vec<String>,
    /// Seconds per stage, in order, pauses left out.
    pub seconds: Vec<(Stage, f64)>,
    /// Everything that [`Event::Warning`] said.
    pub warnings: Vec<String>,
    /// How smoothly the window ran meanwhile; `None` headless.
    pub frame_times: Option<FrameTimes>,
}

/// What LODI is told of a box, beside its dark matter.
#[derive(Debug, Clone)]
pub struct Told {
    /// HALO's [condition](crate::nn::HaloMaps::condition), (M☉/h)/(Mpc/h)³.
    pub halo_mass: [Grid; HALO_MASS_BINS],
    /// The expected map, mK.
    pub expected: Grid,
    /// The haloes in it, which tell the mean power over all draws that the painted map is
    /// given; `None` where the weights know nothing of them.
    pub haloes: Option<Haloes>,
}

impl Told {
    /// The values of the halo maps.
    pub fn slices(&self) -> [&[f32]; HALO_MASS_BINS] {
        self.halo_mass.each_ref().map(Grid::as_slice)
    }
}

/// Times between frames of the window while a job ran, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FrameTimes {
    /// Frames drawn.
    pub frames: usize,
    /// Half of them took longer.
    pub median: f64,
    /// One in a hundred took longer.
    pub percentile_99: f64,
}

/// Start a job on a thread of its own.
///
/// The last event is [`Event::Finished`] or [`Event::Failed`], also where the
/// job's own code panics.
pub fn spawn(config: JobConfig, device: ComputeDevice, canvas: Arc<dyn Canvas>) -> Job {
    let (sender, events) = channel();
    let control = Control::default();
    let job_control = control.clone();
    let body = move || {
        let failed = sender.clone();
        let run = std::panic::AssertUnwindSafe(|| {
            let mut run = Run::new(config, device, canvas, sender, job_control);
            stages::run(&mut run).map(|()| run)
        });
        let last = match std::panic::catch_unwind(run) {
            Ok(Ok(run)) => Event::Finished(Arc::new(run.outcome)),
            Ok(Err(error)) => Event::Failed(error),
            Err(panic) => Event::Failed(Error::device(
                format!("the computation broke off ({})", panic_message(panic.as_ref())),
                "Run it again with --device cpu, and report it if it happens there too",
            )),
        };
        // Nobody listens any more if the window is gone.
        let _ = failed.send(last);
    };
    std::thread::Builder::new().name("halodi job".to_owned()).spawn(body).expect("the system can start a thread");
    Job { events, control }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

/// A job while it runs: what the stages read, fill in and report through.
pub(super) struct Run {
    pub device: ComputeDevice,
    pub canvas: Arc<dyn Canvas>,
    pub outcome: Outcome,
    control: Control,
    sender: Sender<Event>,
    began: Instant,
    paused: Duration,
    stage: Option<(Stage, Duration)>,
    /// Seconds that a tile of HALO and a window of LODI take, once known.
    pub tile_seconds: BTreeMap<Stage, f64>,
    /// Tiles of HALO and windows of LODI in the whole job.
    pub tile_counts: BTreeMap<Stage, usize>,
}

impl Run {
    fn new(
        config: JobConfig,
        device: ComputeDevice,
        canvas: Arc<dyn Canvas>,
        sender: Sender<Event>,
        control: Control,
    ) -> Self {
        let outcome = Outcome {
            config,
            source: String::new(),
            redshift: 0.0,
            cosmology: Cosmology::default(),
            fields: BTreeMap::new(),
            told: None,
            conditioned_by: None,
            transforms: BTreeMap::new(),
            spectra: BTreeMap::new(),
            reference: None,
            device: device.name.clone(),
            device_reason: device.reason.clone(),
            weights: Vec::new(),
            seconds: Vec::new(),
            warnings: Vec::new(),
            frame_times: None,
        };
        Self {
            device,
            canvas,
            outcome,
            control,
            sender,
            began: Instant::now(),
            paused: Duration::ZERO,
            stage: None,
            tile_seconds: BTreeMap::new(),
            tile_counts: BTreeMap::new(),
        }
    }

    /// Report an event. A listener that has gone away cancels nothing: whoever
    /// wants the job to end cancels it.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// Tell the user something that does not stop the job.
    pub fn warn(&mut self, sentence: String) {
        self.outcome.warnings.push(sentence.clone());
        self.send(Event::Warning(sentence));
    }

    /// Time since the job began, pauses left out.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.paused)
    }

    /// Wait while paused.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the job is cancelled.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.paused += self.control.checkpoint()?;
        Ok(())
    }

    /// Begin a stage, ending the one before.
    pub fn begin(&mut self, stage: Stage) -> Result<()> {
        self.end_stage();
        self.stage = Some((stage, self.elapsed()));
        self.send(Event::Stage(stage));
        self.checkpoint()
    }

    /// End the present stage and note how long it took.
    pub fn end_stage(&mut self) {
        if let Some((stage, start)) = self.stage.take() {
            let seconds = self.elapsed().saturating_sub(start).as_secs_f64();
            self.outcome.seconds.push((stage, seconds));
        }
    }

    /// Report that `done` of `total` tiles of a stage are finished.
    pub fn progress(&mut self, stage: Stage, done: usize, total: usize, step: Option<(usize, usize)>) {
        if let Some((present, start)) = self.stage
            && present == stage
            && done > 0
        {
            let seconds = self.elapsed().saturating_sub(start).as_secs_f64();
            self.tile_seconds.insert(stage, seconds / done as f64);
        }
        let later: Option<f64> = self
            .tile_counts
            .iter()
            .filter(|(s, _)| **s >= stage)
            .map(|(s, &count)| {
                let left = if *s == stage { total - done } else { count };
                self.tile_seconds.get(s).map(|seconds| seconds * left as f64)
            })
            .sum();
        self.send(Event::Progress(Progress {
            stage,
            done,
            total,
            step,
            elapsed: self.elapsed(),
            remaining: later.map(Duration::from_secs_f64),
        }));
    }

    /// Begin painting a layer.
    pub fn show(&mut self, layer: Layer, n: usize, transform: LogTransform) {
        self.outcome.transforms.insert(layer, transform);
        self.canvas.begin(layer, n, transform);
    }

    /// Keep and report a finished field.
    pub fn keep(&mut self, layer: Layer, field: Grid) -> Arc<Grid> {
        let field = Arc::new(field);
        self.outcome.fields.insert(layer, field.clone());
        self.send(Event::Field(layer, field.clone()));
        field
    }

    /// Keep and report a spectrum.
    pub fn spectrum(&mut self, series: Series, spectrum: PowerSpectrum) {
        self.outcome.spectra.insert(series, spectrum.clone());
        self.send(Event::Spectrum(series, spectrum));
    }
}

//! A job's thread, its clock and what it reports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Tensor;

use super::clock::Clock;
use super::feed::Feed;
use super::results::{self, KeptStep, Results};
use super::source::{self, Loaded};
use super::{
    Control, DeviceInfo, Ended, FieldValues, JobConfig, JobId, JobView, LayerView, Opened, Series, Source, StepRecord,
    Watch,
};
use crate::device::{DeviceChoice, compute_device, host};
use crate::error::{Error, Result};
use crate::field::{Grid, Layer, TileBox};
use crate::predict::{self, Models, Observer, Settings, Stage, StepMade, TileMade};
use crate::stats::{PowerSpectrum, power_spectrum};

/// Memory that kept denoising steps may take, bytes.
const STEP_MEMORY: usize = 512 << 20;
/// Share of the time that live spectra may take.
const SPECTRA_SHARE: f64 = 0.05;
/// Time between two pictures while tiles are made.
const PICTURES: Duration = Duration::from_millis(80);

/// A running job. A clone is the same job.
#[derive(Clone)]
pub struct Job {
    /// Pause and cancel.
    pub control: Control,
    id: JobId,
    feed: Arc<Feed>,
}

impl Job {
    /// Which job it is.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The newest picture of the job; does not wait for the computation.
    pub fn view(&self) -> JobView {
        self.feed.view()
    }

    /// A picture that is newer than `version`, once there is one; the present one if that takes
    /// longer than `patience`.
    pub fn view_after(&self, version: u64, patience: Duration) -> JobView {
        self.feed.newer_than(version, patience)
    }

    /// Tell the job what somebody looks at. At first nobody looks at anything.
    pub fn look_at(&self, watch: Watch) {
        self.feed.look_at(watch);
    }
}

/// What a job made.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The configuration it ran with; for a map that was opened, that of the run which made it.
    pub config: JobConfig,
    /// What it was opened on.
    pub opened: Opened,
    /// Every field made or read, in physical units.
    pub fields: BTreeMap<Layer, Arc<Grid>>,
    /// The realisations of the 21 cm map, mK; the first is the one among `fields`.
    pub realisations: Vec<Arc<Grid>>,
    /// The denoising steps that were kept, of the last realisation; none where nobody watched.
    pub steps: Vec<Arc<StepRecord>>,
    /// The spectra of those fields.
    pub spectra: BTreeMap<Series, PowerSpectrum>,
    /// The spectra of draws of the reference, as in [`JobView::reference_draws`].
    pub reference_draws: Arc<[PowerSpectrum]>,
    /// The device that ran the networks; `None` where none ran.
    pub device: Option<DeviceInfo>,
    /// What the weights are and how they were trained, a sentence per network.
    pub weights: Vec<String>,
    /// Seconds per stage, in order, pauses left out.
    pub seconds: Vec<(Stage, f64)>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
    /// How smoothly the window ran meanwhile; `None` headless.
    pub frame_times: Option<FrameTimes>,
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

/// Start a job on a thread of its own. `wake` is called after every change of its picture, on
/// the job's thread, and must not wait.
///
/// The job always ends with [`JobView::ended`], also where its own code panics.
pub fn spawn(config: JobConfig, device: DeviceChoice, wake: impl Fn() + Send + Sync + 'static) -> Job {
    start(wake, move |run| run.run(config, device))
}

/// Show what a job made once more, beside the map in the file `reference` where one is given: no network runs, and
/// nothing of `outcome` but its reference becomes another.
pub fn again(outcome: Arc<Outcome>, reference: Option<PathBuf>, wake: impl Fn() + Send + Sync + 'static) -> Job {
    start(wake, move |run| run.again(&outcome, reference))
}

fn start(wake: impl Fn() + Send + Sync + 'static, work: impl FnOnce(Run) -> Result<Outcome> + Send + 'static) -> Job {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = JobId(NEXT.fetch_add(1, Ordering::Relaxed));
    let control = Control::default();
    let feed = Arc::new(Feed::new(id, wake));
    let (job_feed, job_control) = (feed.clone(), control.clone());
    let body = move || {
        let run = std::panic::AssertUnwindSafe(|| work(Run::new(job_feed.clone(), job_control)));
        let ended = match std::panic::catch_unwind(run) {
            Ok(Ok(outcome)) => Ended::Finished(Arc::new(outcome)),
            Ok(Err(Error::Cancelled)) => Ended::Cancelled,
            Ok(Err(error)) => Ended::Failed(Arc::new(error)),
            Err(panic) => Ended::Failed(Arc::new(Error::device(
                format!("the computation broke off ({})", panic_message(panic.as_ref())),
                "Run it on the CPU, and report it if it happens there too",
            ))),
        };
        job_feed.change(|view| {
            view.active = Arc::new([]);
            view.progress = None;
            view.ended = Some(ended);
        });
    };
    std::thread::Builder::new().name("halodi job".to_owned()).spawn(body).expect("the system can start a thread");
    Job { control, id, feed }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

/// A job while it runs: the observer of its prediction.
struct Run {
    feed: Arc<Feed>,
    control: Control,
    clock: Clock,
    /// The layers so far, of which pictures hold copies.
    layers: BTreeMap<Layer, LayerView>,
    /// The version of the layer that changed last.
    version: u64,
    fields: BTreeMap<Layer, Arc<Grid>>,
    spectra: BTreeMap<Series, PowerSpectrum>,
    draws: Arc<[PowerSpectrum]>,
    steps: Vec<Arc<StepRecord>>,
    /// Every how many steps one is kept.
    keep_every: usize,
    warnings: Vec<String>,
    active: Vec<TileBox>,
    /// Whether fields are kept on the device while they are made.
    on_device: bool,
    grid: (usize, f64),
    pictured: Instant,
    spectra_time: Duration,
}

impl Run {
    fn new(feed: Arc<Feed>, control: Control) -> Self {
        Self {
            feed,
            control,
            clock: Clock::new(),
            layers: BTreeMap::new(),
            version: 0,
            fields: BTreeMap::new(),
            spectra: BTreeMap::new(),
            draws: Arc::new([]),
            steps: Vec::new(),
            keep_every: 1,
            warnings: Vec::new(),
            active: Vec::new(),
            on_device: false,
            grid: (0, 0.0),
            pictured: Instant::now(),
            spectra_time: Duration::ZERO,
        }
    }

    /// Run a job up to the last stage it asks for.
    fn run(mut self, mut config: JobConfig, device: DeviceChoice) -> Result<Outcome> {
        self.begin(Stage::Field, 0, 1)?;
        let Loaded { dark_matter, window, name, reference, draws, notes, saved } = source::load(&config)?;
        self.checkpoint()?;
        self.grid = (dark_matter.density.n(), dark_matter.density.box_size);
        let opened = Opened {
            source: config.source.clone(),
            name,
            redshift: dark_matter.redshift,
            cosmology: dark_matter.cosmology,
            n: self.grid.0,
            box_size: self.grid.1,
            window,
            reference: reference.as_ref().map(|(_, what)| what.clone()),
        };
        self.feed.change(|view| view.opened = Some(Arc::new(opened.clone())));
        self.warn(notes);
        self.field(Layer::DarkMatter, &dark_matter.density)?;
        self.spectrum(Series::DarkMatter, power_spectrum(&dark_matter.density, window));
        if let Some((reference, _)) = &reference {
            self.field(Layer::Reference, reference)?;
            let spectrum = power_spectrum(reference, None);
            self.spectrum(Series::Reference, spectrum.clone());
            if !draws.is_empty() {
                let further = draws.iter().map(|map| power_spectrum(map, None));
                let draws: Vec<PowerSpectrum> = std::iter::once(spectrum).chain(further).collect();
                self.draws = draws.into();
                self.feed.change(|view| view.reference_draws = self.draws.clone());
            }
        }
        let mut made = Made::default();
        if config.until >= Stage::Halo {
            made = match &config.results {
                Some(results) => self.show(results::read(&config, results, &dark_matter.density)?)?,
                None => self.networks(&config, device, &dark_matter)?,
            };
        } else if let Some((results, run)) = saved {
            made = self.show(results)?;
            // What was opened is a run that has been saved.
            if let (Source::File(path), false) = (&config.source, made.realisations.is_empty()) {
                config = JobConfig {
                    results: Some(path.clone()),
                    realisations: made.realisations.len(),
                    until: Stage::Statistics,
                    species: None,
                    grid: None,
                    source: config.source.clone(),
                    reference: config.reference.clone(),
                    ..run.unwrap_or(config)
                };
            }
        }
        Ok(Outcome {
            opened,
            fields: self.fields,
            realisations: made.realisations,
            steps: self.steps,
            spectra: self.spectra,
            reference_draws: self.draws,
            device: made.device,
            weights: made.weights,
            seconds: self.clock.seconds(),
            warnings: self.warnings,
            frame_times: None,
            config,
        })
    }

    /// Show what a job made.
    fn again(mut self, outcome: &Outcome, reference: Option<PathBuf>) -> Result<Outcome> {
        self.begin(Stage::Field, 0, 1)?;
        let mut outcome = outcome.clone();
        let opened = &mut outcome.opened;
        self.grid = (opened.n, opened.box_size);
        let mut notes = Vec::new();
        if let Some(path) = reference {
            let (map, what, of_files) = source::read_reference(&path, self.grid, opened.redshift)?;
            self.checkpoint()?;
            opened.reference = Some(what);
            outcome.spectra.insert(Series::Reference, power_spectrum(&map, None));
            outcome.fields.insert(Layer::Reference, Arc::new(map));
            outcome.config.reference = Some(path);
            outcome.reference_draws = Arc::new([]);
            notes = of_files;
        }
        // What was told of the run stays true; what is to be said of the reference is of this one alone.
        self.warnings = outcome.warnings.clone();
        self.warnings.extend(notes);
        self.steps = outcome.steps.clone();
        for (&layer, field) in &outcome.fields {
            self.put(layer, FieldValues::Host(field.clone()), true);
        }
        if let Some(last) = self.steps.last().cloned() {
            self.put(Layer::Latent, last.latent.field.clone(), true);
        }
        let spectra = outcome.spectra.iter().map(|(&series, spectrum)| (series, Arc::new(spectrum.clone())));
        self.feed.change(|view| {
            view.opened = Some(Arc::new(outcome.opened.clone()));
            view.device = outcome.device.clone().map(Arc::new);
            view.weights = outcome.weights.clone().into();
            view.warnings = self.warnings.clone().into();
            view.reference_draws = outcome.reference_draws.clone();
            view.layers = self.layers.clone();
            view.steps = self.steps.clone().into();
            view.spectra = spectra.collect();
        });
        Ok(outcome)
    }

    /// Run the networks.
    fn networks(
        &mut self,
        config: &JobConfig,
        device: DeviceChoice,
        dark_matter: &predict::DarkMatter,
    ) -> Result<Made> {
        let device = compute_device(device)?;
        self.on_device = device.shared;
        let info = DeviceInfo { name: device.name.clone(), reason: device.reason.clone() };
        let models = Models::load(config.weights.as_deref(), device)?;
        config.settings.check(dark_matter.density.n(), &models)?;
        let weights = models.describe();
        self.feed.change(|view| {
            view.device = Some(Arc::new(info.clone()));
            view.weights = weights.clone().into();
        });
        self.warn(models.extrapolations(dark_matter));
        if config.until >= Stage::Lodi {
            self.clock.paintings = config.realisations.max(1);
        }
        let condition = predict::condition(dark_matter, &models, self)?;
        for (bin, map) in condition.halo_mass.iter().enumerate() {
            // A bin without haloes has no spectrum.
            if map.mean() > 0.0 {
                self.spectrum(Series::HaloMass(bin), power_spectrum(&map.overdensity(), None));
            }
        }
        let mut realisations = Vec::new();
        if config.until >= Stage::Lodi {
            for realisation in 0..config.realisations.max(1) as u64 {
                let settings =
                    Settings { seed: config.settings.seed.wrapping_add(realisation), ..config.settings.clone() };
                realisations.push(Arc::new(predict::paint(
                    &condition,
                    &models.lodi.network,
                    &models.device,
                    &settings,
                    self,
                )?));
            }
            self.begin(Stage::Statistics, 0, 1)?;
            let first = realisations[0].clone();
            self.spectrum(Series::Prediction, power_spectrum(&first, None));
            self.field(Layer::BrightnessTemperature, &first)?;
        }
        Ok(Made { device: Some(info), weights, realisations })
    }

    /// Show what an earlier run made.
    fn show(&mut self, results: Results) -> Result<Made> {
        let Results { layers, realisations, steps, weights, device } = results;
        self.feed.change(|view| {
            view.device = device.clone().map(Arc::new);
            view.weights = weights.clone().into();
        });
        for KeptStep { index, of, gamma, tiles, latent, estimate } in steps {
            let latent = self.put(Layer::Latent, FieldValues::Host(Arc::new(latent)), true);
            let estimate = self.put(Layer::BrightnessTemperature, FieldValues::Host(Arc::new(estimate)), true);
            self.keep(StepRecord { step: index, of, gamma, latent, estimate, tiles: tiles.into() });
        }
        for (&layer, grid) in &layers {
            self.field(layer, grid)?;
            match layer {
                Layer::HaloMass(bin) if grid.mean() > 0.0 => {
                    self.spectrum(Series::HaloMass(bin), power_spectrum(&grid.overdensity(), None));
                }
                Layer::BrightnessTemperature => self.spectrum(Series::Prediction, power_spectrum(grid, None)),
                _ => {}
            }
        }
        Ok(Made { device, weights, realisations })
    }

    /// Wait while paused.
    fn checkpoint(&mut self) -> Result<()> {
        self.clock.paused(self.control.checkpoint()?);
        Ok(())
    }

    fn warn(&mut self, sentences: Vec<String>) {
        self.warnings.extend(sentences);
        self.feed.change(|view| view.warnings = self.warnings.clone().into());
    }

    fn spectrum(&mut self, series: Series, spectrum: PowerSpectrum) {
        self.spectra.insert(series, spectrum.clone());
        self.feed.change(|view| view.spectra.insert(series, Arc::new(spectrum)));
    }

    /// A new version of a layer.
    fn put(&mut self, layer: Layer, field: FieldValues, complete: bool) -> LayerView {
        self.version += 1;
        let view = LayerView::new(field, self.version, complete);
        self.layers.insert(layer, view.clone());
        view
    }

    /// A field from the device as it is shown.
    fn shown(&self, values: Tensor<3>) -> Result<FieldValues> {
        let box_size = self.grid.1;
        Ok(match self.on_device {
            true => FieldValues::Device { values, box_size },
            false => FieldValues::Host(Arc::new(Grid::from_values(host(values)?, box_size))),
        })
    }

    /// Show what there is, if enough time has passed or it must be `now`.
    fn picture(&mut self, now: bool) {
        if !now && self.pictured.elapsed() < PICTURES {
            return;
        }
        let (layers, progress) = (self.layers.clone(), self.clock.progress());
        self.feed.change(|view| {
            view.layers = layers;
            view.active = self.active.clone().into();
            view.progress = progress;
            view.steps = self.steps.clone().into();
        });
        self.pictured = Instant::now();
    }

    /// Keep a step, and every second one where all take too much memory.
    fn keep(&mut self, record: StepRecord) {
        let (n, _) = self.grid;
        let each = 2 * n.pow(3) * size_of::<f32>();
        if record.step.is_multiple_of(self.keep_every) || record.step + 1 == record.of {
            self.steps.push(Arc::new(record));
        }
        while self.steps.len() * each > STEP_MEMORY && self.steps.len() > 2 {
            self.keep_every *= 2;
            let (last, every) = (self.steps.len() - 1, self.keep_every);
            let mut index = 0;
            self.steps.retain(|record| {
                index += 1;
                record.step.is_multiple_of(every) || index > last
            });
        }
    }
}

/// What the networks of a job made, beside fields and spectra.
#[derive(Default)]
struct Made {
    device: Option<DeviceInfo>,
    weights: Vec<String>,
    realisations: Vec<Arc<Grid>>,
}

impl Observer for Run {
    fn begin(&mut self, stage: Stage, tiles: usize, steps: usize) -> Result<()> {
        self.clock.begin(stage, tiles, steps);
        self.active.clear();
        if stage == Stage::Lodi {
            self.steps.clear();
            self.keep_every = 1;
        }
        self.picture(true);
        self.checkpoint()
    }

    fn working_on(&mut self, tiles: &[TileBox]) -> Result<()> {
        self.checkpoint()?;
        self.active = tiles.to_vec();
        self.picture(false);
        Ok(())
    }

    fn tile(&mut self, made: &TileMade) -> Result<()> {
        self.clock.tile();
        if !self.feed.watch().fields {
            return Ok(());
        }
        let (n, box_size) = self.grid;
        for &layer in made.layers {
            let values = made.values(layer);
            if self.layers.get(&layer).is_none_or(|view| view.complete) {
                // What the tiles are painted over: the step before, or nothing yet.
                let empty = match (self.layers.get(&layer), self.on_device) {
                    (Some(before), _) if layer == Layer::BrightnessTemperature => before.field.clone(),
                    (_, true) => FieldValues::Device { values: Tensor::zeros([n; 3], &values.device()), box_size },
                    (_, false) => FieldValues::Host(Arc::new(Grid::zeros(n, box_size))),
                };
                self.put(layer, empty, false);
            }
            self.version += 1;
            let view = self.layers.get_mut(&layer).expect("put there just now");
            view.paint(made.tile, values, self.version)?;
        }
        self.picture(false);
        Ok(())
    }

    fn step(&mut self, made: &StepMade) -> Result<()> {
        self.clock.step();
        let Watch { fields, spectra } = self.feed.watch();
        if fields {
            let latent = self.shown(made.latent())?;
            let latent = self.put(Layer::Latent, latent, true);
            let estimate = self.shown(made.estimate())?;
            let estimate = self.put(Layer::BrightnessTemperature, estimate, true);
            if let Some(disagreement) = made.disagreement() {
                let disagreement = self.shown(disagreement)?;
                self.put(Layer::Disagreement, disagreement, true);
            }
            let tiles = made.tiles.into();
            self.keep(StepRecord { step: made.index, of: made.of, gamma: made.gamma, latent, estimate, tiles });
        }
        let began = Instant::now();
        // A spectrum costs about what the last one did.
        let affordable = self.clock.elapsed().as_secs_f64() * SPECTRA_SHARE;
        if spectra && self.spectra_time.as_secs_f64() <= affordable {
            let map = Grid::from_values(host(made.estimate())?, self.grid.1);
            self.spectrum(Series::Prediction, power_spectrum(&map, None));
            self.spectra_time += began.elapsed();
        }
        self.picture(true);
        Ok(())
    }

    fn field(&mut self, layer: Layer, field: &Grid) -> Result<()> {
        let field = Arc::new(field.clone());
        self.put(layer, FieldValues::Host(field.clone()), true);
        self.fields.insert(layer, field);
        self.picture(true);
        Ok(())
    }
}

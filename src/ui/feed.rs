//! A job as the window follows it: a picture of its state that is cheap to take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use burn::tensor::Tensor;

use crate::error::Error;
use crate::field::{Cosmology, Grid, LogTransform};
use crate::pipeline::{
    self, Canvas, Control, DeviceChoice, Event, JobConfig, Layer, Outcome, Progress, Series, TileBox,
};
use crate::render::compute_device;
use crate::stats::PowerSpectrum;
use crate::stitch::scatter;

/// Which job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct JobId(u64);

/// What was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Name for the screen.
    pub name: String,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// Voxels per axis.
    pub n: usize,
    /// Side of the box, Mpc/h.
    pub box_size: f64,
    /// What the reference is, if there is one, as a sentence.
    pub reference: Option<String>,
}

/// The device that runs the networks.
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// Its name.
    pub name: String,
    /// Why it was chosen.
    pub reason: String,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub enum Ended {
    /// Well.
    Finished(Arc<Outcome>),
    /// By the user.
    Cancelled,
    /// By an error.
    Failed(Arc<Error>),
}

/// A denoising step that was kept.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Which one, from 1.
    pub step: usize,
    /// Of how many.
    pub of: usize,
    /// Its noise level.
    pub gamma: f64,
    /// The noisy latent, mK.
    pub latent: Arc<Grid>,
    /// The clean estimate, mK.
    pub estimate: Arc<Grid>,
    /// Its lattice.
    pub tiles: Arc<[TileBox]>,
}

/// The values of a field.
#[derive(Clone)]
pub enum FieldValues {
    /// On the host.
    Host(Arc<Grid>),
    /// On the GPU.
    #[allow(dead_code)]
    Device {
        /// Shape `[x, y, z]`.
        values: Tensor<3>,
        /// Mpc/h.
        box_size: f64,
    },
}

/// What changed in a layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// These tiles.
    Tiles(Vec<TileBox>),
    /// Everything.
    All,
}

/// A layer of a job.
#[derive(Clone)]
pub struct LayerView {
    /// The whole field, physical unit.
    pub field: FieldValues,
    /// Changes whenever any voxel did.
    pub version: u64,
    /// False while tiles are still being made.
    pub complete: bool,
    tiles: Arc<[(u64, TileBox)]>,
}

impl LayerView {
    /// What changed after `version`.
    pub fn changed_since(&self, version: u64) -> Changed {
        if version == self.version {
            return Changed::Nothing;
        }
        match self.tiles.first() {
            Some((first, _)) if *first <= version + 1 => {
                Changed::Tiles(self.tiles.iter().filter(|(v, _)| *v > version).map(|(_, t)| *t).collect())
            }
            _ => Changed::All,
        }
    }
}

/// A job's state.
#[derive(Clone, Default)]
pub struct JobView {
    /// Whose.
    pub job: JobId,
    /// Grows with every change.
    pub version: u64,
    /// Once the source was read.
    pub opened: Option<Arc<Opened>>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Tiles being worked on.
    pub active: Arc<[TileBox]>,
    /// Fields.
    pub layers: BTreeMap<Layer, LayerView>,
    /// Spectra.
    pub spectra: BTreeMap<Series, Arc<PowerSpectrum>>,
    /// Denoising steps kept.
    pub steps: Arc<[Arc<StepRecord>]>,
    /// What the weights are.
    pub weights: Arc<[String]>,
    /// What the job wants known.
    pub warnings: Arc<[String]>,
    /// The device.
    pub device: Option<Arc<DeviceInfo>>,
    /// How it ended.
    pub ended: Option<Ended>,
}

/// What anybody looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// Live spectra.
    pub spectra: bool,
    /// The noisy latent.
    pub latent: bool,
}

struct Shared {
    view: Mutex<JobView>,
    transforms: Mutex<BTreeMap<Layer, LogTransform>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, JobView> {
        self.view.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut JobView)) {
        let mut view = self.view();
        view.version += 1;
        change(&mut view);
        drop(view);
        (self.wake)();
    }
}

/// A running job.
pub struct Job {
    /// Pause and cancel.
    pub control: Control,
    shared: Arc<Shared>,
    id: JobId,
}

impl Job {
    /// Which one it is.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The newest picture of it.
    pub fn view(&self) -> JobView {
        self.shared.view().clone()
    }

    /// Tell it what anybody looks at.
    pub fn look_at(&self, _: Watch) {}
}

struct Painter(Arc<Shared>);

impl Painter {
    fn transform(&self, layer: Layer) -> LogTransform {
        let transforms = self.0.transforms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        transforms.get(&layer).copied().unwrap_or(LogTransform::above(1.0))
    }
}

impl Canvas for Painter {
    fn begin(&self, layer: Layer, n: usize, transform: LogTransform) {
        self.0.transforms.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(layer, transform);
        self.0.change(|view| {
            let box_size = view.opened.as_ref().map_or(1.0, |o| o.box_size);
            let field = FieldValues::Host(Arc::new(Grid::zeros(n, box_size)));
            view.layers.insert(layer, LayerView { field, version: view.version, complete: false, tiles: [].into() });
        });
    }

    fn paint_field(&self, layer: Layer, field: &Grid) {
        let field = Arc::new(field.clone());
        self.0.change(|view| {
            let complete = layer != Layer::BrightnessTemperature;
            let field = FieldValues::Host(field);
            view.layers.insert(layer, LayerView { field, version: view.version, complete, tiles: [].into() });
        });
    }

    fn paint_tile(&self, layer: Layer, tile: TileBox, values: Tensor<3>) {
        let transform = self.transform(layer);
        let Ok(mut values) = crate::nn::host(values) else { return };
        values.iter_mut().for_each(|v| *v = transform.inverse(*v));
        self.0.change(|view| {
            let version = view.version;
            if let Some(layer) = view.layers.get_mut(&layer)
                && let FieldValues::Host(grid) = &mut layer.field
            {
                let n = grid.n();
                scatter(Arc::make_mut(grid).as_slice_mut(), n, tile.origin, tile.size[0], &values);
                let mut tiles = if layer.version == version { Vec::new() } else { layer.tiles.to_vec() };
                if tiles.len() > 64 {
                    tiles.drain(..32);
                }
                tiles.push((version, tile));
                layer.tiles = tiles.into();
                layer.version = version;
            }
        });
    }
}

/// Start a job.
pub fn spawn(config: JobConfig, device: DeviceChoice, wake: impl Fn() + Send + Sync + 'static) -> Job {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = JobId(NEXT.fetch_add(1, Ordering::Relaxed));
    let shared = Arc::new(Shared {
        view: Mutex::new(JobView { job: id, ..JobView::default() }),
        transforms: Mutex::default(),
        wake: Box::new(wake),
    });
    let control = Control::default();
    let (their, theirs) = (shared.clone(), control.clone());
    std::thread::spawn(move || follow(config, device, &their, &theirs));
    Job { control, shared, id }
}

fn follow(config: JobConfig, choice: DeviceChoice, shared: &Arc<Shared>, control: &Control) {
    let device = match compute_device(choice) {
        Ok(device) => device,
        Err(error) => return shared.change(|view| view.ended = Some(Ended::Failed(Arc::new(error)))),
    };
    let info = DeviceInfo { name: device.name.clone(), reason: device.reason.clone() };
    shared.change(|view| view.device = Some(Arc::new(info)));
    let job = pipeline::spawn(config, device, Arc::new(Painter(shared.clone())));
    let mut active = BTreeSet::new();
    loop {
        let event = match job.events.recv_timeout(std::time::Duration::from_millis(20)) {
            Ok(event) => event,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                job.control.set_paused(control.is_paused());
                if control.is_cancelled() {
                    job.control.cancel();
                }
                continue;
            }
        };
        job.control.set_paused(control.is_paused());
        if control.is_cancelled() {
            job.control.cancel();
        }
        match event {
            Event::TileStarted(tile) => {
                active.insert((tile.origin, tile.size));
            }
            Event::TileFinished(_, tile) => {
                active.remove(&(tile.origin, tile.size));
            }
            _ => {}
        }
        let tiles: Arc<[TileBox]> = active.iter().map(|&(origin, size)| TileBox { origin, size }).collect();
        shared.change(|view| {
            view.active = tiles;
            apply(view, event);
        });
    }
}

fn apply(view: &mut JobView, event: Event) {
    match event {
        Event::Opened { name, redshift, cosmology, reference } => {
            let opened = Opened { name, redshift, cosmology, n: 0, box_size: 1.0, reference };
            view.opened = Some(Arc::new(opened));
        }
        Event::Weights(weights) => view.weights = weights.into(),
        Event::Stage(_) | Event::TileStarted(_) | Event::TileFinished(..) => {}
        Event::Progress(progress) => view.progress = Some(progress),
        Event::Field(layer, field) => {
            if let Some(opened) = &mut view.opened {
                let opened = Arc::make_mut(opened);
                (opened.n, opened.box_size) = (field.n(), field.box_size);
            }
            let (version, field) = (view.version, FieldValues::Host(field));
            view.layers.insert(layer, LayerView { field, version, complete: true, tiles: [].into() });
        }
        Event::Spectrum(series, spectrum) => {
            view.spectra.insert(series, Arc::new(spectrum));
        }
        Event::Warning(sentence) => view.warnings = view.warnings.iter().cloned().chain([sentence]).collect(),
        Event::Finished(outcome) => {
            (view.active, view.progress) = ([].into(), None);
            view.ended = Some(Ended::Finished(outcome));
        }
        Event::Failed(error) => {
            (view.active, view.progress) = ([].into(), None);
            view.ended = Some(match error {
                Error::Cancelled => Ended::Cancelled,
                error => Ended::Failed(Arc::new(error)),
            });
        }
    }
}

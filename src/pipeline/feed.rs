//! What a job shows of itself, and what it hears.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::layers::LayerView;
use super::{Outcome, Source};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Layer, MassAssignment, TileBox};
use crate::predict::Stage;
use crate::stats::PowerSpectrum;

/// One job of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct JobId(pub(super) u64);

/// What a job was opened on.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Where it was read from.
    pub source: Source,
    /// Name for the screen.
    pub name: String,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// Voxels per axis.
    pub n: usize,
    /// Comoving side of the box in Mpc/h.
    pub box_size: f64,
    /// The window that particles were assigned to the grid with; `None` for a gridded field.
    pub window: Option<MassAssignment>,
    /// What the reference is, if there is one, in words that end no sentence.
    pub reference: Option<String>,
}

/// The device that runs a job's networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name.
    pub name: String,
    /// Why it was chosen, a sentence.
    pub reason: String,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The current stage.
    pub stage: Stage,
    /// Tiles done, of the present step where there are steps.
    pub done: usize,
    /// Tiles in all, of a step where there are steps.
    pub total: usize,
    /// Denoising step, `(current, of)`, from 1, while in [`Stage::Lodi`].
    pub step: Option<(usize, usize)>,
    /// Realisation of the map, `(current, of)`, from 1, where [`Stage::Lodi`] paints several.
    pub realisation: Option<(usize, usize)>,
    /// Time since the job started, pauses left out.
    pub elapsed: Duration,
    /// Estimated time to the end of the job, once there is a basis for one.
    pub remaining: Option<Duration>,
}

/// A curve of the spectrum plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Series {
    /// Dark-matter overdensity, (Mpc/h)³.
    DarkMatter,
    /// Overdensity of a halo mass map, (Mpc/h)³.
    HaloMass(usize),
    /// Predicted brightness temperature, mK² (Mpc/h)³.
    Prediction,
    /// Reference brightness temperature, mK² (Mpc/h)³.
    Reference,
}

impl Series {
    /// What the curve is called in a legend.
    pub fn name(self) -> String {
        match self {
            Self::DarkMatter => "Dark matter".to_owned(),
            Self::HaloMass(bin) => format!("Halo mass, bin {}", bin + 1),
            Self::Prediction => "21 cm prediction".to_owned(),
            Self::Reference => "21 cm reference".to_owned(),
        }
    }
}

/// A denoising step that was kept.
#[derive(Debug)]
pub struct StepRecord {
    /// Its number, 0 the first.
    pub step: usize,
    /// Steps in all.
    pub of: usize,
    /// Noise level of the latent.
    pub gamma: f64,
    /// The noisy latent, as the temperature it stands for, mK.
    pub latent: LayerView,
    /// The estimate of the clean map, mK.
    pub estimate: LayerView,
    /// The windows of the step.
    pub tiles: Arc<[TileBox]>,
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

/// What somebody looks at: a job makes nothing to be looked at for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    /// Fields while they are made, and denoising steps.
    pub fields: bool,
    /// Spectra while the map is painted. They take a twentieth of the time at most.
    pub spectra: bool,
}

/// A picture of a job at one moment. Cloning it copies no field. By default that of no job.
#[derive(Debug, Clone, Default)]
pub struct JobView {
    /// The job.
    pub job: JobId,
    /// Grows with every change.
    pub version: u64,
    /// What it was opened on; `None` until its files were read.
    pub opened: Option<Arc<Opened>>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// Tiles that are being worked on.
    pub active: Arc<[TileBox]>,
    /// The fields so far.
    pub layers: BTreeMap<Layer, LayerView>,
    /// The spectra so far.
    pub spectra: BTreeMap<Series, Arc<PowerSpectrum>>,
    /// The spectra of draws of the reference, that on show the first: the scatter of the truth
    /// at fixed dark matter. Empty where its model is not known.
    pub reference_draws: Arc<[PowerSpectrum]>,
    /// Denoising steps that were kept, within a budget of memory.
    pub steps: Arc<[Arc<StepRecord>]>,
    /// What the weights are, a sentence each.
    pub weights: Arc<[String]>,
    /// What the user should know, a sentence each.
    pub warnings: Arc<[String]>,
    /// The device that runs the networks, once it is chosen.
    pub device: Option<Arc<DeviceInfo>>,
    /// How it ended; `None` while it runs.
    pub ended: Option<Ended>,
}

impl JobView {
    pub(super) fn new(job: JobId) -> Self {
        Self {
            job,
            version: 1,
            opened: None,
            progress: None,
            active: Arc::new([]),
            layers: BTreeMap::new(),
            spectra: BTreeMap::new(),
            reference_draws: Arc::new([]),
            steps: Arc::new([]),
            weights: Arc::new([]),
            warnings: Arc::new([]),
            device: None,
            ended: None,
        }
    }
}

/// The picture that a job keeps of itself.
pub(super) struct Feed {
    view: Mutex<JobView>,
    changed: Condvar,
    watch: Mutex<Watch>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Feed {
    pub fn new(job: JobId, wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            view: Mutex::new(JobView::new(job)),
            changed: Condvar::new(),
            watch: Mutex::default(),
            wake: Box::new(wake),
        }
    }

    pub fn view(&self) -> JobView {
        self.lock().clone()
    }

    /// The first picture that is newer than `version`; waits for it, up to `patience`.
    pub fn newer_than(&self, version: u64, patience: Duration) -> JobView {
        let waited = self.changed.wait_timeout_while(self.lock(), patience, |view| view.version <= version);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Change the picture.
    pub fn change<R>(&self, change: impl FnOnce(&mut JobView) -> R) -> R {
        let result = {
            let mut view = self.lock();
            view.version += 1;
            change(&mut view)
        };
        self.changed.notify_all();
        (self.wake)();
        result
    }

    pub fn watch(&self) -> Watch {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn look_at(&self, watch: Watch) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = watch;
    }

    fn lock(&self) -> MutexGuard<'_, JobView> {
        // A panic while the lock was held leaves a whole picture behind.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Pause and cancel, shared between a job and whoever started it.
#[derive(Debug, Clone, Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
}

impl Control {
    /// Stop the job at the next tile, for good.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Hold the job at the next tile, or let it go on.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether the job is held.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    /// Wait while paused; how long that took.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the job is cancelled.
    pub fn checkpoint(&self) -> Result<Duration> {
        let began = Instant::now();
        loop {
            if self.cancelled.load(Ordering::Acquire) {
                return Err(Error::Cancelled);
            }
            if !self.is_paused() {
                return Ok(began.elapsed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

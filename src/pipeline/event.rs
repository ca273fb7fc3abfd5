//! What a running job says and hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid, LogTransform};
use crate::stats::PowerSpectrum;

/// Number of halo-mass bins of HALO's output.
pub const HALO_MASS_BINS: usize = 4;

/// A field that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Layer {
    /// Dark matter, `1 + δ`.
    DarkMatter,
    /// Halo mass density in one mass bin (0 the lightest), (M☉/h)/(Mpc/h)³.
    HaloMass(usize),
    /// Predicted 21 cm brightness temperature, mK.
    BrightnessTemperature,
    /// Reference 21 cm brightness temperature, mK.
    Reference,
}

impl Layer {
    /// Every layer, in the order of the data flow.
    pub const ALL: [Self; 7] = [
        Self::DarkMatter,
        Self::HaloMass(0),
        Self::HaloMass(1),
        Self::HaloMass(2),
        Self::HaloMass(3),
        Self::BrightnessTemperature,
        Self::Reference,
    ];

    /// What the layer is called on screen.
    pub fn name(self) -> String {
        match self {
            Self::DarkMatter => "Dark matter".to_owned(),
            Self::HaloMass(bin) => format!("Halo mass, bin {}", bin + 1),
            Self::BrightnessTemperature => "21 cm brightness temperature".to_owned(),
            Self::Reference => "21 cm reference".to_owned(),
        }
    }

    /// Unit of the layer's values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::DarkMatter => "1+δ",
            Self::HaloMass(_) => "(Msun/h)/(Mpc/h)³",
            Self::BrightnessTemperature | Self::Reference => "mK",
        }
    }
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Reading the snapshot and assigning its mass to the grid.
    Field,
    /// HALO: halo mass density maps from dark matter.
    Halo,
    /// LODI's expectation: the 21 cm map that denoising departs from.
    Expectation,
    /// LODI: denoising the 21 cm map, tile by tile.
    Lodi,
    /// Spectra and comparison with the reference.
    Statistics,
}

impl Stage {
    /// What the stage is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field => "Dark-matter field",
            Self::Halo => "HALO: halo mass maps",
            Self::Expectation => "LODI: expecting 21 cm",
            Self::Lodi => "LODI: painting 21 cm",
            Self::Statistics => "Spectra",
        }
    }
}

/// A cubic or cuboid piece of the periodic grid. It may reach over the box's
/// far faces; voxels are taken modulo the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TileBox {
    /// First voxel, `[x, y, z]`, each below the grid size.
    pub origin: [usize; 3],
    /// Voxels per axis.
    pub size: [usize; 3],
}

/// How far a job is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The current stage.
    pub stage: Stage,
    /// Units of work done in the stage (tiles, or tiles × steps).
    pub done: usize,
    /// Units of work in the stage.
    pub total: usize,
    /// Denoising step, `(current, of)`, while in [`Stage::Lodi`].
    pub step: Option<(usize, usize)>,
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

/// What a job reports, in order.
#[derive(Debug)]
pub enum Event {
    /// The source was read: its name, redshift and cosmology. What was shown of
    /// an earlier source is now out of date.
    Opened {
        /// Name for the screen.
        name: String,
        /// Redshift.
        redshift: f64,
        /// Cosmology.
        cosmology: Cosmology,
        /// What the reference is, if there is one, as a sentence.
        reference: Option<String>,
    },
    /// The networks are loaded: what their weights are, a sentence each.
    Weights(Vec<String>),
    /// A stage begins.
    Stage(Stage),
    /// Work was done.
    Progress(Progress),
    /// A tile is being worked on (it is the one to outline).
    TileStarted(TileBox),
    /// A tile was finished and is on the canvas.
    TileFinished(Layer, TileBox),
    /// A field is complete, in its physical unit.
    Field(Layer, Arc<Grid>),
    /// A spectrum is there, or is better known than before.
    Spectrum(Series, PowerSpectrum),
    /// Something the user should know, as a sentence; the job goes on.
    Warning(String),
    /// The job ended well.
    Finished(Arc<super::Outcome>),
    /// The job ended; [`Error::Cancelled`] where the user asked for it.
    Failed(Error),
}

/// Where a job paints its fields while they are made. Called on the job's
/// thread; must not wait for the window.
pub trait Canvas: Send + Sync {
    /// Begin a layer: `n³` voxels, cleared, shown through `transform`
    /// (texture values are transformed ones).
    fn begin(&self, layer: Layer, n: usize, transform: LogTransform);
    /// Paint a whole field given in its physical unit.
    fn paint_field(&self, layer: Layer, field: &Grid);
    /// Paint a tile of *transformed* values, shape `[x, y, z]`, wherever the
    /// tensor lives; on the canvas's own device it is not to pass through the CPU.
    fn paint_tile(&self, layer: Layer, tile: TileBox, values: Tensor<3>);
}

/// The canvas of a headless run.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoCanvas;

impl Canvas for NoCanvas {
    fn begin(&self, _: Layer, _: usize, _: LogTransform) {}
    fn paint_field(&self, _: Layer, _: &Grid) {}
    fn paint_tile(&self, _: Layer, _: TileBox, _: Tensor<3>) {}
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

    /// Whether the job is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Wait while paused; how long that took.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the job is cancelled.
    pub fn checkpoint(&self) -> Result<Duration> {
        let began = std::time::Instant::now();
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

//! Running a job.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::{Canvas, Control, Event, JobConfig, Layer, Series};
use crate::field::{Cosmology, Grid};
use crate::nn::ComputeDevice;
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
    /// The configuration it ran with, `grid` filled in.
    pub config: JobConfig,
    /// Redshift of the snapshot.
    pub redshift: f64,
    /// Cosmology of the snapshot.
    pub cosmology: Cosmology,
    /// Every field made or read, in physical units.
    pub fields: BTreeMap<Layer, Arc<Grid>>,
    /// The spectra of those fields.
    pub spectra: BTreeMap<Series, PowerSpectrum>,
    /// Name of the device that ran the networks.
    pub device: String,
    /// What the weights are and how they were trained, a sentence.
    pub weights: String,
    /// Seconds per stage, in order.
    pub seconds: Vec<(String, f64)>,
    /// Everything that [`Event::Warning`] said.
    pub warnings: Vec<String>,
}

/// Start a job on a thread of its own.
pub fn spawn(config: JobConfig, device: ComputeDevice, canvas: Arc<dyn Canvas>) -> Job {
    let _ = (config, device, canvas);
    unimplemented!("lands with the networks")
}

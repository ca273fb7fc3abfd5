//! What the window shows, as a job's pictures tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::field::{Grid, Layer, TileBox};
use crate::pipeline::{DeviceInfo, Ended, FieldValues, JobId, JobView, Outcome, Progress, Series};
use crate::render::VolumeCanvas;
use crate::stats::PowerSpectrum;

/// Everything on display that is not a setting.
#[derive(Debug, Default)]
pub struct Scene {
    /// Name of what is open.
    pub source: Option<String>,
    /// Its redshift.
    pub redshift: f64,
    /// What the reference is.
    pub reference: Option<String>,
    /// What the weights are, once networks ran.
    pub weights: Vec<String>,
    /// Finished fields, physical units.
    pub fields: BTreeMap<Layer, Arc<Grid>>,
    /// Spectra so far.
    pub spectra: BTreeMap<Series, Arc<PowerSpectrum>>,
    /// The tile being worked on.
    pub tile: Option<TileBox>,
    /// How far the job is.
    pub progress: Option<Progress>,
    /// What the job wants known.
    pub notes: Vec<String>,
    /// The finished result of the last job that ran networks.
    pub outcome: Option<Arc<Outcome>>,
    /// Something to look at has appeared: the layer to switch to.
    pub new_layer: Option<Layer>,
    /// The device that runs the networks.
    pub device: Option<Arc<DeviceInfo>>,
    /// The job whose box is shown.
    job: Option<JobId>,
    /// Layers that this job has come to.
    begun: BTreeSet<Layer>,
}

impl Scene {
    /// Take in a picture of a job, and show its fields on the canvas; says how the job ended if
    /// it did. Until a job has read its files nothing that is shown changes, so a source that
    /// cannot be opened leaves everything as it was.
    pub fn follow(&mut self, view: &JobView, canvas: &VolumeCanvas) -> Option<Ended> {
        self.progress = view.progress;
        if let Some(opened) = &view.opened {
            if self.job != Some(view.job) {
                *self = Self {
                    job: Some(view.job),
                    source: Some(opened.name.clone()),
                    redshift: opened.redshift,
                    reference: opened.reference.clone(),
                    new_layer: Some(Layer::DarkMatter),
                    progress: view.progress,
                    ..Self::default()
                };
                canvas.clear();
            }
            self.weights = view.weights.to_vec();
            self.notes = view.warnings.to_vec();
            self.device = view.device.clone();
            self.tile = view.active.first().copied();
            self.spectra.clone_from(&view.spectra);
            for (&layer, of) in &view.layers {
                canvas.update(layer, of);
                if let FieldValues::Host(grid) = &of.field {
                    self.fields.insert(layer, grid.clone());
                }
                // Look at what a stage paints when it begins; where the user looks after that is
                // the user's choice.
                let worth_a_look = matches!(layer, Layer::HaloMass(1) | Layer::BrightnessTemperature);
                if self.begun.insert(layer) && worth_a_look {
                    self.new_layer = Some(layer);
                }
            }
        }
        let ended = view.ended.clone()?;
        self.tile = None;
        if let Ended::Finished(outcome) = &ended
            && !outcome.weights.is_empty()
        {
            self.outcome = Some(outcome.clone());
        }
        Some(ended)
    }

    /// Side of the box in Mpc/h, once something is open.
    pub fn box_size(&self) -> Option<f64> {
        self.fields.values().next().map(|field| field.box_size)
    }
}

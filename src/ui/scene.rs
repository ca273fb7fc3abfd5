//! What the window shows, as a job's events tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::Error;
use crate::field::Grid;
use crate::pipeline::{Event, Layer, Outcome, Progress, Series, Stage, TileBox};
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
    pub spectra: BTreeMap<Series, PowerSpectrum>,
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
    /// Layers with a tile that this job painted.
    begun: BTreeSet<Layer>,
}

/// How a job ended.
#[derive(Debug)]
pub enum Ended {
    /// Well.
    Finished,
    /// By the user.
    Cancelled,
    /// By an error.
    Failed(Error),
}

impl Scene {
    /// Take in an event; says how the job ended if it did. An event before
    /// [`Event::Opened`] changes nothing that is shown, so a source that cannot
    /// be opened leaves everything as it was.
    pub fn apply(&mut self, event: Event) -> Option<Ended> {
        match event {
            Event::Opened { name, redshift, reference, .. } => {
                *self = Self { source: Some(name), redshift, reference, ..Self::default() };
                self.new_layer = Some(Layer::DarkMatter);
            }
            Event::Weights(weights) => self.weights = weights,
            Event::Stage(stage) => {
                if stage == Stage::Halo {
                    self.begun.clear();
                }
            }
            Event::Progress(progress) => self.progress = Some(progress),
            Event::TileStarted(tile) => self.tile = Some(tile),
            Event::TileFinished(layer, _) => {
                // Look at the first tile of what a stage paints; where the user
                // looks after that is the user's choice.
                let worth_a_look = matches!(layer, Layer::HaloMass(1) | Layer::BrightnessTemperature);
                if self.begun.insert(layer) && worth_a_look {
                    self.new_layer = Some(layer);
                }
            }
            Event::Field(layer, field) => {
                self.fields.insert(layer, field);
            }
            Event::Spectrum(series, spectrum) => {
                self.spectra.insert(series, spectrum);
            }
            Event::Warning(sentence) => self.notes.push(sentence),
            Event::Finished(outcome) => {
                self.tile = None;
                self.progress = None;
                if !outcome.weights.is_empty() {
                    self.outcome = Some(outcome);
                }
                return Some(Ended::Finished);
            }
            Event::Failed(error) => {
                self.tile = None;
                self.progress = None;
                return Some(match error {
                    Error::Cancelled => Ended::Cancelled,
                    error => Ended::Failed(error),
                });
            }
        }
        None
    }

    /// Side of the box in Mpc/h, once something is open.
    pub fn box_size(&self) -> Option<f64> {
        self.fields.values().next().map(|field| field.box_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Cosmology;

    fn opened(name: &str) -> Event {
        Event::Opened { name: name.to_owned(), redshift: 1.0, cosmology: Cosmology::default(), reference: None }
    }

    #[test]
    fn a_new_layer_is_shown_once_and_then_the_user_looks_where_they_like() {
        let mut scene = Scene::default();
        scene.apply(opened("snapshot"));
        assert_eq!(scene.new_layer.take(), Some(Layer::DarkMatter));
        let tile = TileBox { origin: [0; 3], size: [32; 3] };
        for (layer, expected) in [
            (Layer::HaloMass(0), None),
            (Layer::HaloMass(1), Some(Layer::HaloMass(1))),
            (Layer::HaloMass(1), None),
            (Layer::BrightnessTemperature, Some(Layer::BrightnessTemperature)),
            (Layer::BrightnessTemperature, None),
        ] {
            scene.apply(Event::TileFinished(layer, tile));
            assert_eq!(scene.new_layer.take(), expected, "{layer:?}");
        }
        // The next run announces its layers again.
        scene.apply(Event::Stage(Stage::Halo));
        scene.apply(Event::TileFinished(Layer::HaloMass(1), tile));
        assert_eq!(scene.new_layer.take(), Some(Layer::HaloMass(1)));
    }

    #[test]
    fn a_source_that_cannot_be_opened_leaves_the_old_one_in_place() {
        let mut scene = Scene::default();
        scene.apply(opened("first"));
        scene.apply(Event::Field(Layer::DarkMatter, Arc::new(Grid::zeros(4, 1.0))));
        let error = Error::input("second.hdf5", "no such file", "a snapshot", "Check the path");
        assert!(matches!(scene.apply(Event::Failed(error)), Some(Ended::Failed(_))));
        assert_eq!(scene.source.as_deref(), Some("first"));
        assert!(scene.fields.contains_key(&Layer::DarkMatter));
        scene.apply(opened("third"));
        assert!(scene.fields.is_empty());
    }
}

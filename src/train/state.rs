//! The state of a training on disk: everything that a killed one needs to go on
//! as if nothing had happened.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::TrainConfig;
use super::power::PowerPoint;
use crate::error::{Error, Result};

/// One row of a training's curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Optimiser steps taken.
    pub step: usize,
    /// Mean training loss since the row before.
    pub loss: f64,
    /// Loss of the averaged weights on the validation boxes.
    pub validation: Option<f64>,
    /// Seconds of training until then.
    pub seconds: f64,
}

/// The least validation loss of a curve.
pub(super) fn least_validation(curve: &[CurvePoint]) -> Option<f64> {
    curve.iter().filter_map(|point| point.validation).min_by(f64::total_cmp)
}

/// How far a training is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub config: TrainConfig,
    /// Steps taken.
    pub step: usize,
    /// Random numbers drawn.
    pub draws: u32,
    pub seconds: f64,
    pub curve: Vec<CurvePoint>,
    pub power: Vec<PowerPoint>,
}

/// The weights of a training.
#[derive(Debug, Clone)]
pub(super) struct Weights<M> {
    /// Those that descend.
    pub model: M,
    /// Their moving average.
    pub average: M,
    /// The average that did best on validation boxes so far.
    pub selected: M,
}

/// The files of [`Weights`].
const WEIGHTS: [&str; 3] = ["model.bpk", "average.bpk", "selected.bpk"];
/// Name of the network's configuration in the state.
const CONFIG: &str = "config.json";

/// The configuration of the network whose training's state is in `folder`;
/// `None` where there is no such state.
///
/// # Errors
/// [`Error::Input`] for a configuration that cannot be read.
pub fn saved_config<C: DeserializeOwned>(folder: &Path) -> Result<Option<C>> {
    let path = folder.join(CONFIG);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        Error::input(&path, error.to_string(), "the configuration of a network", "Delete the state to begin anew")
    })
}

/// The folder of a training's state.
#[derive(Debug, Clone)]
pub(super) struct State {
    folder: PathBuf,
}

impl State {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn file(folder: &Path, name: &str) -> PathBuf {
        folder.join(name)
    }

    /// Write everything; what was there before stays until all is written.
    pub fn save<M: Module>(
        &self,
        weights: &Weights<M>,
        optimizer: &ModuleOptimizer,
        progress: &Progress,
        config: &str,
    ) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| Error::output(&self.folder, error);
        let fresh = self.folder.with_extension("new");
        let _ = std::fs::remove_dir_all(&fresh);
        std::fs::create_dir_all(&fresh).map_err(|e| failed(&e))?;
        for (module, file) in [&weights.model, &weights.average, &weights.selected].into_iter().zip(WEIGHTS) {
            module.clone().save_file(Self::file(&fresh, file)).map_err(|e| failed(&e))?;
        }
        optimizer.save(Self::file(&fresh, "optimizer.bpk")).map_err(|e| failed(&e))?;
        let text = serde_json::to_string_pretty(progress).expect("plain structs serialise");
        std::fs::write(Self::file(&fresh, "progress.json"), text).map_err(|e| failed(&e))?;
        std::fs::write(Self::file(&fresh, CONFIG), config).map_err(|e| failed(&e))?;
        let old = self.folder.with_extension("old");
        let _ = std::fs::remove_dir_all(&old);
        if self.folder.exists() {
            std::fs::rename(&self.folder, &old).map_err(|e| failed(&e))?;
        }
        std::fs::rename(&fresh, &self.folder).map_err(|e| failed(&e))?;
        let _ = std::fs::remove_dir_all(&old);
        Ok(())
    }

    /// Take up what is there: weights and optimiser as they were, and how far they are. They are those
    /// that were given, and `None`, where nothing is. More steps may be asked for than before; every
    /// other setting must be the same.
    pub fn load<M: Module>(
        &self,
        weights: Weights<M>,
        optimizer: ModuleOptimizer,
        settings: &TrainConfig,
    ) -> Result<(Weights<M>, ModuleOptimizer, Option<Progress>)> {
        let path = Self::file(&self.folder, "progress.json");
        let Ok(text) = std::fs::read_to_string(&path) else {
            return Ok((weights, optimizer, None));
        };
        let bad = |found: String| {
            Error::input(
                &self.folder,
                found,
                "the state of this training",
                "Delete it to begin anew, or choose another folder",
            )
        };
        let progress: Progress = serde_json::from_str(&text).map_err(|e| bad(format!("it cannot be read ({e})")))?;
        if (TrainConfig { steps: settings.steps, ..progress.config.clone() }) != *settings {
            return Err(bad("the state of a training with other settings".to_owned()));
        }
        let failed = |error: &dyn std::fmt::Display| bad(format!("it is damaged ({error})"));
        let load = |module: M, file: &str| module.try_load_file(Self::file(&self.folder, file)).map_err(|e| failed(&e));
        let [model, average, selected] = WEIGHTS;
        let weights = Weights {
            model: load(weights.model, model)?,
            average: load(weights.average, average)?,
            selected: load(weights.selected, selected)?,
        };
        let optimizer = optimizer.load(Self::file(&self.folder, "optimizer.bpk")).map_err(|e| failed(&e))?;
        Ok((weights, optimizer, Some(progress)))
    }
}

//! Results of an earlier run, read instead of made: the maps of its folder and, where they were
//! kept, its denoising steps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DeviceInfo, JobConfig, StepRecord};
use crate::error::{Error, Result};
use crate::field::{Grid, Layer, TileBox};
use crate::io::{Map, MapHeader, read_map, write_map};

/// The map file in the folder of a run.
pub(super) const MAP: &str = "map.hdf5";
/// Where a kept step is told of in the provenance of its file.
const STEP: &str = "step";

/// What of a step is not in its fields.
#[derive(Debug, Serialize, Deserialize)]
struct StepNote {
    index: usize,
    of: usize,
    gamma: f64,
    tiles: Vec<TileBox>,
}

/// The map file that [`JobConfig::results`] names: itself, or the one in the folder of a run.
pub fn map_of(results: &Path) -> PathBuf {
    let is_map = results.is_file() || (!results.is_dir() && results.extension().is_some());
    if is_map { results.to_path_buf() } else { results.join(MAP) }
}

/// What was read.
pub(super) struct Results {
    /// The fields that the networks made.
    pub layers: BTreeMap<Layer, Grid>,
    /// The realisations of the map, mK, the first the one among `layers`.
    pub realisations: Vec<Arc<Grid>>,
    pub steps: Vec<KeptStep>,
    pub weights: Vec<String>,
    pub device: Option<DeviceInfo>,
}

/// A kept step as it was read.
pub(super) struct KeptStep {
    pub index: usize,
    pub of: usize,
    pub gamma: f64,
    pub tiles: Vec<TileBox>,
    pub latent: Grid,
    pub estimate: Grid,
}

/// Read what `config` names as the results of a run of it on the box of `dark_matter`.
pub(super) fn read(config: &JobConfig, results: &Path, dark_matter: &Grid) -> Result<Results> {
    let path = map_of(results);
    let map = read_map(&path)?;
    if run_of(&map.header).is_some_and(|run| run.settings != config.settings) {
        return Err(Error::input(
            &path,
            "the map of a run with another seed or other settings",
            format!("that of seed {} in {} steps", config.settings.seed, config.settings.steps),
            "Choose the folder of that run, or run the networks again",
        ));
    }
    if !map.layers.contains_key(&Layer::BrightnessTemperature) {
        return Err(Error::input(&path, "no brightness temperature", "the map of a finished run", "Run it again"));
    }
    beside(map, &path, dark_matter)
}

/// The run that made a map, where it says so.
pub(super) fn run_of(header: &MapHeader) -> Option<JobConfig> {
    let config = &header.provenance["config"];
    serde_json::from_value(config.clone()).ok().filter(|_| config["settings"].is_object())
}

/// What the networks made of a box: `map`, which was read from `path`, and what a run keeps beside it.
pub(super) fn beside(map: Map, path: &Path, dark_matter: &Grid) -> Result<Results> {
    let Map { header, mut layers } = checked(map, path, dark_matter)?;
    let provenance = &header.provenance;
    let mut realisations: Vec<Arc<Grid>> = Vec::new();
    let mut steps = Vec::new();
    if let Some(map) = layers.get(&Layer::BrightnessTemperature) {
        realisations.push(Arc::new(map.clone()));
        // A map by another name lies among files that are not its own.
        if let Some(folder) = path.parent().filter(|_| path.file_name().is_some_and(|name| name == MAP)) {
            realisations.extend(further_realisations(folder, provenance, dark_matter)?);
            steps = kept_steps(folder, provenance, dark_matter)?;
        }
    }
    let device = provenance["device"].as_str().map(|name| DeviceInfo {
        name: name.to_owned(),
        reason: "The networks ran on it when these results were made.".to_owned(),
    });
    let sentences = provenance["weights"].as_array().into_iter().flatten();
    let weights = sentences.filter_map(|s| s.as_str().map(str::to_owned)).collect();
    layers.retain(|layer, _| !matches!(layer, Layer::DarkMatter | Layer::Reference));
    Ok(Results { layers, realisations, steps, weights, device })
}

/// The further realisations of the run with a provenance; those of another one stay where they are.
fn further_realisations(folder: &Path, run: &Value, dark_matter: &Grid) -> Result<Vec<Arc<Grid>>> {
    let mut realisations = Vec::new();
    for path in (2..).map(|number| folder.join(format!("realisation_{number}.hdf5"))) {
        if !path.is_file() {
            break;
        }
        let map = read_map(&path)?;
        if map.header.provenance != *run {
            break;
        }
        let map = checked(map, &path, dark_matter)?;
        realisations.push(Arc::new(layer(map, Layer::BrightnessTemperature, &path)?));
    }
    Ok(realisations)
}

/// The steps that were kept of the run with a provenance.
fn kept_steps(folder: &Path, run: &Value, dark_matter: &Grid) -> Result<Vec<KeptStep>> {
    let mut steps = Vec::new();
    for path in step_files(folder) {
        let mut map = read_map(&path)?;
        let note = map.header.provenance.as_object_mut().and_then(|told| told.remove(STEP)).unwrap_or_default();
        if map.header.provenance != *run {
            continue;
        }
        let map = checked(map, &path, dark_matter)?;
        let note: StepNote = serde_json::from_value(note)
            .map_err(|e| Error::input(&path, format!("no denoising step ({e})"), "one", "Remove the file"))?;
        let latent = layer(map.clone(), Layer::Latent, &path)?;
        let estimate = layer(map, Layer::BrightnessTemperature, &path)?;
        let StepNote { index, of, gamma, tiles } = note;
        steps.push(KeptStep { index, of, gamma, tiles, latent, estimate });
    }
    steps.sort_by_key(|step| step.index);
    Ok(steps)
}

/// Write the denoising steps of a run into `folder`, beside its map; returns their paths. `header`
/// says what is true of the run.
///
/// # Errors
/// [`Error::Output`] where one cannot be written, and those of a device that a step is on.
pub fn write_steps(folder: &Path, header: &MapHeader, steps: &[Arc<StepRecord>]) -> Result<Vec<PathBuf>> {
    // Those of a run before would be read as this one's.
    for path in step_files(folder) {
        std::fs::remove_file(&path).map_err(|e| Error::output(&path, e))?;
    }
    let mut written = Vec::new();
    for step in steps {
        let path = folder.join(format!("step_{:03}.hdf5", step.step + 1));
        let note = StepNote { index: step.step, of: step.of, gamma: step.gamma, tiles: step.tiles.to_vec() };
        let mut header = header.clone();
        header.provenance[STEP] = serde_json::to_value(note).expect("numbers");
        let (latent, estimate) = (step.latent.grid()?, step.estimate.grid()?);
        write_map(&path, &header, &[(Layer::Latent, &latent), (Layer::BrightnessTemperature, &estimate)])?;
        written.push(path);
    }
    Ok(written)
}

fn step_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_step = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("step_") && name.ends_with(".hdf5")
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_step).collect();
    files.sort();
    files
}

/// `map`, which was read from `path`, if it is of the box of `dark_matter`.
fn checked(map: Map, path: &Path, dark_matter: &Grid) -> Result<Map> {
    let (n, size) = (dark_matter.n(), dark_matter.box_size);
    if let Some(grid) = map.layers.values().find(|g| g.n() != n || (g.box_size / size - 1.0).abs() > 1e-3) {
        return Err(Error::input(
            path,
            format!("{}³ voxels in {} Mpc/h", grid.n(), grid.box_size),
            format!("the {n}³ in {size} Mpc/h of what is open"),
            "Choose the results of this box, or run the networks again",
        ));
    }
    Ok(map)
}

fn layer(mut map: Map, layer: Layer, path: &Path) -> Result<Grid> {
    let wanted = || Error::input(path, format!("no {}", layer.name()), "one", "Run it again");
    map.layers.remove(&layer).ok_or_else(wanted)
}

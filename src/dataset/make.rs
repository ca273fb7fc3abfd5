//! Making a data set, box by box.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::leakage::{Leakage, measure_leakage};
use super::manifest::{BoxRecord, Manifest, Origin, Split, box_name};
use crate::error::{Error, Result};
use crate::field::{Cosmology, MassAssignment};
use crate::io::{check_writable, write_snapshot};
use crate::sim::nbody::{Checkpoints, GravityConfig, Progress, Simulation, SimulationConfig, Start, StepConfig};
use crate::sim::{HydrogenModel, ReferenceConfig, ReferenceModel, reference};

/// How a data set is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetConfig {
    /// Comoving side of every box in Mpc/h.
    pub box_size: f64,
    /// Particles per axis, and voxels per axis of the fields.
    pub particles: usize,
    /// Redshifts at which every simulation becomes a box, from early to late.
    pub redshifts: Vec<f64>,
    /// Redshift of the initial conditions.
    pub start: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// Gravity.
    pub gravity: GravityConfig,
    /// Time steps.
    pub steps: StepConfig,
    /// How HI is painted; its seed is each box's own.
    pub hydrogen: HydrogenModel,
    /// The seed that all others come from.
    pub seed: u64,
}

impl DatasetConfig {
    /// The numbers of the boxes that the simulation with this number in its split becomes.
    fn boxes(&self, simulation: usize) -> Range<usize> {
        let outputs = self.redshifts.len();
        simulation * outputs..(simulation + 1) * outputs
    }

    /// The run with the given seed.
    fn simulation(&self, seed: u64) -> SimulationConfig {
        SimulationConfig {
            start: Start::Seed {
                box_size: self.box_size,
                particles: self.particles,
                seed,
                redshift: self.start,
                cosmology: self.cosmology,
            },
            redshifts: self.redshifts.clone(),
            gravity: self.gravity,
            steps: self.steps,
        }
    }
}

/// How far a data set is.
#[derive(Debug, Clone)]
pub struct DatasetProgress {
    /// The box under way, the first of its simulation.
    pub name: String,
    /// Simulations that are done and wanted in all.
    pub simulations: [usize; 2],
    /// How far its simulation is; `None` while its fields are made.
    pub simulation: Option<Progress>,
}

/// Make what is missing of a data set with `counts` simulations per split, each of which is a box at
/// every redshift, and measure leakage. `report` hears of the progress and returns whether to go on; what is
/// done stays done.
///
/// # Errors
/// [`Error::Cancelled`], those of the simulations and of writing, and
/// [`Error::Setting`] where `folder` holds a data set made otherwise.
pub fn make(
    folder: &Path,
    config: &DatasetConfig,
    counts: &[(Split, usize)],
    mut report: impl FnMut(DatasetProgress) -> bool,
) -> Result<Manifest> {
    config.simulation(0).check()?;
    check_writable(folder)?;
    let mut manifest = Manifest::read(folder)?.unwrap_or_else(|| Manifest {
        program: concat!("halodi ", env!("CARGO_PKG_VERSION")).to_owned(),
        config: Origin::Simulated(config.clone()),
        boxes: Vec::new(),
        leakage: None,
    });
    if manifest.config != Origin::Simulated(config.clone()) {
        return Err(made_otherwise(folder));
    }
    let wanted: Vec<(Split, usize)> =
        counts.iter().flat_map(|&(split, count)| (0..count).map(move |number| (split, number))).collect();
    for (done, &(split, number)) in wanted.iter().enumerate() {
        let boxes = config.boxes(number);
        let made = |index: usize| manifest.boxes.iter().any(|b| b.split == split && b.index == index);
        if boxes.clone().all(made) {
            continue;
        }
        let name = box_name(split, boxes.start);
        let records = make_boxes(folder, config, split, number, |simulation| {
            report(DatasetProgress { name: name.clone(), simulations: [done, wanted.len()], simulation })
        })?;
        manifest.boxes.extend(records);
        manifest.leakage = None;
        manifest.write(folder)?;
    }
    if manifest.leakage.is_none() {
        manifest.leakage = measure_leakage(folder, &manifest)?;
        manifest.write(folder)?;
    }
    Ok(manifest)
}

/// The error of a folder with a data set that was made otherwise.
pub(super) fn made_otherwise(folder: &Path) -> Error {
    Error::setting(
        format!("{} holds a data set with other settings", folder.display()),
        "the settings it was begun with, or an empty folder",
        "Choose another folder",
    )
}

/// The seed of the scatter in output `output` of the simulation with a seed. Haloes are numbered by
/// mass, so with one seed the heaviest haloes would have the same luck at all redshifts, and networks
/// would take it for the mean.
fn scatter_seed(simulation: u64, output: usize) -> u64 {
    simulation.wrapping_add((output as u64) << 48)
}

/// Run simulation `number` of a split, and make its boxes.
fn make_boxes(
    folder: &Path,
    config: &DatasetConfig,
    split: Split,
    number: usize,
    mut report: impl FnMut(Option<Progress>) -> bool,
) -> Result<Vec<BoxRecord>> {
    let seed = split.seed(config.seed, number);
    let boxes = config.boxes(number);
    let places: Vec<PathBuf> = boxes.clone().map(|index| folder.join(box_name(split, index))).collect();
    places.iter().try_for_each(check_writable)?;
    let snapshot = |output: usize| places[output].join("snapshot_000.hdf5");
    let run = config.simulation(seed);
    let provenance = json!({ "program": concat!("halodi ", env!("CARGO_PKG_VERSION")), "simulation": run });
    let checkpoint = places[0].join("checkpoint.hdf5");
    let simulation = Simulation::begin(run, &checkpoint)?;
    let mass = simulation.particle_mass();
    let ran = simulation.run(
        &Checkpoints::at(checkpoint),
        |progress| report(Some(progress)),
        |output, phase| {
            let (particles, redshift) = (phase.to_particles(mass), phase.redshift());
            write_snapshot(snapshot(output), &particles, phase.box_size, redshift, &config.cosmology, &provenance)
        },
    )?;
    let fields = |(output, index): (usize, usize)| {
        if !report(None) {
            return Err(Error::Cancelled);
        }
        let began = Instant::now();
        let name = box_name(split, index);
        let (snapshot, fields) = (snapshot(output), places[output].join("fields.hdf5"));
        let scatter_seed = scatter_seed(seed, output);
        let made = reference(
            &snapshot,
            &ReferenceConfig {
                model: ReferenceModel::Haloes,
                grid: Some(config.particles),
                assignment: MassAssignment::Cic,
                line_of_sight: None,
                hydrogen: HydrogenModel { seed: scatter_seed, ..config.hydrogen },
                species: None,
            },
        )?;
        made.write(&fields, &json!({ "data_set": name, "seed": seed, "scatter_seed": scatter_seed }))?;
        let checksums = checksums(folder, &[&snapshot, &fields])?;
        Ok(BoxRecord {
            split,
            index,
            redshift: made.frame.redshift,
            seed: Some(seed),
            pair: None,
            truth: made.description.clone(),
            checksums,
            haloes: made.haloes.len(),
            omega_hi: made.hydrogen.omega_hi,
            mean_brightness_temperature: made.mean_temperature(),
            seconds: ran.seconds / places.len() as f64 + began.elapsed().as_secs_f64(),
        })
    };
    boxes.enumerate().map(fields).collect()
}

fn relative(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// Compare every file of a data set with its checksum, and measure leakage anew.
///
/// # Errors
/// [`Error::Input`] for the first file that is missing or changed, and those of
/// [`measure_leakage`].
pub fn verify(folder: &Path, manifest: &Manifest) -> Result<Option<Leakage>> {
    for (name, expected) in manifest.boxes.iter().flat_map(|record| &record.checksums) {
        let path: PathBuf = folder.join(name);
        let found = checksum(&path)?;
        if found != *expected {
            return Err(Error::input(
                &path,
                format!("its SHA-256 is {found}"),
                expected.clone(),
                "Delete the box from the data set and its manifest, and make it anew",
            ));
        }
    }
    measure_leakage(folder, manifest)
}

/// SHA-256 of files of the data set in `folder`, by their path in it.
pub(super) fn checksums(folder: &Path, files: &[&Path]) -> Result<BTreeMap<String, String>> {
    files.iter().map(|path| Ok((relative(folder, path), checksum(path)?))).collect()
}

/// SHA-256 of a file, in hexadecimal.
fn checksum(path: &Path) -> Result<String> {
    crate::io::checksum(path)
        .map_err(|error| Error::input(path, error.to_string(), "a file of the data set", "Make the box anew"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_boxes_share_the_luck_of_their_haloes() {
        let mut seeds: Vec<u64> = [Split::Train, Split::Validation, Split::Test]
            .into_iter()
            .flat_map(|split| (0..20).flat_map(move |n| (0..5).map(move |z| scatter_seed(split.seed(1000, n), z))))
            .collect();
        let count = seeds.len();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), count);
    }
}

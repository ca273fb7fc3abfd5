//! What a job is asked to do.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::field::MassAssignment;
use crate::predict::{Settings, Stage};

/// What to predict from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The snapshot embedded in the program.
    Demo,
    /// A snapshot, a gridded field, or a map file with its dark matter, whose other layers are shown with it.
    File(PathBuf),
}

/// The configuration of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobConfig {
    /// What to predict from.
    pub source: Source,
    /// The particle types that stand for the dark matter; `None` takes what the
    /// snapshot's own are, and refuses where they are not all of the matter.
    pub species: Option<Vec<usize>>,
    /// Voxels per axis; `None` takes the grid suggested for the snapshot.
    pub grid: Option<usize>,
    /// How particles are assigned to the grid.
    pub assignment: MassAssignment,
    /// How the 21 cm map is painted.
    pub settings: Settings,
    /// Realisations of the map; their seeds follow each other.
    pub realisations: usize,
    /// Folder with the weights, `halo.safetensors` and `lodi.safetensors`;
    /// `None` takes those that come with Halodi.
    pub weights: Option<PathBuf>,
    /// A 21 cm map to compare with.
    pub reference: Option<PathBuf>,
    /// The results of an earlier run of this configuration, its folder or its map file: they are
    /// read, and no network runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<PathBuf>,
    /// The last stage to run: [`Stage::Field`] only opens the snapshot.
    pub until: Stage,
}

impl Default for JobConfig {
    fn default() -> Self {
        Self {
            source: Source::Demo,
            species: None,
            grid: None,
            assignment: MassAssignment::Cic,
            settings: Settings::default(),
            realisations: 1,
            weights: None,
            reference: None,
            results: None,
            until: Stage::Statistics,
        }
    }
}

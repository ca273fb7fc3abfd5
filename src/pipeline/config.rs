//! What a job is asked to do.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Stage;
use crate::field::MassAssignment;
use crate::nn::Sampler;
use crate::stitch::Overlap;

/// Where the networks are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU if there is one and it passes the self-test, else the CPU.
    #[default]
    Auto,
    /// The wgpu device, even a software one.
    Gpu,
    /// The CPU.
    Cpu,
    /// The first NVIDIA card, through CUDA (in builds with the feature `cuda`).
    #[cfg(feature = "cuda")]
    Cuda,
}

/// What to predict from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The snapshot embedded in the program.
    Demo,
    /// A snapshot or a gridded field.
    File(PathBuf),
}

/// Whose power a finished map has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum MapPower {
    /// That of the mean over all draws, which the expected map implies
    /// ([`Conditioned`](crate::nn::Conditioned)): the best guess at any one of them.
    #[default]
    Mean,
    /// That which chance gave it: realisations differ as draws do.
    Painted,
}

impl MapPower {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Mean, Self::Painted];

    /// What it is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "Mean over draws",
            Self::Painted => "As painted",
        }
    }
}

/// The configuration of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobConfig {
    /// What to predict from.
    pub source: Source,
    /// The particle types that stand for the dark matter; `None` takes what the
    /// snapshot's own are, and refuses where they are not all of the matter.
    #[serde(default)]
    pub species: Option<Vec<usize>>,
    /// Voxels per axis; `None` takes the grid suggested for the snapshot.
    pub grid: Option<usize>,
    /// How particles are assigned to the grid.
    pub assignment: MassAssignment,
    /// Denoising steps of LODI.
    pub steps: usize,
    /// Seed of all noise.
    pub seed: u64,
    /// How tiles are joined.
    pub overlap: Overlap,
    /// How a denoised estimate becomes the next latent.
    pub sampler: Sampler,
    /// Whose power the 21 cm map has.
    #[serde(default)]
    pub power: MapPower,
    /// Tiles given to the network at once; `None` takes what suits the device.
    pub batch: Option<usize>,
    /// Folder with the weights, `halo.safetensors` and `lodi.safetensors`;
    /// `None` takes those that come with Halodi.
    pub weights: Option<PathBuf>,
    /// A 21 cm map to compare with.
    pub reference: Option<PathBuf>,
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
            steps: 12,
            seed: 1,
            overlap: Overlap::default(),
            sampler: Sampler::default(),
            power: MapPower::default(),
            batch: None,
            weights: None,
            reference: None,
            until: Stage::Statistics,
        }
    }
}

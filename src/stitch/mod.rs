//! Joining tiles while they are denoised.

use serde::{Deserialize, Serialize};

/// How the tiles of the box are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Latent overlap in time: non-overlapping tiles on a lattice that moves
    /// between steps by a low-discrepancy shift.
    #[default]
    Shifted,
    /// Latent overlap in time with the lattice moving by one voxel a step
    /// (Cosmo-FOLD, arXiv:2601.14377).
    ShiftedByOne,
    /// Latent overlap in space: overlapping windows fused with smooth weights
    /// at every step (MultiDiffusion).
    Blended,
    /// Baseline: tiles that never see each other, joined hard.
    Naive,
}

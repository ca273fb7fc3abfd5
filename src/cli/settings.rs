//! The options of painting, shared by every command that paints.

use crate::nn::Sampler;
use crate::predict::Settings;
use crate::stitch::{Blend, Overlap, Shared, Window};

/// How a map is painted.
#[derive(Debug, clap::Args)]
pub struct PaintArgs {
    /// Denoising steps
    #[arg(long, default_value_t = Settings::default().steps)]
    steps: usize,
    /// Seed of all noise
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// How tiles are joined
    #[arg(long, value_enum, default_value_t)]
    overlap: Overlap,
    /// How much a window counts by the distance to its faces, where windows overlap (blended, feathered)
    #[arg(long, value_enum, default_value_t)]
    window: Window,
    /// The part of a window that the next one covers too, where windows overlap (blended, feathered)
    #[arg(long, value_enum, default_value_t)]
    shared: Shared,
    /// How a denoised estimate becomes the next latent
    #[arg(long, value_enum, default_value_t)]
    sampler: Sampler,
}

impl PaintArgs {
    /// The settings that were asked for.
    pub fn settings(&self) -> Settings {
        let Self { steps, seed, overlap, window, shared, sampler } = *self;
        Settings { steps, seed, overlap, blend: Blend { window, shared }, sampler }
    }
}

//! Joining tiles while they are denoised: where they lie ([`Lattice`]), how windows are cut
//! out of fields on the device and put together again, and the sampler that runs over the
//! whole box ([`LatentOverlap`]). Noise belongs to voxels and not to tiles
//! ([`CorrelatedNoise`](crate::field::CorrelatedNoise)), but for two baselines that show what
//! that is good for.

mod latent;
mod lattice;
mod tiles;
mod windows;

pub use latent::{LatentOverlap, Step};
pub use lattice::{Blend, Lattice, Overlap, Shared, Tiling, Window};
pub use tiles::{Joined, TileRun, over_tiles, put_together};
pub use windows::{cut, gather, join};

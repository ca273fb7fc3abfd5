//! Joining tiles while they are denoised: where they lie ([`Lattice`]), how windows are cut
//! out of fields on the device and put together again, and the sampler that runs over the
//! whole box ([`LatentOverlap`]). Noise belongs to voxels and not to tiles
//! ([`CorrelatedNoise`](crate::field::CorrelatedNoise)).

mod latent;
mod lattice;
mod tiles;
mod windows;

pub use latent::{LatentOverlap, Step};
pub use lattice::{Lattice, Overlap};
pub use tiles::{TileRun, over_tiles};
pub use windows::{cut, gather, join};

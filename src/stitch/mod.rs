//! Joining tiles while they are denoised: where they lie ([`Lattice`]), the
//! noise that belongs to voxels and not to tiles, and the sampler that runs
//! over the whole box ([`LatentOverlap`]).

mod colour;
mod latent;
mod lattice;
mod noise;
mod tiles;

pub use colour::{Colouring, NoiseColour};
pub use latent::{LatentOverlap, TileOrder, WindowBatch};
pub use lattice::{Lattice, Overlap};
pub use noise::{Stream, below, fill_normal, philox};
pub use tiles::{ChannelField, gather, scatter};

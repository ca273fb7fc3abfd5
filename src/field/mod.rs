//! Fields on a periodic cubic grid: the grid itself and the layers it can hold, how particles
//! become one, its Fourier transform, its connected components, random fields, and the cosmology
//! that gives it units.

mod assignment;
mod band;
mod components;
mod cosmology;
mod dark_matter;
mod fft;
mod grid;
mod layer;
mod noise;
mod random;
mod smooth;
mod transform;

pub use assignment::{MassAssignment, add_mass, assign_mass};
pub use band::band_pass;
pub use components::ConnectedComponents;
pub(crate) use components::DisjointSets;
pub(crate) use cosmology::simpson;
pub use cosmology::{Cosmology, RHO_CRITICAL};
pub use dark_matter::DarkMatter;
pub use fft::{RealFft3, fft_frequency, fft_shell};
pub use grid::Grid;
pub use layer::{HALO_MASS_BINS, Layer, TileBox};
pub use noise::{CorrelatedNoise, NoiseCorrelation};
pub use random::{Stream, below, fill_normal, philox};
pub use smooth::{SMOOTHING_KERNEL, smooth, smooth_widely};
pub use transform::LogTransform;

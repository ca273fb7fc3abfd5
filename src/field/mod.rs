//! Fields on a periodic cubic grid: the grid itself, how particles become one,
//! its Fourier transform, its overdense regions and the clumps in them, and the cosmology that gives it units.

mod assignment;
mod band;
mod clumps;
mod cosmology;
mod fft;
mod grid;
mod regions;
mod smooth;
mod transform;

pub use assignment::{MassAssignment, assign_mass};
pub use band::band_pass;
pub use clumps::{Clumps, Join};
pub(crate) use cosmology::simpson;
pub use cosmology::{Cosmology, RHO_CRITICAL};
pub use fft::{RealFft3, fft_frequency, fft_shell};
pub use grid::Grid;
pub(crate) use regions::DisjointSets;
pub use regions::Regions;
pub use smooth::{smooth, smooth_widely};
pub use transform::LogTransform;

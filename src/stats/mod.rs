//! Statistics of fields: power spectra and bispectra, histograms, parts of a box.

mod bispectrum;
mod ensemble;
mod histogram;
mod power;
mod region;

pub use bispectrum::{Bispectrum, equilateral, squeezed};
pub use ensemble::{mean_and_spread, power_spread};
pub use histogram::Histogram;
pub use power::{CrossSpectrum, PowerSpectrum, cross_spectrum, power_spectrum};
pub use region::{RegionStatistics, profile};

/// Largest wavenumber that 21 cm maps are judged to, h/Mpc.
pub const K_MAPS: f64 = 10.0;
/// Largest wavenumber that halo maps are judged to, h/Mpc.
pub const K_HALOES: f64 = 5.0;

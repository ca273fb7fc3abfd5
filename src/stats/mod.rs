//! Statistics of fields: power spectra and bispectra, histograms, parts of a box.

mod bispectrum;
mod histogram;
mod power;
mod region;

pub use bispectrum::{Bispectrum, equilateral, squeezed};
pub use histogram::Histogram;
pub use power::{CrossSpectrum, PowerSpectrum, cross_spectrum, power_spectrum};
pub use region::{RegionStatistics, profile};

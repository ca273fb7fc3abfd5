//! Statistics of fields: power spectra and bispectra.

mod bispectrum;
mod power;

pub use bispectrum::{Bispectrum, equilateral, squeezed};
pub use power::{CrossSpectrum, PowerSpectrum, cross_spectrum, power_spectrum};

//! Statistics of fields: power spectra and seams.

mod power;

pub use power::{CrossSpectrum, PowerSpectrum, cross_spectrum, power_spectrum};

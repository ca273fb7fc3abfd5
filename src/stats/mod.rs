//! Statistics of fields: power spectra and bispectra, histograms, parts of a box, seams.

mod bispectrum;
mod ensemble;
mod histogram;
mod power;
mod region;
mod seams;

pub use bispectrum::{Bispectrum, equilateral, squeezed};
pub use ensemble::{mean_and_spread, power_spread};
pub use histogram::Histogram;
pub use power::{CrossSpectrum, PowerSpectrum, cross_spectrum, power_spectrum};
pub use region::{RegionStatistics, profile, strongest_along, strongest_within};
pub use seams::{
    Against, AtDistance, AtOffset, Figure, Mode, NearFaces, SIGNIFICANT, Scale, Seams, Search, Statistic, Verdict,
    jump_across, lattices, normal_scores,
};

/// Largest wavenumber that 21 cm maps are judged to, h/Mpc.
pub const K_MAPS: f64 = 10.0;
/// Largest wavenumber that halo maps are judged to, h/Mpc.
pub const K_HALOES: f64 = 5.0;

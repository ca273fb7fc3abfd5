//! The dark matter of a box.

use super::{Cosmology, Grid};

/// What is predicted from.
#[derive(Debug, Clone)]
pub struct DarkMatter {
    /// `1 + δ`.
    pub density: Grid,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
}

impl DarkMatter {
    /// [`Cosmology::brightness_temperature_scale`] at its redshift, mK.
    pub fn brightness_temperature_scale(&self) -> f64 {
        self.cosmology.brightness_temperature_scale(self.redshift)
    }
}

//! The local relation between halo mass and 21 cm.

use serde::{Deserialize, Serialize};

use crate::field::{HALO_MASS_BINS, RHO_CRITICAL};

/// HI that is the same fraction of every halo in a mass bin: the simplest map
/// that halo maps allow, and what [`ConditionalMean`](super::ConditionalMean) corrects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalRelation {
    /// Mass of HI per mass of halo in each bin.
    pub hydrogen_fraction: [f64; HALO_MASS_BINS],
}

impl LocalRelation {
    /// mK per (M☉/h)/(Mpc/h)³ of each bin. `scale` is
    /// [`Cosmology::brightness_temperature_scale`](crate::field::Cosmology::brightness_temperature_scale).
    pub fn weights(&self, scale: f64) -> [f64; HALO_MASS_BINS] {
        self.hydrogen_fraction.map(|fraction| fraction * scale / RHO_CRITICAL)
    }

    /// The map in mK from halo maps in (M☉/h)/(Mpc/h)³.
    pub fn temperature(&self, halo_mass: &[&[f32]; HALO_MASS_BINS], scale: f64) -> Vec<f32> {
        let weights = self.weights(scale);
        (0..halo_mass[0].len())
            .map(|i| (0..HALO_MASS_BINS).map(|bin| weights[bin] * f64::from(halo_mass[bin][i])).sum::<f64>() as f32)
            .collect()
    }
}

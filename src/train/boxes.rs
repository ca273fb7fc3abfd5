//! Boxes as LODI's networks see them: with HALO's maps.

use burn::tensor::Device;

use super::data::Fields;
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{ExpectationConfig, ExpectationInput, Halo, Trained};
use crate::pipeline::HALO_MASS_BINS;

/// A box with what HALO tells LODI of it.
pub(super) struct SeenBox {
    pub fields: Fields,
    /// (M☉/h)/(Mpc/h)³.
    condition: [Grid; HALO_MASS_BINS],
}

impl SeenBox {
    /// Run HALO on a box.
    pub fn new(fields: &Fields, halo: &Trained<Halo>, device: &Device) -> Result<Self> {
        // LODI is told nothing that depends on chance.
        let input = halo.config.input(&fields.dark_matter, &fields.cosmology, 0);
        let condition = halo.config.run(&halo.network, &input, device)?.condition;
        Ok(Self { fields: fields.clone(), condition })
    }

    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.fields.dark_matter.n()
    }

    /// HALO's maps as LODI is told, (M☉/h)/(Mpc/h)³.
    pub fn halo_mass(&self) -> [&[f32]; HALO_MASS_BINS] {
        self.condition.each_ref().map(Grid::as_slice)
    }

    /// What the expected map is made from.
    pub fn input(&self, config: &ExpectationConfig) -> ExpectationInput {
        let Fields { dark_matter, cosmology, redshift, .. } = &self.fields;
        config.input(&self.halo_mass(), dark_matter, (cosmology, *redshift))
    }
}

//! Boxes as LODI's networks see them: with HALO's maps.

use burn::tensor::Device;

use super::data::Fields;
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{ExpectationConfig, ExpectationInput, Halo, Trained};
use crate::pipeline::HALO_MASS_BINS;

/// A box with HALO's maps of it.
pub(super) struct SeenBox {
    pub fields: Fields,
    /// (M☉/h)/(Mpc/h)³.
    seen: [Grid; HALO_MASS_BINS],
}

impl SeenBox {
    /// Run HALO on a box.
    pub fn new(fields: &Fields, halo: &Trained<Halo>, device: &Device) -> Result<Self> {
        let maps = halo.config.run(&halo.network, &fields.dark_matter, &fields.cosmology, device)?;
        let seen = halo.config.halo_mass_maps(maps, fields.dark_matter.box_size);
        Ok(Self { fields: fields.clone(), seen })
    }

    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.fields.dark_matter.n()
    }

    /// HALO's maps, (M☉/h)/(Mpc/h)³.
    pub fn halo_mass(&self) -> [&[f32]; HALO_MASS_BINS] {
        self.seen.each_ref().map(Grid::as_slice)
    }

    /// What the expected map is made from.
    pub fn input(&self, config: &ExpectationConfig) -> ExpectationInput {
        let Fields { dark_matter, cosmology, redshift, .. } = &self.fields;
        let scale = cosmology.brightness_temperature_scale(*redshift);
        config.input(dark_matter.n(), &self.halo_mass(), dark_matter.as_slice(), scale)
    }
}

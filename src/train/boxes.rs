//! Boxes as LODI's networks see them: with HALO's maps.

use burn::tensor::Tensor;

use super::data::{Split, TrainingBox, ValidationBox};
use crate::dataset::Fields;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::nn::Halo;
use crate::predict::{NoObserver, halo_maps};

/// A box with HALO's maps of it.
pub(super) struct HaloBox {
    pub fields: Fields,
    /// `[HALO_MASS_BINS, n, n, n]`, (M☉/h)/(Mpc/h)³.
    pub halo_mass: Tensor<4>,
}

impl HaloBox {
    /// Run HALO on a box.
    fn new(fields: &Fields, halo: &Halo, device: &ComputeDevice) -> Result<Self> {
        let halo_mass = halo_maps(&fields.dark_matter, halo, device, &mut NoObserver)?;
        Ok(Self { fields: fields.clone(), halo_mass })
    }
}

/// Run HALO on every box.
pub(super) fn with_halo_maps(
    (train, validation): (&[TrainingBox], &[ValidationBox]),
    halo: &Halo,
    device: &ComputeDevice,
) -> Result<Split<HaloBox>> {
    let train = train.iter().map(|b| HaloBox::new(b.fields(), halo, device)).collect::<Result<_>>()?;
    let validation = validation.iter().map(|b| HaloBox::new(b.fields(), halo, device)).collect::<Result<_>>()?;
    Ok(Split { train, validation })
}

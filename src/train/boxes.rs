//! Boxes as LODI's networks see them: with HALO's maps.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::data::{Fields, Split, TrainingBox, ValidationBox};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::nn::Halo;
use crate::predict::{DarkMatter, NoObserver, halo_maps};
use crate::sim::{HydrogenModel, Painter};

/// A box with HALO's maps of it.
pub(super) struct HaloBox {
    pub fields: Fields,
    pub dark_matter: DarkMatter,
    /// `[HALO_MASS_BINS, n, n, n]`, (M☉/h)/(Mpc/h)³.
    pub halo_mass: Tensor<4>,
}

impl HaloBox {
    /// Run HALO on a box.
    fn new(fields: &Fields, halo: &Halo, device: &ComputeDevice) -> Result<Self> {
        let dark_matter = fields.matter();
        let halo_mass = halo_maps(&dark_matter, halo, device, &mut NoObserver)?;
        Ok(Self { fields: fields.clone(), dark_matter, halo_mass })
    }

    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.dark_matter.density.n()
    }
}

/// Run HALO on every box, and make something of the haloes that its 21 cm map is painted on;
/// `make` is also given the number of the box.
pub(super) fn with_halo_maps<T: Send>(
    (train, validation): (&[TrainingBox], &[ValidationBox]),
    halo: &Halo,
    hydrogen: &HydrogenModel,
    device: &ComputeDevice,
    make: impl Fn(usize, &Painter) -> T + Sync,
) -> Result<Split<(HaloBox, T)>> {
    let of_train = train.iter().map(|b| (b.fields(), b.haloes()));
    let of_validation = validation.iter().map(|b| (b.fields(), b.haloes()));
    let boxes: Vec<_> = of_train.chain(of_validation).enumerate().collect();
    // Finding haloes takes longest, and one thread.
    let made = boxes
        .par_iter()
        .map(|(index, (_, haloes))| Ok(make(*index, &haloes.painter(hydrogen)?)))
        .collect::<Result<Vec<T>>>()?;
    let mut boxes = boxes
        .iter()
        .zip(made)
        .map(|((_, (fields, _)), made)| Ok((HaloBox::new(fields, halo, device)?, made)))
        .collect::<Result<Vec<_>>>()?;
    let validation = boxes.split_off(train.len());
    Ok(Split { train: boxes, validation })
}

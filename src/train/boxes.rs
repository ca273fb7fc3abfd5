//! Boxes as LODI's networks see them: with HALO's maps.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::data::{Split, TrainingBox, ValidationBox};
use crate::dataset::Fields;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::field::TileBox;
use crate::nn::Halo;
use crate::predict::{Observer, halo_maps};

/// A box with HALO's maps of it.
#[derive(Clone)]
pub(super) struct HaloBox {
    pub fields: Arc<Fields>,
    /// `[HALO_MASS_BINS, n, n, n]`, (M☉/h)/(Mpc/h)³.
    pub halo_mass: Tensor<4>,
}

/// Boxes that LODI's networks learn from and are selected by, with HALO's maps of them.
pub struct HaloBoxes(pub(super) Split<HaloBox>);

impl HaloBoxes {
    /// Run HALO on every box. `report` hears again and again how many are done and of how many, and
    /// returns whether to go on.
    ///
    /// # Errors
    /// Those of HALO, and [`Error::Cancelled`].
    pub fn new(
        (train, validation): (&[TrainingBox], &[ValidationBox]),
        halo: &Halo,
        device: &ComputeDevice,
        report: impl FnMut(usize, usize) -> bool,
    ) -> Result<Self> {
        let mut observer = Reporting { report, done: 0, of: train.len() + validation.len() };
        let mut maps = |fields: &Fields| {
            let halo_mass = halo_maps(&fields.dark_matter, halo, device, &mut observer)?;
            observer.done += 1;
            Ok(HaloBox { fields: Arc::new(fields.clone()), halo_mass })
        };
        let train = train.iter().map(|b| maps(b.fields())).collect::<Result<_>>()?;
        let validation = validation.iter().map(|b| maps(b.fields())).collect::<Result<_>>()?;
        Ok(Self(Split { train, validation }))
    }
}

/// Tells how many boxes are done.
struct Reporting<F> {
    report: F,
    done: usize,
    of: usize,
}

impl<F: FnMut(usize, usize) -> bool> Observer for Reporting<F> {
    fn working_on(&mut self, _: &[TileBox]) -> Result<()> {
        if (self.report)(self.done, self.of) { Ok(()) } else { Err(Error::Cancelled) }
    }
}

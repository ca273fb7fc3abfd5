//! How HALO's refinement learns.

use std::path::Path;

use burn::tensor::{Device, Tensor};

use super::data::{ChannelField, Draws, Split, TrainingBox, ValidationBox};
use super::descent::{Learned, Report, Task, TrainConfig, descend};
use super::halo::{halo_power, known_fractions};
use super::power::PowerRatio;
use super::voxels::{VOXELS, VoxelBox, Voxels};
use crate::dataset::Fields;
use crate::device::{ComputeDevice, host};
use crate::error::Result;
use crate::field::Grid;
use crate::nn::{HALO_CLASSES, Halo};
use crate::predict::coarse_halo_fractions;

/// What the refinement learns: to divide the matter of every voxel.
struct DivideVoxels<'a> {
    boxes: Split<VoxelBox>,
    /// The box whose maps are looked at whole.
    looked_at: Option<&'a Fields>,
    settings: &'a TrainConfig,
}

/// A box as the refinement learns from it: what the U-Net says and the dark matter, and the
/// fractions of the matter per class; drawn by its matter.
fn prepared(fields: &Fields, halo: &Halo, device: &ComputeDevice) -> Result<VoxelBox> {
    let matter = fields.dark_matter.density.as_slice();
    let fractions = known_fractions(fields)?.each_ref().map(Grid::as_slice).concat();
    let mut values = host(coarse_halo_fractions(&fields.dark_matter, halo, device)?)?;
    let density = &halo.config().features.dark_matter;
    values.extend(matter.iter().map(|&v| density.forward(v)));
    let [channels, targets] = [values, fractions].map(|values| ChannelField { n: fields.n(), values });
    Ok(VoxelBox::new(channels, targets, matter))
}

impl Task<Halo> for DivideVoxels<'_> {
    type Crop = Voxels;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<Voxels> {
        (0..self.settings.batch).map(|_| Voxels::draw(self.boxes.seen(validating), draws)).collect()
    }

    fn power(
        &self,
        halo: &Halo,
        device: &ComputeDevice,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        halo_power(self.looked_at, halo, device, report)
    }

    fn loss(&self, halo: &Halo, voxels: &[Voxels], device: &Device) -> Tensor<1> {
        let [shown, fractions, _] = Voxels::tensors(voxels, device);
        let coarse = shown.clone().narrow(1, 0, HALO_CLASSES);
        let log_probabilities = halo.refined(coarse, shown.narrow(1, HALO_CLASSES, 1));
        (log_probabilities * fractions).sum().neg() / (voxels.len() * VOXELS) as f64
    }
}

/// Train the refinement of `halo`, whose U-Net stays as it is: the objective of
/// [`super::train_halo`]. Voxels are drawn by their matter, one by one.
///
/// It sees no components: by their masses it would know every heavy halo that it learned from.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for a box whose haloes are unknown, those of running
/// HALO and of the state in `folder`.
pub fn train_refinement(
    (boxes, validation): (&[TrainingBox], &[ValidationBox]),
    halo: Halo,
    settings: &TrainConfig,
    device: &ComputeDevice,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Learned<Halo>> {
    let looked_at = validation.first().map(ValidationBox::fields);
    let all = |fields: Vec<&Fields>| fields.into_iter().map(|f| prepared(f, &halo, device)).collect::<Result<Vec<_>>>();
    let boxes = Split {
        train: all(boxes.iter().map(TrainingBox::fields).collect())?,
        validation: all(validation.iter().map(ValidationBox::fields).collect())?,
    };
    let task = DivideVoxels { boxes, looked_at, settings };
    device.burn.seed(settings.seed);
    descend(halo, &task, settings, device, folder, report)
}

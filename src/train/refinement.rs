//! How HALO's refinement learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use super::data::{CubeSymmetry, Draws, Fields, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::halo::halo_power;
use super::importance::ByWeight;
use super::power::PowerRatio;
use crate::error::Result;
use crate::nn::{HALO_CLASSES, Halo, HaloConfig, Refinement};
use crate::stitch::ChannelField;

/// Voxels that are drawn and shown together: what [`Fit::batch`] counts.
const VOXELS: usize = 512;
/// Voxels per axis of what the refinement sees of one.
const SIDE: usize = 2 * Refinement::REACH + 1;

/// A box as the refinement learns from it.
struct Prepared {
    /// What the U-Net says, and what it saw.
    channels: ChannelField,
    /// Fractions of the matter per class.
    fractions: [Vec<f32>; HALO_CLASSES],
    by_matter: ByWeight,
}

impl Prepared {
    fn new(fields: &Fields, (halo, config): (&Halo, &HaloConfig), device: &Device) -> Result<Self> {
        let mut channels = config.seen(&fields.dark_matter, &fields.cosmology);
        let mut values = config.run_coarse(halo, &channels, device)?.concat();
        values.append(&mut channels.values);
        Ok(Self {
            channels: ChannelField { values, ..channels },
            fractions: fields.halo_fractions().each_ref().map(|grid| grid.as_slice().to_vec()),
            by_matter: ByWeight::new(fields.dark_matter.as_slice()),
        })
    }
}

/// What the refinement learns: to divide the matter of every voxel.
struct DivideVoxels<'a> {
    train: Vec<Prepared>,
    validation: Vec<Prepared>,
    /// The box whose maps are looked at whole.
    looked_at: Option<&'a Fields>,
    config: &'a HaloConfig,
    fit: &'a Fit,
}

/// Voxels with their neighbours, `[VOXELS, channels, SIDE, SIDE, SIDE]`, and their
/// fractions.
struct Voxels {
    channels: Vec<f32>,
    fractions: Vec<f32>,
}

impl Task<Halo> for DivideVoxels<'_> {
    type Crop = Voxels;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<Voxels> {
        let boxes = if validating && !self.validation.is_empty() { &self.validation } else { &self.train };
        let mut draw = |_| {
            let mut drawn = Voxels { channels: Vec::new(), fractions: Vec::new() };
            let mut window = Vec::new();
            for _ in 0..VOXELS {
                let [which, high, low, turned] = draws.words();
                let from = &boxes[((u64::from(which) * boxes.len() as u64) >> 32) as usize];
                let (n, voxel) = (from.channels.n, from.by_matter.voxel([high, low]));
                let corner = |at: usize| (at + n - Refinement::REACH) % n;
                let origin = [corner(voxel / n / n), corner(voxel / n % n), corner(voxel % n)];
                window.clear();
                from.channels.gather(origin, SIDE, &mut window);
                let symmetry = CubeSymmetry::random(turned);
                window.chunks(SIDE.pow(3)).for_each(|cube| drawn.channels.extend(symmetry.apply(cube, SIDE)));
                drawn.fractions.extend(from.fractions.iter().map(|class| class[voxel]));
            }
            drawn
        };
        (0..self.fit.batch).map(&mut draw).collect()
    }

    fn power(
        &self,
        halo: &Halo,
        device: &Device,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        halo_power(self.looked_at, (halo, self.config), self.fit.seed, device, report)
    }

    fn loss(&self, halo: &Halo, voxels: &[Voxels], device: &Device) -> Tensor<1> {
        let count = voxels.len() * VOXELS;
        let channels = HALO_CLASSES + 1 + self.config.regions.len();
        let tensor = |field: fn(&Voxels) -> &[f32], channels: usize, side: usize| {
            let values = voxels.iter().flat_map(|v| field(v).iter().copied()).collect::<Vec<f32>>();
            Tensor::<5>::from_data(TensorData::new(values, [count, channels, side, side, side]), device)
        };
        let shown = tensor(|v| &v.channels, channels, SIDE);
        let coarse = shown.clone().narrow(1, 0, HALO_CLASSES);
        let seen = shown.narrow(1, HALO_CLASSES, channels - HALO_CLASSES);
        let fractions = tensor(|v| &v.fractions, HALO_CLASSES, 1);
        (halo.refined(coarse, seen) * fractions).sum().neg() / count as f64
    }
}

/// Fit the refinement of `halo`, whose U-Net stays as it is: the objective of
/// [`super::train_halo`]. Voxels are drawn by their matter, one by one. Half of the matter
/// lies in two voxels of a hundred, so a crop shows little of it, and all of that of a few
/// haloes.
///
/// # Errors
/// Those of running HALO and of the state in `folder`.
pub fn train_refinement(
    (boxes, validation): (&[TrainingBox], &[ValidationBox]),
    (halo, config): (Halo, &HaloConfig),
    fit: &Fit,
    device: &Device,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Fitted<Halo>> {
    let looked_at = validation.first().map(ValidationBox::fields);
    let prepared = |fields: Vec<&Fields>| {
        fields.into_iter().map(|f| Prepared::new(f, (&halo, config), device)).collect::<Result<Vec<_>>>()
    };
    let task = DivideVoxels {
        train: prepared(boxes.iter().map(TrainingBox::fields).collect())?,
        validation: prepared(validation.iter().map(ValidationBox::fields).collect())?,
        looked_at,
        config,
        fit,
    };
    device.seed(fit.seed);
    descend((halo, config), &task, fit, device, folder, report)
}

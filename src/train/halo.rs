//! How HALO learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use super::data::{Draws, Fields, Split, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, Task, descend};
use super::power::PowerRatio;
use crate::error::{Error, Result};
use crate::evaluate::K_HALOES;
use crate::field::{Grid, LogTransform};
use crate::nn::{Decision, HALO_CLASSES, Halo, HaloConfig, RegionTransform, UNetConfig, Weighing};
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::HALO_MASS_EDGES;
use crate::stitch::{ChannelField, NoiseColour};

/// Voxels at a crop's faces that the loss leaves out: the radius of a large halo.
const EDGE: usize = 4;

/// How it is correlated where haloes lie that HALO cannot see: over the voxels that mass
/// assignment spreads one to.
const CHANCE: NoiseColour = NoiseColour { smooth: 0.9, radius: 0.8 };

/// How networks see regions by default. Friends-of-friends groups are about those of the
/// middle density; what it joins the highest takes apart.
pub(super) fn regions() -> RegionTransform {
    RegionTransform {
        thresholds: vec![30.0, 60.0, 150.0],
        // From nothing to a heavy halo, about a unit normal in matter.
        mass: LogTransform { floor: 1e9, offset: 10.5, scale: 1.5 },
        distance: LogTransform { floor: 0.2, offset: 0.0, scale: 0.4 },
    }
}

/// HALO as it is trained by default: two resolutions behind a 2³ stem.
pub fn halo_config(boxes: &[TrainingBox]) -> HaloConfig {
    let fields = || boxes.iter().map(TrainingBox::fields);
    let regions = regions();
    HaloConfig {
        net: UNetConfig::new(1 + regions.channels(), HALO_CLASSES, vec![32, 64]),
        refinement: 64,
        tile: 32,
        context: 8,
        voxel: boxes[0].fields().dark_matter.voxel(),
        dark_matter: LogTransform::standardised(fields().map(|b| &b.dark_matter), 0.05),
        regions,
        weighing: Weighing::FRIENDS_OF_FRIENDS,
        mass_edges: HALO_MASS_EDGES,
        // A hundredth of the mean matter density: far below any halo's edge.
        halo_mass: std::array::from_fn(|bin| LogTransform::standardised(fields().map(|b| &b.halo_mass[bin]), 1e9)),
        decision: Decision::default(),
        condition: Decision::default(),
        chance: CHANCE,
    }
}

/// A box as HALO learns from it, `n³` values a field.
struct Prepared {
    /// The U-Net's input.
    seen: ChannelField,
    /// `1 + δ`.
    matter: Vec<f32>,
    /// Fractions of the matter per class.
    fractions: [Vec<f32>; HALO_CLASSES],
}

impl Prepared {
    fn new(fields: &Fields, config: &HaloConfig) -> Self {
        let values = |grid: &Grid| grid.as_slice().to_vec();
        Self {
            seen: config.seen(&fields.dark_matter, &fields.cosmology),
            matter: values(&fields.dark_matter),
            fractions: fields.halo_fractions().each_ref().map(values),
        }
    }
}

/// What HALO learns: to divide the matter of every voxel.
struct DivideMatter<'a> {
    boxes: Split<Prepared>,
    /// The box whose maps are looked at whole.
    looked_at: Option<&'a Fields>,
    config: &'a HaloConfig,
    /// Mean matter of a voxel of the training boxes.
    mean_matter: f64,
    fit: &'a Fit,
}

/// A crop of HALO's: the network's input, the matter and its fractions.
struct HaloCrop {
    seen: Vec<f32>,
    matter: Vec<f32>,
    fractions: Vec<f32>,
}

impl Task<Halo> for DivideMatter<'_> {
    type Crop = HaloCrop;

    fn draw(&self, draws: &mut Draws, validating: bool) -> Vec<HaloCrop> {
        let boxes = self.boxes.seen(validating);
        let mut cut = |_| {
            let crop = draws.crop(boxes.len(), boxes[0].seen.n);
            let from = &boxes[crop.index];
            let cut = |fields: &[&[f32]]| {
                let mut values = Vec::new();
                crop.cut(fields, from.seen.n, self.fit.crop, &mut values);
                values
            };
            HaloCrop {
                seen: cut(&from.seen.each().collect::<Vec<_>>()),
                matter: cut(&[&from.matter]),
                fractions: cut(&from.fractions.each_ref().map(Vec::as_slice)),
            }
        };
        (0..self.fit.batch).map(&mut cut).collect()
    }

    fn power(
        &self,
        halo: &Halo,
        device: &Device,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        halo_power(self.looked_at, (halo, self.config), self.fit.seed, device, report)
    }

    fn loss(&self, halo: &Halo, crops: &[HaloCrop], device: &Device) -> Tensor<1> {
        let (count, side) = (crops.len(), self.fit.crop);
        // Where the surroundings are cut off, nobody could say what is a halo.
        let inside = EDGE..side - EDGE;
        let tensor = |field: fn(&HaloCrop) -> &[f32], channels: usize| {
            let values = crops.iter().flat_map(|crop| field(crop).iter().copied()).collect::<Vec<f32>>();
            Tensor::<5>::from_data(TensorData::new(values, [count, channels, side, side, side]), device)
        };
        let kept = |channels: usize| [0..count, 0..channels, inside.clone(), inside.clone(), inside.clone()];
        let log_probabilities = halo.coarse(tensor(|crop| &crop.seen, self.config.net.input)).slice(kept(HALO_CLASSES));
        let matter = tensor(|crop| &crop.matter, 1).slice(kept(1));
        let fractions = tensor(|crop| &crop.fractions, HALO_CLASSES).slice(kept(HALO_CLASSES));
        let entropy = (log_probabilities * fractions).sum_dim(1).neg();
        let voxels = (count * inside.len().pow(3)) as f64;
        (entropy * matter).sum() / (voxels * self.mean_matter)
    }
}

/// The power of every halo map of a box over that of the truth's.
pub(super) fn halo_power(
    looked_at: Option<&Fields>,
    (halo, config): (&Halo, &HaloConfig),
    seed: u64,
    device: &Device,
    report: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<PowerRatio>> {
    let Some(fields) = looked_at else { return Ok(Vec::new()) };
    if !report(0, HALO_MASS_BINS) {
        return Err(Error::Cancelled);
    }
    let input = config.input(&fields.dark_matter, &fields.cosmology, seed);
    let maps = config.run(halo, &input, device)?.halo_mass;
    Ok((0..HALO_MASS_BINS)
        .map(|bin| {
            let truth = std::slice::from_ref(&fields.halo_mass[bin]);
            PowerRatio::new(format!("halo mass, bin {}", bin + 1), &maps[bin], truth, K_HALOES)
        })
        .collect())
}

/// Fit HALO's U-Net: the cross-entropy between the fractions it predicts and those that
/// are, each voxel weighted by its matter. It is least where every prediction is
/// the expected fraction, and there the total mass of every bin is that of the
/// training boxes.
///
/// # Errors
/// Those of the state in `folder`.
pub fn train_halo(
    (boxes, validation): (&[TrainingBox], &[ValidationBox]),
    config: &HaloConfig,
    start: Option<Halo>,
    fit: &Fit,
    device: &Device,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Fitted<Halo>> {
    let looked_at = validation.first().map(ValidationBox::fields);
    let train: Vec<Prepared> = boxes.iter().map(|b| Prepared::new(b.fields(), config)).collect();
    let validation = validation.iter().map(|b| Prepared::new(b.fields(), config)).collect();
    let mean_matter = boxes.iter().map(|b| b.fields().dark_matter.mean()).sum::<f64>() / boxes.len() as f64;
    device.seed(fit.seed);
    let network = start.unwrap_or_else(|| config.init(device));
    let task = DivideMatter { boxes: Split { train, validation }, looked_at, config, mean_matter, fit };
    descend((network, config), &task, fit, device, folder, report)
}

const _: () = assert!(HALO_CLASSES == HALO_MASS_BINS + 1);

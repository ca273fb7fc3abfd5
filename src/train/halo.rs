//! How HALO learns.

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};

use super::data::{ChannelField, Draws, Split, TrainingBox, ValidationBox};
use super::descent::{Learned, Report, Task, TrainConfig, descend};
use super::power::PowerRatio;
use crate::dataset::Fields;
use crate::device::{ComputeDevice, host};
use crate::error::{Error, Result};
use crate::field::{Grid, HALO_MASS_BINS, LogTransform};
use crate::nn::{FeatureConfig, HALO_CLASSES, Halo, HaloConfig, UNetConfig};
use crate::predict::{NoObserver, halo_maps};
use crate::sim::HALO_MASS_EDGES;
use crate::stats::K_HALOES;

/// Voxels at a crop's faces that the loss leaves out: the radius of a large halo.
const EDGE: usize = 4;

/// What networks see of the dark matter by default. Friends-of-friends groups are about the
/// components of the middle density; what it joins the highest takes apart.
pub(super) fn features(boxes: &[TrainingBox]) -> FeatureConfig {
    FeatureConfig {
        dark_matter: LogTransform::standardised(boxes.iter().map(|b| &b.fields().dark_matter.density), 0.05),
        thresholds: vec![30.0, 60.0, 150.0],
        // From nothing to a heavy halo, about a unit normal in matter.
        mass: LogTransform { floor: 1e9, offset: 10.5, scale: 1.5 },
        distance: LogTransform { floor: 0.2, offset: 0.0, scale: 0.4 },
        smoothing: Vec::new(),
        smoothed: LogTransform { floor: 0.05, offset: 0.0, scale: 0.5 },
        // A halo is what is denser than the mean by the same factor at all times.
        redshift: false,
    }
}

/// HALO as it is trained by default: two resolutions behind a 2³ stem.
pub fn halo_config(boxes: &[TrainingBox]) -> HaloConfig {
    let features = features(boxes);
    HaloConfig {
        net: UNetConfig::new(features.channels(), HALO_CLASSES, vec![32, 64]),
        refinement: 64,
        tile: 32,
        context: 8,
        voxel: boxes[0].fields().dark_matter.density.voxel(),
        features,
        mass_edges: HALO_MASS_EDGES,
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
    fn new(fields: &Fields, config: &HaloConfig) -> Result<Self> {
        let values = |grid: &Grid| grid.as_slice().to_vec();
        Ok(Self {
            seen: ChannelField { n: fields.n(), values: config.features.of(&fields.dark_matter) },
            matter: values(&fields.dark_matter.density),
            fractions: known_fractions(fields)?.each_ref().map(values),
        })
    }
}

/// The fractions of the matter per class, of a box whose haloes are known.
pub(super) fn known_fractions(fields: &Fields) -> Result<[Grid; HALO_CLASSES]> {
    fields.halo_fractions().ok_or_else(|| {
        Error::setting(
            "boxes whose haloes are unknown",
            "halo maps in every box that HALO learns from",
            "Give pairs a snapshot of the dark matter or a halo catalogue, or keep HALO's shipped weights",
        )
    })
}

/// What HALO learns: to divide the matter of every voxel.
struct DivideMatter<'a> {
    boxes: Split<Prepared>,
    /// The box whose maps are looked at whole.
    looked_at: Option<&'a Fields>,
    /// Mean matter of a voxel of the training boxes.
    mean_matter: f64,
    settings: &'a TrainConfig,
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
                crop.cut(fields, from.seen.n, self.settings.crop, &mut values);
                values
            };
            HaloCrop {
                seen: cut(&from.seen.each().collect::<Vec<_>>()),
                matter: cut(&[&from.matter]),
                fractions: cut(&from.fractions.each_ref().map(Vec::as_slice)),
            }
        };
        (0..self.settings.batch).map(&mut cut).collect()
    }

    fn power(
        &self,
        halo: &Halo,
        device: &ComputeDevice,
        report: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<PowerRatio>> {
        halo_power(self.looked_at, halo, device, report)
    }

    fn loss(&self, halo: &Halo, crops: &[HaloCrop], device: &Device) -> Tensor<1> {
        let (count, side) = (crops.len(), self.settings.crop);
        // Where the surroundings are cut off, nobody could say what is a halo.
        let inside = EDGE..side - EDGE;
        let tensor = |field: fn(&HaloCrop) -> &[f32], channels: usize| {
            let values = crops.iter().flat_map(|crop| field(crop).iter().copied()).collect::<Vec<f32>>();
            Tensor::<5>::from_data(TensorData::new(values, [count, channels, side, side, side]), device)
        };
        let kept = |channels: usize| [0..count, 0..channels, inside.clone(), inside.clone(), inside.clone()];
        let log_probabilities =
            halo.coarse(tensor(|crop| &crop.seen, halo.config().net.input)).slice(kept(HALO_CLASSES));
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
    halo: &Halo,
    device: &ComputeDevice,
    report: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<PowerRatio>> {
    let Some((fields, truth)) = looked_at.and_then(|fields| Some((fields, fields.halo_mass.as_ref()?))) else {
        return Ok(Vec::new());
    };
    if !report(0, HALO_MASS_BINS) {
        return Err(Error::Cancelled);
    }
    let values = host(halo_maps(&fields.dark_matter, halo, device, &mut NoObserver)?)?;
    let ratio = |(bin, map): (usize, &[f32])| {
        let map = Grid::from_values(map.to_vec(), fields.dark_matter.density.box_size);
        PowerRatio::new(format!("halo mass, bin {}", bin + 1), &map, &truth[bin], K_HALOES)
    };
    Ok(values.chunks(fields.n().pow(3)).enumerate().map(ratio).collect())
}

/// Train HALO's U-Net: the cross-entropy between the fractions it predicts and those that
/// are, each voxel weighted by its matter. It is least where every prediction is
/// the expected fraction, and there the total mass of every bin is that of the
/// training boxes.
///
/// # Errors
/// [`Error::Setting`] for a box whose haloes are unknown, and those of the state in `folder`.
pub fn train_halo(
    (boxes, validation): (&[TrainingBox], &[ValidationBox]),
    halo: Halo,
    settings: &TrainConfig,
    device: &ComputeDevice,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Learned<Halo>> {
    let looked_at = validation.first().map(ValidationBox::fields);
    let config = halo.config();
    let train = boxes.iter().map(|b| Prepared::new(b.fields(), config)).collect::<Result<Vec<_>>>()?;
    let validation = validation.iter().map(|b| Prepared::new(b.fields(), config)).collect::<Result<_>>()?;
    let mean_matter = boxes.iter().map(|b| b.fields().dark_matter.density.mean()).sum::<f64>() / boxes.len() as f64;
    let task = DivideMatter { boxes: Split { train, validation }, looked_at, mean_matter, settings };
    descend(halo, &task, settings, device, folder, report)
}

const _: () = assert!(HALO_CLASSES == HALO_MASS_BINS + 1);

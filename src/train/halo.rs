//! How HALO learns.

use std::path::Path;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::data::{Fields, TrainingBox, ValidationBox};
use super::fit::{Fit, Fitted, Report, descend};
use super::lodi::standardised;
use crate::error::Result;
use crate::nn::{HALO_CLASSES, Halo, HaloConfig, UNetConfig};
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::HALO_MASS_EDGES;

/// Voxels at a crop's faces that the loss leaves out: the radius of a large halo.
const EDGE: usize = 4;

/// HALO as it is trained by default: two resolutions behind a 2³ stem.
pub fn halo_config(boxes: &[TrainingBox]) -> HaloConfig {
    let fields = || boxes.iter().map(TrainingBox::fields);
    HaloConfig {
        net: UNetConfig::new(1, HALO_CLASSES, vec![32, 64]),
        tile: 32,
        context: 8,
        voxel: boxes[0].fields().dark_matter.voxel(),
        dark_matter: standardised(fields().map(|b| &b.dark_matter), 0.05),
        mass_edges: HALO_MASS_EDGES,
        // A hundredth of the mean matter density: far below any halo's edge.
        halo_mass: std::array::from_fn(|bin| standardised(fields().map(|b| &b.halo_mass[bin]), 1e9)),
    }
}

/// A box as HALO learns from it, `n³` values a field.
struct Prepared {
    n: usize,
    /// The network's input.
    input: Vec<f32>,
    /// How much each voxel counts.
    weight: Vec<f32>,
    /// Fractions of the matter per class.
    fractions: [Vec<f32>; HALO_CLASSES],
}

impl Prepared {
    fn new(fields: &Fields, config: &HaloConfig) -> Self {
        let values = |grid: &crate::field::Grid| grid.as_slice().to_vec();
        Self {
            n: fields.dark_matter.n(),
            input: fields.dark_matter.as_slice().iter().map(|&v| config.dark_matter.forward(v)).collect(),
            weight: fields.dark_matter.as_slice().iter().map(|&v| weight(v)).collect(),
            fractions: fields.halo_fractions().each_ref().map(values),
        }
    }
}

/// Fit HALO: the cross-entropy between the fractions it predicts and those that
/// are, each voxel weighted by its matter. It is least where every prediction is
/// the expected fraction, so total masses come out unbiased.
///
/// # Errors
/// Those of the state in `folder`.
pub fn train_halo(
    boxes: &[TrainingBox],
    validation: &[ValidationBox],
    config: &HaloConfig,
    start: Option<Halo>,
    fit: &Fit,
    device: &Device,
    folder: &Path,
    report: impl FnMut(Report) -> bool,
) -> Result<Fitted<Halo>> {
    let boxes: Vec<Prepared> = boxes.iter().map(|b| Prepared::new(b.fields(), config)).collect();
    let validation: Vec<Prepared> = validation.iter().map(|b| Prepared::new(b.fields(), config)).collect();
    let side = fit.crop;
    // Where the surroundings are cut off, nobody could say what is a halo.
    let inside = EDGE..side - EDGE;
    device.seed(fit.seed);
    let network = start.unwrap_or_else(|| config.init(device));
    descend((network, config), fit, device, folder, report, |halo, draws, device, validating| {
        let boxes = if validating && !validation.is_empty() { &validation } else { &boxes };
        let (mut x, mut weight, mut y) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..fit.batch {
            let crop = draws.crop(boxes.len(), boxes[0].n);
            let from = &boxes[crop.index];
            crop.cut(&[&from.input], from.n, side, &mut x);
            crop.cut(&[&from.weight], from.n, side, &mut weight);
            crop.cut(&from.fractions.each_ref().map(Vec::as_slice), from.n, side, &mut y);
        }
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [fit.batch, channels, side, side, side]), device)
        };
        let kept = |channels: usize| [0..fit.batch, 0..channels, inside.clone(), inside.clone(), inside.clone()];
        let logits = halo.logits(tensor(x, 1)).slice(kept(HALO_CLASSES));
        let weight = tensor(weight, 1).slice(kept(1));
        let total = weight.clone().sum();
        let entropy = log_softmax(logits, 1) * tensor(y, HALO_CLASSES).slice(kept(HALO_CLASSES));
        (entropy.sum_dim(1) * weight).sum().neg() / total
    })
}

/// The weight of a voxel with `1 + δ` in the loss: its matter, and a little more
/// where it is densest, because a map's power goes as its square. It depends on
/// nothing but HALO's input, so it shifts no expectation.
fn weight(matter: f32) -> f32 {
    matter.max(0.0).powf(1.25)
}

const _: () = assert!(HALO_CLASSES == HALO_MASS_BINS + 1);

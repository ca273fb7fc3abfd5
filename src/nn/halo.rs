//! HALO: halo mass density maps from a dark-matter field.
//!
//! The network says how probable it is that matter lies in a halo of each mass bin. A
//! [`Decision`] makes maps of that, and there are two of them: the maps that HALO paints,
//! in which haloes too small to see lie where chance puts them, and the maps that LODI
//! is told, in which nothing is left to chance.

use burn::module::Module;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::linking::Weighing;
use super::unet::{UNet, UNetConfig};
use super::voxelwise::{RegionTransform, Voxelwise};
use super::whole_box::{Tile, inner, tile_by_tile};
use crate::error::Result;
use crate::field::{Cosmology, Grid, LogTransform};
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::{ChannelField, Colouring, Lattice, NoiseColour, Overlap, Stream, gather};

/// Classes that HALO's network divides the matter of a voxel into: haloes of each mass
/// bin, and what is in none.
pub const HALO_CLASSES: usize = HALO_MASS_BINS + 1;
/// Classes that a [`Decision`] is about: haloes of each of the lighter bins, those of the two
/// heaviest together, which [`Weighing`] tells apart, and what is in none.
pub const DECIDED_CLASSES: usize = HALO_CLASSES - 1;

/// The first of the two heaviest bins, and the class of both.
pub const HEAVY: usize = HALO_MASS_BINS - 2;

/// What defines a HALO network besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaloConfig {
    /// The U-Net: [`HaloInput::seen`] in, [`HALO_CLASSES`] out.
    pub net: UNetConfig,
    /// Feature maps of the refinement behind it.
    pub refinement: usize,
    /// Voxels per axis whose output is kept (see [`HaloConfig::context`]).
    pub tile: usize,
    /// Voxels around a tile, on every side, that the network sees beyond it.
    pub context: usize,
    /// Voxel side it was trained at, Mpc/h.
    pub voxel: f64,
    /// From `1 + δ` to the network's input.
    pub dark_matter: LogTransform,
    /// How the networks see the overdense regions.
    pub regions: RegionTransform,
    /// How the two heaviest bins are told apart.
    pub weighing: Weighing,
    /// Edges of the halo mass bins in M☉/h, ascending, one more than bins; the
    /// last bin has no upper edge (its upper value is kept for the record).
    pub mass_edges: [f64; HALO_MASS_BINS + 1],
    /// From halo mass density in (M☉/h)/(Mpc/h)³ to what the screen shows.
    pub halo_mass: [LogTransform; HALO_MASS_BINS],
    /// How the network's probabilities become the halo maps.
    pub decision: Decision,
    /// How they become the maps that LODI is told: without [`Decision::scatter`], so
    /// that what LODI expects depends on the dark matter alone.
    pub condition: Decision,
    /// How the chance of [`Decision::scatter`] is correlated.
    pub chance: NoiseColour,
}

/// How probabilities of the [`DECIDED_CLASSES`] become fractions of the matter:
/// `f_c ∝ p_c^sharpness · e^(bias + scatter · g)` with a field `g` of unit normals
/// ([`HaloConfig::input`]).
///
/// A probability is the expected fraction, the estimate of least squared error,
/// and an expectation is smoother than the truth: a map of it lacks `1 − r²` of
/// the power. Sharper fractions have the power of the truth, and the biases keep
/// every bin's mass.
///
/// That holds for haloes that can be seen. Those smaller than a voxel lie in one voxel or
/// the next by chance. Sharper fractions put them all where they are likeliest: there is
/// too much power on small scales then and too little on large ones, where the
/// probabilities were right. Scatter is that chance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Exponent per class.
    pub sharpness: [f64; DECIDED_CLASSES],
    /// Logarithm of the weight per class.
    pub bias: [f64; DECIDED_CLASSES],
    /// Deviation of that logarithm per class.
    pub scatter: [f64; DECIDED_CLASSES],
}

impl Decision {
    /// Logarithms of the fractions, not normalised, of one voxel with its
    /// `log_probabilities` and its `chance`.
    pub fn logits(&self, log_probabilities: [f64; DECIDED_CLASSES], chance: f64) -> [f64; DECIDED_CLASSES] {
        std::array::from_fn(|c| self.sharpness[c] * log_probabilities[c] + self.bias[c] + self.scatter[c] * chance)
    }
}

impl Default for Decision {
    /// Fractions are the probabilities.
    fn default() -> Self {
        Self { sharpness: [1.0; DECIDED_CLASSES], bias: [0.0; DECIDED_CLASSES], scatter: [0.0; DECIDED_CLASSES] }
    }
}

/// A box as HALO sees it.
pub struct HaloInput<'a> {
    /// `1 + δ`.
    pub dark_matter: &'a Grid,
    /// What HALO sees: the transformed dark matter and the regions that a voxel lies in.
    pub seen: ChannelField,
    /// The probability that the halo of a voxel belongs to the heaviest bin, 0 where matter is
    /// too thin ([`Weighing::heavier`]).
    pub heaviest: Vec<f32>,
    /// Mean matter density, (M☉/h)/(Mpc/h)³.
    pub mean_density: f64,
    /// Unit normals, one a voxel: the field `g` of [`Decision`].
    pub chance: Vec<f32>,
}

/// What HALO makes of a box, in (M☉/h)/(Mpc/h)³.
pub struct HaloMaps {
    /// The halo mass of every bin, as HALO paints it.
    pub halo_mass: [Grid; HALO_MASS_BINS],
    /// The same as LODI is told.
    pub condition: [Grid; HALO_MASS_BINS],
}

impl HaloConfig {
    /// A network with fresh weights.
    pub fn init(&self, device: &Device) -> Halo {
        let refinement = [HALO_CLASSES + 1, self.refinement, HALO_CLASSES];
        Halo { net: self.net.init(device), refinement: Voxelwise::new(refinement, device) }
    }

    /// The tiles of a box of `n³` voxels; they do not overlap, and each is seen
    /// with its context.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a grid that no tile divides.
    pub fn lattice(&self, n: usize) -> Result<Lattice> {
        Lattice::new(n, self.tile, self.net.multiple(), Overlap::Naive)
    }

    /// A box with `dark_matter` `1 + δ` as HALO sees it; chance is drawn from `seed`.
    pub fn input<'a>(&self, dark_matter: &'a Grid, cosmology: &Cosmology, seed: u64) -> HaloInput<'a> {
        HaloInput {
            dark_matter,
            seen: self.seen(dark_matter, cosmology),
            heaviest: self.weighing.heavier(self.mass_edges[HALO_MASS_BINS - 1], dark_matter, cosmology),
            mean_density: cosmology.mean_matter_density(),
            chance: Colouring::new(self.chance, dark_matter.n()).draw(seed, Stream::Haloes),
        }
    }

    /// [`HaloInput::seen`] of a box with `dark_matter` `1 + δ`.
    pub fn seen(&self, dark_matter: &Grid, cosmology: &Cosmology) -> ChannelField {
        let mut values: Vec<f32> = dark_matter.as_slice().iter().map(|&v| self.dark_matter.forward(v)).collect();
        values.append(&mut self.regions.forward(dark_matter, cosmology));
        ChannelField { n: dark_matter.n(), values }
    }

    /// Run HALO on one tile of `side³` voxels: transformed maps
    /// `[1, 2 · HALO_MASS_BINS, side, side, side]`, the halo maps and then those that
    /// LODI is told.
    ///
    /// A halo map is HALO's fraction of the matter that is there, so mass is
    /// neither made nor lost.
    pub fn run_tile(&self, halo: &Halo, input: &HaloInput, tile: Tile, device: &Device) -> Tensor<5> {
        let per_class = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            Tensor::<1>::from_floats(values.as_slice(), device).reshape([1, values.len(), 1, 1, 1])
        };
        let side = tile.side;
        let inside = |field: &[f32]| {
            let mut values = Vec::with_capacity(side.pow(3));
            gather(field, input.dark_matter.n(), tile.origin, side, &mut values);
            Tensor::<5>::from_data(TensorData::new(values, [1, 1, side, side, side]), device)
        };
        let (matter, chance) = (inside(input.dark_matter.as_slice()) * input.mean_density, inside(&input.chance));
        let log_probabilities = self.log_probabilities(halo, &input.seen, tile, device);
        let per_bin = |f: fn(&LogTransform) -> f64| per_class(&self.halo_mass.each_ref().map(f));
        let heaviest = inside(&input.heaviest);
        let maps = [&self.decision, &self.condition].map(|decision| {
            let decided = log_probabilities.clone() * per_class(&decision.sharpness)
                + per_class(&decision.bias)
                + chance.clone() * per_class(&decision.scatter);
            let fractions = softmax(decided, 1);
            let heavy = fractions.clone().narrow(1, HEAVY, 1);
            let heaviest = heavy.clone() * heaviest.clone();
            let fractions = Tensor::cat(vec![fractions.narrow(1, 0, HEAVY), heavy - heaviest.clone(), heaviest], 1);
            let decades = (fractions * matter.clone() + per_bin(|t| t.floor)).log() * std::f64::consts::LOG10_E;
            (decades - per_bin(|t| t.offset)) / per_bin(|t| t.scale)
        });
        Tensor::cat(maps.to_vec(), 1)
    }

    /// The logarithms of the probabilities of the classes that are decided on, on one tile, seen
    /// with its context: `[1, DECIDED_CLASSES, side, side, side]`.
    fn log_probabilities(&self, halo: &Halo, seen: &ChannelField, tile: Tile, device: &Device) -> Tensor<5> {
        let (window, context) = self.window(seen, tile, device);
        let near = |x: Tensor<5>| inner(x, context - Voxelwise::REACH);
        heavy_together(halo.refined(near(halo.coarse(window.clone())), near(window.narrow(1, 0, 1))))
    }

    /// What HALO sees of a tile and its context, and how many voxels that is.
    fn window(&self, seen: &ChannelField, tile: Tile, device: &Device) -> (Tensor<5>, usize) {
        let context = self.net.rounded_up(self.context.max(Voxelwise::REACH));
        let Tile { origin, side } = tile.surrounded(context, seen.n);
        let channels = seen.channels();
        let mut window = Vec::with_capacity(channels * side.pow(3));
        seen.gather(origin, side, &mut window);
        let shape = [1, channels, side, side, side];
        (Tensor::<5>::from_data(TensorData::new(window, shape), device), context)
    }

    /// Run HALO on a whole box.
    ///
    /// # Errors
    /// As [`HaloConfig::lattice`], and of reading the result back.
    pub fn run(&self, halo: &Halo, input: &HaloInput, device: &Device) -> Result<HaloMaps> {
        let n = input.dark_matter.n();
        let run_tile = |tile| self.run_tile(halo, input, tile, device);
        let maps = tile_by_tile(&self.lattice(n)?, 2 * HALO_MASS_BINS, n, device, run_tile)?;
        Ok(self.maps(maps, input.dark_matter.box_size))
    }

    /// The maps of a box of `box_size` Mpc/h from what [`HaloConfig::run_tile`] makes of
    /// its tiles, `n³` values a map.
    pub fn maps(&self, transformed: Vec<Vec<f32>>, box_size: f64) -> HaloMaps {
        let mut transformed = transformed.into_iter();
        let mut next = |transform: LogTransform| {
            let values = transformed.next().expect("two maps per bin");
            Grid::from_values(values, box_size).map(|v| transform.inverse(v))
        };
        HaloMaps { halo_mass: self.halo_mass.map(&mut next), condition: self.halo_mass.map(&mut next) }
    }

    /// The logarithms of the probabilities of the classes that are decided on in a whole box, `n³`
    /// values a class: what [`Decision`] is fitted to.
    ///
    /// # Errors
    /// As [`HaloConfig::run`].
    pub fn run_log_probabilities(&self, halo: &Halo, seen: &ChannelField, device: &Device) -> Result<Vec<Vec<f32>>> {
        tile_by_tile(&self.lattice(seen.n)?, DECIDED_CLASSES, seen.n, device, |tile| {
            self.log_probabilities(halo, seen, tile, device)
        })
    }

    /// What the U-Net alone says: what the refinement is fitted to.
    ///
    /// # Errors
    /// As [`HaloConfig::run`].
    pub fn run_coarse(&self, halo: &Halo, seen: &ChannelField, device: &Device) -> Result<Vec<Vec<f32>>> {
        tile_by_tile(&self.lattice(seen.n)?, HALO_CLASSES, seen.n, device, |tile| {
            let (input, context) = self.window(seen, tile, device);
            inner(halo.coarse(input), context)
        })
    }
}

/// Logarithms of the probabilities of all classes, `[1, HALO_CLASSES, …]`, with those of the two
/// heaviest bins as one: `[1, DECIDED_CLASSES, …]`.
fn heavy_together(log_probabilities: Tensor<5>) -> Tensor<5> {
    let class = |first: usize, count: usize| log_probabilities.clone().narrow(1, first, count);
    let (a, b) = (class(HEAVY, 1), class(HEAVY + 1, 1));
    let either = a.clone().max_pair(b.clone()) + (-(a - b).abs()).exp().log1p();
    Tensor::cat(vec![class(0, HEAVY), either, class(HALO_MASS_BINS, 1)], 1)
}

/// HALO: an attention-gated 3D residual U-Net (Mishra, Trotta & Viel 2025), and a
/// [`Voxelwise`] network that refines what it says. It says of the matter in every voxel
/// which fraction lies in haloes of each mass bin; what it says of the two heaviest counts
/// together, and [`Weighing`] tells them apart.
#[derive(Module, Debug)]
pub struct Halo {
    net: UNet,
    refinement: Voxelwise,
}

impl Halo {
    /// Mean and deviation, roughly, of a logarithm of a probability.
    const TYPICAL: [f64; 2] = [-4.0, 4.0];

    /// The U-Net's answer to what is [seen](HaloInput::seen), `[b, channels, x, y, z]`: the
    /// logarithms of the classes' probabilities `[b, HALO_CLASSES, x, y, z]`, lightest bin
    /// first, no halo last.
    pub fn coarse(&self, seen: Tensor<5>) -> Tensor<5> {
        log_softmax(self.net.forward(seen, None), 1)
    }

    /// The same, refined with the transformed dark matter, `[b, 1, x, y, z]`: of a cube whose
    /// side is smaller by [`Voxelwise::REACH`] voxels at every face.
    pub fn refined(&self, coarse: Tensor<5>, dark_matter: Tensor<5>) -> Tensor<5> {
        let [mean, deviation] = Self::TYPICAL;
        let typical = (coarse.clone() - mean) / deviation;
        let added = self.refinement.forward(Tensor::cat(vec![typical, dark_matter], 1));
        log_softmax(inner(coarse, Voxelwise::REACH) + added, 1)
    }
}

//! HALO: halo mass density maps from a dark-matter field.

use burn::module::Module;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::unet::{UNet, UNetConfig};
use super::whole_box::{Tile, inner, tile_by_tile};
use crate::error::Result;
use crate::field::{Cosmology, Grid, LogTransform};
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::{Lattice, Overlap, gather};

/// Classes that HALO divides the matter of a voxel into: haloes of each mass
/// bin, and what is in none.
pub const HALO_CLASSES: usize = HALO_MASS_BINS + 1;

/// What defines a HALO network besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaloConfig {
    /// The network: one field in, [`HALO_CLASSES`] out.
    pub net: UNetConfig,
    /// Voxels per axis whose output is kept (see [`HaloConfig::context`]).
    pub tile: usize,
    /// Voxels around a tile, on every side, that the network sees beyond it.
    pub context: usize,
    /// Voxel side it was trained at, Mpc/h.
    pub voxel: f64,
    /// From `1 + δ` to the network's input.
    pub dark_matter: LogTransform,
    /// Edges of the halo mass bins in M☉/h, ascending, one more than bins; the
    /// last bin has no upper edge (its upper value is kept for the record).
    pub mass_edges: [f64; HALO_MASS_BINS + 1],
    /// From halo mass density in (M☉/h)/(Mpc/h)³ to what the screen shows.
    pub halo_mass: [LogTransform; HALO_MASS_BINS],
    /// How the network's probabilities become fractions.
    pub decision: Decision,
}

/// How probabilities of the classes become fractions of the matter:
/// `f_c ∝ p_c^sharpness · e^bias`.
///
/// A probability is the expected fraction, the estimate of least squared error,
/// and an expectation is smoother than the truth: a map of it lacks `1 − r²` of
/// the power. Sharper fractions have the power of the truth, and the biases keep
/// every bin's mass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Exponent per class.
    pub sharpness: [f64; HALO_CLASSES],
    /// Logarithm of the weight per class.
    pub bias: [f64; HALO_CLASSES],
}

impl Default for Decision {
    /// Fractions are the probabilities.
    fn default() -> Self {
        Self { sharpness: [1.0; HALO_CLASSES], bias: [0.0; HALO_CLASSES] }
    }
}

impl HaloConfig {
    /// A network with fresh weights.
    pub fn init(&self, device: &Device) -> Halo {
        Halo { net: self.net.init(device) }
    }

    /// The tiles of a box of `n³` voxels; they do not overlap, and each is seen
    /// with its context.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a grid that no tile divides.
    pub fn lattice(&self, n: usize) -> Result<Lattice> {
        Lattice::new(n, self.tile, self.net.multiple(), Overlap::Naive)
    }

    /// Run HALO on one tile of `side³` voxels at `origin` of a field `1 + δ` of
    /// `n³`, with `mean_density` the mean matter density in (M☉/h)/(Mpc/h)³:
    /// transformed halo maps `[1, 4, side, side, side]`.
    ///
    /// A halo map is HALO's fraction of the matter that is there, so mass is
    /// neither made nor lost.
    pub fn run_tile(
        &self,
        halo: &Halo,
        dark_matter: &Grid,
        mean_density: f64,
        tile: Tile,
        device: &Device,
    ) -> Tensor<5> {
        let side = tile.side;
        let per_class = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            Tensor::<1>::from_floats(values.as_slice(), device).reshape([1, values.len(), 1, 1, 1])
        };
        let decided = self.log_probabilities(halo, dark_matter, tile, device) * per_class(&self.decision.sharpness)
            + per_class(&self.decision.bias);
        let fractions = softmax(decided, 1).narrow(1, 0, HALO_MASS_BINS);
        let mut matter = Vec::with_capacity(side.pow(3));
        gather(dark_matter.as_slice(), dark_matter.n(), tile.origin, side, &mut matter);
        let matter = Tensor::<5>::from_data(TensorData::new(matter, [1, 1, side, side, side]), device);
        let per_bin = |f: fn(&LogTransform) -> f64| per_class(&self.halo_mass.each_ref().map(f));
        let decades = (fractions * matter * mean_density + per_bin(|t| t.floor)).log() * std::f64::consts::LOG10_E;
        (decades - per_bin(|t| t.offset)) / per_bin(|t| t.scale)
    }

    /// The logarithms of the classes' probabilities on one tile, seen with its
    /// context: `[1, HALO_CLASSES, side, side, side]`.
    fn log_probabilities(&self, halo: &Halo, dark_matter: &Grid, tile: Tile, device: &Device) -> Tensor<5> {
        let n = dark_matter.n();
        let context = self.net.rounded_up(self.context);
        let Tile { origin, side } = tile.surrounded(context, n);
        let mut window = Vec::with_capacity(side.pow(3));
        gather(dark_matter.as_slice(), n, origin, side, &mut window);
        window.iter_mut().for_each(|v| *v = self.dark_matter.forward(*v));
        let input = Tensor::<5>::from_data(TensorData::new(window, [1, 1, side, side, side]), device);
        let logits = inner(halo.logits(input), context);
        log_softmax(logits, 1)
    }

    /// Run HALO on a whole box: `1 + δ` in, transformed maps out, `n³` values
    /// per bin.
    ///
    /// # Errors
    /// As [`HaloConfig::lattice`], and of reading the result back.
    pub fn run(
        &self,
        halo: &Halo,
        dark_matter: &Grid,
        cosmology: &Cosmology,
        device: &Device,
    ) -> Result<Vec<Vec<f32>>> {
        let mean_density = cosmology.mean_matter_density();
        let n = dark_matter.n();
        tile_by_tile(&self.lattice(n)?, HALO_MASS_BINS, n, device, |tile| {
            self.run_tile(halo, dark_matter, mean_density, tile, device)
        })
    }

    /// What [`HaloConfig::run`] returns in (M☉/h)/(Mpc/h)³, in a box of `box_size` Mpc/h.
    pub fn halo_mass_maps(&self, transformed: Vec<Vec<f32>>, box_size: f64) -> [Grid; HALO_MASS_BINS] {
        let mut transformed = transformed.into_iter();
        self.halo_mass.map(|transform| {
            let values = transformed.next().expect("one map per bin");
            Grid::from_values(values, box_size).map(|v| transform.inverse(v))
        })
    }

    /// The logarithms of the classes' probabilities in a whole box, `n³` values a
    /// class: what [`Decision`] is fitted to.
    ///
    /// # Errors
    /// As [`HaloConfig::run`].
    pub fn run_log_probabilities(&self, halo: &Halo, dark_matter: &Grid, device: &Device) -> Result<Vec<Vec<f32>>> {
        let n = dark_matter.n();
        tile_by_tile(&self.lattice(n)?, HALO_CLASSES, n, device, |tile| {
            self.log_probabilities(halo, dark_matter, tile, device)
        })
    }
}

/// HALO: an attention-gated 3D residual U-Net (Mishra, Trotta & Viel 2025). It
/// says of the matter in every voxel which fraction lies in haloes of each mass
/// bin.
#[derive(Module, Debug)]
pub struct Halo {
    net: UNet,
}

impl Halo {
    /// Transformed dark matter `[b, 1, x, y, z]` to the unnormalised log
    /// fractions of the classes `[b, HALO_CLASSES, x, y, z]`, lightest bin
    /// first, no halo last.
    pub fn logits(&self, dark_matter: Tensor<5>) -> Tensor<5> {
        self.net.forward(dark_matter, None)
    }
}

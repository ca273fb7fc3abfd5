//! The network that looks at every voxel and its neighbours alone, and how it sees what
//! lies farther away: the regions that a voxel lies in, and its surroundings.

use burn::module::{Initializer, Module};
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::blocks::conv1;
use crate::field::{Cosmology, Grid, LogTransform, Regions, smooth_widely};

/// How networks see the overdense regions of a box ([`Regions`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionTransform {
    /// Densities `1 + δ` above which connected matter is a region: a mass and a distance
    /// each.
    pub thresholds: Vec<f64>,
    /// From a region's mass in M☉/h to the network's input.
    pub mass: LogTransform,
    /// From a distance in rms radii of a region to the network's input.
    pub distance: LogTransform,
}

impl RegionTransform {
    /// Channels that a network sees of the regions.
    pub fn channels(&self) -> usize {
        2 * self.thresholds.len()
    }

    /// The channels of a box with `dark_matter` `1 + δ`, one after the other: mass and
    /// distance for every threshold.
    pub fn forward(&self, dark_matter: &Grid, cosmology: &Cosmology) -> Vec<f32> {
        let voxel_mass = (cosmology.mean_matter_density() * dark_matter.voxel().powi(3)) as f32;
        let mut values = Vec::with_capacity(self.channels() * dark_matter.as_slice().len());
        for &threshold in &self.thresholds {
            let Regions { mass, distance, .. } = Regions::new(dark_matter, threshold);
            values.extend(mass.into_iter().map(|m| self.mass.forward(m * voxel_mass)));
            values.extend(distance.into_iter().map(|d| self.distance.forward(d)));
        }
        values
    }
}

/// How a network sees the surroundings of a voxel: the density, smoothed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurroundingsTransform {
    /// Deviations of the Gaussians in voxels: a channel each.
    pub radii: Vec<f64>,
    /// From a smoothed `1 + δ` to the network's input.
    pub density: LogTransform,
}

impl SurroundingsTransform {
    /// The channels of a box with `dark_matter` `1 + δ`, one after the other.
    pub fn forward(&self, dark_matter: &Grid) -> Vec<f32> {
        let smoothed = smooth_widely(dark_matter, &self.radii);
        let transformed =
            |grid: &Grid| grid.as_slice().iter().map(|&v| self.density.forward(v.max(0.0))).collect::<Vec<_>>();
        smoothed.iter().flat_map(transformed).collect()
    }
}

/// A network of one 3³ convolution and two of a single voxel.
///
/// A U-Net on blocks of voxels ([`super::UNetConfig::patch`]) knows a halo and its
/// surroundings, is vague about each voxel of a block, and cannot weigh a halo, which
/// takes a sum over all of its voxels. Here a voxel's own channels and its neighbours'
/// count; what lies farther away is told by channels such as those of
/// [`RegionTransform`] and [`SurroundingsTransform`]. It learns in minutes, from voxels drawn one by one.
#[derive(Module, Debug)]
pub struct Voxelwise {
    neighbours: Conv3d,
    hidden: Conv3d,
    output: Conv3d,
}

impl Voxelwise {
    /// How far it sees, in voxels.
    pub const REACH: usize = 1;

    /// One that answers nothing but zero, with `[input, width, output]` feature maps.
    pub(super) fn new([input, width, output]: [usize; 3], device: &Device) -> Self {
        let answer = Conv3dConfig::new([width, output], [1; 3]).with_initializer(Initializer::Zeros);
        Self {
            // Without padding: every neighbour is there.
            neighbours: Conv3dConfig::new([input, width], [2 * Self::REACH + 1; 3]).init(device),
            hidden: conv1([width, width], device),
            output: answer.init(device),
        }
    }

    /// `[b, input, x + 2, y + 2, z + 2]` to `[b, output, x, y, z]`.
    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.output.forward(silu(self.hidden.forward(silu(self.neighbours.forward(x)))))
    }
}

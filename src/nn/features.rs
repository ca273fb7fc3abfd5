//! What the networks see of a dark-matter field.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::field::{ConnectedComponents, DarkMatter, LogTransform, smooth_widely};

/// The input features of a network: the density, and what a halo finder would look at.
///
/// A window of 48 voxels does not hold all of a heavy halo's surroundings, so the masses of
/// the connected components that a voxel lies in, the distances from their centres, and
/// smoothed densities are found in the whole box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// From `1 + δ` to the network's input.
    pub dark_matter: LogTransform,
    /// Densities `1 + δ` above which connected matter is a component: a mass and a distance
    /// each.
    pub thresholds: Vec<f64>,
    /// From a component's mass in M☉/h to the network's input.
    pub mass: LogTransform,
    /// From a distance in rms radii of a component to the network's input.
    pub distance: LogTransform,
    /// Deviations in voxels of the Gaussians that the density is smoothed with.
    pub smoothing: Vec<f64>,
    /// From a smoothed `1 + δ` to the network's input.
    pub smoothed: LogTransform,
    /// Whether the redshift is among them, as `ln(1 + z)`.
    #[serde(default)]
    pub redshift: bool,
}

impl FeatureConfig {
    /// How many features a voxel has.
    pub fn channels(&self) -> usize {
        1 + 2 * self.thresholds.len() + self.smoothing.len() + usize::from(self.redshift)
    }

    /// The features of a box, one field of `n³` values after the other: the density, mass and
    /// distance for every threshold, the smoothed densities, the redshift.
    pub fn of(&self, dark_matter: &DarkMatter) -> Vec<f32> {
        let DarkMatter { density, redshift, cosmology } = dark_matter;
        let voxel_mass = (cosmology.mean_matter_density() * density.voxel().powi(3)) as f32;
        let voxels = density.as_slice().len();
        let mut values = Vec::with_capacity(self.channels() * voxels);
        values.extend(density.as_slice().iter().map(|&v| self.dark_matter.forward(v)));
        for &threshold in &self.thresholds {
            let ConnectedComponents { mass, distance, .. } = ConnectedComponents::new(density, threshold);
            values.extend(mass.into_iter().map(|m| self.mass.forward(m * voxel_mass)));
            values.extend(distance.into_iter().map(|d| self.distance.forward(d)));
        }
        for smoothed in smooth_widely(density, &self.smoothing) {
            values.extend(smoothed.as_slice().iter().map(|&v| self.smoothed.forward(v.max(0.0))));
        }
        if self.redshift {
            values.resize(values.len() + voxels, redshift.ln_1p() as f32);
        }
        values
    }

    /// The same on a device, `[channels, n, n, n]`.
    pub fn on_device(&self, dark_matter: &DarkMatter, device: &Device) -> Tensor<4> {
        let n = dark_matter.density.n();
        let values = self.of(dark_matter);
        Tensor::from_data(TensorData::new(values, [self.channels(), n, n, n]), device)
    }
}

/// [`LogTransform::forward`] of a tensor.
pub fn log_transform<const D: usize>(transform: &LogTransform, x: Tensor<D>) -> Tensor<D> {
    let decades = (x.clamp_min(0.0) + transform.floor).log() * std::f64::consts::LOG10_E;
    (decades - transform.offset) / transform.scale
}

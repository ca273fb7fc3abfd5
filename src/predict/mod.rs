//! The chain: from a dark-matter field to a 21 cm map, in physical units from end to end.
//!
//! ```text
//! 1 + δ ─► features ─► HALO ─► halo mass maps ─► conditional mean ─► LODI + latent overlap ─► T_b
//! ```
//!
//! [`predict`] is what the window's job, `halodi predict`, training and evaluation call. Fields
//! stay on the device that runs the networks; an [`Observer`] hears of tiles and steps and can
//! be shown what they made.
//!
//! ```no_run
//! use halodi::device::{DeviceChoice, compute_device};
//! use halodi::predict::{DarkMatter, Models, NoObserver, Settings, predict};
//!
//! # fn main() -> halodi::Result<()> {
//! # let (density, cosmology) = (halodi::field::Grid::zeros(128, 25.0), halodi::field::Cosmology::default());
//! let dark_matter = DarkMatter { density, redshift: 1.0, cosmology };
//! let models = Models::load(None, compute_device(DeviceChoice::Auto)?)?;
//! let prediction = predict(&dark_matter, &models, &Settings::default(), &mut NoObserver)?;
//! println!("mean T_b = {} mK", prediction.brightness_temperature.mean());
//! # Ok(())
//! # }
//! ```

mod chain;
mod observer;
mod precision;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use chain::{Condition, coarse_halo_fractions, condition, expected_temperature, halo_maps, paint, predict};
pub use observer::{NoObserver, Observer, Stage, StepMade, TileMade};

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
pub use crate::field::DarkMatter;
use crate::field::{Grid, HALO_MASS_BINS};
use crate::memory;
use crate::nn::{Halo, Lodi, Sampler, Trained, halo_weights, lodi_weights};
use crate::stitch::{Blend, Lattice, Overlap};

/// The networks, on the device that runs them.
#[derive(Debug, Clone)]
pub struct Models {
    /// HALO.
    pub halo: Trained<Halo>,
    /// LODI.
    pub lodi: Trained<Lodi>,
    /// Where they are.
    pub device: ComputeDevice,
    /// What the denoiser computes in, a sentence, where that is not single precision.
    pub precision: Option<String>,
}

impl Models {
    /// The networks in `halo.safetensors` and `lodi.safetensors` of `folder`, or those that come
    /// with Halodi.
    ///
    /// # Errors
    /// [`Error::Input`] for weights that are missing, damaged or of another version.
    pub fn load(folder: Option<&Path>, device: ComputeDevice) -> Result<Self> {
        let halo = halo_weights(folder, &device.burn)?;
        let Trained { network, card, checksum } = lodi_weights(folder, &device.burn)?;
        let (network, precision) = precision::suited(network, &device);
        Ok(Self { halo, lodi: Trained { network, card, checksum }, device, precision })
    }

    /// What the weights are and how they were trained, a sentence per network, and what they compute
    /// in where that is not single precision.
    pub fn describe(&self) -> Vec<String> {
        let mut sentences = vec![self.halo.sentence("HALO"), self.lodi.sentence("LODI")];
        sentences.extend(self.precision.clone());
        sentences
    }

    /// Where the networks are asked for what they never saw: a sentence each.
    pub fn extrapolations(&self, dark_matter: &DarkMatter) -> Vec<String> {
        /// Differences in `Ωm`, or in `σ8`, that change the power by no more than a few per cent.
        const ALIKE: f64 = 0.035;
        let (halo, trained) = (self.halo.config(), &self.lodi.config().trained_on);
        let DarkMatter { redshift, cosmology, .. } = dark_matter;
        let voxel = dark_matter.density.voxel();
        let beyond = |value: f64, [least, most]: [f64; 2], by: f64| value < least - by || value > most + by;
        let span = |[least, most]: [f64; 2]| match most - least < 0.005 {
            true => format!("{most:.2}"),
            false => format!("{least:.2} to {most:.2}"),
        };
        let mut sentences = Vec::new();
        if (voxel / halo.voxel - 1.0).abs() > 0.1 {
            sentences.push(format!(
                "The voxels are {voxel:.3} Mpc/h, and the networks were trained at {:.3} Mpc/h: do not trust the map. \
                 A grid of {} would match.",
                halo.voxel,
                (dark_matter.density.box_size / halo.voxel).round()
            ));
        }
        if beyond(*redshift, trained.redshift, 0.1) {
            sentences.push(format!(
                "The snapshot is at z = {redshift:.2}, and LODI was trained at z = {}: do not trust the amplitude of \
                 the map.",
                span(trained.redshift)
            ));
        }
        let (omega_m, sigma_8) = (cosmology.omega_m, cosmology.sigma_8);
        if beyond(omega_m, trained.omega_m, ALIKE) || beyond(sigma_8, trained.sigma_8, ALIKE) {
            sentences.push(format!(
                "The cosmology has Ωm = {omega_m:.3} and σ8 = {sigma_8:.3}, and LODI was trained at Ωm = {} and σ8 = {}: \
                 expect the power of the map to be off by tens of per cent.",
                span(trained.omega_m),
                span(trained.sigma_8)
            ));
        }
        sentences
    }
}

/// How a map is painted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Denoising steps of LODI.
    pub steps: usize,
    /// Seed of all noise: another seed is another realisation.
    pub seed: u64,
    /// How tiles are joined.
    pub overlap: Overlap,
    /// How windows that overlap are put together, where any do.
    pub blend: Blend,
    /// How a denoised estimate becomes the next latent.
    pub sampler: Sampler,
}

impl Default for Settings {
    fn default() -> Self {
        Self { steps: 12, seed: 1, overlap: Overlap::default(), blend: Blend::default(), sampler: Sampler::default() }
    }
}

impl Settings {
    /// Refuse what cannot work on a grid of `n³` voxels, before any network runs.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, n: usize, models: &Models) -> Result<()> {
        if self.steps == 0 {
            return Err(Error::setting("0 denoising steps", "at least one", "Ask for 12, for example"));
        }
        chain::halo_lattice(n, &models.halo.network)?;
        let lattice = self.lattice(n, &models.lodi.network)?;
        if lattice.tile() > models.lodi.config().tile {
            // An estimate: the feature maps of a pass take about as much as 64 fields of the window.
            let side = lattice.tile() + 2 * chain::beyond(&lattice, &models.lodi.network);
            memory::check(
                memory::of_fields(side as u64, 64),
                format!("the network on {n}³ voxels in one window"),
                "Paint it in tiles",
            )?;
        }
        Ok(())
    }

    /// Where the windows of LODI lie in a box of `n³` voxels.
    pub(crate) fn lattice(&self, n: usize, lodi: &Lodi) -> Result<Lattice> {
        let config = lodi.config();
        Ok(Lattice::new(n, config.tile, config.net.multiple(), self.overlap)?.blended(self.blend))
    }
}

/// What the chain makes of a box.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Halo mass density per mass bin, lightest first, (M☉/h)/(Mpc/h)³.
    pub halo_mass: [Grid; HALO_MASS_BINS],
    /// The mean brightness temperature given halo maps and dark matter, mK.
    pub conditional_mean: Grid,
    /// The 21 cm map, one realisation, mK.
    pub brightness_temperature: Grid,
}

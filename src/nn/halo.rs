//! HALO: halo mass density maps from a dark-matter field.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::unet::{UNet, UNetConfig};
use crate::error::Result;
use crate::field::{Grid, LogTransform};
use crate::nn::host;
use crate::pipeline::HALO_MASS_BINS;
use crate::stitch::{Lattice, Overlap, gather, scatter};

/// What defines a HALO network besides its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HaloConfig {
    /// The network.
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
    /// From halo mass density in (M☉/h)/(Mpc/h)³ to the network's outputs.
    pub halo_mass: [LogTransform; HALO_MASS_BINS],
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

    /// Run HALO on one tile of `side³` voxels at `origin` of a transformed
    /// dark-matter field of `n³`: transformed halo maps `[1, 4, side, side, side]`.
    pub fn run_tile(
        &self,
        halo: &Halo,
        dark_matter: &[f32],
        n: usize,
        origin: [usize; 3],
        side: usize,
        device: &Device,
    ) -> Tensor<5> {
        // The context is rounded up to what the network's levels divide.
        let multiple = self.net.multiple();
        let context = self.context.div_ceil(multiple) * multiple;
        let wide = side + 2 * context;
        let corner = origin.map(|o| (o + n * context.div_ceil(n) - context) % n);
        let mut window = Vec::with_capacity(wide.pow(3));
        gather(dark_matter, n, corner, wide, &mut window);
        let window = Tensor::<5>::from_data(TensorData::new(window, [1, 1, wide, wide, wide]), device);
        let inside = context..context + side;
        halo.forward(window).slice([0..1, 0..HALO_MASS_BINS, inside.clone(), inside.clone(), inside])
    }

    /// Run HALO on a whole box: `1 + δ` in, transformed maps out, `n³` values
    /// per bin.
    ///
    /// # Errors
    /// As [`HaloConfig::lattice`], and of reading the result back.
    pub fn run(&self, halo: &Halo, dark_matter: &Grid, device: &Device) -> Result<Vec<Vec<f32>>> {
        let n = dark_matter.n();
        let input = dark_matter.map(|v| self.dark_matter.forward(v));
        let lattice = self.lattice(n)?;
        let side = lattice.tile();
        let mut maps = vec![vec![0f32; n.pow(3)]; HALO_MASS_BINS];
        for origin in lattice.origins(0) {
            let values = host(self.run_tile(halo, input.as_slice(), n, origin, side, device))?;
            for (map, block) in maps.iter_mut().zip(values.chunks(side.pow(3))) {
                scatter(map, n, origin, side, block);
            }
        }
        Ok(maps)
    }
}

/// HALO: an attention-gated 3D residual U-Net (Mishra, Trotta & Viel 2025).
#[derive(Module, Debug)]
pub struct Halo {
    net: UNet,
}

impl Halo {
    /// Transformed dark matter `[b, 1, x, y, z]` to transformed halo mass
    /// densities `[b, 4, x, y, z]`, lightest bin first.
    pub fn forward(&self, dark_matter: Tensor<5>) -> Tensor<5> {
        self.net.forward(dark_matter, None)
    }
}

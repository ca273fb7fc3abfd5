//! The variational bound of a whole box.

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use crate::error::Result;
use crate::nn::{CONDITION_CHANNELS, Lodi, Trained, host, prior_and_reconstruction_bits, side_by_side};
use crate::stitch::{ChannelField, Lattice, Overlap, Stream, fill_normal, gather};

/// Noise levels at which each tile is looked at.
const TIMES: usize = 4;

/// The variational bound on `−log2 p(x | condition)` (Kingma et al. 2021, eq.
/// 11), bits per voxel, for the diffusion's data `x`: a density, so it can be
/// negative, and lower is better.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Bits {
    /// What denoising costs.
    pub diffusion: f64,
    /// What the latent at the end still knows.
    pub prior: f64,
    /// What the least noise hides.
    pub reconstruction: f64,
    /// Their sum.
    pub total: f64,
}

impl Bits {
    /// Of the data `x` of a box of `n³` voxels: tile by tile, each at
    /// [`TIMES`] antithetic noise levels.
    ///
    /// # Errors
    /// Those of the grid and of the device.
    pub(super) fn new(x: &[f32], condition: &ChannelField, lodi: &Trained<Lodi>, device: &Device) -> Result<Self> {
        let n = condition.n;
        let lattice = Lattice::new(n, lodi.config.tile, lodi.config.net.multiple(), Overlap::Naive)?;
        let (side, origins) = (lattice.tile(), lattice.origins(0));
        let tiles: Vec<(usize, [usize; 3])> = origins.iter().copied().enumerate().collect();
        let losses = side_by_side(&tiles, device, |tiles| -> Result<Vec<f32>> {
            tiles
                .iter()
                .map(|&(index, origin)| {
                    let tensor = |values: Vec<f32>, channels: usize| {
                        let one =
                            Tensor::<5>::from_data(TensorData::new(values, [1, channels, side, side, side]), device);
                        one.repeat_dim(0, TIMES)
                    };
                    let mut data = Vec::with_capacity(side.pow(3));
                    gather(x, n, origin, side, &mut data);
                    let mut conditions = Vec::new();
                    condition.gather(origin, side, &mut conditions);
                    let mut noise = vec![0f32; TIMES * side.pow(3)];
                    fill_normal(&mut noise, index as u64, Stream::Training(u32::MAX));
                    let noise = TensorData::new(noise, [TIMES, 1, side, side, side]);
                    // A sequence that fills [0, 1] evenly, tile after tile.
                    let first = (index as f64 * 0.618_033_988_749_895).fract();
                    let times: Vec<f64> = (0..TIMES).map(|i| (first + i as f64 / TIMES as f64).fract()).collect();
                    let data = tensor(data, 1);
                    let even = data.ones_like();
                    let loss = lodi.network.loss(
                        data,
                        tensor(conditions, CONDITION_CHANNELS),
                        Tensor::from_data(noise, device),
                        even,
                        &times,
                        &lodi.config.schedule,
                    );
                    Ok(host(loss.diffusion)?[0])
                })
                .collect()
        });
        let mut sum = 0.0;
        for batch in losses {
            sum += batch?.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        let diffusion = sum / origins.len() as f64;
        let (prior, reconstruction) = prior_and_reconstruction_bits(x, &lodi.config.schedule);
        Ok(Self { diffusion, prior, reconstruction, total: diffusion + prior + reconstruction })
    }
}

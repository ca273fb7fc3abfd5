//! Sampling a diffusion model over the whole periodic box through tiles.
//!
//! There is one latent for the box. At every step the box is cut into windows,
//! the network estimates the clean field in each, the estimates are fused into
//! one field, and the latent takes **one** update with **one** noise value per
//! voxel. Were each tile updated on its own and the results averaged, the noise
//! would average away where tiles overlap, and power with it.

use burn::tensor::{Device, Tensor, TensorData};

use super::lattice::Tiling;
use super::windows::join;
use crate::error::Result;
use crate::field::{CorrelatedNoise, NoiseCorrelation, Stream, philox};
use crate::nn::{NoiseSchedule, Sampler};

/// How a box is sampled.
#[derive(Debug, Clone)]
pub struct LatentOverlap {
    /// Voxels per axis of the box.
    pub n: usize,
    /// The noise schedule of the network.
    pub schedule: NoiseSchedule,
    /// How its noise is correlated.
    pub noise: NoiseCorrelation,
    /// How an estimate becomes the next latent.
    pub sampler: Sampler,
    /// Denoising steps.
    pub steps: usize,
    /// Seed of all noise.
    pub seed: u64,
    /// The tiling whose tiles draw noise of their own, and a number that is unlike that of
    /// other tilings painted for the same map; `None` for noise that belongs to the voxels of the box.
    pub own_noise: Option<(Tiling, usize)>,
}

/// A denoising step.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// Its number, 0 the first, from pure noise.
    pub index: usize,
    /// Steps in all.
    pub of: usize,
    /// Noise level of the latent.
    pub gamma: f64,
    /// The latent, `[n, n, n]`.
    pub latent: &'a Tensor<3>,
}

impl LatentOverlap {
    /// Run the sampler and return the clean field, `[n, n, n]`.
    ///
    /// `estimate` returns the fused estimate of the clean field of the whole box, `[n, n, n]`;
    /// its error ends the run. Everything stays on the device.
    ///
    /// # Errors
    /// Those of `estimate`.
    pub fn run(&self, device: &Device, mut estimate: impl FnMut(Step) -> Result<Tensor<3>>) -> Result<Tensor<3>> {
        let noise = Noise::new(self, device);
        let draw = |stream| noise.draw(stream);
        let mut latent = draw(Stream::Latent);
        let mut previous: Option<Tensor<3>> = None;
        for index in 0..self.steps {
            let gamma = self.schedule.gamma(1.0 - index as f64 / self.steps as f64);
            let clean = estimate(Step { index, of: self.steps, gamma, latent: &latent })?;
            let update = self.sampler.update(&self.schedule, index, self.steps);
            let mut next = clean.clone() * update.x;
            if update.z != 0.0 {
                next = next + latent * update.z;
            }
            if let Some(previous) = previous.filter(|_| update.x_previous != 0.0) {
                next = next + previous * update.x_previous;
            }
            if update.noise > 0.0 {
                next = next + draw(Stream::Step(index as u32)) * update.noise;
            }
            (latent, previous) = (next, Some(clean));
        }
        Ok(latent)
    }
}

/// Where the noise of a run comes from.
struct Noise<'a> {
    plan: &'a LatentOverlap,
    device: &'a Device,
    /// Of the box, or of a tile and its surroundings.
    noise: CorrelatedNoise,
    side: usize,
}

impl<'a> Noise<'a> {
    fn new(plan: &'a LatentOverlap, device: &'a Device) -> Self {
        // Noise is periodic where it is drawn, and a tile is not: it is cut out of more.
        let beyond = (4.0 * plan.noise.radius).ceil() as usize;
        let tile = plan.own_noise.as_ref().map(|(tiling, _)| tiling.tile() + beyond);
        let side = tile.unwrap_or(plan.n);
        Self { plan, device, noise: CorrelatedNoise::new(plan.noise, side), side }
    }

    /// Noise over the box, `[n, n, n]`.
    fn draw(&self, stream: Stream) -> Tensor<3> {
        let cube = |seed: u64| -> Tensor<3> {
            Tensor::from_data(TensorData::new(self.noise.draw(seed, stream), [self.side; 3]), self.device)
        };
        let Some((tiling, number)) = &self.plan.own_noise else { return cube(self.plan.seed) };
        let tile = tiling.tile();
        let tiles = (0..tiling.tiles().len()).map(|index| {
            let seed = self.plan.seed;
            let key = [seed as u32, (seed >> 32) as u32];
            let [a, b, ..] = philox([index as u32, *number as u32, 0, 0], key);
            let noise = cube(u64::from(a) << 32 | u64::from(b));
            noise.slice([0..tile, 0..tile, 0..tile]).reshape([1, 1, tile, tile, tile])
        });
        join(tiles.collect(), tiling).squeeze_dim(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{ComputeDevice, host};
    use crate::field::TileBox;
    use crate::nn::{alpha, sigma};
    use crate::stitch::tiles::tests::Unheard;
    use crate::stitch::{Lattice, Overlap, cut, over_tiles, put_together};

    const SCHEDULE: NoiseSchedule = NoiseSchedule { gamma_min: -13.3, gamma_max: 5.0 };
    const N: usize = 32;

    fn plan(sampler: Sampler) -> LatentOverlap {
        let noise = NoiseCorrelation { smooth: 0.5, radius: 1.0 };
        LatentOverlap { n: N, schedule: SCHEDULE, noise, sampler, steps: 20, seed: 5, own_noise: None }
    }

    /// A map of independent normal voxels of variance `v` by their exact denoiser, through
    /// tiles.
    fn sampled(overlap: Overlap, v: f64, (batch, workers): (usize, usize)) -> Vec<f32> {
        let device = ComputeDevice { batch, workers, ..ComputeDevice::cpu("") };
        let lattice = Lattice::new(N, 16, 4, overlap).unwrap();
        let estimate = |lattice: &Lattice, step: Step| {
            let latent = step.latent.clone().unsqueeze_dim(0);
            let (a, s) = (alpha(step.gamma), sigma(step.gamma));
            let gain = v * a / (a * a * v + s * s);
            let network =
                |tiles: &[TileBox]| Tensor::cat(tiles.iter().map(|&tile| cut(&latent, tile)).collect(), 0) * gain;
            Ok(over_tiles(lattice, step.index, &device, network, &mut Unheard)?.single().field)
        };
        let parts = lattice.parts().into_iter().map(|part| {
            let estimate = |step: Step| estimate(&part, step);
            let plan = LatentOverlap { own_noise: part.own_noise(), ..plan(Sampler::DpmSolver2m) };
            plan.run(&device.burn, estimate).unwrap()
        });
        host(put_together(parts.collect(), &lattice, &device).field).unwrap()
    }

    #[test]
    fn maps_do_not_depend_on_batches_or_workers() {
        for overlap in Overlap::ALL {
            let reference = sampled(overlap, 2.0, (1, 1));
            assert_eq!(reference, sampled(overlap, 2.0, (7, 1)));
            assert_eq!(reference, sampled(overlap, 2.0, (1, 3)));
        }
    }

    #[test]
    fn every_rule_gives_the_same_map_for_a_denoiser_without_a_neighbourhood() {
        // Where the network looks at one voxel only there is nothing to stitch,
        // and fusing must change nothing: blending would lose variance if tiles
        // drew noise of their own.
        let naive = sampled(Overlap::SharedNoise, 2.0, (4, 1));
        for overlap in Overlap::ALL.into_iter().filter(|o| !matches!(o, Overlap::Naive | Overlap::Feathered)) {
            for (a, b) in sampled(overlap, 2.0, (4, 1)).iter().zip(&naive) {
                assert!((a - b).abs() < 1e-4, "{overlap:?}: {a} against {b}");
            }
        }
        assert!((variance(&naive) / 2.0 - 1.0).abs() < 0.1, "variance {} of a field drawn with 2", variance(&naive));
    }

    fn variance(map: &[f32]) -> f64 {
        map.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / map.len() as f64
    }

    #[test]
    fn tiles_with_noise_of_their_own_keep_their_variance_until_they_are_blended() {
        let naive = sampled(Overlap::Naive, 2.0, (4, 1));
        assert!((variance(&naive) / 2.0 - 1.0).abs() < 0.1, "{}", variance(&naive));
        // Noise goes on across the faces of the box's tiles, and does not across those of tiles that
        // draw their own.
        let jump = |map: &[f32], x: usize| -> f64 {
            let at = |x: usize, i: usize| f64::from(map[x % N * N * N + i]);
            (0..N * N).map(|i| (at(x, i) - at(x + N - 1, i)).powi(2)).sum()
        };
        let over_inside = |map: &[f32]| jump(map, 16) / jump(map, 8);
        let one_noise = over_inside(&sampled(Overlap::SharedNoise, 2.0, (4, 1)));
        assert!(over_inside(&naive) > 1.15 && (one_noise - 1.0).abs() < 0.1, "{} {one_noise}", over_inside(&naive));
        // A mean over independent maps has less of it: Σw² of squared sines is 3/4 an axis.
        let feathered = sampled(Overlap::Feathered, 2.0, (4, 1));
        let expected = 2.0 * 0.75f64.powi(3);
        assert!((variance(&feathered) / expected - 1.0).abs() < 0.12, "{} of {expected}", variance(&feathered));
    }

    #[test]
    fn an_error_of_the_network_ends_the_run() {
        let device = Device::flex();
        let result = plan(Sampler::Ancestral).run(&device, |_| Err(crate::Error::Cancelled));
        assert!(matches!(result, Err(crate::Error::Cancelled)));
    }
}

//! Sampling a diffusion model over the whole periodic box through tiles.
//!
//! There is one latent for the box. At every step the box is cut into windows,
//! the network estimates the clean field in each, the estimates are fused into
//! one field, and the latent takes **one** update with **one** noise value per
//! voxel. Were each tile updated on its own and the results averaged, the noise
//! would average away where tiles overlap, and power with it.

use super::colour::{Colouring, NoiseColour};
use super::lattice::Lattice;
use super::noise::Stream;
use super::tiles::{gather, scatter, scatter_weighted};
use crate::error::Result;
use crate::nn::{NoiseSchedule, Sampler};
use rayon::prelude::*;

/// How a box is sampled.
#[derive(Debug, Clone)]
pub struct LatentOverlap {
    /// Voxels per axis of the box.
    pub n: usize,
    /// Where the windows lie.
    pub lattice: Lattice,
    /// The noise schedule of the network.
    pub schedule: NoiseSchedule,
    /// How its noise is correlated.
    pub colour: NoiseColour,
    /// A weight per voxel, `n³` values, whose sum with any noise is nothing; empty for
    /// noise without a bound. See [`LatentOverlap::balanced`].
    pub balance: Vec<f32>,
    /// How an estimate becomes the next latent.
    pub sampler: Sampler,
    /// Denoising steps.
    pub steps: usize,
    /// Seed of all noise.
    pub seed: u64,
    /// Windows given to the network at once.
    pub batch: usize,
    /// In what order windows are visited; results do not depend on it.
    pub order: TileOrder,
}

/// The order in which a step visits its windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TileOrder {
    /// As the voxels lie in memory.
    #[default]
    Raster,
    /// From the middle of the box outwards.
    CentreOut,
}

/// Windows for the network to denoise together.
#[derive(Debug)]
pub struct WindowBatch<'a> {
    /// The denoising step, 0 the first.
    pub step: usize,
    /// Noise level of the latents.
    pub gamma: f64,
    /// First voxel of each window.
    pub origins: &'a [[usize; 3]],
    /// Voxels per window side.
    pub side: usize,
    /// The latents, `[windows, side, side, side]`.
    pub latents: Vec<f32>,
}

impl LatentOverlap {
    /// Number of windows that a whole run denoises.
    pub fn windows(&self) -> usize {
        self.steps * self.lattice.origins(0).len()
    }

    /// Noise drawn on the condition that its sum with the weights of `balance` is
    /// nothing; `together` is how each voxel varies with that sum.
    ///
    /// With the weights with which noise enters the power of a map, no map is brighter
    /// or fainter as a whole than is typical: of a few voxels that hold most of its
    /// power, chance decides how they differ from each other. Simulations are begun
    /// from noise of fixed amplitude for the same reason (Angulo & Pontzen 2016).
    fn balanced(&self, mut noise: Vec<f32>, together: &[f32]) -> Vec<f32> {
        let sum = |field: &[f32]| {
            self.balance.iter().zip(field).map(|(&weight, &v)| f64::from(weight) * f64::from(v)).sum::<f64>()
        };
        let variance = sum(together);
        if variance > 0.0 {
            let excess = (sum(&noise) / variance) as f32;
            noise.iter_mut().zip(together).for_each(|(v, &together)| *v -= excess * together);
        }
        noise
    }

    /// Run the sampler and return the clean field, `n³` values in C order.
    ///
    /// `denoise` returns the estimate of the clean field in each window, in the
    /// shape of `latents`; its error ends the run. `fused` sees the fused estimate of
    /// every step, given its `γ`, and may set it right before the latent takes it up.
    ///
    /// # Errors
    /// Those of `denoise`.
    pub fn run(
        &self,
        mut denoise: impl FnMut(WindowBatch) -> Result<Vec<f32>>,
        mut fused: impl FnMut(f64, &mut [f32]),
    ) -> Result<Vec<f32>> {
        let (n, side) = (self.n, self.lattice.tile());
        let voxels = n.pow(3);
        let colouring = Colouring::new(self.colour, n);
        let together = match self.balance.as_slice() {
            [] => Vec::new(),
            weights => colouring.colour(colouring.colour(weights.to_vec())),
        };
        let draw = |stream| self.balanced(colouring.draw(self.seed, stream), &together);
        let mut latent = draw(Stream::Latent);
        let mut clean = vec![0f32; voxels];
        let mut previous = vec![0f32; voxels];
        let mut noise = vec![0f32; voxels];
        let weights = self.lattice.weights();
        let overlapping = self.lattice.stride() < side;

        for step in 0..self.steps {
            let gamma = self.schedule.gamma(1.0 - step as f64 / self.steps as f64);
            let origins = self.lattice.origins(step);
            let order = self.order.visit(&origins, n, side);
            std::mem::swap(&mut clean, &mut previous);
            // Overlapping estimates are kept until all are there, and then
            // fused in lattice order: a sum must not depend on who came first.
            let mut kept: Vec<Vec<f32>> = vec![Vec::new(); if overlapping { origins.len() } else { 0 }];
            for batch in order.chunks(self.batch.max(1)) {
                let batch_origins: Vec<[usize; 3]> = batch.iter().map(|&i| origins[i]).collect();
                let mut latents = Vec::with_capacity(batch.len() * side.pow(3));
                for &origin in &batch_origins {
                    gather(&latent, n, origin, side, &mut latents);
                }
                let estimates = denoise(WindowBatch { step, gamma, origins: &batch_origins, side, latents })?;
                for ((&index, &origin), estimate) in batch.iter().zip(&batch_origins).zip(estimates.chunks(side.pow(3)))
                {
                    if overlapping {
                        kept[index] = estimate.to_vec();
                    } else {
                        scatter(&mut clean, n, origin, side, estimate);
                    }
                }
            }
            if overlapping {
                clean.fill(0.0);
                for (&origin, estimate) in origins.iter().zip(&kept) {
                    scatter_weighted(&mut clean, n, origin, estimate, &weights);
                }
            }

            fused(gamma, &mut clean);

            let update = self.sampler.update(&self.schedule, step, self.steps);
            if update.noise > 0.0 {
                noise = draw(Stream::Step(step as u32));
            }
            let [z, x, p, s] = [update.z, update.x, update.x_previous, update.noise].map(|c| c as f32);
            latent.par_iter_mut().zip(&clean).zip(&previous).zip(&noise).for_each(
                |(((latent, &clean), &previous), &noise)| {
                    *latent = z * *latent + x * clean + p * previous + s * noise;
                },
            );
        }
        Ok(latent)
    }
}

impl TileOrder {
    /// Indices of the windows in the order of their visit.
    fn visit(self, origins: &[[usize; 3]], n: usize, side: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..origins.len()).collect();
        if self == Self::CentreOut {
            // Twice the squared distance of the window's middle from the box's.
            let distance = |i: &usize| -> i64 {
                origins[*i].iter().map(|&o| (((2 * o + side) % (2 * n)) as i64 - n as i64).pow(2)).sum()
            };
            order.sort_by_key(|i| (distance(i), *i));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{alpha, sigma};
    use crate::stitch::Overlap;

    const SCHEDULE: NoiseSchedule = NoiseSchedule { gamma_min: -13.3, gamma_max: 5.0 };

    fn plan(overlap: Overlap, batch: usize, order: TileOrder) -> LatentOverlap {
        LatentOverlap {
            n: 32,
            lattice: Lattice::new(32, 16, 4, overlap).unwrap(),
            schedule: SCHEDULE,
            colour: NoiseColour { smooth: 0.5, radius: 1.0 },
            balance: Vec::new(),
            sampler: Sampler::DpmSolver2m,
            steps: 20,
            seed: 5,
            batch,
            order,
        }
    }

    /// The exact denoiser of independent normal voxels of variance `v`.
    fn white(v: f64) -> impl FnMut(WindowBatch) -> Result<Vec<f32>> {
        move |batch| {
            let (a, s) = (alpha(batch.gamma), sigma(batch.gamma));
            let gain = (v * a / (a * a * v + s * s)) as f32;
            Ok(batch.latents.iter().map(|z| gain * z).collect())
        }
    }

    #[test]
    fn maps_do_not_depend_on_tile_order_or_batch_size() {
        for overlap in Overlap::ALL {
            let run = |batch, order| plan(overlap, batch, order).run(white(2.0), |_, _| ()).unwrap();
            let reference = run(1, TileOrder::Raster);
            assert_eq!(reference, run(7, TileOrder::Raster));
            assert_eq!(reference, run(3, TileOrder::CentreOut));
        }
    }

    #[test]
    fn every_rule_gives_the_same_map_for_a_denoiser_without_a_neighbourhood() {
        // Where the network looks at one voxel only there is nothing to stitch,
        // and fusing must change nothing: blending would lose variance if tiles
        // drew noise of their own.
        let run = |overlap| plan(overlap, 4, TileOrder::Raster).run(white(2.0), |_, _| ()).unwrap();
        let naive = run(Overlap::Naive);
        for overlap in Overlap::ALL {
            for (a, b) in run(overlap).iter().zip(&naive) {
                assert!((a - b).abs() < 1e-4, "{overlap:?}: {a} against {b}");
            }
        }
        let variance = naive.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / naive.len() as f64;
        assert!((variance / 2.0 - 1.0).abs() < 0.1, "variance {variance} of a field drawn with 2");
    }

    #[test]
    fn balanced_noise_paints_no_map_that_is_brighter_as_a_whole() {
        // One voxel has nearly all the weight, as the brightest halo of a box.
        let mut balance = vec![1e-3f32; 32 * 32 * 32];
        balance[12_345] = 1.0;
        for sampler in [Sampler::DpmSolver2m, Sampler::Ancestral] {
            let free = LatentOverlap { sampler, ..plan(Overlap::Shifted, 4, TileOrder::Raster) };
            let held = LatentOverlap { balance: balance.clone(), ..free.clone() };
            let [free, held] = [free, held].map(|plan| plan.run(white(2.0), |_, _| ()).unwrap());
            let sum = |map: &[f32]| map.iter().zip(&balance).map(|(x, w)| f64::from(x * w)).sum::<f64>();
            assert!(sum(&free).abs() > 0.1 && sum(&held).abs() < 1e-3, "{} and {}", sum(&free), sum(&held));
            let variance = |map: &[f32]| map.iter().map(|x| f64::from(x * x)).sum::<f64>() / map.len() as f64;
            assert!((variance(&held) / variance(&free) - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn an_error_of_the_network_ends_the_run() {
        let result = plan(Overlap::Shifted, 1, TileOrder::Raster).run(|_| Err(crate::Error::Cancelled), |_, _| ());
        assert!(matches!(result, Err(crate::Error::Cancelled)));
    }
}

//! The variational bound of a whole box.

use burn::tensor::Device;
use serde::Serialize;

use crate::error::Result;
use crate::nn::{Lodi, Neighbourhood, NoiseSchedule, Trained, alpha, sigma};
use crate::stitch::{ChannelField, Colouring, Stream};

/// Noise levels at which the box is looked at, evenly spaced.
const LEVELS: usize = 8;

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
    /// Of the data `x` of a box of `n³` voxels, at [`LEVELS`] noise levels.
    ///
    /// The diffusion term is `½ ∫ γ'(t) ‖ε − ε̂‖² dt` (Kingma et al. 2021, eq. 17), where
    /// `ε − ε̂ = (α/σ)(x̂ − x)` and the norm is that of the noise's colour.
    ///
    /// # Errors
    /// Those of the grid and of the device.
    pub(super) fn new(
        x: &[f32],
        (condition, about): (&ChannelField, &Neighbourhood),
        lodi: &Trained<Lodi>,
        device: &Device,
    ) -> Result<Self> {
        let config = &lodi.config;
        let (n, schedule) = (condition.n, &config.schedule);
        let colouring = Colouring::new(config.noise, n);
        let mut diffusion = 0.0;
        for level in 0..LEVELS {
            let gamma = schedule.gamma((level as f64 + 0.5) / LEVELS as f64);
            let (a, s) = (alpha(gamma), sigma(gamma));
            let noise = colouring.draw(level as u64, Stream::Training(u32::MAX));
            let mut error = lodi.network.denoise_hidden((x, &noise), gamma, condition, config, device)?;
            config.correct(gamma, about, &mut error);
            error.iter_mut().zip(x).for_each(|(estimate, &x)| *estimate -= x);
            diffusion += 0.5 * schedule.slope() * (a / s).powi(2) * mean_square(&colouring.whiten(error));
        }
        let [diffusion, prior, reconstruction] =
            [diffusion / LEVELS as f64, prior(x, &colouring, schedule), reconstruction(&colouring, schedule)]
                .map(|nats| nats / std::f64::consts::LN_2);
        Ok(Self { diffusion, prior, reconstruction, total: diffusion + prior + reconstruction })
    }
}

/// `KL(q(z_1 | x) ‖ N(0, C))` per voxel, nats, where `C` is the covariance of the noise.
fn prior(x: &[f32], colouring: &Colouring, schedule: &NoiseSchedule) -> f64 {
    let (a, s) = (alpha(schedule.gamma_max), sigma(schedule.gamma_max));
    0.5 * (a * a * mean_square(&colouring.whiten(x.to_vec())) + s * s - 2.0 * s.ln() - 1.0)
}

/// `−ln N(x; z_0/α_0, C σ_0²/α_0²)` per voxel in expectation, nats.
fn reconstruction(colouring: &Colouring, schedule: &NoiseSchedule) -> f64 {
    let width = sigma(schedule.gamma_min) / alpha(schedule.gamma_min);
    0.5 * (1.0 + (2.0 * std::f64::consts::PI * width * width).ln() + colouring.mean_log_spectrum())
}

fn mean_square(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64
}

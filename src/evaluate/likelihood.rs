//! The variational bound of a whole box.

use burn::tensor::{Tensor, TensorData};
use serde::Serialize;

use crate::device::host;
use crate::error::Result;
use crate::field::{CorrelatedNoise, Stream};
use crate::nn::{NoiseSchedule, alpha, sigma};
use crate::predict::{Condition, Models};

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
    /// `ε − ε̂ = (α/σ)(x̂ − x)` and the norm is that of the noise's covariance.
    ///
    /// # Errors
    /// Those of the grid and of the device.
    pub(super) fn new(x: &[f32], condition: &Condition, models: &Models) -> Result<Self> {
        let (lodi, device) = (&models.lodi.network, &models.device);
        let (n, schedule) = (condition.mean.n(), &lodi.config().schedule);
        let noise = CorrelatedNoise::new(lodi.config().noise, n);
        let tensor = |values: Vec<f32>| Tensor::<3>::from_data(TensorData::new(values, [n, n, n]), &device.burn);
        let data = tensor(x.to_vec());
        let mut diffusion = 0.0;
        for level in 0..LEVELS {
            let gamma = schedule.gamma((level as f64 + 0.5) / LEVELS as f64);
            let (a, s) = (alpha(gamma), sigma(gamma));
            let latent = data.clone() * a + tensor(noise.draw(level as u64, Stream::Training(u32::MAX))) * s;
            let estimate = condition.calibrated(gamma, condition.denoise(&latent, gamma, lodi, device)?, lodi);
            let error = host(estimate - data.clone())?;
            diffusion += 0.5 * schedule.slope() * (a / s).powi(2) * mean_square(&noise.whiten(error));
        }
        let [diffusion, prior, reconstruction] =
            [diffusion / LEVELS as f64, prior(x, &noise, schedule), reconstruction(&noise, schedule)]
                .map(|nats| nats / std::f64::consts::LN_2);
        Ok(Self { diffusion, prior, reconstruction, total: diffusion + prior + reconstruction })
    }
}

/// `KL(q(z_1 | x) ‖ N(0, C))` per voxel, nats, where `C` is the covariance of the noise.
fn prior(x: &[f32], noise: &CorrelatedNoise, schedule: &NoiseSchedule) -> f64 {
    let (a, s) = (alpha(schedule.gamma_max), sigma(schedule.gamma_max));
    0.5 * (a * a * mean_square(&noise.whiten(x.to_vec())) + s * s - 2.0 * s.ln() - 1.0)
}

/// `−ln N(x; z_0/α_0, C σ_0²/α_0²)` per voxel in expectation, nats.
fn reconstruction(noise: &CorrelatedNoise, schedule: &NoiseSchedule) -> f64 {
    let width = sigma(schedule.gamma_min) / alpha(schedule.gamma_min);
    0.5 * (1.0 + (2.0 * std::f64::consts::PI * width * width).ln() + noise.mean_log_spectrum())
}

fn mean_square(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64
}

//! Painting whole boxes during training.

use burn::tensor::Device;

use super::lodi::LodiBox;
use crate::error::{Error, Result};
use crate::nn::{Lodi, LodiConfig, Neighbourhood, Sampler, host};
use crate::stitch::{LatentOverlap, Lattice, Overlap, TileOrder};

/// Paint a box with the default sampler: the diffusion's data, `n³` values.
///
/// `report` hears of the windows done and in all, and returns whether to go on.
///
/// # Errors
/// Those of the device, and [`Error::Cancelled`].
pub(super) fn paint(
    from: &LodiBox,
    (lodi, config): (&Lodi, &LodiConfig),
    steps: usize,
    seed: u64,
    device: &Device,
    report: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<f32>> {
    let n = from.seen.n();
    let condition = from.condition(config);
    let plan = LatentOverlap {
        n,
        lattice: Lattice::new(n, config.tile, config.net.multiple(), Overlap::default())?,
        schedule: config.schedule,
        colour: config.noise,
        balance: config.balance(&from.expected),
        sampler: Sampler::default(),
        steps,
        seed,
        batch: rayon::current_num_threads(),
        order: TileOrder::Raster,
    };
    let about = Neighbourhood::new(n, &from.expected);
    let mut done = 0;
    plan.run(
        |batch| {
            let estimate = lodi.denoise_windows(&batch, &condition, config, device);
            done += batch.origins.len();
            if !report(done, plan.windows()) {
                return Err(Error::Cancelled);
            }
            host(estimate)
        },
        |gamma, clean| config.correct(gamma, &about, clean),
    )
}

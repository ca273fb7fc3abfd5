//! Painting whole boxes during training.

use burn::tensor::Device;

use super::lodi::{LodiBox, LodiBoxes};
use crate::error::{Error, Result};
use crate::nn::{Departure, Lodi, LodiConfig, Moments, Sampler, host};
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
        sampler: Sampler::default(),
        steps,
        seed,
        batch: rayon::current_num_threads(),
        order: TileOrder::Raster,
    };
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
        |_, _| (),
    )
}

/// Paint `count` validation boxes (training boxes where there are none) in `steps`
/// steps and return the tables with which they have the mean and the mean square of
/// the truth at every expected temperature ([`Departure::calibrated`]): a
/// network that has not learned to the end, and a sampler of few steps, paint too
/// little scatter, and the power of a map is missing just that. It is measured on
/// boxes that the network has not learned from, because on the others there is
/// less missing.
///
/// `report` hears of the windows done and in all, and returns whether to go on.
///
/// # Errors
/// Those of the device, and [`Error::Cancelled`].
pub fn calibrate(
    boxes: &LodiBoxes,
    count: usize,
    steps: usize,
    network: (&Lodi, &LodiConfig),
    device: &Device,
    mut report: impl FnMut(usize, usize) -> bool,
) -> Result<Departure> {
    let mut moments = Moments::new();
    let unseen = if boxes.validation.is_empty() { &boxes.train } else { &boxes.validation };
    let count = count.min(unseen.len());
    for (index, from) in unseen.iter().take(count).enumerate() {
        let mut report = |done: usize, total: usize| report(index * total + done, count * total);
        let painted = paint(from, network, steps, index as u64, device, &mut report)?;
        let expected = || from.expected.iter().copied();
        for painting in &from.paintings {
            moments.add_truth(painting.as_slice().iter().copied().zip(expected()));
        }
        moments.add_painted(painted.into_iter().zip(expected()));
    }
    Ok(network.1.departure.calibrated(&moments))
}

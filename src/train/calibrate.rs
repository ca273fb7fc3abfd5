//! Setting LODI's relation by what it paints.

use burn::tensor::{Device, Tensor, TensorData};

use super::lodi::LodiBoxes;
use crate::error::Result;
use crate::nn::{CONDITION_CHANNELS, Halo, LocalRelation, Lodi, LodiConfig, Moments, Sampler, Trained, host, side_by_side};
use crate::stitch::{ChannelField, LatentOverlap, Lattice, Overlap, TileOrder};

/// Paint `count` training boxes in `steps` steps and return the relation with
/// which they have the mean and the mean square of the truth at every local
/// temperature ([`LocalRelation::calibrated`]): a network that has not learned to
/// the end, and a sampler of few steps, paint too little scatter, and the power
/// of a map is missing just that.
///
/// `report` hears of the windows done and in all, and returns whether to go on.
///
/// # Errors
/// Those of the device, and [`crate::Error::Cancelled`].
pub fn calibrate(
    boxes: &LodiBoxes,
    count: usize,
    steps: usize,
    halo: &Trained<Halo>,
    (lodi, config): (&Lodi, &LodiConfig),
    device: &Device,
    mut report: impl FnMut(usize, usize) -> bool,
) -> Result<LocalRelation> {
    let mut moments = Moments::new();
    let count = count.min(boxes.train.len());
    let mut done = 0;
    for (index, from) in boxes.train.iter().take(count).enumerate() {
        let n = from.fields.dark_matter.n();
        let channels = from.condition(halo);
        let condition = ChannelField::stack(n, channels.iter().map(Vec::as_slice));
        let plan = LatentOverlap {
            n,
            lattice: Lattice::new(n, config.tile, config.net.multiple(), Overlap::default())?,
            schedule: config.schedule,
            sampler: Sampler::default(),
            steps,
            seed: index as u64,
            batch: rayon::current_num_threads(),
            order: TileOrder::Raster,
        };
        let total = count * plan.windows();
        let painted = plan.run(
            |batch| {
                let side = batch.side;
                let windows: Vec<(&[usize; 3], &[f32])> =
                    batch.origins.iter().zip(batch.latents.chunks(side.pow(3))).collect();
                let estimates = side_by_side(&windows, device, |windows| {
                    let mut latents = Vec::with_capacity(windows.len() * side.pow(3));
                    let mut conditions = Vec::new();
                    for &(&origin, latent) in windows {
                        latents.extend_from_slice(latent);
                        condition.gather(origin, side, &mut conditions);
                    }
                    let tensor = |values: Vec<f32>, channels: usize| {
                        let shape = [windows.len(), channels, side, side, side];
                        Tensor::<5>::from_data(TensorData::new(values, shape), device)
                    };
                    lodi.denoise(tensor(latents, 1), tensor(conditions, CONDITION_CHANNELS), config, batch.gamma)
                });
                done += windows.len();
                if !report(done, total) {
                    return Err(crate::Error::Cancelled);
                }
                host(Tensor::cat(estimates, 0))
            },
            |_, _| (),
        )?;
        let local = from.local(&config.relation);
        for painting in &from.paintings {
            moments.add_truth(painting.as_slice().iter().copied().zip(local.iter().copied()));
        }
        moments.add_painted(painted.into_iter().zip(local));
    }
    Ok(config.relation.calibrated(&moments))
}

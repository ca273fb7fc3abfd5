//! Finding what sets a denoiser's estimates right.

use burn::tensor::Device;

use super::lodi::{LodiBox, LodiBoxes};
use crate::error::{Error, Result};
use crate::nn::{CORRECTION_LEVELS, Correction, Errors, KnotMeans, Lodi, LodiConfig, Neighbourhood};
use crate::stitch::{Colouring, Stream};

/// Seed of the noise with which the truths are hidden.
const SEED: u64 = 0xc0;

/// Show the denoiser noisy truths of `count` validation boxes (training boxes where there
/// are none), at every noise level another painting, and return the correction with which
/// its estimates are best. Boxes that the network has learned from would make it look
/// better than it is.
///
/// The truths are centred: data averages nothing at every expected temperature, and
/// where in these few boxes it does not, a handful of heavy haloes is why.
///
/// `report` hears of the noise levels done and in all, and returns whether to go on.
///
/// # Errors
/// Those of the device, and [`Error::Cancelled`].
pub fn correct(
    boxes: &LodiBoxes,
    count: usize,
    (lodi, config): (&Lodi, &LodiConfig),
    device: &Device,
    mut report: impl FnMut(usize, usize) -> bool,
) -> Result<Correction> {
    let unseen = boxes.0.unseen();
    let count = count.min(unseen.len());
    let boxes: Vec<(&LodiBox, Neighbourhood)> =
        unseen.iter().take(count).map(|from| (from, Neighbourhood::new(from.seen.n(), &from.expected))).collect();
    let paintings = boxes.iter().map(|(from, _)| from.paintings.len()).min().unwrap_or(0).min(CORRECTION_LEVELS);
    let means: Vec<KnotMeans> = (0..paintings)
        .map(|painting| {
            let mut means = KnotMeans::default();
            boxes.iter().for_each(|(from, about)| means.add(&from.data(painting, config), about));
            means
        })
        .collect();
    let mut errors = Errors::new();
    for (index, (from, about)) in boxes.iter().enumerate() {
        let condition = from.condition(config);
        let colouring = Colouring::new(config.noise, from.seen.n());
        for level in 0..CORRECTION_LEVELS {
            let looks = index * CORRECTION_LEVELS + level;
            if !report(looks, count * CORRECTION_LEVELS) {
                return Err(Error::Cancelled);
            }
            let painting = level % paintings;
            let mut x = from.data(painting, config);
            means[painting].subtract_from(&mut x, about);
            let gamma = Errors::gamma(level, &config.schedule);
            let noise = colouring.draw(SEED, Stream::Training(looks as u32));
            let estimate = lodi.denoise_hidden((&x, &noise), gamma, &condition, config, device)?;
            errors.add(level, &x, &estimate, about);
        }
    }
    Ok(errors.correction())
}

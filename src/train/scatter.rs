//! Finding how much of what is painted is to be kept.

use burn::tensor::Device;
use rayon::prelude::*;

use super::lodi::{LodiBox, LodiBoxes};
use super::paint::paint;
use crate::error::{Error, Result};
use crate::evaluate::K_MAPS;
use crate::nn::{Anchor, Lodi, LodiConfig};
use crate::stats::power_spectrum;

/// Seed of the noise from which boxes are painted.
const SEED: u64 = 0x5ca;
/// What [`LodiConfig::scatter`] is sought between, and how finely.
const RANGE: [f64; 2] = [0.5, 1.5];
const FINENESS: f64 = 0.005;

/// A box as it is painted.
struct Painted {
    data: Vec<f32>,
    anchor: Anchor,
    /// The mean power over all draws of its truth, in the shells that are judged.
    truth: Vec<f64>,
}

impl Painted {
    fn new(from: &LodiBox, mean_power: &[f64], data: Vec<f32>) -> Self {
        let anchor = from.anchor();
        let spectrum = power_spectrum(anchor.expected(), None);
        let shells = spectrum.k.partition_point(|&k| k <= K_MAPS).min(spectrum.complete_shells());
        Self { data, anchor, truth: mean_power[..shells].to_vec() }
    }

    /// Its power over that of the truth, shell by shell.
    fn power_ratio(&self, config: &LodiConfig) -> Vec<f64> {
        let power = power_spectrum(&config.brightness_temperature(&self.data, &self.anchor), None).power;
        power.iter().zip(&self.truth).map(|(p, truth)| if *truth > 0.0 { p / truth } else { 1.0 }).collect()
    }
}

/// Paint `count` validation boxes (training boxes where there are none) in `steps` steps and
/// return the [`LodiConfig::scatter`] with which the mean of their power over that of the
/// truth's draws is nearest to one, in least squares over the shells up to 10 h/Mpc.
///
/// A denoiser is corrected on noisy truths, one noise level at a time. What is left of its
/// errors adds up from step to step, and only a painted map tells what it comes to.
///
/// `report` hears of the windows done and in all, and returns whether to go on.
///
/// # Errors
/// Those of the device, and [`Error::Cancelled`].
pub fn fit_scatter(
    boxes: &LodiBoxes,
    count: usize,
    (lodi, config): (&Lodi, &LodiConfig),
    steps: usize,
    device: &Device,
    mut report: impl FnMut(usize, usize) -> bool,
) -> Result<f64> {
    let (unseen, mean_power) = boxes.unseen();
    let count = count.min(unseen.len());
    let mut painted = Vec::with_capacity(count);
    for (index, (from, mean_power)) in unseen.iter().zip(mean_power).take(count).enumerate() {
        let mut report = |done: usize, all: usize| report(index * all + done, count * all);
        let data = paint(from, (lodi, config), steps, SEED, device, &mut report)?;
        painted.push(Painted::new(from, mean_power, data));
    }
    let shells = painted.iter().map(|p| p.truth.len()).min().unwrap_or(0);
    let off = |scatter: f64| {
        let config = LodiConfig { scatter, ..config.clone() };
        let ratios: Vec<Vec<f64>> = painted.par_iter().map(|p| p.power_ratio(&config)).collect();
        let mean = |shell: usize| ratios.iter().map(|r| r[shell]).sum::<f64>() / ratios.len() as f64;
        (0..shells).map(|shell| (mean(shell) - 1.0).powi(2)).sum::<f64>()
    };
    if !report(1, 1) {
        return Err(Error::Cancelled);
    }
    Ok(least(off, RANGE, FINENESS))
}

/// Where in `[from, to]` a function with one minimum is least, by golden sections.
fn least(f: impl Fn(f64) -> f64, [mut from, mut to]: [f64; 2], fineness: f64) -> f64 {
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (to - golden * (to - from), from + golden * (to - from));
    let (mut at_low, mut at_high) = (f(low), f(high));
    while to - from > fineness {
        if at_low < at_high {
            (to, high, at_high) = (high, low, at_low);
            low = to - golden * (to - from);
            at_low = f(low);
        } else {
            (from, low, at_low) = (low, high, at_high);
            high = from + golden * (to - from);
            at_high = f(high);
        }
    }
    0.5 * (from + to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_sections_find_a_minimum_within_and_at_the_edges() {
        for (minimum, found) in [(0.87, 0.87), (0.2, 0.5), (3.0, 1.5)] {
            let at = least(|x| (x - minimum).powi(2), RANGE, FINENESS);
            assert!((at - found).abs() < FINENESS, "{at} for {minimum}");
        }
    }
}

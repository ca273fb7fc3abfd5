//! Setting how HALO's probabilities become fractions of the matter.

use burn::tensor::Device;
use rayon::prelude::*;

use super::data::Fields;
use crate::error::Result;
use crate::evaluate::K_HALOES;
use crate::field::Grid;
use crate::nn::{Decision, HALO_CLASSES, Halo, HaloConfig};
use crate::pipeline::HALO_MASS_BINS;
use crate::stats::power_spectrum;

/// Rounds of the fit; it has settled to a thousandth before.
const ROUNDS: usize = 100;
/// Power is matched from this wavenumber in h/Mpc to [`K_HALOES`]: on larger
/// scales expected and true maps agree, and few modes there are.
const MATCHED_FROM: f64 = 1.0;
/// Sharpness stays within a factor of this.
const SHARPEST: f64 = 8.0;

/// A box with HALO's answer.
struct Answered<'a> {
    fields: &'a Fields,
    /// Per class.
    log_probabilities: Vec<Vec<f32>>,
    /// Mass and power of every bin of the truth.
    truth: [(f64, f64); HALO_MASS_BINS],
}

/// The decision with which the maps of `boxes` have the truth's mass and power in
/// every bin. They should be boxes that HALO has not learned from: on those it is
/// surer than it is elsewhere.
///
/// # Errors
/// Those of running HALO.
pub fn decide(boxes: &[&Fields], (halo, config): (&Halo, &HaloConfig), device: &Device) -> Result<Decision> {
    let answered = boxes
        .iter()
        .map(|&fields| {
            Ok(Answered {
                fields,
                log_probabilities: config.run_log_probabilities(halo, &fields.dark_matter, device)?,
                truth: fields.halo_mass.each_ref().map(mass_and_power),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(fit(&answered))
}

fn fit(answered: &[Answered]) -> Decision {
    let mut decision = Decision::default();
    for _ in 0..ROUNDS {
        // Logarithms of the mass and of the power, at equal mass, over the truth's,
        // and what is typical of the bin.
        let mut off = [[0.0; 3]; HALO_MASS_BINS];
        for of_box in answered {
            let share = 1.0 / answered.len() as f64;
            let maps = of_box.maps(&decision);
            for (bin, ((off, map), (mass, power))) in off.iter_mut().zip(&maps).zip(of_box.truth).enumerate() {
                let (made_mass, made_power) = mass_and_power(map);
                if mass > 0.0 && power > 0.0 && made_mass > 0.0 && made_power > 0.0 {
                    off[0] += share * (made_mass / mass).ln();
                    off[1] += share * ((made_power / power).ln() - 2.0 * (made_mass / mass).ln());
                    off[2] += share * of_box.typical(bin, map);
                }
            }
        }
        for (bin, [mass, power, typical]) in off.into_iter().enumerate() {
            let sharper = (decision.sharpness[bin] * (-power).clamp(-0.5, 0.5).exp()).clamp(1.0 / SHARPEST, SHARPEST);
            // What is typical of the bin is to weigh as much as before.
            decision.bias[bin] -= mass + (sharper - decision.sharpness[bin]) * typical;
            decision.sharpness[bin] = sharper;
        }
    }
    decision
}

impl Answered<'_> {
    /// The mean logarithm of a bin's probability, weighted by the mass of its map.
    fn typical(&self, bin: usize, map: &Grid) -> f64 {
        let pairs = map.as_slice().iter().zip(&self.log_probabilities[bin]);
        let sum: f64 = pairs.map(|(&mass, &log)| f64::from(mass) * f64::from(log)).sum();
        sum / map.sum()
    }

    /// The halo maps of a decision, (M☉/h)/(Mpc/h)³.
    fn maps(&self, decision: &Decision) -> [Grid; HALO_MASS_BINS] {
        let matter = self.fields.dark_matter.as_slice();
        let fractions: Vec<[f32; HALO_MASS_BINS]> = (0..matter.len())
            .into_par_iter()
            .map(|i| {
                let decided: [f64; HALO_CLASSES] = std::array::from_fn(|class| {
                    let log = f64::from(self.log_probabilities[class][i]);
                    decision.sharpness[class] * log + decision.bias[class]
                });
                let highest = decided.iter().copied().fold(f64::MIN, f64::max);
                let weights = decided.map(|d| (d - highest).exp());
                let sum: f64 = weights.iter().sum();
                std::array::from_fn(|bin| (weights[bin] / sum) as f32 * matter[i])
            })
            .collect();
        std::array::from_fn(|bin| {
            let mut map = self.fields.dark_matter.clone();
            map.as_slice_mut().iter_mut().zip(&fractions).for_each(|(to, from)| *to = from[bin]);
            let mean = self.fields.cosmology.mean_matter_density() as f32;
            map.map(|v| v * mean)
        })
    }
}

/// The mean of a map, and the geometric mean of its power over the matched
/// shells; 0 where it has none.
fn mass_and_power(map: &Grid) -> (f64, f64) {
    let spectrum = power_spectrum(map, None);
    let matched = spectrum.k.iter().zip(&spectrum.power).filter(|(k, _)| (MATCHED_FROM..=K_HALOES).contains(*k));
    let logs: Vec<f64> = matched.map(|(_, power)| power.ln()).collect();
    (map.mean(), if logs.is_empty() { 0.0 } else { (logs.iter().sum::<f64>() / logs.len() as f64).exp() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Cosmology;
    use crate::stitch::{Stream, fill_normal};

    /// Expected fractions have about the mass and lack power.
    #[test]
    fn maps_get_the_mass_and_the_power_of_the_truth() {
        let n = 32;
        let noise = |seed: u64| {
            let mut grid = Grid::zeros(n, 12.5);
            fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
            grid
        };
        let cosmology = Cosmology::default();
        let mean = cosmology.mean_matter_density() as f32;
        let (dark_matter, hidden, seen) = (noise(1).map(f32::exp), noise(2), noise(3));
        let mut fields = Fields {
            halo_mass: std::array::from_fn(|_| Grid::zeros(n, 12.5)),
            brightness_temperature: Grid::zeros(n, 12.5),
            dark_matter: dark_matter.clone(),
            redshift: 1.0,
            cosmology,
        };
        let mut log_probabilities = vec![vec![-20f32; n.pow(3)]; HALO_CLASSES];
        for (i, &m) in dark_matter.as_slice().iter().enumerate() {
            // Shares of two bins that rise with a score, of which a part is hidden:
            // what is expected of them rises more slowly.
            let above = |score: f32, t: f32, width: f32| 1.0 / (1.0 + (-1.7 * (score - t) / width).exp());
            let shares = |score: f32, width: f32| {
                let (second, any) = (above(score, 1.2, width), above(score, -0.3, width));
                [any - second, second, 1.0 - any]
            };
            let true_shares = shares(seen.as_slice()[i] + 0.3 * hidden.as_slice()[i], 0.3);
            for (bin, share) in true_shares.into_iter().enumerate().take(2) {
                fields.halo_mass[bin].as_slice_mut()[i] = share * m * mean;
            }
            let probabilities = shares(seen.as_slice()[i], 0.6);
            for (class, p) in [0, 1, HALO_CLASSES - 1].into_iter().zip(probabilities) {
                log_probabilities[class][i] = p.max(1e-9).ln();
            }
        }
        let truth = fields.halo_mass.each_ref().map(mass_and_power);
        let answered = [Answered { fields: &fields, log_probabilities, truth }];
        let off = |decision: &Decision, bin: usize| {
            let (mass, power) = mass_and_power(&answered[0].maps(decision)[bin]);
            [mass / truth[bin].0 - 1.0, power / truth[bin].1 - 1.0]
        };
        let decision = fit(&answered);
        for bin in 0..2 {
            assert!(
                off(&Decision::default(), bin)[1] < -0.1,
                "nothing to decide: {:?}",
                off(&Decision::default(), bin)
            );
            let [mass, power] = off(&decision, bin);
            assert!(mass.abs() < 0.01 && power.abs() < 0.02, "bin {bin}: mass off by {mass}, power by {power}");
        }
    }
}

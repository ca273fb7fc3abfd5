//! Setting how HALO's probabilities become fractions of the matter.

use burn::tensor::Device;
use rayon::prelude::*;

use super::data::Fields;
use crate::error::Result;
use crate::evaluate::K_HALOES;
use crate::field::Grid;
use crate::nn::{DECIDED_CLASSES, Decision, HEAVY, Halo, HaloConfig};
use crate::pipeline::HALO_MASS_BINS;
use crate::stats::power_spectrum;

/// Rounds in which mass and power settle to a few thousandths.
const ROUNDS: usize = 50;
/// Rounds in which they follow a small step.
const ROUNDS_OF_STEP: usize = 5;
/// Steps of Newton's method.
const NEWTON_STEPS: usize = 7;
/// Power is matched to [`K_HALOES`] from this wavenumber in h/Mpc: on larger scales there
/// are few modes, and where nothing is left to chance expected and true maps agree.
const MATCHED_FROM: f64 = 1.0;
/// Below this wavenumber in h/Mpc is what chance must not change.
const LARGE_SCALES: f64 = 1.5;
/// Sharpness stays within a factor of this.
const SHARPEST: f64 = 8.0;
/// Scatter stays below this.
const WILDEST: f64 = 8.0;
/// Mean density of a halo over that of the matter.
const HALO_OVERDENSITY: f64 = 200.0;
/// The classes that are haloes: the mass bins, but for the two heaviest, which are one class.
const HALOES: usize = DECIDED_CLASSES - 1;

/// A box with HALO's answer.
struct Answered<'a> {
    fields: &'a Fields,
    /// Per class.
    log_probabilities: Vec<Vec<f32>>,
    /// The field that [`Decision::scatter`] multiplies.
    chance: Vec<f32>,
    /// Every class of haloes of the truth.
    truth: [Measured; HALOES],
}

/// The decisions with which the maps of `boxes` have the truth's mass and power in every
/// class: [`HaloConfig::decision`], which leaves to chance where haloes smaller than a voxel
/// lie, and [`HaloConfig::condition`], which leaves nothing to it. They should be boxes
/// that HALO has not learned from: on those it is surer than it is elsewhere.
///
/// # Errors
/// Those of running HALO.
pub fn decide(boxes: &[&Fields], (halo, config): (&Halo, &HaloConfig), device: &Device) -> Result<[Decision; 2]> {
    let answered = boxes
        .iter()
        .enumerate()
        .map(|(index, &fields)| {
            let input = config.input(&fields.dark_matter, &fields.cosmology, index as u64);
            Ok(Answered {
                fields,
                log_probabilities: config.run_log_probabilities(halo, &input.seen, device)?,
                chance: input.chance,
                truth: haloes(fields).each_ref().map(Measured::of),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let unseen = boxes.first().map_or([false; HALOES], |fields| smaller_than_a_voxel(&config.mass_edges, fields));
    let condition = fit(&answered, Decision::default(), [false; HALOES]);
    Ok([fit(&answered, condition, unseen), condition])
}

/// Halo mass per class, (M☉/h)/(Mpc/h)³.
fn haloes(fields: &Fields) -> [Grid; HALOES] {
    let mut classes: [Grid; HALOES] = std::array::from_fn(|class| fields.halo_mass[class].clone());
    fields.halo_mass[HALOES..].iter().for_each(|heavier| classes[HEAVY].values += &heavier.values);
    classes
}

/// The classes of which even the heaviest haloes have a radius below a voxel.
fn smaller_than_a_voxel(mass_edges: &[f64; HALO_MASS_BINS + 1], fields: &Fields) -> [bool; HALOES] {
    let density = HALO_OVERDENSITY * fields.cosmology.mean_matter_density();
    std::array::from_fn(|class| {
        let heaviest = if class == HEAVY { HALO_MASS_BINS } else { class + 1 };
        let volume = mass_edges[heaviest] / density;
        (volume / (4.0 / 3.0 * std::f64::consts::PI)).cbrt() < fields.dark_matter.voxel()
    })
}

/// Begun from `decision`. Bins that are `unseen` get the sharpness and the scatter with
/// which their power is right where it is matched and on large scales: Newton's method,
/// with slopes from small steps.
fn fit(answered: &[Answered], mut decision: Decision, unseen: [bool; HALOES]) -> Decision {
    let chosen: Vec<usize> = (0..HALOES).filter(|&class| unseen[class]).collect();
    for &class in &chosen {
        // As the probabilities are, which are right on large scales.
        (decision.sharpness[class], decision.bias[class], decision.scatter[class]) = (1.0, 0.0, 1.0);
    }
    if !chosen.is_empty() {
        (0..NEWTON_STEPS).for_each(|_| newton_step(answered, &mut decision, unseen, &chosen));
    }
    settle(answered, &mut decision, unseen, ROUNDS);
    decision
}

/// Bring the power of the `chosen` classes nearer to the truth's, where it is matched and on
/// large scales.
fn newton_step(answered: &[Answered], decision: &mut Decision, unseen: [bool; HALOES], chosen: &[usize]) {
    const SMALL: f64 = 0.1;
    let off = settle(answered, decision, unseen, ROUNDS_OF_STEP);
    let slopes = |sharper: f64, wilder: f64| {
        let mut moved = *decision;
        for &class in chosen {
            off[class].sharpen(&mut moved, class, sharper);
            moved.scatter[class] += wilder;
        }
        let moved = settle(answered, &mut moved, unseen, ROUNDS_OF_STEP);
        move |class: usize| {
            let (moved, off): (Off, Off) = (moved[class], off[class]);
            [(moved.large - off.large) / SMALL, (moved.matched - off.matched) / SMALL]
        }
    };
    let (sharper, wilder) = (slopes(SMALL, 0.0), slopes(0.0, SMALL));
    for &class in chosen {
        let ([a, c], [b, d]) = (sharper(class), wilder(class));
        let determinant = a * d - b * c;
        if determinant.abs() > 1e-6 {
            let Off { large, matched, .. } = off[class];
            off[class].sharpen(decision, class, (b * matched - d * large) / determinant);
            let step = (c * large - a * matched) / determinant;
            decision.scatter[class] = (decision.scatter[class] + step.clamp(-1.0, 1.0)).clamp(0.0, WILDEST);
        }
    }
}

/// Give every class its mass and those that are not `unseen`, with sharpness, their power
/// where it is matched. Returns how far off all was before the last round.
fn settle(answered: &[Answered], decision: &mut Decision, unseen: [bool; HALOES], rounds: usize) -> [Off; HALOES] {
    let mut off = [Off::default(); HALOES];
    for _ in 0..rounds {
        let mut sums = [Sums::default(); HALOES];
        for of_box in answered {
            let maps = of_box.maps(decision);
            for (class, (sums, map)) in sums.iter_mut().zip(&maps).enumerate() {
                sums.add(&Measured::of(map), &of_box.truth[class], of_box.typical(class, map));
            }
        }
        off = sums.map(Sums::off);
        for (class, off) in off.iter().enumerate() {
            decision.bias[class] -= off.mass;
            if !unseen[class] {
                off.sharpen(decision, class, -off.matched);
            }
        }
    }
    off
}

/// What a map is judged by.
struct Measured {
    /// Its mean.
    mass: f64,
    /// Wavenumber and logarithm of the power per shell, to [`K_HALOES`]; none where there
    /// is no mass.
    log_power: Vec<(f64, f64)>,
}

impl Measured {
    fn of(map: &Grid) -> Self {
        let mass = map.mean();
        if mass <= 0.0 {
            return Self { mass, log_power: Vec::new() };
        }
        let spectrum = power_spectrum(&map.overdensity(), None);
        let judged = spectrum.k.iter().zip(&spectrum.power).filter(|(k, _)| **k <= K_HALOES);
        Self { mass, log_power: judged.map(|(&k, power)| (k, power.ln())).collect() }
    }

    /// The mean logarithm of the power over the truth's, in the shells of `wanted`
    /// wavenumbers.
    fn over(&self, truth: &Self, wanted: impl Fn(f64) -> bool) -> f64 {
        let pairs = self.log_power.iter().zip(&truth.log_power).filter(|((k, _), _)| wanted(*k));
        let (count, sum) = pairs.fold((0.0, 0.0), |(count, sum), ((_, p), (_, t))| (count + 1.0, sum + p - t));
        sum / f64::max(count, 1.0)
    }
}

/// How far off the maps of a class are: logarithms of what was made over the truth.
#[derive(Debug, Clone, Copy, Default)]
struct Off {
    mass: f64,
    /// Power on large scales.
    large: f64,
    /// Power where it is matched.
    matched: f64,
    /// Logarithm of the probability that is typical of the class.
    typical: f64,
}

impl Off {
    /// Change the logarithm of a class's sharpness; what is typical of the class is to weigh as
    /// much as before.
    fn sharpen(&self, decision: &mut Decision, class: usize, step: f64) {
        let before = decision.sharpness[class];
        let sharpness = (before * step.clamp(-0.5, 0.5).exp()).clamp(1.0 / SHARPEST, SHARPEST);
        decision.bias[class] -= (sharpness - before) * self.typical;
        decision.sharpness[class] = sharpness;
    }
}

/// Sums over boxes; of power, over those in which the class has a halo.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    made_mass: f64,
    true_mass: f64,
    boxes: f64,
    large: f64,
    matched: f64,
    typical: f64,
}

impl Sums {
    fn add(&mut self, made: &Measured, truth: &Measured, typical: f64) {
        self.made_mass += made.mass;
        self.true_mass += truth.mass;
        if made.mass > 0.0 && truth.mass > 0.0 {
            self.boxes += 1.0;
            self.large += made.over(truth, |k| k < LARGE_SCALES);
            self.matched += made.over(truth, |k| k >= MATCHED_FROM);
            self.typical += typical;
        }
    }

    fn off(self) -> Off {
        if self.boxes == 0.0 {
            return Off::default();
        }
        let [large, matched, typical] = [self.large, self.matched, self.typical].map(|sum| sum / self.boxes);
        Off { mass: (self.made_mass / self.true_mass).ln(), large, matched, typical }
    }
}

impl Answered<'_> {
    /// The mean logarithm of a class's probability, weighted by the mass of its map.
    fn typical(&self, class: usize, map: &Grid) -> f64 {
        let pairs = map.as_slice().iter().zip(&self.log_probabilities[class]);
        let sum: f64 = pairs.map(|(&mass, &log)| f64::from(mass) * f64::from(log)).sum();
        sum / map.sum()
    }

    /// The halo maps of a decision, (M☉/h)/(Mpc/h)³.
    fn maps(&self, decision: &Decision) -> [Grid; HALOES] {
        let matter = self.fields.dark_matter.as_slice();
        let fractions: Vec<[f32; HALOES]> = (0..matter.len())
            .into_par_iter()
            .map(|i| {
                let log_probabilities = std::array::from_fn(|class| f64::from(self.log_probabilities[class][i]));
                let decided = decision.logits(log_probabilities, f64::from(self.chance[i]));
                let highest = decided.iter().copied().fold(f64::MIN, f64::max);
                let weights = decided.map(|d| (d - highest).exp());
                let sum: f64 = weights.iter().sum();
                std::array::from_fn(|class| (weights[class] / sum) as f32 * matter[i])
            })
            .collect();
        std::array::from_fn(|class| {
            let mut map = self.fields.dark_matter.clone();
            map.as_slice_mut().iter_mut().zip(&fractions).for_each(|(to, from)| *to = from[class]);
            let mean = self.fields.cosmology.mean_matter_density() as f32;
            map.map(|v| v * mean)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Cosmology;
    use crate::stitch::{Colouring, NoiseColour, Stream, fill_normal};

    const N: usize = 32;

    fn noise(seed: u64) -> Grid {
        let mut grid = Grid::zeros(N, 12.5);
        fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
        grid
    }

    /// A box of `dark_matter` `1 + δ` without haloes.
    fn empty(dark_matter: Grid) -> Fields {
        Fields {
            halo_mass: std::array::from_fn(|_| Grid::zeros(N, 12.5)),
            brightness_temperature: Grid::zeros(N, 12.5),
            dark_matter,
            redshift: 1.0,
            cosmology: Cosmology::default(),
        }
    }

    fn answered(fields: &Fields, log_probabilities: Vec<Vec<f32>>, chance: Vec<f32>) -> Answered<'_> {
        Answered { fields, log_probabilities, chance, truth: haloes(fields).each_ref().map(Measured::of) }
    }

    /// By how much mass, power on large scales and power where it is matched are off.
    fn off(answered: &Answered, decision: &Decision, bin: usize) -> [f64; 3] {
        let (made, truth) = (Measured::of(&answered.maps(decision)[bin]), &answered.truth[bin]);
        let power = |wanted: fn(f64) -> bool| made.over(truth, wanted).exp_m1();
        [made.mass / truth.mass - 1.0, power(|k| k < LARGE_SCALES), power(|k| k >= MATCHED_FROM)]
    }

    /// Expected fractions have about the mass and lack power.
    #[test]
    fn maps_get_the_mass_and_the_power_of_the_truth() {
        let (dark_matter, hidden, seen) = (noise(1).map(f32::exp), noise(2), noise(3));
        let mut fields = empty(dark_matter.clone());
        let mean = fields.cosmology.mean_matter_density() as f32;
        let mut log_probabilities = vec![vec![-20f32; N.pow(3)]; DECIDED_CLASSES];
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
            for (class, p) in [0, 1, DECIDED_CLASSES - 1].into_iter().zip(probabilities) {
                log_probabilities[class][i] = p.max(1e-9).ln();
            }
        }
        let answered = [answered(&fields, log_probabilities, vec![0.0; N.pow(3)])];
        let decision = fit(&answered, Decision::default(), [false; HALOES]);
        for bin in 0..2 {
            let [_, _, undecided] = off(&answered[0], &Decision::default(), bin);
            assert!(undecided < -0.1, "nothing to decide: {undecided}");
            let [mass, _, power] = off(&answered[0], &decision, bin);
            assert!(mass.abs() < 0.01 && power.abs() < 0.02, "bin {bin}: mass off by {mass}, power by {power}");
        }
    }

    /// Where haloes lie by chance, that chance is found: with other noise than the truth's
    /// and nothing told of it but the probabilities.
    #[test]
    fn haloes_that_are_not_seen_have_their_power_on_all_scales() {
        // Where they are likely varies over the box.
        let likely = Colouring::new(NoiseColour { smooth: 0.99, radius: 2.0 }, N).draw(1, Stream::Latent);
        let (hidden, chance) = (noise(8), noise(7).as_slice().to_vec());
        let chances =
            Decision { sharpness: [2.0, 1.0, 1.0, 1.0], scatter: [2.5, 0.0, 0.0, 0.0], ..Decision::default() };
        let mut fields = empty(Grid::zeros(N, 12.5).map(|_| 1.0));
        let mean = fields.cosmology.mean_matter_density() as f32;
        let mut log_probabilities = vec![vec![-20f32; N.pow(3)]; DECIDED_CLASSES];
        for (i, &g) in likely.iter().enumerate() {
            let probability = 1.0 / (1.0 + (2.0 - g).exp());
            let logs = [probability.ln(), -20.0, -20.0, (1.0 - probability).ln()];
            log_probabilities.iter_mut().zip(logs).for_each(|(class, log)| class[i] = log);
            let weights = chances.logits(logs.map(f64::from), f64::from(hidden.as_slice()[i])).map(f64::exp);
            fields.halo_mass[0].as_slice_mut()[i] = (weights[0] / weights.iter().sum::<f64>()) as f32 * mean;
        }
        let answered = [answered(&fields, log_probabilities, chance)];
        let sharp = fit(&answered, Decision::default(), [false; HALOES]);
        let [_, large, _] = off(&answered[0], &sharp, 0);
        assert!(large.abs() > 0.3, "nothing for chance to do: {large}");
        let decision = fit(&answered, sharp, [true, false, false]);
        let [mass, large, power] = off(&answered[0], &decision, 0);
        assert!(mass.abs() < 0.02 && large.abs() < 0.02 && power.abs() < 0.02, "{mass} {large} {power}: {decision:?}");
        assert!((decision.sharpness[0] - 2.0).abs() < 0.4 && (decision.scatter[0] - 2.5).abs() < 0.5, "{decision:?}");
        assert!(decision.scatter[1..].iter().all(|s| *s == 0.0));
    }

    #[test]
    fn chance_is_for_haloes_smaller_than_a_voxel() {
        // 1e11 M☉/h at 200 times the mean density have a radius of 0.113 Mpc/h, 1e12 one of 0.243.
        let bins = |voxel: f64| {
            let fields = empty(Grid::zeros(N, N as f64 * voxel));
            smaller_than_a_voxel(&[1e10, 1e11, 1e12, 1e13, 1e15], &fields)
        };
        assert_eq!(bins(0.1), [false; 3]);
        assert_eq!(bins(0.195), [true, false, false]);
        assert_eq!(bins(0.3), [true, true, false]);
    }
}

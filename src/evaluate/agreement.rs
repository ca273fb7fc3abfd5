//! A map against its truth, and against the truth's other draws.

use serde::Serialize;

use super::over_boxes;
use crate::error::Result;
use crate::field::Grid;
use crate::stats::{cross_spectrum, equilateral, power_spectrum, squeezed};

/// How a field compares with its truth, shell by shell.
#[derive(Debug, Clone, Serialize)]
pub struct Agreement {
    /// `P/P_true`.
    pub power_ratio: Vec<f64>,
    /// Transfer function `√(P/P_true)`.
    pub transfer: Vec<f64>,
    /// Cross-correlation coefficient `r(k)`.
    pub correlation: Vec<f64>,
    /// `Δ²(k)`, in the field's unit squared.
    pub dimensionless: Vec<f64>,
    /// Mean over the box, in the field's unit.
    pub mean: f64,
    /// The truth's.
    pub true_mean: f64,
    /// Their ratio; not finite where the truth has nothing.
    pub mean_ratio: f64,
    /// The mean of `|P/P_true − 1|` over the shells that are judged.
    pub mean_deviation: f64,
    /// The largest.
    pub worst: f64,
}

impl Agreement {
    /// Compare a field with its truth up to `k_max` h/Mpc; the second value is the
    /// mean wavenumber of each shell.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where the grids differ.
    pub(super) fn new(fields: [&Grid; 2], k_max: f64) -> Result<(Self, Vec<f64>)> {
        let pair = cross_spectrum(fields, [None, None])?;
        let judged = pair.first.shells_up_to(k_max);
        let cut = |mut values: Vec<f64>| {
            values.truncate(judged);
            values
        };
        let transfer = cut(pair.transfer());
        let power_ratio: Vec<f64> = transfer.iter().map(|t| t * t).collect();
        let [mean, true_mean] = fields.map(Grid::mean);
        let deviations = || power_ratio.iter().map(|r| (r - 1.0).abs());
        let agreement = Self {
            mean_deviation: deviations().sum::<f64>() / judged.max(1) as f64,
            worst: deviations().fold(0.0, f64::max),
            correlation: cut(pair.correlation()),
            dimensionless: cut(pair.first.dimensionless()),
            mean,
            true_mean,
            mean_ratio: mean / true_mean,
            power_ratio,
            transfer,
        };
        Ok((agreement, pair.first.k[..judged].to_vec()))
    }
}

/// The power of a grid, of the first `shells` shells.
pub(super) fn power(grid: &Grid, shells: usize) -> Vec<f64> {
    let mut power = power_spectrum(grid, None).power;
    power.truncate(shells);
    power
}

/// Realisations of a prediction against those of the truth.
#[derive(Debug, Clone, Serialize)]
pub struct Draws {
    /// Draws of the truth, the reference among them.
    pub count: usize,
    /// Realisations of the prediction.
    pub realisations: usize,
    /// Mean power of the realisations, per shell, mK² (Mpc/h)³.
    pub power: Vec<f64>,
    /// Mean power of the draws.
    pub true_power: Vec<f64>,
    /// The first over the second.
    pub power_ratio: Vec<f64>,
    /// Standard deviation of the draws' power over its mean, per shell; NaN, as the next two,
    /// where the truth has but one draw.
    pub spread: Vec<f64>,
    /// Mean of `|P/P_true − 1|` over the draws other than the reference, per shell:
    /// what a perfect model, which paints such draws, is off by.
    pub another_draw: Vec<f64>,
    /// `|P/P_true − 1|` of the draws' mean power, per shell: what a prediction that
    /// knows all but the draw is off by.
    pub mean_of_draws: Vec<f64>,
}

impl Draws {
    /// Of realisations of a prediction, against the truth and further draws of it.
    pub(super) fn new(predictions: &[Grid], truth: &Grid, further: &[Grid], shells: usize) -> Self {
        let powers = |grids: &[Grid]| grids.iter().map(|grid| power(grid, shells)).collect::<Vec<_>>();
        let of_truth = power(truth, shells);
        let (others, predicted) = (powers(further), powers(predictions));
        let (mean, spread) = over_boxes(std::iter::once(&of_truth).chain(&others).map(Vec::as_slice));
        let (predicted, _) = over_boxes(predicted.iter().map(Vec::as_slice));
        let over = |values: &[f64], of: &[f64]| -> Vec<f64> { values.iter().zip(of).map(|(v, of)| v / of).collect() };
        let off = |ratios: Vec<f64>| ratios.into_iter().map(|ratio| (ratio - 1.0).abs());
        let mut another_draw = vec![0.0; shells];
        for draw in &others {
            another_draw.iter_mut().zip(off(over(draw, &of_truth))).for_each(|(sum, off)| *sum += off);
        }
        // One over none is no number, which is right.
        another_draw.iter_mut().for_each(|sum| *sum /= others.len() as f64);
        let known = |value: f64| if others.is_empty() { f64::NAN } else { value };
        Self {
            count: 1 + further.len(),
            realisations: predictions.len(),
            power_ratio: over(&predicted, &mean),
            spread: over(&spread, &mean).into_iter().map(known).collect(),
            another_draw,
            mean_of_draws: off(over(&mean, &of_truth)).map(known).collect(),
            power: predicted,
            true_power: mean,
        }
    }
}

/// One-point distributions of the brightness temperature.
#[derive(Debug, Clone, Serialize)]
pub struct OnePoint {
    /// Lower edges of the bins in `log10(T_b / mK)`; the lowest bin also holds
    /// all that is below.
    pub log_temperature: Vec<f64>,
    /// Fraction of the voxels of the prediction per bin.
    pub prediction: Vec<f64>,
    /// Fraction of the voxels of the truth per bin.
    pub truth: Vec<f64>,
}

impl OnePoint {
    pub(super) fn new(prediction: &Grid, truth: &Grid) -> Self {
        let log_temperature: Vec<f64> = (-20..30).map(|i| f64::from(i) / 10.0).collect();
        let histogram = |grid: &Grid| {
            let mut counts = vec![0.0; log_temperature.len()];
            let last = counts.len() as f64 - 1.0;
            for &t in grid.as_slice() {
                let bin = ((f64::from(t).max(1e-30).log10() + 2.0) * 10.0).floor();
                counts[bin.clamp(0.0, last) as usize] += 1.0;
            }
            counts.iter().map(|c| c / grid.as_slice().len() as f64).collect()
        };
        Self { prediction: histogram(prediction), truth: histogram(truth), log_temperature }
    }
}

/// Bispectra of prediction and truth.
#[derive(Debug, Clone, Serialize)]
pub struct Bispectra {
    /// Wavenumber of the equal sides, h/Mpc.
    pub k: Vec<f64>,
    /// `B/B_true` of equilateral triangles.
    pub equilateral: Vec<f64>,
    /// `B/B_true` of squeezed ones.
    pub squeezed: Vec<f64>,
    /// The short side of the squeezed ones, h/Mpc.
    pub k_short: f64,
}

impl Bispectra {
    pub(super) fn new(prediction: &Grid, truth: &Grid) -> Self {
        // A shell is two fundamental modes wide, and the short side must not be
        // the mean mode.
        let k_short = 3.0 * truth.k_fundamental();
        let limit = 2.0 / 3.0 * truth.k_nyquist() - truth.k_fundamental();
        let k: Vec<f64> =
            [1.0, 2.0, 3.0, 5.0, 7.0, 10.0].into_iter().filter(|k| (k_short..=limit).contains(k)).collect();
        let ratio = |of: &dyn Fn(&Grid) -> Vec<f64>| of(prediction).iter().zip(of(truth)).map(|(p, t)| p / t).collect();
        Self {
            equilateral: ratio(&|grid| equilateral(grid, &k).bispectrum),
            squeezed: ratio(&|grid| squeezed(grid, &k, k_short).bispectrum),
            k,
            k_short,
        }
    }
}

/// Several predictions of one box, which differ in the seed alone: whether the
/// truth could be one of them.
#[derive(Debug, Clone, Serialize)]
pub struct Ensemble {
    /// How many.
    pub count: usize,
    /// The mean of their powers over that of the truth, per shell.
    pub power_ratio: Vec<f64>,
    /// Standard deviation of their powers over its mean, per shell.
    pub spread: Vec<f64>,
    /// Shells in which `rank` of the predictions have less power than the truth,
    /// for ranks from 0 to `count`: flat where the spread of predictions is that
    /// of the truth.
    pub power_ranks: Vec<u64>,
    /// The same for the temperatures of single voxels that are not faint.
    pub voxel_ranks: Vec<u64>,
}

/// Conditional mean in mK from which a voxel is not faint.
const NOT_FAINT: f32 = 1.0;

impl Ensemble {
    /// Of `predictions`, against the truth; `mean` is the conditional mean.
    pub(super) fn new(predictions: &[Grid], truth: &Grid, mean: &Grid, shells: usize) -> Self {
        let powers: Vec<Vec<f64>> = predictions.iter().map(|grid| power(grid, shells)).collect();
        let true_power = power(truth, shells);
        let (average, spread) = over_boxes(powers.iter().map(Vec::as_slice));
        let mut power_ranks = vec![0; predictions.len() + 1];
        for (shell, truth) in true_power.iter().enumerate() {
            power_ranks[powers.iter().filter(|power| power[shell] < *truth).count()] += 1;
        }
        let mut voxel_ranks = vec![0; predictions.len() + 1];
        let maps: Vec<&[f32]> = predictions.iter().map(|grid| grid.as_slice()).collect();
        for (i, &t) in truth.as_slice().iter().enumerate() {
            if mean.as_slice()[i] > NOT_FAINT {
                voxel_ranks[maps.iter().filter(|map| map[i] < t).count()] += 1;
            }
        }
        Self {
            count: predictions.len(),
            power_ratio: average.iter().zip(&true_power).map(|(m, t)| m / t).collect(),
            spread: spread.iter().zip(&average).map(|(s, m)| s / m).collect(),
            power_ranks,
            voxel_ranks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Stream, fill_normal};
    use crate::stats::K_MAPS;

    fn field(seed: u64) -> Grid {
        let mut grid = Grid::zeros(16, 25.0);
        fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
        grid.map(f32::exp)
    }

    #[test]
    fn a_field_agrees_with_itself_and_a_doubled_one_has_four_times_the_power() {
        let truth = field(1);
        let (same, k) = Agreement::new([&truth, &truth], K_MAPS).unwrap();
        assert!(same.worst < 1e-9 && same.mean_ratio == 1.0 && same.correlation.iter().all(|r| *r > 0.999_999));
        assert!(k.iter().all(|&k| k <= 2.1) && k.len() == same.power_ratio.len());
        let (double, _) = Agreement::new([&truth.map(|v| 2.0 * v), &truth], K_MAPS).unwrap();
        assert!((double.worst - 3.0).abs() < 1e-5 && (double.mean_ratio - 2.0).abs() < 1e-6);
        assert!((double.mean_deviation - 3.0).abs() < 1e-5 && (double.transfer[0] - 2.0).abs() < 1e-6);
        let eight = Bispectra::new(&truth.map(|v| 2.0 * v), &truth);
        assert!(!eight.k.is_empty() && eight.equilateral.iter().chain(&eight.squeezed).all(|b| (b - 8.0).abs() < 1e-3));
    }

    #[test]
    fn one_point_distributions_sum_to_one() {
        let one_point = OnePoint::new(&field(1), &field(2).map(|_| 0.0));
        for values in [&one_point.prediction, &one_point.truth] {
            assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert_eq!(one_point.truth[0], 1.0);
    }

    #[test]
    fn a_truth_of_the_same_kind_has_any_rank_and_a_brighter_one_the_last() {
        let predictions: Vec<Grid> = (2..18).map(field).collect();
        let everywhere = field(1).map(|_| 2.0);
        let ensemble = Ensemble::new(&predictions, &field(1), &everywhere, 8);
        let voxels = 16u64.pow(3);
        assert_eq!(ensemble.voxel_ranks.iter().sum::<u64>(), voxels);
        // Each of 17 ranks holds a 17th, within five standard errors.
        let expected = voxels as f64 / 17.0;
        assert!(ensemble.voxel_ranks.iter().all(|&n| (n as f64 - expected).abs() < 5.0 * expected.sqrt()));
        let bright = Ensemble::new(&predictions, &field(1).map(|v| v + 1e3), &everywhere, 8);
        assert_eq!(bright.voxel_ranks[16], voxels);
        // A draw of the same kind is off by √2 of what the mean is off by.
        let draws = Draws::new(&predictions, &field(1), &predictions, 8);
        assert!(draws.power_ratio.iter().all(|ratio| (ratio - 1.0).abs() < 0.1) && draws.realisations == 16);
        assert!(draws.count == 17 && draws.another_draw.iter().all(|&off| off > 0.0 && off < 1.0));
        let alone = Draws::new(&predictions, &field(1), &[], 8);
        assert!(alone.count == 1 && alone.spread.iter().chain(&alone.another_draw).all(|v| v.is_nan()));
        let average = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        assert!(average(&draws.mean_of_draws) < 0.95 * average(&draws.another_draw));
    }
}

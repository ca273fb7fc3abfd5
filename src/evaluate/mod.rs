//! Judging the networks: predictions of boxes whose truth is known, in numbers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::field::Grid;
use crate::io::read_map;
use crate::nn::LodiConfig;
use crate::pipeline::{HALO_MASS_BINS, JobConfig, Layer, Outcome, Stage};
use crate::stats::{CrossSpectrum, cross_spectrum, power_spectrum};

/// Largest wavenumber that 21 cm maps are judged to, h/Mpc.
pub const K_MAPS: f64 = 10.0;
/// Largest wavenumber that halo maps are judged to, h/Mpc.
pub const K_HALOES: f64 = 5.0;

/// How a field compares with its truth, shell by shell.
#[derive(Debug, Clone, Serialize)]
pub struct Agreement {
    /// `P/P_true`.
    pub power_ratio: Vec<f64>,
    /// Cross-correlation coefficient `r(k)`.
    pub correlation: Vec<f64>,
    /// Mean over the box over that of the truth.
    pub mean_ratio: f64,
    /// The largest `|P/P_true − 1|` over the shells that are judged.
    pub worst: f64,
}

impl Agreement {
    fn new(fields: [&Grid; 2], k_max: f64) -> Result<(Self, Vec<f64>)> {
        let pair: CrossSpectrum = cross_spectrum(fields, [None, None])?;
        let judged = pair.first.k.partition_point(|&k| k <= k_max).min(pair.first.complete_shells());
        let mut power_ratio: Vec<f64> = pair.transfer().iter().map(|t| t * t).collect();
        let mut correlation = pair.correlation();
        power_ratio.truncate(judged);
        correlation.truncate(judged);
        let worst = power_ratio.iter().map(|r| (r - 1.0).abs()).fold(0.0, f64::max);
        let mean_ratio = fields[0].mean() / fields[1].mean();
        Ok((Self { power_ratio, correlation, mean_ratio, worst }, pair.first.k[..judged].to_vec()))
    }
}

/// One box, predicted and compared.
#[derive(Debug, Clone, Serialize)]
pub struct BoxEvaluation {
    /// Its name in the data set.
    pub name: String,
    /// Mean wavenumber per shell in h/Mpc, up to [`K_MAPS`].
    pub k: Vec<f64>,
    /// LODI's map.
    pub prediction: Agreement,
    /// The truth is one draw of the scatter of HI about the mass of its halo:
    /// how its power varies from draw to draw.
    pub draws: Draws,
    /// The baseline: HI as a fixed fraction of HALO's mass in each bin.
    pub local_relation: Agreement,
    /// HALO's map of each mass bin, up to [`K_HALOES`].
    pub halo_mass: [Agreement; HALO_MASS_BINS],
    /// Fractions of voxels per decade-tenth of `T_b`, prediction and truth.
    pub one_point: OnePoint,
    /// Seconds per stage.
    pub seconds: BTreeMap<String, f64>,
}

/// A prediction against the truth's other draws.
#[derive(Debug, Clone, Serialize)]
pub struct Draws {
    /// How many, the truth itself among them.
    pub count: usize,
    /// `P` of the prediction over the mean of the draws' `P`, per shell.
    pub power_ratio: Vec<f64>,
    /// Standard deviation of the draws' `P` over its mean, per shell: no
    /// prediction can be expected to be closer to a single draw.
    pub spread: Vec<f64>,
}

impl Draws {
    fn new(prediction: &Grid, truth: &Grid, draws: &[Grid], shells: usize) -> Self {
        let power = |grid: &Grid| -> Vec<f64> {
            let mut power = power_spectrum(grid, None).power;
            power.truncate(shells);
            power
        };
        let of_draws: Vec<Vec<f64>> = std::iter::once(truth).chain(draws).map(power).collect();
        let (mean, spread) = over_boxes(of_draws.iter().map(Vec::as_slice));
        let ratio = |values: &[f64]| values.iter().zip(&mean).map(|(v, m)| v / m).collect();
        Self { count: of_draws.len(), power_ratio: ratio(&power(prediction)), spread: ratio(&spread) }
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
    fn new(prediction: &Grid, truth: &Grid) -> Self {
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

/// The job that predicts a box of a data set for its evaluation: `snapshot`
/// against the truth in `fields`.
pub fn job(snapshot: &Path, fields: &Path, like: &JobConfig) -> JobConfig {
    JobConfig {
        source: crate::pipeline::Source::File(snapshot.to_path_buf()),
        reference: Some(fields.to_path_buf()),
        until: Stage::Statistics,
        ..like.clone()
    }
}

/// Compare a finished job with the truth in the map file `fields`, and with
/// further `draws` of it ([`repaint`](crate::sim::repaint)).
///
/// # Errors
/// [`Error::Input`] where the file has no truth to compare with.
pub fn evaluate(
    name: &str,
    outcome: &Outcome,
    fields: &Path,
    draws: &[Grid],
    lodi: &LodiConfig,
) -> Result<BoxEvaluation> {
    let truth = read_map(fields)?;
    let lacks = |layer: Layer| {
        Error::input(fields, format!("it has no {}", layer.name()), "the fields of a data set's box", "Make it anew")
    };
    let true_layer = |layer: Layer| truth.layers.get(&layer).ok_or_else(|| lacks(layer));
    let made = |layer: Layer| outcome.fields.get(&layer).ok_or_else(|| lacks(layer));
    let reference = true_layer(Layer::Reference)?;
    let prediction = made(Layer::BrightnessTemperature)?;
    let (agreement, k) = Agreement::new([prediction, reference], K_MAPS)?;

    let maps = (0..HALO_MASS_BINS).map(|bin| made(Layer::HaloMass(bin))).collect::<Result<Vec<_>>>()?;
    let slices: [&[f32]; HALO_MASS_BINS] = std::array::from_fn(|bin| maps[bin].as_slice());
    let mut local = Grid::zeros(reference.n(), reference.box_size);
    let scale = outcome.cosmology.brightness_temperature_scale(outcome.redshift);
    local.as_slice_mut().copy_from_slice(&lodi.relation.temperature(&slices, scale));
    let halo_mass = (0..HALO_MASS_BINS)
        .map(|bin| Ok(Agreement::new([maps[bin], true_layer(Layer::HaloMass(bin))?], K_HALOES)?.0))
        .collect::<Result<Vec<_>>>()?;
    let halo_mass: [Agreement; HALO_MASS_BINS] = halo_mass.try_into().expect("one per bin");
    Ok(BoxEvaluation {
        name: name.to_owned(),
        draws: Draws::new(prediction, reference, draws, k.len()),
        prediction: agreement,
        local_relation: Agreement::new([&local, reference], K_MAPS)?.0,
        halo_mass,
        one_point: OnePoint::new(prediction, reference),
        seconds: outcome.seconds.iter().map(|(stage, seconds)| (stage.name().to_owned(), *seconds)).collect(),
        k,
    })
}

/// Mean and standard deviation, shell by shell, over boxes or draws.
pub fn over_boxes<'a>(ratios: impl Iterator<Item = &'a [f64]> + Clone) -> (Vec<f64>, Vec<f64>) {
    let count = ratios.clone().count().max(1) as f64;
    let shells = ratios.clone().map(<[f64]>::len).min().unwrap_or(0);
    (0..shells)
        .map(|i| {
            let mean = ratios.clone().map(|r| r[i]).sum::<f64>() / count;
            let variance = ratios.clone().map(|r| (r[i] - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
            (mean, variance.sqrt())
        })
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

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
        let (mean, spread) = over_boxes([[1.0, 2.0], [3.0, 2.0]].iter().map(|r| r.as_slice()));
        assert_eq!((mean, spread), (vec![2.0, 2.0], vec![2f64.sqrt(), 0.0]));
    }

    #[test]
    fn one_point_distributions_sum_to_one() {
        let one_point = OnePoint::new(&field(1), &field(2).map(|_| 0.0));
        for values in [&one_point.prediction, &one_point.truth] {
            assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert_eq!(one_point.truth[0], 1.0);
    }
}

//! Judging the networks: predictions of boxes whose truth is known, in numbers.

mod agreement;
mod baseline;
mod likelihood;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use serde::Serialize;

pub use agreement::{Agreement, Bispectra, Draws, Ensemble, OnePoint};
pub use baseline::Rescaling;
pub use likelihood::Bits;

use crate::error::{Error, Result};
use crate::field::Grid;
use crate::io::read_map;
use crate::nn::{Lodi, LodiConfig, Neighbourhood, Trained};
use crate::pipeline::{HALO_MASS_BINS, JobConfig, Layer, Outcome, Source, Stage};

/// Largest wavenumber that 21 cm maps are judged to, h/Mpc.
pub const K_MAPS: f64 = 10.0;
/// Largest wavenumber that halo maps are judged to, h/Mpc.
pub const K_HALOES: f64 = 5.0;

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
    /// Several of LODI's maps, where several were asked for.
    pub ensemble: Option<Ensemble>,
    /// The map that LODI expects, before it paints any scatter. Its power is what
    /// the condition tells, `r²` of the truth's.
    pub expected: Agreement,
    /// A baseline: HI as a fixed fraction of HALO's mass in each bin.
    pub local_relation: Agreement,
    /// A baseline: the dark matter, rescaled to the training boxes' power.
    pub rescaled_dark_matter: Option<Agreement>,
    /// HALO's map of each mass bin, up to [`K_HALOES`].
    pub halo_mass: [Agreement; HALO_MASS_BINS],
    /// Distributions of `T_b`.
    pub one_point: OnePoint,
    /// Bispectra.
    pub bispectra: Bispectra,
    /// HI density in units of the critical density, prediction and truth.
    pub omega_hi: [f64; 2],
    /// LODI's variational bound on the truth.
    pub bits: Bits,
    /// Seconds per stage.
    pub seconds: BTreeMap<String, f64>,
}

/// The job that predicts a box of a data set for its evaluation: `snapshot`
/// against the truth in `fields`.
pub fn job(snapshot: &Path, fields: &Path, like: &JobConfig) -> JobConfig {
    JobConfig {
        source: Source::File(snapshot.to_path_buf()),
        reference: Some(fields.to_path_buf()),
        until: Stage::Statistics,
        ..like.clone()
    }
}

/// Dark matter `1 + δ` and 21 cm map in mK of a box of a data set.
///
/// # Errors
/// [`Error::Input`] where the file lacks one.
pub fn matter_and_hydrogen(fields: &Path) -> Result<(Grid, Grid)> {
    let mut layers = read_map(fields)?.layers;
    let mut take = |layer: Layer| layers.remove(&layer).ok_or_else(|| lacks(fields, layer));
    Ok((take(Layer::DarkMatter)?, take(Layer::Reference)?))
}

fn lacks(fields: &Path, layer: Layer) -> Error {
    Error::input(fields, format!("it has no {}", layer.name()), "the fields of a data set's box", "Make it anew")
}

/// What a prediction is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// The map file with dark matter, halo maps and 21 cm map.
    pub fields: &'a Path,
    /// Further draws of the 21 cm map ([`Painter::further_draws`](crate::sim::Painter::further_draws)).
    pub draws: &'a [Grid],
    /// The mean power over all draws ([`Painter::mean_power`](crate::sim::Painter::mean_power)).
    pub mean_power: &'a [f64],
    /// The baseline fitted to training boxes.
    pub rescaling: Option<&'a Rescaling>,
}

/// Compare finished jobs of one box, which differ in their seed alone, with the
/// truth; the first is the one that is judged.
///
/// # Errors
/// [`Error::Input`] where the file has no truth to compare with, and those of the
/// device.
pub fn evaluate(
    name: &str,
    outcomes: &[Arc<Outcome>],
    against: Truth,
    lodi: &Trained<Lodi>,
    device: &Device,
) -> Result<BoxEvaluation> {
    let outcome = &outcomes[0];
    let truth = read_map(against.fields)?;
    let true_layer = |layer: Layer| truth.layers.get(&layer).ok_or_else(|| lacks(against.fields, layer));
    let made = |outcome: &Outcome, layer: Layer| {
        outcome.fields.get(&layer).cloned().ok_or_else(|| lacks(against.fields, layer))
    };
    let reference = true_layer(Layer::Reference)?;
    let predictions =
        outcomes.iter().map(|outcome| made(outcome, Layer::BrightnessTemperature)).collect::<Result<Vec<_>>>()?;
    let prediction = predictions[0].as_ref();
    let (agreement, k) = Agreement::new([prediction, reference], K_MAPS)?;

    let maps = (0..HALO_MASS_BINS).map(|bin| made(outcome, Layer::HaloMass(bin))).collect::<Result<Vec<_>>>()?;
    let told = outcome.told.as_ref().ok_or_else(|| lacks(against.fields, Layer::BrightnessTemperature))?;
    let scale = outcome.cosmology.brightness_temperature_scale(outcome.redshift);
    let matter = made(outcome, Layer::DarkMatter)?;
    let LodiConfig { expectation, departure, .. } = &lodi.config;
    let expected = &told.expected;
    let local = Grid::from_values(expectation.relation.temperature(&told.slices(), scale), reference.box_size);
    let halo_mass = (0..HALO_MASS_BINS)
        .map(|bin| Ok(Agreement::new([maps[bin].as_ref(), true_layer(Layer::HaloMass(bin))?], K_HALOES)?.0))
        .collect::<Result<Vec<_>>>()?;
    let halo_mass: [Agreement; HALO_MASS_BINS] = halo_mass.try_into().expect("one per bin");

    let condition = lodi.config.condition(reference.n(), &told.slices(), matter.as_slice(), expected.as_slice());
    let about = Neighbourhood::new(reference.n(), expected.as_slice());
    let data = departure.data(reference.as_slice(), expected.as_slice());
    let rescaled = against.rescaling.and_then(|rescaling| rescaling.apply(&matter));
    Ok(BoxEvaluation {
        name: name.to_owned(),
        draws: Draws::new(prediction, reference, (against.draws, against.mean_power), k.len()),
        ensemble: (predictions.len() > 1).then(|| Ensemble::new(&predictions, reference, expected, k.len())),
        prediction: agreement,
        expected: Agreement::new([expected, reference], K_MAPS)?.0,
        local_relation: Agreement::new([&local, reference], K_MAPS)?.0,
        rescaled_dark_matter: rescaled.map(|map| Ok(Agreement::new([&map, reference], K_MAPS)?.0)).transpose()?,
        halo_mass,
        one_point: OnePoint::new(prediction, reference),
        bispectra: Bispectra::new(prediction, reference),
        omega_hi: [prediction, reference].map(|map| map.mean() / scale),
        bits: Bits::new(&data, (&condition, &about), lodi, device)?,
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

/// The standard error of a mean over `boxes` values per shell, by bootstrap over
/// the boxes.
pub fn bootstrap_error(boxes: &[&[f64]]) -> Vec<f64> {
    const RESAMPLES: u32 = 500;
    let shells = boxes.iter().map(|values| values.len()).min().unwrap_or(0);
    let count = boxes.len().max(1);
    let (mut sum, mut squares) = (vec![0.0; shells], vec![0.0; shells]);
    for resample in 0..RESAMPLES {
        let mut mean = vec![0.0; shells];
        for i in 0..count {
            let word = crate::stitch::philox([resample, i as u32, 5, 0], [0, 0])[0];
            let chosen = boxes[crate::stitch::below(count, word)];
            mean.iter_mut().zip(chosen).for_each(|(m, v)| *m += v / count as f64);
        }
        for (shell, m) in mean.into_iter().enumerate() {
            sum[shell] += m / f64::from(RESAMPLES);
            squares[shell] += m * m / f64::from(RESAMPLES);
        }
    }
    sum.iter().zip(&squares).map(|(m, s)| (s - m * m).max(0.0).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_spreads_and_errors_over_boxes_are_the_known_ones() {
        let (mean, spread) = over_boxes([[1.0, 2.0], [3.0, 2.0]].iter().map(|r| r.as_slice()));
        assert_eq!((mean, spread), (vec![2.0, 2.0], vec![2f64.sqrt(), 0.0]));
        // Of 64 alternating ±1 the mean has an error of 1/8.
        let boxes: Vec<[f64; 2]> = (0..64).map(|i| [if i % 2 == 0 { 1.0 } else { -1.0 }, 3.0]).collect();
        let error = bootstrap_error(&boxes.iter().map(|b| b.as_slice()).collect::<Vec<_>>());
        assert!((error[0] - 0.125).abs() < 0.02 && error[1] < 1e-6, "{error:?}");
    }
}

//! Judging the networks: predictions of boxes whose truth is known, in numbers.

mod agreement;
mod baseline;
mod likelihood;
mod stitching;

use std::collections::BTreeMap;

use serde::Serialize;

pub use agreement::{Agreement, Bispectra, Draws, Ensemble, OnePoint};
pub use baseline::Rescaling;
pub use likelihood::Bits;
pub use stitching::{Studied, Variant};

use crate::dataset::Fields;
use crate::error::Result;
use crate::field::{Grid, below, philox};
use crate::predict::{Condition, Models};
use crate::stats::{K_HALOES, K_MAPS};

/// One box, predicted and compared.
#[derive(Debug, Clone, Serialize)]
pub struct BoxEvaluation {
    /// Its name in the data set.
    pub name: String,
    /// What the truth is, a part of a sentence.
    pub truth: String,
    /// Its redshift.
    pub redshift: f64,
    /// Mean wavenumber per shell in h/Mpc, up to [`K_MAPS`].
    pub k: Vec<f64>,
    /// LODI's first realisation.
    pub prediction: Agreement,
    /// LODI's realisations against the truth's: the truth is one draw of the scatter of HI
    /// about the mass of its halo.
    pub draws: Draws,
    /// How LODI's realisations differ, where there are several.
    pub ensemble: Option<Ensemble>,
    /// The conditional mean, before LODI paints any scatter. Its power is `r²` of the truth's.
    pub conditional_mean: Agreement,
    /// A baseline: HI as a fixed fraction of HALO's mass in each bin.
    pub local_relation: Agreement,
    /// A baseline: the dark matter, rescaled to the training boxes' power.
    pub rescaled_dark_matter: Option<Agreement>,
    /// HALO's map of each mass bin, up to [`K_HALOES`]; none where haloes are unknown.
    pub halo_mass: Vec<Agreement>,
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

/// What the networks made of a box.
#[derive(Debug)]
pub struct Predicted<'a> {
    /// HALO's maps and the conditional mean.
    pub condition: &'a Condition,
    /// LODI's realisations, mK; the first is the one that is judged alone.
    pub realisations: &'a [Grid],
    /// Seconds per stage.
    pub seconds: BTreeMap<String, f64>,
}

/// Compare what the networks made of a box with the truth; `name` is the box's, and what its
/// truth is. `draws` are further realisations of the truth
/// ([`Painter::further_draws`](crate::sim::Painter::further_draws)), of which a simulation with
/// gas has none; `rescaling` is the baseline fitted to training boxes.
///
/// # Errors
/// Those of the device.
pub fn evaluate(
    [name, of_truth]: [&str; 2],
    truth: &Fields,
    predicted: Predicted,
    draws: &[Grid],
    rescaling: Option<&Rescaling>,
    models: &Models,
) -> Result<BoxEvaluation> {
    let Predicted { condition, realisations, seconds } = predicted;
    let reference = &truth.brightness_temperature;
    let prediction = &realisations[0];
    let (agreement, k) = Agreement::new([prediction, reference], K_MAPS)?;
    let scale = truth.dark_matter.brightness_temperature_scale();
    let relation = &models.lodi.config().conditional_mean.relation;
    let halo_mass = condition.halo_mass.each_ref().map(Grid::as_slice);
    let local = Grid::from_values(relation.temperature(&halo_mass, scale), reference.box_size);
    let known = truth.halo_mass.iter().flatten().zip(&condition.halo_mass);
    let halo_mass = known.map(|(truth, ours)| Ok(Agreement::new([ours, truth], K_HALOES)?.0)).collect::<Result<_>>()?;
    let data = models.lodi.config().residual.data(reference.as_slice(), condition.mean.as_slice());
    let rescaled = rescaling.and_then(|rescaling| rescaling.apply(&truth.dark_matter.density));
    Ok(BoxEvaluation {
        name: name.to_owned(),
        truth: of_truth.to_owned(),
        redshift: truth.dark_matter.redshift,
        draws: Draws::new(realisations, reference, draws, k.len()),
        ensemble: (realisations.len() > 1).then(|| Ensemble::new(realisations, reference, &condition.mean, k.len())),
        prediction: agreement,
        conditional_mean: Agreement::new([&condition.mean, reference], K_MAPS)?.0,
        local_relation: Agreement::new([&local, reference], K_MAPS)?.0,
        rescaled_dark_matter: rescaled.map(|map| Ok(Agreement::new([&map, reference], K_MAPS)?.0)).transpose()?,
        halo_mass,
        one_point: OnePoint::new(prediction, reference),
        bispectra: Bispectra::new(prediction, reference),
        omega_hi: [prediction, reference].map(|map| map.mean() / scale),
        bits: Bits::new(&data, condition, models)?,
        seconds,
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
            let word = philox([resample, i as u32, 5, 0], [0, 0])[0];
            let chosen = boxes[below(count, word)];
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

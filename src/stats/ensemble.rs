//! What realisations of one field have in common.

use rayon::prelude::*;

use super::PowerSpectrum;
use crate::field::Grid;

/// The mean of `fields`, voxel by voxel, and the standard deviation about it (of the
/// population they are drawn from: divided by one less than their number), in their unit.
///
/// # Panics
/// Where there are fewer than two, or their grids differ.
pub fn mean_and_spread(fields: &[&Grid]) -> [Grid; 2] {
    assert!(fields.len() > 1, "one field has no spread");
    let (n, box_size) = (fields[0].n(), fields[0].box_size);
    assert!(fields.iter().all(|f| f.n() == n), "fields on the same grid");
    let [mut mean, mut spread] = [Grid::zeros(n, box_size), Grid::zeros(n, box_size)];
    let count = fields.len() as f64;
    let both = mean.as_slice_mut().par_iter_mut().zip(spread.as_slice_mut());
    both.enumerate().for_each(|(i, (mean, spread))| {
        let values = || fields.iter().map(|f| f64::from(f.as_slice()[i]));
        let middle = values().sum::<f64>() / count;
        let variance = values().map(|v| (v - middle).powi(2)).sum::<f64>() / (count - 1.0);
        (*mean, *spread) = (middle as f32, variance.sqrt() as f32);
    });
    [mean, spread]
}

/// The mean power of `spectra` over the same shells and the standard deviation about it (of
/// the population they are drawn from), per shell, in the unit of the power.
///
/// # Panics
/// Where there are fewer than two.
pub fn power_spread(spectra: &[PowerSpectrum]) -> [Vec<f64>; 2] {
    assert!(spectra.len() > 1, "one spectrum has no spread");
    let shells = spectra.iter().map(|s| s.power.len()).min().unwrap_or(0);
    let count = spectra.len() as f64;
    let shell = |i: usize| {
        let mean = spectra.iter().map(|s| s.power[i]).sum::<f64>() / count;
        let variance = spectra.iter().map(|s| (s.power[i] - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance.sqrt())
    };
    let (mean, deviation) = (0..shells).map(shell).unzip();
    [mean, deviation]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_spreads_about_its_mean() {
        let of = |power: [f64; 2]| PowerSpectrum {
            k: vec![1.0, 2.0],
            power: power.to_vec(),
            modes: vec![3, 6],
            k_nyquist: 2.0,
        };
        let [mean, deviation] = power_spread(&[of([1.0, 5.0]), of([2.0, 5.0]), of([6.0, 5.0])]);
        assert_eq!(mean, [3.0, 5.0]);
        assert!((deviation[0] - 7f64.sqrt()).abs() < 1e-12 && deviation[1] == 0.0);
    }

    #[test]
    fn three_fields_have_their_mean_and_their_sample_deviation() {
        let fields = [1.0, 2.0, 6.0].map(|v| Grid::zeros(4, 1.0).map(|_| v));
        let [mean, spread] = mean_and_spread(&fields.each_ref());
        assert!(mean.as_slice().iter().all(|&v| (v - 3.0).abs() < 1e-6));
        assert!(spread.as_slice().iter().all(|&v| (v - 7f32.sqrt()).abs() < 1e-6));
    }
}

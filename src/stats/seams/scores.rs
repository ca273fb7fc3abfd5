//! The transform that seams are looked for in.

use rayon::prelude::*;

use super::significance::quantile;
use crate::error::{Error, Result};
use crate::field::Grid;

/// Places of the table that ranks are turned into scores with.
const TABLE: usize = 1 << 14;

/// Part of the mean below which voxels of a map that is nowhere negative count as empty.
pub const EMPTY: f64 = 0.1;

/// The map with every voxel's value replaced by the standard normal of its rank; equal values
/// have their common, middle rank. In a map that is nowhere negative, voxels below [`EMPTY`] of the mean
/// are empty and equal: what they hold adds nothing to its power, however much it differs.
///
/// # Errors
/// [`Error::NotFinite`] for a map with voxels that are no numbers, [`Error::Setting`] for one
/// that is the same everywhere.
pub fn normal_scores(map: &Grid) -> Result<Grid> {
    let values = map.as_slice();
    if let Some(voxel) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::NotFinite { found: format!("voxel {voxel} of the map is {}", values[voxel]) });
    }
    let floor = floor_of(map);
    let values: Vec<f32> = values.par_iter().map(|v| v.max(floor)).collect();
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.par_sort_unstable_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]));
    let count = values.len() as f64;
    let table: Vec<f64> = (1..TABLE).map(|i| quantile(i as f64 / TABLE as f64)).collect();
    // Between the table's places scores are straight enough, but for its two ends.
    let score = |p: f64| -> f64 {
        let place = p * TABLE as f64 - 1.0;
        match place {
            place if place < 8.0 || place > (TABLE - 10) as f64 => quantile(p),
            place => {
                let part = place.fract();
                table[place as usize] * (1.0 - part) + table[place as usize + 1] * part
            }
        }
    };
    let mut scores = Grid::zeros(map.n(), map.box_size);
    let (out, mut first) = (scores.as_slice_mut(), 0);
    while first < order.len() {
        let value = values[order[first] as usize];
        // Minus zero is zero.
        let length = order[first..].iter().take_while(|&&i| values[i as usize] == value).count();
        let rank = first as f64 + 0.5 * length as f64;
        let shared = score(rank / count) as f32;
        order[first..first + length].iter().for_each(|&i| out[i as usize] = shared);
        first += length;
    }
    let (low, high) = scores.range();
    if low == high {
        return Err(Error::setting(
            "a map that is the same everywhere",
            "one with structure that a seam could disturb",
            "Give another map",
        ));
    }
    Ok(scores)
}

/// What is empty lies at or below; minus infinity for a map with negative values.
fn floor_of(map: &Grid) -> f32 {
    let (lowest, _) = map.range();
    if lowest < 0.0 { f32::NEG_INFINITY } else { (EMPTY * map.mean()) as f32 }
}

/// What a change of the whole map changes its mean score by: per unit of the map, and
/// per unit of its natural logarithm (0 for a map with negative values).
pub fn responses(map: &Grid) -> [f64; 2] {
    const PLACES: usize = 512;
    let floor = floor_of(map);
    let mut sorted = map.as_slice().to_vec();
    sorted.par_sort_unstable_by(f32::total_cmp);
    let at = |place: usize| f64::from(sorted[(sorted.len() - 1) * place / PLACES]);
    let mut responses = [0.0; 2];
    for place in 1..PLACES - 1 {
        let [low, high] = [at(place), at(place + 1)];
        if low <= f64::from(floor) || low == high {
            continue;
        }
        let [from, to] = [place, place + 1].map(|p| quantile(p as f64 / PLACES as f64));
        responses[0] += (to - from) / (high - low) / PLACES as f64;
        if low > 0.0 {
            responses[1] += (to - from) / (high / low).ln() / PLACES as f64;
        }
    }
    if floor == f32::NEG_INFINITY { [responses[0], 0.0] } else { responses }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Stream, fill_normal};

    #[test]
    fn what_is_empty_is_equal() {
        let mut map = Grid::zeros(16, 1.0);
        fill_normal(map.as_slice_mut(), 1, Stream::Latent);
        let bright = map.map(|v| if v > 1.0 { v } else { 0.0 });
        let noisy = map.map(|v| if v > 1.0 { v } else { 1e-6 * v.abs() });
        assert_eq!(normal_scores(&bright).unwrap(), normal_scores(&noisy).unwrap());
    }

    #[test]
    fn scores_are_normal_and_the_same_for_every_rising_function_of_the_map() {
        let mut map = Grid::zeros(32, 1.0);
        fill_normal(map.as_slice_mut(), 1, Stream::Latent);
        let scores = normal_scores(&map).unwrap();
        // Some values that differ have the same exponential.
        let positive = map.map(|v| (0.3 * v).exp());
        let of_exponential = normal_scores(&positive).unwrap();
        assert!(scores.as_slice().iter().zip(of_exponential.as_slice()).all(|(a, b)| (a - b).abs() < 1e-3));
        let squared = scores.as_slice().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 32f64.powi(3);
        assert!(scores.mean().abs() < 1e-4 && (squared - 1.0).abs() < 1e-2, "{squared}");
        for (score, value) in scores.as_slice().iter().zip(map.as_slice()) {
            assert!((score - value).abs() < 0.1 || value.abs() > 2.5, "{score} for {value}");
        }
        let [unit, logarithm] = responses(&map);
        assert!((unit - 1.0).abs() < 0.1 && logarithm == 0.0, "{unit}");
        let [_, logarithm] = responses(&positive);
        assert!((logarithm - 1.0 / 0.3).abs() < 0.3, "{logarithm}");
        assert!(normal_scores(&map.map(|_| 1.0)).is_err() && normal_scores(&map.map(|_| f32::NAN)).is_err());
    }
}

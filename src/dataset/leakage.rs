//! Whether boxes of different splits know of each other.

use std::path::Path;

use ndarray::Array3;
use rustfft::num_complex::Complex32;
use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, Split, box_name};
use crate::error::{Error, Result};
use crate::field::Layer;
use crate::field::{Grid, RealFft3, fft_frequency};
use crate::io::read_map;

/// Cells per axis that fields are compared on: the large scales, where the
/// initial conditions are remembered best.
const CELLS: usize = 32;
/// Deviations beyond which a correlation is looked into. Phases of an evolved
/// field are not independent: two boxes whose heaviest haloes happen to lie at the
/// same place are alike far beyond the deviation of random phases. So a pair leaks
/// where it is also more alike as it lies than shifted in any way, which among
/// thousands of shifts is no accident.
const LIMIT: f64 = 5.0;

/// How alike boxes of different splits are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leakage {
    /// Pairs of boxes of different splits.
    pub pairs: usize,
    /// Largest cross-correlation coefficient over all modes, by size.
    pub largest_correlation: f64,
    /// The same in its standard deviations: of order one where boxes are
    /// independent.
    pub largest_deviation: f64,
    /// The same over the largest that the two boxes have when one is shifted:
    /// below one where an accident of where haloes lie is all there is.
    pub largest_over_shifted: f64,
    /// Root mean square of the deviations: one where boxes are independent.
    pub rms_deviation: f64,
    /// The pair it belongs to.
    pub pair: [String; 2],
}

/// Measure the cross-correlation of the dark matter of every two boxes of
/// different splits.
///
/// # Errors
/// [`Error::Input`] where two boxes share a seed or are correlated, and those of
/// reading the boxes.
pub fn measure_leakage(folder: &Path, manifest: &Manifest) -> Result<Option<Leakage>> {
    let mut fields: Vec<(Split, String, Array3<Complex32>)> = Vec::new();
    for record in &manifest.boxes {
        let name = box_name(record.split, record.index);
        let path = folder.join(&name).join("fields.hdf5");
        let map = read_map(&path)?;
        let Some(grid) = map.layers.get(&Layer::DarkMatter) else {
            return Err(Error::input(
                &path,
                "it has no dark matter",
                "the fields of a box",
                "Delete it to make it anew",
            ));
        };
        fields.push((record.split, name, phases(grid)));
    }
    for (i, a) in manifest.boxes.iter().enumerate() {
        for b in &manifest.boxes[i + 1..] {
            if a.split != b.split && a.seed.is_some() && a.seed == b.seed {
                return Err(leak(folder, &box_name(a.split, a.index), &box_name(b.split, b.index), "share a seed"));
            }
        }
    }
    let mut leakage: Option<Leakage> = None;
    let mut squares = 0.0;
    for (i, (split, name, a)) in fields.iter().enumerate() {
        for (_, other, b) in fields[i + 1..].iter().filter(|(other_split, ..)| other_split != split) {
            let Alike { correlation, deviation, over_shifted } = Alike::new(a, b);
            if deviation.abs() > LIMIT && over_shifted >= 1.0 {
                return Err(leak(folder, name, other, &format!("are correlated by {correlation:.4}")));
            }
            squares += deviation * deviation;
            let entry = leakage.get_or_insert(Leakage {
                pairs: 0,
                largest_correlation: 0.0,
                largest_deviation: 0.0,
                largest_over_shifted: 0.0,
                rms_deviation: 0.0,
                pair: [String::new(), String::new()],
            });
            entry.pairs += 1;
            if deviation.abs() > entry.largest_deviation.abs() {
                entry.largest_correlation = correlation;
                entry.largest_deviation = deviation;
                entry.largest_over_shifted = over_shifted;
                entry.pair = [name.clone(), other.clone()];
            }
        }
    }
    if let Some(entry) = &mut leakage {
        entry.rms_deviation = (squares / entry.pairs as f64).sqrt();
    }
    Ok(leakage)
}

fn leak(folder: &Path, a: &str, b: &str, what: &str) -> Error {
    Error::input(
        folder,
        format!("{a} and {b} {what}"),
        "independent boxes in different splits",
        "Delete one of them and give the data set another seed",
    )
}

/// How alike two boxes are.
struct Alike {
    /// Of the phases of all modes.
    correlation: f64,
    /// In the deviation of independent phases.
    deviation: f64,
    /// Its size over the largest at any shift of one box against the other.
    over_shifted: f64,
}

impl Alike {
    fn new(a: &Array3<Complex32>, b: &Array3<Complex32>) -> Self {
        let mut product = a.clone();
        product.zip_mut_with(b, |x, y| *x *= y.conj());
        // The correlation at every shift; of random phases each has the variance
        // of one over the number of modes.
        let shifts = RealFft3::new(a.dim().0).inverse(product);
        let modes: f64 =
            a.indexed_iter().map(|((.., iz), mode)| f64::from(mode.norm_sqr()) * if iz == 0 { 1.0 } else { 2.0 }).sum();
        let here = f64::from(shifts[[0, 0, 0]]);
        let elsewhere = shifts.iter().skip(1).map(|&v| f64::from(v).abs()).fold(f64::MIN_POSITIVE, f64::max);
        Self { correlation: here / modes, deviation: here / modes.sqrt(), over_shifted: here.abs() / elsewhere }
    }
}

/// The phases of a field's modes on a coarse grid, half-complex; modes that are
/// not compared are zero.
fn phases(grid: &Grid) -> Array3<Complex32> {
    let n = grid.n();
    let modes = RealFft3::new(n).forward(&grid.values);
    let cells = CELLS.min(n);
    let half = (cells / 2) as i64;
    Array3::from_shape_fn((cells, cells, cells / 2 + 1), |(ix, iy, iz)| {
        let k = [fft_frequency(ix, cells), fft_frequency(iy, cells), iz as i64];
        if k == [0; 3] || k.iter().any(|k| k.abs() >= half) {
            return Complex32::default();
        }
        let mode = modes[[k[0].rem_euclid(n as i64) as usize, k[1].rem_euclid(n as i64) as usize, iz]];
        mode / mode.norm().max(f32::MIN_POSITIVE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Stream, fill_normal};

    fn noise(seed: u64) -> Grid {
        let mut grid = Grid::zeros(32, 10.0);
        fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
        grid
    }

    #[test]
    fn a_field_knows_itself_under_noise_and_no_other() {
        let (a, b) = (noise(1), noise(2));
        let mut blurred = noise(3);
        for (v, w) in blurred.as_slice_mut().iter_mut().zip(a.as_slice()) {
            *v += 0.2 * w;
        }
        let [a, b, blurred] = [&a, &b, &blurred].map(phases);
        let (stranger, itself) = (Alike::new(&a, &b), Alike::new(&a, &blurred));
        assert!(stranger.deviation.abs() < 4.0 && stranger.over_shifted < 1.0);
        assert!(itself.deviation > LIMIT && itself.over_shifted > 1.0);
        assert!((Alike::new(&a, &a).correlation - 1.0).abs() < 1e-4);
    }

    #[test]
    fn haloes_in_the_same_place_by_accident_are_no_leak() {
        // A few haloes outshine all else, and the third of one box lies where
        // the fourth of the other does.
        let clumped = |seed: u64, places: [[usize; 3]; 4]| {
            let mut grid = noise(seed);
            for (place, mass) in places.into_iter().zip([900.0, 700.0, 400.0, 300.0]) {
                grid.values[place] += mass;
            }
            phases(&grid)
        };
        let a = clumped(1, [[1, 2, 3], [20, 7, 9], [15, 15, 15], [30, 3, 17]]);
        let b = clumped(2, [[9, 25, 4], [11, 13, 28], [3, 19, 21], [15, 15, 15]]);
        let alike = Alike::new(&a, &b);
        assert!(alike.deviation > LIMIT && alike.over_shifted < 1.0, "{} {}", alike.deviation, alike.over_shifted);
    }
}

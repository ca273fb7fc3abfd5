//! Whether boxes of different splits know of each other.

use std::path::Path;

use rustfft::num_complex::Complex32;
use serde::{Deserialize, Serialize};

use super::manifest::{Manifest, Split, box_name};
use crate::error::{Error, Result};
use crate::field::{Grid, RealFft3, fft_frequency};
use crate::io::read_map;
use crate::pipeline::Layer;

/// Cells per axis that fields are compared on: the large scales, where the
/// initial conditions are remembered best.
const CELLS: usize = 32;
/// Deviations beyond which a correlation is no accident, for a few hundred pairs.
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
    let mut fields: Vec<(Split, String, Vec<Complex32>)> = Vec::new();
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
            if a.seed == b.seed {
                return Err(leak(folder, &box_name(a.split, a.index), &box_name(b.split, b.index), "share a seed"));
            }
        }
    }
    let mut leakage: Option<Leakage> = None;
    let mut squares = 0.0;
    for (i, (split, name, a)) in fields.iter().enumerate() {
        for (_, other, b) in fields[i + 1..].iter().filter(|(other_split, ..)| other_split != split) {
            // Unit phases: the sum over N modes and their conjugates has the
            // variance 1/(2N) of the mean of cosines.
            let correlation: f64 =
                a.iter().zip(b).map(|(x, y)| f64::from((x * y.conj()).re)).sum::<f64>() / a.len() as f64;
            let deviation = correlation * (2.0 * a.len() as f64).sqrt();
            squares += deviation * deviation;
            let entry = leakage.get_or_insert(Leakage {
                pairs: 0,
                largest_correlation: 0.0,
                largest_deviation: 0.0,
                rms_deviation: 0.0,
                pair: [String::new(), String::new()],
            });
            entry.pairs += 1;
            if deviation.abs() > entry.largest_deviation.abs() {
                entry.largest_correlation = correlation;
                entry.largest_deviation = deviation;
                entry.pair = [name.clone(), other.clone()];
            }
        }
    }
    if let Some(entry) = &mut leakage {
        entry.rms_deviation = (squares / entry.pairs as f64).sqrt();
        if entry.largest_deviation.abs() > LIMIT {
            let what = format!("are correlated by {:.4}", entry.largest_correlation);
            return Err(leak(folder, &entry.pair[0], &entry.pair[1], &what));
        }
    }
    Ok(leakage)
}

fn leak(folder: &Path, a: &str, b: &str, what: &str) -> Error {
    Error::input(
        folder,
        format!("{a} and {b} {what}"),
        "independent boxes in different splits",
        "Delete one of them and give the data set another --seed",
    )
}

/// The phases of a field's modes on a coarse grid, one of each pair of
/// conjugates.
fn phases(grid: &Grid) -> Vec<Complex32> {
    let n = grid.n();
    let plan = RealFft3::new(n);
    let modes = plan.forward(&grid.values);
    let half = (CELLS.min(n) / 2) as i64;
    let mut out = Vec::new();
    for ((ix, iy, iz), mode) in modes.indexed_iter() {
        let k = [fft_frequency(ix, n), fft_frequency(iy, n), iz as i64];
        // Inside the coarse grid, and in the half of space that is independent.
        let inside = k.iter().all(|k| k.abs() < half);
        let leading = k[2] > 0 || (k[2] == 0 && (k[1] > 0 || (k[1] == 0 && k[0] > 0)));
        if inside && leading {
            out.push(mode / mode.norm().max(f32::MIN_POSITIVE));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

    fn noise(seed: u64) -> Grid {
        let mut grid = Grid::zeros(32, 10.0);
        fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
        grid
    }

    #[test]
    fn a_field_knows_itself_under_noise_and_no_other() {
        let correlation = |a: &[Complex32], b: &[Complex32]| {
            a.iter().zip(b).map(|(x, y)| f64::from((x * y.conj()).re)).sum::<f64>() / a.len() as f64
                * (2.0 * a.len() as f64).sqrt()
        };
        let (a, b) = (noise(1), noise(2));
        let mut blurred = noise(3);
        for (v, w) in blurred.as_slice_mut().iter_mut().zip(a.as_slice()) {
            *v += 0.2 * w;
        }
        let [a, b, blurred] = [&a, &b, &blurred].map(phases);
        assert!(correlation(&a, &b).abs() < 4.0);
        assert!(correlation(&a, &blurred) > LIMIT);
    }
}

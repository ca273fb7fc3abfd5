//! Bispectra by fast Fourier transforms (Scoccimarro 2000, arXiv:astro-ph/0004086;
//! Watkinson et al. 2017, arXiv:1705.06284).

use ndarray::Array3;
use rayon::prelude::*;
use rustfft::num_complex::Complex32;
use serde::{Deserialize, Serialize};

use crate::field::{Grid, RealFft3, fft_frequency};

/// Triangles `k₁ ≤ k₂ = k₃` in shells of wavenumber.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bispectrum {
    /// Wavenumber of the two equal sides, h/Mpc (the middle of the shell).
    pub k: Vec<f64>,
    /// Wavenumber of the third side, h/Mpc.
    pub k_short: Vec<f64>,
    /// `B(k₁, k₂, k₃)` in (Mpc/h)⁶ times the cube of the field's unit.
    pub bispectrum: Vec<f64>,
}

/// Fundamental modes on either side of the middle of a shell.
const HALF_WIDTH: f64 = 1.0;

/// The bispectrum of equilateral triangles with sides `k` h/Mpc.
pub fn equilateral(grid: &Grid, k: &[f64]) -> Bispectrum {
    bispectrum(grid, &k.iter().map(|&k| [k, k]).collect::<Vec<_>>())
}

/// The bispectrum of squeezed triangles: two sides `k`, the third `k_short`,
/// both h/Mpc.
pub fn squeezed(grid: &Grid, k: &[f64], k_short: f64) -> Bispectrum {
    bispectrum(grid, &k.iter().map(|&k| [k, k_short]).collect::<Vec<_>>())
}

/// `B` is the mean of `δ(k₁) δ(k₂) δ(k₃)` over the closed triangles of three
/// shells. The sum over triangles is an integral over real space of the product
/// of the field filtered to each shell; their number is the same with the filters
/// alone. Beyond two thirds of the Nyquist wavenumber triangles would close
/// around the grid; such shells are NaN.
fn bispectrum(grid: &Grid, sides: &[[f64; 2]]) -> Bispectrum {
    let n = grid.n();
    let k_fundamental = grid.k_fundamental();
    let plan = RealFft3::new(n);
    let transform = plan.forward(&grid.values);
    // The field and the filter of a shell in real space.
    let filtered = |k: f64| -> [Array3<f32>; 2] {
        let middle = k / k_fundamental;
        let inside = |[x, y, z]: [usize; 3]| {
            let length = [x, y, z].map(|i| fft_frequency(i, n).pow(2)).iter().sum::<i64>() as f64;
            (length.sqrt() - middle).abs() <= HALF_WIDTH
        };
        let keep = |values: &dyn Fn([usize; 3]) -> Complex32| {
            Array3::from_shape_fn((n, n, n / 2 + 1), |(x, y, z)| {
                if inside([x, y, z]) { values([x, y, z]) } else { Complex32::default() }
            })
        };
        [plan.inverse(keep(&|i| transform[i])), plan.inverse(keep(&|_| Complex32::new(1.0, 0.0)))]
    };
    let product = |long: &Array3<f32>, short: &Array3<f32>| -> f64 {
        let (long, short) = (long.as_slice().expect("standard layout"), short.as_slice().expect("standard layout"));
        let chunks = long.par_chunks(n * n).zip(short.par_chunks(n * n));
        let sums: Vec<f64> = chunks
            .map(|(a, b)| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(a) * f64::from(b)).sum::<f64>())
            .collect();
        sums.iter().sum()
    };
    // δ_k = (L/n)³ F(k) and B = V⁻¹ ⟨δ₁ δ₂ δ₃⟩.
    let norm = (grid.box_size / n as f64).powi(9) / grid.box_size.powi(3);
    let limit = 2.0 / 3.0 * grid.k_nyquist();
    let values = sides.iter().map(|&[k, k_short]| {
        if k + HALF_WIDTH * k_fundamental > limit {
            return f64::NAN;
        }
        let [field, filter] = filtered(k);
        if k == k_short {
            return norm * product(&field, &field) / product(&filter, &filter);
        }
        let [field_short, filter_short] = filtered(k_short);
        norm * product(&field, &field_short) / product(&filter, &filter_short)
    });
    Bispectrum {
        bispectrum: values.collect(),
        k: sides.iter().map(|s| s[0]).collect(),
        k_short: sides.iter().map(|s| s[1]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Stream, fill_normal};

    /// Points scattered at random: `B` is the squared volume per point times the
    /// mean cube of a point's weight, at every triangle.
    #[test]
    fn random_points_have_the_bispectrum_of_shot_noise() {
        // The fewer points, the more shot noise stands out of its own scatter.
        let (n, box_size, points) = (64, 25.0, 400);
        let mut grid = Grid::zeros(n, box_size);
        let mut place = vec![0f32; 3 * points];
        fill_normal(&mut place, 3, Stream::Latent);
        for p in place.chunks(3) {
            // A normal's fractional part at a small scale is uniform.
            let [x, y, z] = [p[0], p[1], p[2]].map(|v| ((v * 37.0).rem_euclid(1.0) * n as f32) as usize % n);
            grid.values[[x, y, z]] += n.pow(3) as f32 / points as f32;
        }
        let expected = (box_size.powi(3) / points as f64).powi(2);
        for measured in [equilateral(&grid, &[1.5, 2.0, 2.5]), squeezed(&grid, &[2.0, 2.5], 1.0)] {
            for (b, k) in measured.bispectrum.iter().zip(&measured.k) {
                assert!((b / expected - 1.0).abs() < 0.2, "{} of shot noise at k = {k}", b / expected);
            }
        }
        assert!(equilateral(&grid, &[7.0]).bispectrum[0].is_nan());
    }

    #[test]
    fn a_gaussian_field_has_none_and_its_square_has_the_sign_of_its_square() {
        let mut grid = Grid::zeros(32, 25.0);
        fill_normal(grid.as_slice_mut(), 1, Stream::Latent);
        let k = [1.5, 2.0];
        let shot = grid.map(|v| v * v - 1.0);
        let (gaussian, square) = (equilateral(&grid, &k).bispectrum, equilateral(&shot, &k).bispectrum);
        for i in 0..k.len() {
            assert!(square[i] > 0.0 && gaussian[i].abs() < 0.2 * square[i], "{} against {}", gaussian[i], square[i]);
        }
    }
}

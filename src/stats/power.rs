//! Power spectra in the conventions of Pylians' `Pk_library` and nbodykit's
//! `FFTPower`: shells of width `k_F = 2π/L` (bin `b` holds `b ≤ |k|/k_F < b+1`,
//! the mean mode left out), `k` the mean over the modes of the shell, every
//! independent mode counted once, the mass-assignment window divided out.

use ndarray::{Array3, Axis};
use rayon::prelude::*;
use rustfft::num_complex::Complex32;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::field::{Grid, MassAssignment, RealFft3, fft_frequency};

/// The power spectrum of one field, one entry per shell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerSpectrum {
    /// Mean wavenumber of each shell's modes in h/Mpc.
    pub k: Vec<f64>,
    /// Power in (Mpc/h)³ times the field's unit squared.
    pub power: Vec<f64>,
    /// Independent modes per shell.
    pub modes: Vec<u64>,
    /// Largest wavenumber that an axis of the grid resolves, in h/Mpc. Shells
    /// beyond it (the corners of the cube) are kept but incomplete.
    pub k_nyquist: f64,
}

/// Auto- and cross-power of two fields over the same shells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossSpectrum {
    /// Spectrum of the first field.
    pub first: PowerSpectrum,
    /// Spectrum of the second field.
    pub second: PowerSpectrum,
    /// Cross-power `Re⟨δ₁ δ₂*⟩`, in the product of the two units.
    pub cross: Vec<f64>,
}

impl PowerSpectrum {
    /// `Δ²(k) = k³ P(k) / 2π²`, in the field's unit squared.
    pub fn dimensionless(&self) -> Vec<f64> {
        let norm = 2.0 * std::f64::consts::PI.powi(2);
        self.k.iter().zip(&self.power).map(|(k, p)| k.powi(3) * p / norm).collect()
    }

    /// Shells that lie within the grid's Nyquist wavenumber.
    pub fn complete_shells(&self) -> usize {
        self.k.partition_point(|&k| k <= self.k_nyquist)
    }

    /// Of those, the shells up to `k_max` h/Mpc.
    pub fn shells_up_to(&self, k_max: f64) -> usize {
        self.k.partition_point(|&k| k <= k_max).min(self.complete_shells())
    }
}

impl CrossSpectrum {
    /// Cross-correlation coefficient `r(k) = P_× / √(P₁ P₂)`; NaN where a field
    /// has no power.
    pub fn correlation(&self) -> Vec<f64> {
        self.ratio_of(|cross, first, second| cross / (first * second).sqrt())
    }

    /// Transfer function `T(k) = √(P₁/P₂)`; NaN where the second has no power.
    pub fn transfer(&self) -> Vec<f64> {
        self.ratio_of(|_, first, second| (first / second).sqrt())
    }

    fn ratio_of(&self, f: impl Fn(f64, f64, f64) -> f64) -> Vec<f64> {
        (0..self.cross.len()).map(|i| f(self.cross[i], self.first.power[i], self.second.power[i])).collect()
    }
}

/// The power spectrum of `grid`, whose particles (if it was made from any) were
/// shared out with `window`; `None` for a field that is no particle assignment.
pub fn power_spectrum(grid: &Grid, window: Option<MassAssignment>) -> PowerSpectrum {
    let transform = RealFft3::new(grid.n()).forward(&grid.values);
    let [first, _, _] = shells(&transform, &transform, grid, [window, window]);
    first
}

/// Auto- and cross-spectra of two fields on the same grid.
///
/// # Errors
/// [`Error::Setting`] where grids or boxes differ.
pub fn cross_spectrum(fields: [&Grid; 2], windows: [Option<MassAssignment>; 2]) -> Result<CrossSpectrum> {
    let [a, b] = fields;
    if a.n() != b.n() || (a.box_size / b.box_size - 1.0).abs() > 1e-4 {
        return Err(Error::setting(
            format!(
                "the two fields have {}³ voxels in {} Mpc/h and {}³ voxels in {} Mpc/h",
                a.n(),
                a.box_size,
                b.n(),
                b.box_size
            ),
            "the same grid in the same box",
            "Give both the same grid",
        ));
    }
    let plan = RealFft3::new(a.n());
    let (fa, fb) = (plan.forward(&a.values), plan.forward(&b.values));
    let [first, second, cross] = shells(&fa, &fb, a, windows);
    Ok(CrossSpectrum { first, second, cross: cross.power })
}

/// Sums over one shell of modes.
#[derive(Clone, Copy, Default)]
struct Shell {
    weight: u64,
    k: f64,
    power: [f64; 3],
}

fn shells(
    fa: &Array3<Complex32>,
    fb: &Array3<Complex32>,
    grid: &Grid,
    windows: [Option<MassAssignment>; 2],
) -> [PowerSpectrum; 3] {
    let n = grid.n();
    let k_fundamental = grid.k_fundamental();
    // Per-axis inverse window, as a function of the frequency index.
    let compensation = windows.map(|window| -> Vec<f64> {
        (0..n)
            .map(|i| {
                let x = std::f64::consts::PI * fft_frequency(i, n) as f64 / n as f64;
                let power = window.map_or(0, MassAssignment::order) as i32;
                if x == 0.0 { 1.0 } else { (x / x.sin()).powi(power) }
            })
            .collect()
    });
    let bins = ((n / 2) as f64 * 3f64.sqrt()) as usize + 1;

    // One set of shells per x-plane, added up in order: independent of threads.
    let per_plane: Vec<Vec<Shell>> = fa
        .axis_iter(Axis(0))
        .into_par_iter()
        .zip(fb.axis_iter(Axis(0)))
        .enumerate()
        .map(|(ix, (plane_a, plane_b))| {
            let mut shells = vec![Shell::default(); bins];
            let fx = fft_frequency(ix, n);
            for iy in 0..n {
                let fy = fft_frequency(iy, n);
                for iz in 0..n / 2 + 1 {
                    let length = ((fx * fx + fy * fy + (iz * iz) as i64) as f64).sqrt();
                    let bin = length as usize;
                    if bin == 0 {
                        continue;
                    }
                    // The half-space of a real field: modes inside it stand for
                    // their conjugates as well, those on its two faces hold them.
                    let weight = if iz == 0 || 2 * iz == n { 1 } else { 2 };
                    let a = plane_a[[iy, iz]];
                    let b = plane_b[[iy, iz]];
                    let wa = compensation[0][ix] * compensation[0][iy] * compensation[0][iz];
                    let wb = compensation[1][ix] * compensation[1][iy] * compensation[1][iz];
                    let (ar, ai) = (f64::from(a.re) * wa, f64::from(a.im) * wa);
                    let (br, bi) = (f64::from(b.re) * wb, f64::from(b.im) * wb);
                    let shell = &mut shells[bin];
                    shell.weight += weight;
                    let w = weight as f64;
                    shell.k += w * length;
                    shell.power[0] += w * (ar * ar + ai * ai);
                    shell.power[1] += w * (br * br + bi * bi);
                    shell.power[2] += w * (ar * br + ai * bi);
                }
            }
            shells
        })
        .collect();
    let mut total = vec![Shell::default(); bins];
    for shells in &per_plane {
        for (t, s) in total.iter_mut().zip(shells) {
            t.weight += s.weight;
            t.k += s.k;
            for i in 0..3 {
                t.power[i] += s.power[i];
            }
        }
    }

    let total: Vec<Shell> = total.into_iter().filter(|s| s.weight > 0).collect();
    let norm = (grid.box_size / (n * n) as f64).powi(3);
    [0, 1, 2].map(|i| PowerSpectrum {
        k: total.iter().map(|s| s.k / s.weight as f64 * k_fundamental).collect(),
        power: total.iter().map(|s| s.power[i] / s.weight as f64 * norm).collect(),
        modes: total.iter().map(|s| s.weight.div_ceil(2)).collect(),
        k_nyquist: grid.k_nyquist(),
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    fn wave(n: usize, box_size: f64, mode: [i64; 3], amplitude: f64) -> Grid {
        let values = Array3::from_shape_fn((n, n, n), |(x, y, z)| {
            let phase = std::f64::consts::TAU
                * (mode[0] as f64 * x as f64 + mode[1] as f64 * y as f64 + mode[2] as f64 * z as f64)
                / n as f64;
            (amplitude * phase.cos()) as f32
        });
        Grid { values, box_size }
    }

    #[test]
    fn a_plane_wave_has_its_variance_in_its_shell() {
        let (n, box_size, amplitude) = (16, 25.0, 3.0);
        let spectrum = power_spectrum(&wave(n, box_size, [3, 2, 1], amplitude), None);
        // ∫ P d³k/(2π)³ = variance = A²/2, all of it in the shell 3 ≤ |k|/k_F < 4.
        let volume = box_size.powi(3);
        for (i, (&p, &modes)) in spectrum.power.iter().zip(&spectrum.modes).enumerate() {
            let variance = 2.0 * modes as f64 * p / volume;
            let expected = if i == 2 { amplitude * amplitude / 2.0 } else { 0.0 };
            assert!((variance - expected).abs() < 1e-3, "shell {i}: {variance} against {expected}");
        }
    }

    #[test]
    fn a_field_is_fully_correlated_with_its_multiple_and_not_with_its_shift_by_a_quarter_wave() {
        let a = wave(16, 25.0, [2, 0, 0], 1.0);
        let b = a.map(|v| -2.0 * v);
        let spectrum = cross_spectrum([&a, &b], [None, None]).unwrap();
        let r = spectrum.correlation();
        assert!((r[1] + 1.0).abs() < 1e-6 && (spectrum.transfer()[1] - 0.5).abs() < 1e-6);

        let values = Array3::from_shape_fn((16, 16, 16), |(x, ..)| a.values[[(x + 2) % 16, 0, 0]]);
        let shifted = Grid { values, box_size: 25.0 };
        assert!(cross_spectrum([&a, &shifted], [None, None]).unwrap().correlation()[1].abs() < 1e-6);
    }

    #[test]
    fn different_grids_are_refused_with_a_sentence() {
        let error = cross_spectrum([&Grid::zeros(8, 25.0), &Grid::zeros(16, 25.0)], [None, None]).unwrap_err();
        assert!(error.to_string().contains("8³ voxels") && error.exit_code() == 2);
    }
}

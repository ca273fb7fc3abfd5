//! Gravity on a periodic mesh.

use ndarray::Array3;
use rayon::prelude::*;

use super::UNIT;
use super::initial::for_modes;
use crate::field::{MassAssignment, RealFft3, assign_mass, fft_frequency};

/// The potential of the particles on a mesh, by FFT.
#[derive(Clone)]
pub(super) struct Mesh {
    plan: RealFft3,
    box_size: f64,
    /// Factor of `δ` in Poisson's equation, `(3/2) Ωm`.
    source: f64,
}

/// What the mesh keeps of a mode with the squared index `square` where it is all
/// there is. Beyond six tenths of its Nyquist wavenumber lie the images that the
/// particle lattice makes of every mode, and with the smoothing taken out they
/// would drive a growth of their own.
fn cutoff(square: f64, n: usize) -> f64 {
    (-(square / (0.3 * n as f64).powi(2)).powi(2)).exp()
}

impl Mesh {
    pub fn new(n: usize, box_size: f64, source: f64) -> Self {
        Self { plan: RealFft3::new(n), box_size, source }
    }

    /// `−∇ψ` at every particle, in (Mpc/h) H0².
    ///
    /// `split` is the scale `r_s` in Mpc/h beyond which the mesh answers for
    /// gravity: its potential is multiplied by `exp(−k² r_s²)` and the tree has
    /// the rest (Bagla 2002). `None` where the mesh is all there is; see
    /// [`cutoff`].
    pub fn accelerations(&self, positions: &[[u32; 3]], split: Option<f64>) -> Vec<[f32; 3]> {
        let potential = self.potential(positions, split);
        let n = self.plan.n();
        let values = potential.as_slice().expect("freshly made");
        let per_unit = n as f64 * UNIT;
        // Fourth-order differences of the potential, in voxels.
        let per_voxel = (n as f64 / self.box_size) as f32;
        let (near, far) = (-per_voxel * 2.0 / 3.0, per_voxel / 12.0);
        let wrap = |i: usize| if i >= n { i - n } else { i };
        positions
            .par_iter()
            .map(|p| {
                let scaled = p.map(|x| f64::from(x) * per_unit);
                let first = scaled.map(|x| (x as usize).min(n - 1));
                let d: [f32; 3] = std::array::from_fn(|a| (scaled[a] - first[a] as f64) as f32);
                // Indices of the six planes around the particle, per axis.
                let around = first.map(|i| -> [usize; 6] { std::array::from_fn(|j| wrap(wrap(i + n - 2) + j)) });
                let mut total = [0f32; 3];
                for (cx, wx) in [(2, 1.0 - d[0]), (3, d[0])] {
                    for (cy, wy) in [(2, 1.0 - d[1]), (3, d[1])] {
                        for (cz, wz) in [(2, 1.0 - d[2]), (3, d[2])] {
                            let weight = wx * wy * wz;
                            let at = |x: usize, y: usize, z: usize| {
                                values[(around[0][x] * n + around[1][y]) * n + around[2][z]]
                            };
                            let slope = |minus2: f32, minus1: f32, plus1: f32, plus2: f32| {
                                near * (plus1 - minus1) + far * (plus2 - minus2)
                            };
                            total[0] += weight
                                * slope(at(cx - 2, cy, cz), at(cx - 1, cy, cz), at(cx + 1, cy, cz), at(cx + 2, cy, cz));
                            total[1] += weight
                                * slope(at(cx, cy - 2, cz), at(cx, cy - 1, cz), at(cx, cy + 1, cz), at(cx, cy + 2, cz));
                            total[2] += weight
                                * slope(at(cx, cy, cz - 2), at(cx, cy, cz - 1), at(cx, cy, cz + 1), at(cx, cy, cz + 2));
                        }
                    }
                }
                total
            })
            .collect()
    }

    /// `ψ` with `∇²ψ = source · δ`, long-range part.
    fn potential(&self, positions: &[[u32; 3]], split: Option<f64>) -> Array3<f32> {
        let n = self.plan.n();
        let scale = UNIT * self.box_size;
        let places: Vec<[f32; 3]> = positions.par_iter().map(|p| p.map(|x| (f64::from(x) * scale) as f32)).collect();
        let density = assign_mass(&places, |_| 1.0, n, self.box_size, MassAssignment::Cic);
        drop(places);
        let mut modes = self.plan.forward(&density.values);
        drop(density);
        let k_fundamental = std::f64::consts::TAU / self.box_size;
        let mean = positions.len() as f64 / (n as f64).powi(3);
        let norm = -self.source / (mean * (n as f64).powi(3) * k_fundamental * k_fundamental);
        let damping = split.map_or(0.0, |r| (k_fundamental * r).powi(2));
        let cutoff = |square: f64| if split.is_some() { 1.0 } else { cutoff(square, n) };
        // The smoothing by cloud-in-cell assignment and interpolation is taken
        // out again: linear growth and the tree rely on it.
        let window: Vec<f64> = (0..n)
            .map(|i| {
                let x = std::f64::consts::PI * fft_frequency(i, n) as f64 / n as f64;
                let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
                sinc.powi(-4)
            })
            .collect();
        // Per axis, so that no exponential is taken per mode.
        let factor: Vec<f64> =
            (0..n).map(|i| window[i] * (-damping * (fft_frequency(i, n) as f64).powi(2)).exp()).collect();
        let index = |k: i64| k.rem_euclid(n as i64) as usize;
        for_modes(&mut modes, n, |[x, y, z], mode| {
            let square = (x * x + y * y + z * z) as f64;
            let green = if square == 0.0 {
                0.0
            } else {
                norm * factor[index(x)] * factor[index(y)] * factor[index(z)] * cutoff(square) / square
            };
            *mode *= green as f32;
        });
        self.plan.inverse(modes)
    }
}

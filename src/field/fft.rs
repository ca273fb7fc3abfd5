//! Threaded three-dimensional real FFT.

use std::sync::Arc;

use ndarray::{Array3, Axis};
use rayon::prelude::*;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::{Fft, FftPlanner, num_complex::Complex32};

/// Columns gathered at a time along the strided axes: two cache lines of
/// complex numbers, so that every line fetched is used in full.
const COLUMNS: usize = 16;

/// Plans for the forward and inverse transform of an `n³` real field.
///
/// The transform is unnormalised in both directions, as FFTW's: forward then
/// inverse multiplies by `n³`. The half-complex field has shape
/// `[n, n, n/2 + 1]`.
#[derive(Clone)]
pub struct RealFft3 {
    n: usize,
    real_forward: Arc<dyn RealToComplex<f32>>,
    real_inverse: Arc<dyn ComplexToReal<f32>>,
    forward: Arc<dyn Fft<f32>>,
    inverse: Arc<dyn Fft<f32>>,
}

impl RealFft3 {
    /// Plan transforms of `n³` fields.
    pub fn new(n: usize) -> Self {
        let mut real = RealFftPlanner::<f32>::new();
        let mut complex = FftPlanner::<f32>::new();
        Self {
            n,
            real_forward: real.plan_fft_forward(n),
            real_inverse: real.plan_fft_inverse(n),
            forward: complex.plan_fft_forward(n),
            inverse: complex.plan_fft_inverse(n),
        }
    }

    /// Points per axis.
    pub fn n(&self) -> usize {
        self.n
    }

    /// `F(k) = Σ_x f(x) e^{−ik·x}` of a real `[n, n, n]` field.
    pub fn forward(&self, field: &Array3<f32>) -> Array3<Complex32> {
        let n = self.n;
        let half = n / 2 + 1;
        let mut out = Array3::<Complex32>::zeros((n, n, half));
        let input = field.as_slice().expect("fields are kept in standard layout");
        let output = out.as_slice_mut().expect("freshly made");
        output.par_chunks_mut(n * half).zip(input.par_chunks(n * n)).for_each_init(
            || (vec![0f32; n], self.real_forward.make_scratch_vec()),
            |(row, scratch), (plane_out, plane_in)| {
                for (line_out, line_in) in plane_out.chunks_mut(half).zip(plane_in.chunks(n)) {
                    row.copy_from_slice(line_in);
                    self.real_forward.process_with_scratch(row, line_out, scratch).expect("lengths match the plan");
                }
            },
        );
        transform_strided(&mut out, 0, self.forward.as_ref());
        transform_strided(&mut out, 1, self.forward.as_ref());
        out
    }

    /// `f(x) = Σ_k F(k) e^{+ik·x}` as a real `[n, n, n]` field (not divided by
    /// `n³`). Consumes the transform, whose memory it works in.
    pub fn inverse(&self, mut transform: Array3<Complex32>) -> Array3<f32> {
        let n = self.n;
        let half = n / 2 + 1;
        transform_strided(&mut transform, 0, self.inverse.as_ref());
        transform_strided(&mut transform, 1, self.inverse.as_ref());
        let mut out = Array3::<f32>::zeros((n, n, n));
        let input = transform.as_slice_mut().expect("freshly made");
        let output = out.as_slice_mut().expect("freshly made");
        output.par_chunks_mut(n * n).zip(input.par_chunks_mut(n * half)).for_each_init(
            || self.real_inverse.make_scratch_vec(),
            |scratch, (plane_out, plane_in)| {
                for (line_out, line_in) in plane_out.chunks_mut(n).zip(plane_in.chunks_mut(half)) {
                    // Round-off leaves a tiny imaginary part where Hermitian
                    // symmetry asks for none, and the real plan insists.
                    line_in[0].im = 0.0;
                    if n.is_multiple_of(2) {
                        line_in[half - 1].im = 0.0;
                    }
                    self.real_inverse.process_with_scratch(line_in, line_out, scratch).expect("lengths match the plan");
                }
            },
        );
        out
    }
}

/// Complex transform along axis 0 or 1, planes of the other axis in parallel.
fn transform_strided(field: &mut Array3<Complex32>, axis: usize, plan: &dyn Fft<f32>) {
    let n = plan.len();
    field.axis_iter_mut(Axis(1 - axis)).into_par_iter().for_each_init(
        || (vec![Complex32::default(); n * COLUMNS], vec![Complex32::default(); plan.get_inplace_scratch_len()]),
        |(buffer, scratch), mut plane| {
            let columns = plane.dim().1;
            for first in (0..columns).step_by(COLUMNS) {
                let width = COLUMNS.min(columns - first);
                for i in 0..n {
                    for c in 0..width {
                        buffer[c * n + i] = plane[[i, first + c]];
                    }
                }
                plan.process_with_scratch(&mut buffer[..width * n], scratch);
                for i in 0..n {
                    for c in 0..width {
                        plane[[i, first + c]] = buffer[c * n + i];
                    }
                }
            }
        },
    );
}

/// Signed integer frequency of index `i` on an axis of `n` points:
/// `0, 1, …, n/2, −n/2+1, …, −1`.
pub fn fft_frequency(i: usize, n: usize) -> i64 {
    if i <= n / 2 { i as i64 } else { i as i64 - n as i64 }
}

/// The shell of width one fundamental mode that the mode at `index` lies in: its
/// length, rounded down.
pub fn fft_shell(index: [usize; 3], n: usize) -> usize {
    (index.map(|i| fft_frequency(i, n).pow(2)).iter().sum::<i64>() as f64).sqrt() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plane_wave_lands_on_its_mode_and_round_trip_is_the_identity() {
        for n in [8usize, 12, 15] {
            let (kx, ky, kz) = (2.0, 1.0, 3.0);
            let field = Array3::from_shape_fn((n, n, n), |(x, y, z)| {
                let phase = std::f32::consts::TAU * (kx * x as f32 + ky * y as f32 + kz * z as f32) / n as f32;
                phase.cos()
            });
            let plan = RealFft3::new(n);
            let transform = plan.forward(&field);
            let expected = (n * n * n) as f32 / 2.0;
            for ((x, y, z), value) in transform.indexed_iter() {
                let target = if (x, y, z) == (2, 1, 3) { expected } else { 0.0 };
                assert!((value.re - target).abs() < 1e-3 * expected && value.im.abs() < 1e-3 * expected);
            }
            let back = plan.inverse(transform);
            for (a, b) in back.iter().zip(&field) {
                assert!((a / (n * n * n) as f32 - b).abs() < 1e-5);
            }
        }
    }
}

//! A scalar field on a periodic cubic grid.

use ndarray::Array3;
use rayon::prelude::*;

/// A scalar field on `N³` voxels of a periodic box.
///
/// Axis order `[x, y, z]`, C order; voxel `(i, j, k)` belongs to the position
/// `(i, j, k) · voxel()` (node-centred, as in Pylians).
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Values, shape `[N, N, N]`. The unit is that of the quantity held.
    pub values: Array3<f32>,
    /// Comoving side of the box in Mpc/h.
    pub box_size: f64,
}

impl Grid {
    /// A field of `n³` zeros in a box of `box_size` Mpc/h.
    pub fn zeros(n: usize, box_size: f64) -> Self {
        Self { values: Array3::zeros((n, n, n)), box_size }
    }

    /// A field of the values of a cube in C order, in a box of `box_size` Mpc/h.
    ///
    /// # Panics
    /// If their number is not a cube.
    pub fn from_values(values: Vec<f32>, box_size: f64) -> Self {
        let n = (values.len() as f64).cbrt().round() as usize;
        Self { values: Array3::from_shape_vec((n, n, n), values).expect("the values of a cube"), box_size }
    }

    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.values.dim().0
    }

    /// Side of a voxel in Mpc/h.
    pub fn voxel(&self) -> f64 {
        self.box_size / self.n() as f64
    }

    /// Fundamental wavenumber `2π/L` in h/Mpc.
    pub fn k_fundamental(&self) -> f64 {
        std::f64::consts::TAU / self.box_size
    }

    /// Nyquist wavenumber `πN/L` in h/Mpc.
    pub fn k_nyquist(&self) -> f64 {
        std::f64::consts::PI * self.n() as f64 / self.box_size
    }

    /// The values as one slice in C order.
    pub fn as_slice(&self) -> &[f32] {
        self.values.as_slice().expect("grids are kept in standard layout")
    }

    /// The values as one mutable slice in C order.
    pub fn as_slice_mut(&mut self) -> &mut [f32] {
        self.values.as_slice_mut().expect("grids are kept in standard layout")
    }

    /// Mean over all voxels, summed in `f64` plane by plane, so that it does not
    /// depend on the number of threads.
    pub fn mean(&self) -> f64 {
        self.sum() / self.as_slice().len() as f64
    }

    /// The field over its mean: `1 + δ` of a density.
    pub fn over_mean(&self) -> Self {
        let mean = self.mean();
        self.map(|v| (f64::from(v) / mean) as f32)
    }

    /// Sum over all voxels (see [`Grid::mean`]).
    pub fn sum(&self) -> f64 {
        let n = self.n();
        let planes: Vec<f64> =
            self.as_slice().par_chunks(n * n).map(|plane| plane.iter().map(|&v| f64::from(v)).sum()).collect();
        planes.iter().sum()
    }

    /// Smallest and largest value; `(∞, −∞)` for a field of NaN.
    pub fn range(&self) -> (f32, f32) {
        self.as_slice().iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)))
    }

    /// The value below which a fraction `q` (0 to 1) of the voxels lies.
    pub fn quantile(&self, q: f64) -> f32 {
        let mut sorted = self.as_slice().to_vec();
        let index = ((sorted.len() - 1) as f64 * q.clamp(0.0, 1.0)).round() as usize;
        *sorted.select_nth_unstable_by(index, f32::total_cmp).1
    }

    /// A field of the same box with `f` applied to every voxel.
    pub fn map(&self, f: impl Fn(f32) -> f32 + Sync + Send) -> Self {
        let mut out = self.clone();
        out.as_slice_mut().par_iter_mut().for_each(|v| *v = f(*v));
        out
    }

    /// The difference `self − other`, voxel by voxel, of two fields on the same grid.
    ///
    /// # Panics
    /// Where the grids differ.
    pub fn minus(&self, other: &Self) -> Self {
        assert_eq!(self.n(), other.n(), "fields on the same grid");
        let mut out = self.clone();
        out.as_slice_mut().par_iter_mut().zip(other.as_slice()).for_each(|(a, b)| *a -= b);
        out
    }

    /// The same box on `m³` voxels, `m` at most as many as it has: each holds the mean of
    /// those whose lower corners lie in it.
    ///
    /// # Panics
    /// Where `m` is zero or more than there are.
    pub fn coarser(&self, m: usize) -> Self {
        let n = self.n();
        assert!((1..=n).contains(&m), "{m} of {n} voxels an axis");
        let mut out = Self::zeros(m, self.box_size);
        let fine = self.as_slice();
        // The first of the voxels that a coarse one holds.
        let first = |i: usize| (i * n).div_ceil(m);
        out.as_slice_mut().par_chunks_mut(m * m).enumerate().for_each(|(x, plane)| {
            for y in 0..m {
                for z in 0..m {
                    let (mut sum, mut count) = (0.0, 0u32);
                    for i in first(x)..first(x + 1) {
                        for j in first(y)..first(y + 1) {
                            for value in &fine[(i * n + j) * n..][first(z)..first(z + 1)] {
                                sum += f64::from(*value);
                                count += 1;
                            }
                        }
                    }
                    plane[y * m + z] = (sum / f64::from(count)) as f32;
                }
            }
        });
        out
    }

    /// The overdensity `δ = ρ/ρ̄ − 1` of a density (or mass) field. A field with
    /// zero mean has no contrast and comes back as zeros.
    pub fn overdensity(&self) -> Self {
        let mean = self.mean();
        if mean == 0.0 {
            return Self::zeros(self.n(), self.box_size);
        }
        self.map(|v| (f64::from(v) / mean - 1.0) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarser_grid_keeps_the_mean_and_the_place() {
        let mut fine = Grid::zeros(8, 10.0);
        fine.values[[6, 1, 3]] = 8.0;
        let coarse = fine.coarser(4);
        assert_eq!(coarse.values[[3, 0, 1]], 1.0);
        assert!((coarse.mean() - fine.mean()).abs() < 1e-9 && coarse.box_size == 10.0);
        // A number that does not divide: every voxel is in one coarse voxel, near its place.
        let ramp = Grid { values: Array3::from_shape_fn((7, 7, 7), |(x, ..)| x as f32), box_size: 7.0 };
        let coarse = ramp.coarser(3);
        assert_eq!([0, 1, 2].map(|x| coarse.values[[x, 2, 0]]), [1.0, 3.5, 5.5]);
    }
}

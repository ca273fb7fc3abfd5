//! Smoothing with Gaussians.

use rayon::prelude::*;

use super::{Grid, RealFft3};

/// The binomial weights of five voxels: a Gaussian with a deviation of one voxel.
pub const SMOOTHING_KERNEL: [f32; 5] = [0.0625, 0.25, 0.375, 0.25, 0.0625];

/// A periodic field of `n³` values, C order, smoothed along each axis in turn.
pub fn smooth(field: Vec<f32>, n: usize) -> Vec<f32> {
    assert_eq!(field.len(), n.pow(3), "a field is a cube");
    [n * n, n, 1].into_iter().fold(field, |field, stride| along(&field, n, stride))
}

/// Smoothed along the axis whose neighbours lie `stride` apart.
fn along(field: &[f32], n: usize, stride: usize) -> Vec<f32> {
    let mut out = vec![0f32; field.len()];
    out.par_chunks_mut(n).enumerate().for_each(|(row, values)| {
        for (column, value) in values.iter_mut().enumerate() {
            let index = row * n + column;
            let place = index / stride % n;
            let line = index - place * stride;
            *value = (SMOOTHING_KERNEL.iter().enumerate())
                .map(|(offset, weight)| weight * field[line + (place + offset + 2 * n - 2) % n * stride])
                .sum();
        }
    });
    out
}

/// A periodic field smoothed with Gaussians of `radii` voxels, one after the other.
pub fn smooth_widely(field: &Grid, radii: &[f64]) -> Vec<Grid> {
    let n = field.n();
    let plan = RealFft3::new(n);
    let modes = plan.forward(&field.values);
    let smoothed = |&radius: &f64| {
        // The transform of a Gaussian is one, along each axis; that of a field is not normalised.
        let share: Vec<f64> = (0..n)
            .map(|i| {
                let wavenumber = std::f64::consts::TAU * i.min(n - i) as f64 / n as f64;
                (-0.5 * (wavenumber * radius).powi(2)).exp() / n as f64
            })
            .collect();
        let mut modes = modes.clone();
        for ((x, y, z), mode) in modes.indexed_iter_mut() {
            *mode *= (share[x] * share[y] * share[z]) as f32;
        }
        Grid { values: plan.inverse(modes), ..*field }
    };
    radii.iter().map(smoothed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_gaussian_keeps_the_mean_and_has_its_width_around_the_box() {
        let (n, radius) = (32, 2.0);
        let mut point = Grid::zeros(n, 25.0);
        point.values[[n - 1, 0, 5]] = 1.0;
        let smooth = smooth_widely(&point, &[1.0, radius]).remove(1);
        assert!((smooth.as_slice().iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let peak = 1.0 / (std::f64::consts::TAU.sqrt() * radius).powi(3);
        for (place, apart) in [([n - 1, 0, 5], 0.0), ([2, 0, 5], 9.0), ([n - 1, n - 2, 6], 5.0)] {
            let expected = peak * (-0.5 * apart / radius.powi(2)).exp();
            assert!((f64::from(smooth.values[place]) / expected - 1.0).abs() < 1e-3, "{place:?}");
        }
    }

    #[test]
    fn a_point_spreads_over_its_neighbours_and_around_the_box() {
        let n = 8;
        let mut point = vec![0f32; n * n * n];
        point[(n - 1) * n * n] = 1.0;
        let smooth = smooth(point, n);
        let at = |x: usize, y: usize, z: usize| smooth[(x * n + y) * n + z];
        assert!((smooth.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(at(7, 0, 0), 0.375f32.powi(3));
        // Through the faces, along each axis.
        assert_eq!(at(0, 0, 0), at(6, 0, 0));
        assert_eq!(at(7, 7, 0), at(7, 0, 1));
        assert_eq!(at(7, 0, 6), 0.0625 * 0.375 * 0.375);
    }
}

//! Smoothing with a Gaussian of one voxel.

use rayon::prelude::*;

/// The binomial weights of five voxels: a Gaussian with a deviation of one voxel.
const KERNEL: [f32; 5] = [0.0625, 0.25, 0.375, 0.25, 0.0625];

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
            *value = (KERNEL.iter().enumerate())
                .map(|(offset, weight)| weight * field[line + (place + offset + 2 * n - 2) % n * stride])
                .sum();
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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

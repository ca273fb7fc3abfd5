//! One number for every plane of voxels across an axis.

use rayon::prelude::*;

use crate::field::Grid;

/// What a plane holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plane {
    /// Mean squared jump from the plane before to this one.
    pub jump: f64,
    /// Mean of that jump with its sign.
    pub step: f64,
    /// Mean over the faces of tiles of the square of each face's mean jump.
    pub face_step: f64,
    /// Mean over the plane's voxels.
    pub mean: f64,
    /// Mean square about the mean of the box.
    pub square: f64,
}

/// The planes across x, y and z of a field; faces of tiles are squares of `tile²` voxels.
pub fn planes(field: &Grid, tile: usize) -> [Vec<Plane>; 3] {
    let n = field.n();
    let values = field.as_slice();
    let strides = [n * n, n, 1];
    std::array::from_fn(|axis| {
        let [u, v] = [[1, 2], [0, 2], [0, 1]][axis].map(|other: usize| strides[other]);
        (0..n)
            .into_par_iter()
            .map(|at| {
                let (here, before) = (at * strides[axis], (at + n - 1) % n * strides[axis]);
                let per_axis = n.div_ceil(tile);
                let mut faces = vec![0f64; per_axis * per_axis];
                let mut plane = Plane::default();
                for i in 0..n {
                    for j in 0..n {
                        let offset = i * u + j * v;
                        let value = f64::from(values[here + offset]);
                        let jump = value - f64::from(values[before + offset]);
                        plane.jump += jump * jump;
                        plane.mean += value;
                        plane.square += value * value;
                        faces[i / tile * per_axis + j / tile] += jump;
                    }
                }
                let voxels = (n * n) as f64;
                plane.step = faces.iter().sum::<f64>() / voxels;
                let area = (tile * tile) as f64;
                plane.face_step = faces.iter().map(|sum| (sum / area).powi(2)).sum::<f64>() / faces.len() as f64;
                plane.jump /= voxels;
                plane.mean /= voxels;
                plane.square /= voxels;
                plane
            })
            .collect()
    })
}

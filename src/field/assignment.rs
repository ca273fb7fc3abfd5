//! From particles to a density field.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Grid;

/// How a particle's mass is shared among the voxels around it (Hockney &
/// Eastwood 1981): a B-spline of the given order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum MassAssignment {
    /// Nearest grid point, 1 voxel per axis.
    Ngp,
    /// Cloud in cell, 2 voxels per axis.
    #[default]
    Cic,
    /// Triangular-shaped cloud, 3 voxels per axis.
    Tsc,
    /// Piecewise cubic spline, 4 voxels per axis.
    Pcs,
}

impl MassAssignment {
    /// Voxels touched per axis, which is also the power `p` of the window
    /// `W(k) = Π sinc(k_i Δ/2)^p`.
    pub fn order(self) -> usize {
        match self {
            Self::Ngp => 1,
            Self::Cic => 2,
            Self::Tsc => 3,
            Self::Pcs => 4,
        }
    }

    /// The name used in the literature.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ngp => "NGP",
            Self::Cic => "CIC",
            Self::Tsc => "TSC",
            Self::Pcs => "PCS",
        }
    }

    /// First voxel touched by a particle at `x` (in voxels) and the weights of
    /// it and its successors; only the first [`order`](Self::order) are used.
    /// The weights sum to one.
    pub fn weights(self, x: f64) -> (i64, [f64; 4]) {
        match self {
            Self::Ngp => ((x + 0.5).floor() as i64, [1.0, 0.0, 0.0, 0.0]),
            Self::Cic => {
                let i = x.floor();
                let d = x - i;
                (i as i64, [1.0 - d, d, 0.0, 0.0])
            }
            Self::Tsc => {
                let i = (x + 0.5).floor();
                let d = x - i;
                let middle = 0.75 - d * d;
                let right = 0.5 * (0.5 + d) * (0.5 + d);
                (i as i64 - 1, [1.0 - middle - right, middle, right, 0.0])
            }
            Self::Pcs => {
                let i = x.floor();
                let d = x - i;
                let outer = |s: f64| (2.0 - s).powi(3) / 6.0;
                let inner = |s: f64| (4.0 - 6.0 * s * s + 3.0 * s.powi(3)) / 6.0;
                let (w0, w1, w3) = (outer(1.0 + d), inner(d), outer(2.0 - d));
                (i as i64 - 1, [w0, w1, 1.0 - w0 - w1 - w3, w3])
            }
        }
    }
}

/// Assign particles to an `n³` periodic grid: the result holds mass per voxel,
/// in the unit of `mass`. See [`add_mass`].
pub fn assign_mass(
    positions: &[[f32; 3]],
    mass: impl Fn(usize) -> f64 + Sync,
    n: usize,
    box_size: f64,
    scheme: MassAssignment,
) -> Grid {
    let mut grid = Grid::zeros(n, box_size);
    add_mass(&mut grid, positions, mass, scheme);
    grid
}

/// Add the mass of particles to a periodic grid, in the unit of `mass` per voxel.
///
/// `positions` are in Mpc/h and may lie anywhere (they are wrapped); `mass`
/// gives the mass of the particle with an index. Planes of the grid are filled
/// in parallel, each in `f64` and in particle order, so the result does not
/// depend on the number of threads, and mass is conserved to the rounding of
/// the final `f32`.
pub fn add_mass(grid: &mut Grid, positions: &[[f32; 3]], mass: impl Fn(usize) -> f64 + Sync, scheme: MassAssignment) {
    let n = grid.n();
    let per_length = n as f64 / grid.box_size;
    let order = scheme.order();
    let wrap = |i: i64| i.rem_euclid(n as i64) as usize;

    // Particles by the first x-plane they touch, in particle order (a counting
    // sort), so that each plane finds its particles in `order` buckets.
    let first_plane: Vec<u32> =
        positions.par_iter().map(|p| wrap(scheme.weights(f64::from(p[0]) * per_length).0) as u32).collect();
    let mut start = vec![0usize; n + 1];
    for &plane in &first_plane {
        start[plane as usize + 1] += 1;
    }
    for plane in 0..n {
        start[plane + 1] += start[plane];
    }
    let mut sorted = vec![0u32; positions.len()];
    let mut cursor = start.clone();
    for (index, &plane) in first_plane.iter().enumerate() {
        sorted[cursor[plane as usize]] = index as u32;
        cursor[plane as usize] += 1;
    }

    grid.as_slice_mut().par_chunks_mut(n * n).enumerate().for_each_init(
        || vec![0f64; n * n],
        |plane, (x, out)| {
            plane.fill(0.0);
            // A grid narrower than the kernel wraps it on itself, and one plane
            // can then be touched by several of a particle's weights.
            for a in 0..order {
                let bucket = wrap(x as i64 - a as i64);
                for &index in &sorted[start[bucket]..start[bucket + 1]] {
                    let p = positions[index as usize];
                    let (_, wx) = scheme.weights(f64::from(p[0]) * per_length);
                    let (jy, wy) = scheme.weights(f64::from(p[1]) * per_length);
                    let (jz, wz) = scheme.weights(f64::from(p[2]) * per_length);
                    let m = mass(index as usize) * wx[a];
                    for b in 0..order {
                        let row = wrap(jy + b as i64) * n;
                        let mxy = m * wy[b];
                        for c in 0..order {
                            plane[row + wrap(jz + c as i64)] += mxy * wz[c];
                        }
                    }
                }
            }
            for (o, &v) in out.iter_mut().zip(plane.iter()) {
                *o = (f64::from(*o) + v) as f32;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEMES: [MassAssignment; 4] =
        [MassAssignment::Ngp, MassAssignment::Cic, MassAssignment::Tsc, MassAssignment::Pcs];

    #[test]
    fn cic_shares_a_particle_by_hand() {
        // At (1.25, 0, 3.5) voxels of a 4³ grid with Δ = 2 Mpc/h.
        let grid = assign_mass(&[[2.5, 0.0, 7.0]], |_| 8.0, 4, 8.0, MassAssignment::Cic);
        assert_eq!(grid.values[[1, 0, 3]], 8.0 * 0.75 * 0.5);
        assert_eq!(grid.values[[2, 0, 0]], 8.0 * 0.25 * 0.5);
        assert_eq!(grid.sum(), 8.0);
    }

    proptest! {
        #[test]
        fn mass_is_conserved_and_the_centre_of_mass_kept(
            particles in prop::collection::vec((prop::array::uniform3(0f32..10.0), 0.1f64..10.0), 1..50),
            n in 5usize..12,
        ) {
            let positions: Vec<[f32; 3]> = particles.iter().map(|p| p.0).collect();
            let total: f64 = particles.iter().map(|p| p.1).sum();
            for scheme in SCHEMES {
                let grid = assign_mass(&positions, |i| particles[i].1, n, 10.0, scheme);
                prop_assert!((grid.sum() / total - 1.0).abs() < 1e-6);
                let (lowest, _) = grid.range();
                prop_assert!(lowest >= 0.0);
            }
        }

        #[test]
        fn weights_sum_to_one_and_keep_the_first_moment(x in -20.0f64..20.0) {
            for scheme in SCHEMES {
                let (first, w) = scheme.weights(x);
                let total: f64 = w.iter().sum();
                prop_assert!((total - 1.0).abs() < 1e-12);
                if scheme != MassAssignment::Ngp {
                    let mean: f64 = w.iter().enumerate().map(|(i, w)| w * (first + i as i64) as f64).sum();
                    prop_assert!((mean - x).abs() < 1e-9, "{scheme:?}: {mean} against {x}");
                }
            }
        }
    }
}

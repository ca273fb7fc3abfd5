//! What a box-shaped part of a field holds, and what lies along a line through it.

use crate::field::Grid;

/// Statistics of a part of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionStatistics {
    /// Voxels with a value.
    pub voxels: usize,
    /// Voxels without one.
    pub missing: usize,
    /// Mean, in the field's unit.
    pub mean: f64,
    /// Standard deviation about it.
    pub deviation: f64,
    /// Smallest value.
    pub smallest: f32,
    /// Half of the voxels lie below.
    pub median: f32,
    /// Largest value.
    pub largest: f32,
}

impl RegionStatistics {
    /// Of the `size` voxels from `origin` on, `[x, y, z]`, periodic beyond the box;
    /// `None` where no voxel has a value.
    pub fn new(grid: &Grid, origin: [usize; 3], size: [usize; 3]) -> Option<Self> {
        Self::of(grid.n(), |at| grid.values[at], origin, size)
    }

    /// The same of what `value` says of each voxel of a grid of `n³`.
    pub fn of(n: usize, value: impl Fn([usize; 3]) -> f32, origin: [usize; 3], size: [usize; 3]) -> Option<Self> {
        let all: usize = size.iter().product();
        let mut values = Vec::with_capacity(all);
        for x in 0..size[0] {
            for y in 0..size[1] {
                for z in 0..size[2] {
                    let at = [(origin[0] + x) % n, (origin[1] + y) % n, (origin[2] + z) % n];
                    let value = value(at);
                    if !value.is_nan() {
                        values.push(value);
                    }
                }
            }
        }
        if values.is_empty() {
            return None;
        }
        let count = values.len();
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count as f64;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count as f64;
        values.sort_unstable_by(f32::total_cmp);
        Some(Self {
            voxels: count,
            missing: all - count,
            mean,
            deviation: variance.sqrt(),
            smallest: values[0],
            median: values[count / 2],
            largest: values[count - 1],
        })
    }
}

/// The values of the voxels that a line crosses at `samples` places from `start` to `end`,
/// both in Mpc/h and periodic: distances from the start in Mpc/h, and values.
pub fn profile(grid: &Grid, start: [f64; 3], end: [f64; 3], samples: usize) -> Vec<[f64; 2]> {
    let n = grid.n() as i64;
    let length = (0..3).map(|i| (end[i] - start[i]).powi(2)).sum::<f64>().sqrt();
    (0..samples)
        .map(|s| {
            let t = s as f64 / (samples.max(2) - 1) as f64;
            let voxel = [0, 1, 2].map(|i| {
                let p = start[i] + t * (end[i] - start[i]);
                ((p / grid.voxel()).floor() as i64).rem_euclid(n) as usize
            });
            [t * length, f64::from(grid.values[voxel])]
        })
        .collect()
}

/// The strongest voxel that a straight line within the box meets, ends in box sides: the one with the
/// largest value or, where signs count alike (`magnitude`), the one farthest from zero; the first of
/// several, and `None` where no voxel has a value.
pub fn strongest_along(grid: &Grid, [start, end]: [[f32; 3]; 2], magnitude: bool) -> Option<[usize; 3]> {
    let n = grid.n();
    let length = (0..3).map(|i| (end[i] - start[i]).powi(2)).sum::<f32>().sqrt();
    // Two places a voxel.
    let steps = (2.0 * length * n as f32).ceil().max(1.0) as usize;
    let voxels = (0..=steps).map(|step| {
        let t = step as f32 / steps as f32;
        [0, 1, 2].map(|i| (((start[i] + t * (end[i] - start[i])) * n as f32) as usize).min(n - 1))
    });
    strongest(grid, voxels, magnitude)
}

/// The strongest voxel, as along a line, between two corners in box sides within the box.
pub fn strongest_within(grid: &Grid, [low, high]: [[f32; 3]; 2], magnitude: bool) -> Option<[usize; 3]> {
    let n = grid.n();
    let span = |i: usize| {
        let first = ((low[i] * n as f32) as usize).min(n - 1);
        first..((high[i] * n as f32).ceil() as usize).clamp(first + 1, n)
    };
    let voxels = span(0).flat_map(|x| span(1).flat_map(move |y| span(2).map(move |z| [x, y, z])));
    strongest(grid, voxels, magnitude)
}

fn strongest(grid: &Grid, voxels: impl Iterator<Item = [usize; 3]>, magnitude: bool) -> Option<[usize; 3]> {
    let mut best: Option<(f32, [usize; 3])> = None;
    for voxel in voxels {
        let value = grid.values[voxel];
        let strength = if magnitude { value.abs() } else { value };
        if !strength.is_nan() && best.is_none_or(|(most, _)| strength > most) {
            best = Some((strength, voxel));
        }
    }
    best.map(|(_, voxel)| voxel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_voxel_has_a_value_and_may_be_below_zero() {
        let mut grid = Grid::zeros(8, 16.0);
        grid.values[[1, 4, 4]] = f32::NAN;
        grid.values[[3, 4, 4]] = 2.0;
        grid.values[[6, 4, 4]] = -5.0;
        grid.values[[7, 7, 7]] = 9.0;
        let line = [[0.0, 0.55, 0.55], [1.0, 0.55, 0.55]];
        assert_eq!(strongest_along(&grid, line, false), Some([3, 4, 4]));
        assert_eq!(strongest_along(&grid, line, true), Some([6, 4, 4]));
        let part = [[0.0; 3], [0.7; 3]];
        assert_eq!(strongest_within(&grid, part, false), Some([3, 4, 4]));
        assert_eq!(strongest_within(&grid, [[0.0; 3], [1.0; 3]], true), Some([7, 7, 7]));
        grid.values.fill(f32::NAN);
        assert_eq!(strongest_along(&grid, line, true), None);
    }

    fn ramp() -> Grid {
        let mut grid = Grid::zeros(8, 16.0);
        for ((x, ..), v) in grid.values.indexed_iter_mut() {
            *v = x as f32;
        }
        grid
    }

    #[test]
    fn a_region_has_the_statistics_of_its_voxels() {
        let mut grid = ramp();
        // x = 6, 7, 0, 1 over the far face.
        let statistics = RegionStatistics::new(&grid, [6, 0, 0], [4, 2, 2]).unwrap();
        assert_eq!((statistics.voxels, statistics.smallest, statistics.largest), (16, 0.0, 7.0));
        assert!((statistics.mean - 3.5).abs() < 1e-9);
        grid.values.fill(f32::NAN);
        assert_eq!(RegionStatistics::new(&grid, [0; 3], [2; 3]), None);
    }

    #[test]
    fn a_profile_follows_its_axis() {
        let profile = profile(&ramp(), [1.0, 5.0, 5.0], [15.0, 5.0, 5.0], 8);
        for (i, [distance, value]) in profile.iter().enumerate() {
            assert!((distance - 2.0 * i as f64).abs() < 1e-9 && (value - i as f64).abs() < 1e-9);
        }
    }
}

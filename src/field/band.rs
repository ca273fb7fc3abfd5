//! A band of scales of a field.

use rayon::prelude::*;

use super::{Grid, RealFft3, fft_frequency};

/// The part of a field with wavenumbers from `k_low` to `k_high` h/Mpc, in the field's
/// unit; its mean belongs to no band.
pub fn band_pass(grid: &Grid, [k_low, k_high]: [f64; 2]) -> Grid {
    let n = grid.n();
    let plan = RealFft3::new(n);
    let mut modes = plan.forward(&grid.values);
    let fundamental = grid.k_fundamental();
    let half = n / 2 + 1;
    let norm = 1.0 / (n as f32).powi(3);
    let planes = modes.as_slice_mut().expect("standard layout").par_chunks_mut(n * half);
    planes.enumerate().for_each(|(x, plane)| {
        for (index, mode) in plane.iter_mut().enumerate() {
            let (y, z) = (index / half, index % half);
            let squared = [x, y, z].map(|i| fft_frequency(i, n).pow(2)).iter().sum::<i64>();
            let k = (squared as f64).sqrt() * fundamental;
            *mode *= if squared > 0 && (k_low..=k_high).contains(&k) { norm } else { 0.0 };
        }
    });
    Grid { values: plan.inverse(modes), box_size: grid.box_size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_keeps_the_waves_in_it_and_nothing_else() {
        let n = 16;
        let wave = |mode: f64| {
            let mut grid = Grid::zeros(n, 10.0);
            for ((x, ..), v) in grid.values.indexed_iter_mut() {
                *v = (std::f64::consts::TAU * mode * x as f64 / n as f64).cos() as f32;
            }
            grid
        };
        let (long, short) = (wave(1.0), wave(5.0));
        let mut both = long.map(|v| v + 7.0);
        both.as_slice_mut().iter_mut().zip(short.as_slice()).for_each(|(a, b)| *a += b);
        let k = both.k_fundamental();
        for (band, kept) in [([0.5 * k, 2.0 * k], &long), ([4.0 * k, 6.0 * k], &short)] {
            let filtered = band_pass(&both, band);
            let most = filtered.as_slice().iter().zip(kept.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(most < 1e-5, "{most} off");
        }
    }
}

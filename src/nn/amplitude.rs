//! How far a painted map departs from the expected one, so that it has the power that
//! it should have.

use crate::field::Grid;
use crate::stats::power_spectrum;

/// Amplitudes at which a map's power is measured; between them it is a parabola.
const MEASURED: [f64; 3] = [0.6, 1.0, 1.6];
/// What the amplitude is sought between, and how finely.
const RANGE: [f64; 2] = [0.5, 2.0];
const FINENESS: f64 = 1e-3;
/// Wavenumbers up to which power counts, h/Mpc.
const K_MAX: f64 = 10.0;

/// The amplitude of the departures with which a `map` has `mean_power`, shell by shell, the
/// mean over all draws: least squares over the shells up to 10 h/Mpc.
///
/// In a box of 25 Mpc/h a few heavy haloes hold most of the power, and by how much chance makes
/// them depart changes it by a sixth, from one seed to another. The mean over all draws is
/// the best that can be said of the power of a truth whose draw nobody knows, and it is told
/// by the expected map ([`Haloes::mean_power`](super::Haloes::mean_power)) within 2 %. So
/// a map is painted as chance will have it, and its departures are scaled as a whole.
pub fn amplitude(map: impl Fn(f64) -> Grid, mean_power: &[f64]) -> f64 {
    let measured = MEASURED.map(|amplitude| power_spectrum(&map(amplitude), None));
    let [first, ..] = &measured;
    let shells = first.shells_up_to(K_MAX).min(mean_power.len());
    let [a, b, c] = MEASURED;
    let off = |x: f64| {
        let weights = [
            (x - b) * (x - c) / ((a - b) * (a - c)),
            (x - a) * (x - c) / ((b - a) * (b - c)),
            (x - a) * (x - b) / ((c - a) * (c - b)),
        ];
        let ratio = |shell: usize| {
            let power: f64 = weights.iter().zip(&measured).map(|(w, spectrum)| w * spectrum.power[shell]).sum();
            power / mean_power[shell]
        };
        (0..shells).filter(|&shell| mean_power[shell] > 0.0).map(|shell| (ratio(shell) - 1.0).powi(2)).sum::<f64>()
    };
    least(off, RANGE, FINENESS)
}

/// Where in `[from, to]` a function with one minimum is least, by golden sections.
fn least(f: impl Fn(f64) -> f64, [mut from, mut to]: [f64; 2], fineness: f64) -> f64 {
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (to - golden * (to - from), from + golden * (to - from));
    let (mut at_low, mut at_high) = (f(low), f(high));
    while to - from > fineness {
        if at_low < at_high {
            (to, high, at_high) = (high, low, at_low);
            low = to - golden * (to - from);
            at_low = f(low);
        } else {
            (from, low, at_low) = (low, high, at_high);
            high = from + golden * (to - from);
            at_high = f(high);
        }
    }
    0.5 * (from + to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stitch::{Stream, fill_normal};

    #[test]
    fn golden_sections_find_a_minimum_within_and_at_the_edges() {
        for (minimum, found) in [(0.87, 0.87), (0.2, 0.5), (3.0, 2.0)] {
            let at = least(|x| (x - minimum).powi(2), RANGE, FINENESS);
            assert!((at - found).abs() < FINENESS, "{at} for {minimum}");
        }
    }

    #[test]
    fn a_map_has_the_power_it_should_have() {
        let field = |seed: u64| {
            let mut grid = Grid::zeros(16, 25.0);
            fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
            grid
        };
        // Departures of a map that are a fifth too large to give it its power.
        let (expected, departures) = (field(1), field(2));
        let map = |amplitude: f64| {
            let mut map = expected.clone();
            map.values.zip_mut_with(&departures.values, |t, d| *t += amplitude as f32 * d);
            map
        };
        let wanted = power_spectrum(&map(1.0 / 1.2), None).power;
        assert!((amplitude(map, &wanted) * 1.2 - 1.0).abs() < 0.002);
    }
}

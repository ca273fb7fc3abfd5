//! The cheapest way to a 21 cm map: the dark matter, its amplitude rescaled.

use crate::error::Result;
use crate::field::{Grid, RealFft3, fft_shell};
use crate::stats::power_spectrum;

/// The dark matter of a box, every mode multiplied so that training boxes get the
/// 21 cm power they have on average (as GPemu does for matter; Sharma et al.
/// 2025). It has the right power by construction, negative temperatures, and the
/// dark matter's phases.
#[derive(Debug, Clone)]
pub struct Rescaling {
    n: usize,
    box_size: f64,
    /// Amplitude per shell, mK.
    amplitude: Vec<f64>,
    /// Mean temperature, mK.
    mean: f64,
}

impl Rescaling {
    /// Fit to training boxes: pairs of `1 + δ` and 21 cm map in mK. `None` where
    /// there are none.
    ///
    /// # Errors
    /// Those of getting a box.
    pub fn fit(boxes: impl Iterator<Item = Result<(Grid, Grid)>>) -> Result<Option<Self>> {
        let mut fitted: Option<(Self, Vec<f64>, usize)> = None;
        for pair in boxes {
            let (matter, hydrogen) = pair?;
            let (of_matter, of_hydrogen) = (power_spectrum(&matter, None).power, power_spectrum(&hydrogen, None).power);
            let (sum, matter_power, count) = fitted.get_or_insert_with(|| {
                let shells = of_matter.len();
                let (n, box_size) = (matter.n(), matter.box_size);
                (Self { n, box_size, amplitude: vec![0.0; shells], mean: 0.0 }, vec![0.0; shells], 0)
            });
            sum.amplitude.iter_mut().zip(of_hydrogen).for_each(|(sum, p)| *sum += p);
            matter_power.iter_mut().zip(of_matter).for_each(|(sum, p)| *sum += p);
            sum.mean += hydrogen.mean();
            *count += 1;
        }
        Ok(fitted.map(|(mut rescaling, matter, count)| {
            rescaling.amplitude.iter_mut().zip(matter).for_each(|(a, m)| *a = (*a / m).sqrt());
            rescaling.mean /= count as f64;
            rescaling
        }))
    }

    /// The rescaled dark matter `1 + δ`, mK; `None` for a box of another grid.
    pub fn apply(&self, matter: &Grid) -> Option<Grid> {
        let n = self.n;
        if matter.n() != n || (matter.box_size / self.box_size - 1.0).abs() > 1e-4 {
            return None;
        }
        let plan = RealFft3::new(n);
        let mut transform = plan.forward(&matter.values);
        for ((x, y, z), value) in transform.indexed_iter_mut() {
            // Shells are numbered from one fundamental mode on.
            let amplitude = fft_shell([x, y, z], n).checked_sub(1).and_then(|shell| self.amplitude.get(shell)).copied();
            *value *= (amplitude.unwrap_or(0.0) / n.pow(3) as f64) as f32;
        }
        let values = plan.inverse(transform);
        Some(Grid { values, box_size: matter.box_size }.map(|v| v + self.mean as f32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Stream, fill_normal};

    #[test]
    fn the_training_box_itself_gets_its_power_and_mean() {
        let field = |seed: u64, scale: f32| {
            let mut grid = Grid::zeros(16, 25.0);
            fill_normal(grid.as_slice_mut(), seed, Stream::Latent);
            grid.map(|v| scale * v.exp())
        };
        let (matter, hydrogen) = (field(1, 1.0), field(2, 3.0));
        let rescaling = Rescaling::fit([Ok((matter.clone(), hydrogen.clone()))].into_iter()).unwrap().unwrap();
        let map = rescaling.apply(&matter).unwrap();
        assert!((map.mean() / hydrogen.mean() - 1.0).abs() < 1e-4);
        let (a, b) = (power_spectrum(&map, None), power_spectrum(&hydrogen, None));
        for shell in 0..a.complete_shells() {
            assert!((a.power[shell] / b.power[shell] - 1.0).abs() < 1e-3, "shell {shell}");
        }
        assert!(rescaling.apply(&Grid::zeros(8, 25.0)).is_none());
        assert!(Rescaling::fit(std::iter::empty()).unwrap().is_none());
    }
}

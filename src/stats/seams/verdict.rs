//! What the figures come to, in a sentence.

use serde::Serialize;

use super::significance::of_the_largest;
use super::{Figure, SIGNIFICANT, Seams, Statistic};

/// Whether there is a seam.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether one was found.
    pub found: bool,
    /// Significance of what stands out most, in standard deviations, after all trials.
    pub z: f64,
    /// A sentence with its number.
    pub sentence: String,
}

impl Seams {
    /// What the figures come to, where `lattices` were tried.
    pub fn verdict(&self, lattices: f64) -> Verdict {
        let jump = self.figure(Statistic::Jump).expect("every map has jumps");
        // A lattice that was searched for has its trials behind it; one at the corner of the box has
        // those of the figures alone. Each way may raise half of the false alarms.
        let largest = self.figures.iter().max_by(|a, b| a.significance().total_cmp(&b.significance())).unwrap_or(jump);
        let searched = of_the_largest(self.search.after_trials, 2.0 * lattices);
        let at_corner = self.offset == [0; 3];
        let here = of_the_largest(largest.significance(), 2.0 * lattices * self.figures.len() as f64);
        let z = if at_corner { here.max(searched) } else { searched };
        let found = z >= SIGNIFICANT;
        let place = match self.offset {
            [0, 0, 0] => String::new(),
            [x, y, z] => format!(", its first faces at voxels {x}, {y} and {z}"),
        };
        let lattice = format!("tiles of {} voxels{place}", self.tile);
        let sentence = if found {
            format!("Seam found on {lattice}: {} ({:.1} σ).", self.describe(largest), largest.z.abs())
        } else {
            format!(
                "No seam found on {lattice}: {:.3} ± {:.3} is the squared jump across faces over that elsewhere \
                 ({:.1} σ), and the largest of {} figures is {:.1} σ.",
                jump.value,
                jump.error,
                jump.z,
                self.figures.len(),
                largest.significance()
            )
        };
        Verdict { found, z, sentence }
    }

    /// A figure as a clause.
    fn describe(&self, figure: &Figure) -> String {
        let Figure { value, error, within, .. } = *figure;
        let more = if value > 0.0 { "higher" } else { "lower" };
        match figure.statistic {
            Statistic::Jump => format!("the squared jump across faces is {value:.3} ± {error:.3} of that elsewhere"),
            Statistic::Step => {
                format!("across a face the map steps by {value:.4} ± {error:.4} deviations{}", self.in_units(value))
            }
            Statistic::TileStep => {
                format!("from tile to tile the map steps by {value:.4} ± {error:.4} deviations{}", self.in_units(value))
            }
            Statistic::Mean => format!(
                "within {within} voxels of a face the map is {more} by {:.4} ± {error:.4} deviations{}",
                value.abs(),
                self.in_units(value.abs())
            ),
            Statistic::Variance => {
                format!("within {within} voxels of a face the variance is {value:.3} ± {error:.3} of that elsewhere")
            }
            Statistic::Residual => format!(
                "within {within} voxels of a face the squared residual is {value:.3} ± {error:.3} of that elsewhere"
            ),
        }
    }

    /// Deviations as a part of the map's value, where it is positive.
    fn in_units(&self, deviations: f64) -> String {
        match self.deviation.relative {
            Some(relative) if relative > 0.0 => {
                format!(", {:.2} % of its value", 100.0 * (deviations * relative).exp_m1())
            }
            _ => String::new(),
        }
    }
}

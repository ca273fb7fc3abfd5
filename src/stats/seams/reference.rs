//! A stitched map against another of the same box: the truth, or the network run once on the
//! whole box with the same noise.

use serde::Serialize;

use super::comb::Comb;
use super::planes::planes;
use super::significance::of_student;
use super::{Figure, Statistic, check, logarithm, normal_scores, series};
use crate::error::Result;
use crate::field::Grid;
use crate::stats::{CrossSpectrum, cross_spectrum};

/// How a map agrees with another, everywhere and near the faces of a lattice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// Mean wavenumber per shell, h/Mpc, up to Nyquist.
    pub k: Vec<f64>,
    /// Power over that of the other map.
    pub power_ratio: Vec<f64>,
    /// Cross-correlation coefficient.
    pub correlation: Vec<f64>,
    /// Squared residual near faces.
    pub residual: Figure,
    /// Spectra by distance to the nearest face, nearest first.
    pub near_faces: Vec<NearFaces>,
}

/// Spectra of the voxels at some distance from the nearest face of the lattice, of normal
/// scores, over the mean of the same at fictitious lattices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearFaces {
    /// Distances in voxels, from and below.
    pub distance: [usize; 2],
    /// Power of the residual over that of the fictitious lattices, per shell.
    pub residual: Vec<f64>,
    /// How that of a fictitious lattice scatters.
    pub scatter: Vec<f64>,
    /// Cross-correlation coefficient less that of the fictitious lattices, per shell.
    pub correlation: Vec<f64>,
    /// Standard deviations by which the residual's power, mean of the logarithm over shells, departs
    /// from that of the fictitious lattices.
    pub z: f64,
    /// The same of the cross-correlation coefficient, mean over shells.
    pub z_correlation: f64,
}

/// Fictitious lattices that spectra are compared with: quarters of a tile off along each axis,
/// so that all faces are far from the real ones and few are shared.
const FICTITIOUS: [[usize; 3]; 9] =
    [[2, 2, 2], [1, 1, 3], [3, 3, 1], [1, 2, 1], [2, 3, 3], [3, 1, 2], [1, 3, 2], [2, 1, 1], [3, 2, 3]];

impl Against {
    /// `map` against `other` on a lattice of `tile` whose first faces lie at `offset`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where the two have different grids, and as
    /// [`Seams::new`](super::Seams::new).
    pub fn new(map: &Grid, other: &Grid, tile: usize, offset: [usize; 3]) -> Result<Self> {
        check(map.n(), tile)?;
        let spectra = cross_spectrum([map, other], [None, None])?;
        let shells = spectra.first.complete_shells();
        let ratio = spectra.transfer().into_iter().map(|t| t * t).take(shells).collect();
        let scores = [normal_scores(map)?, normal_scores(other)?];
        let residual = scores[0].minus(&scores[1]);
        let comb = Comb::new(series(&planes(&residual, tile), |p| logarithm(p.square)), tile);
        let moved = |quarters: [usize; 3]| std::array::from_fn(|i| (offset[i] + quarters[i] * tile / 4) % tile);
        let places: Vec<[usize; 3]> = std::iter::once(offset).chain(FICTITIOUS.map(moved)).collect();
        let near_faces = shells_of_distance(tile)
            .into_iter()
            .map(|distance| {
                let spectra: Result<Vec<Masked>> =
                    places.iter().map(|&place| Masked::new(&scores, distance, tile, place)).collect();
                Ok(NearFaces::new(distance, &spectra?))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            k: spectra.first.k[..shells].to_vec(),
            power_ratio: ratio,
            correlation: spectra.correlation().into_iter().take(shells).collect(),
            residual: Figure::near(Statistic::Residual, &comb, offset, tile),
            near_faces,
        })
    }
}

/// Distances to the nearest face, in voxels, that spectra are taken over.
fn shells_of_distance(tile: usize) -> Vec<[usize; 2]> {
    let edges = [0, (tile / 16).max(1), tile / 8, tile / 4, tile / 2];
    edges.windows(2).map(|e| [e[0], e[1]]).filter(|[from, below]| from < below).collect()
}

/// Spectra of voxels at one distance from the faces of one lattice.
struct Masked {
    residual: Vec<f64>,
    correlation: Vec<f64>,
}

impl Masked {
    fn new(scores: &[Grid; 2], [from, below]: [usize; 2], tile: usize, offset: [usize; 3]) -> Result<Self> {
        let n = scores[0].n();
        let place = |i: usize, axis: usize| {
            let place = (i + tile - offset[axis]) % tile;
            place.min(tile - 1 - place)
        };
        let near: [Vec<usize>; 3] = std::array::from_fn(|axis| (0..n).map(|i| place(i, axis)).collect());
        let mask = |field: &Grid| {
            let mut kept = field.clone();
            for (x, mut plane) in kept.values.outer_iter_mut().enumerate() {
                for ((y, z), value) in plane.indexed_iter_mut() {
                    let distance = near[0][x].min(near[1][y]).min(near[2][z]);
                    if !(from..below).contains(&distance) {
                        *value = 0.0;
                    }
                }
            }
            kept
        };
        let [a, b] = scores.each_ref().map(mask);
        let spectra = cross_spectrum([&a, &b], [None, None])?;
        let shells = spectra.first.complete_shells();
        let CrossSpectrum { first, second, cross } = &spectra;
        Ok(Self {
            residual: (0..shells).map(|i| first.power[i] + second.power[i] - 2.0 * cross[i]).collect(),
            correlation: spectra.correlation().into_iter().take(shells).collect(),
        })
    }
}

impl NearFaces {
    /// From the spectra of the real lattice, which is the first, and of the fictitious ones.
    fn new(distance: [usize; 2], spectra: &[Masked]) -> Self {
        let (real, others) = spectra.split_first().expect("the real lattice");
        let count = others.len() as f64;
        let mean = |values: &dyn Fn(&Masked) -> f64| others.iter().map(values).sum::<f64>() / count;
        let spread = |values: &dyn Fn(&Masked) -> f64| {
            let middle = mean(values);
            (others.iter().map(|m| (values(m) - middle).powi(2)).sum::<f64>() / (count - 1.0)).sqrt()
        };
        // A new draw departs from the mean of others by a little more than they do.
        let z = |values: &dyn Fn(&Masked) -> f64| {
            let scatter = spread(values) * (1.0 + 1.0 / count).sqrt();
            if scatter > 0.0 { of_student((values(real) - mean(values)) / scatter, count - 1.0) } else { 0.0 }
        };
        let shells = real.residual.len();
        let each = |of: &dyn Fn(usize) -> f64| (0..shells).map(of).collect::<Vec<f64>>();
        let over_shells = |of: fn(&Masked, usize) -> f64| {
            move |m: &Masked| {
                let values = (0..m.residual.len()).map(|i| of(m, i)).filter(|v| v.is_finite());
                values.clone().sum::<f64>() / values.count().max(1) as f64
            }
        };
        Self {
            distance,
            residual: each(&|i| real.residual[i] / mean(&|m| m.residual[i])),
            scatter: each(&|i| spread(&|m| m.residual[i]) / mean(&|m| m.residual[i])),
            correlation: each(&|i| real.correlation[i] - mean(&|m| m.correlation[i])),
            z: z(&over_shells(|m, i| m.residual[i].ln())),
            z_correlation: z(&over_shells(|m, i| m.correlation[i])),
        }
    }
}

//! Seams: what a map shows of the tiles it was made of.
//!
//! A map painted tile by tile may differ where tiles meet. The box is periodic, `n` voxels an
//! axis, and the lattice has its faces `tile` voxels apart; a face lies between two planes of
//! voxels. What is measured, per plane across x, y and z and then of all planes at faces
//! against all others, is
//!
//! * the **squared jump** from each voxel to the next across the plane, over that elsewhere: the
//!   blocking effect factor of image coding (Yim & Bovik 2011, IEEE Trans. Image Process. 20, 88),
//!   as a ratio;
//! * the **step**, the mean jump with its sign, and the **step from tile to tile**, the root
//!   mean square of each tile face's mean jump less what faces inside tiles have: tiles that are
//!   brighter or darker than their neighbours;
//! * the **mean** and the **variance** within a few voxels of a face, against those farther away;
//! * with another map of the same box, the **residual** between the two in the same way
//!   ([`Against`]), and its spectra by distance to the nearest face;
//! * the **comb**: whether the modes at multiples of 2π/tile (and of 2π/stride) hold more than
//!   the modes between them, as Wang, Bovik & Evans (2000, IEEE ICIP) find blocks in coded images.
//!
//! Two hundred bright voxels would rule all of these in a 21 cm map, and its empty voxels all
//! of their logarithms. So they are taken of **normal scores**: every voxel's value is replaced by
//! the standard normal of its rank. That stabilises the variance of any map, of temperature, its
//! root or its logarithm alike (the scores are the same), and leaves a Gaussian field as it is.
//! In a map that is nowhere negative, voxels below a tenth of the mean count as empty and equal: networks
//! leave 10⁻⁸ mK in voids, and ranks would make as much of it as of haloes. Steps are in deviations
//! therefore, and [`Scale`] says what one is in the map's unit. Jumps and variances of planes enter as
//! logarithms, which are closer to normal.
//!
//! **Significance.** Planes of one box are not independent, and a box has few faces. But a
//! lattice of period `tile` shows in the Fourier modes `j · n / tile` of a series of planes alone,
//! and the modes between them say how large those are without a seam (module `comb`). Every figure is
//! a matched filter for its pattern, weighted by the inverse of that power, and its z-score is that of
//! Student's distribution. The same filter at fictitious lattices, the faces elsewhere, is the
//! check: half a tile off, and the scatter over all offsets, which is 1 where scores are right.
//! Where the largest of several figures or offsets is reported, it is reported as what is left
//! of it after as many trials.

mod comb;
mod planes;
mod reference;
mod scores;
mod significance;
mod verdict;

use serde::Serialize;

use comb::{Amplitude, Comb};
use planes::{Plane, planes};
pub use reference::{Against, NearFaces};
pub use scores::normal_scores;
use scores::responses;
use significance::of_the_largest;
pub use verdict::Verdict;

use crate::error::{Error, Result};
use crate::field::Grid;

/// Standard deviations that a seam must show after all trials to be called one.
pub const SIGNIFICANT: f64 = 3.0;

/// What is measured at faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// Squared jump across faces, over that elsewhere.
    Jump,
    /// Mean jump across faces, in deviations of the map.
    Step,
    /// Root mean square step from tile to tile, in deviations of the map.
    TileStep,
    /// Mean within [`Figure::within`] voxels of a face less that farther away, in deviations.
    Mean,
    /// Variance within [`Figure::within`] voxels of a face, over that farther away.
    Variance,
    /// Squared residual within [`Figure::within`] voxels of a face, over that farther away.
    Residual,
}

impl Statistic {
    /// What it is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jump => "Squared jump, over that elsewhere",
            Self::Step => "Step across faces",
            Self::TileStep => "Step from tile to tile, rms",
            Self::Mean => "Mean near faces, less that elsewhere",
            Self::Variance => "Variance near faces, over that elsewhere",
            Self::Residual => "Squared residual near faces, over that elsewhere",
        }
    }
}

/// A statistic at the faces of the lattice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    pub statistic: Statistic,
    /// Voxels on either side of a face that count as near; 0 for what lies across it.
    pub within: usize,
    /// Its value, axes together.
    pub value: f64,
    /// Standard error.
    pub error: f64,
    /// Standard deviations from the value of a map without seams, where several widths were
    /// tried after as many trials.
    pub z: f64,
    /// The same along x, y and z.
    pub axes: [f64; 3],
    /// The same of the fictitious lattice half a tile off.
    pub half_a_tile_off: f64,
    /// Root mean square of it over all fictitious lattices.
    pub fictitious: f64,
    /// Standard deviations by which all modes of the lattice exceed those between them (the
    /// comb test), whatever the pattern and its place.
    pub comb: f64,
    /// The same of the modes of a lattice with faces twice as close: a stride of half a tile.
    pub comb_of_half: f64,
}

/// The jump across the planes at an offset from the lattice's, modulo the tile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtOffset {
    /// Mean squared jump over that of all planes of the axis.
    pub ratio: f64,
    /// How the mean of as many planes inside tiles scatters.
    pub scatter: f64,
    /// What the planes have beyond their surroundings, over that mean.
    pub excess: f64,
    /// Standard error of that.
    pub error: f64,
}

/// Voxels at a distance from the nearest face across an axis; axes together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtDistance {
    /// Distance of the voxel's centre from the face, in voxels.
    pub voxels: f64,
    /// Mean of the normal scores, less that of the box.
    pub mean: f64,
    /// Their variance over that of the box.
    pub variance: f64,
    /// Standard errors of both, by the scatter of planes.
    pub errors: [f64; 2],
}

/// An axis-aligned mode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mode {
    /// Wavenumber along the axis, h/Mpc.
    pub k: f64,
    /// Whether it is a multiple of 2π/tile.
    pub of_the_lattice: bool,
    /// Power of the mode in the squared jump, over what is expected of it.
    pub jump: f64,
    /// Power of the mode in the map, over what is expected of it.
    pub map: f64,
}

/// What a step of one deviation stands for, to first order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scale {
    /// A change of all voxels that are not empty, in the map's unit.
    pub value: f64,
    /// A change of their natural logarithm; `None` for a map with negative values.
    pub relative: Option<f64>,
}

/// The best place for a lattice's faces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Search {
    /// Along which axis.
    pub axis: usize,
    /// Voxels from the box's corner to the first face.
    pub offset: usize,
    /// What stands out there.
    pub statistic: Statistic,
    /// By how many standard deviations.
    pub z: f64,
    /// What is left of that after as many trials as places were searched.
    pub after_trials: f64,
}

/// The seams of a map on a lattice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seams {
    /// Voxels an axis of the map.
    pub n: usize,
    /// Comoving side of the box, Mpc/h.
    pub box_size: f64,
    /// Voxels an axis of a tile.
    pub tile: usize,
    /// Voxels from the box's corner to the lattice's first faces: 0, unless another place stands out.
    pub offset: [usize; 3],
    /// Whether the box is periodic; where it is not, its own faces are left out.
    pub periodic: bool,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Jumps by offset from the corner of the box modulo the tile, along each axis.
    pub jumps: [Vec<AtOffset>; 3],
    /// Mean and variance by distance to a face.
    pub distances: Vec<AtDistance>,
    /// Axis-aligned modes.
    pub modes: Vec<Mode>,
    /// Where a lattice of that period would fit best.
    pub search: Search,
    /// The step from tile to tile that would have been found at three standard deviations.
    pub smallest_step: f64,
    /// What a deviation is in the map's unit.
    pub deviation: Scale,
}

/// What a series is made of: a number of every plane.
fn series(planes: &[Vec<Plane>; 3], of: impl Fn(&Plane) -> f64) -> [Vec<f64>; 3] {
    planes.each_ref().map(|axis| axis.iter().map(&of).collect())
}

/// The logarithm of a mean square, which may be none.
fn logarithm(square: f64) -> f64 {
    square.max(1e-30).ln()
}

/// One at the face alone.
fn face(tile: usize) -> Vec<f64> {
    let mut pattern = vec![0.0; tile];
    pattern[0] = 1.0;
    pattern
}

/// One within `within` voxels of the face before place 0.
fn band(tile: usize, within: usize) -> Vec<f64> {
    (0..tile).map(|i| f64::from(u8::from(i.min(tile - 1 - i) < within))).collect()
}

/// Distances to a face that count as near.
fn widths(tile: usize) -> Vec<usize> {
    let mut widths = vec![1, tile / 8, tile / 4];
    widths.retain(|&w| w > 0);
    widths.dedup();
    widths
}

/// The lattices that a map of `n³` voxels may have, smallest tiles first: divisors of `n` from
/// 4 voxels to half the box.
pub fn lattices(n: usize) -> Vec<usize> {
    (4..=n / 2).filter(|&tile| n.is_multiple_of(tile)).collect()
}

impl Figure {
    /// From the amplitude of a pattern in a series; `value` makes the figure of it.
    fn new(
        statistic: Statistic,
        comb: &Comb,
        (pattern, within, trials): (&[f64], usize, f64),
        offset: [usize; 3],
        value: impl Fn(f64) -> f64,
    ) -> Self {
        let tile = pattern.len();
        let moved = |by: usize| comb.together(pattern, offset.map(|o| (o + by) % tile)).z;
        let here = comb.together(pattern, offset);
        let fictitious = (1..tile).map(|by| moved(by).powi(2)).sum::<f64>() / (tile - 1) as f64;
        let error = (value(here.value + here.error) - value(here.value - here.error)) / 2.0;
        Self {
            statistic,
            within,
            value: value(here.value),
            error,
            z: of_the_largest(here.z, trials),
            axes: std::array::from_fn(|axis| comb.amplitude(axis, pattern, offset[axis]).z),
            half_a_tile_off: moved(tile / 2),
            fictitious: fictitious.sqrt(),
            comb: comb.excess(1),
            comb_of_half: comb.excess(2),
        }
    }

    /// The most significant of the widths near a face: a difference of means, or a ratio.
    fn near(statistic: Statistic, comb: &Comb, offset: [usize; 3], tile: usize) -> Self {
        let widths = widths(tile);
        let trials = widths.len() as f64;
        let figures = widths.into_iter().map(|within| {
            let value = |amplitude: f64| match statistic {
                Statistic::Mean => amplitude,
                _ => amplitude.exp(),
            };
            Self::new(statistic, comb, (&band(tile, within), within, trials), offset, value)
        });
        figures.max_by(|a, b| a.z.abs().total_cmp(&b.z.abs())).expect("one width at least")
    }

    /// What speaks for a seam: a step from tile to tile that is less than none does not.
    fn significance(&self) -> f64 {
        if self.statistic == Statistic::TileStep { self.z.max(0.0) } else { self.z.abs() }
    }
}

impl Seams {
    /// Of `map` on a lattice of tiles of `tile³` voxels. Where its faces do not lie at multiples of
    /// `tile`, it is found out where they lie.
    ///
    /// # Errors
    /// [`Error::Setting`] where tiles of that side do not divide the map into at least two an axis,
    /// or the map is the same everywhere; [`Error::NotFinite`] for a map with no numbers in it.
    pub fn new(map: &Grid, tile: usize) -> Result<Self> {
        Self::from_scores(&normal_scores(map)?, map, tile)
    }

    /// The same, where the [normal scores](normal_scores) of the map are at hand.
    ///
    /// # Errors
    /// [`Error::Setting`] where tiles of that side do not divide the map into at least two an axis.
    pub fn from_scores(scores: &Grid, map: &Grid, tile: usize) -> Result<Self> {
        check(map.n(), tile)?;
        Ok(Self::of_scores(scores, map, tile))
    }

    /// Of `map` on the lattice, of all that divide it, that shows most. Its
    /// significance is what is left of it after as many trials.
    ///
    /// # Errors
    /// As [`Seams::new`].
    pub fn on_any_lattice(map: &Grid) -> Result<(Self, Verdict)> {
        let all = lattices(map.n());
        check(map.n(), all.last().copied().unwrap_or(0))?;
        let scores = normal_scores(map)?;
        let judged = all.iter().map(|&tile| {
            let seams = Self::of_scores(&scores, map, tile);
            let verdict = seams.verdict(all.len() as f64);
            (seams, verdict)
        });
        Ok(judged.max_by(|a, b| a.1.z.total_cmp(&b.1.z)).expect("a lattice at least"))
    }

    fn of_scores(scores: &Grid, map: &Grid, tile: usize) -> Self {
        let n = scores.n();
        let mut found = planes(scores, tile);
        let periodic = found.each_mut().map(|planes| leave_out_open_faces(planes)) == [true; 3];
        let comb = |of: fn(&Plane) -> f64| Comb::new(series(&found, of), tile);
        let (jump, step) = (comb(|p| logarithm(p.jump)), comb(|p| p.step));
        let tile_step = comb(|p| logarithm(p.face_step));
        let (level, variance) = (comb(|p| p.mean), comb(|p| logarithm(p.square)));
        let face = face(tile);
        let across = [(Statistic::Jump, &jump), (Statistic::Step, &step), (Statistic::TileStep, &tile_step)];
        // Two or three planes are too few to tell a seam from a plane that is unlike others for
        // reasons of its own: there the corner alone counts.
        let offsets = if n / tile >= 4 { tile } else { 1 };
        let places = (0..3).flat_map(|axis| (0..offsets).map(move |offset| (axis, offset)));
        let strongest = |statistic: Statistic, amplitude: Amplitude| match statistic {
            Statistic::TileStep => amplitude.z.max(0.0),
            _ => amplitude.z.abs(),
        };
        let trials = (3 * offsets * across.len()) as f64;
        let search = places
            .flat_map(|(axis, offset)| across.map(|(statistic, comb)| (axis, offset, statistic, comb)))
            .map(|(axis, offset, statistic, comb)| {
                let z = strongest(statistic, comb.amplitude(axis, &face, offset));
                Search { axis, offset, statistic, z, after_trials: of_the_largest(z, trials) }
            })
            .max_by(|a, b| a.z.total_cmp(&b.z))
            .expect("three axes");
        // Another place than the corner of the box must stand out on its own.
        let best = |axis: usize| {
            let z = |offset: usize| {
                let each = across.map(|(statistic, comb)| strongest(statistic, comb.amplitude(axis, &face, offset)));
                each.into_iter().fold(0.0, f64::max)
            };
            let best = (0..offsets).max_by(|&a, &b| z(a).total_cmp(&z(b))).unwrap_or(0);
            let left = of_the_largest(z(best), trials);
            if left >= SIGNIFICANT && left > z(0) { best } else { 0 }
        };
        let offset = [0, 1, 2].map(best);
        let alone = (face.as_slice(), 0, 1.0);
        // Beyond the mean squared step that faces inside tiles have.
        let root = |amplitude: f64| {
            let inside = (tile_step.mean - amplitude / tile as f64).exp();
            (amplitude.exp_m1().abs() * inside).sqrt().copysign(amplitude)
        };
        let figures = vec![
            Figure::new(Statistic::Jump, &jump, alone, offset, f64::exp),
            Figure::new(Statistic::Step, &step, alone, offset, |a| a),
            Figure::new(Statistic::TileStep, &tile_step, alone, offset, root),
            Figure::near(Statistic::Mean, &level, offset, tile),
            Figure::near(Statistic::Variance, &variance, offset, tile),
        ];
        let smallest_step = root(SIGNIFICANT * tile_step.together(&face, offset).error);
        Self {
            n,
            box_size: map.box_size,
            tile,
            offset,
            periodic,
            figures,
            jumps: std::array::from_fn(|axis| by_offset(&found[axis], &jump, axis, tile)),
            distances: by_distance(&found, offset, tile),
            modes: modes(&jump, &level, map, tile),
            search,
            smallest_step,
            deviation: Scale::of(map),
        }
    }

    /// A statistic's figure.
    pub fn figure(&self, statistic: Statistic) -> Option<&Figure> {
        self.figures.iter().find(|f| f.statistic == statistic)
    }
}

/// The mean squared jump of normal scores across planes within half a tile of the face before plane
/// `plane` of an axis, over the square of the tile's face that `place` lies behind: pairs of an
/// offset from the face in voxels, and the jump there.
pub fn jump_across(scores: &Grid, (axis, plane): (usize, usize), tile: usize, place: [usize; 3]) -> Vec<[f64; 2]> {
    let n = scores.n();
    let [u, v] = [[1, 2], [0, 2], [0, 1]][axis];
    let first = [u, v].map(|other: usize| place[other] / tile * tile);
    let half = (tile / 2) as i64;
    (-half..=half)
        .map(|offset| {
            let at = (plane as i64 + offset).rem_euclid(n as i64) as usize;
            let mut sum = 0.0;
            for i in 0..tile * tile {
                let mut voxel = [0; 3];
                (voxel[u], voxel[v]) = ((first[0] + i / tile) % n, (first[1] + i % tile) % n);
                let value = |at: usize| {
                    let mut voxel = voxel;
                    voxel[axis] = at;
                    f64::from(scores.values[voxel])
                };
                sum += (value(at) - value((at + n - 1) % n)).powi(2);
            }
            [offset as f64, sum / (tile * tile) as f64]
        })
        .collect()
}

/// Refuse what is no lattice of the box.
fn check(n: usize, tile: usize) -> Result<()> {
    if tile >= 2 && n.is_multiple_of(tile) && n / tile >= 2 {
        return Ok(());
    }
    let all: Vec<String> = lattices(n).iter().map(ToString::to_string).collect();
    if all.is_empty() {
        return Err(Error::setting(
            format!("a map of {n}³ voxels"),
            "one that tiles of at least 4 voxels divide, two or more an axis",
            "Give a larger map",
        ));
    }
    Err(Error::setting(
        format!("tiles of {tile} voxels in a map of {n}³"),
        format!("a side that divides the map into two tiles an axis or more: {}", all.join(", ")),
        "Choose one of them with --tile",
    ))
}

/// The map's two ends are neighbours only in a periodic box. In any other the jump between them
/// is larger than all others, and is left out. Says whether the box is periodic.
fn leave_out_open_faces(planes: &mut [Plane]) -> bool {
    /// Jumps of a field's own from plane to plane differ by less.
    const LARGER: f64 = 1.5;
    let others = planes[1..].iter().map(|p| p.jump).fold(0.0, f64::max);
    if planes[0].jump <= LARGER * others {
        return true;
    }
    let [before, after] = [planes[planes.len() - 1], planes[1]];
    let middle = |a: f64, b: f64| 0.5 * (a + b);
    planes[0].jump = middle(before.jump, after.jump);
    planes[0].step = middle(before.step, after.step);
    planes[0].face_step = middle(before.face_step, after.face_step);
    false
}

fn by_offset(planes: &[Plane], jump: &Comb, axis: usize, tile: usize) -> Vec<AtOffset> {
    let count = (planes.len() / tile) as f64;
    let mean = planes.iter().map(|p| p.jump).sum::<f64>() / planes.len() as f64;
    let inside: Vec<f64> = (0..planes.len()).filter(|i| i % tile != 0).map(|i| planes[i].jump / mean).collect();
    let middle = inside.iter().sum::<f64>() / inside.len() as f64;
    let scatter = (inside.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / inside.len() as f64 / count).sqrt();
    (0..tile)
        .map(|offset| {
            let Amplitude { value, error, .. } = jump.amplitude(axis, &face(tile), offset);
            let ratio = planes.iter().skip(offset).step_by(tile).map(|p| p.jump).sum::<f64>() / count / mean;
            AtOffset { ratio, scatter, excess: value.exp_m1(), error: error * value.exp() }
        })
        .collect()
}

fn by_distance(planes: &[Vec<Plane>; 3], offset: [usize; 3], tile: usize) -> Vec<AtDistance> {
    let all = || planes.iter().flatten();
    let count = all().count() as f64;
    let variance = all().map(|p| p.square).sum::<f64>() / count;
    let spread = |of: fn(&Plane) -> f64| {
        let mean = all().map(of).sum::<f64>() / count;
        (all().map(|p| (of(p) - mean).powi(2)).sum::<f64>() / count).sqrt()
    };
    let [of_mean, of_square] = [spread(|p| p.mean), spread(|p| p.square)];
    let middle = all().map(|p| p.mean).sum::<f64>() / count;
    (0..tile.div_ceil(2))
        .map(|distance| {
            let near: Vec<&Plane> = (0..3)
                .flat_map(|axis| planes[axis].iter().enumerate().map(move |(i, plane)| (axis, i, plane)))
                .filter(|&(axis, i, _)| {
                    let place = (i + tile - offset[axis]) % tile;
                    place.min(tile - 1 - place) == distance
                })
                .map(|(.., plane)| plane)
                .collect();
            let count = near.len() as f64;
            let mean = |of: fn(&Plane) -> f64| near.iter().map(|p| of(p)).sum::<f64>() / count;
            AtDistance {
                voxels: distance as f64 + 0.5,
                mean: mean(|p| p.mean) - middle,
                variance: mean(|p| p.square) / variance,
                errors: [of_mean, of_square / variance].map(|spread| spread / count.sqrt()),
            }
        })
        .collect()
}

fn modes(jump: &Comb, level: &Comb, map: &Grid, tile: usize) -> Vec<Mode> {
    let tiles = map.n() / tile;
    let both = jump.spectrum().into_iter().zip(level.spectrum());
    both.enumerate()
        .map(|(i, (jump, map_power))| Mode {
            k: (i + 1) as f64 * map.k_fundamental(),
            of_the_lattice: (i + 1) % tiles == 0,
            jump,
            map: map_power,
        })
        .collect()
}

impl Scale {
    fn of(map: &Grid) -> Self {
        let [unit, logarithm] = responses(map);
        Self { value: 1.0 / unit, relative: (logarithm > 0.0).then(|| 1.0 / logarithm) }
    }
}

#[cfg(test)]
mod tests;

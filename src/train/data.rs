//! What the networks learn from: boxes with dark matter, halo maps and 21 cm
//! map, cut into randomly placed and oriented crops.

use std::ops::Range;

use crate::field::{Grid, MassAssignment, assign_mass};
use crate::io::Snapshot;
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::{Frame, HaloFinder, HydrogenModel, find_haloes, halo_mass_maps, paint_hydrogen};
use crate::stitch::{Stream, gather, philox};

/// One simulation box, every field on the same grid.
#[derive(Debug, Clone)]
pub struct TrainingBox {
    /// `1 + δ`.
    pub dark_matter: Grid,
    /// Halo mass density per mass bin, (M☉/h)/(Mpc/h)³.
    pub halo_mass: [Grid; HALO_MASS_BINS],
    /// 21 cm brightness temperature, mK.
    pub brightness_temperature: Grid,
    /// Redshift.
    pub redshift: f64,
}

impl TrainingBox {
    /// Find the haloes of a snapshot, paint HI on them, and put everything on an
    /// `n³` grid.
    pub fn from_snapshot(snapshot: &Snapshot, n: usize, scheme: MassAssignment, model: &HydrogenModel) -> Self {
        let Snapshot { header, dark_matter: particles } = snapshot;
        let box_size = header.box_size;
        let mass = assign_mass(&particles.positions, |i| particles.mass(i), n, box_size, scheme);
        let mean = mass.mean();
        let haloes = find_haloes(particles, box_size, HaloFinder::default());
        let frame = Frame::of(header, n, scheme);
        let painted = paint_hydrogen(&haloes, particles, &frame, model);
        Self {
            dark_matter: mass.map(|v| (f64::from(v) / mean) as f32),
            halo_mass: halo_mass_maps(&haloes, particles, &frame),
            brightness_temperature: painted.brightness_temperature,
            redshift: header.redshift,
        }
    }
}

/// The part of a box that crops are taken from: a slab along x (so that what is
/// held out is a slab too, apart from the first), whole along y and z.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Voxels along x.
    pub x: Range<usize>,
    /// Whether the slab is the whole box and crops may reach over its faces.
    pub periodic: bool,
}

impl Region {
    /// The first `fraction` of the box along x, or the whole box at 1.
    pub fn first(fraction: f64, n: usize) -> Self {
        let end = ((n as f64 * fraction).round() as usize).min(n);
        Self { x: 0..end, periodic: end == n }
    }

    /// A place for a crop of `side³` voxels, from three random words. A crop
    /// never leaves a region that is not the whole box.
    pub fn place(&self, n: usize, side: usize, random: [u32; 3]) -> [usize; 3] {
        let pick = |count: usize, word: u32| ((u64::from(word) * count as u64) >> 32) as usize;
        let along_x = if self.periodic { n } else { self.x.len().saturating_sub(side) + 1 };
        [self.x.start + pick(along_x, random[0]), pick(n, random[1]), pick(n, random[2])]
    }
}

/// One of the 48 symmetries of the cube.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CubeSymmetry(u8);

impl CubeSymmetry {
    const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..48).map(Self)
    }

    /// One of them, from a random word.
    pub fn random(word: u32) -> Self {
        Self(((u64::from(word) * 48) >> 32) as u8)
    }

    /// Apply to a cube of `side³` values in C order.
    pub fn apply(self, cube: &[f32], side: usize) -> Vec<f32> {
        let axes = Self::PERMUTATIONS[usize::from(self.0) % 6];
        let flips = self.0 / 6;
        let mut out = Vec::with_capacity(cube.len());
        for i in 0..side {
            for j in 0..side {
                for k in 0..side {
                    let mut from = [0; 3];
                    for (axis, value) in [i, j, k].into_iter().enumerate() {
                        from[axes[axis]] = if flips >> axis & 1 == 1 { side - 1 - value } else { value };
                    }
                    out.push(cube[(from[0] * side + from[1]) * side + from[2]]);
                }
            }
        }
        out
    }
}

/// Random numbers of a training run: word `index` of draw `draw`.
pub(super) struct Draws {
    seed: u64,
    next: u32,
}

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self { seed, next: 0 }
    }

    /// Four random words.
    pub fn words(&mut self) -> [u32; 4] {
        self.next += 1;
        philox([self.next, 0, 3, 0], [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// A stream of normals of its own.
    pub fn stream(&mut self) -> Stream {
        self.next += 1;
        Stream::Training(self.next)
    }
}

/// The same crop of several fields, moved by the same symmetry, appended to the
/// outputs channel by channel.
pub(super) fn crop(
    fields: &[&[f32]],
    n: usize,
    origin: [usize; 3],
    side: usize,
    symmetry: CubeSymmetry,
    out: &mut Vec<f32>,
) {
    let mut window = Vec::with_capacity(side.pow(3));
    for field in fields {
        window.clear();
        gather(field, n, origin, side, &mut window);
        out.extend(symmetry.apply(&window, side));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_48_symmetries_are_distinct_and_keep_neighbours() {
        let side = 3;
        let cube: Vec<f32> = (0..27).map(|v| v as f32).collect();
        let images: BTreeSet<Vec<u32>> =
            CubeSymmetry::all().map(|s| s.apply(&cube, side).iter().map(|v| v.to_bits()).collect()).collect();
        assert_eq!(images.len(), 48);
        for symmetry in CubeSymmetry::all() {
            let image = symmetry.apply(&cube, side);
            // The centre stays, and its six neighbours stay its neighbours.
            assert_eq!(image[13], 13.0);
            let neighbours: BTreeSet<u32> = [4, 10, 12, 14, 16, 22].iter().map(|&i: &usize| image[i] as u32).collect();
            assert_eq!(neighbours, [4, 10, 12, 14, 16, 22].into());
        }
    }

    #[test]
    fn crops_stay_in_their_region() {
        let region = Region::first(0.75, 64);
        for word in [0, 1 << 20, 1 << 31, u32::MAX] {
            let [x, y, z] = region.place(64, 32, [word; 3]);
            assert!(x + 32 <= 48 && y < 64 && z < 64);
        }
        assert!(Region::first(1.0, 64).periodic);
    }
}

//! What the networks learn from: boxes with dark matter, halo maps and 21 cm
//! map, cut into randomly placed and oriented crops.

use crate::dataset::{Entry, Fields, Train, Validation};
use crate::error::Result;
use crate::field::{Stream, below, philox};
use crate::stitch::gather;

/// A box that networks learn from. There is no way to make one of a test box:
///
/// ```compile_fail
/// let data = halodi::dataset::Dataset::open(std::path::Path::new("cv")).unwrap();
/// halodi::train::TrainingBox::read(&data.test()[0]);
/// ```
#[derive(Debug, Clone)]
pub struct TrainingBox {
    fields: Fields,
}

impl TrainingBox {
    /// Read the box.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn read(entry: &Entry<Train>) -> Result<Self> {
        Ok(Self { fields: Fields::read(&entry.fields())? })
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// A box that networks are selected by.
#[derive(Debug, Clone)]
pub struct ValidationBox {
    fields: Fields,
}

impl ValidationBox {
    /// Read the box.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn read(entry: &Entry<Validation>) -> Result<Self> {
        Ok(Self { fields: Fields::read(&entry.fields())? })
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// What a network learns from, and what it is selected by.
pub(super) struct Split<B> {
    pub train: Vec<B>,
    pub validation: Vec<B>,
}

impl<B> Split<B> {
    /// What is drawn from: boxes to learn from, or, where there are any, to validate on.
    pub fn seen(&self, validating: bool) -> &[B] {
        if validating { self.unseen() } else { &self.train }
    }

    /// Boxes that nothing has learned from, if there are any; otherwise those to learn from.
    pub fn unseen(&self) -> &[B] {
        if self.validation.is_empty() { &self.train } else { &self.validation }
    }
}

/// A field of `n³` voxels with `channels` values each, shape `[channels, n, n, n]`, in C order,
/// on the host.
#[derive(Debug, Clone)]
pub(super) struct ChannelField {
    /// Voxels per axis.
    pub n: usize,
    /// The values.
    pub values: Vec<f32>,
}

impl ChannelField {
    /// Its channels one by one, `n³` values each.
    pub fn each(&self) -> std::slice::Chunks<'_, f32> {
        self.values.chunks(self.n.pow(3))
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
        Self(below(48, word) as u8)
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
    /// The draws of `seed` after the first `next` of them.
    pub fn new(seed: u64, next: u32) -> Self {
        Self { seed, next }
    }

    /// How many have been drawn.
    pub fn position(&self) -> u32 {
        self.next
    }

    /// A place and an orientation for a crop of one of `boxes` boxes of `n³`.
    pub fn crop(&mut self, boxes: usize, n: usize) -> Crop {
        let [which, x, y, z] = self.words();
        Crop {
            index: below(boxes, which),
            origin: [below(n, x), below(n, y), below(n, z)],
            symmetry: CubeSymmetry::random(self.words()[0]),
        }
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

/// Where a crop lies and how it is turned.
pub(super) struct Crop {
    /// The box.
    pub index: usize,
    origin: [usize; 3],
    symmetry: CubeSymmetry,
}

impl Crop {
    /// `voxel` of box `index` and `reach` voxels around it, turned by a random word.
    pub fn around(index: usize, voxel: [usize; 3], n: usize, reach: usize, turned: u32) -> Self {
        Self { index, origin: voxel.map(|at| (at + n - reach) % n), symmetry: CubeSymmetry::random(turned) }
    }

    /// Move the crop of `side³` voxels so that it holds `voxel`, anywhere in it
    /// alike; `place` are random words.
    pub fn hold(&mut self, voxel: [usize; 3], n: usize, side: usize, place: [u32; 4]) {
        for axis in 0..3 {
            let offset = below(side, place[axis]);
            self.origin[axis] = (voxel[axis] + n * side.div_ceil(n) - offset) % n;
        }
    }

    /// The crop of several fields of `n³`, `side³` voxels each, appended to `out`.
    pub fn cut(&self, fields: &[&[f32]], n: usize, side: usize, out: &mut Vec<f32>) {
        let mut window = Vec::with_capacity(side.pow(3));
        for field in fields {
            window.clear();
            gather(field, n, self.origin, side, &mut window);
            out.extend(self.symmetry.apply(&window, side));
        }
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
    fn a_crop_holds_the_voxel_it_is_to_hold_anywhere_in_it() {
        let (n, side) = (12, 4);
        let field: Vec<f32> = (0..n * n * n).map(|v| v as f32).collect();
        let mut draws = Draws::new(5, 0);
        let mut places = BTreeSet::new();
        for i in 0..2000 {
            let voxel = [i % n, (i / 3) % n, (i / 7) % n];
            let mut crop = draws.crop(1, n);
            crop.hold(voxel, n, side, draws.words());
            let mut values = Vec::new();
            crop.cut(&[&field], n, side, &mut values);
            let wanted = ((voxel[0] * n + voxel[1]) * n + voxel[2]) as f32;
            places.insert(values.iter().position(|&v| v == wanted).expect("the voxel is in the crop"));
        }
        assert_eq!(places.len(), side.pow(3));
    }
}

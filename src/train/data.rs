//! What the networks learn from: boxes with dark matter, halo maps and 21 cm
//! map, cut into randomly placed and oriented crops.

use std::path::{Path, PathBuf};

use crate::dataset::{Entry, Train, Validation};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid, HALO_MASS_BINS, Layer, MassAssignment, Stream, below, philox};
use crate::io::{Map, read_map};
use crate::predict::DarkMatter;
use crate::sim::{HydrogenModel, Painter};
use crate::stitch::gather;

/// A simulation box, every field on the same grid.
#[derive(Debug, Clone)]
pub struct Fields {
    /// `1 + δ`.
    pub dark_matter: Grid,
    /// Halo mass density per mass bin, (M☉/h)/(Mpc/h)³.
    pub halo_mass: [Grid; HALO_MASS_BINS],
    /// 21 cm brightness temperature, mK.
    pub brightness_temperature: Grid,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
}

impl Fields {
    fn read(path: &Path) -> Result<Self> {
        let Map { header, mut layers } = read_map(path)?;
        let mut take = |layer: Layer| {
            layers.remove(&layer).ok_or_else(|| {
                Error::input(
                    path,
                    format!("it has no {}", layer.name()),
                    "the fields of a data set's box",
                    "Make it anew",
                )
            })
        };
        let [a, b, c, d] = [0, 1, 2, 3].map(|bin| take(Layer::HaloMass(bin)));
        Ok(Self {
            halo_mass: [a?, b?, c?, d?],
            dark_matter: take(Layer::DarkMatter)?,
            brightness_temperature: take(Layer::Reference)?,
            redshift: header.redshift,
            cosmology: header.cosmology,
        })
    }

    /// What is predicted from.
    pub fn matter(&self) -> DarkMatter {
        DarkMatter { density: self.dark_matter.clone(), redshift: self.redshift, cosmology: self.cosmology }
    }

    /// `1 + δ`, halo maps as fractions of the matter in each voxel: what HALO
    /// learns. The last entry is the fraction outside all haloes.
    pub fn halo_fractions(&self) -> [Grid; HALO_MASS_BINS + 1] {
        let mean = self.cosmology.mean_matter_density();
        let dark_matter = self.dark_matter.as_slice();
        let fraction = |v: f32, m: f32| {
            let matter = f64::from(m) * mean;
            if matter > 0.0 { (f64::from(v) / matter).clamp(0.0, 1.0) as f32 } else { 0.0 }
        };
        let mut rest = self.dark_matter.map(|_| 1.0);
        let mut of_bin = |bin: usize| {
            let mut grid = self.halo_mass[bin].clone();
            for ((v, &m), r) in grid.as_slice_mut().iter_mut().zip(dark_matter).zip(rest.as_slice_mut()) {
                *v = fraction(*v, m).min(*r);
                *r -= *v;
            }
            grid
        };
        let [a, b, c, d] = [of_bin(0), of_bin(1), of_bin(2), of_bin(3)];
        [a, b, c, d, rest]
    }
}

/// A box that networks learn from. There is no way to make one of a test box:
///
/// ```compile_fail
/// let data = halodi::dataset::Dataset::open(std::path::Path::new("cv")).unwrap();
/// halodi::train::TrainingBox::read(&data.test()[0]);
/// ```
#[derive(Debug, Clone)]
pub struct TrainingBox {
    fields: Fields,
    snapshot: PathBuf,
}

impl TrainingBox {
    /// Read the box.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn read(entry: &Entry<Train>) -> Result<Self> {
        Ok(Self { fields: Fields::read(&entry.fields())?, snapshot: entry.snapshot() })
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Its haloes.
    pub(super) fn haloes(&self) -> Haloes<'_> {
        Haloes { snapshot: &self.snapshot, n: self.fields.dark_matter.n() }
    }
}

/// The haloes of a box, to paint further realisations of its 21 cm map: the same haloes with
/// other HI masses. A network that sees only one realisation learns it by heart and not how it
/// scatters.
pub(super) struct Haloes<'a> {
    snapshot: &'a Path,
    n: usize,
}

impl Haloes<'_> {
    /// Find them.
    ///
    /// # Errors
    /// Those of reading the snapshot.
    pub fn painter(&self, hydrogen: &HydrogenModel) -> Result<Painter> {
        Painter::open(self.snapshot, self.n, MassAssignment::Cic, hydrogen)
    }
}

/// A box that networks are selected by.
#[derive(Debug, Clone)]
pub struct ValidationBox {
    fields: Fields,
    snapshot: PathBuf,
}

impl ValidationBox {
    /// Read the box.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn read(entry: &Entry<Validation>) -> Result<Self> {
        Ok(Self { fields: Fields::read(&entry.fields())?, snapshot: entry.snapshot() })
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Its haloes.
    pub(super) fn haloes(&self) -> Haloes<'_> {
        Haloes { snapshot: &self.snapshot, n: self.fields.dark_matter.n() }
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

    #[test]
    fn halo_fractions_are_shares_of_the_matter() {
        let cosmology = Cosmology::default();
        let mean = cosmology.mean_matter_density() as f32;
        let grid = |values: [f32; 8]| Grid {
            values: ndarray::Array3::from_shape_vec((2, 2, 2), values.to_vec()).unwrap(),
            box_size: 1.0,
        };
        let empty = grid([0.0; 8]);
        let fields = Fields {
            dark_matter: grid([0.0, 1.0, 2.0, 4.0, 0.5, 0.5, 0.0, 0.0]),
            halo_mass: [
                grid([0.0, 0.0, mean, mean, 0.0, 0.5 * mean, 0.0, 0.0]),
                empty.clone(),
                grid([0.0, 0.0, 0.0, 3.0 * mean, 0.0, 0.0, 0.0, 0.0]),
                empty.clone(),
            ],
            brightness_temperature: empty,
            redshift: 1.0,
            cosmology,
        };
        let fractions = fields.halo_fractions();
        let close = |bin: usize, voxel: usize, value: f32| {
            assert!((fractions[bin].as_slice()[voxel] - value).abs() < 1e-5, "bin {bin}, voxel {voxel}");
        };
        close(0, 2, 0.5);
        close(0, 3, 0.25);
        close(2, 3, 0.75);
        close(4, 3, 0.0);
        close(0, 5, 1.0);
        close(4, 0, 1.0);
        for voxel in 0..8 {
            let sum: f32 = fractions.iter().map(|f| f.as_slice()[voxel]).sum();
            assert!((sum - 1.0).abs() < 1e-6);
        }
    }
}

//! Where the tiles lie at each denoising step.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::field::TileBox;

/// How the tiles of the box are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// Latent overlap in time: the box is cut into non-overlapping tiles on a
    /// lattice that moves between steps by a low-discrepancy shift. Costs 1×.
    #[default]
    Shifted,
    /// Latent overlap in time with the lattice moving by one voxel a step along
    /// each axis (Cosmo-FOLD, arXiv:2601.14377). Costs 1×, and wants as many
    /// steps as a tile has voxels.
    ShiftedByOne,
    /// Latent overlap in space: windows overlapping by half are fused with
    /// smooth weights at every step (MultiDiffusion, arXiv:2302.08113). Costs 8×.
    Blended,
    /// Baseline: a lattice that never moves; tiles are joined hard.
    Naive,
}

impl Overlap {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::Shifted, Self::ShiftedByOne, Self::Blended, Self::Naive];

    /// What the rule is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shifted => "Latent overlap, shifted",
            Self::ShiftedByOne => "Latent overlap, shifted by one",
            Self::Blended => "Latent overlap, blended",
            Self::Naive => "Naive tiles (baseline)",
        }
    }
}

/// A lattice of cubic windows over a periodic box of `n³` voxels.
#[derive(Debug, Clone)]
pub struct Lattice {
    n: usize,
    tile: usize,
    overlap: Overlap,
}

impl Lattice {
    /// Windows of at most `tile` voxels a side, the side a multiple of
    /// `multiple` and a divisor of `n`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a grid that no acceptable window divides.
    pub fn new(n: usize, tile: usize, multiple: usize, overlap: Overlap) -> Result<Self> {
        // Blended windows move by half a tile, which must be whole voxels.
        let side = (1..=tile).rev().find(|&s| n.is_multiple_of(s) && s.is_multiple_of(multiple.max(2)));
        match side {
            Some(side) if 2 * side >= tile.min(n) => Ok(Self { n, tile: side, overlap }),
            _ => Err(Error::setting(
                format!("a grid of {n}³ voxels"),
                format!("one that tiles of {} to {tile} voxels, a multiple of {multiple}, divide", tile / 2),
                format!("Choose a grid of {}", n.div_ceil(tile).max(1) * tile),
            )),
        }
    }

    /// Voxels per window side.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Voxels per axis of the box.
    pub fn n(&self) -> usize {
        self.n
    }

    /// How far the lattice is displaced at a step, in voxels.
    pub fn shift(&self, step: usize) -> [usize; 3] {
        match self.overlap {
            Overlap::Shifted => {
                // A rank-1 lattice: strides near irrational fractions of a tile
                // and coprime to it, so that along every axis the faces visit
                // each voxel once before they visit one twice, far from where
                // they were a step ago, and the axes do not move together.
                const FRACTIONS: [f64; 3] = [0.618_034, 0.414_214, 0.732_051];
                FRACTIONS.map(|fraction| step * coprime_near(self.tile as f64 * fraction, self.tile) % self.tile)
            }
            Overlap::ShiftedByOne => [step % self.tile; 3],
            Overlap::Blended | Overlap::Naive => [0; 3],
        }
    }

    /// Whether windows overlap within a step.
    fn overlaps(&self) -> bool {
        self.overlap == Overlap::Blended && self.n > self.tile
    }

    /// The windows of a step are one or more tilings of the box, each without gaps or overlaps:
    /// where the first tile of each lies.
    pub fn tilings(&self, step: usize) -> Vec<[usize; 3]> {
        if !self.overlaps() {
            return vec![self.shift(step)];
        }
        // Windows that overlap by half are eight tilings.
        let half = self.tile / 2;
        (0..8).map(|corner| [corner >> 2 & 1, corner >> 1 & 1, corner & 1].map(|moved| moved * half)).collect()
    }

    /// The tiles of the tiling whose first tile lies at `shift`, in raster order. They reach
    /// over the far faces of the periodic box.
    pub fn tiles(&self, shift: [usize; 3]) -> Vec<TileBox> {
        let per_axis = self.n / self.tile;
        let place = |axis: usize, index: usize| (index * self.tile + shift[axis]) % self.n;
        (0..per_axis.pow(3))
            .map(|i| [i / per_axis / per_axis, i / per_axis % per_axis, i % per_axis])
            .map(|[x, y, z]| TileBox::cube([place(0, x), place(1, y), place(2, z)], self.tile))
            .collect()
    }

    /// All windows of a step, tiling by tiling.
    pub fn windows(&self, step: usize) -> Vec<TileBox> {
        self.tilings(step).into_iter().flat_map(|shift| self.tiles(shift)).collect()
    }

    /// Weight of a window along one axis at distance `i` from its face; `None` where windows
    /// do not overlap. The weights of all windows over a voxel sum to one: a squared sine,
    /// whose half-shifted copy is the squared cosine.
    pub fn weights(&self) -> Option<Vec<f32>> {
        let weight = |i: usize| {
            let phase = std::f64::consts::PI * (i as f64 + 0.5) / self.tile as f64;
            phase.sin().powi(2) as f32
        };
        self.overlaps().then(|| (0..self.tile).map(weight).collect())
    }
}

/// The integer nearest to `x`, at least 1, that shares no factor with `n`.
fn coprime_near(x: f64, n: usize) -> usize {
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    (1..=n)
        .filter(|&i| gcd(i, n) == 1)
        .min_by(|&a, &b| (a as f64 - x).abs().total_cmp(&(b as f64 - x).abs()))
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_cover_every_voxel_with_weights_that_sum_to_one(
            n in prop::sample::select(vec![8usize, 16, 24, 32, 40, 48]),
            step in 0usize..40,
            overlap in prop::sample::select(Overlap::ALL.to_vec()),
        ) {
            let lattice = Lattice::new(n, 16, 4, overlap).unwrap();
            let w = lattice.weights().unwrap_or(vec![1.0; lattice.tile()]);
            let mut total = vec![0f64; n * n * n];
            for TileBox { origin: [x, y, z], .. } in lattice.windows(step) {
                for i in 0..lattice.tile() {
                    for j in 0..lattice.tile() {
                        for k in 0..lattice.tile() {
                            let at = |o: usize, d: usize| (o + d) % n;
                            total[(at(x, i) * n + at(y, j)) * n + at(z, k)] += f64::from(w[i] * w[j] * w[k]);
                        }
                    }
                }
            }
            for t in total {
                prop_assert!((t - 1.0).abs() < 1e-5, "weights sum to {t}");
            }
        }
    }

    #[test]
    fn shifted_faces_do_not_stay_in_one_place() {
        let lattice = Lattice::new(128, 32, 4, Overlap::Shifted).unwrap();
        for axis in 0..3 {
            let faces: std::collections::BTreeSet<usize> = (0..32).map(|step| lattice.shift(step)[axis]).collect();
            assert_eq!(faces.len(), 32, "axis {axis}");
            for step in 0..25 {
                let jump = (lattice.shift(step + 1)[axis] + 32 - lattice.shift(step)[axis]) % 32;
                assert!((4..=28).contains(&jump), "faces move by {jump} along axis {axis}");
            }
        }
    }

    #[test]
    fn grids_without_a_tile_are_refused_with_one_that_works() {
        let error = Lattice::new(50, 32, 4, Overlap::Shifted).unwrap_err();
        assert!(error.to_string().contains("a grid of 64"), "{error}");
        assert!(Lattice::new(64, 32, 4, Overlap::Shifted).is_ok());
    }
}

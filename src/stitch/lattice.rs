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
    /// Latent overlap in space: windows that overlap are fused with smooth weights
    /// at every step (MultiDiffusion, arXiv:2302.08113). Costs 8× where they
    /// overlap by half.
    Blended,
    /// Baseline: windows that overlap are painted apart, each from noise of its own, and their
    /// maps are blended afterwards. Costs as much as blending at every step.
    Feathered,
    /// Baseline: a lattice that never moves; tiles are painted apart and joined hard, from the noise
    /// of the whole box.
    SharedNoise,
    /// Baseline: the same with noise that every tile draws for itself.
    Naive,
    /// What tiles stand in for: one window of the whole box, where memory allows.
    Whole,
}

impl Overlap {
    /// Every rule.
    pub const ALL: [Self; 7] = [
        Self::Shifted,
        Self::ShiftedByOne,
        Self::Blended,
        Self::Feathered,
        Self::SharedNoise,
        Self::Naive,
        Self::Whole,
    ];

    /// What the rule is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shifted => "Latent overlap, shifted",
            Self::ShiftedByOne => "Latent overlap, shifted by one",
            Self::Blended => "Latent overlap, blended",
            Self::Feathered => "Feathered tiles (baseline)",
            Self::SharedNoise => "Tiles of one noise (baseline)",
            Self::Naive => "Naive tiles (baseline)",
            Self::Whole => "Whole box in one window",
        }
    }

    /// Whether windows overlap, so that [`Blend`] matters.
    pub fn blends(self) -> bool {
        matches!(self, Self::Blended | Self::Feathered)
    }

    /// Whether tiles draw noise of their own.
    fn noise_is_of_tiles(self) -> bool {
        matches!(self, Self::Feathered | Self::Naive)
    }
}

/// How much a window counts by the distance to its faces, where windows overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// The same everywhere.
    Box,
    /// In proportion to the distance.
    Linear,
    /// A squared sine.
    #[default]
    Hann,
    /// A Gaussian about the middle, an eighth of the window its deviation.
    Gaussian,
}

impl Window {
    /// Every window.
    pub const ALL: [Self; 4] = [Self::Box, Self::Linear, Self::Hann, Self::Gaussian];

    /// What it is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Box => "Box",
            Self::Linear => "Linear",
            Self::Hann => "Hann",
            Self::Gaussian => "Gaussian",
        }
    }

    /// Weight of voxel `i` of `side` along an axis.
    fn weight(self, i: usize, side: usize) -> f64 {
        let place = (i as f64 + 0.5) / side as f64;
        match self {
            Self::Box => 1.0,
            Self::Linear => 1.0 - (2.0 * place - 1.0).abs(),
            Self::Hann => (std::f64::consts::PI * place).sin().powi(2),
            Self::Gaussian => (-0.5 * ((place - 0.5) * 8.0).powi(2)).exp(),
        }
    }
}

/// The part of a window that the next one along an axis covers too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Shared {
    /// A quarter, or more where the box asks for it: windows lie as evenly as voxels allow.
    Quarter,
    /// A half.
    #[default]
    Half,
}

impl Shared {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Quarter, Self::Half];

    /// What it is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarter => "a quarter",
            Self::Half => "a half",
        }
    }

    /// Windows along an axis of `tiles` tiles: an even number, so that every second one makes a
    /// tiling of its own.
    fn windows(self, tiles: usize) -> usize {
        match self {
            Self::Quarter => (4 * tiles).div_ceil(3).next_multiple_of(2),
            Self::Half => 2 * tiles,
        }
    }
}

/// How windows that overlap are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Blend {
    /// Their weights.
    pub window: Window,
    /// By how much they overlap.
    pub shared: Shared,
}

/// Windows of a periodic box that do not overlap: the product of three axes' places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiling {
    n: usize,
    tile: usize,
    /// Where windows begin along each axis, in the order in which they follow each other around
    /// the box.
    starts: [Vec<usize>; 3],
}

impl Tiling {
    /// Voxels per axis of the box.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Voxels per axis of a window.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Where windows begin along each axis.
    pub fn starts(&self) -> &[Vec<usize>; 3] {
        &self.starts
    }

    /// Voxels from each window's beginning to the next one's along an axis.
    pub fn pitches(&self, axis: usize) -> Vec<usize> {
        let starts = &self.starts[axis];
        let next = |i: usize| starts[(i + 1) % starts.len()];
        let pitch = |i: usize| (next(i) + self.n - starts[i]) % self.n;
        (0..starts.len()).map(pitch).map(|pitch| if pitch == 0 { self.n } else { pitch }).collect()
    }

    /// The windows in raster order. They reach over the far faces of the periodic box.
    pub fn tiles(&self) -> Vec<TileBox> {
        let [xs, ys, zs] = &self.starts;
        let places = xs.iter().flat_map(|&x| ys.iter().flat_map(move |&y| zs.iter().map(move |&z| [x, y, z])));
        places.map(|origin| TileBox::cube(origin, self.tile)).collect()
    }
}

/// A lattice of cubic windows over a periodic box of `n³` voxels.
#[derive(Debug, Clone)]
pub struct Lattice {
    n: usize,
    tile: usize,
    overlap: Overlap,
    blend: Blend,
    /// The one tiling that is painted now, where tilings are painted apart.
    part: Option<usize>,
}

impl Lattice {
    /// Windows of at most `tile` voxels a side, the side a multiple of
    /// `multiple` and a divisor of `n`; one of `n` voxels for the whole box.
    ///
    /// # Errors
    /// [`Error::Setting`] for a grid that no acceptable window divides.
    pub fn new(n: usize, tile: usize, multiple: usize, overlap: Overlap) -> Result<Self> {
        let tile = if overlap == Overlap::Whole { n } else { tile };
        // Blended windows move by half a tile, which must be whole voxels.
        let side = (1..=tile).rev().find(|&s| n.is_multiple_of(s) && s.is_multiple_of(multiple.max(2)));
        match side {
            Some(side) if 2 * side >= tile.min(n) && (side == n || overlap != Overlap::Whole) => {
                Ok(Self { n, tile: side, overlap, blend: Blend::default(), part: None })
            }
            _ if overlap == Overlap::Whole => Err(Error::setting(
                format!("a grid of {n}³ voxels in one window"),
                format!("a multiple of {multiple}"),
                format!("Choose a grid of {}", n.next_multiple_of(multiple)),
            )),
            _ => Err(Error::setting(
                format!("a grid of {n}³ voxels"),
                format!("one that tiles of {} to {tile} voxels, a multiple of {multiple}, divide", tile / 2),
                format!("Choose a grid of {}", n.div_ceil(tile).max(1) * tile),
            )),
        }
    }

    /// The same with windows that overlap put together by `blend`.
    pub fn blended(self, blend: Blend) -> Self {
        Self { blend, ..self }
    }

    /// Voxels per window side.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Voxels per axis of the box.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Whether one window holds the whole box.
    pub fn is_whole(&self) -> bool {
        self.tile == self.n
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
            _ => [0; 3],
        }
    }

    /// Where the windows that overlap begin along an axis; `None` where they do not.
    fn overlapping(&self) -> Option<Vec<usize>> {
        let tiles = self.n / self.tile;
        let windows = self.blend.shared.windows(tiles);
        (self.overlap.blends() && tiles > 1).then(|| (0..windows).map(|i| i * self.n / windows).collect())
    }

    /// The windows of a step are one or more tilings of the box, each without overlaps.
    pub fn tilings(&self, step: usize) -> Vec<Tiling> {
        let tiling = |starts: [Vec<usize>; 3]| Tiling { n: self.n, tile: self.tile, starts };
        let Some(starts) = self.overlapping() else {
            let place = |shift: usize| (0..self.n / self.tile).map(|i| (i * self.tile + shift) % self.n).collect();
            return vec![tiling(self.shift(step).map(place))];
        };
        // Every second window along each axis: eight tilings.
        let every_second = |from: usize| starts.iter().skip(from).step_by(2).copied().collect::<Vec<_>>();
        let all = (0..8).map(|corner| tiling([corner >> 2 & 1, corner >> 1 & 1, corner & 1].map(every_second)));
        match self.part {
            Some(part) => all.skip(part).take(1).collect(),
            None => all.collect(),
        }
    }

    /// What is painted one after the other and put together afterwards: tilings of feathered
    /// tiles; everything at once elsewhere.
    pub fn parts(&self) -> Vec<Self> {
        match self.overlap {
            Overlap::Feathered if self.overlapping().is_some() => {
                (0..8).map(|part| Self { part: Some(part), ..self.clone() }).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// Whether it is one of several [parts](Self::parts).
    pub fn is_part(&self) -> bool {
        self.part.is_some()
    }

    /// The tiling whose tiles draw noise of their own, and a number that no other part of the
    /// lattice has; `None` where noise belongs to the box.
    pub fn own_noise(&self) -> Option<(Tiling, usize)> {
        let tiling = self.tilings(0).into_iter().next()?;
        self.overlap.noise_is_of_tiles().then(|| (tiling, self.part.unwrap_or(0)))
    }

    /// All windows of a step, tiling by tiling.
    pub fn windows(&self, step: usize) -> Vec<TileBox> {
        self.tilings(step).iter().flat_map(Tiling::tiles).collect()
    }

    /// Weight of a window along one axis at distance `i` from its face; `None` where windows
    /// do not overlap. See [`Lattice::total_weight`].
    pub fn weights(&self) -> Option<Vec<f32>> {
        let weight = |i| self.blend.window.weight(i, self.tile) as f32;
        self.overlapping().map(|_| (0..self.tile).map(weight).collect())
    }

    /// Sum of the weights of all windows over each voxel of an axis: what the fused outputs of
    /// windows that overlap are divided by, axis by axis.
    pub fn total_weight(&self) -> Option<Vec<f32>> {
        let (starts, weights) = (self.overlapping()?, self.weights()?);
        let mut total = vec![0f32; self.n];
        for start in starts {
            weights.iter().enumerate().for_each(|(i, w)| total[(start + i) % self.n] += w);
        }
        Some(total)
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
            window in prop::sample::select(Window::ALL.to_vec()),
            shared in prop::sample::select(Shared::ALL.to_vec()),
        ) {
            let lattice = Lattice::new(n, 16, 4, overlap).unwrap().blended(Blend { window, shared });
            let w = lattice.weights().unwrap_or(vec![1.0; lattice.tile()]);
            let all = lattice.total_weight().unwrap_or(vec![1.0; n]);
            prop_assert!(all.iter().all(|&w| w > 1e-5), "no window counts somewhere");
            let mut total = vec![0f64; n * n * n];
            for TileBox { origin: [x, y, z], .. } in lattice.windows(step) {
                for i in 0..lattice.tile() {
                    for j in 0..lattice.tile() {
                        for k in 0..lattice.tile() {
                            let [a, b, c] = [(x + i) % n, (y + j) % n, (z + k) % n];
                            let shares = [w[i] / all[a], w[j] / all[b], w[k] / all[c]];
                            total[(a * n + b) * n + c] += f64::from(shares.iter().product::<f32>());
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
    fn windows_of_a_tiling_do_not_overlap_and_share_what_was_asked_for() {
        for (shared, overlap, windows) in [(Shared::Half, 16, 8), (Shared::Quarter, 8, 6)] {
            let blend = Blend { shared, ..Blend::default() };
            let lattice = Lattice::new(128, 32, 4, Overlap::Blended).unwrap().blended(blend);
            let tilings = lattice.tilings(0);
            assert_eq!(lattice.windows(0).len(), windows * windows * windows);
            for tiling in &tilings {
                assert!((0..3).all(|axis| tiling.pitches(axis).iter().all(|&pitch| pitch >= 32)), "{tiling:?}");
            }
            let mut starts: Vec<usize> = tilings.iter().flat_map(|t| t.starts()[0].clone()).collect();
            starts.sort_unstable();
            starts.dedup();
            assert!(starts.windows(2).all(|s| s[0] + 32 - s[1] >= overlap), "{starts:?}");
        }
    }

    #[test]
    fn feathered_tiles_are_painted_tiling_by_tiling_from_noise_of_their_own() {
        let lattice = Lattice::new(64, 32, 4, Overlap::Feathered).unwrap();
        let parts = lattice.parts();
        assert_eq!(parts.len(), 8);
        let numbers: std::collections::BTreeSet<usize> =
            parts.iter().filter_map(|p| p.own_noise()).map(|(_, number)| number).collect();
        assert_eq!(numbers.len(), 8);
        let painted: usize = parts.iter().map(|p| p.windows(0).len()).sum();
        assert_eq!(painted, lattice.windows(0).len());
        for overlap in [Overlap::Shifted, Overlap::Blended, Overlap::SharedNoise, Overlap::Whole] {
            let lattice = Lattice::new(64, 32, 4, overlap).unwrap();
            assert!(lattice.parts().len() == 1 && lattice.own_noise().is_none());
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

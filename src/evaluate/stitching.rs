//! Ways of stitching side by side, on the same box and from the same noise.

use std::time::Instant;

use serde::Serialize;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::field::Grid;
use crate::memory;
use crate::nn::Lodi;
use crate::predict::{Condition, Observer, Settings, paint};
use crate::stats::{Against, Seams, Verdict};
use crate::stitch::{Blend, Overlap, Shared, Window};

/// A way of stitching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// How tiles are joined.
    pub overlap: Overlap,
    /// How windows that overlap are put together.
    pub blend: Blend,
}

impl Variant {
    /// Every way: each rule, and every window and overlap of those that blend. The whole box
    /// comes first, as the others are compared with it.
    pub fn all() -> Vec<Self> {
        let plain = |overlap| Self { overlap, blend: Blend::default() };
        let mut all = vec![plain(Overlap::Whole)];
        all.extend(Overlap::ALL.into_iter().filter(|o| *o != Overlap::Whole && !o.blends()).map(plain));
        for overlap in Overlap::ALL.into_iter().filter(|o| o.blends()) {
            for shared in Shared::ALL {
                // Feathering is a baseline: its default window is enough.
                let windows = if overlap == Overlap::Feathered { &[Window::Hann][..] } else { &Window::ALL };
                all.extend(windows.iter().map(|&window| Self { overlap, blend: Blend { window, shared } }));
            }
        }
        all
    }

    /// What it is called in tables.
    pub fn name(self) -> String {
        let Self { overlap, blend: Blend { window, shared } } = self;
        match overlap.blends() {
            true => format!("{}, {}, {}", overlap.name(), window.name(), shared.name()),
            false => overlap.name().to_owned(),
        }
    }
}

/// A map of one box by one way of stitching.
#[derive(Debug, Clone, Serialize)]
pub struct Studied {
    /// The box.
    pub name: String,
    /// The way.
    pub variant: Variant,
    /// Denoising steps.
    pub steps: usize,
    /// Voxels an axis.
    pub n: usize,
    /// Seconds that painting took.
    pub seconds: f64,
    /// Memory held by the program at most while it painted, bytes.
    pub memory: Option<u64>,
    /// Seams at the faces of tiles.
    pub seams: Seams,
    /// What they come to.
    pub verdict: Verdict,
    /// The map against the whole box in one window, of as many steps and the same noise.
    pub against_whole: Option<Against>,
}

impl Studied {
    /// Paint `condition` and measure the map, which is returned too; `whole` is the map of the box in one
    /// window.
    ///
    /// # Errors
    /// Those of painting, and of the observer.
    pub fn new(
        name: &str,
        condition: &Condition,
        (lodi, device): (&Lodi, &ComputeDevice),
        (settings, whole): (&Settings, Option<&Grid>),
        observer: &mut dyn Observer,
    ) -> Result<(Self, Grid)> {
        memory::forget_peak();
        let began = Instant::now();
        let map = paint(condition, lodi, device, settings, observer)?;
        let (seconds, memory) = (began.elapsed().as_secs_f64(), memory::peak());
        // The whole box has no tiles: it is looked at where tiles of the others meet.
        let tile = lodi.config().tile;
        let seams = Seams::new(&map, tile)?;
        let studied = Self {
            name: name.to_owned(),
            variant: Variant { overlap: settings.overlap, blend: settings.blend },
            steps: settings.steps,
            n: map.n(),
            seconds,
            memory,
            verdict: seams.verdict(1.0),
            seams,
            against_whole: whole.map(|whole| Against::new(&map, whole, tile, [0; 3])).transpose()?,
        };
        Ok((studied, map))
    }
}

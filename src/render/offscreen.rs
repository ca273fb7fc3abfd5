//! The picture of the volume, drawn again only when something in it changed: coarse at
//! once, then finer, a strip at a time, while nothing moves.

use std::time::{Duration, Instant};

use super::volume::PassPlan;
use super::{ColorTable, DisplayVolume, Picture, VolumeLook, VolumePass};
use crate::device::GpuContext;

/// What else keeps the machine busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The device is a software renderer: pixels are dear.
    pub software: bool,
    /// A job shares the processor.
    pub busy: bool,
}

/// How long nothing may have changed before the picture is refined.
const SETTLED: Duration = Duration::from_millis(180);
/// Least time between pictures that differ only in their data, while a job runs.
const DATA: Duration = Duration::from_millis(250);
/// Length of a step in voxels, moving and at rest.
const STEPS: [f32; 2] = [1.5, 0.75];

type Key = (VolumeLook, u64, super::ColorMap, bool, super::Opacity, [u32; 2]);

/// What is on show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Coarse,
    Fine,
}

/// A volume's picture and what it shows.
pub struct Offscreen {
    gpu: GpuContext,
    coarse: Option<Picture>,
    fine: Option<Picture>,
    key: Option<Key>,
    shows: Shows,
    changed: Instant,
    /// Passes of the fine picture that are complete, and rows of the next one.
    passes: u32,
    rows: u32,
    /// Pixels of the coarse picture over those of the screen, along an axis.
    scale: f32,
    /// Pixels of the fine picture drawn at once.
    strip: f32,
    last_draw: Option<(Instant, Shows)>,
    marches: u64,
}

impl Offscreen {
    /// Nothing yet.
    pub fn new(gpu: GpuContext) -> Self {
        let software = gpu.is_software();
        Self {
            gpu,
            coarse: None,
            fine: None,
            key: None,
            shows: Shows::Coarse,
            changed: Instant::now(),
            passes: 0,
            rows: 0,
            scale: if software { 0.5 } else { 1.0 },
            strip: if software { 40_000.0 } else { 4e6 },
            last_draw: None,
            marches: 0,
        }
    }

    /// The picture of `look` in `size` pixels, drawn as far as is due, and when to ask
    /// again (`None`: it is as fine as it gets). `None` for a picture of no size.
    pub fn draw(
        &mut self,
        pass: &VolumePass,
        volume: &DisplayVolume,
        colors: &ColorTable,
        look: &VolumeLook,
        size: [u32; 2],
        pace: Pace,
    ) -> Option<(Picture, Option<Duration>)> {
        if size.contains(&0) {
            return None;
        }
        if self.coarse.as_ref().is_none_or(|p| p.room != size) {
            self.coarse = Some(Picture::new(&self.gpu.device, size));
            self.fine = Some(Picture::new(&self.gpu.device, size));
            self.key = None;
        }
        let (map, reversed, opacity) = colors.key();
        let key = (*look, volume.generation(), map, reversed, opacity, size);
        let now = Instant::now();
        let since = now - self.changed;
        if self.key != Some(key) {
            // New data alone can wait a little: a job paints faster than a processor draws.
            let data_alone = self.key.is_some_and(|old| (old.0, old.2, old.3, old.4) == (key.0, key.2, key.3, key.4));
            if data_alone && pace.busy && since < DATA {
                return Some((self.shown(), Some(DATA - since)));
            }
            self.pace_coarse(now, pace);
            self.changed = now;
            self.key = Some(key);
            (self.passes, self.rows) = (0, 0);
            self.shows = Shows::Coarse;
            let filled = size.map(|v| ((v as f32 * self.scale).round() as u32).clamp(1, v));
            let coarse = self.coarse.as_mut().expect("just made");
            coarse.filled = filled;
            let plan = PassPlan { size: filled, rows: [0, filled[1]], step: STEPS[0], pass: 0, weight: 1.0 };
            pass.draw(coarse, volume, colors, look, &plan);
            self.marches += 1;
            return Some((self.shown(), Some(SETTLED)));
        }
        let passes = if pace.software { 3 } else { 12 };
        if self.passes >= passes {
            return Some((self.shown(), None));
        }
        if since < SETTLED {
            return Some((self.shown(), Some(SETTLED - since)));
        }
        self.pace_fine(now, pace);
        let count = ((self.strip / size[0] as f32) as u32).clamp(4, size[1]).min(size[1] - self.rows);
        self.refine(pass, volume, colors, look, size, count);
        if self.passes >= passes {
            self.last_draw = None;
            return Some((self.shown(), None));
        }
        Some((self.shown(), Some(Duration::ZERO)))
    }

    /// The picture of `look` in full quality, all at once.
    pub fn draw_complete(
        &mut self,
        pass: &VolumePass,
        volume: &DisplayVolume,
        colors: &ColorTable,
        look: &VolumeLook,
        size: [u32; 2],
    ) -> Option<Picture> {
        if size.contains(&0) {
            return None;
        }
        self.coarse = Some(Picture::new(&self.gpu.device, [1, 1]));
        self.fine = Some(Picture::new(&self.gpu.device, size));
        (self.passes, self.rows) = (0, 0);
        for _ in 0..4 {
            self.refine(pass, volume, colors, look, size, size[1]);
        }
        Some(self.shown())
    }

    /// How often anything was marched so far.
    pub fn marches(&self) -> u64 {
        self.marches
    }

    fn refine(
        &mut self,
        pass: &VolumePass,
        volume: &DisplayVolume,
        colors: &ColorTable,
        look: &VolumeLook,
        size: [u32; 2],
        count: u32,
    ) {
        let fine = self.fine.as_ref().expect("made with the coarse one");
        let weight = 1.0 / f64::from(self.passes + 1);
        let plan = PassPlan { size, rows: [self.rows, count], step: STEPS[1], pass: self.passes, weight };
        pass.draw(fine, volume, colors, look, &plan);
        self.marches += 1;
        self.rows += count;
        if self.rows >= size[1] {
            (self.rows, self.passes) = (0, self.passes + 1);
            self.shows = Shows::Fine;
        }
    }

    fn shown(&self) -> Picture {
        let picture = match self.shows {
            Shows::Coarse => &self.coarse,
            Shows::Fine => &self.fine,
        };
        picture.clone().expect("made before it is shown")
    }

    /// Fewer pixels where frames take long, more where they do not.
    fn pace_coarse(&mut self, now: Instant, pace: Pace) {
        let target = if pace.software { 0.060 } else { 0.025 };
        if let Some(taken) = self.taken(now, Shows::Coarse) {
            if taken > 1.3 * target {
                self.scale *= (target / taken).sqrt().max(0.8);
            } else if taken < 0.7 * target {
                self.scale *= 1.1;
            }
            self.scale = self.scale.clamp(0.22, 1.0);
        }
    }

    fn pace_fine(&mut self, now: Instant, pace: Pace) {
        if let Some(taken) = self.taken(now, Shows::Fine) {
            let target = if pace.busy { 0.03 } else { 0.05 };
            self.strip = (self.strip * (target / taken).clamp(0.7, 1.4)).clamp(4_000.0, 4e6);
        }
    }

    /// Time since the last frame, where that drew the same kind of picture and frames
    /// follow each other.
    fn taken(&mut self, now: Instant, kind: Shows) -> Option<f32> {
        let last = self.last_draw.replace((now, kind));
        let (then, what) = last?;
        let taken = (now - then).as_secs_f32();
        (what == kind && taken < 0.5).then_some(taken.max(1e-3))
    }
}

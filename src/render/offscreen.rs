//! The picture of the volume, drawn again only when something in it changed: coarse at
//! once, then in full quality on a thread of its own, while nothing moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::march::Progress;
use super::volume::PassPlan;
use super::{ColorTable, DisplayVolume, March, Picture, VolumeLook, VolumePass};
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
/// How long to wait for a finer picture before asking again; it tells when it is there.
const REFINING: Duration = Duration::from_secs(1);
/// Rest between strips while a job shares the processor.
const REST: Duration = Duration::from_millis(6);
/// Length of a step in voxels while things move.
const STEP: f32 = 1.5;

type Key = (VolumeLook, u64, super::ColorMap, bool, super::Opacity, [u32; 2]);

/// A finer picture on its way, or there.
struct Fine {
    picture: Picture,
    progress: Arc<Progress>,
    passes: u32,
}

/// A volume's picture and what it shows.
pub struct Offscreen {
    gpu: GpuContext,
    wake: Arc<dyn Fn() + Send + Sync>,
    coarse: Option<Picture>,
    fine: Option<Fine>,
    key: Option<Key>,
    changed: Instant,
    /// Pixels of the coarse picture over those of the screen, along an axis.
    scale: f32,
    /// Seconds that a pixel of the fine picture takes, bits of an `f32`.
    cost: Arc<AtomicU32>,
    last_coarse: Option<Instant>,
    marches: u64,
}

impl Offscreen {
    /// Nothing yet. `wake` is called, on another thread, when there is a finer picture.
    pub fn new(gpu: GpuContext, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let software = gpu.is_software();
        Self {
            gpu,
            wake: Arc::new(wake),
            coarse: None,
            fine: None,
            key: None,
            changed: Instant::now(),
            scale: if software { 0.5 } else { 1.0 },
            cost: Arc::new(AtomicU32::new(1e-6f32.to_bits())),
            last_coarse: None,
            marches: 0,
        }
    }

    /// The picture of `look` in `size` pixels, as fine as it is so far, and when to ask
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
            self.forget_fine();
            self.pace_coarse(now, pace);
            self.changed = now;
            self.key = Some(key);
            let filled = size.map(|v| ((v as f32 * self.scale).round() as u32).clamp(1, v));
            let coarse = self.coarse.as_mut().expect("just made");
            coarse.filled = filled;
            let plan = PassPlan { size: filled, rows: [0, filled[1]], step: STEP, pass: 0, weight: 1.0 };
            pass.draw(coarse, volume, colors, look, &plan);
            self.marches += 1;
            return Some((self.shown(), Some(SETTLED)));
        }
        match &self.fine {
            Some(fine) if fine.progress.passes.load(Ordering::Acquire) >= fine.passes => {
                return Some((self.shown(), None));
            }
            Some(_) => return Some((self.shown(), Some(REFINING))),
            None if since < SETTLED => return Some((self.shown(), Some(SETTLED - since))),
            None => {}
        }
        let passes = if pace.software { 3 } else { 12 };
        let march = March::new(pass, volume, colors, look, size, passes)?;
        self.fine = Some(Fine { picture: march.picture(), progress: march.progress(), passes });
        let (cost, wake, rest) = (self.cost.clone(), self.wake.clone(), if pace.busy { REST } else { Duration::ZERO });
        let refine = move || march.run_beside(&cost, rest, || wake());
        if std::thread::Builder::new().name("halodi picture".to_owned()).spawn(refine).is_err() {
            // It stays as coarse as it is.
            self.forget_fine();
        }
        Some((self.shown(), Some(REFINING)))
    }

    /// Forget the picture: what comes next is of something else.
    pub fn clear(&mut self) {
        self.forget_fine();
        (self.coarse, self.key) = (None, None);
    }

    /// How often anything was marched so far.
    pub fn marches(&self) -> u64 {
        let fine = self.fine.as_ref().map_or(0, |fine| fine.progress.strips.load(Ordering::Relaxed));
        self.marches + u64::from(fine)
    }

    fn shown(&self) -> Picture {
        let fine = self.fine.as_ref().filter(|fine| fine.progress.passes.load(Ordering::Acquire) > 0);
        let picture = fine.map(|fine| &fine.picture).or(self.coarse.as_ref());
        picture.cloned().expect("made before it is shown")
    }

    fn forget_fine(&mut self) {
        if let Some(fine) = self.fine.take() {
            fine.progress.cancelled.store(true, Ordering::Release);
            self.marches += u64::from(fine.progress.strips.load(Ordering::Relaxed));
        }
    }

    /// Fewer pixels where frames that follow each other take long, more where they do not.
    fn pace_coarse(&mut self, now: Instant, pace: Pace) {
        let target = if pace.software { 0.060 } else { 0.025 };
        let Some(taken) = self.last_coarse.replace(now).map(|last| (now - last).as_secs_f32()) else { return };
        if taken > 0.5 {
            return;
        }
        if taken > 1.3 * target {
            self.scale *= (target / taken).sqrt().max(0.8);
        } else if taken < 0.7 * target {
            self.scale *= 1.1;
        }
        self.scale = self.scale.clamp(0.22, 1.0);
    }
}

impl Drop for Offscreen {
    fn drop(&mut self) {
        self.forget_fine();
    }
}

//! The picture of the volume, drawn again only when something in it changed: coarse at
//! once, then in full quality on a thread of its own, while nothing moves.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::march::{self, Progress};
use super::volume::PassPlan;
use super::{ColorTable, DisplayVolume, March, Opacity, Picture, VolumeLook, VolumePass};
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
/// How long a coarse picture may keep the device, seconds: on a software renderer, and on a GPU.
const AFFORDABLE: [f32; 2] = [0.045, 0.012];
/// Least pixels of a coarse picture over those of the screen, along an axis.
const COARSEST: f32 = 0.22;
/// Length of a step in voxels while things move.
const STEP: f32 = 1.5;

type Key = (VolumeLook, u64, super::ColorMap, bool, Opacity, [u32; 2]);

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
    stopwatch: Stopwatch,
    marches: u64,
}

/// Measures how long the device is busy with one piece of work, on a thread of its own.
#[derive(Default)]
struct Stopwatch {
    running: Arc<AtomicBool>,
    /// Seconds, bits of an `f32`; zero once they were read.
    taken: Arc<AtomicU32>,
}

impl Stopwatch {
    /// Let the device do what `submit` gives it, and measure it unless a measurement is under way.
    /// What the device had to do before does not count, nor how long nobody asks for another picture.
    fn time(&self, gpu: &GpuContext, submit: impl FnOnce()) {
        if self.running.swap(true, Ordering::AcqRel) {
            return submit();
        }
        let began = Arc::new(OnceLock::new());
        let begins = began.clone();
        gpu.queue.on_submitted_work_done(move || _ = begins.set(Instant::now()));
        submit();
        let done = Arc::new(AtomicBool::new(false));
        let (told, taken) = (done.clone(), self.taken.clone());
        gpu.queue.on_submitted_work_done(move || {
            let seconds = began.get().map_or(0.0, |began: &Instant| began.elapsed().as_secs_f32());
            taken.store(seconds.max(1e-6).to_bits(), Ordering::Release);
            told.store(true, Ordering::Release);
        });
        let (gpu, running) = (gpu.clone(), self.running.clone());
        let wait = move || {
            march::wait(&gpu, &done);
            running.store(false, Ordering::Release);
        };
        if std::thread::Builder::new().name("halodi stopwatch".to_owned()).spawn(wait).is_err() {
            self.running.store(false, Ordering::Release);
        }
    }

    /// What was measured since it was asked last, seconds.
    fn read(&self) -> Option<f32> {
        let bits = self.taken.swap(0, Ordering::AcqRel);
        (bits != 0).then(|| f32::from_bits(bits))
    }
}

/// Pixels of the next coarse picture over those of the screen, along an axis, where one of `scale`
/// took so many seconds and may take `affordable`: fewer where it took long, more where it did not.
fn paced(scale: f32, taken: f32, affordable: f32) -> f32 {
    let change = match taken / affordable {
        over if over > 1.3 => over.sqrt().recip().max(0.8),
        over if over < 0.7 => 1.1,
        _ => 1.0,
    };
    (scale * change).clamp(COARSEST, 1.0)
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
            stopwatch: Stopwatch::default(),
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
        let look = look.as_seen();
        let (map, reversed, opacity) = colors.key();
        // The gain is a part of the look.
        let key = (look, volume.generation(), map, reversed, Opacity { gain: 0.0, ..opacity }, size);
        let now = Instant::now();
        let since = now - self.changed;
        if self.key != Some(key) {
            // New data alone can wait a little: a job paints faster than a processor draws.
            let data_alone = self.key.is_some_and(|old| (old.0, old.2, old.3, old.4) == (key.0, key.2, key.3, key.4));
            if data_alone && pace.busy && since < DATA {
                return Some((self.shown(), Some(DATA - since)));
            }
            self.forget_fine();
            if let Some(taken) = self.stopwatch.read() {
                self.scale = paced(self.scale, taken, AFFORDABLE[usize::from(!pace.software)]);
            }
            self.changed = now;
            self.key = Some(key);
            let filled = size.map(|v| ((v as f32 * self.scale).round() as u32).clamp(1, v));
            let coarse = self.coarse.as_mut().expect("just made");
            coarse.filled = filled;
            let plan = PassPlan { size: filled, rows: [0, filled[1]], step: STEP, pass: 0, weight: 1.0 };
            self.stopwatch.time(&self.gpu, || pass.draw(coarse, volume, colors, &look, &plan));
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
        let march = March::new(pass, volume, colors, &look, size, passes)?;
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
}

impl Drop for Offscreen {
    fn drop(&mut self) {
        self.forget_fine();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_as_fine_as_its_own_cost_allows() {
        // A device that takes so long for a picture of all pixels.
        let settled = |whole: f32| (0..60).fold(0.5, |scale, _| paced(scale, whole * scale * scale, 0.045));
        assert_eq!(settled(0.020), 1.0);
        assert_eq!(settled(100.0), COARSEST);
        let scale = settled(0.2);
        let cost = 0.2 * scale * scale;
        assert!((0.7 * 0.045..1.3 * 0.045).contains(&cost), "{cost} s at {scale}");
        // What is affordable changes nothing, and one slow picture little.
        assert_eq!(paced(0.6, 0.045, 0.045), 0.6);
        assert!(paced(0.6, 10.0, 0.045) >= 0.6 * 0.79);
    }
}

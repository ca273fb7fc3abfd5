//! A picture of the volume in full quality: passes that average, drawn strip by strip, so
//! that whatever else wants the device waits for a strip at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::volume::PassPlan;
use super::{ColorTable, DisplayVolume, Picture, VolumeLook, VolumePass};
use crate::device::GpuContext;

/// Length of a step in voxels.
const STEP: f32 = 0.75;
/// How long a strip may take on a software renderer, which has no room for others beside it.
const STRIP: f32 = 0.010;
/// Seconds a pixel that a software renderer is expected to take before it was measured.
const GUESS: f32 = 1e-6;
/// Fewest pixels of a strip: below, what every strip costs outweighs what its pixels do.
const LEAST: u32 = 12_000;
/// A device that takes longer than this for a strip is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A picture that is to be drawn in full quality.
pub struct March {
    gpu: GpuContext,
    pass: VolumePass,
    volume: DisplayVolume,
    colors: ColorTable,
    look: VolumeLook,
    picture: Picture,
    size: [u32; 2],
    passes: u32,
    progress: Arc<Progress>,
}

/// How far a picture is, for whoever waits for it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Passes that are complete.
    pub passes: AtomicU32,
    /// Strips drawn.
    pub strips: AtomicU32,
    /// Whether nobody wants it any more.
    pub cancelled: AtomicBool,
}

impl March {
    /// A picture of `look` at `volume` in `size` pixels, the average of `passes`; `None` for one
    /// of no size.
    pub fn new(
        pass: &VolumePass,
        volume: &DisplayVolume,
        colors: &ColorTable,
        look: &VolumeLook,
        size: [u32; 2],
        passes: u32,
    ) -> Option<Self> {
        let gpu = pass.gpu().clone();
        (!size.contains(&0)).then(|| Self {
            picture: Picture::new(&gpu.device, size),
            gpu,
            pass: pass.clone(),
            volume: volume.clone(),
            colors: colors.clone(),
            look: *look,
            size,
            passes,
            progress: Arc::default(),
        })
    }

    /// The picture, which is not whole before [`March::run`] is over.
    pub fn picture(&self) -> Picture {
        self.picture.clone()
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Draw it, and wait for it.
    pub fn run(&self) {
        self.run_beside(&AtomicU32::new(GUESS.to_bits()), Duration::ZERO, || ());
    }

    /// Draw it, with a `rest` between strips. `cost` are the seconds a pixel takes (bits of an
    /// `f32`), as far as they are known, and better known afterwards; `after` is called after
    /// every pass.
    pub(super) fn run_beside(&self, cost: &AtomicU32, rest: Duration, after: impl Fn()) {
        let whole = !self.gpu.is_software();
        for pass in 0..self.passes {
            let mut row = 0;
            while row < self.size[1] {
                if self.progress.cancelled.load(Ordering::Acquire) {
                    return;
                }
                let expected = f32::from_bits(cost.load(Ordering::Relaxed));
                let affordable = (STRIP / expected / self.size[0] as f32) as u32;
                let rows = if whole { self.size[1] } else { affordable.max(LEAST.div_ceil(self.size[0])) }
                    .min(self.size[1] - row);
                let plan = PassPlan {
                    size: self.size,
                    rows: [row, rows],
                    step: STEP,
                    pass,
                    weight: 1.0 / f64::from(pass + 1),
                };
                let began = Instant::now();
                self.pass.draw(&self.picture, &self.volume, &self.colors, &self.look, &plan);
                let done = Arc::new(AtomicBool::new(false));
                let told = done.clone();
                self.gpu.queue.on_submitted_work_done(move || told.store(true, Ordering::Release));
                if !wait(&self.gpu, &done) {
                    return;
                }
                self.progress.strips.fetch_add(1, Ordering::Relaxed);
                let taken = began.elapsed().as_secs_f32() / (rows * self.size[0]) as f32;
                // Dear rows follow cheap ones without notice, so the dear ones are remembered.
                cost.store(taken.max(0.97 * expected).max(1e-9).to_bits(), Ordering::Relaxed);
                row += rows;
                std::thread::sleep(rest);
            }
            self.progress.passes.store(pass + 1, Ordering::Release);
            after();
        }
    }
}

/// Wait until the device says that it is `done`; false where it is gone.
pub(super) fn wait(gpu: &GpuContext, done: &AtomicBool) -> bool {
    let began = Instant::now();
    // Asked again and again: waiting inside the device would hold up whoever draws.
    while !done.load(Ordering::Acquire) {
        if gpu.device.poll(wgpu::PollType::Poll).is_err() || began.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_micros(400));
    }
    true
}

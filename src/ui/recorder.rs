//! A talk as a film: its moments drawn one after the other, off the screen. Nothing here looks at a
//! clock: frame `k` shows the moment `k / rate`, however long it takes to draw.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use egui::Vec2;
use serde_json::json;

use super::app::HalodiApp;
use super::subject::Subject;
use super::talk::{Action, Moment, Scene, Talk};
use super::view_state::ViewState;
use super::workspace::Pane;
use super::{TALK_HEIGHT, export};
use crate::device::{DeviceChoice, GpuContext};
use crate::error::{Error, Result};
use crate::figure::{PROGRAM, Pixels, Provenance};
use crate::film::{self, Shape};
use crate::render::{Canvas, FORMAT};

/// How long to wait for what a frame shows to be computed before it is drawn as it is.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often to look whether it is there.
const LOOK: Duration = Duration::from_millis(2);
/// How long the frame that is being drawn may take when a film is given up.
const LAST_FRAME: Duration = Duration::from_secs(5);
/// How long a turn around the box takes, seconds.
const TURN: f32 = 12.0;

/// Which part of a talk becomes a film, and of what kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Pixels across and down.
    pub size: [u32; 2],
    /// Frames a second.
    pub rate: u32,
    /// From when to when, seconds; the end of the talk where there is none.
    pub span: [f64; 2],
}

impl Default for Recipe {
    fn default() -> Self {
        Self { size: [1920, 1080], rate: 30, span: [0.0, f64::INFINITY] }
    }
}

impl Recipe {
    /// The film's shape for a talk of so many seconds.
    pub fn shape(&self, seconds: f64) -> Shape {
        let [from, to] = self.span;
        let length = (to.min(seconds) - from).max(0.0);
        let count = (length * f64::from(self.rate)).round().max(1.0) as u64;
        Shape { size: self.size, rate: self.rate, count }
    }
}

/// How far a film is, for whoever waits for it.
#[derive(Debug, Default)]
pub struct FilmProgress {
    /// Frames that are drawn.
    pub done: AtomicU64,
    /// Frames of the whole film; 0 before the first is drawn.
    pub of: AtomicU64,
    /// Whether nobody wants it any more.
    pub cancelled: AtomicBool,
}

/// A talk of one scene for a view: once around the box.
pub fn turn(view: &ViewState) -> Talk {
    let action = Action { orbit: 360.0, ..Action::default() };
    let scene = Scene { panes: vec![Pane::Volume], view: view.clone(), action, seconds: TURN, ..Scene::default() };
    Talk { scenes: vec![scene] }
}

/// Draws the moments of a talk.
pub struct Recorder {
    app: HalodiApp,
    canvas: Canvas,
    talk: Talk,
    captions: bool,
    recipe: Recipe,
    /// The frame before: when, and its pixels.
    last: Option<(f64, Pixels)>,
}

impl Recorder {
    /// Of `talk` about `subject`, drawn on the device of `gpu`.
    pub fn new(gpu: &GpuContext, subject: Subject, talk: Talk, recipe: Recipe) -> Self {
        let [width, height] = recipe.size.map(|v| v as f32);
        let pixels_per_point = height / TALK_HEIGHT;
        let canvas = Canvas::new(gpu, Vec2::new(width, height) / pixels_per_point, pixels_per_point);
        let mut app = HalodiApp::with(canvas.ctx(), FORMAT, gpu.clone(), None, DeviceChoice::Cpu, None);
        app.subject = subject;
        if gpu.is_software() {
            // A film has thousands of pictures; of fewer the grain of single rays would show.
            app.drawing.most_passes = 2;
        }
        let captions = talk.scenes.iter().any(|scene| !scene.caption.is_empty());
        Self { app, canvas, talk, captions, recipe, last: None }
    }

    /// Draw the film and write it to `path`, whose ending says the format.
    ///
    /// # Errors
    /// [`Error::Setting`] for what a film cannot be, [`Error::Output`], [`Error::Device`] where the
    /// graphics device was lost, [`Error::Cancelled`].
    pub fn record(mut self, path: &Path, progress: &FilmProgress) -> Result<()> {
        let shape = self.recipe.shape(self.talk.seconds());
        progress.of.store(shape.count, Ordering::Release);
        let provenance = self.provenance();
        let [from, rate] = [self.recipe.span[0], f64::from(shape.rate)];
        film::write(path, shape, &provenance, |number| {
            if progress.cancelled.load(Ordering::Acquire) {
                return Err(Error::Cancelled);
            }
            let frame = self.frame(from + number as f64 / rate)?;
            progress.done.store(number + 1, Ordering::Release);
            Ok(frame)
        })
    }

    /// What is seen `seconds` after the beginning of the talk.
    fn frame(&mut self, seconds: f64) -> Result<Pixels> {
        let moment = self.talk.at(seconds).ok_or_else(|| {
            Error::setting("a session without scenes", "at least one scene", "Add scenes to it in the window")
        })?;
        // Where nothing moves, the frame before will do.
        if let Some((before, pixels)) = &self.last
            && self.talk.at(*before).is_some_and(|last| looks_like(&last, &moment))
        {
            return Ok(pixels.clone());
        }
        self.app.show_moment(self.canvas.ctx(), &moment, self.captions);
        let began = Instant::now();
        let mut shapes = Vec::new();
        // The second pass knows the sizes that the first one found.
        for pass in 0.. {
            self.app.drawing.take_planned();
            let app = &mut self.app;
            shapes = self.canvas.frame(seconds, |ui| app.frame(ui));
            let waits = self.app.waits();
            if (pass > 0 && !waits) || began.elapsed() > PATIENCE {
                break;
            }
            if waits {
                std::thread::sleep(LOOK);
            }
        }
        let marches = self.app.drawing.take_planned();
        let pixels = self.canvas.pixels(shapes, &marches)?;
        self.last = Some((seconds, pixels.clone()));
        Ok(pixels)
    }

    fn provenance(&self) -> Provenance {
        let title = self.talk.scenes.first().map_or("", |scene| &scene.name);
        let made = export::made_from(&self.app);
        let details = json!({ "program": PROGRAM, "made": made.details, "scenes": self.talk });
        Provenance { title: title.to_owned(), description: made.description, details }
    }
}

/// Whether two moments are one and the same picture.
fn looks_like(a: &Moment<'_>, b: &Moment<'_>) -> bool {
    let of = |m: &Moment<'_>| (m.light, m.caption_light, m.playing);
    of(a) == of(b) && a.view == b.view && a.panes == b.panes && a.caption == b.caption
}

/// A film that is on its way.
pub struct Recording {
    progress: Arc<FilmProgress>,
    began: Instant,
}

impl Recording {
    /// One that `progress` tells of.
    pub fn new(progress: Arc<FilmProgress>) -> Self {
        Self { progress, began: Instant::now() }
    }

    /// Whether it is over, or never began.
    pub fn is_over(&self) -> bool {
        Arc::strong_count(&self.progress) == 1
    }

    /// Frames done and of the whole, once there are any.
    pub fn frames(&self) -> Option<[u64; 2]> {
        let [done, of] = [&self.progress.done, &self.progress.of].map(|v| v.load(Ordering::Acquire));
        (of > 0).then_some([done, of])
    }

    /// How long it will still take, by how long it took so far.
    pub fn left(&self) -> Option<Duration> {
        let [done, of] = self.frames()?;
        let a_frame = self.began.elapsed().as_secs_f64() / done.max(1) as f64;
        (done > 4).then(|| Duration::from_secs_f64(a_frame * (of - done) as f64))
    }

    /// End it, and wait a moment until nothing is left of it.
    pub fn give_up(&self) {
        self.cancel();
        let began = Instant::now();
        while !self.is_over() && began.elapsed() < LAST_FRAME {
            std::thread::sleep(LOOK);
        }
    }

    /// End it; nothing is left of it.
    pub fn cancel(&self) {
        self.progress.cancelled.store(true, Ordering::Release);
    }
}

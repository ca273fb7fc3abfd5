//! The window's state and its one frame function.

mod jobs;
mod leaving;
mod messages;
mod ranges;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use egui::Context;
use egui::util::undoer::Undoer;

pub(super) use self::leaving::{Leaving, Losing};
pub(super) use self::messages::{Message, write_table};
use super::analysis::Analysis;
use super::clipboard::Clipboard;
use super::dialogs::{Asked, Dialogs};
use super::drawing::Drawing;
use super::files;
use super::frame_clock::FrameClock;
use super::log::{Level, Log};
use super::panels::{drawer, empty, job_bar, status, toolbar, top_bar};
use super::preferences::Preferences;
use super::reading::Reading;
use super::recorder::{self, Recording};
use super::session::autosave::{Autosave, left_behind};
use super::session::{Checksums, ComparedRun, window as sessions};
use super::subject::{Source as Field, Subject};
use super::talk::presentation::{self, Presentation};
use super::talk::{Moment, Talk, frame};
use super::view_state::{Compare, Quantity, ViewState};
use super::workspace::{self, Part, Workspace};
use super::{commands, dialogs, theme};
use crate::device::{DeviceChoice, GpuContext};
use crate::field::Layer;
use crate::pipeline::{Job, JobConfig, Source};
use crate::predict::Stage;

/// Time between frames while a job has something new to show.
const FRAME: Duration = Duration::from_millis(33);
/// Time between frames while it has not: what is left of its time goes down.
const TICK: Duration = Duration::from_millis(500);
/// How long after a frame that broke off the loss of the device may be told.
const LOSS: Duration = Duration::from_secs(1);
/// Files that are remembered.
const RECENT: usize = 8;
/// How long a key is held before it is a hold and no press, seconds.
const HOLD: f64 = 0.3;

/// What undo undoes.
#[derive(Clone, PartialEq)]
pub(super) struct Edited {
    pub view: ViewState,
    pub talk: Talk,
}

/// The window.
pub struct HalodiApp {
    pub(super) gpu: GpuContext,
    pub(super) drawing: Drawing,
    pub(super) subject: Subject,
    pub(super) view: ViewState,
    pub(super) talk: Talk,
    /// The talk as a session has it.
    pub(super) kept_talk: Talk,
    /// The scene that was chosen in the list.
    pub(super) chosen_scene: Option<usize>,
    /// The talk that is being given.
    pub(super) presentation: Option<Presentation>,
    /// Whether a talk is given as soon as there is something to show.
    pub(super) give_when_open: bool,
    /// Whether what runs on the demo is kept for the next time.
    pub(super) keeps_prepared: bool,
    /// The session's file, once there is one.
    pub(super) session: Option<PathBuf>,
    pub(super) autosave: Option<Autosave>,
    pub(super) checksums: Checksums,
    /// Whether the view is that of a session, whose box is still to be opened.
    pub(super) restoring: bool,
    /// Runs to compare with that are still to be made.
    pub(super) waiting_runs: Vec<ComparedRun>,
    /// The one that is being made, and its number.
    pub(super) beside: Option<(usize, Job)>,
    pub(super) undoer: Undoer<Edited>,
    pub(super) workspace: Workspace,
    pub(super) analysis: Analysis,
    pub(super) dialogs: Dialogs,
    pub(super) log: Log,
    pub(super) settings: JobConfig,
    /// What the job that runs, or ran last, was asked for.
    asked_for: JobConfig,
    pub(super) device_choice: DeviceChoice,
    pub(super) job: Option<Job>,
    pub(super) frames: FrameClock,
    pub(super) recent: Vec<PathBuf>,
    pub(super) toured: bool,
    /// What is read at the probe and at marks: what is on show, what it is compared with, their
    /// difference, and the other layers.
    pub(super) readable: Vec<Reading>,
    /// The pictures of this frame, which take keys without being pressed.
    pub(super) canvases: Vec<egui::Id>,
    /// Where the parts of the window are in this frame.
    pub(super) parts: Vec<(Part, egui::Rect)>,
    /// Where values are read, in the unit cube.
    pub(super) probe: [f32; 3],
    /// Whether the probe stays where it is.
    pub(super) frozen: bool,
    /// Whether paths are written into a line of the window, never chosen in a dialog of the
    /// system.
    pub(super) writes_paths: bool,
    /// The slice that keys step through.
    pub(super) slice_axis: usize,
    /// The axis along which slices are played through.
    pub(super) playing: Option<usize>,
    /// Whether the second field is blinked to, or held.
    pub(super) flipped: bool,
    /// Since when the key that blinks is down, and how fields were compared before.
    pub(super) blink_key: Option<(f64, Compare)>,
    /// What is drawn this frame.
    pub(super) shown: Option<(Field, Option<Field>)>,
    /// How long the window's thread takes for a frame, seconds.
    pub(super) frame_time: f32,
    /// Quantities whose range was fitted to this box, and of a band of wavenumbers for which.
    fitted: BTreeMap<Quantity, Option<[f64; 2]>>,
    followed_layer: Option<Layer>,
    chosen_by_user: bool,
    told_warnings: usize,
    /// The coarser grid that the user was told of.
    told_coarser: Option<usize>,
    closing: bool,
    /// Whether the job that runs is one of networks, during which frames are timed.
    timing: bool,
    /// Whether text was typed in the frame before.
    pub(super) typing: bool,
    /// The film that is being recorded.
    pub(super) recording: Option<Recording>,
    /// Whether what is drawn now goes into a file: nothing to click, and pictures in full quality.
    pub(super) on_paper: bool,
    /// A map to compare with, which is read once the job that runs has ended.
    waiting_reference: Option<PathBuf>,
    preferences: Option<PathBuf>,
    clipboard: Clipboard,
    messages: (Sender<Message>, Receiver<Message>),
    pub(super) ctx: Context,
    /// The same for threads that outlive a window.
    waker: Arc<Mutex<Context>>,
    /// Why the graphics device was lost, once it was.
    lost: Arc<Mutex<Option<String>>>,
}

impl HalodiApp {
    /// The window's contents for a renderer of `format` on the device of `gpu`; `initial` is
    /// opened at once, and what a restart brings back is kept in the file `preferences`.
    pub fn with(
        ctx: &Context,
        format: wgpu::TextureFormat,
        gpu: GpuContext,
        initial: Option<JobConfig>,
        device_choice: DeviceChoice,
        preferences: Option<PathBuf>,
    ) -> Self {
        theme::apply(ctx);
        let remembered = preferences.as_deref().map(Preferences::read).unwrap_or_default();
        if let Some(dark) = remembered.dark {
            ctx.set_theme(if dark { egui::Theme::Dark } else { egui::Theme::Light });
        }
        let workspace = Workspace::new(&remembered.layout);
        let view = remembered.view;
        let lost = Arc::new(Mutex::new(None));
        watch(&gpu, ctx, &lost);
        let mut app = Self {
            drawing: Drawing::new(&gpu, format, repaint(ctx)),
            gpu,
            subject: Subject::default(),
            probe: view.crosshair,
            readable: Vec::new(),
            canvases: Vec::new(),
            parts: Vec::new(),
            view,
            talk: Talk::default(),
            kept_talk: Talk::default(),
            chosen_scene: None,
            presentation: None,
            give_when_open: false,
            keeps_prepared: false,
            session: None,
            autosave: None,
            checksums: Checksums::default(),
            restoring: false,
            waiting_runs: Vec::new(),
            beside: None,
            undoer: Undoer::default(),
            workspace,
            analysis: Analysis::default(),
            dialogs: Dialogs::default(),
            log: Log::default(),
            settings: initial.clone().unwrap_or_default(),
            asked_for: JobConfig::default(),
            device_choice,
            job: None,
            frames: FrameClock::default(),
            recent: remembered.recent,
            toured: remembered.toured,
            frozen: false,
            writes_paths: false,
            slice_axis: 2,
            playing: None,
            flipped: false,
            blink_key: None,
            shown: None,
            frame_time: 0.0,
            fitted: BTreeMap::new(),
            followed_layer: None,
            chosen_by_user: false,
            told_warnings: 0,
            told_coarser: None,
            closing: false,
            timing: false,
            typing: false,
            recording: None,
            on_paper: false,
            waiting_reference: None,
            preferences,
            clipboard: Clipboard::default(),
            messages: channel(),
            ctx: ctx.clone(),
            waker: Arc::new(Mutex::new(ctx.clone())),
            lost,
        };
        let sessions = app.preferences.as_deref().and_then(Path::parent).map(|folder| folder.join("open"));
        if let Some(folder) = sessions {
            app.dialogs.asked = left_behind(&folder).map(Asked::Restore);
            app.autosave = Autosave::new(&folder);
        }
        if initial.is_some() {
            app.start(Stage::Field);
        }
        app
    }

    /// Go on in another window, on another device: the one before was lost, and everything
    /// that was on it. What the computer's own memory holds is there as it was.
    pub fn go_on(&mut self, ctx: &Context, format: wgpu::TextureFormat, gpu: GpuContext) {
        let theme = self.ctx.theme();
        theme::apply(ctx);
        ctx.set_theme(theme);
        self.lost = Arc::default();
        watch(&gpu, ctx, &self.lost);
        self.ctx = ctx.clone();
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = ctx.clone();
        self.drawing = Drawing::new(&gpu, format, repaint(ctx));
        self.gpu = gpu;
        self.subject.forget_the_device();
        self.analysis.clear();
        (self.shown, self.closing) = (None, false);
        self.workspace.mend();
        self.log.say(
            Level::Warning,
            "The graphics device was lost, and the window was opened again on a new one. Nothing that was computed is gone.",
        );
    }

    /// Whether the graphics device was lost: the window is of no more use.
    pub fn is_lost(&self) -> bool {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Let paths be written into a line of the window, as on a system without dialogs.
    pub fn write_paths(&mut self) {
        self.writes_paths = true;
    }

    /// Show no field on more than `n³` voxels, as a device that holds no more.
    pub fn limit_voxels(&mut self, n: usize) {
        self.drawing.limit_voxels(n);
    }

    /// The field on show: its name and voxels per axis, for tests.
    pub fn on_show(&self) -> Option<(&str, usize)> {
        let (field, compared) = self.shown.as_ref()?;
        let seen = compared.as_ref().filter(|_| self.flipped).unwrap_or(field);
        Some((seen.name.as_str(), seen.n()))
    }

    /// What is shown, for tests.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// How it is looked at, for tests.
    pub fn view(&self) -> &ViewState {
        &self.view
    }

    /// Look otherwise.
    pub fn look(&mut self, change: impl FnOnce(&mut ViewState)) {
        change(&mut self.view);
    }

    /// The scenes of the talk, for tests.
    pub fn talk(&self) -> &Talk {
        &self.talk
    }

    /// Show one moment of a talk as its audience sees it, in full quality, and nothing else until
    /// another one is shown; `captions` tells whether the talk has any, so that there is room for
    /// them in all of its scenes. A window of [`TALK_HEIGHT`](super::TALK_HEIGHT) points has type of
    /// the right size.
    pub fn show_moment(&mut self, ctx: &Context, moment: &Moment<'_>, captions: bool) {
        presentation::hold(self, ctx, moment, captions);
    }

    /// The scene of the talk that is being given, for tests.
    pub fn scene(&self) -> Option<usize> {
        self.presentation.as_ref().and_then(Presentation::scene)
    }

    /// Whether the window waits for the user.
    fn is_at_rest(&self) -> bool {
        self.job.is_none() && !self.give_when_open && !self.presents() && !self.dialogs.are_open()
    }

    /// Whether nothing but pictures and captions is to be seen.
    pub(super) fn presents(&self) -> bool {
        self.presentation.is_some() || self.on_paper
    }

    /// What undo undoes, as it is.
    pub(super) fn edited(&self) -> Edited {
        Edited { view: self.view.clone(), talk: self.talk.clone() }
    }

    /// Put it back to what it was.
    pub(super) fn put_back(&mut self, edited: Option<Edited>) {
        if let Some(Edited { view, talk }) = edited {
            (self.view, self.talk) = (view, talk);
        }
    }

    /// Whether a job runs or is paused, for tests.
    pub fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// The job that runs or is paused, for tests.
    pub fn job(&self) -> Option<Job> {
        self.job.clone()
    }

    /// Whether what is to be drawn is not all there yet.
    pub(super) fn waits(&self) -> bool {
        let missing = self.shown.is_none() && self.subject.has(self.view.layer);
        missing || self.analysis.is_pending() || self.drawing.is_uploading()
    }

    /// The talk as a film: its scenes, or once around the box where there are none.
    pub(super) fn talk_to_record(&self) -> Talk {
        if self.talk.scenes.is_empty() { recorder::turn(&self.view) } else { self.talk.clone() }
    }

    /// How the window is left, for the next one to begin with.
    fn as_left(&self) -> Preferences {
        let theme = self.presentation.as_ref().map_or(self.ctx.theme(), Presentation::theme);
        Preferences {
            view: self.view.clone(),
            layout: self.workspace.layout(),
            dark: Some(theme == egui::Theme::Dark),
            recent: self.recent.clone(),
            toured: self.toured,
            size: Some(self.ctx.content_rect().size().into()),
        }
    }

    /// What writes that down: a window that breaks off leaves it behind.
    pub(super) fn preferences(&self) -> impl FnOnce() + Send + 'static {
        let wanted = self.preferences.clone().map(|path| (self.as_left(), path));
        // Whether it works is of no matter as long as the window is open.
        move || _ = wanted.map(|(preferences, path)| preferences.write(&path))
    }

    /// Whether nothing more will change by itself: no job, nothing worked out, the
    /// picture as fine as it gets.
    pub fn is_settled(&self) -> bool {
        self.job.is_none() && self.beside.is_none() && !self.analysis.is_pending() && !self.ctx.has_requested_repaint()
    }

    /// How often the volume was marched through so far, for tests.
    pub fn marches(&self) -> u64 {
        self.drawing.volumes.iter().map(crate::render::Offscreen::marches).sum()
    }

    /// Error messages on screen, for tests.
    pub fn errors(&self) -> Vec<&str> {
        self.log.errors()
    }

    /// Show a layer because the user wants it.
    pub(super) fn choose_layer(&mut self, layer: Layer) {
        self.view.layer = layer;
        self.chosen_by_user = true;
    }

    /// Close what is open over the picture, innermost first.
    pub(super) fn back(&mut self, ctx: &Context) {
        if self.dialogs.close_one() {
            return;
        }
        if self.presents() {
            presentation::leave(self, ctx);
        } else if self.workspace.maximised.is_some() {
            self.workspace.maximised = None;
        } else if self.view.compare != Compare::Off {
            self.view.compare = Compare::Off;
        } else {
            self.workspace.drawer = false;
        }
    }

    /// Voxels per axis of the field on show.
    pub(super) fn shown_n(&self) -> Option<usize> {
        self.shown.as_ref().map(|(field, _)| field.n())
    }

    fn dropped(&mut self, ctx: &Context) {
        if ctx.input(|input| !input.raw.hovered_files.is_empty()) {
            dialogs::drop_here(self, ctx);
        }
        let dropped = ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().to_path_buf()));
        // A path that is pasted anywhere but into a line of text is a file that is brought.
        let pasted = ctx.input(|input| {
            input.events.iter().find_map(|event| match event {
                egui::Event::Paste(text) => Some(text.clone()),
                _ => None,
            })
        });
        let pasted = pasted.filter(|_| !ctx.text_edit_focused());
        let path = match (dropped, pasted) {
            (Some(path), _) => path,
            (None, Some(text)) => match files::path_of(&text).filter(|path| path.exists()) {
                Some(path) => path,
                None => {
                    self.log.say(Level::Info, "What is on the clipboard is no path of a file that is there.");
                    return;
                }
            },
            (None, None) => return,
        };
        if self.subject.opened().is_some() {
            self.dialogs.asked = Some(Asked::Dropped(path));
        } else {
            self.leave(Leaving::For(Source::File(path)));
        }
    }

    /// What a press of the key that blinks does; held, it is a glance.
    pub(super) fn blink_pressed(&mut self, ctx: &Context) {
        self.blink_key.get_or_insert((ctx.input(|i| i.time), self.view.compare));
    }

    /// Text of the system's clipboard, where the window system gives none by itself.
    pub(super) fn paste(&mut self, input: &mut egui::RawInput) {
        self.clipboard.paste(input);
    }

    fn play(&mut self, ctx: &Context) {
        if let Some(axis) = self.playing
            && let Some(n) = self.shown_n()
        {
            let beat = Duration::from_millis(90);
            let due = ctx.data_mut(|data| {
                let last = data.get_temp_mut_or_insert_with(egui::Id::unique("play"), std::time::Instant::now);
                let due = last.elapsed() >= beat;
                if due {
                    *last = std::time::Instant::now();
                }
                due
            });
            if due {
                commands::step(self, axis, 1, n);
            }
            ctx.request_repaint_after(beat / 2);
        }
        // Blinking is a matter of time, and of the key that holds the second field.
        self.flipped = false;
        let now = ctx.input(|i| i.time);
        let down = ctx.input(|i| i.key_down(egui::Key::B));
        let held = self.blink_key.filter(|(since, _)| now - since > HOLD);
        if let Some((since, before)) = self.blink_key.filter(|_| !down) {
            // A hold is a glance, and leaves things as they were.
            if now - since > HOLD {
                self.view.compare = before;
            }
            self.blink_key = None;
        } else if held.is_some() {
            self.view.compare = Compare::Blink;
            self.flipped = self.subject.can_compare(&self.view);
        } else if self.blink_key.is_some() {
            ctx.request_repaint_after(Duration::from_millis(30));
        } else if self.subject.comparing(&self.view) == Compare::Blink {
            let beat = 0.7;
            self.flipped = (ctx.input(|i| i.time) / beat) as u64 % 2 == 1;
            ctx.request_repaint_after(Duration::from_millis(120));
        }
    }

    /// One frame, on a screen that was cleared with the colour of panels: a renderer in software fills a whole window
    /// far slower than it clears one.
    pub fn frame(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        if !self.is_lost() {
            let began = std::time::Instant::now();
            let drawn = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.draw(ui)));
            self.frame_time = 0.8 * self.frame_time + 0.2 * began.elapsed().as_secs_f32();
            let Err(panic) = drawn else { return };
            // On a device that is lost in the middle of a frame, the frame breaks off, perhaps before the loss is told.
            let patience = std::time::Instant::now();
            while !self.is_lost() {
                if patience.elapsed() > LOSS {
                    std::panic::resume_unwind(panic);
                }
                let _ = self.gpu.device.poll(wgpu::PollType::Poll);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        // Nothing can be drawn any more; who opened the window opens another.
        self.close(&ctx);
    }

    fn draw(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.listen(&ctx);
        if self.give_when_open && !self.restoring && self.subject.opened().is_some() && self.dialogs.asked.is_none() {
            self.give_when_open = false;
            presentation::start(self, &ctx, 0);
        }
        // Whoever sees the window for the first time is shown around, once.
        if !self.toured && self.preferences.is_some() && self.subject.opened().is_some() && self.is_at_rest() {
            self.toured = true;
            self.dialogs.tour = Some(0);
        }
        presentation::keys(self, &ctx);
        commands::keys(self, &ctx);
        presentation::advance(self, &ctx);
        self.canvases.clear();
        self.parts.clear();
        self.dropped(&ctx);
        self.closing(&ctx);
        self.play(&ctx);
        let running = self.job.as_ref().is_some_and(|job| !job.control.is_paused());
        if running && self.timing {
            self.frames.frame();
        } else {
            self.frames.stop();
        }
        if self.job.is_some() {
            ctx.request_repaint_after(TICK);
        }
        self.shown = self.analysis.shown(&ctx, &self.subject, &self.view);
        self.coarser(&ctx);
        self.readable = self.analysis.readings(&ctx, &self.subject, &self.view);
        self.fit(&ctx);
        self.sync(&ctx);

        let seen = self.presentation.as_ref().map(|presentation| presentation.seen.clone());
        // On the way to a talk the audience sees no more of the window than that it reads.
        if seen.is_none() && !self.give_when_open {
            top_bar::show(self, ui);
            status::show(self, ui);
            job_bar::show(self, ui);
            drawer::show(self, ui);
        }
        egui::CentralPanel::default().frame(egui::Frame::new()).show(ui, |ui| {
            if self.subject.opened().is_none() {
                empty::show(self, ui);
                return;
            }
            match &seen {
                Some(seen) => frame::show(self, ui, seen),
                None => {
                    toolbar::show(self, ui);
                    workspace::show(self, ui);
                }
            }
        });
        dialogs::show(self, ui);
        // Before an audience, what there is to tell waits in the log.
        match seen {
            Some(_) => presentation::hide_cursor(&ctx),
            None => self.log.toasts(ui, 70.0),
        }
        match self.clipboard.take(&ctx) {
            Ok(true) => self.log.say(Level::Info, "The picture is on the clipboard."),
            Ok(false) => {}
            Err(reason) => {
                self.log.say(Level::Error, format!("The clipboard is out of reach ({reason}); nothing was copied."));
            }
        }
        if !ctx.input(|i| i.pointer.any_down()) && !self.presents() {
            let edited = self.edited();
            self.undoer.feed_state(ctx.input(|i| i.time), &edited);
        }
        sessions::autosave(self, &ctx);
        self.typing = ctx.text_edit_focused();
    }

    /// Where a field has more voxels than the device shows, a coarser one takes its place on
    /// screen, and the user is told.
    fn coarser(&mut self, ctx: &Context) {
        let most = self.drawing.most_voxels();
        let Some((shown, compared)) = self.shown.take() else { return };
        let n = shown.n();
        if n <= most {
            self.shown = Some((shown, compared));
            return;
        }
        if self.told_coarser != Some(n) {
            self.told_coarser = Some(n);
            self.log.say(
                Level::Info,
                format!(
                    "{n}³ voxels are more than this device shows: pictures are drawn on {}³. Values under the cursor, spectra and results are those of the whole field.",
                    coarser_size(n, most)
                ),
            );
        }
        let Some(shown) = self.analysis.coarser(ctx, &shown, coarser_size(n, most), false) else { return };
        let compared = compared.and_then(|c| self.analysis.coarser(ctx, &c, coarser_size(n, most), true));
        self.shown = Some((shown, compared));
    }

    fn sync(&mut self, ctx: &Context) {
        let Some((shown, compared)) = self.shown.clone() else { return };
        let scales = self.scales();
        let opacity = self.view.opacity(shown.quantity);
        // What is not compared is not uploaded.
        let both = self.subject.comparing(&self.view) != Compare::Off;
        let compared = compared.filter(|_| both);
        let more = self.drawing.sync(&self.subject, &shown, compared.as_ref(), scales, opacity, self.view.mode);
        if more {
            ctx.request_repaint();
        }
        self.shown = Some((shown, compared));
    }
}

/// What asks for another frame.
fn repaint(ctx: &Context) -> impl Fn() + Send + Sync + Clone + 'static {
    let ctx = ctx.clone();
    move || ctx.request_repaint()
}

/// Hear of the loss of the device of `gpu`.
fn watch(gpu: &GpuContext, ctx: &Context, lost: &Arc<Mutex<Option<String>>>) {
    let (ctx, lost) = (ctx.clone(), lost.clone());
    gpu.on_loss(move |reason| {
        *lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        ctx.request_repaint();
    });
}

/// Voxels of the finest grid of at most `most³` that whole voxels of `n³` make up; where
/// that would be far coarser than need be, of the largest there may be.
fn coarser_size(n: usize, most: usize) -> usize {
    let whole = (n.div_ceil(most)..=n).find(|factor| n.is_multiple_of(*factor)).map_or(1, |factor| n / factor);
    if 3 * whole >= 2 * most { whole } else { most }
}

impl Drop for HalodiApp {
    fn drop(&mut self) {
        // Nobody is left to look at it.
        if let Some(recording) = &self.recording {
            recording.give_up();
        }
        self.stop();
        // It writes no more.
        self.autosave = None;
        if let Some(path) = &self.preferences {
            // There is no window left to say so.
            let _ = self.as_left().write(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::coarser_size;

    #[test]
    fn a_coarser_grid_is_as_fine_as_it_may_be() {
        assert_eq!(
            [(1024, 512), (1024, 2048 / 3), (768, 512), (600, 512), (257, 256), (513, 512)]
                .map(|(n, most)| coarser_size(n, most)),
            [512, 512, 384, 512, 256, 512]
        );
    }
}

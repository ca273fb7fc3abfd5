//! The window's state and its one frame function.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use egui::Context;
use egui::util::undoer::Undoer;

use super::analysis::Analysis;
use super::clipboard::Clipboard;
use super::dialogs::{Asked, Dialogs};
use super::drawing::Drawing;
use super::frame_clock::FrameClock;
use super::log::{Level, Log};
use super::panels::{drawer, empty, job_bar, status, toolbar, top_bar};
use super::scene::{FieldId, LAYERS, Scene, Source as Field};
use super::session::Session;
use super::view_state::{Compare, Partner, Quantity, ViewState};
use super::workspace::{self, Workspace};
use super::{commands, dialogs, export, theme};
use crate::device::{DeviceChoice, GpuContext};
use crate::error::Error;
use crate::field::{Grid, Layer};
use crate::pipeline::{self, Ended, Job, JobConfig, JobView, Source, Watch};
use crate::predict::Stage;
use crate::render::ColorScale;
use crate::report;

/// Time between frames while a job runs.
const FRAME: Duration = Duration::from_millis(33);
/// Files that are remembered.
const RECENT: usize = 8;

/// What a background task of the window brings back.
pub(super) enum Message {
    /// A snapshot was chosen.
    Open(PathBuf),
    /// A reference was chosen.
    Reference(PathBuf),
    /// Results were written there.
    Saved(PathBuf),
    /// A picture or a table was written there.
    Written(PathBuf),
    /// A picture for the clipboard.
    Picture(egui::ColorImage),
    /// It did not work.
    Failed(Error),
}

/// The window.
pub struct HalodiApp {
    pub(super) gpu: GpuContext,
    pub(super) drawing: Drawing,
    pub(super) scene: Scene,
    pub(super) view: ViewState,
    pub(super) undoer: Undoer<ViewState>,
    pub(super) workspace: Workspace,
    pub(super) analysis: Analysis,
    pub(super) dialogs: Dialogs,
    pub(super) log: Log,
    pub(super) settings: JobConfig,
    pub(super) device_choice: DeviceChoice,
    pub(super) job: Option<Job>,
    pub(super) frames: FrameClock,
    pub(super) recent: Vec<PathBuf>,
    pub(super) toured: bool,
    /// Fields that the probe reads, those that are in the computer's own memory.
    pub(super) readable: Vec<(Layer, Arc<Grid>)>,
    /// The pictures of this frame, which take keys without being pressed.
    pub(super) canvases: Vec<egui::Id>,
    /// Where values are read, in the unit cube.
    pub(super) probe: [f32; 3],
    /// Whether the probe stays where it is.
    pub(super) frozen: bool,
    /// The slice that keys step through.
    pub(super) slice_axis: usize,
    pub(super) playing: bool,
    /// Whether the second field is blinked to, or held.
    pub(super) flipped: bool,
    /// What is drawn this frame.
    pub(super) shown: Option<(Field, Option<Field>)>,
    /// When the last frame began, and how long frames take.
    pub(super) frame_time: f32,
    /// Quantities whose range was fitted to this box.
    fitted: Vec<Quantity>,
    followed_layer: Option<Layer>,
    chosen_by_user: bool,
    told_warnings: usize,
    closing: bool,
    session: Option<PathBuf>,
    clipboard: Clipboard,
    messages: (Sender<Message>, Receiver<Message>),
    ctx: Context,
}

impl HalodiApp {
    /// The window's contents; `initial` is opened at once.
    ///
    /// # Errors
    /// Where eframe did not come up on wgpu.
    pub fn new(
        cc: &eframe::CreationContext<'_>,
        gpu: GpuContext,
        initial: Option<JobConfig>,
        device_choice: DeviceChoice,
    ) -> Result<Self, Error> {
        let format = cc.wgpu_render_state.as_ref().map(|state| state.target_format).ok_or_else(|| {
            Error::device("the window has no wgpu renderer", "Report this, with the output of 'halodi view'")
        })?;
        Ok(Self::with(&cc.egui_ctx, format, gpu, initial, device_choice, Session::path()))
    }

    /// As [`HalodiApp::new`], for a renderer of `format` on the device of `gpu`; what a
    /// restart brings back is kept in the file `session`.
    pub fn with(
        ctx: &Context,
        format: wgpu::TextureFormat,
        gpu: GpuContext,
        initial: Option<JobConfig>,
        device_choice: DeviceChoice,
        session: Option<PathBuf>,
    ) -> Self {
        theme::apply(ctx);
        let remembered = session.as_deref().map(Session::read).unwrap_or_default();
        if let Some(dark) = remembered.dark {
            ctx.set_theme(if dark { egui::Theme::Dark } else { egui::Theme::Light });
        }
        let workspace = Workspace::new(&remembered);
        let view = remembered.view;
        let mut app = Self {
            drawing: Drawing::new(&gpu, format),
            gpu,
            scene: Scene::default(),
            probe: view.crosshair,
            readable: Vec::new(),
            canvases: Vec::new(),
            view,
            undoer: Undoer::default(),
            workspace,
            analysis: Analysis::default(),
            dialogs: Dialogs::default(),
            log: Log::default(),
            settings: initial.clone().unwrap_or_default(),
            device_choice,
            job: None,
            frames: FrameClock::default(),
            recent: remembered.recent,
            toured: remembered.toured,
            frozen: false,
            slice_axis: 2,
            playing: false,
            flipped: false,
            shown: None,
            frame_time: 0.0,
            fitted: Vec::new(),
            followed_layer: None,
            chosen_by_user: false,
            told_warnings: 0,
            closing: false,
            session,
            clipboard: Clipboard::default(),
            messages: channel(),
            ctx: ctx.clone(),
        };
        if initial.is_some() {
            app.start(Stage::Field);
        }
        app
    }

    /// What is shown, for tests.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// How it is looked at, for tests.
    pub fn view(&self) -> &ViewState {
        &self.view
    }

    /// Look otherwise.
    pub fn look(&mut self, change: impl FnOnce(&mut ViewState)) {
        change(&mut self.view);
    }

    /// Whether a job runs or is paused, for tests.
    pub fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// Whether nothing more will change by itself: no job, nothing worked out, the
    /// picture as fine as it gets.
    pub fn is_settled(&self) -> bool {
        self.job.is_none() && !self.analysis.is_pending() && !self.ctx.has_requested_repaint()
    }

    /// How often the volume was marched through so far, for tests.
    pub fn marches(&self) -> u64 {
        self.drawing.volumes.iter().map(crate::render::Offscreen::marches).sum()
    }

    /// Error messages on screen, for tests.
    pub fn errors(&self) -> Vec<&str> {
        self.log.errors()
    }

    /// Start the job that the settings describe, up to `until`.
    pub(super) fn start(&mut self, until: Stage) {
        if self.job.is_some() {
            return;
        }
        let config = JobConfig { until, ..self.settings.clone() };
        self.frames.restart();
        self.chosen_by_user = false;
        self.followed_layer = None;
        self.told_warnings = 0;
        let waker = self.ctx.clone();
        self.job = Some(pipeline::spawn(config, self.device_choice, move || waker.request_repaint_after(FRAME)));
    }

    /// Open a source (ending a job that runs).
    pub fn open(&mut self, source: Source) {
        if let Some(job) = self.job.take() {
            job.control.cancel();
        }
        if let Source::File(path) = &source {
            self.recent.retain(|p| p != path);
            self.recent.insert(0, path.clone());
            self.recent.truncate(RECENT);
        }
        self.settings.source = source;
        self.settings.grid = None;
        self.settings.reference = None;
        self.start(Stage::Field);
    }

    /// Compare what is open with a reference map.
    pub fn open_reference(&mut self, path: PathBuf) {
        if let Some(job) = self.job.take() {
            job.control.cancel();
        }
        self.settings.reference = Some(path);
        self.start(Stage::Field);
    }

    /// Show a layer because the user wants it.
    pub(super) fn choose_layer(&mut self, layer: Layer) {
        self.view.layer = layer;
        self.chosen_by_user = true;
    }

    /// Run a task off the window's thread and hear of it later.
    pub(super) fn background(&self, task: impl FnOnce() -> Option<Message> + Send + 'static) {
        let (sender, ctx) = (self.messages.0.clone(), self.ctx.clone());
        std::thread::spawn(move || {
            if let Some(message) = task() {
                // The window may be gone by now.
                let _ = sender.send(message);
                ctx.request_repaint();
            }
        });
    }

    pub(super) fn choose_snapshot(&self, _: &Context) {
        self.background(|| rfd::FileDialog::new().set_title("Open snapshot").pick_file().map(Message::Open));
    }

    pub(super) fn choose_reference(&self, _: &Context) {
        self.background(|| rfd::FileDialog::new().set_title("21 cm reference map").pick_file().map(Message::Reference));
    }

    /// Write the last result into a folder of the user's choice.
    pub(super) fn save_results(&self, _: &Context) {
        let Some(outcome) = self.scene.outcome.clone() else { return };
        let mut outcome = (*outcome).clone();
        outcome.frame_times = self.frames.summary();
        self.background(move || {
            let folder = rfd::FileDialog::new().set_title("Folder for the results").pick_folder()?;
            Some(match report::write_outcome(&folder, &outcome) {
                Ok(_) => Message::Saved(folder),
                Err(error) => Message::Failed(error),
            })
        });
    }

    /// Copy the picture of the volume to the clipboard.
    pub(super) fn copy_picture(&mut self, ctx: &Context) {
        let capture = export::capture(self, ctx, 2.0);
        self.background(move || {
            Some(match capture.image() {
                Ok(image) => Message::Picture(image),
                Err(error) => Message::Failed(error),
            })
        });
    }

    /// Copy the spectra to the clipboard, a table with commas.
    pub(super) fn copy_spectra(&mut self, ctx: &Context) {
        let mut text = String::from("k [h/Mpc]");
        let spectra = &self.scene.job.spectra;
        for series in spectra.keys() {
            text += &format!(",{}", series.name());
        }
        let rows = spectra.values().map(|s| s.complete_shells()).min().unwrap_or(0);
        for row in 0..rows {
            let k = spectra.values().next().map_or(0.0, |s| s.k[row]);
            text += &format!("\n{k:.6}");
            for spectrum in spectra.values() {
                text += &format!(",{:.6e}", spectrum.power[row]);
            }
        }
        ctx.copy_text(text);
        self.log.say(Level::Info, "The spectra are on the clipboard, as a table.");
    }

    /// Take the range that suits the field on show, once.
    pub(super) fn fit_range(&mut self) {
        if let Some((shown, _)) = &self.shown {
            self.fitted.retain(|q| *q != shown.quantity);
            self.view.scales.remove(&shown.quantity);
            self.analysis.refit();
        }
    }

    /// Close what is open over the picture, innermost first.
    pub(super) fn back(&mut self) {
        if self.dialogs.close_one() {
            return;
        }
        if self.workspace.talk {
            self.workspace.talk = false;
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

    /// Colour ranges of the field on show and of the one it is compared with: one and the
    /// same where both hold the same.
    pub(super) fn scales(&self) -> [ColorScale; 2] {
        let quantity = self.shown.as_ref().map_or(Quantity::Matter, |(field, _)| field.quantity);
        [self.view.scale(quantity); 2]
    }

    fn listen(&mut self, ctx: &Context) {
        while let Ok(message) = self.messages.1.try_recv() {
            match message {
                Message::Open(path) => self.open(Source::File(path)),
                Message::Reference(path) => self.open_reference(path),
                Message::Saved(folder) => {
                    self.scene.saved = true;
                    self.log.say(Level::Info, format!("The results are in {}.", folder.display()));
                }
                Message::Written(path) => self.log.say(Level::Info, format!("Written: {}.", path.display())),
                Message::Picture(image) => {
                    ctx.copy_image(image);
                    self.log.say(Level::Info, "The picture is on the clipboard.");
                }
                Message::Failed(error) => self.log.say(Level::Error, error.to_string()),
            }
        }
        let Some(job) = &self.job else { return };
        job.look_at(Watch { fields: true, spectra: true });
        let news = job.view();
        let ended = news.ended.clone();
        if news.opened.is_some() {
            self.follow(news);
        }
        match ended {
            None => return,
            Some(Ended::Finished(_) | Ended::Cancelled) => {}
            Some(Ended::Failed(error)) => {
                self.log.say(Level::Error, error.to_string());
                // The settings follow what is still open.
                self.settings.reference = None;
            }
        }
        self.job = None;
        self.frames.stop();
    }

    fn follow(&mut self, news: JobView) {
        if news.job == self.scene.job.job && news.version == self.scene.job.version {
            return;
        }
        let new_job = news.job != self.scene.job.job;
        let new_box = self.scene.follow(news);
        if new_job {
            self.analysis.clear();
            self.drawing.clear();
        }
        if new_box && new_job {
            // A view that a restart brought back belongs to the box that was open then.
            self.fitted.clear();
            self.view.forget_box();
            self.undoer = Undoer::default();
        }
        for warning in &self.scene.job.warnings[self.told_warnings.min(self.scene.job.warnings.len())..] {
            self.log.say(Level::Warning, warning.clone());
        }
        self.told_warnings = self.scene.job.warnings.len();
        // What is being made comes to the front, unless the user looks elsewhere.
        let newest = [Layer::BrightnessTemperature, Layer::ConditionalMean, Layer::HaloMass(1), Layer::DarkMatter]
            .into_iter()
            .find(|layer| self.scene.has(*layer));
        if let Some(layer) = newest
            && self.followed_layer != Some(layer)
        {
            self.followed_layer = Some(layer);
            let gone = !self.scene.has(self.view.layer);
            if !self.chosen_by_user || gone {
                self.view.layer = layer;
            }
        }
        if let Partner::Run(number) = self.view.partner
            && !self.scene.runs.iter().any(|r| r.number == number)
        {
            self.view.partner = Partner::Reference;
        }
    }

    /// Fit colour ranges to a box when it is opened, and leave them alone afterwards.
    fn fit(&mut self, ctx: &Context) {
        let Some((shown, _)) = &self.shown else { return };
        let quantity = shown.quantity;
        if self.fitted.contains(&quantity) || self.view.scales.contains_key(&quantity) {
            return;
        }
        let reference = self.scene.field(FieldId::Layer(Layer::Reference));
        let asked = self.analysis.asked_to_fit();
        let of = match quantity {
            // One range for prediction and reference, known before the first is made.
            Quantity::Temperature if !asked => match reference {
                Some(reference) => reference,
                None => return,
            },
            Quantity::HaloMass(_) if !asked => return,
            _ if shown.complete || asked => shown.clone(),
            _ => return,
        };
        let default = quantity.default_scale();
        if let Some([low, high]) = self.analysis.suggested(ctx, &of, default) {
            self.view.scales.insert(quantity, default.with_ends(low, high));
            self.fitted.push(quantity);
            self.analysis.fitted();
        }
    }

    fn dropped(&mut self, ctx: &Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().to_path_buf()));
        let Some(path) = dropped else { return };
        if self.scene.opened().is_some() {
            self.dialogs.asked = Some(Asked::Dropped(path));
        } else {
            self.open(Source::File(path));
        }
    }

    /// Ask once before a running job or an unsaved result is lost.
    fn closing(&mut self, ctx: &Context) {
        if !ctx.input(|input| input.viewport().close_requested()) || self.closing {
            return;
        }
        let unsaved = self.scene.outcome.is_some() && !self.scene.saved;
        if self.job.is_some() || unsaved {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.dialogs.asked = Some(Asked::Close { running: self.job.is_some() });
        }
    }

    /// Close the window without asking again.
    pub(super) fn close(&mut self, ctx: &Context) {
        self.closing = true;
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    fn play(&mut self, ctx: &Context) {
        if self.playing
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
                let axis = self.slice_axis;
                self.view.step(axis, 1, n);
            }
            ctx.request_repaint_after(beat / 2);
        }
        // Blinking is a matter of time, and of the key that holds the second field.
        self.flipped = false;
        if self.scene.comparing(&self.view) == Compare::Blink {
            let beat = 0.7;
            self.flipped = (ctx.input(|i| i.time) / beat) as u64 % 2 == 1;
            ctx.request_repaint_after(Duration::from_millis(120));
        }
    }

    /// One frame.
    pub fn frame(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.frame_time = 0.9 * self.frame_time + 0.1 * ctx.input(|i| i.unstable_dt).min(1.0);
        self.listen(&ctx);
        commands::keys(self, &ctx);
        self.canvases.clear();
        self.dropped(&ctx);
        self.closing(&ctx);
        self.play(&ctx);
        let running = self.job.as_ref().is_some_and(|job| !job.control.is_paused());
        if running {
            self.frames.frame();
        } else {
            self.frames.stop();
        }
        if self.job.is_some() {
            ctx.request_repaint_after(FRAME * 3);
        }
        self.shown = self.analysis.shown(&ctx, &self.scene, &self.view);
        self.readable = LAYERS
            .into_iter()
            .filter_map(|layer| {
                let field = match (layer, self.scene.step) {
                    (Layer::BrightnessTemperature, Some(index)) => FieldId::Step { index, latent: self.view.latent },
                    _ => FieldId::Layer(layer),
                };
                let source = self.scene.field(field)?;
                Some((layer, self.analysis.host(&ctx, &source)?))
            })
            .collect();
        if self.flipped
            && let Some((shown, compared)) = &mut self.shown
            && let Some(second) = compared.take()
        {
            *compared = Some(std::mem::replace(shown, second));
        }
        self.fit(&ctx);
        self.sync(&ctx);

        if !self.workspace.talk {
            top_bar::show(self, ui);
            status::show(self, ui);
            job_bar::show(self, ui);
            drawer::show(self, ui);
        }
        let fill = ui.visuals().panel_fill;
        egui::CentralPanel::default().frame(egui::Frame::new().fill(fill)).show(ui, |ui| {
            if self.scene.opened().is_none() {
                empty::show(self, ui);
                return;
            }
            if !self.workspace.talk {
                toolbar::show(self, ui);
            }
            workspace::show(self, ui);
        });
        dialogs::show(self, ui);
        self.log.toasts(ui, if self.workspace.talk { 0.0 } else { 70.0 });
        if let Err(reason) = self.clipboard.take(&ctx) {
            self.log.say(Level::Error, format!("The clipboard is out of reach ({reason}); nothing was copied."));
        }
        if !ctx.input(|i| i.pointer.any_down()) {
            self.undoer.feed_state(ctx.input(|i| i.time), &self.view);
        }
    }

    fn sync(&mut self, ctx: &Context) {
        let Some((shown, compared)) = self.shown.clone() else { return };
        if shown.n() > self.drawing.most_voxels() {
            self.log.say(
                Level::Error,
                format!(
                    "The field has {}³ voxels and this device shows {}³ at most; choose a smaller grid in the settings.",
                    shown.n(),
                    self.drawing.most_voxels()
                ),
            );
            self.shown = None;
            return;
        }
        let scales = self.scales();
        let opacity = self.view.opacity(shown.quantity);
        // What is not compared is not uploaded.
        let both = self.scene.comparing(&self.view) != Compare::Off;
        let compared = compared.filter(|_| both);
        let more = self.drawing.sync(&self.scene, &shown, compared.as_ref(), scales, opacity, self.view.mode);
        if more {
            ctx.request_repaint();
        }
        self.shown = Some((shown, compared));
    }
}

impl eframe::App for HalodiApp {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.frame(ui);
    }
}

impl Drop for HalodiApp {
    fn drop(&mut self) {
        // Nobody is left to look at it.
        if let Some(job) = &self.job {
            job.control.cancel();
        }
        if let Some(path) = &self.session {
            let session = Session {
                view: self.view.clone(),
                arrangement: self.workspace.arrangement(),
                drawer: self.workspace.drawer,
                dark: Some(self.ctx.theme() == egui::Theme::Dark),
                recent: std::mem::take(&mut self.recent),
                toured: self.toured,
                size: Some(self.ctx.content_rect().size().into()),
            };
            // There is no window left to say so.
            let _ = session.write(path);
        }
    }
}

/// A table written in the background, atomically.
pub(super) fn write_table(app: &HalodiApp, title: &'static str, name: &'static str, text: String) {
    app.background(move || {
        let path = rfd::FileDialog::new().set_title(title).set_file_name(name).save_file()?;
        Some(match crate::io::atomic::write(&path, text.as_bytes()) {
            Ok(()) => Message::Written(path),
            Err(error) => Message::Failed(error),
        })
    });
}

/// The layers whose values are in the computer's own memory.
pub(super) fn read_fields(app: &HalodiApp) -> Vec<Field> {
    let values = |(layer, grid): &(Layer, Arc<Grid>)| {
        let source = app.scene.field(FieldId::Layer(*layer))?;
        Some(Field { values: pipeline::FieldValues::Host(grid.clone()), ..source })
    };
    app.readable.iter().filter_map(values).collect()
}

//! The window's state and its one frame function.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::frame_clock::FrameClock;
use super::scene::Scene;
use super::viewport::Viewport;
use super::{controls, spectra, theme};
use crate::device::{DeviceChoice, GpuContext};
use crate::error::Error;
use crate::field::Layer;
use crate::pipeline::{self, Ended, Job, JobConfig, Source, Watch};
use crate::predict::Stage;
use crate::render::VolumeCanvas;
use crate::report;

/// Time between frames while a job runs.
const FRAME: Duration = Duration::from_millis(33);

/// What a background task of the window brings back.
pub(super) enum Message {
    /// A snapshot was chosen.
    Open(PathBuf),
    /// A reference was chosen.
    Reference(PathBuf),
    /// Results were written there.
    Saved(PathBuf),
    /// It did not work.
    Failed(Error),
}

/// The window.
pub struct HalodiApp {
    ctx: egui::Context,
    pub(super) gpu: GpuContext,
    pub(super) canvas: Arc<VolumeCanvas>,
    pub(super) scene: Scene,
    pub(super) settings: JobConfig,
    pub(super) device_choice: DeviceChoice,
    pub(super) job: Option<Job>,
    pub(super) errors: Vec<String>,
    pub(super) saved: Option<PathBuf>,
    pub(super) frames: FrameClock,
    pub(super) viewport: Viewport,
    pub(super) talk: bool,
    quantity: spectra::Quantity,
    messages: (std::sync::mpsc::Sender<Message>, Receiver<Message>),
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
        Ok(Self::with(&cc.egui_ctx, format, gpu, initial, device_choice))
    }

    /// As [`HalodiApp::new`], for a renderer of `format` on the device of `gpu`.
    pub fn with(
        ctx: &egui::Context,
        format: wgpu::TextureFormat,
        gpu: GpuContext,
        initial: Option<JobConfig>,
        device_choice: DeviceChoice,
    ) -> Self {
        theme::apply(ctx);
        let mut app = Self {
            ctx: ctx.clone(),
            canvas: VolumeCanvas::new(gpu.clone(), || ()),
            viewport: Viewport::new(&gpu, format),
            gpu,
            scene: Scene::default(),
            settings: initial.clone().unwrap_or_default(),
            device_choice,
            job: None,
            errors: Vec::new(),
            saved: None,
            frames: FrameClock::default(),
            talk: false,
            quantity: spectra::Quantity::default(),
            messages: channel(),
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

    /// Whether a job runs or is paused, for tests.
    pub fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// Error messages on screen, for tests.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Start the job that the settings describe, up to `until`.
    pub(super) fn start(&mut self, until: Stage) {
        if self.job.is_some() {
            return;
        }
        let config = JobConfig { until, ..self.settings.clone() };
        self.frames.restart();
        self.saved = None;
        let ctx = self.ctx.clone();
        let job = pipeline::spawn(config, self.device_choice, move || ctx.request_repaint_after(FRAME));
        job.look_at(Watch { fields: true, spectra: true });
        self.job = Some(job);
    }

    /// Open a file (ending a job that runs).
    pub fn open(&mut self, source: Source) {
        if let Some(job) = self.job.take() {
            job.control.cancel();
        }
        self.settings.source = source;
        self.settings.grid = None;
        self.settings.reference = None;
        self.start(Stage::Field);
    }

    /// Run a task off the window's thread and hear of it later.
    pub(super) fn background(&self, ctx: &egui::Context, task: impl FnOnce() -> Option<Message> + Send + 'static) {
        let (sender, ctx) = (self.messages.0.clone(), ctx.clone());
        std::thread::spawn(move || {
            if let Some(message) = task() {
                // The window may be gone by now.
                let _ = sender.send(message);
                ctx.request_repaint();
            }
        });
    }

    /// Write the last result into a folder of the user's choice.
    pub(super) fn save(&self, ctx: &egui::Context) {
        let Some(outcome) = self.scene.outcome.clone() else { return };
        let mut outcome = (*outcome).clone();
        outcome.frame_times = self.frames.summary();
        self.background(ctx, move || {
            let folder = rfd::FileDialog::new().set_title("Folder for the results").pick_folder()?;
            Some(match report::write_outcome(&folder, &outcome) {
                Ok(_) => Message::Saved(folder),
                Err(error) => Message::Failed(error),
            })
        });
    }

    fn listen(&mut self) {
        while let Ok(message) = self.messages.1.try_recv() {
            match message {
                Message::Open(path) => self.open(Source::File(path)),
                Message::Reference(path) => {
                    self.settings.reference = Some(path);
                    self.start(Stage::Field);
                }
                Message::Saved(folder) => self.saved = Some(folder),
                Message::Failed(error) => self.errors.push(error.to_string()),
            }
        }
        let ended = self.job.as_ref().and_then(|job| self.scene.follow(&job.view(), &self.canvas));
        if let Some(layer) = self.scene.new_layer.take() {
            self.viewport.layer = layer;
        }
        if let Some(ended) = ended {
            self.job = None;
            self.frames.stop();
            if let Ended::Failed(error) = ended {
                self.errors.push(error.to_string());
                // The settings follow what is still open.
                self.settings.reference = None;
            }
        }
    }

    fn keys(&mut self, ctx: &egui::Context) {
        if ctx.egui_wants_keyboard_input() {
            return;
        }
        let layers = [
            egui::Key::Num1,
            egui::Key::Num2,
            egui::Key::Num3,
            egui::Key::Num4,
            egui::Key::Num5,
            egui::Key::Num6,
            egui::Key::Num7,
        ];
        let (mut toggle, mut talk, mut step) = (false, false, 0);
        ctx.input(|input| {
            for (key, layer) in layers.into_iter().zip(Layer::ALL) {
                if input.key_pressed(key) {
                    self.viewport.layer = layer;
                }
            }
            toggle = input.key_pressed(egui::Key::Space);
            talk = input.key_pressed(egui::Key::F);
            step = i32::from(input.key_pressed(egui::Key::PageUp)) - i32::from(input.key_pressed(egui::Key::PageDown));
        });
        if talk {
            self.talk = !self.talk;
        }
        if step != 0 {
            self.viewport.step(step, &self.canvas);
        }
        if toggle {
            match &self.job {
                Some(job) => job.control.set_paused(!job.control.is_paused()),
                None => self.start(Stage::Statistics),
            }
        }
    }
}

impl eframe::App for HalodiApp {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        self.frame(ui);
    }
}

impl HalodiApp {
    /// One frame.
    pub fn frame(&mut self, ui: &mut egui::Ui) {
        let ctx = ui.ctx().clone();
        self.listen();
        self.keys(&ctx);
        let running = self.job.as_ref().is_some_and(|job| !job.control.is_paused());
        if running {
            self.frames.frame();
        } else {
            self.frames.stop();
        }
        if self.job.is_some() {
            ctx.request_repaint_after(FRAME);
        }
        if let Some(path) = ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().to_path_buf())) {
            self.open(Source::File(path));
        }

        self.banner(ui);
        if !self.talk {
            egui::Panel::left("controls").exact_size(310.0).resizable(false).show(ui, |ui| controls::show(self, ui));
            egui::Panel::right("spectra").default_size(430.0).min_size(320.0).show(ui, |ui| {
                ui.add_space(4.0);
                let height = ui.available_height();
                ui.allocate_ui(egui::vec2(ui.available_width(), height * 0.5 - 8.0), |ui| {
                    self.viewport.slice(ui, &self.gpu, &self.canvas, &self.scene);
                });
                ui.separator();
                spectra::show(ui, &self.scene, &mut self.quantity);
            });
        }
        egui::CentralPanel::default()
            .frame(egui::Frame::new().fill(egui::Color32::from_rgb(12, 13, 17)).inner_margin(8.0))
            .show(ui, |ui| self.viewport.volume(ui, &self.gpu, &self.canvas, &self.scene));
    }

    fn banner(&mut self, ui: &mut egui::Ui) {
        let mut dismissed = None;
        for (index, error) in self.errors.iter().enumerate() {
            egui::Panel::top(("error", index))
                .frame(egui::Frame::new().fill(egui::Color32::from_rgb(110, 35, 35)).inner_margin(8.0))
                .show(ui, |ui| {
                    ui.horizontal(|ui| {
                        if ui.button("Dismiss").clicked() {
                            dismissed = Some(index);
                        }
                        ui.add(egui::Label::new(egui::RichText::new(error).color(egui::Color32::WHITE)).wrap());
                    });
                });
        }
        if let Some(index) = dismissed {
            self.errors.remove(index);
        }
    }
}

//! The system's window: opened, and opened again where its graphics device was lost.

use std::cell::RefCell;
use std::rc::Rc;

use super::{HalodiApp, Preferences, priority};
use crate::device::{DeviceChoice, GpuContext};
use crate::error::{Error, Result};
use crate::pipeline::JobConfig;

/// What a window begins with.
#[derive(Debug, Clone, Default)]
pub enum Begin {
    /// Nothing: it asks what to open.
    #[default]
    Empty,
    /// A source, opened at once.
    Job(Box<JobConfig>),
    /// A session, whose talk is given at once or not.
    Session {
        /// Its file.
        path: std::path::PathBuf,
        /// Whether the talk is given.
        talk: bool,
    },
    /// The talk that comes with Halodi.
    DemoTalk {
        /// Whether the networks run, also where their results were kept from another time.
        live: bool,
    },
}

/// Open the window and return when it is closed.
///
/// # Errors
/// [`Error::Device`] where there is no display or no GPU device, hardware or
/// software.
pub fn run(begin: Begin, device: DeviceChoice) -> Result<()> {
    priority::lower_the_pool();
    let mut gpu = GpuContext::shared()?;
    let app = Hosted::default();
    loop {
        let closed = open(&app, &gpu, begin.clone(), device);
        let lost = app.is_lost();
        if closed.is_ok() && !lost {
            return Ok(());
        }
        match closed.and_then(|()| gpu.renewed()) {
            Ok(renewed) => gpu = renewed,
            Err(error) if lost => return Err(app.last_words(error)),
            Err(error) => return Err(error),
        }
        gpu.share();
    }
}

/// The window's contents, which outlive a window whose device was lost.
#[derive(Default, Clone)]
struct Hosted(Rc<RefCell<Option<HalodiApp>>>);

impl Hosted {
    fn is_lost(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(HalodiApp::is_lost)
    }

    /// Keep what would be lost with the window; `error` with where it is.
    fn last_words(&self, error: Error) -> Error {
        match (error, self.0.borrow_mut().as_mut().and_then(HalodiApp::rescue)) {
            (Error::Device { found, .. }, Some(folder)) => {
                Error::device(found, format!("The results that were not saved are in {}; start anew", folder.display()))
            }
            (error, _) => error,
        }
    }
}

impl eframe::App for Hosted {
    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        if let Some(app) = self.0.borrow_mut().as_mut() {
            app.frame(ui);
        }
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }

    fn raw_input_hook(&mut self, _: &egui::Context, input: &mut egui::RawInput) {
        if let Some(app) = self.0.borrow_mut().as_mut() {
            app.paste(input);
        }
    }

    fn on_exit(&mut self) {
        // On some systems nothing after the window runs any more.
        let mut app = self.0.borrow_mut();
        if app.as_ref().is_some_and(|app| !app.is_lost()) {
            *app = None;
        }
    }
}

/// Open a window and return when it is closed.
fn open(app: &Hosted, gpu: &GpuContext, begin: Begin, device: DeviceChoice) -> Result<()> {
    let setup = egui_wgpu::WgpuSetupExisting {
        instance: gpu.instance.clone(),
        adapter: gpu.adapter.clone(),
        device: gpu.device.clone(),
        queue: gpu.queue.clone(),
    };
    let size = Preferences::path().and_then(|path| Preferences::read(&path).size).unwrap_or([1440.0, 900.0]);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Halodi")
            .with_app_id("halodi")
            .with_icon(icon())
            .with_inner_size(size)
            .with_min_inner_size([1000.0, 640.0])
            .with_drag_and_drop(true),
        wgpu_options: egui_wgpu::WgpuConfiguration { wgpu_setup: setup.into(), ..Default::default() },
        ..Default::default()
    };
    let (hosted, device_of_window) = (app.clone(), gpu.device.clone());
    let gpu = gpu.clone();
    let create = move |cc: &eframe::CreationContext<'_>| {
        let state = cc.wgpu_render_state.as_ref();
        let format = state.map(|state| state.target_format).ok_or_else(|| {
            Error::device("the window has no wgpu renderer", "Report this, with the output of 'halodi view'")
        })?;
        match &mut *hosted.0.borrow_mut() {
            Some(app) => app.go_on(&cc.egui_ctx, format, gpu),
            none => {
                let initial = match &begin {
                    Begin::Job(config) => Some((**config).clone()),
                    _ => None,
                };
                let path = Preferences::path();
                let app = none.insert(HalodiApp::with(&cc.egui_ctx, format, gpu, initial, device, path));
                match begin {
                    Begin::Empty | Begin::Job(_) => {}
                    Begin::Session { path, talk } => {
                        app.open_session(&path);
                        if talk {
                            app.give_talk();
                        }
                    }
                    Begin::DemoTalk { live } => app.give_demo_talk(live),
                }
            }
        }
        Ok(Box::new(hosted) as Box<dyn eframe::App>)
    };
    let window = std::panic::AssertUnwindSafe(|| eframe::run_native("Halodi", options, Box::new(create)));
    // On a device that is lost in the middle of a frame, what draws the window breaks off.
    let closed = std::panic::catch_unwind(window).unwrap_or_else(|panic| {
        let _ = device_of_window.poll(wgpu::PollType::Poll);
        if app.is_lost() { Ok(()) } else { std::panic::resume_unwind(panic) }
    });
    closed.map_err(|e| {
        Error::device(
            format!("the window could not be opened ({e})"),
            "Check that there is a display, or run 'halodi predict' without one",
        )
    })
}

/// What stands for the window in lists of windows; nothing where it cannot be read.
fn icon() -> egui::IconData {
    let image =
        image::load_from_memory(include_bytes!("../../assets/package/halodi.png")).unwrap_or_default().to_rgba8();
    egui::IconData { width: image.width(), height: image.height(), rgba: image.into_raw() }
}

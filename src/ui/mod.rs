//! The window: state that follows a job, panels and plots. No science lives here.
//!
//! A frame takes the job's newest view ([`scene`]), decides what is on show ([`view_state`],
//! [`analysis`]), brings it to the GPU ([`drawing`]) and lays out the panels ([`workspace`],
//! [`panels`]).

mod analysis;
mod app;
mod clipboard;
mod commands;
mod derived;
mod dialogs;
mod drawing;
mod export;
mod faces;
mod frame_clock;
mod icons;
mod log;
mod panels;
mod scene;
mod session;
mod theme;
mod view_state;
mod workspace;

pub use app::HalodiApp;
pub use scene::{FieldId, Scene};
pub use session::{Arrangement, Session};
pub use view_state::{Compare, Quantity, ViewState};

use crate::device::{DeviceChoice, GpuContext};
use crate::error::{Error, Result};
use crate::pipeline::JobConfig;

/// Open the window on `initial` (its source is opened at once; `None` starts
/// empty) and return when it is closed.
///
/// # Errors
/// [`Error::Device`] where there is no display or no GPU device, hardware or
/// software.
pub fn run(initial: Option<JobConfig>, device: DeviceChoice) -> Result<()> {
    yield_to_the_window();
    let gpu = GpuContext::shared()?;
    let setup = egui_wgpu::WgpuSetupExisting {
        instance: gpu.instance.clone(),
        adapter: gpu.adapter.clone(),
        device: gpu.device.clone(),
        queue: gpu.queue.clone(),
    };
    let size = Session::path().and_then(|path| Session::read(&path).size).unwrap_or([1440.0, 900.0]);
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Halodi")
            .with_inner_size(size)
            .with_min_inner_size([1000.0, 640.0])
            .with_drag_and_drop(true),
        wgpu_options: egui_wgpu::WgpuConfiguration { wgpu_setup: setup.into(), ..Default::default() },
        ..Default::default()
    };
    eframe::run_native("Halodi", options, Box::new(move |cc| Ok(Box::new(HalodiApp::new(cc, gpu, initial, device)?))))
        .map_err(|e| {
            Error::device(
                format!("the window could not be opened ({e})"),
                "Check that there is a display, or run 'halodi predict' without one",
            )
        })
}

/// Give the threads that compute a lower priority than those that draw, so that
/// a job on the CPU does not make the window stutter. Where the system will not
/// have it, nothing is lost but smoothness.
fn yield_to_the_window() {
    #[cfg(target_os = "linux")]
    {
        let lower = |_: usize| {
            // SAFETY: a plain system call; on Linux it concerns the calling
            // thread alone.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
        };
        // Only the first call of a process can shape the pool.
        let _ = rayon::ThreadPoolBuilder::new().start_handler(lower).build_global();
    }
}

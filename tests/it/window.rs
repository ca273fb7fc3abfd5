//! The window on a real wgpu device: a job runs from a click to a map, errors
//! are shown and dismissed, and what was open stays open.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use halodi::device::{DeviceChoice, GpuContext};
use halodi::field::Layer;
use halodi::pipeline::{JobConfig, Series, Source};
use halodi::predict::Settings;
use halodi::ui::HalodiApp;

type Shared = Rc<RefCell<Option<HalodiApp>>>;

/// The window on the demo, with few steps so that a run is short.
fn window() -> (Harness<'static>, Shared) {
    let app: Shared = Rc::default();
    let shared = app.clone();
    let harness = Harness::builder().with_size(egui::vec2(1280.0, 900.0)).build_ui(move |ui| {
        shared
            .borrow_mut()
            .get_or_insert_with(|| {
                let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
                let settings = Settings { steps: 1, ..Settings::default() };
                let initial = JobConfig { source: Source::Demo, settings, grid: Some(32), ..JobConfig::default() };
                let format = wgpu::TextureFormat::Rgba8Unorm;
                HalodiApp::with(ui.ctx(), format, gpu, Some(initial), DeviceChoice::Cpu)
            })
            .frame(ui);
    });
    (harness, app)
}

/// Let frames pass until `done`.
fn wait(harness: &mut Harness, app: &Shared, what: &str, done: impl Fn(&HalodiApp) -> bool) {
    let began = Instant::now();
    while !app.borrow().as_ref().is_some_and(&done) {
        assert!(began.elapsed() < Duration::from_secs(300), "waited in vain for {what}");
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }
    harness.step();
}

#[test]
fn a_click_on_run_makes_a_map_and_a_bad_file_leaves_it_there() {
    let (mut harness, app) = window();
    wait(&mut harness, &app, "the demo", |app| app.scene().fields.contains_key(&Layer::Reference));
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());

    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a running job", HalodiApp::is_running);
    wait(&mut harness, &app, "a map", |app| app.scene().outcome.is_some());
    {
        let app = app.borrow();
        let scene = app.as_ref().expect("made").scene();
        assert!(scene.fields.contains_key(&Layer::BrightnessTemperature));
        for series in [Series::DarkMatter, Series::HaloMass(0), Series::Prediction, Series::Reference] {
            assert!(scene.spectra.contains_key(&series), "{series:?}");
        }
        assert!(scene.weights.iter().any(|w| w.starts_with("LODI")));
    }

    // A file that is not there: one sentence, and everything else as it was.
    app.borrow_mut().as_mut().expect("made").open(Source::File(PathBuf::from("/nowhere/snapshot.hdf5")));
    wait(&mut harness, &app, "the error", |app| !app.errors().is_empty());
    {
        let app = app.borrow();
        let app = app.as_ref().expect("made");
        assert!(app.errors()[0].contains("/nowhere/snapshot.hdf5"), "{:?}", app.errors());
        assert!(app.scene().fields.contains_key(&Layer::BrightnessTemperature));
    }
    harness.get_by_label("Dismiss").click();
    harness.step();
    wait(&mut harness, &app, "the dismissal", |app| app.errors().is_empty());
}

#[test]
fn a_job_can_be_paused_and_cancelled() {
    let (mut harness, app) = window();
    wait(&mut harness, &app, "the demo", |app| app.scene().fields.contains_key(&Layer::Reference));
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a running job", HalodiApp::is_running);
    harness.get_by_label("Pause").click();
    harness.step();
    harness.step();
    harness.get_by_label("Resume");
    harness.get_by_label("Cancel").click();
    harness.step();
    wait(&mut harness, &app, "the end", |app| !app.is_running());
    let app = app.borrow();
    let app = app.as_ref().expect("made");
    assert!(app.scene().outcome.is_none() && app.errors().is_empty());
    assert!(app.scene().fields.contains_key(&Layer::DarkMatter));
}

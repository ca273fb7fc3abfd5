//! The window on a real wgpu device: a job runs from a click to a map, everything is
//! reached by name and by key, errors are shown and dismissed, what was open stays open,
//! and nothing that is done to the window breaks it.

mod canvases;
mod faults;
mod habits;
mod looks;
mod made;
mod panels;
mod places;
mod readings;
mod results;
mod talks;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use halodi::device::{DeviceChoice, GpuContext};
use halodi::field::Layer;
use halodi::pipeline::{JobConfig, Series, Source};
use halodi::predict::Settings;
use halodi::render::VolumeMode;
use halodi::ui::{Compare, HalodiApp, Quantity};

type Shared = Rc<RefCell<Option<HalodiApp>>>;

/// Of the pictures that the harness takes.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// What the window begins with.
#[derive(Clone)]
struct Start {
    initial: Option<JobConfig>,
    session: Option<PathBuf>,
    size: [f32; 2],
    theme: egui::Theme,
    /// The device that pictures are drawn with; the process's own where there is none.
    gpu: Option<GpuContext>,
}

impl Default for Start {
    /// The demo, with few steps so that a run is short.
    fn default() -> Self {
        let settings = Settings { steps: 2, ..Settings::default() };
        let initial = JobConfig { source: Source::Demo, settings, grid: Some(32), ..JobConfig::default() };
        Self { initial: Some(initial), session: None, size: [1280.0, 800.0], theme: egui::Theme::Dark, gpu: None }
    }
}

fn window(start: Start) -> (Harness<'static>, Shared) {
    let app: Shared = Rc::default();
    let shared = app.clone();
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    let setup = egui_wgpu::WgpuSetupExisting {
        instance: gpu.instance.clone(),
        adapter: gpu.adapter.clone(),
        device: gpu.device.clone(),
        queue: gpu.queue.clone(),
    };
    let theme = start.theme;
    let harness =
        Harness::builder().with_size(egui::Vec2::from(start.size)).with_theme(theme).wgpu_setup(setup.into()).build_ui(
            move |ui| {
                // As the system's window is cleared.
                let background = ui.ctx().layer_painter(egui::LayerId::background());
                background.rect_filled(ui.ctx().content_rect(), 0.0, ui.visuals().panel_fill);
                shared
                    .borrow_mut()
                    .get_or_insert_with(|| {
                        let Start { initial, session, gpu, .. } = start.clone();
                        let own = || GpuContext::shared().expect("a Vulkan device, software or not");
                        let gpu = gpu.unwrap_or_else(own);
                        let mut app = HalodiApp::with(ui.ctx(), FORMAT, gpu, initial, DeviceChoice::Cpu, session);
                        app.write_paths();
                        app
                    })
                    .frame(ui);
                remember_copied(ui.ctx());
            },
        );
    (harness, app)
}

/// Where text that was copied is kept: the frame after the one that copies forgets it.
fn clipboard() -> egui::Id {
    egui::Id::unique("copied in a test")
}

fn remember_copied(ctx: &egui::Context) {
    let text = ctx.output(|output| {
        output.commands.iter().rev().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        })
    });
    if let Some(text) = text {
        ctx.data_mut(|data| data.insert_temp(clipboard(), text));
    }
}

/// The text that was copied last.
fn copied(harness: &Harness<'_>) -> String {
    harness.ctx.data(|data| data.get_temp(clipboard())).unwrap_or_default()
}

/// Let frames pass until `done`.
fn wait(harness: &mut Harness<'_>, app: &Shared, what: &str, done: impl Fn(&HalodiApp) -> bool) {
    let began = Instant::now();
    while !app.borrow().as_ref().is_some_and(&done) {
        assert!(began.elapsed() < Duration::from_secs(300), "waited in vain for {what}");
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }
    harness.step();
}

/// The demo, read, with its reference.
fn opened(start: Start) -> (Harness<'static>, Shared) {
    let (mut harness, app) = window(start);
    wait(&mut harness, &app, "the demo", |app| app.subject().has(Layer::Reference));
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    (harness, app)
}

fn with<R>(app: &Shared, read: impl FnOnce(&mut HalodiApp) -> R) -> R {
    read(app.borrow_mut().as_mut().expect("made in the first frame"))
}

fn press(harness: &mut Harness<'_>, key: Key) {
    harness.key_press(key);
    harness.step();
    harness.step();
}

fn root<'a>(harness: &'a mut Harness<'_>) -> &'a mut egui::ViewportInfo {
    harness.input_mut().viewports.get_mut(&egui::ViewportId::ROOT).expect("the window")
}

/// What the window system does when somebody closes the window.
fn close(harness: &mut Harness<'_>) {
    root(harness).events.push(egui::ViewportEvent::Close);
    harness.step();
    harness.step();
}

fn steps(harness: &mut Harness<'_>, count: usize) {
    for _ in 0..count {
        harness.step();
    }
}

/// Let frames pass until nothing changes any more and the picture is as fine as it gets.
fn settle(harness: &mut Harness<'_>, app: &Shared) {
    wait(harness, app, "rest", HalodiApp::is_settled);
}

/// Press at a place, move to another one and let go there.
fn drag(harness: &mut Harness<'_>, from: egui::Pos2, to: egui::Pos2, modifiers: Modifiers) {
    let button = |pos, pressed| {
        let button = egui::PointerButton::Primary;
        egui::Event::PointerButton { pos, button, pressed, modifiers }
    };
    harness.event(egui::Event::ModifiersChanged(modifiers));
    harness.hover_at(from);
    harness.event(button(from, true));
    for share in [0.2, 0.6, 1.0] {
        harness.hover_at(from + share * (to - from));
    }
    harness.event(button(to, false));
    harness.event(egui::Event::ModifiersChanged(Modifiers::NONE));
    harness.remove_cursor();
    harness.step();
    harness.step();
}

/// Where a picture is.
fn canvas(harness: &Harness<'_>, name: &str) -> egui::Rect {
    harness.get_by_role_and_label(Role::Canvas, name).rect()
}

/// The flat views, by the axis that they are across.
const SLICES: [&str; 3] = ["Slice yz", "Slice xz", "Slice xy"];

/// Where a place of the box, to the right and up, is on a flat view that shows all of it in `rect`.
fn spot(rect: egui::Rect, [right, up]: [f32; 2]) -> egui::Pos2 {
    rect.center() + rect.width().min(rect.height()) * egui::vec2(right - 0.5, 0.5 - up)
}

#[test]
fn a_click_on_run_makes_a_map_and_a_bad_file_leaves_it_there() {
    let (mut harness, app) = opened(Start::default());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a running job", HalodiApp::is_running);
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    with(&app, |app| {
        assert!(app.subject().has(Layer::BrightnessTemperature));
        for series in [Series::DarkMatter, Series::HaloMass(0), Series::Prediction, Series::Reference] {
            assert!(app.subject().job.spectra.contains_key(&series), "{series:?}");
        }
        assert!(app.subject().job.weights.iter().any(|w| w.starts_with("LODI")));
        // What was made came to the front, in the colours that the reference has.
        assert_eq!(app.view().layer, Layer::BrightnessTemperature);
    });
    // The four ways to compare, by their keys.
    for (key, way) in
        [(Key::B, Compare::Blink), (Key::W, Compare::Swipe), (Key::D, Compare::SideBySide), (Key::R, Compare::Residual)]
    {
        press(&mut harness, key);
        assert_eq!(with(&app, |app| app.view().compare), way);
    }
    press(&mut harness, Key::R);
    assert_eq!(with(&app, |app| app.view().compare), Compare::Off);

    // A file that is not there: one sentence, and everything else as it was.
    with(&app, |app| app.open(Source::File(PathBuf::from("/nowhere/snapshot.hdf5"))));
    wait(&mut harness, &app, "the error", |app| !app.errors().is_empty());
    with(&app, |app| {
        assert!(app.errors()[0].contains("/nowhere/snapshot.hdf5"), "{:?}", app.errors());
        assert!(app.subject().has(Layer::BrightnessTemperature));
    });
    // Warnings about the coarse grid may be there too.
    for button in harness.get_all_by_label("Dismiss") {
        button.click();
    }
    harness.step();
    wait(&mut harness, &app, "the dismissal", |app| app.errors().is_empty());
}

#[test]
fn a_job_can_be_paused_and_cancelled() {
    let (mut harness, app) = opened(Start::default());
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
    with(&app, |app| {
        assert!(app.subject().outcome.is_none() && app.errors().is_empty());
        assert!(app.subject().has(Layer::DarkMatter));
    });
}

#[test]
fn an_empty_window_leads_to_the_demo() {
    let (mut harness, app) = window(Start { initial: None, ..Start::default() });
    harness.step();
    harness.get_by_label("Open snapshot…");
    harness.get_by_label("Open the demo").click();
    harness.step();
    wait(&mut harness, &app, "the demo", |app| app.subject().has(Layer::Reference));
    with(&app, |app| app.look(|view| view.thickness = 3));
    harness.step();
    harness.get_by_role_and_label(Role::Canvas, "Volume");
}

#[test]
fn canvases_have_names_roles_and_values() {
    let (mut harness, app) = opened(Start::default());
    for (name, value) in [("Volume", "Dark matter"), ("Slice xy", "z ="), ("Slice xz", "y ="), ("Slice yz", "x =")] {
        let node = harness.get_by_role_and_label(Role::Canvas, name);
        let told = node.value().unwrap_or_default();
        assert!(told.contains(value), "{name} says {told:?}");
    }
    for name in ["Lower limit", "Upper limit", "Opaque from", "Fully opaque at"] {
        harness.get_by_role_and_label(Role::Slider, name);
    }
    // By key alone: the layer, the mode, the slices and the way back.
    press(&mut harness, Key::Num7);
    press(&mut harness, Key::V);
    let before = with(&app, |app| app.view().voxel(32));
    press(&mut harness, Key::PageUp);
    with(&app, |app| {
        assert_eq!((app.view().layer, app.view().mode), (Layer::Reference, VolumeMode::Maximum));
        assert_eq!(app.view().voxel(32), [before[0], before[1], before[2] + 1]);
    });
    // Undo goes back once the view has rested.
    for _ in 0..120 {
        harness.step();
    }
    // The colour range that was fitted to the layer is a step of its own.
    for _ in 0..2 {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        harness.step();
        harness.step();
    }
    let after = with(&app, |app| (app.view().layer, app.view().mode, app.view().voxel(32)));
    assert_ne!(after, (Layer::Reference, VolumeMode::Maximum, [before[0], before[1], before[2] + 1]));
}

#[test]
fn the_palette_the_keys_and_the_tour_open_and_close() {
    let (mut harness, app) = opened(Start::default());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.step();
    harness.step();
    harness.get_by_label_contains("Nothing but the picture");
    press(&mut harness, Key::Escape);
    assert!(harness.query_by_label_contains("Nothing but the picture").is_none());
    press(&mut harness, Key::Questionmark);
    harness.get_by_label_contains("crosshair to the brightest voxel");
    press(&mut harness, Key::Escape);
    press(&mut harness, Key::F2);
    harness.get_by_role_and_label(Role::SpinButton, "Seed");
    press(&mut harness, Key::M);
    harness.get_by_label("Restore").click();
    harness.step();
    harness.step();
    assert!(harness.query_by_label("Restore").is_none());
    assert!(with(&app, |app| app.errors().is_empty()));
}

#[test]
fn a_session_brings_back_the_view_on_the_same_box() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = Some(folder.path().join("session.json"));
    let (mut harness, app) = opened(Start { session: session.clone(), ..Start::default() });
    press(&mut harness, Key::V);
    press(&mut harness, Key::F2);
    drop(app.borrow_mut().take());
    drop(harness);
    let (mut harness, app) = opened(Start { session, ..Start::default() });
    harness.step();
    with(&app, |app| assert_eq!(app.view().mode, VolumeMode::Maximum));
    harness.get_by_role_and_label(Role::SpinButton, "Seed");
}

#[test]
fn a_resting_window_marches_nothing() {
    let (mut harness, app) = opened(Start::default());
    let marched = |app: &Shared| with(app, |app| app.marches());
    let mut last = marched(&app);
    let began = Instant::now();
    let mut still = 0;
    while still < 40 {
        assert!(began.elapsed() < Duration::from_secs(120), "it never rests");
        harness.step();
        std::thread::sleep(Duration::from_millis(15));
        still = if marched(&app) == last { still + 1 } else { 0 };
        last = marched(&app);
    }
    // Hovering costs nothing of the volume.
    let volume = harness.get_by_role_and_label(Role::Canvas, "Volume").rect();
    for i in 0..10 {
        harness.hover_at(volume.center() + egui::vec2(3.0 * i as f32, 0.0));
        harness.step();
    }
    assert_eq!(marched(&app), last);
}

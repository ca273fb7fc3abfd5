//! What people expect of a window without being told: dialogs, the clipboard, dropped and
//! pasted files, closing, undo, a key that is held.

use std::path::Path;

use super::*;

/// Write a path into the line that asks for one, and say yes.
pub(super) fn answer(harness: &mut Harness<'_>, path: &Path, yes: &str) {
    harness.step();
    let line = harness.get_by_label("Path");
    line.focus();
    harness.step();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.step();
    harness.event(egui::Event::Text(path.to_string_lossy().into_owned()));
    harness.step();
    harness.step();
    let buttons: Vec<_> = harness.get_all_by_label(yes).collect();
    buttons.last().expect("a button").click();
    harness.step();
}

/// Wait until a file is there, complete: it is written atomically.
pub(super) fn wait_for(harness: &mut Harness<'_>, path: &Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "{} is not written", path.display());
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_view_is_saved_at_once_and_twice_its_size_with_its_colour_bar() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut harness, app) = opened(Start::default());
    // Without perspective there is a scale, and a bar says so.
    press(&mut harness, Key::O);
    let mut shares = Vec::new();
    for factor in [1u32, 2] {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
        harness.step();
        harness.step();
        harness.get_by_label_contains(&format!("{} × {} pixels", 1280 * factor, 960 * factor)).click();
        harness.step();
        let path = folder.path().join(format!("view{factor}.png"));
        answer(&mut harness, &path, "Save");
        wait_for(&mut harness, &path);
        let picture = image::open(&path).expect("a PNG").to_rgb8();
        assert_eq!(picture.dimensions(), (1280 * factor, 960 * factor));
        // The box in the middle, the colour bar at the right, writing below it.
        let bright = |x: [u32; 2], y: [u32; 2]| {
            let (mut lit, mut all) = (0u32, 0u32);
            for x in x[0] * factor..x[1] * factor {
                for y in y[0] * factor..y[1] * factor {
                    lit += u32::from(picture.get_pixel(x, y).0.into_iter().max() > Some(60));
                    all += 1;
                }
            }
            f64::from(lit) / f64::from(all)
        };
        shares.push([
            bright([350, 800], [250, 700]),
            bright([1170, 1186], [120, 840]),
            bright([900, 1150], [900, 960]),
        ]);
    }
    for share in &shares {
        assert!(share[0] > 0.1 && share[1] > 0.6 && share[2] > 0.005, "{shares:?}");
    }
    // Laid out for its size: everything is as large on both.
    for (one, two) in shares[0].iter().zip(shares[1]) {
        assert!((one - two).abs() < 0.15 * one.max(two) + 0.01, "{shares:?}");
    }
    assert!(with(&app, |app| app.errors().is_empty()));
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

#[test]
fn a_dropped_or_pasted_file_is_opened_or_compared_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut harness, app) = opened(Start::default());
    let map = folder.path().join("a map.hdf5");
    std::fs::write(&map, "no map").expect("a file");
    let drop = |harness: &mut Harness<'_>| {
        harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(map.clone())));
        harness.step();
        harness.step();
        harness.get_by_label("Open or compare?");
    };
    drop(&mut harness);
    harness.get_by_label("Neither").click();
    harness.step();
    harness.step();
    assert!(harness.query_by_label("Open or compare?").is_none() && !with(&app, |app| app.is_running()));
    // It is no map: one sentence, and what was open stays.
    drop(&mut harness);
    // The other of that name is over the pictures.
    harness.get_all_by_label("Compare").last().expect("a button").click();
    harness.step();
    wait(&mut harness, &app, "the error", |app| !app.errors().is_empty());
    with(&app, |app| assert!(app.errors()[0].contains("a map.hdf5") && app.subject().has(Layer::Reference)));
    let began = Instant::now();
    while !with(&app, |app| app.errors().is_empty()) {
        assert!(began.elapsed() < Duration::from_secs(60), "notices stay");
        harness.query_all_by_label("Dismiss").for_each(|button| button.click());
        harness.step();
        harness.step();
    }
    // A file manager copies addresses.
    let address = format!("file://{}", map.display()).replace(' ', "%20");
    harness.event(egui::Event::Paste(address));
    harness.step();
    harness.step();
    harness.get_by_label("Open or compare?");
    press(&mut harness, Key::Escape);
    harness.event(egui::Event::Paste("some words".to_owned()));
    harness.step();
    harness.step();
    harness.get_by_label_contains("no path of a file");
    assert!(harness.query_by_label("Open or compare?").is_none());
}

#[test]
fn closing_with_a_result_that_is_not_saved_asks_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut harness, app) = opened(Start::default());
    let close = |harness: &mut Harness<'_>| {
        let root = harness.input_mut().viewports.get_mut(&egui::ViewportId::ROOT).expect("the window");
        root.events.push(egui::ViewportEvent::Close);
        harness.step();
        harness.step();
    };
    // Nothing to lose, nothing to ask.
    close(&mut harness);
    assert!(harness.query_by_label("Stay").is_none());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a running job", HalodiApp::is_running);
    close(&mut harness);
    harness.get_by_label("A job is running");
    harness.get_by_label("Stay").click();
    harness.step();
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    close(&mut harness);
    harness.get_by_label("The prediction is not saved");
    harness.get_by_label("Save and close…").click();
    harness.step();
    let results = folder.path().join("results");
    answer(&mut harness, &results, "Save");
    wait_for(&mut harness, &results.join("report.json"));
    wait(&mut harness, &app, "the news", |app| app.subject().saved.is_some());
    for name in ["map.hdf5", "spectrum.csv", "spectrum.png", "slices.png"] {
        assert!(results.join(name).exists(), "{name}");
    }
    close(&mut harness);
    assert!(harness.query_by_label("Stay").is_none());
}

#[test]
fn a_fitted_range_can_be_undone_and_done_again() {
    let (mut harness, app) = opened(Start::default());
    let rest = |harness: &mut Harness<'_>| (0..12).for_each(|_| harness.step());
    let scale = || with(&app, |app| app.view().scale(Quantity::Matter));
    let mine = halodi::render::ColorScale::log(1.0, 7.0, halodi::render::ColorMap::Viridis);
    rest(&mut harness);
    with(&app, |app| app.look(|view| _ = view.scales.insert(Quantity::Matter, mine)));
    rest(&mut harness);
    press(&mut harness, Key::C);
    wait(&mut harness, &app, "a fitted range", |app| app.view().scale(Quantity::Matter).high != 7.0);
    let fitted = scale();
    assert_eq!(fitted.map, mine.map, "fitting leaves the colours alone");
    rest(&mut harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    rest(&mut harness);
    assert_eq!(scale(), mine);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Y);
    rest(&mut harness);
    assert_eq!(scale(), fitted);
}

#[test]
fn the_key_that_blinks_is_a_glance_while_it_is_held() {
    let (mut harness, app) = opened(Start::default());
    press(&mut harness, Key::Num1);
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    press(&mut harness, Key::Num6);
    let name = || with(&app, |app| app.on_show().map(|(name, _)| name.to_owned())).unwrap_or_default();
    assert!(name().contains("brightness"), "{}", name());
    harness.key_down(Key::B);
    for _ in 0..4 {
        harness.step();
    }
    assert!(name().contains("reference"), "{}", name());
    harness.key_up(Key::B);
    harness.step();
    harness.step();
    assert!(name().contains("brightness"), "{}", name());
    assert_eq!(with(&app, |app| app.view().compare), Compare::Off);
    // A press goes on blinking.
    press(&mut harness, Key::B);
    assert_eq!(with(&app, |app| app.view().compare), Compare::Blink);
}

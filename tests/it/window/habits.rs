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

/// Whether every tag of an XML file is closed where it should be.
fn is_well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = |tag: &str| tag.split_whitespace().next().unwrap_or("").to_owned();
        match tag.strip_prefix('/') {
            Some(end) if open.pop() == Some(name(end)) => {}
            Some(_) => return false,
            None if tag.starts_with('?') || tag.ends_with('/') => {}
            None => open.push(name(tag)),
        }
    }
    open.is_empty()
}

#[test]
fn panels_are_saved_as_figures_that_tell_what_they_were_made_from() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
    std::fs::create_dir_all(&folder).expect("a folder");
    let (mut harness, app) = opened(Start::default());
    with(&app, |app| app.look(|view| view.layer = Layer::Reference));
    wait(&mut harness, &app, "the analysis", HalodiApp::is_settled);
    let mut save = |pane: &str, choices: &[&str], name: &str| {
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
        harness.step();
        harness.step();
        // The panel's own title may be there too.
        harness.get_all_by_label(pane).last().expect("the panel's name").click();
        harness.step();
        harness.step();
        for choice in choices {
            harness.get_by_label_contains(choice).click();
            harness.step();
            harness.step();
        }
        harness.get_by_label("Save…").click();
        harness.step();
        answer(&mut harness, &path, "Save");
        wait_for(&mut harness, &path);
        std::fs::read(path).expect("the figure")
    };
    // One column of 88 mm at 300 dots an inch.
    let png = save("Volume", &[], "volume.png");
    let mut reader = png::Decoder::new(std::io::Cursor::new(&png)).read_info().expect("a PNG");
    let info = reader.info();
    let told: String = info.utf8_text.iter().map(|text| text.get_text().expect("text") + "\n").collect();
    assert_eq!(info.pixel_dims.map(|dims| dims.xppu), Some(11811));
    let [width, height] = [info.width, info.height];
    assert_eq!(width, 1039);
    assert!(told.contains("21 cm reference") && told.contains("halodi ") && told.contains("12.5 Mpc/h"), "{told}");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("pixels");
    let picture = image::RgbImage::from_raw(width, height, pixels).expect("a picture");
    // The box in the dark at the left, the colour bar on white at the right.
    let share = |x: [u32; 2], test: &dyn Fn([u8; 3]) -> bool| {
        let all = (x[0]..x[1]).flat_map(|x| (0..height).map(move |y| (x, y)));
        let found = all.filter(|&(x, y)| test(picture.get_pixel(x, y).0)).count();
        found as f64 / f64::from((x[1] - x[0]) * height)
    };
    assert!(share([0, 700], &|p| p.into_iter().max() < Some(40)) > 0.3);
    assert!(share([200, 600], &|p| p.into_iter().max() > Some(100)) > 0.05);
    let white = share([820, 1039], &|p| p == [255; 3]);
    assert!((0.5..0.98).contains(&white), "{white}");

    // All panels, with twice the pixels of the screen: the volume and the slices have something to
    // show, and there is no button.
    let png = save("All panels", &["2×"], "all.png");
    let all = image::load_from_memory(&png).expect("a picture").to_rgb8();
    assert!((2400..=2560).contains(&all.width()), "{}", all.width());
    assert!((1000..1600).contains(&all.height()), "{}", all.height());
    let bright = |x: [u32; 2]| {
        let within = all.enumerate_pixels().filter(|(at, _, _)| (x[0]..x[1]).contains(at));
        within.filter(|(_, _, p)| p.0.into_iter().max() > Some(120)).count()
    };
    assert!(
        bright([0, 1280]) > 10_000 && bright([1340, 1800]) > 1000,
        "{} {}",
        bright([0, 1280]),
        bright([1340, 1800])
    );
    let svg = String::from_utf8(save("All panels", &[], "all.svg")).expect("text");
    assert!(is_well_formed(&svg) && svg.contains("12.5 Mpc/h") && svg.matches("<image").count() >= 4);
    assert!(svg.contains("aria-label=\"Volume\"") && !svg.contains("99.9 %"));

    let svg = String::from_utf8(save("Spectra", &[], "spectra.svg")).expect("text");
    assert!(is_well_formed(&svg));
    assert!(svg.contains("width=\"88.000mm\""));
    for part in ["k  [h/Mpc]", "P  [(Mpc/h)³]", "±1σ", "DM", "<dc:source>", "stroke-width=\"2.2\""] {
        assert!(svg.contains(part), "{part}");
    }
    // No button, no picture: lines and letters alone.
    assert!(!svg.contains("Δ²(k)") && !svg.contains("<image"));
    let svg = String::from_utf8(save("xy", &[], "xy.svg")).expect("text");
    assert!(is_well_formed(&svg) && svg.matches("<image").count() == 1);
    for part in ["x  [Mpc/h]", "y  [Mpc/h]", "mK", "10"] {
        assert!(svg.contains(&format!("aria-label=\"{part}\"")), "{part}");
    }
    let pdf = save("Spectra", &[], "spectra.pdf");
    assert!(pdf.starts_with(b"%PDF"));
    // 88 mm in PDF's points.
    let text = String::from_utf8_lossy(&pdf);
    assert!(text.contains("/MediaBox [0 0 249.4") && text.contains("/Keywords"));
    let _ = save("xy", &[], "xy.pdf");
    let _ = save("Colours", &[], "colours.svg");
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

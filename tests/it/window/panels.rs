//! Every panel by the names that it tells, with the mouse and with keys: what is done there happens.

use egui::Pos2;
use glam::Vec3;
use halodi::ui::Pane;

use super::habits::{answer, wait_for};
use super::made::{N, SIDE, finished_run, temperature};
use super::*;

fn name(app: &Shared) -> String {
    with(app, |app| app.on_show().map(|(name, _)| name.to_owned())).unwrap_or_default()
}

fn wait_for_name(harness: &mut Harness<'_>, app: &Shared, part: &str) {
    wait(harness, app, part, |app| app.on_show().is_some_and(|(name, _)| name.contains(part)));
}

/// A click on the only thing of that name, or on the one that was made last.
fn click(harness: &mut Harness<'_>, label: &str) {
    // What is worked out in the background may have to come first.
    let began = Instant::now();
    while harness.query_all_by_label(label).next().is_none() && began.elapsed() < Duration::from_secs(20) {
        harness.step();
        std::thread::sleep(Duration::from_millis(10));
    }
    harness.get_all_by_label(label).last().unwrap_or_else(|| panic!("there is no {label}")).click();
    steps(harness, 3);
}

/// Where the plot of a quantity is; its unit depends on what is plotted.
fn plot_of(harness: &Harness<'_>, quantity: &str) -> egui::Rect {
    let start = format!("Plot of {quantity}");
    harness.get_by(|node| node.role() == Role::Canvas && node.label().is_some_and(|l| l.starts_with(&start))).rect()
}

/// A click at a place.
fn click_at(harness: &mut Harness<'_>, at: Pos2) {
    harness.hover_at(at);
    harness.drag_at(at);
    harness.drop_at(at);
    steps(harness, 3);
}

/// Where a slider of the window itself is, and what it says.
fn slider(harness: &Harness<'_>, label: &str) -> (Pos2, f64) {
    let node = harness.get_all_by_role_and_label(Role::Slider, label).next().expect("a slider");
    (node.rect().center(), node.accesskit_node().numeric_value().unwrap_or(f64::NAN))
}

/// Press a key so many times while a thing has the focus that Tab gives.
fn press_on(harness: &mut Harness<'_>, role: Role, label: &str, key: Key, times: usize) {
    harness.get_all_by_role_and_label(role, label).next().expect("a thing of that name").focus();
    steps(harness, 2);
    for _ in 0..times {
        press(harness, key);
    }
}

/// The rows of a table, cells parted by commas or tabs; a cell with a comma is in quotes.
fn table(text: &str) -> Vec<Vec<String>> {
    let lines = || text.lines().filter(|line| !line.starts_with('#'));
    let between = if lines().next().is_some_and(|head| head.contains('\t')) { '\t' } else { ',' };
    let cells = |line: &str| {
        let (mut cells, mut quoted) = (vec![String::new()], false);
        for character in line.chars() {
            match character {
                '"' => quoted = !quoted,
                c if c == between && !quoted => cells.push(String::new()),
                c => cells.last_mut().expect("one at least").push(c),
            }
        }
        cells
    };
    lines().map(cells).collect()
}

/// A table in which every row has as many cells as the head.
fn assert_table(text: &str) -> Vec<Vec<String>> {
    let table = table(text);
    assert!(table.len() > 1, "a head alone: {text}");
    for row in &table {
        assert_eq!(row.len(), table[0].len(), "{row:?} under {:?}", table[0]);
    }
    table
}

#[test]
fn a_brush_over_a_spectrum_shows_the_fields_in_that_band() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    let plot = plot_of(&harness, "P  ");
    let at = |share: f32| Pos2::new(plot.left() + share * plot.width(), plot.center().y);
    drag(&mut harness, at(0.35), at(0.7), Modifiers::NONE);
    let [low, high] = with(&app, |app| app.view().band).expect("a band");
    let ends = [std::f64::consts::TAU / SIDE, std::f64::consts::PI * N as f64 / SIDE];
    assert!(ends[0] * 0.9 < low && 1.3 * low < high && high < ends[1], "{low} to {high} h/Mpc");
    let band = format!("k = {low:.2} to {high:.2} h/Mpc");
    wait_for_name(&mut harness, &app, &band);
    assert!(name(&app).starts_with("21 cm brightness temperature"), "{}", name(&app));
    let told = harness.get_by_role_and_label(Role::Canvas, "Volume").value().unwrap_or_default();
    assert!(told.contains(&band), "{told}");
    // A reference in the same band.
    press(&mut harness, Key::Num7);
    wait_for_name(&mut harness, &app, &band);
    assert!(name(&app).starts_with("21 cm reference"), "{}", name(&app));
    // A click on a plot ends it, and so do the sign over the pictures and a key.
    click_at(&mut harness, at(0.5));
    assert_eq!(with(&app, |app| app.view().band), None);
    for by_key in [false, true] {
        drag(&mut harness, at(0.7), at(0.4), Modifiers::NONE);
        let [low, high] = with(&app, |app| app.view().band).expect("a band");
        if by_key {
            press(&mut harness, Key::Delete);
        } else {
            click(&mut harness, &format!("k {low:.2}–{high:.2}"));
        }
        assert_eq!(with(&app, |app| app.view().band), None);
    }
    wait(&mut harness, &app, "the whole field", |app| app.on_show().is_some_and(|(name, _)| !name.contains("k =")));
    click(&mut harness, "Δ²(k)");
    plot_of(&harness, "Δ²");
}

#[test]
fn seams_are_looked_for_on_the_tiles_that_are_chosen() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    click(&mut harness, "Seams");
    for tile in [8, 4] {
        harness.get_by_role_and_label(Role::ComboBox, "Tiles of").click();
        steps(&mut harness, 3);
        click(&mut harness, &format!("{tile} voxels"));
        assert_eq!(with(&app, |app| app.view().seam_tile), Some(tile));
        wait(&mut harness, &app, "the seams", HalodiApp::is_settled);
        harness.get_by_label_contains(&format!("on tiles of {tile} voxels"));
    }
    // From face to face, with the buttons and with the keys.
    with(&app, |app| app.look(|view| view.crosshair = [0.3; 3]));
    for (forward, wanted) in [(true, 12), (true, 16), (false, 12)] {
        let label = if forward { "To the next face" } else { "To the face before" };
        harness.get_by_label_contains(label).click();
        steps(&mut harness, 3);
        assert_eq!(with(&app, |app| app.view().voxel(N)), [9, 9, wanted]);
    }
    assert!(with(&app, |app| app.view().faces), "they are lit on the way");
    click(&mut harness, "Faces");
    assert!(!with(&app, |app| app.view().faces));
    press(&mut harness, Key::G);
    assert_eq!(with(&app, |app| app.view().voxel(N)), [9, 9, 16]);
}

#[test]
fn limits_of_the_colours_are_dragged_and_moved_by_keys() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    settle(&mut harness, &app);
    let scale = |app: &Shared| with(app, |app| app.view().scale(Quantity::Temperature));
    let before = scale(&app);
    for (label, by) in [("Lower limit", 40.0), ("Upper limit", -60.0)] {
        let (at, value) = slider(&harness, label);
        drag(&mut harness, at, at + egui::vec2(by, 0.0), Modifiers::NONE);
        let (moved, now) = slider(&harness, label);
        assert!((now - value) * f64::from(by) > 0.0, "{label} from {value} to {now}");
        assert!((moved.x - at.x) * by > 0.0);
    }
    let dragged = scale(&app);
    assert!(dragged.low > before.low && dragged.high < before.high, "{dragged:?} within {before:?}");
    // Prediction and reference keep one range.
    press(&mut harness, Key::Num7);
    assert_eq!(scale(&app), dragged);
    for (label, key, sign) in [("Lower limit", Key::ArrowRight, 1.0), ("Upper limit", Key::ArrowLeft, -1.0)] {
        let mut last = slider(&harness, label).1;
        harness.get_by_role_and_label(Role::Slider, label).focus();
        steps(&mut harness, 2);
        for count in 1..=3 {
            press(&mut harness, key);
            let now = slider(&harness, label).1;
            assert!((now - last) * sign > 0.0, "{label}: press {count} leaves it at {now}");
            assert!(harness.get_by_role_and_label(Role::Slider, label).is_focused(), "{label} lost the focus");
            last = now;
        }
    }
    // A preset, and the range that suits.
    click(&mut harness, "90 %");
    assert_ne!(scale(&app), dragged);
    let preset = scale(&app);
    click(&mut harness, "Fit");
    wait(&mut harness, &app, "a range", |app| app.view().scale(Quantity::Temperature) != preset);
}

#[test]
fn every_handle_follows_the_mouse() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    with(&app, |app| app.look(|view| (view.handles, view.planes[2]) = (true, true)));
    settle(&mut harness, &app);
    let opacity = |app: &Shared| with(app, |app| app.view().opacity(Quantity::Temperature));
    let before = opacity(&app);
    let (at, _) = slider(&harness, "Opaque from");
    drag(&mut harness, at, at + egui::vec2(35.0, 0.0), Modifiers::NONE);
    assert!(opacity(&app).low > before.low);
    let (at, _) = slider(&harness, "Fully opaque at");
    drag(&mut harness, at, at - egui::vec2(35.0, 0.0), Modifiers::NONE);
    assert!(opacity(&app).high < before.high);
    // Along the normals of the faces, into the box.
    let (rect, camera) = (canvas(&harness, "Volume"), with(&app, |app| app.view().camera));
    let place = |p: Vec3| {
        let at = camera.project(p, rect.width() / rect.height()).expect("in front");
        rect.min + egui::vec2(at.x * rect.width(), at.y * rect.height())
    };
    for (axis, letter) in ["x", "y", "z"].into_iter().enumerate() {
        for (side, end) in ["from", "to"].into_iter().enumerate() {
            let (at, value) = slider(&harness, &format!("{letter} {end}"));
            let clip = with(&app, |app| app.view().clip);
            assert_eq!(value, f64::from(clip[side][axis]));
            let mut into = (Vec3::from_array(clip[0]) + Vec3::from_array(clip[1])) * 0.5;
            into[axis] = if side == 0 { 0.2 } else { 0.8 };
            drag(&mut harness, at, place(into), Modifiers::NONE);
            let now = with(&app, |app| app.view().clip[side][axis]);
            assert!((now - into[axis]).abs() < 0.05, "{letter} {end}: {now}, not {}", into[axis]);
        }
    }
    // Not in the middle of the part that is shown, where a handle of that part is.
    let z = 0.62;
    with(&app, |app| app.look(|view| view.crosshair[2] = z));
    steps(&mut harness, 2);
    let (at, _) = slider(&harness, "Plane across z");
    drag(&mut harness, at, at - egui::vec2(0.0, 40.0), Modifiers::NONE);
    assert!(with(&app, |app| app.view().crosshair[2]) > z, "up is up");
    press(&mut harness, Key::W);
    let (at, _) = slider(&harness, "Swipe line");
    drag(&mut harness, at, at - egui::vec2(100.0, 0.0), Modifiers::NONE);
    assert!(with(&app, |app| app.view().swipe) < 0.45);
}

#[test]
fn every_handle_follows_the_arrow_keys() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    with(&app, |app| app.look(|view| (view.handles, view.planes[2], view.compare) = (true, true, Compare::Swipe)));
    settle(&mut harness, &app);
    let mut deaf = Vec::new();
    for (label, key) in [
        ("Opaque from", Key::ArrowRight),
        ("Fully opaque at", Key::ArrowLeft),
        ("x from", Key::ArrowRight),
        ("x to", Key::ArrowLeft),
        ("y from", Key::ArrowRight),
        ("z to", Key::ArrowLeft),
        ("Plane across z", Key::ArrowRight),
        ("Swipe line", Key::ArrowRight),
    ] {
        let before = slider(&harness, label).1;
        press_on(&mut harness, Role::Slider, label, key, 2);
        let after = slider(&harness, label).1;
        let sign = if key == Key::ArrowRight { 1.0 } else { -1.0 };
        if (after - before) * sign <= 0.0 {
            deaf.push(label);
        }
    }
    assert!(deaf.is_empty(), "no arrow key moves {deaf:?}");
}

#[test]
fn kept_steps_are_scrubbed_as_latent_and_as_estimate() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    let newest = "21 cm brightness temperature";
    assert_eq!(name(&app), newest);
    // Left of the slider's knob to its left end: the first step.
    let rect = harness.get_by_role_and_label(Role::Slider, "Denoising step").rect();
    let [left, right] = [rect.left_center(), rect.right_center()].map(|p| p.lerp(rect.center(), 0.02));
    drag(&mut harness, right, left, Modifiers::NONE);
    assert_eq!(name(&app), "21 cm, estimate of step 1 of 3");
    harness.get_by_label("step 1/3");
    click(&mut harness, "latent");
    assert_eq!(name(&app), "21 cm, latent of step 1 of 3");
    press_on(&mut harness, Role::Slider, "Denoising step", Key::ArrowRight, 1);
    assert_eq!(name(&app), "21 cm, latent of step 2 of 3");
    click(&mut harness, "estimate");
    assert_eq!(name(&app), "21 cm, estimate of step 2 of 3");
    // What is read is that step, too: half of the way from one to the map.
    with(&app, |app| app.look(|view| view.crosshair = [0.51; 3]));
    steps(&mut harness, 2);
    harness.hover_at(spot(canvas(&harness, SLICES[2]), [0.26, 0.64]));
    steps(&mut harness, 3);
    let left = 2.0 / 3.0f32;
    let value = (1.0 - 0.5 * left) * temperature(0, [8, 20, 16]) + 0.5 * left;
    press_copy_values(&mut harness);
    assert_read(&copied(&harness), "21 cm, estimate of step 2 of 3", value);
    press_on(&mut harness, Role::Slider, "Denoising step", Key::ArrowRight, 2);
    assert_eq!(name(&app), newest);
    harness.get_by_label("newest");
}

fn press_copy_values(harness: &mut Harness<'_>) {
    harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::C);
    steps(harness, 2);
}

/// The value of a field among values that were copied.
fn assert_read(copy: &str, field: &str, wanted: f32) {
    let found = copy.split("; ").find_map(|part| part.strip_prefix(&format!("{field} = ")));
    let found: f32 = found.and_then(|v| v.trim_end_matches(" mK").replace('−', "-").parse().ok()).unwrap_or(f32::NAN);
    assert!((found / wanted - 1.0).abs() < 2e-3, "{field} is {found}, not {wanted}: {copy}");
}

#[test]
fn realisations_are_browsed_and_have_a_mean_and_a_spread() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    let field = || with(&app, |app| app.subject().realisation);
    let spinner = harness.get_by_role(Role::SpinButton);
    assert!(spinner.value().is_some_and(|value| value.contains('1')), "{:?}", spinner.value());
    // With the mouse one on, and its number typed to go back.
    let at = spinner.rect().center();
    drag(&mut harness, at, at + egui::vec2(30.0, 0.0), Modifiers::NONE);
    assert_eq!((field(), name(&app).as_str()), (1, "21 cm, realisation 2"));
    harness.get_by_role(Role::SpinButton).focus();
    steps(&mut harness, 2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    steps(&mut harness, 2);
    harness.event(egui::Event::Text("1".to_owned()));
    steps(&mut harness, 2);
    press(&mut harness, Key::Enter);
    assert_eq!((field(), name(&app).as_str()), (0, "21 cm brightness temperature"));
    for (label, what) in [("mean", "21 cm, mean of 2 realisations"), ("spread", "21 cm, spread of 2 realisations")] {
        click(&mut harness, label);
        wait_for_name(&mut harness, &app, what);
    }
    // Again: the map itself.
    click(&mut harness, "spread");
    assert_eq!(name(&app), "21 cm brightness temperature");
    // One is compared with the other.
    harness.get_by_role_and_label(Role::ComboBox, "Compare with").click();
    steps(&mut harness, 3);
    click(&mut harness, "realisation 2");
    press(&mut harness, Key::R);
    wait_for_name(&mut harness, &app, "less 21 cm, realisation 2");
}

#[test]
fn pins_are_set_told_and_removed() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    with(&app, |app| app.look(|view| view.crosshair = [0.51; 3]));
    steps(&mut harness, 2);
    for (count, at) in [(1, [0.26, 0.64]), (2, [0.71, 0.2])] {
        harness.hover_at(spot(canvas(&harness, SLICES[2]), at));
        steps(&mut harness, 2);
        press(&mut harness, Key::P);
        let pins = with(&app, |app| app.view().pins.clone());
        assert_eq!(pins.len(), count);
        let [x, y, z] = pins[count - 1];
        assert!((x - at[0]).abs() < 0.01 && (y - at[1]).abs() < 0.01 && (z - 0.51).abs() < 1e-6, "{pins:?}");
        steps(&mut harness, 2);
    }
    let value = format!("{} mK", four_digits(f64::from(temperature(0, [8, 20, 16]))));
    assert!(harness.query_all_by_label(&value).count() > 0, "{value} is not told");
    // The crosshair goes to a pin.
    let places: Vec<String> = with(&app, |app| app.view().pins.clone())
        .into_iter()
        .map(|pin| {
            let [x, y, z] = pin.map(|v| f64::from(v) * SIDE);
            format!("({x:.2}, {y:.2}, {z:.2})")
        })
        .collect();
    click(&mut harness, &places[1]);
    with(&app, |app| assert_eq!(app.view().crosshair, app.view().pins[1]));
    click(&mut harness, "Remove pin 1");
    with(&app, |app| assert!(app.view().pins.len() == 1 && (app.view().pins[0][0] - 0.71).abs() < 0.01));
    press(&mut harness, Key::Delete);
    assert!(with(&app, |app| app.view().pins.is_empty()));
    assert!(harness.query_by_label("Remove pin 1").is_none());
}

/// Four digits, as values are told.
fn four_digits(value: f64) -> String {
    let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    format!("{value:.digits$}")
}

#[test]
fn a_line_and_a_region_are_drawn_measured_and_saved_as_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut harness, app, _run) = finished_run(Start::default());
    with(&app, |app| app.look(|view| view.crosshair = [0.51; 3]));
    settle(&mut harness, &app);
    let save = |harness: &mut Harness<'_>, app: &Shared, name: &str| {
        wait(harness, app, "the numbers", HalodiApp::is_settled);
        harness.get_by_label("CSV…").scroll_to_me();
        steps(harness, 3);
        click(harness, "CSV…");
        let path = folder.path().join(name);
        answer(harness, &path, "Save");
        wait_for(harness, &path);
        std::fs::read_to_string(path).expect("a table")
    };
    // Along x through the crosshair, by its key.
    press(&mut harness, Key::L);
    let line = with(&app, |app| app.view().line).expect("a line");
    assert_eq!([line[0][1], line[1][2]], [0.51; 2]);
    let table = assert_table(&save(&mut harness, &app, "profile.csv"));
    let of =
        |name: &str| table[0].iter().position(|cell| cell.contains(name)).unwrap_or_else(|| panic!("{:?}", table[0]));
    let (along, map) = (of("distance"), of("21 cm brightness temperature"));
    let number = |row: usize, column: usize| table[row][column].parse::<f64>().expect("a number");
    assert!(number(1, along).abs() < 1e-6 && (number(table.len() - 1, along) / SIDE - 1.0).abs() < 0.01);
    let highest = (0..N).map(|x| temperature(0, [x, 16, 16])).fold(0.0, f32::max);
    let found = (1..table.len()).map(|row| number(row, map)).fold(0.0, f64::max);
    assert!((found / f64::from(highest) - 1.0).abs() < 0.2, "{found} mK at most, not {highest}");
    click(&mut harness, "Remove line");
    assert_eq!(with(&app, |app| app.view().line), None);
    // With Alt along a slice.
    let slice = canvas(&harness, SLICES[2]);
    drag(&mut harness, spot(slice, [0.2, 0.3]), spot(slice, [0.7, 0.8]), Modifiers::ALT);
    let [from, to] = with(&app, |app| app.view().line).expect("a line");
    let near = |p: [f32; 3], wanted: [f32; 3]| p.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 0.02);
    assert!(near(from, [0.2, 0.3, 0.51]) && near(to, [0.7, 0.8, 0.51]), "{from:?} to {to:?}");
    press(&mut harness, Key::Delete);
    assert_eq!(with(&app, |app| app.view().line), None);

    // A region, with Ctrl.
    steps(&mut harness, 3);
    let slice = canvas(&harness, SLICES[2]);
    drag(&mut harness, spot(slice, [0.265, 0.39]), spot(slice, [0.515, 0.64]), Modifiers::COMMAND);
    let corners = with(&app, |app| app.view().region).expect("a region");
    assert!(near(corners[0], [0.265, 0.39, 0.385]) && near(corners[1], [0.515, 0.64, 0.635]), "{corners:?}");
    let table = assert_table(&save(&mut harness, &app, "region.csv"));
    let column = |name: &str| table[0].iter().position(|cell| cell == name).unwrap_or_else(|| panic!("{:?}", table[0]));
    let fields: Vec<&str> = table.iter().skip(1).map(|row| row[column("field")].as_str()).collect();
    assert!(["Dark matter", "Halo mass, bin 1", "21 cm reference"].iter().all(|f| fields.contains(f)), "{fields:?}");
    let row = table.iter().find(|row| row[0] == "21 cm brightness temperature").expect("the map");
    let [low, high] = corners.map(|corner| corner.map(|v| (v * N as f32) as usize));
    let inside = (low[0]..=high[0]).flat_map(|x| (low[1]..=high[1]).map(move |y| (x, y)));
    let inside = inside.flat_map(|(x, y)| (low[2]..=high[2]).map(move |z| f64::from(temperature(0, [x, y, z]))));
    let values: Vec<f64> = inside.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let of = |name: &str| row[column(name)].parse::<f64>().expect("a number");
    assert_eq!(of("voxels") as usize, values.len());
    assert!((of("mean") / mean - 1.0).abs() < 1e-4, "{} mK, not {mean}", of("mean"));
    click(&mut harness, "Remove region");
    assert_eq!(with(&app, |app| app.view().region), None);
}

#[test]
fn the_palette_runs_a_command_and_what_it_copies_is_a_table() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    settle(&mut harness, &app);
    let command = |harness: &mut Harness<'_>, text: &str| {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
        steps(harness, 2);
        harness.event(egui::Event::Text(text.to_owned()));
        steps(harness, 2);
        press(harness, Key::Enter);
        assert!(harness.query_by_role(Role::TextInput).is_none(), "the palette stays open");
    };
    command(&mut harness, "spectra as a table");
    let copy = assert_table(&copied(&harness));
    let head = copy[0].join(" | ");
    for column in ["k_h_mpc", "dark_matter", "halo_mass_bin_1", "21_cm_prediction", "21_cm_reference"] {
        assert!(head.contains(column), "{column} is not in {head}");
    }
    let numbers: Vec<Vec<f64>> =
        copy[1..].iter().map(|row| row.iter().map(|cell| cell.parse().expect("a number")).collect()).collect();
    assert!(numbers.len() > 5 && numbers.windows(2).all(|w| w[0][0] < w[1][0]), "{numbers:?}");
    let k = std::f64::consts::TAU / SIDE;
    assert!((0.9 * k..2.0 * k).contains(&numbers[0][0]), "the first k is {}", numbers[0][0]);
    // Values at the probe, by the palette.
    command(&mut harness, "copy the values");
    let [x, y, z] = with(&app, |app| app.view().voxel(N));
    assert_read(&copied(&harness), "21 cm brightness temperature", temperature(0, [x, y, z]));
    // With the mouse, and with arrows down the list.
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    steps(&mut harness, 2);
    harness.event(egui::Event::Text("maximise the vol".to_owned()));
    // Until the list lies where it stays.
    steps(&mut harness, 6);
    harness.get_by_label_contains("Maximise the volume").click();
    steps(&mut harness, 3);
    harness.get_by_label("Restore").click();
    steps(&mut harness, 2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    steps(&mut harness, 2);
    harness.event(egui::Event::Text("21 cm re".to_owned()));
    steps(&mut harness, 2);
    press(&mut harness, Key::ArrowDown);
    press(&mut harness, Key::ArrowUp);
    press(&mut harness, Key::Enter);
    assert_eq!(with(&app, |app| app.view().layer), Layer::Reference);
}

#[test]
fn the_dialog_of_a_film_opens_counts_its_frames_and_is_cancelled() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    for by_key in [false, true] {
        press(&mut harness, Key::F9);
        harness.get_by_label("Record a film");
        harness.get_by_label_contains("once around the box");
        for (rate, frames) in [("25 frames/s", "300 frames."), ("60 frames/s", "720 frames.")] {
            click(&mut harness, rate);
            harness.get_by_label_contains(frames);
        }
        click(&mut harness, "1280 × 720");
        if by_key {
            press(&mut harness, Key::Escape);
        } else {
            click(&mut harness, "Cancel");
        }
        assert!(harness.query_by_label("Record a film").is_none() && harness.query_by_label("Path").is_none());
    }
    // Nowhere to write it: no film.
    press(&mut harness, Key::F9);
    click(&mut harness, "Record…");
    harness.get_by_label("Path");
    press(&mut harness, Key::Escape);
    steps(&mut harness, 2);
    assert!(harness.query_by_label("Path").is_none() && harness.query_by_label_contains("Film: frame").is_none());
    press(&mut harness, Key::F9);
    harness.get_by_label("Record a film");
    assert!(with(&app, |app| app.errors().is_empty()));
}

#[test]
fn arrows_move_the_crosshair_on_a_slice_and_turn_the_volume() {
    let (mut harness, app, _folder) = finished_run(Start::default());
    for (axis, slice) in SLICES.into_iter().enumerate() {
        let [right, up] = halodi::render::SLICE_AXES[axis];
        with(&app, |app| app.look(|view| view.crosshair = [10.5 / N as f32; 3]));
        press_on(&mut harness, Role::Canvas, slice, Key::ArrowRight, 2);
        press(&mut harness, Key::ArrowUp);
        let mut wanted = [10; 3];
        (wanted[right], wanted[up]) = (12, 11);
        assert_eq!(with(&app, |app| app.view().voxel(N)), wanted, "{slice}");
        press(&mut harness, Key::ArrowLeft);
        press(&mut harness, Key::ArrowDown);
        (wanted[right], wanted[up]) = (11, 10);
        assert_eq!(with(&app, |app| app.view().voxel(N)), wanted, "{slice}");
        assert!(harness.get_by_role_and_label(Role::Canvas, slice).is_focused(), "{slice} lost the focus");
    }
    let camera = |app: &Shared| with(app, |app| app.view().camera);
    let before = camera(&app);
    press_on(&mut harness, Role::Canvas, "Volume", Key::ArrowLeft, 1);
    let turned = camera(&app);
    assert_ne!(turned.yaw, before.yaw);
    press(&mut harness, Key::ArrowUp);
    assert_ne!(camera(&app).pitch, turned.pitch);
    let told = harness.get_by_role_and_label(Role::Canvas, "Volume").value().unwrap_or_default();
    assert!(told.contains(&format!("{:.0}° around", camera(&app).yaw.to_degrees())), "{told}");
}

#[test]
fn the_tour_of_a_new_user_has_five_steps_and_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let session = Some(folder.path().join("preferences.json"));
    let (mut harness, app) = window(Start { initial: None, session: session.clone(), ..Start::default() });
    harness.step();
    harness.get_by_label_contains("Five steps through the window").click();
    harness.step();
    wait(&mut harness, &app, "the demo", |app| app.subject().has(Layer::Reference) && !app.is_running());
    steps(&mut harness, 2);
    for (step, title) in ["The picture", "Run", "Compare", "Read", "Keep"].into_iter().enumerate() {
        harness.get_by_label(&format!("{} of 5", step + 1));
        assert!(harness.query_all_by_label(title).count() > 0, "step {} is not about {title}", step + 1);
        click(&mut harness, if step < 4 { "Next" } else { "Done" });
    }
    assert!(harness.query_by_label_contains(" of 5").is_none());
    // It is offered no more, and found again.
    drop(app.borrow_mut().take());
    drop(harness);
    let (mut harness, _app) = window(Start { initial: None, session, ..Start::default() });
    harness.step();
    assert!(harness.query_by_label_contains("Five steps through the window").is_none());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    steps(&mut harness, 2);
    harness.get_by_label_contains("Tour of the window");
}

#[test]
fn every_panel_is_maximised_and_restored_from_its_own_bar() {
    let (mut harness, _app, _folder) = finished_run(Start::default());
    for pane in Pane::ALL.into_iter().filter(|pane| *pane != Pane::Seams) {
        click(&mut harness, &format!("Maximise {}", pane.name()));
        assert!(harness.query_by_label(&format!("Maximise {}", pane.name())).is_none());
        let canvases = harness.query_all_by_role(Role::Canvas).count();
        let wanted = match pane {
            Pane::Volume | Pane::Slice(_) => 1..=1,
            Pane::Spectra => 1..=4,
            _ => 0..=0,
        };
        assert!(wanted.contains(&canvases), "{} pictures beside {}", canvases, pane.name());
        click(&mut harness, "Restore");
        assert!(harness.query_by_role_and_label(Role::Canvas, "Volume").is_some());
    }
}

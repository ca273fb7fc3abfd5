//! Stored pictures of every panel and main state, in two themes, on a software device.
//!
//! [`LOOKS`] is the table of them. `UPDATE_SNAPSHOTS=1 cargo test --release --test it -- window::looks` writes
//! those anew that look otherwise; look at them before they are kept.

use egui::{Pos2, Rect, Theme, Vec2};
use egui_kittest::{SnapshotOptions, SnapshotResults, try_image_snapshot_options};
use halodi::ui::ViewState;

use super::made::finished_run;
use super::*;

/// What of the window a picture shows.
#[derive(Clone, Copy)]
enum Crop {
    Window,
    /// The volume and the flat views.
    Pictures,
    /// The colours under the volume.
    Colours,
    /// The panel at the right of the flat views.
    Right,
    /// So many points at the left.
    Left(f32),
    /// So many points in the middle.
    Middle(Vec2),
}

/// A way that the window looks: its name, its part, and how to get there.
type Look = (&'static str, Crop, fn(&mut Harness<'_>, &Shared));

/// How a finished run looks.
const LOOKS: [Look; 13] = [
    ("explore", Crop::Window, |_, _| ()),
    ("colours", Crop::Colours, |_, _| ()),
    ("spectra", Crop::Right, |_, _| ()),
    ("swipe", Crop::Pictures, |harness, _| press(harness, Key::W)),
    ("side_by_side", Crop::Pictures, |harness, _| press(harness, Key::D)),
    ("residual", Crop::Pictures, |harness, _| press(harness, Key::R)),
    ("drawer", Crop::Left(400.0), |harness, _| press(harness, Key::F2)),
    ("measured", Crop::Left(400.0), |_, app| with(app, |app| app.look(measure))),
    ("palette", Crop::Middle(Vec2::new(500.0, 480.0)), |harness, _| {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
        steps(harness, 2);
    }),
    ("keys", Crop::Window, |harness, _| press(harness, Key::Questionmark)),
    ("figure", Crop::Middle(Vec2::new(470.0, 420.0)), |harness, _| {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
        steps(harness, 2);
    }),
    ("film", Crop::Middle(Vec2::new(440.0, 320.0)), |harness, _| press(harness, Key::F9)),
    // Which tab is on top stays.
    ("seams", Crop::Right, |harness, _| {
        harness.get_all_by_label("Seams").last().expect("its tab").click();
        steps(harness, 2);
    }),
];

/// A pin, a region and a line.
fn measure(view: &mut ViewState) {
    view.pins = vec![[0.3, 0.6, 0.5]];
    view.region = Some([[0.2, 0.2, 0.4], [0.5, 0.6, 0.7]]);
    view.line = Some([[0.0, 0.5, 0.5], [0.9999, 0.5, 0.5]]);
}

/// As small as the window can be: pictures are small, and there is the least room.
const SIZE: [f32; 2] = [1000.0, 640.0];

fn rect_of(harness: &Harness<'_>, crop: Crop) -> Rect {
    let window = harness.ctx.content_rect();
    let [volume, flat, lowest] = ["Volume", SLICES[2], SLICES[0]]
        .map(|name| harness.query_by_role_and_label(Role::Canvas, name).map_or(window, |canvas| canvas.rect()));
    match crop {
        Crop::Window => window,
        Crop::Pictures => Rect::from_min_max(volume.min, Pos2::new(flat.right(), lowest.bottom())),
        Crop::Colours => Rect::from_min_max(volume.left_bottom(), Pos2::new(volume.right(), lowest.bottom())),
        Crop::Right => {
            Rect::from_min_max(flat.right_top() - egui::vec2(0.0, 24.0), Pos2::new(window.right(), lowest.bottom()))
        }
        Crop::Left(width) => window.with_max_x(width),
        Crop::Middle(size) => Rect::from_center_size(window.center(), size),
    }
}

/// Nothing moves any more: no notice, no cursor, the picture as fine as it gets.
fn rest(harness: &mut Harness<'_>, app: &Shared) {
    harness.remove_cursor();
    harness.ctx.all_styles_mut(|style| style.visuals.text_cursor.blink = false);
    let began = Instant::now();
    let mut still = 0;
    while still < 5 {
        assert!(began.elapsed() < Duration::from_secs(120), "it never rests");
        harness.query_all_by_label("Dismiss").for_each(|button| button.click());
        harness.step();
        std::thread::sleep(Duration::from_millis(10));
        still = if with(app, |app| app.is_settled()) { still + 1 } else { 0 };
    }
}

/// Compare a part of the window with the picture of that name.
fn compare(harness: &mut Harness<'_>, name: &str, theme: Theme, crop: Crop, results: &mut SnapshotResults) {
    let mut image = harness.render().expect("a picture");
    // How long a frame takes and what draws it is not how the window looks.
    let window = harness.ctx.content_rect();
    let time = Rect::from_min_max(window.right_bottom() - egui::vec2(150.0, 28.0), window.max);
    let drawn_by = GpuContext::shared().expect("the device").name();
    let device = harness.query_all_by_label(&drawn_by).map(|node| node.rect());
    for rect in device.chain([time]).map(|rect| rect.expand(2.0).intersect(window)) {
        for y in rect.top() as u32..rect.bottom() as u32 {
            (rect.left() as u32..rect.right() as u32)
                .for_each(|x| image.put_pixel(x, y, image::Rgba([255, 0, 255, 255])));
        }
    }
    let rect = rect_of(harness, crop).intersect(harness.ctx.content_rect());
    let [x, y, width, height] = [rect.left(), rect.top(), rect.width(), rect.height()].map(|v| v.round() as u32);
    let mut part = image::imageops::crop_imm(&image, x, y, width, height).to_image();
    part.pixels_mut().for_each(|pixel| pixel.0[3] = u8::MAX);
    let name = format!("{name}_{}", if theme == Theme::Dark { "dark" } else { "light" });
    // Another processor may round a colour otherwise.
    let options = SnapshotOptions::new().threshold(1.0).max_failed_pixels(150).output_path("tests/it/pictures");
    results.add(try_image_snapshot_options(&part, &name, &options));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        make_small(&PathBuf::from(format!("tests/it/pictures/{name}.png")));
    }
}

/// Pack a picture as tightly as can be: it was written in haste.
fn make_small(path: &std::path::Path) {
    use image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let picture = image::open(path).expect("a picture").to_rgb8();
    let file = std::fs::File::create(path).expect("a file");
    let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
    picture.write_with_encoder(encoder).expect("written");
}

fn look_as_they_did(theme: Theme) {
    if !GpuContext::shared().expect("a Vulkan device, software or not").is_software() {
        eprintln!("Pictures are those of a software device, which this one is not: nothing was compared.");
        return;
    }
    let start = || Start { theme, size: SIZE, ..Start::default() };
    let mut results = SnapshotResults::new();
    let (mut harness, app) = window(Start { initial: None, ..start() });
    rest(&mut harness, &app);
    compare(&mut harness, "empty", theme, Crop::Middle(Vec2::new(620.0, 440.0)), &mut results);
    drop((harness, app));

    let (mut harness, app, _folder) = finished_run(start());
    let state = |app: &Shared| with(app, |app| app.view().clone());
    rest(&mut harness, &app);
    let first = state(&app);
    for (name, crop, arrange) in LOOKS {
        arrange(&mut harness, &app);
        rest(&mut harness, &app);
        compare(&mut harness, name, theme, crop, &mut results);
        // Whatever is open is closed again, innermost first.
        (0..4).for_each(|_| press(&mut harness, Key::Escape));
        with(&app, |app| app.look(|view| *view = first.clone()));
        rest(&mut harness, &app);
    }
}

#[test]
fn every_panel_looks_as_it_did_in_the_dark() {
    look_as_they_did(Theme::Dark);
}

#[test]
fn every_panel_looks_as_it_did_in_the_light() {
    look_as_they_did(Theme::Light);
}

//! Where things are in the window: voxels at known places are seen there in every way of comparing,
//! and read there by the probe.

use egui::{Pos2, Rect};
use glam::Vec3;
use halodi::render::{ColorMap, ColorScale, SLICE_AXES, Stretch, VolumeMode};
use image::RgbaImage;
use serde_json::json;

use super::made::{SIDE, grid, number, open, write, write_numbered};
use super::*;

const N: usize = 16;
/// The voxel along each axis where the crosshair is.
const ACROSS: usize = 8;
/// Places of the voxels of the first and the second field on every slice, to the right and up.
const FIRST: [[usize; 2]; 2] = [[3, 4], [12, 4]];
const SECOND: [[usize; 2]; 2] = [[3, 11], [12, 11]];

fn voxel(axis: usize, [right, up]: [usize; 2]) -> [usize; 3] {
    let mut voxel = [ACROSS; 3];
    let [r, u] = SLICE_AXES[axis];
    (voxel[r], voxel[u]) = (right, up);
    voxel
}

fn middle(voxel: usize) -> f32 {
    (voxel as f32 + 0.5) / N as f32
}

/// A prediction and a reference of six voxels of 20 mK each, two on every slice.
fn write_two_fields(path: &std::path::Path) {
    let field = |places: [[usize; 2]; 2]| {
        let all: Vec<[usize; 3]> = (0..3).flat_map(|axis| places.map(|at| voxel(axis, at))).collect();
        grid(N, move |voxel| if all.contains(&voxel) { 20.0 } else { 0.0 })
    };
    let layers = [
        (Layer::DarkMatter, grid(N, |[x, ..]| 0.5 + x as f32 / N as f32)),
        (Layer::BrightnessTemperature, field(FIRST)),
        (Layer::Reference, field(SECOND)),
    ];
    write(path, json!({}), &layers);
}

/// Grey from 0 to 20 mK, and differences from blue to red.
fn in_plain_colours(view: &mut halodi::ui::ViewState) {
    view.crosshair = [middle(ACROSS); 3];
    let linear = |scale| ColorScale { stretch: Stretch::Linear, ..scale };
    let grey = ColorScale { low: 0.0, high: 20.0, ..ColorScale::log(1.0, 20.0, ColorMap::Grey) };
    view.scales.insert(Quantity::Temperature, linear(grey));
    // The last colours of those that diverge are all but black.
    view.scales.insert(Quantity::Difference, linear(ColorScale::symmetric(28.0)));
    view.scales.insert(Quantity::Band, linear(ColorScale::symmetric(12.0)));
    view.mode = VolumeMode::Maximum;
}

/// How much a colour says: of grey its brightness, of blue to red its redness, −255 to 255.
#[derive(Clone, Copy)]
enum Colours {
    Grey,
    BlueRed,
}

impl Colours {
    fn of(self, [red, _, blue, _]: [u8; 4]) -> i32 {
        match self {
            Self::Grey => i32::from(red),
            Self::BlueRed => i32::from(red) - i32::from(blue),
        }
    }
}

/// What is seen about a place: the middle one of the amounts of five by five pixels, for there are
/// lines of a pixel in pictures.
fn seen(image: &RgbaImage, at: Pos2, colours: Colours) -> i32 {
    let [x, y] = [at.x, at.y].map(|v| v.round() as u32);
    let all = (x - 2..=x + 2).flat_map(|x| (y - 2..=y + 2).map(move |y| (x, y)));
    let mut amounts: Vec<i32> = all.map(|(x, y)| colours.of(image.get_pixel(x, y).0)).collect();
    amounts.sort_unstable();
    amounts[amounts.len() / 2]
}

/// What a part of a picture shows: the fields whose voxels are lit in it, and with which sign.
type Lit<'a> = &'a dyn Fn(f32) -> [i32; 2];

/// Every voxel on a slice in `rect`: `lit` says by the share of the width what the first and the second
/// field show there. A voxel of a band reaches over those within `reach` of it.
fn check_slice(image: &RgbaImage, rect: Rect, colours: Colours, lit: Lit<'_>, reach: usize, what: &str) {
    let spots: Vec<[usize; 2]> = FIRST.into_iter().chain(SECOND).collect();
    for column in (0..N).filter(|&column| column != ACROSS) {
        // Writing lies over the lowest and the highest rows, the crosshair over that of its own.
        for row in (3..13).filter(|&row| row != ACROSS) {
            let beside = |spot: &[usize; 2]| spot[0].abs_diff(column) <= reach && spot[1].abs_diff(row) <= reach;
            if !spots.contains(&[column, row]) && spots.iter().any(beside) {
                continue;
            }
            let at = spot(rect, [middle(column), middle(row)]);
            let [first, second] = lit((at.x - rect.left()) / rect.width());
            let mut wanted = 0;
            wanted += if FIRST.contains(&[column, row]) { first } else { 0 };
            wanted += if SECOND.contains(&[column, row]) { second } else { 0 };
            let [x, y] = [at.x, at.y].map(|v| v as u32);
            let amount = colours.of(image.get_pixel(x, y).0);
            let fits = match wanted {
                0 => amount.abs() < 75,
                sign => amount * sign > 110,
            };
            assert!(fits, "{what} at ({column}, {row}): {amount}, not {wanted}");
        }
    }
}

/// The voxels in the volume in `rect`.
fn check_volume(image: &RgbaImage, app: &Shared, rect: Rect, colours: Colours, lit: Lit<'_>, reach: usize, what: &str) {
    let camera = with(app, |app| app.view().camera);
    let place = |voxel: [usize; 3]| {
        let at = camera.project(Vec3::from_array(voxel.map(middle)), rect.width() / rect.height()).expect("in front");
        rect.min + egui::vec2(at.x * rect.width(), at.y * rect.height())
    };
    let voxels = (0..3).flat_map(|axis| {
        let of = |field: usize, places: [[usize; 2]; 2]| places.map(|at| (field, place(voxel(axis, at))));
        of(0, FIRST).into_iter().chain(of(1, SECOND))
    });
    let voxels: Vec<(usize, Pos2)> = voxels.collect();
    let share = |at: Pos2| (at.x - rect.left()) / rect.width();
    let wanted = |&(field, at): &(usize, Pos2)| lit(share(at))[field];
    let mut dark = 0;
    for this in &voxels {
        // The line between the fields is bright itself.
        if lit(share(this.1) - 0.02) != lit(share(this.1) + 0.02) {
            continue;
        }
        let amount = seen(image, this.1, colours);
        match wanted(this) {
            0 => {
                // What is lit beside it reaches that far.
                let near = |other: &&(usize, Pos2)| {
                    wanted(other) != 0 && other.1.distance(this.1) < 0.075 * rect.width().min(rect.height())
                };
                if reach == 0 && !voxels.iter().any(|other| near(&other)) {
                    dark += 1;
                    assert!(amount.abs() < 50, "{what}: {amount} of field {} at {:?}", this.0, this.1);
                }
            }
            sign => assert!(amount * sign > 50, "{what}: {amount} of field {} at {:?}", this.0, this.1),
        }
    }
    assert!(dark > 0 || reach > 0 || voxels.iter().all(|v| wanted(v) != 0), "{what}: nothing dark was looked at");
}

#[test]
fn two_fields_are_in_their_places_in_every_way_of_comparing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("two.hdf5");
    write_two_fields(&path);
    let (mut harness, app) = open(&path, Start::default());
    with(&app, |app| app.look(in_plain_colours));
    let whole: [Lit<'_>; 2] = [&|_| [1, 0], &|_| [0, 1]];
    let left_and_right: Lit<'_> = &|at| if at < 0.5 { [1, 0] } else { [0, 1] };
    let both: Lit<'_> = &|_| [1, -1];
    let (grey, signed) = (Colours::Grey, Colours::BlueRed);
    let band = Some([1.0, 3.0]);
    for (compare, band, colours, shows) in [
        (Compare::Off, None, grey, [whole[0]; 2]),
        (Compare::Swipe, None, grey, [left_and_right; 2]),
        (Compare::SideBySide, None, grey, whole),
        (Compare::Residual, None, signed, [both; 2]),
        (Compare::Off, band, signed, [whole[0]; 2]),
        (Compare::Swipe, band, signed, [left_and_right; 2]),
        (Compare::SideBySide, band, signed, whole),
        (Compare::Residual, band, signed, [both; 2]),
    ] {
        for smooth in [false, true] {
            with(&app, |app| app.look(|view| (view.compare, view.band, view.smooth) = (compare, band, smooth)));
            let named = |name: &str| {
                name.contains("less") == (compare == Compare::Residual) && name.contains("k =") == band.is_some()
            };
            wait(&mut harness, &app, "the fields", |app| app.on_show().is_some_and(|(name, _)| named(name)));
            settle(&mut harness, &app);
            let image = harness.render().expect("a picture");
            let what = format!("{compare:?}, band {band:?}, smooth {smooth}");
            let reach = if band.is_some() { 5 } else { 0 };
            let halves = |rect: Rect| match compare {
                Compare::SideBySide => {
                    let (left, right) = rect.split_left_right_at_fraction(0.5);
                    vec![left, right]
                }
                _ => vec![rect],
            };
            for name in SLICES {
                for (rect, lit) in halves(canvas(&harness, name)).into_iter().zip(shows) {
                    check_slice(&image, rect, colours, lit, reach, &format!("{what}, {name}"));
                }
            }
            for (rect, lit) in halves(canvas(&harness, "Volume")).into_iter().zip(shows) {
                check_volume(&image, &app, rect, colours, lit, reach, &format!("{what}, volume"));
            }
        }
    }
    with(&app, |app| assert!(app.errors().is_empty(), "{:?}", app.errors()));
}

#[test]
fn the_line_of_a_swipe_moves_in_the_volume_and_on_the_slices_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("two.hdf5");
    write_two_fields(&path);
    let (mut harness, app) = open(&path, Start::default());
    with(&app, |app| app.look(in_plain_colours));
    press(&mut harness, Key::W);
    // Far to the right, all that is seen is the first field.
    let lines: Vec<Pos2> = harness.get_all_by_label("Swipe line").map(|line| line.rect().center()).collect();
    assert_eq!(lines.len(), 4, "one in the volume and one on each slice");
    let volume = canvas(&harness, "Volume");
    let line = *lines.iter().find(|line| volume.contains(**line)).expect("one in the volume");
    drag(&mut harness, line, volume.right_center() - egui::vec2(volume.width() * 0.03, 0.0), Modifiers::NONE);
    assert!(with(&app, |app| app.view().swipe) > 0.9, "{}", with(&app, |app| app.view().swipe));
    settle(&mut harness, &app);
    let image = harness.render().expect("a picture");
    let swipe = with(&app, |app| app.view().swipe);
    let lit: Lit<'_> = &|at| if at < swipe { [1, 0] } else { [0, 1] };
    for name in SLICES {
        check_slice(&image, canvas(&harness, name), Colours::Grey, lit, 0, name);
    }
    check_volume(&image, &app, volume, Colours::Grey, lit, 0, "volume");
}

#[test]
fn the_probe_reads_the_voxel_under_the_pointer_and_a_click_brings_the_crosshair_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("numbered.hdf5");
    write_numbered(&path, N, 1000);
    let (mut harness, app) = open(&path, Start { size: [1440.0, 900.0], ..Start::default() });
    with(&app, |app| app.look(|view| view.crosshair = [5, 9, 2].map(middle)));
    steps(&mut harness, 2);
    for axis in 0..3 {
        let rect = canvas(&harness, SLICES[axis]);
        let [right, up] = SLICE_AXES[axis];
        for at in [[3, 4], [12, 4], [2, 13]] {
            let mut wanted = with(&app, |app| app.view().voxel(N));
            (wanted[right], wanted[up]) = (at[0], at[1]);
            let pointer = spot(rect, at.map(middle));
            harness.hover_at(pointer);
            steps(&mut harness, 3);
            let index = number(N, wanted);
            for text in [
                format!("{}", 1000 + index),
                format!("{} mK", 11_000 + index),
                format!("{} mK", 31_000 + index),
                "−20000 mK".to_owned(),
            ] {
                assert!(harness.query_by_label(&text).is_some(), "{}: {text} is not read at {wanted:?}", SLICES[axis]);
            }
            let [x, y, z] = wanted.map(|v| f64::from(middle(v)) * SIDE);
            let told = harness.get_by_label_contains(") Mpc/h");
            let told = told.value().or_else(|| told.accesskit_node().label()).unwrap_or_default();
            let found: Vec<f64> = told
                .trim_matches(|c: char| !c.is_ascii_digit())
                .split(',')
                .filter_map(|v| v.trim().parse().ok())
                .collect();
            // A pixel is a tenth of a voxel.
            assert!(
                found.len() == 3 && found.iter().zip([x, y, z]).all(|(a, b)| (a - b).abs() < 0.15),
                "{told} for ({x}, {y}, {z})"
            );
            harness.drag_at(pointer);
            harness.drop_at(pointer);
            steps(&mut harness, 2);
            assert_eq!(with(&app, |app| app.view().voxel(N)), wanted, "{}", SLICES[axis]);
            // The copy is what is read.
            harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::C);
            steps(&mut harness, 2);
            let copy = copied(&harness);
            let told = format!("21 cm brightness temperature = {} mK", 11_000 + index);
            assert!(copy.contains(&told), "{copy}");
            steps(&mut harness, 4);
        }
    }
    // Zoomed and moved over a face, a voxel is still itself.
    with(&app, |app| {
        app.look(|view| (view.slices[2].middle, view.slices[2].zoom) = ([1.0, 0.0], 2.0));
    });
    steps(&mut harness, 2);
    let rect = canvas(&harness, SLICES[2]);
    let side = 2.0 * rect.width().min(rect.height());
    harness.hover_at(rect.center() + side * egui::vec2(middle(1), middle(2)));
    steps(&mut harness, 3);
    let z = with(&app, |app| app.view().voxel(N)[2]);
    let text = format!("{}", 1000 + number(N, [1, N - 3, z]));
    assert!(harness.query_by_label(&text).is_some(), "{text} is not read beyond the faces");
}

#[test]
fn a_right_click_on_the_volume_finds_the_voxel_that_is_seen_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("two.hdf5");
    write_two_fields(&path);
    let (mut harness, app) = open(&path, Start::default());
    with(&app, |app| app.look(in_plain_colours));
    steps(&mut harness, 2);
    let (rect, camera) = (canvas(&harness, "Volume"), with(&app, |app| app.view().camera));
    for axis in 0..3 {
        let before = [0.01; 3];
        with(&app, |app| app.look(|view| view.crosshair = before));
        let wanted = voxel(axis, FIRST[1]);
        let place = Vec3::from_array(wanted.map(middle));
        let at = camera.project(place, rect.width() / rect.height()).expect("in front");
        let pos = rect.min + egui::vec2(at.x * rect.width(), at.y * rect.height());
        harness.hover_at(pos);
        for pressed in [true, false] {
            let button = egui::PointerButton::Secondary;
            harness.event(egui::Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
        }
        steps(&mut harness, 3);
        wait(&mut harness, &app, "the brightest voxel", |app| app.view().crosshair != before);
        assert_eq!(with(&app, |app| app.view().voxel(N)), wanted, "the voxel on the slice across {axis}");
    }
}

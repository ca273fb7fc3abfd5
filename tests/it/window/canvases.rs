//! What the mouse and the keys do over pictures: each reaches the picture that is under it, and
//! costs no more than what it changes.

use super::*;

/// Let the window come to rest; how often the volume was marched by then.
fn rest(harness: &mut Harness<'_>, app: &Shared) -> u64 {
    let (mut last, mut still) = (0, 0);
    let began = Instant::now();
    while still < 40 {
        assert!(began.elapsed() < Duration::from_secs(120), "it never rests");
        harness.step();
        std::thread::sleep(Duration::from_millis(15));
        let marches = with(app, |app| app.marches());
        still = if marches == last { still + 1 } else { 0 };
        last = marches;
    }
    last
}

fn click(harness: &mut Harness<'_>, pos: egui::Pos2, button: egui::PointerButton) {
    harness.hover_at(pos);
    harness.step();
    for pressed in [true, false] {
        harness.event(egui::Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
        harness.step();
    }
    harness.step();
}

fn crosshair(app: &Shared) -> [f32; 3] {
    with(app, |app| app.view().crosshair)
}

#[test]
fn a_crosshair_without_planes_costs_nothing_of_the_volume() {
    let (mut harness, app) = opened(Start::default());
    let marches = rest(&mut harness, &app);
    press(&mut harness, Key::PageUp);
    assert_eq!(rest(&mut harness, &app), marches, "the volume was marched for a plane that is not there");
    with(&app, |app| app.look(|view| view.planes[2] = true));
    let marches = rest(&mut harness, &app);
    press(&mut harness, Key::PageUp);
    assert!(with(&app, |app| app.marches()) > marches);
}

#[test]
fn each_half_of_a_comparison_is_steered_where_it_is_drawn() {
    let (mut harness, app) = opened(Start::default());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    press(&mut harness, Key::D);
    assert_eq!(with(&app, |app| app.view().compare), Compare::SideBySide);
    let slice = harness.get_by_role_and_label(Role::Canvas, "Slice xy").rect();
    for share in [0.25, 0.75] {
        with(&app, |app| app.look(|view| view.crosshair = [0.1, 0.9, 0.5]));
        let middle = egui::pos2(slice.left() + share * slice.width(), slice.center().y);
        click(&mut harness, middle, egui::PointerButton::Primary);
        let [x, y, _] = crosshair(&app);
        assert!((x - 0.5).abs() < 0.03 && (y - 0.5).abs() < 0.03, "({x}, {y}) in the middle of a half");
    }
    // The line of sight through the middle of either half goes through the middle of the box.
    let volume = harness.get_by_role_and_label(Role::Canvas, "Volume").rect();
    let found = [0.25, 0.75].map(|share| {
        with(&app, |app| app.look(|view| view.clip = [[0.47; 3], [0.53; 3]]));
        let middle = egui::pos2(volume.left() + share * volume.width(), volume.center().y);
        with(&app, |app| app.look(|view| view.crosshair = [0.1; 3]));
        click(&mut harness, middle, egui::PointerButton::Secondary);
        wait(&mut harness, &app, "the brightest voxel", |app| app.view().crosshair != [0.1; 3]);
        crosshair(&app)
    });
    assert!(found.as_flattened().iter().all(|v| (v - 0.5).abs() < 0.1), "{found:?}");
}

#[test]
fn the_brightest_voxel_on_the_line_of_sight_is_found_from_anywhere() {
    let (mut harness, app) = opened(Start::default());
    let volume = harness.get_by_role_and_label(Role::Canvas, "Volume").rect();
    for orthographic in [false, true] {
        for distance in [1.2, 8.0] {
            with(&app, |app| {
                app.look(|view| {
                    (view.camera.orthographic, view.camera.distance) = (orthographic, distance);
                    (view.clip, view.crosshair) = ([[0.4; 3], [0.6; 3]], [0.1; 3]);
                });
            });
            harness.step();
            click(&mut harness, volume.center(), egui::PointerButton::Secondary);
            wait(&mut harness, &app, "the brightest voxel", |app| app.view().crosshair != [0.1; 3]);
            let found = crosshair(&app);
            assert!(
                found.iter().all(|v| (0.35..0.65).contains(v)),
                "{found:?}, orthographic {orthographic}, from {distance}"
            );
        }
    }
}

#[test]
fn a_thin_slab_has_handles_that_arrow_keys_move() {
    let (mut harness, app) = opened(Start::default());
    with(&app, |app| {
        app.look(|view| {
            view.handles = true;
            (view.clip[0][2], view.clip[1][2]) = (0.5, 0.502);
        });
    });
    harness.step();
    for name in ["z from", "z to"] {
        harness.get_by_role_and_label(Role::Slider, name).focus();
        harness.step();
        press(&mut harness, Key::ArrowUp);
        press(&mut harness, Key::ArrowDown);
        let clip = with(&app, |app| app.view().clip);
        assert!(clip[0][2] < clip[1][2], "{clip:?} after {name}");
    }
    let before = with(&app, |app| app.view().clip);
    harness.get_by_role_and_label(Role::Slider, "z slab").focus();
    harness.step();
    press(&mut harness, Key::ArrowUp);
    let after = with(&app, |app| app.view().clip);
    for side in 0..2 {
        assert!((after[side][2] - before[side][2] - 1.0 / 32.0).abs() < 1e-5, "{before:?} to {after:?}");
    }
}

#[test]
fn keys_reach_what_has_the_focus_and_shift_alone_moves_nothing() {
    let (mut harness, app) = opened(Start::default());
    let slice = harness.get_by_role_and_label(Role::Canvas, "Slice xy").rect();
    harness.hover_at(slice.center() + egui::vec2(20.0, 10.0));
    harness.step();
    let before = crosshair(&app);
    harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
    harness.step();
    harness.step();
    assert_eq!(crosshair(&app), before, "a key moved the crosshair");
    // Over a picture arrow keys move the crosshair, unless something else has the focus.
    press(&mut harness, Key::ArrowRight);
    let moved = crosshair(&app);
    assert!(moved[0] > before[0]);
    harness.get_by_role_and_label(Role::Slider, "Lower limit").focus();
    harness.step();
    press(&mut harness, Key::ArrowRight);
    assert_eq!(crosshair(&app), moved);
    // A picture that the keyboard reached is the one that is stepped and played through.
    harness.get_by_role_and_label(Role::Canvas, "Slice xz").focus();
    harness.step();
    let voxel = |app: &Shared| with(app, |app| app.view().voxel(32));
    let [x, y, z] = voxel(&app);
    press(&mut harness, Key::PageUp);
    assert_eq!(voxel(&app), [x, (y + 1) % 32, z]);
    press(&mut harness, Key::K);
    for i in 0..20 {
        harness.hover_at(slice.center() + egui::vec2(i as f32, 0.0));
        harness.step();
        std::thread::sleep(Duration::from_millis(15));
    }
    press(&mut harness, Key::K);
    let [xs, ys, zs] = voxel(&app);
    assert!([xs, zs] == [x, z] && ys != (y + 1) % 32, "played to {xs}, {ys}, {zs}");
}

#[test]
fn pictures_are_enlarged_and_moved_by_keys() {
    let (mut harness, app) = opened(Start::default());
    let view = |app: &Shared| with(app, |app| app.view().clone());
    harness.get_by_role_and_label(Role::Canvas, "Slice yz").focus();
    harness.step();
    press(&mut harness, Key::Plus);
    assert!(view(&app).slices[0].zoom > 1.0);
    harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    harness.step();
    harness.step();
    assert!(view(&app).slices[0].middle[0] > 0.5 && view(&app).crosshair == [0.5; 3]);
    harness.get_by_role_and_label(Role::Canvas, "Volume").focus();
    harness.step();
    let before = view(&app).camera;
    press(&mut harness, Key::Plus);
    press(&mut harness, Key::ArrowLeft);
    let after = view(&app).camera;
    assert!(after.distance < before.distance && after.yaw != before.yaw);
}

//! What is read from the window: values where the cursor is, limits of colours, statistics of a
//! part of the box.

use egui::{Event, PointerButton};

use super::*;

/// Where a word stands in the line of values, from the left.
fn place(harness: &Harness<'_>, word: &str) -> Option<f32> {
    let line = harness.ctx.content_rect().bottom() - 24.0;
    let rects = harness.query_all_by_label(word).map(|node| node.rect());
    rects.filter(|rect| rect.center().y > line).map(|rect| rect.left()).reduce(f32::min)
}

fn stand_in_order(harness: &Harness<'_>, words: &[&str]) {
    let places: Vec<f32> =
        words.iter().map(|word| place(harness, word).unwrap_or_else(|| panic!("no {word} in the line"))).collect();
    assert!(places.is_sorted(), "{words:?} stand at {places:?}");
}

#[test]
fn values_are_of_what_is_on_show_and_nothing_is_cut_off_in_a_small_window() {
    let mut start = Start::default();
    if let Some(initial) = &mut start.initial {
        initial.realisations = 2;
    }
    let (mut harness, app) = opened(start);
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    wait(&mut harness, &app, "the analysis", HalodiApp::is_settled);
    stand_in_order(&harness, &["21 cm", "Ref", "Δ", "DM"]);
    // Their difference on show is none of another kind.
    press(&mut harness, Key::R);
    wait(&mut harness, &app, "the difference", |app| app.on_show().is_some_and(|(name, _)| name.contains("less")));
    stand_in_order(&harness, &["21 cm", "Ref", "Δ", "DM"]);
    press(&mut harness, Key::R);
    // The mean of all realisations stands before one of them.
    harness.get_by_label("mean").click();
    harness.step();
    wait(&mut harness, &app, "the mean", |app| app.on_show().is_some_and(|(name, _)| name.contains("mean of")));
    stand_in_order(&harness, &["mean of all", "Ref", "Δ", "DM"]);
    for width in [1280.0, 1000.0] {
        harness.set_size(egui::vec2(width, 700.0));
        (0..4).for_each(|_| harness.step());
        for word in ["estimate", "latent", "spread"] {
            let rects: Vec<_> = harness.query_all_by_label(word).map(|node| node.rect()).collect();
            assert!(!rects.is_empty() && rects.iter().all(|rect| rect.right() <= width), "{word}: {rects:?}");
        }
        stand_in_order(&harness, &["mean of all", "Ref"]);
    }
}

#[test]
fn temperatures_have_their_range_before_any_is_shown() {
    let (mut harness, app) = opened(Start::default());
    wait(&mut harness, &app, "a fitted range", |app| {
        app.view().scale(Quantity::Temperature) != Quantity::Temperature.default_scale()
    });
    assert_eq!(with(&app, |app| app.view().layer), Layer::DarkMatter);
}

#[test]
fn limits_and_opacities_answer_arrow_keys_and_limits_are_typed() {
    let (mut harness, app) = opened(Start::default());
    wait(&mut harness, &app, "the analysis", HalodiApp::is_settled);
    let upper = || with(&app, |app| app.view().scale(Quantity::Matter).high);
    let opaque = || with(&app, |app| app.view().opacity(Quantity::Matter).low);
    harness.get_by_role_and_label(Role::Slider, "Upper limit").focus();
    harness.step();
    harness.step();
    for _ in 0..3 {
        let before = upper();
        press(&mut harness, Key::ArrowRight);
        assert!(upper() > before, "{before} stays");
    }
    harness.get_by_role_and_label(Role::Slider, "Opaque from").focus();
    harness.step();
    harness.step();
    for _ in 0..3 {
        let before = opaque();
        press(&mut harness, Key::ArrowRight);
        assert!(opaque() > before, "{before} stays");
    }
    harness.get_by_role_and_label(Role::Slider, "Upper limit").focus();
    harness.step();
    harness.step();
    press(&mut harness, Key::Enter);
    harness.step();
    harness.get_by_label("Limit of the colours");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.step();
    harness.event(Event::Text("7.5".to_owned()));
    harness.step();
    press(&mut harness, Key::Enter);
    assert_eq!(upper(), 7.5);
    assert!(harness.query_by_label("Limit of the colours").is_none());
}

#[test]
fn the_drawer_opens_once_a_region_is_measured_out() {
    let (mut harness, app) = opened(Start::default());
    let from = harness.get_by_role_and_label(Role::Canvas, "Slice xy").rect().center();
    let button = |pos, pressed| {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::COMMAND);
        Event::PointerButton { pos, button, pressed, modifiers }
    };
    let to = from + egui::vec2(40.0, 30.0);
    let drag = [
        Event::PointerMoved(from),
        button(from, true),
        Event::PointerMoved(from + egui::vec2(15.0, 10.0)),
        Event::PointerMoved(from + egui::vec2(30.0, 20.0)),
        Event::PointerMoved(to),
    ];
    for event in drag {
        harness.event_modifiers(event, Modifiers::COMMAND);
        harness.step();
    }
    assert!(with(&app, |app| app.view().region.is_some()));
    assert_eq!(harness.query_all_by_label("Region").count(), 0);
    harness.event_modifiers(button(to, false), Modifiers::COMMAND);
    (0..3).for_each(|_| harness.step());
    assert!(harness.query_all_by_label("Region").count() > 0);
}

//! What is done to a window, and what goes wrong around it: nothing panics, nothing hangs,
//! and nothing of what was open before is on screen.

use super::*;
use crate::files::half_of_the_matter;

#[test]
fn a_window_of_no_size_comes_back() {
    let (mut harness, app) = opened(Start::default());
    for size in [[1.0, 1.0], [0.0, 0.0], [60.0, 900.0], [1600.0, 40.0], [1280.0, 800.0]] {
        harness.set_size(egui::Vec2::from(size));
        harness.step();
        harness.step();
    }
    harness.get_by_role_and_label(Role::Canvas, "Volume");
    assert!(with(&app, |app| app.on_show().is_some() && app.errors().is_empty()));
}

#[test]
fn another_file_during_a_run_leaves_nothing_of_the_run() {
    let (mut harness, app) = opened(Start::default());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "haloes", |app| app.subject().has(Layer::HaloMass(0)));
    // The cursor rests on a slice while a larger grid is opened over the running job.
    let slice = harness.get_by_role_and_label(Role::Canvas, "Slice xy").rect().center();
    harness.hover_at(slice);
    harness.step();
    let old = with(&app, |app| app.subject().job.job);
    with(&app, |app| app.open(Source::Demo));
    wait(&mut harness, &app, "the other grid", |app| app.subject().job.job != old);
    with(&app, |app| {
        assert!(!app.subject().has(Layer::HaloMass(0)), "a layer of the job before is still there");
        assert!(app.subject().job.steps.is_empty() && app.subject().job.active.is_empty());
        assert!(app.subject().opened().is_some_and(|o| o.n != 32));
        assert_eq!(app.on_show().map(|(name, _)| name.to_owned()).as_deref(), Some("Dark matter"));
    });
    // What is under the cursor is read from the new grid, and the old job says no more.
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    for _ in 0..10 {
        harness.hover_at(slice + egui::vec2(3.0, 2.0));
        harness.step();
    }
    assert!(with(&app, |app| !app.subject().has(Layer::HaloMass(0)) && app.errors().is_empty()));
}

#[test]
fn a_window_that_closes_during_a_run_ends_the_run() {
    let (mut harness, app) = opened(Start::default());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a running job", HalodiApp::is_running);
    drop(app.borrow_mut().take());
    drop(harness);
}

#[test]
fn a_field_too_large_for_the_device_is_drawn_on_fewer_voxels_and_that_is_told() {
    let (mut harness, app) = opened(Start::default());
    with(&app, |app| app.limit_voxels(20));
    wait(&mut harness, &app, "a coarser view", |app| app.on_show().is_some_and(|(_, n)| n == 16));
    let (name, _) = with(&app, |app| app.on_show().map(|(name, n)| (name.to_owned(), n))).expect("something");
    assert_eq!(name, "Dark matter, drawn on 16³ of 32³ voxels");
    harness.get_by_label_contains("more than this device shows");
    // Values and results are those of the whole field.
    with(&app, |app| assert_eq!(app.subject().opened().map(|o| o.n), Some(32)));
    // Every way of comparing goes on, on as many voxels.
    press(&mut harness, Key::Num7);
    wait(&mut harness, &app, "the reference", |app| app.on_show().is_some_and(|(name, _)| name.contains("reference")));
    assert!(with(&app, |app| app.errors().is_empty()));
}

#[test]
fn a_lost_device_takes_nothing_with_it() {
    let gpu = GpuContext::shared().and_then(|gpu| gpu.renewed()).expect("a second device");
    let (mut harness, app) = opened(Start { gpu: Some(gpu.clone()), ..Start::default() });
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "haloes", |app| app.subject().has(Layer::HaloMass(0)));
    gpu.device.destroy();
    let began = Instant::now();
    while !with(&app, |app| app.is_lost()) {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody hears of it");
        let _ = gpu.device.poll(wgpu::PollType::Poll);
        harness.step();
    }
    for _ in 0..5 {
        harness.step();
    }
    // Another window on another device: the job goes on, and everything is there.
    let (ctx, other) = (harness.ctx.clone(), GpuContext::shared().expect("the process's device"));
    with(&app, |app| app.go_on(&ctx, FORMAT, other));
    assert!(!with(&app, |app| app.is_lost()));
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    let before = with(&app, |app| app.marches());
    press(&mut harness, Key::Num1);
    wait(&mut harness, &app, "a picture", |app| app.marches() > before);
    with(&app, |app| {
        assert!(app.subject().has(Layer::DarkMatter) && app.subject().has(Layer::Reference));
        assert!(app.errors().is_empty(), "{:?}", app.errors());
    });
}

#[test]
fn a_part_of_the_matter_is_read_when_the_user_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let half = half_of_the_matter(folder.path());
    let (mut harness, app) = opened(Start::default());
    with(&app, |app| app.open(Source::File(half.clone())));
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    harness.step();
    harness.get_by_label_contains("50.0 % of Ωm");
    // No: what was open stays open, and Run would run on it.
    harness.get_by_label("Cancel").click();
    harness.step();
    harness.step();
    assert!(harness.query_by_label_contains("50.0 % of Ωm").is_none());
    with(&app, |app| assert!(app.subject().opened().is_some_and(|o| o.name.contains("demo"))));
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a running job", HalodiApp::is_running);
    wait(&mut harness, &app, "haloes of the demo", |app| app.subject().has(Layer::HaloMass(0)));
    with(&app, |app| {
        assert!(app.errors().is_empty() && app.subject().opened().is_some_and(|o| o.name.contains("demo")))
    });
    // Yes: it is opened with these particles, and the user is told.
    with(&app, |app| app.open(Source::File(half)));
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    harness.step();
    harness.get_by_label("Go on with PartType1").click();
    harness.step();
    wait(&mut harness, &app, "the file", |app| app.subject().opened().is_some_and(|o| o.name == "half.hdf5"));
    with(&app, |app| {
        let told = app.subject().job.warnings.iter().any(|w| w.contains("as was asked for"));
        assert!(told && app.errors().is_empty(), "{:?}", app.subject().job.warnings);
    });
}

//! Talks and sessions: scenes are made, given and left; a session comes back elsewhere, asks for
//! what is missing, tells what has changed, and outlives a crash.

use std::path::Path;

use halodi::field::{Cosmology, Grid};
use halodi::io::{MapHeader, write_map};
use halodi::ui::{Action, Scene, Session, Talk};

use super::habits::{answer, wait_for};
use super::*;

/// A gridded dark-matter field of structure, 32³ voxels in 6.25 Mpc/h.
fn matter(path: &Path, contrast: f32) {
    let n = 32;
    let wave = |a: usize, f: f32| (a as f32 * f * std::f32::consts::TAU / n as f32).sin();
    let value = |(x, y, z)| (contrast * (wave(x, 1.0) + wave(y, 2.0) * wave(z, 3.0) + wave(x + y, 2.0))).exp();
    let values = ndarray::Array3::from_shape_fn((n, n, n), value);
    let header = MapHeader { redshift: 1.0, cosmology: Cosmology::default(), provenance: serde_json::Value::Null };
    write_map(path, &header, &[(Layer::DarkMatter, &Grid { values, box_size: 6.25 })]).expect("a field");
}

fn save_session(harness: &mut Harness<'_>, path: &Path) {
    harness.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::S);
    harness.step();
    answer(harness, path, "Save");
    wait_for(harness, path);
}

#[test]
fn a_talk_is_made_given_with_a_clicker_and_left() {
    let (mut harness, app) = opened(Start::default());
    press(&mut harness, Key::Insert);
    harness.get_by_label("Name of the scene");
    with(&app, |app| assert_eq!(app.talk().scenes.len(), 1));
    // Another look, another scene.
    press(&mut harness, Key::Num7);
    with(&app, |app| app.look(|view| view.camera.yaw += 1.0));
    steps(&mut harness, 3);
    press(&mut harness, Key::Insert);
    let caption = harness.get_by_label("Caption");
    caption.focus();
    harness.step();
    harness.event(egui::Event::Text("What the truth looks like".to_owned()));
    harness.step();
    // Out of the line of text, so that keys are keys again.
    press(&mut harness, Key::Escape);
    let second = with(&app, |app| app.talk().scenes[1].clone());
    assert_eq!(second.caption, "What the truth looks like");
    let size = harness.ctx.content_rect().height() * harness.ctx.pixels_per_point();

    press(&mut harness, Key::F5);
    assert_eq!(with(&app, |app| app.scene()), Some(0));
    steps(&mut harness, 2);
    // Nothing of the interface, and type that is as large as the talk's.
    assert!(harness.query_by_label("Run").is_none() && harness.query_by_label("Commands…").is_none());
    harness.get_by_role_and_label(Role::Canvas, "Volume");
    assert!((harness.ctx.pixels_per_point() / (1.6 * size / 1080.0) - 1.0).abs() < 0.05);
    assert!(harness.query_by_label("What the truth looks like").is_none());
    press(&mut harness, Key::PageDown);
    assert_eq!(with(&app, |app| app.scene()), Some(1));
    // On the way there is neither, and then it is there exactly.
    with(&app, |app| assert_ne!(app.view().camera, second.view.camera));
    steps(&mut harness, 20);
    with(&app, |app| assert_eq!(*app.view(), second.view));
    harness.get_by_label("What the truth looks like");
    // Errors wait until the talk is over.
    with(&app, |app| app.open(Source::File(PathBuf::from("/nowhere/snapshot.hdf5"))));
    wait(&mut harness, &app, "the error", |app| !app.errors().is_empty());
    steps(&mut harness, 3);
    assert!(harness.query_by_label("Dismiss").is_none());
    press(&mut harness, Key::PageUp);
    assert_eq!(with(&app, |app| app.scene()), Some(0));
    press(&mut harness, Key::Escape);
    steps(&mut harness, 2);
    assert_eq!(with(&app, |app| app.scene()), None);
    harness.get_by_label("Commands…");
    assert!(harness.query_all_by_label("Dismiss").count() > 0);
}

#[test]
fn scenes_are_arranged_and_undo_brings_a_deleted_one_back() {
    let (mut harness, app) = opened(Start::default());
    // A colour range that is fitted meanwhile would be what is undone.
    wait(&mut harness, &app, "the analysis", HalodiApp::is_settled);
    press(&mut harness, Key::Insert);
    press(&mut harness, Key::Insert);
    steps(&mut harness, 12);
    let names = || with(&app, |app| app.talk().scenes.iter().map(|s| s.name.clone()).collect::<Vec<_>>());
    assert_eq!(names(), ["Scene 1", "Scene 2"]);
    harness.get_by_label("Up").click();
    steps(&mut harness, 12);
    assert_eq!(names(), ["Scene 2", "Scene 1"]);
    harness.get_by_label("Delete").click();
    steps(&mut harness, 12);
    assert_eq!(names(), ["Scene 1"]);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    steps(&mut harness, 3);
    assert_eq!(names(), ["Scene 2", "Scene 1"]);
}

#[test]
fn a_session_moves_with_its_data_and_tells_what_is_missing_or_changed() {
    let root = tempfile::tempdir().expect("a folder");
    let (here, there) = (root.path().join("here"), root.path().join("there"));
    std::fs::create_dir(&here).expect("a folder");
    matter(&here.join("matter.hdf5"), 1.0);
    let initial = Start::default().initial.map(|job| JobConfig {
        source: Source::File(here.join("matter.hdf5")),
        grid: None,
        ..job
    });
    let (mut harness, app) = window(Start { initial, ..Start::default() });
    wait(&mut harness, &app, "the matter", |app| app.on_show().is_some() && !app.is_running());
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    harness.get_by_label("Save results…").click();
    harness.step();
    answer(&mut harness, &here.join("run"), "Save");
    wait(&mut harness, &app, "the news", |app| app.subject().saved.is_some());
    press(&mut harness, Key::Insert);
    with(&app, |app| app.look(|view| view.crosshair = [0.25, 0.5, 0.75]));
    steps(&mut harness, 3);
    save_session(&mut harness, &here.join("mine.halodi"));
    let (view, map) = with(&app, |app| {
        let map = app.subject().outcome.as_ref().expect("a map").fields[&Layer::BrightnessTemperature].clone();
        (app.view().clone(), map)
    });
    drop(app.borrow_mut().take());
    drop(harness);

    // Elsewhere, with its data: the map is there at once, no network runs.
    std::fs::rename(&here, &there).expect("moved");
    let (mut harness, app) = window(Start { initial: None, ..Start::default() });
    harness.step();
    let session = there.join("mine.halodi");
    with(&app, |app| app.open(Source::File(session.clone())));
    wait(&mut harness, &app, "the session", |app| app.subject().outcome.is_some() && !app.is_running());
    steps(&mut harness, 3);
    with(&app, |app| {
        assert!(app.errors().is_empty(), "{:?}", app.errors());
        assert_eq!(*app.view(), view);
        assert_eq!(app.talk().scenes.len(), 1);
        let outcome = app.subject().outcome.as_ref().expect("a map");
        assert_eq!(outcome.fields[&Layer::BrightnessTemperature].values, map.values);
        assert!(outcome.seconds.iter().all(|(stage, _)| *stage == halodi::predict::Stage::Field));
    });
    assert_eq!(harness.query_all_by_label_contains("is not the file that it was").count(), 0);

    // So is its map alone, opened as a file: a run that was saved, of the settings it was made with.
    with(&app, |app| app.open(Source::File(there.join("run/map.hdf5"))));
    let is_map = |app: &HalodiApp| app.subject().opened().is_some_and(|o| o.name == "run/map.hdf5");
    wait(&mut harness, &app, "the map", |app| is_map(app) && app.subject().outcome.is_some() && !app.is_running());
    with(&app, |app| {
        assert!(app.errors().is_empty(), "{:?}", app.errors());
        let outcome = app.subject().outcome.as_ref().expect("a map");
        assert_eq!(outcome.fields[&Layer::BrightnessTemperature].values, map.values);
        assert_eq!(outcome.config.settings.steps, 2);
        assert!(outcome.fields.contains_key(&Layer::HaloMass(0)) && outcome.fields.contains_key(&Layer::DarkMatter));
        assert_eq!(app.subject().saved, Some(there.join("run/map.hdf5")));
    });
    // Opened again it is no second run, and its session knows where it is.
    with(&app, |app| app.open(Source::File(there.join("run/map.hdf5"))));
    wait(&mut harness, &app, "the map", |app| is_map(app) && app.subject().outcome.is_some() && !app.is_running());
    with(&app, |app| assert!(app.subject().runs.is_empty()));
    save_session(&mut harness, &there.join("of_map.halodi"));
    with(&app, |app| app.open(Source::File(there.join("matter.hdf5"))));
    wait(&mut harness, &app, "the matter", |app| !is_map(app) && !app.is_running());
    with(&app, |app| app.open(Source::File(there.join("of_map.halodi"))));
    wait(&mut harness, &app, "the map", |app| is_map(app) && app.subject().outcome.is_some() && !app.is_running());
    with(&app, |app| {
        assert!(app.errors().is_empty(), "{:?}", app.errors());
        let outcome = app.subject().outcome.as_ref().expect("a map");
        assert_eq!(outcome.fields[&Layer::BrightnessTemperature].values, map.values);
    });

    // Another file of that name: it is opened, and told.
    matter(&there.join("matter.hdf5"), 0.9);
    with(&app, |app| app.open(Source::File(session.clone())));
    let began = Instant::now();
    while harness.query_all_by_label_contains("is not the file that it was").count() == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody tells");
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }

    // The file is gone: it is asked for, and what was open stays until there is an answer.
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    std::fs::rename(there.join("matter.hdf5"), root.path().join("renamed.hdf5")).expect("moved");
    with(&app, |app| app.open(Source::File(session.clone())));
    steps(&mut harness, 2);
    harness.get_by_label("Something of the session is missing");
    harness.get_by_label("Cancel").click();
    steps(&mut harness, 2);
    with(&app, |app| assert!(app.subject().opened().is_some_and(|o| o.name == "matter.hdf5")));
    with(&app, |app| app.open(Source::File(session.clone())));
    steps(&mut harness, 2);
    harness.get_by_label("Locate…").click();
    harness.step();
    answer(&mut harness, &root.path().join("renamed.hdf5"), "Open");
    wait(&mut harness, &app, "it", |app| app.subject().opened().is_some_and(|o| o.name == "renamed.hdf5"));
    with(&app, |app| assert_eq!(app.talk().scenes.len(), 1));
}

#[test]
fn a_session_of_a_newer_version_or_a_damaged_one_is_one_sentence_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.halodi");
    let (mut harness, app) = opened(Start::default());
    save_session(&mut harness, &path);
    let text = std::fs::read_to_string(&path).expect("a session");
    let newer = text.replace("\"format\": 1", "\"format\": 8");
    for (text, part) in [(newer.as_str(), "format 8"), (&text[..text.len() / 2], "damaged"), ("[1, 2]", "no session")] {
        std::fs::write(&path, text).expect("written");
        with(&app, |app| app.open(Source::File(path.clone())));
        steps(&mut harness, 2);
        with(&app, |app| {
            let errors = app.errors();
            assert!(errors.last().is_some_and(|e| e.contains("mine.halodi: ") && e.contains(part)), "{errors:?}");
            assert!(!app.is_running() && app.subject().has(Layer::Reference));
        });
    }
}

#[test]
fn what_was_open_in_a_crash_is_offered_and_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = folder.path().join("open");
    let start = || Start { session: Some(folder.path().join("preferences.json")), ..Start::default() };
    // While a window is open its session is there, and when it is closed it is not.
    let (mut harness, app) = opened(start());
    let sessions = || std::fs::read_dir(&open).into_iter().flatten().flatten().filter(|e| Session::is_named(&e.path()));
    let began = Instant::now();
    while sessions().count() == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing is written");
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(app.borrow_mut().take());
    drop(harness);
    assert_eq!(sessions().count(), 0);
    // One that was not closed.
    let scene =
        Scene { name: "Kept".to_owned(), action: Action { orbit: 20.0, ..Action::default() }, ..Scene::default() };
    let job = Start::default().initial;
    let session = Session { job, talk: Talk { scenes: vec![scene] }, ..Session::default() };
    session.write(&open.join("1-1.halodi")).expect("written");
    let (mut harness, app) = window(Start { initial: None, ..start() });
    steps(&mut harness, 2);
    harness.get_by_label("Restore the session from before?");
    harness.get_by_label("Restore").click();
    steps(&mut harness, 2);
    wait(&mut harness, &app, "the demo", |app| app.subject().has(Layer::Reference) && !app.is_running());
    with(&app, |app| assert_eq!(app.talk().scenes[0].name, "Kept"));
    assert!(!open.join("1-1.halodi").exists());
}

#[test]
fn scenes_that_no_session_has_are_asked_for_before_the_window_closes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut harness, app) = opened(Start::default());
    press(&mut harness, Key::Insert);
    close(&mut harness);
    harness.get_by_label("Scenes are not saved");
    harness.get_by_label("Stay").click();
    steps(&mut harness, 2);
    // In a session they are kept, and nothing is asked.
    save_session(&mut harness, &folder.path().join("mine.halodi"));
    wait(&mut harness, &app, "the news of it", |app| app.session().talk.scenes.len() == 1 && !app.is_running());
    steps(&mut harness, 5);
    close(&mut harness);
    assert!(harness.query_by_label("Scenes are not saved").is_none());
    // One more is news.
    press(&mut harness, Key::Insert);
    close(&mut harness);
    harness.get_by_label("Scenes are not saved");
}

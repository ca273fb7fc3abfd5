//! What was predicted is not lost: beside a reference that comes later, in a run that is cancelled, behind a run that
//! follows, and before something else is opened.

use halodi::io::{MapHeader, write_map};

use super::habits::answer;
use super::*;

/// The demo's dark matter on 32³ voxels as a file, and a map of it that is no reference of its own.
fn files(folder: &std::path::Path) -> [PathBuf; 2] {
    let (_harness, app) = opened(Start::default());
    let [matter, map] = ["matter.hdf5", "reference.hdf5"].map(|name| folder.join(name));
    with(&app, |app| {
        let (header, field) = {
            let opened = app.subject().opened().expect("the demo");
            let header =
                MapHeader { redshift: opened.redshift, cosmology: opened.cosmology, provenance: serde_json::json!({}) };
            (header, |layer| match &app.subject().job.layers[&layer].field {
                halodi::pipeline::FieldValues::Host(grid) => grid.clone(),
                _ => panic!("on the CPU"),
            })
        };
        write_map(&matter, &header, &[(Layer::DarkMatter, &field(Layer::DarkMatter))]).expect("matter");
        write_map(&map, &header, &[(Layer::BrightnessTemperature, &field(Layer::Reference))]).expect("a map");
    });
    [matter, map]
}

/// That file, without a reference.
fn without_reference(matter: &std::path::Path) -> Start {
    let Start { initial, .. } = Start::default();
    let initial = initial.map(|config| JobConfig { source: Source::File(matter.to_path_buf()), grid: None, ..config });
    Start { initial, ..Start::default() }
}

fn run(harness: &mut Harness<'_>, app: &Shared) {
    harness.get_by_label("Run").click();
    harness.step();
    wait(harness, app, "a running job", HalodiApp::is_running);
    wait(harness, app, "a map", |app| app.subject().outcome.is_some());
    wait(harness, app, "the end of the run", |app| !app.is_running());
}

#[test]
fn a_reference_joins_what_was_predicted_and_runs_are_compared_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let [matter, map] = files(folder.path());
    let (mut harness, app) = window(without_reference(&matter));
    wait(&mut harness, &app, "the box", |app| app.subject().opened().is_some() && !app.is_running());
    run(&mut harness, &app);
    let first = with(&app, |app| app.subject().outcome.clone()).expect("a run");

    // A second run is compared with the first, with no reference anywhere.
    run(&mut harness, &app);
    press(&mut harness, Key::R);
    with(&app, |app| {
        assert!(!app.subject().has(Layer::Reference));
        assert_eq!(app.subject().comparing(app.view()), Compare::Residual);
        assert_eq!(app.subject().partner(app.view()), Some(halodi::ui::Partner::Run(1)));
        assert_eq!(app.subject().unsaved().len(), 2);
    });
    press(&mut harness, Key::R);

    // The first is brought back, and the second takes its place among the earlier ones.
    harness.get_by_label("Runs").click();
    harness.step();
    harness.step();
    harness.get_by_label_contains("Show run 1").click();
    harness.step();
    wait(&mut harness, &app, "the first run", |app| {
        let shown = app.subject().outcome.as_ref();
        !app.is_running() && shown.is_some_and(|o| std::sync::Arc::ptr_eq(&o.realisations[0], &first.realisations[0]))
    });
    let numbers = |app: &Shared| with(app, |app| app.subject().runs.iter().map(|run| run.number).collect::<Vec<_>>());
    assert_eq!(numbers(&app), [2]);
    // Each keeps its number, and what was painted in frames of so many milliseconds.
    with(&app, |app| {
        let outcome = app.subject().outcome.as_ref().expect("the first run");
        assert!(outcome.frame_times.is_some() && outcome.frame_times == first.frame_times);
    });

    // A map to compare with is read, and everything that was made is still there.
    with(&app, |app| app.open_reference(map.clone()));
    wait(&mut harness, &app, "the reference", |app| app.subject().has(Layer::Reference) && !app.is_running());
    with(&app, |app| {
        assert!(app.errors().is_empty(), "{:?}", app.errors());
        let outcome = app.subject().outcome.clone().expect("the prediction");
        assert!(std::sync::Arc::ptr_eq(&outcome.realisations[0], &first.realisations[0]));
        assert!(outcome.fields.contains_key(&Layer::Reference) && outcome.spectra.contains_key(&Series::Reference));
        assert_eq!(outcome.config.reference.as_deref(), Some(map.as_path()));
        assert!(app.subject().has(Layer::HaloMass(0)) && app.subject().has(Layer::BrightnessTemperature));
        assert_eq!(app.subject().runs.iter().map(|run| run.number).collect::<Vec<_>>(), [2]);
        assert!(app.subject().can_compare(app.view()));
    });
    // One that does not fit changes nothing.
    with(&app, |app| app.open_reference(PathBuf::from("/nowhere/map.hdf5")));
    wait(&mut harness, &app, "the error", |app| !app.errors().is_empty());
    with(&app, |app| assert!(app.subject().outcome.is_some() && app.subject().has(Layer::Reference)));
}

#[test]
fn a_run_that_is_cancelled_gives_back_the_one_before() {
    let (mut harness, app) = opened(Start::default());
    run(&mut harness, &app);
    let first = with(&app, |app| app.subject().outcome.clone()).expect("a run");
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "the second run", |app| app.subject().outcome.is_none());
    harness.get_by_label("Cancel").click();
    wait(&mut harness, &app, "the end of it", |app| !app.is_running());
    assert!(shows(&app, &first));
    with(&app, |app| {
        assert!(app.subject().has(Layer::BrightnessTemperature) && app.subject().runs.is_empty());
        assert!(app.subject().job.layers.values().all(|layer| layer.complete));
    });

    // Nothing to go back to: what was begun is called unfinished.
    let Start { initial, .. } = Start::default();
    let initial = initial.map(|config| JobConfig { grid: Some(64), ..config });
    let (mut harness, app) = opened(Start { initial, ..Start::default() });
    harness.get_by_label("Run").click();
    harness.step();
    wait(&mut harness, &app, "tiles", |app| app.subject().job.layers.values().any(|layer| !layer.complete));
    with(&app, |app| app.subject().job.layers.len());
    harness.get_by_label("Cancel").click();
    wait(&mut harness, &app, "the end of it", |app| !app.is_running());
    with(&app, |app| {
        let unfinished = |layer: &Layer| {
            let field = app.subject().field(halodi::ui::FieldId::Layer(*layer)).expect("a layer");
            (field.complete, field.name.ends_with(", unfinished"))
        };
        assert!(app.subject().job.layers.keys().map(unfinished).all(|(complete, told)| complete != told));
    });
}

fn open_the_demo(harness: &mut Harness<'_>) {
    harness.get_by_label("File").click();
    steps(harness, 2);
    harness.get_by_label("Open the demo").click();
    steps(harness, 2);
}

/// Whether the run on show is `run` itself.
fn shows(app: &Shared, run: &std::sync::Arc<halodi::pipeline::Outcome>) -> bool {
    with(app, |app| app.subject().outcome.as_ref().is_some_and(|shown| std::sync::Arc::ptr_eq(shown, run)))
}

#[test]
fn something_else_is_opened_once_results_are_saved_or_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut harness, app) = opened(Start::default());
    run(&mut harness, &app);
    run(&mut harness, &app);
    let seen = |harness: &Harness<'_>| harness.query_by_label("Predictions are not saved").is_some();
    open_the_demo(&mut harness);
    assert!(seen(&harness));
    // Keys are for the question now, and Space gives the answer that loses nothing.
    press(&mut harness, Key::R);
    press(&mut harness, Key::B);
    with(&app, |app| assert_eq!(app.view().compare, Compare::Off));
    assert!(seen(&harness));
    press(&mut harness, Key::Space);
    harness.step();
    with(&app, |app| assert!(!app.is_running()));
    assert!(!seen(&harness) && with(&app, |app| app.subject().unsaved().len() == 2));

    // Both are saved, and then the window is left.
    open_the_demo(&mut harness);
    harness.get_by_label("Save and open…").click();
    harness.step();
    let before = with(&app, |app| app.subject().job.job);
    answer(&mut harness, &folder.path().join("results"), "Save");
    wait(&mut harness, &app, "the demo once more", |app| app.subject().job.job != before && !app.is_running());
    for place in ["results/map.hdf5", "results/report.json", "results/earlier_run_1/map.hdf5"] {
        assert!(folder.path().join(place).exists(), "{place}");
    }
    with(&app, |app| assert!(app.subject().outcome.is_none() && app.subject().unsaved().is_empty()));
}

#[test]
fn a_run_on_another_grid_asks_before_it_loses_the_one_on_this() {
    let (mut harness, app) = opened(Start::default());
    run(&mut harness, &app);
    let first = with(&app, |app| app.subject().outcome.clone()).expect("a run");
    harness.get_by_label("Settings").click();
    steps(&mut harness, 5);
    harness.get_by_role_and_label(Role::ComboBox, "Grid").click();
    steps(&mut harness, 3);
    harness.get_by_label("64³").click();
    steps(&mut harness, 3);
    harness.get_by_label("Run").click();
    harness.step();
    harness.step();
    harness.get_by_label("The prediction is not saved");
    harness.get_by_label("Run anyway").click();
    harness.step();
    wait(&mut harness, &app, "the other grid", |app| app.subject().opened().is_some_and(|o| o.n == 64));
    // It comes to nothing: what was there is there again.
    harness.get_by_label("Cancel").click();
    wait(&mut harness, &app, "the end of it", |app| !app.is_running());
    assert!(shows(&app, &first));
    with(&app, |app| {
        assert_eq!(app.subject().opened().map(|o| o.n), Some(32));
    });
    harness.step();
    assert!(with(&app, |app| app.errors().is_empty() && app.on_show().is_some_and(|(_, n)| n == 32)));
}

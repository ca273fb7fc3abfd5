//! What is done to a window, and what goes wrong around it: nothing panics, nothing hangs,
//! and nothing of what was open before is on screen.

use halodi::pipeline::{Ended, Job};

use super::made::{grid, number, open, write, write_numbered};
use super::*;
use crate::files::half_of_the_matter;

/// How long a job may take to hear that it is cancelled: a tile, on a processor that other tests share.
const PATIENCE: Duration = Duration::from_secs(15);

/// The demo's job, running.
fn running(harness: &mut Harness<'_>, app: &Shared) -> Job {
    harness.get_by_label("Run").click();
    harness.step();
    wait(harness, app, "a running job", HalodiApp::is_running);
    with(app, |app| app.job()).expect("a job")
}

fn is_cancelled(job: &Job) -> bool {
    job.control.checkpoint().is_err()
}

/// The job's thread is over, and not because it was done.
fn assert_ends(job: &Job) {
    assert!(is_cancelled(job), "nobody cancelled it");
    let began = Instant::now();
    loop {
        let view = job.view();
        match view.ended {
            Some(Ended::Cancelled) => return,
            Some(other) => panic!("it ended otherwise: {other:?}"),
            None => assert!(began.elapsed() < PATIENCE, "its thread goes on"),
        }
        job.view_after(view.version, Duration::from_millis(100));
    }
}

/// Whether the window let itself be closed in the frame before.
fn closes(harness: &Harness<'_>) -> bool {
    harness.output().viewport_output[&egui::ViewportId::ROOT].commands.contains(&egui::ViewportCommand::Close)
}

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
fn a_window_that_closes_during_a_run_asks_and_then_ends_the_run() {
    let (mut harness, app) = opened(Start::default());
    let job = running(&mut harness, &app);
    close(&mut harness);
    harness.get_by_label("A job is running");
    assert!(!is_cancelled(&job), "the question alone ends it");
    harness.get_by_label("Stay").click();
    harness.step();
    assert!(!closes(&harness));
    // It goes on.
    let version = job.view().version;
    let began = Instant::now();
    while job.view().version == version {
        assert!(began.elapsed() < Duration::from_secs(60), "the job stands still");
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!is_cancelled(&job) && harness.query_by_label("A job is running").is_none());
    // Held by the user, it hears all the same.
    job.control.set_paused(true);
    close(&mut harness);
    harness.get_by_label("Close anyway").click();
    harness.step();
    assert!(closes(&harness));
    drop(app.borrow_mut().take());
    drop(harness);
    assert_ends(&job);
}

#[test]
fn a_run_goes_on_while_the_window_is_minimised_and_is_shown_as_it_is_when_it_comes_back() {
    let (mut harness, app) = opened(Start::default());
    let job = running(&mut harness, &app);
    root(&mut harness).minimized = Some(true);
    harness.set_size(egui::Vec2::ZERO);
    // Some systems go on to ask for frames, of no size.
    wait(&mut harness, &app, "haloes", |app| app.subject().has(Layer::HaloMass(0)));
    // Others do not.
    let began = Instant::now();
    while job.view().ended.is_none() {
        assert!(began.elapsed() < Duration::from_secs(300), "the run does not go on");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!is_cancelled(&job));
    root(&mut harness).minimized = Some(false);
    harness.set_size(egui::vec2(1280.0, 800.0));
    wait(&mut harness, &app, "a map", |app| app.subject().outcome.is_some());
    let name = with(&app, |app| app.on_show().map(|(name, _)| name.to_owned()));
    assert_eq!(name.as_deref(), Some("21 cm brightness temperature"));
    let value = harness.get_by_role_and_label(Role::Canvas, "Volume").value().unwrap_or_default();
    assert!(value.starts_with("21 cm brightness temperature"), "{value}");
    assert!(with(&app, |app| app.errors().is_empty()));
}

#[test]
fn a_value_under_the_pointer_is_of_the_grid_on_show_while_a_larger_one_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let [small, large] = [(16, 1000), (32, 50_000)].map(|(n, first)| {
        let path = folder.path().join(format!("{n}.hdf5"));
        write_numbered(&path, n, first);
        (n, first, path)
    });
    let (mut harness, app) = open(&small.2, Start::default());
    // Off the faces of voxels of both grids.
    with(&app, |app| app.look(|view| view.crosshair = [0.26, 0.39, 0.64]));
    steps(&mut harness, 2);
    let at = [0.83, 0.89];
    harness.hover_at(spot(canvas(&harness, SLICES[2]), at));
    steps(&mut harness, 3);
    let value = |first: usize, n: usize| {
        let voxel = [at[0], at[1], 0.64].map(|v| (v * n as f32) as usize);
        format!("{} mK", first + 10_000 + number(n, voxel))
    };
    let values = [&small, &large].map(|(n, first, _)| value(*first, *n));
    assert!(harness.query_by_label(&values[0]).is_some(), "{} is not read", values[0]);
    with(&app, |app| app.open(Source::File(large.2.clone())));
    let began = Instant::now();
    let mut after = 0;
    while after < 10 {
        assert!(began.elapsed() < Duration::from_secs(60), "it is not opened");
        harness.step();
        let n = with(&app, |app| app.subject().opened().map(|o| o.n));
        let [right, wrong] = if n == Some(16) { [&values[0], &values[1]] } else { [&values[1], &values[0]] };
        assert!(harness.query_by_label(wrong).is_none(), "{wrong} is read, of the other grid");
        let there = with(&app, |app| app.subject().has(Layer::BrightnessTemperature));
        assert!(harness.query_by_label(right).is_some() || !there, "{right} is not read");
        after += usize::from(n == Some(32) && there);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn another_file_during_a_run_is_all_that_is_on_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("one voxel.hdf5");
    let n = 16;
    let (voxel, crosshair) = ([3, 12, 10], [3.5, 12.5, 10.5].map(|v| v / n as f32));
    let one = grid(n, |v| if v == voxel { 20.0 } else { 0.0 });
    let matter = grid(n, |[x, ..]| 0.5 + x as f32 / n as f32);
    write(&path, serde_json::json!({}), &[(Layer::DarkMatter, matter), (Layer::BrightnessTemperature, one)]);

    let mut long = Start::default();
    long.initial.iter_mut().for_each(|config| config.settings.steps = 40);
    let (mut harness, app) = opened(long);
    let job = running(&mut harness, &app);
    wait(&mut harness, &app, "a step", |app| !app.subject().job.steps.is_empty());
    steps(&mut harness, 2);
    harness.get_by_label("Denoising step");
    with(&app, |app| app.open(Source::File(path.clone())));
    wait(&mut harness, &app, "the file", |app| app.subject().opened().is_some_and(|o| o.n == n));
    assert_ends(&job);
    assert!(harness.query_by_label("Denoising step").is_none() && harness.query_by_label("latent").is_none());
    wait(&mut harness, &app, "the end of opening", |app| !app.is_running());
    with(&app, |app| {
        let layers: Vec<Layer> = app.subject().job.layers.keys().copied().collect();
        assert_eq!(layers, [Layer::DarkMatter, Layer::BrightnessTemperature]);
        assert!(app.subject().job.steps.is_empty() && app.subject().job.active.is_empty());
        assert!(!app.subject().job.spectra.contains_key(&Series::Reference));
        app.look(|view| {
            let grey = halodi::render::ColorScale::log(0.1, 20.0, halodi::render::ColorMap::Grey);
            view.scales.insert(Quantity::Temperature, grey);
            (view.mode, view.crosshair) = (VolumeMode::Maximum, crosshair);
        });
    });
    assert!(harness.query_by_label("21 cm reference").is_none_or(|button| button.accesskit_node().is_disabled()));
    settle(&mut harness, &app);
    let image = harness.render().expect("a picture");
    for (axis, name) in SLICES.into_iter().enumerate() {
        let [right, up] = halodi::render::SLICE_AXES[axis];
        let rect = canvas(&harness, name);
        for column in 0..n {
            // Writing lies over the lowest rows, and the crosshair over those that it points to.
            for row in (3..n).filter(|&row| (row == voxel[up]) == (column == voxel[right])) {
                let at = spot(rect, [column, row].map(|v| (v as f32 + 0.5) / n as f32));
                let pixel = image.get_pixel(at.x as u32, at.y as u32).0;
                let lit = [column, row] == [voxel[right], voxel[up]];
                assert!(if lit { pixel[0] > 200 } else { pixel[0] < 30 }, "{name} at ({column}, {row}): {pixel:?}");
            }
        }
    }
    // No outline of a tile of the job before.
    for name in SLICES.into_iter().chain(["Volume"]) {
        let rect = canvas(&harness, name);
        let inside = |x: u32, y: u32| rect.contains(egui::pos2(x as f32 + 0.5, y as f32 + 0.5));
        // The blue of the axes has less green.
        let outline = |p: [u8; 4]| p[0] < 120 && p[1] > 180 && p[2] > 205;
        let found = image.enumerate_pixels().filter(|(x, y, p)| inside(*x, *y) && outline(p.0)).count();
        assert!(found < 4, "{name} has {found} pixels of an outline");
    }
    assert!(with(&app, |app| app.errors().is_empty()));
}

/// A device that has room for textures of `most³` voxels and no more: what is larger is an error of wgpu.
fn device_of(most: u32) -> GpuContext {
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    let descriptor = wgpu::DeviceDescriptor {
        required_features: gpu.device.features() & !wgpu::Features::all_experimental_mask(),
        required_limits: wgpu::Limits { max_texture_dimension_3d: most, ..gpu.device.limits() },
        ..Default::default()
    };
    let mut request = std::pin::pin!(gpu.adapter.request_device(&descriptor));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let (device, queue) = loop {
        if let std::task::Poll::Ready(made) = request.as_mut().poll(&mut context) {
            break made.expect("a device of less");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    GpuContext { device, queue, ..gpu.clone() }
}

#[test]
fn a_field_beyond_the_limits_of_a_device_is_looked_at_on_it_in_every_way() {
    // As 512³ voxels are beyond one of 256: what would be drawn as it is breaks off.
    let (most, n) = (24, 32);
    let gpu = device_of(most);
    assert_eq!(gpu.device.limits().max_texture_dimension_3d, most);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.hdf5");
    write_numbered(&path, n, 1000);
    let (mut harness, app) = open(&path, Start { gpu: Some(gpu.clone()), ..Start::default() });
    assert_eq!(with(&app, |app| app.on_show().map(|(_, n)| n)), Some(16));
    // It was told, and is in the log.
    press(&mut harness, Key::F2);
    harness.get_by_label_contains("more than this device shows");
    press(&mut harness, Key::F2);
    for (compare, band, mode) in [
        (Compare::Off, None, VolumeMode::Emission),
        (Compare::Swipe, None, VolumeMode::Maximum),
        (Compare::SideBySide, None, VolumeMode::Surface),
        (Compare::Residual, None, VolumeMode::Planes),
        (Compare::Swipe, Some([1.0, 4.0]), VolumeMode::Emission),
    ] {
        with(&app, |app| app.look(|view| (view.compare, view.band, view.mode) = (compare, band, mode)));
        let is = |name: &str| {
            name.contains("drawn on 16³ of 32³")
                && name.contains("k =") == band.is_some()
                && name.contains("less") == (compare == Compare::Residual)
        };
        wait(&mut harness, &app, "a coarser view", |app| app.on_show().is_some_and(|(name, _)| is(name)));
        settle(&mut harness, &app);
    }
    // What is read is the field itself.
    with(&app, |app| app.look(|view| (view.band, view.crosshair) = (None, [0.51; 3])));
    wait(&mut harness, &app, "the whole band", |app| app.on_show().is_some_and(|(name, _)| !name.contains("k =")));
    settle(&mut harness, &app);
    harness.hover_at(spot(canvas(&harness, SLICES[2]), [0.26, 0.64]));
    steps(&mut harness, 3);
    let text = format!("{} mK", 11_000 + number(n, [8, 20, 16]));
    assert!(harness.query_by_label(&text).is_some(), "{text} is not read");
    let _ = gpu.device.poll(wgpu::PollType::Poll);
    with(&app, |app| assert!(!app.is_lost() && app.errors().is_empty(), "{:?}", app.errors()));
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

//! Boxes that are opened instead of made: every voxel of every layer is known, and no network runs.

use std::path::Path;

use halodi::field::{Cosmology, Grid, TileBox};
use halodi::io::{MapHeader, write_map};
use serde_json::json;

use super::*;

/// Side of these boxes, Mpc/h.
pub(super) const SIDE: f64 = 16.0;

pub(super) fn grid(n: usize, value: impl Fn([usize; 3]) -> f32) -> Grid {
    Grid { values: ndarray::Array3::from_shape_fn((n, n, n), |(x, y, z)| value([x, y, z])), box_size: SIDE }
}

/// Write a map file.
pub(super) fn write(path: &Path, provenance: serde_json::Value, layers: &[(Layer, Grid)]) {
    let header = MapHeader { redshift: 1.0, cosmology: Cosmology::default(), provenance };
    let layers: Vec<_> = layers.iter().map(|(layer, grid)| (*layer, grid)).collect();
    write_map(path, &header, &layers).expect("a map");
}

/// A window on a map file that was read, at rest.
pub(super) fn open(path: &Path, start: Start) -> (Harness<'static>, Shared) {
    let initial = JobConfig { source: Source::File(path.to_path_buf()), ..JobConfig::default() };
    let (mut harness, app) = window(Start { initial: Some(initial), ..start });
    wait(&mut harness, &app, "the box", |app| app.on_show().is_some() && !app.is_running());
    settle(&mut harness, &app);
    (harness, app)
}

/// The number that a voxel of `n³` has in [`write_numbered`].
pub(super) fn number(n: usize, [x, y, z]: [usize; 3]) -> usize {
    (x * n + y) * n + z
}

/// A box whose dark matter, prediction and reference are `first`, 10000 and 30000 more than the number of
/// the voxel.
pub(super) fn write_numbered(path: &Path, n: usize, first: usize) {
    let layer = |layer, first: usize| (layer, grid(n, |voxel| (first + number(n, voxel)) as f32));
    let layers = [
        layer(Layer::DarkMatter, first),
        layer(Layer::BrightnessTemperature, first + 10_000),
        layer(Layer::Reference, first + 30_000),
    ];
    write(path, json!({}), &layers);
}

/// Voxels of a finished run's box along an axis.
pub(super) const N: usize = 32;
/// The maps of a finished run, mK: there are two realisations.
pub(super) fn temperature(realisation: usize, voxel: [usize; 3]) -> f32 {
    matter(voxel).powf(1.4) * (1.0 + 0.2 * wave([1.0, 1.0, 3.0 + realisation as f32], voxel))
}

/// `1 + δ` of a finished run.
fn matter(voxel: [usize; 3]) -> f32 {
    (wave([1.0, 0.0, 0.0], voxel) + wave([0.0, 2.0, 1.0], voxel) + wave([2.0, 1.0, 0.0], voxel)).exp()
}

fn wave(modes: [f32; 3], voxel: [usize; 3]) -> f32 {
    let phase: f32 = (0..3).map(|i| modes[i] * voxel[i] as f32).sum();
    (std::f32::consts::TAU * phase / N as f32).sin()
}

/// The folder of a finished run with two realisations, a reference and three kept steps; returns its map.
pub(super) fn write_finished_run(folder: &Path) -> PathBuf {
    let told = json!({ "device": "CPU", "weights": ["HALO for tests.", "LODI for tests."] });
    let of = |value: &dyn Fn([usize; 3]) -> f32| grid(N, value);
    let map = folder.join("map.hdf5");
    let layers = [
        (Layer::DarkMatter, of(&matter)),
        (Layer::HaloMass(0), of(&|voxel| 2e11 * (matter(voxel) - 1.5).max(0.0))),
        (Layer::HaloMass(1), of(&|voxel| 8e11 * (matter(voxel) - 3.0).max(0.0))),
        (Layer::BrightnessTemperature, of(&|voxel| temperature(0, voxel))),
        (Layer::Reference, of(&|voxel| 1.1 * temperature(7, voxel))),
    ];
    write(&map, told.clone(), &layers);
    let other = of(&|voxel| temperature(1, voxel));
    write(&folder.join("realisation_2.hdf5"), told.clone(), &[(Layer::BrightnessTemperature, other)]);
    let tile = |i: usize| TileBox { origin: [16 * (i / 4), 16 * (i / 2 % 2), 16 * (i % 2)], size: [16; 3] };
    for index in 0..3 {
        let left = 1.0 - index as f32 / 3.0;
        let mut told = told.clone();
        let tiles: Vec<TileBox> = (0..8).map(tile).collect();
        told["step"] = json!({ "index": index, "of": 3, "gamma": 5.0 * left, "tiles": tiles });
        let noise = |voxel| 1.0 + 0.8 * wave([11.0, 13.0, 9.0], voxel);
        let latent = of(&|voxel| (1.0 - left) * temperature(0, voxel) + left * noise(voxel));
        let estimate = of(&|voxel| (1.0 - 0.5 * left) * temperature(0, voxel) + 0.5 * left);
        let layers = [(Layer::Latent, latent), (Layer::BrightnessTemperature, estimate)];
        write(&folder.join(format!("step_{:03}.hdf5", index + 1)), told, &layers);
    }
    map
}

/// A window on that run, with its folder.
pub(super) fn finished_run(start: Start) -> (Harness<'static>, Shared, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    // The name of the folder is on the screen.
    let run = folder.path().join("run");
    std::fs::create_dir(&run).expect("a folder");
    let (harness, app) = open(&write_finished_run(&run), start);
    with(&app, |app| {
        assert!(app.errors().is_empty(), "{:?}", app.errors());
        assert_eq!((app.subject().job.steps.len(), app.subject().realisations()), (3, 2));
    });
    (harness, app, folder)
}

//! `halodi seams` through the program.

use std::path::Path;

use halodi::field::{CorrelatedNoise, Cosmology, Grid, Layer, NoiseCorrelation, Stream};
use halodi::io::{MapHeader, write_map};

use crate::program::{alone, halodi, succeed, text};

const N: usize = 64;

fn map(seed: u64, step: f32) -> Grid {
    let noise = CorrelatedNoise::new(NoiseCorrelation { smooth: 0.9, radius: 1.5 }, N);
    let mut map = Grid::from_values(noise.draw(seed, Stream::Latent), 12.5).map(f32::exp);
    for ((x, y, z), v) in map.values.indexed_iter_mut() {
        let even = (x / 16 + y / 16 + z / 16).is_multiple_of(2);
        *v *= (0.5 * if even { step } else { -step }).exp();
    }
    map
}

fn write(path: &Path, map: &Grid) {
    let _turn = alone();
    let header = MapHeader { redshift: 1.0, cosmology: Cosmology::default(), provenance: serde_json::json!("a test") };
    write_map(path, &header, &[(Layer::BrightnessTemperature, map)]).unwrap();
}

#[test]
fn a_planted_seam_is_found_and_told_and_a_map_without_one_is_cleared() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    write(Path::new(&path("clean.hdf5")), &map(1, 0.0));
    write(Path::new(&path("stepped.hdf5")), &map(1, 0.4));
    let values = map(1, 0.4).values;
    ndarray_npy::write_npy(path("stepped.npy"), &values).unwrap();

    let (clean, stepped, out) = (path("clean.hdf5"), path("stepped.hdf5"), path("out"));
    let told = succeed(&["seams", &clean, &stepped, "--tile", "16", "--reference", &clean, "--out", &out]);
    assert!(
        told.contains("No seam found on tiles of 16 voxels:") && told.contains("\nSeam found on tiles of 16"),
        "{told}"
    );
    for name in ["clean", "stepped"] {
        let file = |end: &str| Path::new(&out).join(format!("{name}.seams.{end}"));
        assert!(image::open(file("png")).unwrap().width() >= 1000);
        assert_eq!(std::fs::read_to_string(file("csv")).unwrap().lines().filter(|l| !l.starts_with('#')).count(), 17);
        let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file("json")).unwrap()).unwrap();
        assert_eq!(json["verdict"]["found"], name == "stepped");
    }
    // Without being told of the tiles, and from another kind of file.
    let told = succeed(&["seams", &path("stepped.npy")]);
    assert!(told.contains("Seam found on tiles of 16 voxels"), "{told}");
    let json: serde_json::Value = serde_json::from_str(&succeed(&["seams", &clean, "--json"])).unwrap();
    assert_eq!(json[0]["verdict"]["found"], false);
}

#[test]
fn what_cannot_be_looked_at_is_refused_with_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    write(Path::new(&path("map.hdf5")), &map(1, 0.0));
    write(Path::new(&path("other.hdf5")), &Grid { box_size: 25.0, ..map(1, 0.0) });
    let (map, other) = (path("map.hdf5"), path("other.hdf5"));
    for (arguments, part) in [
        (vec!["/nowhere/map.hdf5"], "/nowhere/map.hdf5"),
        (vec![map.as_str(), "--tile", "24"], "4, 8, 16, 32"),
        (vec![map.as_str(), "--reference", other.as_str()], "in 25 Mpc/h"),
    ] {
        let output = halodi(&[&["seams"], arguments.as_slice()].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.lines().last().unwrap().contains(part), "{message}");
    }
}

//! `halodi predict` from end to end, through the program.

use std::path::Path;
use std::process::Output;

use halodi::field::Layer;
use halodi::io::read_map;

use crate::program::halodi;

fn predict(arguments: &[&str], out: &Path) -> Output {
    halodi(&[&["predict"], arguments, &["--out", out.to_str().unwrap()]].concat())
}

/// The demo on a small grid with few steps.
const QUICK: [&str; 7] = ["--demo", "--grid", "32", "--steps", "2", "--device", "cpu"];

fn map(folder: &Path) -> Vec<f32> {
    let map = read_map(folder.join("map.hdf5")).unwrap();
    map.layers[&Layer::BrightnessTemperature].as_slice().to_vec()
}

fn read_report(folder: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn the_demo_leaves_every_file_and_the_seed_decides_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, more: &[&str]| {
        let out = folder.path().join(name);
        let arguments: Vec<&str> = QUICK.iter().chain(more).copied().collect();
        let output = predict(&arguments, &out);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        out
    };
    let first = run("first", &["--figures", "png,svg,pdf"]);
    let figures =
        ["png", "svg", "pdf"].into_iter().flat_map(|end| [format!("slices.{end}"), format!("spectrum.{end}")]);
    for name in ["map.hdf5", "spectrum.csv", "report.json"].map(str::to_owned).into_iter().chain(figures) {
        assert!(first.join(&name).metadata().unwrap().len() > 100, "{name}");
    }
    let report = read_report(&first);
    assert_eq!(report["config"]["settings"]["seed"], 1);
    assert!(report["device"].as_str().unwrap().starts_with("CPU"));
    assert!(report["weights"][1].as_str().unwrap().starts_with("LODI"));
    let file = hdf5::File::open(first.join("map.hdf5")).unwrap();
    let dataset = file.dataset("brightness_temperature").unwrap();
    assert_eq!(dataset.shape(), [32, 32, 32]);

    // Which weights it was drawn with is in the figure.
    let svg = std::fs::read_to_string(first.join("spectrum.svg")).unwrap();
    assert!(svg.contains("SHA-256") && svg.contains("seed 1"));

    // What it wrote can be predicted from in turn: its dark matter is that of the demo.
    let again = folder.path().join("again");
    let file = first.join("map.hdf5");
    let output = predict(&[file.to_str().unwrap(), "--steps", "2", "--device", "cpu"], &again);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(map(&again), map(&first));
    // Its power is that of the particles, whose window the map has not forgotten.
    let matter = |folder: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(folder.join("spectrum.csv")).unwrap();
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        rows.map(|row| row.split(',').take(3).collect::<Vec<_>>().join(",")).collect()
    };
    assert!(matter(&first)[0].ends_with("p_dark_matter"), "{}", matter(&first)[0]);
    assert_eq!(matter(&again), matter(&first));

    let values = map(&first);
    assert!(values.iter().all(|v| v.is_finite() && *v >= 0.0));
    assert_ne!(values, map(&run("other seed", &["--seed", "2"])));

    // Two realisations: the first is the map, the second that of the next seed.
    let two = run("two", &["--realisations", "2"]);
    assert_eq!(values, map(&two));
    let second = read_map(two.join("realisation_2.hdf5")).unwrap();
    let second = second.layers[&Layer::BrightnessTemperature].as_slice().to_vec();
    assert_eq!(second, map(&run("next seed", &["--seed", "2"])));

    // A map is a reference for another run.
    let reference = first.join("map.hdf5");
    let compared = run("compared", &["--seed", "3", "--reference", reference.to_str().unwrap()]);
    let report = read_report(&compared);
    assert!(report["reference"].as_str().unwrap().contains("map.hdf5") && report["comparison"].is_object());
}

/// What an independent forward pass of the shipped weights in PyTorch makes of the demo on 32³
/// voxels: `benches/peers/torch_forward.py` wrote it.
const PYTORCH: &[u8] = include_bytes!("pytorch.npy");

#[test]
fn the_shipped_weights_paint_what_pytorch_makes_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let more =
        ["--demo", "--grid", "32", "--steps", "4", "--seed", "7", "--overlap", "shared-noise", "--device", "cpu"];
    let output = predict(&more, folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ours = map(folder.path());
    let theirs = &PYTORCH[PYTORCH.len() - 4 * ours.len()..];
    let theirs = theirs.chunks_exact(4).map(|v| f32::from_le_bytes(v.try_into().unwrap()));
    let (mut error, mut size) = (0.0, 0.0);
    for (a, b) in ours.iter().zip(theirs) {
        error += f64::from(a - b).powi(2);
        size += f64::from(b).powi(2);
    }
    let relative = (error / size).sqrt();
    assert!(relative < 1e-4, "the map is {relative:.2e} (rms) off PyTorch's");
}

#[test]
fn what_cannot_work_is_refused_with_one_sentence_and_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    for (arguments, part) in [
        (vec!["/nowhere/snapshot.hdf5"], "/nowhere/snapshot.hdf5"),
        (vec!["--demo", "--grid", "50"], "a grid of 64"),
        (vec!["--demo", "--grid", "4"], "128, for example"),
        (vec!["--demo", "--grid", "32", "--steps", "0"], "Ask for 12"),
        (vec!["--demo", "--grid", "32", "--reference", "/nowhere/map.hdf5"], "/nowhere/map.hdf5"),
    ] {
        let arguments: Vec<&str> = arguments.into_iter().chain(["--device", "cpu"]).collect();
        let output = predict(&arguments, &out);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        let last = message.lines().last().unwrap();
        assert!(last.starts_with("halodi: ") && last.contains(part), "{message}");
        assert!(!out.join("map.hdf5").exists());
    }
    // A file where the folder should be.
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let output = predict(&QUICK, &file);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot be written"));
}

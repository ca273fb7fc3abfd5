//! A data set, both trainings and the judgement of the networks, through the
//! program.

use std::path::Path;

use crate::program::{halodi, succeed};

const CONFIG: &str = "batch = 1\ncrop = 24\nwarmup = 1\nvalidate_every = 1\nvalidation_crops = 1\n\
                   power_every = 2\npower_steps = 2\ncalibration_boxes = 1\n";

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn networks_are_trained_go_on_and_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, out, config) = (path("cv"), path("weights"), path("train.toml"));
    std::fs::write(&config, CONFIG).unwrap();
    let make = ["dataset", "--out", &data, "--box", "6.25", "--particles", "32", "--start", "19"];
    succeed(&[&make[..], &["--train", "1", "--validation", "1", "--test", "1"]].concat());
    let manifest = Path::new(&data).join("manifest.json");
    assert!(manifest.exists());

    // Training cannot read what is not there: the test boxes.
    let (test, hidden) = (Path::new(&data).join("test"), path("hidden"));
    std::fs::rename(&test, &hidden).unwrap();
    let train = |network: &str, steps: &str, more: &[&str]| {
        let fixed = ["train", network, "--data", &data, "--out", &out, "--config", &config, "--device", "cpu"];
        halodi(&[&fixed[..], &["--steps", steps], more].concat())
    };
    let halo = Path::new(&out).join("halo.safetensors");
    let halo = halo.to_str().unwrap();
    for steps in ["1", "2"] {
        let output = train("halo", steps, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let curve = lines(&Path::new(&out).join("halo_curve.csv"));
    assert_eq!(curve.len(), 3, "a header and one row a step, over both runs: {curve:?}");
    let power = lines(&Path::new(&out).join("halo_power.csv"));
    assert!(power.iter().any(|line| line.starts_with("2,\"halo mass, bin 1\",")), "{power:?}");
    let refined = train("refinement", "2", &["--from", halo]);
    assert!(refined.status.success(), "{}", String::from_utf8_lossy(&refined.stderr));
    assert_eq!(lines(&Path::new(&out).join("refinement_curve.csv")).len(), 3);
    let refused = train("lodi", "2", &["--halo", halo]);
    assert_eq!(refused.status.code(), Some(2), "LODI paints about a conditional mean");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("train conditional-mean"));
    let mean = train("conditional-mean", "2", &["--halo", halo]);
    assert!(mean.status.success(), "{}", String::from_utf8_lossy(&mean.stderr));
    let mean = Path::new(&out).join("conditional_mean.safetensors");
    let lodi = train("lodi", "2", &["--halo", halo, "--conditional-mean", mean.to_str().unwrap()]);
    assert!(lodi.status.success(), "{}", String::from_utf8_lossy(&lodi.stderr));
    assert!(lines(&Path::new(&out).join("lodi_power.csv")).len() > 3);
    for name in ["halo_training.png", "refinement_training.png", "conditional_mean_training.png", "lodi_training.png"] {
        assert!(image::open(Path::new(&out).join(name)).unwrap().width() > 1000);
    }
    std::fs::rename(hidden, &test).unwrap();

    // Two realisations of the test box, and one of it as any snapshot.
    let judged = path("judged");
    let snapshot = test.join("box_000/snapshot_000.hdf5");
    let evaluate = ["evaluate", "--out", &judged, "--weights", &out, "--device", "cpu", "--steps", "2", "--draws", "3"];
    let table = succeed(&[&evaluate[..], &["--data", &data, "--realisations", "2"]].concat());
    assert!(table.contains("test/box_000") && table.contains("Rank of the truth among 2"), "{table}");
    for name in ["power_ratio.png", "one_point.png", "calibration.png"] {
        assert!(image::open(Path::new(&judged).join(name)).unwrap().width() > 1000);
    }
    let record = std::fs::read_to_string(Path::new(&judged).join("evaluation.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let judged_box = &record["boxes"][0];
    assert_eq!(judged_box["draws"]["count"], 4);
    assert!(judged_box["bits"]["total"].as_f64().unwrap().is_finite());
    assert!(judged_box["rescaled_dark_matter"].is_object() && judged_box["omega_hi"][1].as_f64().unwrap() > 0.0);
    let table = succeed(&[&evaluate[..], &["--realisations", "1", "--snapshot", snapshot.to_str().unwrap()]].concat());
    assert!(table.contains("snapshot_000") && table.contains("| – |"), "{table}");
    let refused = halodi(&["evaluate", "--out", &judged]);
    assert_eq!(refused.status.code(), Some(2));
}

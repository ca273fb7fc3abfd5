//! Data sets of other simulations' boxes: grids as CAMELS has them, and a snapshot with gas, from
//! the list to the judged networks.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use halodi::dataset::Dataset;
use halodi::field::{Grid, RHO_CRITICAL, Stream, fill_normal, smooth};
use halodi::nn::{Lodi, Trained};

use crate::program::{halodi, succeed};

const N: usize = 32;
/// Whole boxes, so that small networks see something quickly.
const CONFIG: &str = "[conditional_mean]\nsteps = 2\nvalidate_every = 1\nvalidation_crops = 1\n\
                      [lodi]\nsteps = 1\nbatch = 1\nvalidate_every = 1\nvalidation_crops = 1\npower_steps = 2\n\
                      calibration_boxes = 1\n";

/// A stack of cubes as NumPy writes it.
fn write_npy(path: &Path, cubes: &[Vec<f32>], n: usize) {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {n}, {n}, {n}), }}", cubes.len());
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{text:<117}\n").bytes());
    cubes.iter().flatten().for_each(|v| bytes.extend(v.to_le_bytes()));
    std::fs::write(path, bytes).unwrap();
}

/// Matter and neutral hydrogen, (M☉/h)/(Mpc/h)³, of clumps of their own.
fn clumps(seed: u64, n: usize) -> [Vec<f32>; 2] {
    let mut field = Grid::zeros(n, 25.0);
    fill_normal(field.as_slice_mut(), seed, Stream::Latent);
    let field = smooth(field.as_slice().to_vec(), n);
    let density: Vec<f32> = field.iter().map(|v| (4.0 * v).exp()).collect();
    let mean = density.iter().sum::<f32>() / density.len() as f32;
    let matter = density.iter().map(|v| (0.3 * RHO_CRITICAL) as f32 * v / mean).collect();
    let hydrogen = density.iter().map(|v| (4e-4 * RHO_CRITICAL) as f32 * (v / mean).powf(1.3)).collect();
    [matter, hydrogen]
}

fn refuse(arguments: &[&str]) -> String {
    let output = halodi(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn pairs_of_grids_go_from_a_list_to_networks_that_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let boxes: Vec<[Vec<f32>; 2]> = (1..=3).map(|seed| clumps(seed, N)).collect();
    let [matter, hydrogen] = [0, 1].map(|i| boxes.iter().map(|b| b[i].clone()).collect::<Vec<_>>());
    write_npy(Path::new(&path("Grids_Mtot_Nbody_Made_CV_32_z=1.0.npy")), &matter, N);
    write_npy(Path::new(&path("Grids_HI_Made_CV_32_z=1.0.npy")), &hydrogen, N);
    let rows = ["train", "validation", "test"].into_iter().enumerate();
    let rows = rows.map(|(i, split)| {
        format!("Grids_Mtot_Nbody_Made_CV_32_z=1.0.npy:{i},Grids_HI_Made_CV_32_z=1.0.npy:{i},{split}\n")
    });
    std::fs::write(path("pairs.csv"), "dark_matter,truth,split\n".to_owned() + &rows.collect::<String>()).unwrap();
    let (data, out) = (path("data"), path("weights"));
    let make = ["dataset", "--pairs", &path("pairs.csv"), "--out", &data];
    let printed = succeed(&make);
    assert!(printed.contains("train, z = 1.00: 1 boxes") && printed.contains("leakage"), "{printed}");
    succeed(&["dataset", "--out", &data, "--check"]);
    let made = Dataset::open(Path::new(&data)).unwrap();
    let omega_hi: Vec<f64> = made.manifest.boxes.iter().map(|b| b.omega_hi).collect();
    let expected = hydrogen[0].iter().map(|&v| f64::from(v)).sum::<f64>() / N.pow(3) as f64 / RHO_CRITICAL;
    assert!((omega_hi[0] / expected - 1.0).abs() < 1e-4, "{omega_hi:?} for {expected}");
    // What is there is kept, and a list of other boxes does not mix in.
    assert_eq!(succeed(&make), printed);
    std::fs::write(
        path("others.csv"),
        "dark_matter,truth,split\nGrids_Mtot_Nbody_Made_CV_32_z=1.0.npy:2,Grids_HI_Made_CV_32_z=1.0.npy:2,train\n",
    )
    .unwrap();
    let message = refuse(&["dataset", "--pairs", &path("others.csv"), "--out", &data]);
    assert!(message.contains("other settings"), "{message}");

    // Haloes are unknown: HALO stays as it is, and the others go on from the shipped weights.
    std::fs::write(path("all.toml"), CONFIG).unwrap();
    let train =
        ["train", "all", "--data", &data, "--out", &out, "--config", &path("all.toml"), "--device", "cpu", "--from"];
    let output = halodi(&train);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("HALO stays as it is"));
    let learned = || {
        let path = Path::new(&out).join("lodi.safetensors");
        let Trained { network, card, .. } = Trained::<Lodi>::load(&path, &Device::flex()).unwrap();
        (network.config().clone(), card)
    };
    let before = learned();
    // Run again, everything is done already, and the same.
    assert!(halodi(&train).status.success());
    assert_eq!(learned(), before);
    let message = refuse(&["train", "halo", "--data", &data, "--out", &out, "--device", "cpu", "--steps", "1"]);
    assert!(message.contains("haloes are unknown"), "{message}");

    let judged = path("judged");
    let fixed = ["--weights", &out, "--device", "cpu", "--steps", "2"];
    let evaluate = ["evaluate", "--data", &data, "--out", &judged, "--realisations", "2"];
    let table = succeed(&[&evaluate[..], &fixed[..]].concat());
    // It names its truth, of which there is one draw.
    assert!(table.contains("Grids_HI_Made_CV_32_z=1.0.npy") && table.contains("one map of the truth"), "{table}");
    assert!(table.contains("The haloes of the truth are unknown") && !table.contains("NaN"), "{table}");
    let source = path("Grids_Mtot_Nbody_Made_CV_32_z=1.0.npy:2");
    succeed(&[&["predict", &source, "--out", &path("predicted")][..], &fixed[..]].concat());
}

#[test]
fn pairs_that_do_not_fit_together_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let ([matter, hydrogen], [_, coarse]) = (clumps(1, N), clumps(1, 16));
    write_npy(Path::new(&path("Grids_Mtot_Made_z=1.0.npy")), std::slice::from_ref(&matter), N);
    write_npy(Path::new(&path("Grids_HI_Made_z=1.0.npy")), std::slice::from_ref(&hydrogen), N);
    write_npy(Path::new(&path("Grids_HI_Late_z=0.0.npy")), &[hydrogen], N);
    write_npy(Path::new(&path("Grids_HI_Coarse_z=1.0.npy")), &[coarse], 16);
    let cases = [
        (
            "Grids_Mtot_Made_z=1.0.npy",
            "Grids_HI_Late_z=0.0.npy",
            "z = 0.00; expected 32³ voxels in 25.0000 Mpc/h at z = 1.00",
        ),
        ("Grids_Mtot_Made_z=1.0.npy", "Grids_HI_Coarse_z=1.0.npy", "16³ voxels"),
        ("Grids_HI_Made_z=1.0.npy", "Grids_HI_Made_z=1.0.npy", "neutral hydrogen"),
        ("Grids_Mtot_Made_z=1.0.npy", "Grids_Mtot_Made_z=1.0.npy", "matter"),
        ("nowhere.npy", "Grids_HI_Made_z=1.0.npy", "nowhere.npy"),
    ];
    for (dark_matter, truth, part) in cases {
        let list = path("pairs.toml");
        let text = format!("[[pair]]\ndark_matter = \"{dark_matter}\"\ntruth = \"{truth}\"\nsplit = \"train\"\n");
        std::fs::write(&list, text).unwrap();
        let message = refuse(&["dataset", "--pairs", &list, "--out", &path("data")]);
        let last = message.lines().last().unwrap();
        assert!(last.starts_with("halodi: ") && last.contains(part), "{message}");
        assert!(!Path::new(&path("data")).join("manifest.json").exists());
    }
}

#[test]
fn a_snapshot_with_gas_is_its_own_truth() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared", "../../shared"].map(|folder| root.join(folder).join("data/arepo_hydro32_L25_z2.hdf5"));
    let Some(snapshot) = places.into_iter().find(|path| path.exists()) else { return };
    let snapshot: PathBuf = snapshot.canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (list, out) = (folder.path().join("pairs.toml"), folder.path().join("data"));
    let text = format!("[[pair]]\ndark_matter = {snapshot:?}\ntruth = {snapshot:?}\nsplit = \"test\"\n");
    std::fs::write(&list, text).unwrap();
    succeed(&["dataset", "--pairs", list.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let made = Dataset::open(&out).unwrap();
    let record = &made.manifest.boxes[0];
    assert!(record.truth.contains("gas") && record.omega_hi > 0.0, "{record:?}");
    let (box_size, redshift) = (made.manifest.config.frame().0, record.redshift);
    assert!((box_size - 25.0).abs() < 1e-3 && (redshift - 2.0).abs() < 0.01);
    let judged = folder.path().join("judged");
    let evaluate = ["evaluate", "--data", out.to_str().unwrap(), "--out", judged.to_str().unwrap()];
    let more = ["--realisations", "1", "--steps", "2", "--device", "cpu"];
    let table = succeed(&[&evaluate[..], &more[..]].concat());
    assert!(table.contains("HI of the gas"), "{table}");
}

//! The simulator and what it feeds: against linear theory, against itself after
//! an interruption, and through the program.

use std::path::Path;
use std::time::Duration;

use halodi::Error;
use halodi::dataset::{Dataset, Fields, Manifest};
use halodi::field::Layer;
use halodi::field::{Cosmology, MassAssignment, assign_mass};
use halodi::io::{Particles, Properties, SnapshotReader, read_map};
use halodi::sim::nbody::{Checkpoints, Force, GravityConfig, Simulation, SimulationConfig, linear_density};
use halodi::sim::{HaloFinder, find_haloes};
use halodi::stats::cross_spectrum;

use crate::program::{alone, halodi, succeed};

/// The one sentence of a run that must fail with the given exit code.
fn refuse(arguments: &[&str], code: i32) -> String {
    let output = halodi(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "more than one sentence: {message}");
    assert!(message.contains("expected") && !message.contains("panicked"), "{message}");
    message
}

fn run(config: &SimulationConfig, folder: &Path) -> Particles {
    let checkpoints = Checkpoints::at(folder.join("checkpoint.hdf5"));
    let simulation = Simulation::begin(config.clone(), &checkpoints.path).unwrap();
    let mass = simulation.particle_mass();
    let mut last = None;
    simulation
        .run(
            &checkpoints,
            |_| true,
            |_, phase| {
                last = Some(phase.to_particles(mass));
                Ok(())
            },
        )
        .unwrap();
    last.expect("there is an output")
}

#[test]
fn large_scales_grow_as_linear_theory_says() {
    // A box large enough for linear modes, against its own initial modes: the
    // luck of the draw cancels. With fewer particles their shot noise would be a
    // twentieth of the power at the last of the wavenumbers.
    let folder = tempfile::tempdir().unwrap();
    let (box_size, n) = (400.0, 96);
    let mut config = SimulationConfig::new(box_size, n, 3, 1.0);
    config.gravity = GravityConfig::new(Force::Mesh, 2 * n);
    let particles = run(&config, folder.path());
    let cosmology = Cosmology::default();
    let density = assign_mass(&particles.positions, |_| 1.0, n, box_size, MassAssignment::Cic).overdensity();
    let linear = linear_density(&cosmology, box_size, n, 3).unwrap();
    let pair = cross_spectrum([&density, &linear], [Some(MassAssignment::Cic), None]).unwrap();
    let growth = cosmology.growth(1.0);
    // By z = 1 modes couple, and the luck of that in a shell of a few hundred does
    // not cancel: the power of all modes in bands of 0.05 h/Mpc is compared.
    for band in 0..3 {
        let inside = |k: f64| (0.05 * f64::from(band)..0.05 * f64::from(band + 1)).contains(&k);
        let sum = |spectrum: &halodi::stats::PowerSpectrum| -> f64 {
            let shells = spectrum.k.iter().zip(&spectrum.power).zip(&spectrum.modes).filter(|((k, _), _)| inside(**k));
            shells.map(|((_, power), &modes)| power * modes as f64).sum()
        };
        let ratio = sum(&pair.first) / (growth * growth * sum(&pair.second));
        let each: Vec<f64> = (0..pair.first.k.len())
            .filter(|&i| inside(pair.first.k[i]))
            .map(|i| pair.first.power[i] / (growth * growth * pair.second.power[i]))
            .collect();
        assert!((ratio - 1.0).abs() < 0.05, "band {band}: {ratio} of linear theory's power, by shell {each:.3?}");
    }
    // The growth factor from the largest modes, which are the most linear.
    let measured = pair.cross[..3].iter().sum::<f64>() / pair.second.power[..3].iter().sum::<f64>();
    assert!((measured / growth - 1.0).abs() < 0.01, "growth factor {measured} instead of {growth}");
}

#[test]
fn momentum_is_conserved_and_a_killed_run_goes_on_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SimulationConfig::new(6.0, 24, 5, 2.0);
    config.redshifts = vec![4.0, 2.0];
    let whole = run(&config, folder.path());

    let rms = |axis: usize| {
        (whole.velocities.iter().map(|v| f64::from(v[axis]).powi(2)).sum::<f64>() / whole.len() as f64).sqrt()
    };
    for axis in 0..3 {
        let mean = whole.velocities.iter().map(|v| f64::from(v[axis])).sum::<f64>() / whole.len() as f64;
        assert!(mean.abs() < 0.02 * rms(axis), "the box drifts: {mean} of {}", rms(axis));
    }

    // Killed in the 30th step, with a checkpoint after every step.
    let checkpoints = Checkpoints { path: folder.path().join("state.hdf5"), every: Duration::ZERO };
    let mut outputs = Vec::new();
    let killed = Simulation::begin(config.clone(), &checkpoints.path).unwrap().run(
        &checkpoints,
        |progress| progress.step[0] < 30,
        |number, _| {
            outputs.push(number);
            Ok(())
        },
    );
    assert!(matches!(killed, Err(Error::Cancelled)) && checkpoints.path.exists());
    let simulation = Simulation::begin(config.clone(), &checkpoints.path).unwrap();
    let mass = simulation.particle_mass();
    let mut first_step = None;
    let mut last = None;
    simulation
        .run(
            &checkpoints,
            |progress| {
                first_step.get_or_insert(progress.redshift);
                true
            },
            |number, phase| {
                outputs.push(number);
                last = Some(phase.to_particles(mass));
                Ok(())
            },
        )
        .unwrap();
    assert!(first_step.unwrap() < 10.0, "the run began anew");
    assert_eq!(outputs, [0, 1]);
    let last = last.unwrap();
    assert_eq!((last.positions, last.velocities), (whole.positions, whole.velocities));
    assert!(!checkpoints.path.exists());
}

#[test]
fn the_program_simulates_finds_haloes_paints_and_predicts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let out = at("run");
    let simulate = ["simulate", "--box", "6.25", "--particles", "32", "--seed", "7", "--out", &out];
    let printed = succeed(&simulate);
    let snapshot = at("run/snapshot_000.hdf5");
    assert_eq!(printed.trim(), snapshot);
    assert!(folder.path().join("run/simulation.json").exists() && !folder.path().join("run/checkpoint.hdf5").exists());
    let reader = SnapshotReader::open(&snapshot).unwrap();
    assert!((reader.header().redshift - 1.0).abs() < 1e-9 && reader.header().dark_matter_count() == 32u64.pow(3));

    let map = at("reference.hdf5");
    let catalogue = at("haloes.hdf5");
    succeed(&["reference", &snapshot, "--out", &map, "--grid", "32", "--catalogue", &catalogue]);
    let made = read_map(&map).unwrap();
    let description = made.header.provenance["reference"]["description"].as_str().unwrap().to_owned();
    assert!(description.contains("painted on"), "{description}");
    let temperature = &made.layers[&Layer::Reference];
    let recorded = made.header.provenance["reference"]["mean_brightness_temperature_mk"].as_f64().unwrap();
    assert!(recorded > 0.0 && (temperature.mean() / recorded - 1.0).abs() < 1e-6);

    // The catalogue holds the haloes that the library finds.
    let particles = reader.particles(1, Properties::default()).unwrap();
    let haloes = find_haloes(&particles, 6.25, HaloFinder::default());
    let file = hdf5::File::open(&catalogue).unwrap();
    let masses = file.dataset("Group/GroupMass").unwrap().read_raw::<f32>().unwrap();
    assert_eq!(masses.len(), haloes.len());
    assert!((f64::from(masses[0]) * 1e10 / haloes[0].mass - 1.0).abs() < 1e-6);

    // Redshift space moves HI along the line of sight, and makes none.
    let distorted = at("redshift_space.hdf5");
    succeed(&["reference", &snapshot, "--out", &distorted, "--grid", "32", "--redshift-space", "z"]);
    let distorted = read_map(&distorted).unwrap();
    assert_ne!(distorted.layers[&Layer::Reference], *temperature);
    assert!((distorted.layers[&Layer::Reference].mean() / temperature.mean() - 1.0).abs() < 1e-5);

    // A reference is one for a prediction, and is called what it is there too.
    let prediction = at("prediction");
    succeed(&[
        "predict",
        &snapshot,
        "--out",
        &prediction,
        "--grid",
        "32",
        "--steps",
        "1",
        "--device",
        "cpu",
        "--reference",
        &map,
    ]);
    let report = std::fs::read_to_string(folder.path().join("prediction/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert!(report["reference"].as_str().unwrap().contains(&description));
}

/// A snapshot of gas and dark matter on a lattice: `count³` of each.
fn hydrodynamic_snapshot(path: &Path, neutral: bool) {
    use hdf5::File;
    let count = 8usize;
    let cosmology = Cosmology::default();
    let (box_size, z) = (10_000.0f64, 2.0f64);
    let total = cosmology.mean_matter_density() * 10f64.powi(3) / 1e10 / count.pow(3) as f64;
    let (gas_mass, dark_mass) = (total * 0.16, total * 0.84);
    let _turn = alone();
    let file = File::create(path).unwrap();
    let header = file.create_group("Header").unwrap();
    let particles = count.pow(3) as u32;
    for name in ["NumPart_ThisFile", "NumPart_Total"] {
        header.new_attr::<u32>().shape(6).create(name).unwrap().write(&[particles, particles, 0, 0, 0, 0]).unwrap();
    }
    header
        .new_attr::<f64>()
        .shape(6)
        .create("MassTable")
        .unwrap()
        .write(&[gas_mass, dark_mass, 0.0, 0.0, 0.0, 0.0])
        .unwrap();
    for (name, value) in [
        ("BoxSize", box_size),
        ("Redshift", z),
        ("Time", 1.0 / (1.0 + z)),
        ("Omega0", cosmology.omega_m),
        ("OmegaLambda", cosmology.omega_lambda),
        ("HubbleParam", cosmology.h),
    ] {
        header.new_attr::<f64>().create(name).unwrap().write_scalar(&value).unwrap();
    }
    let places = ndarray::Array2::from_shape_fn((count.pow(3), 3), |(i, axis)| {
        [i / 64, i / 8 % 8, i % 8][axis] as f32 * (box_size / count as f64) as f32
    });
    for group in ["PartType0", "PartType1"] {
        let group = file.create_group(group).unwrap();
        group.new_dataset_builder().with_data(&places).create("Coordinates").unwrap();
    }
    let gas = file.group("PartType0").unwrap();
    // Half the gas at a thousandth of the density at which it shields itself,
    // half at a thousand times that.
    let density_of = |nuclei: f64| {
        // cm⁻³ to comoving 10¹⁰ M☉/h / (kpc/h)³.
        let grams = nuclei * 1.672_621_9e-24 / 0.76;
        let comoving = grams / (1.0 + z).powi(3) / (1.989e43 / 3.085_678e21f64.powi(3));
        (comoving / cosmology.h.powi(2)) as f32
    };
    let half = |a: f32, b: f32| -> Vec<f32> { (0..count.pow(3)).map(|i| if i % 2 == 0 { a } else { b }).collect() };
    gas.new_dataset_builder().with_data(&half(density_of(1e-5), density_of(10.0))).create("Density").unwrap();
    // 10⁴ K of ionised gas: u = 3/2 kT/(0.59 m_p) ≈ 210 (km/s)².
    gas.new_dataset_builder().with_data(&vec![210f32; count.pow(3)]).create("InternalEnergy").unwrap();
    if neutral {
        gas.new_dataset_builder().with_data(&half(0.25, 1e-4)).create("NeutralHydrogenAbundance").unwrap();
    }
    file.close().unwrap();
}

#[test]
fn the_gas_of_a_hydrodynamic_snapshot_is_a_reference() {
    let folder = tempfile::tempdir().unwrap();
    let gas_density = 0.16 * 0.3;
    for (neutral, expected) in [
        // Dense gas is neutral, thin gas is not: half the hydrogen.
        (false, 0.76 * gas_density * 0.5),
        // The code's own fraction counts where there is no shielding, and is
        // raised where there is.
        (true, 0.76 * gas_density * 0.5 * 1.25),
    ] {
        let snapshot = folder.path().join(format!("gas_{neutral}.hdf5"));
        hydrodynamic_snapshot(&snapshot, neutral);
        let map = folder.path().join(format!("map_{neutral}.hdf5"));
        let (snapshot, map) = (snapshot.to_str().unwrap(), map.to_str().unwrap());
        succeed(&["reference", snapshot, "--out", map, "--grid", "8", "--assignment", "ngp"]);
        let map = read_map(map).unwrap();
        let reference = &map.header.provenance["reference"];
        assert_eq!(reference["model"], "gas");
        assert!(reference["description"].as_str().unwrap().starts_with("HI of the gas"));
        let omega_hi = reference["omega_hi"].as_f64().unwrap();
        assert!((omega_hi / expected - 1.0).abs() < 0.05, "Ω_HI = {omega_hi}, expected {expected}");
        // T_b = 189 h (1+z)²/E(z) Ω_HI mK on average.
        let mean = map.layers[&Layer::Reference].mean();
        let scale = Cosmology::default().brightness_temperature_scale(2.0);
        assert!((mean / (scale * omega_hi) - 1.0).abs() < 1e-4);
    }
    // Asked for haloes, a lattice has none, and says so.
    let snapshot = folder.path().join("gas_true.hdf5");
    let message =
        refuse(&["reference", snapshot.to_str().unwrap(), "--out", "/tmp/unused.hdf5", "--model", "haloes"], 2);
    assert!(message.contains("without a halo"), "{message}");
}

#[test]
fn a_data_set_is_made_once_grows_and_notices_damage() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("cv");
    let out = out.to_str().unwrap();
    let make = |more: &[&str]| -> Vec<String> {
        let fixed = ["dataset", "--out", out, "--box", "6.25", "--particles", "32", "--start", "19"];
        fixed.iter().chain(more).map(ToString::to_string).collect()
    };
    let run = |more: &[&str]| {
        let arguments = make(more);
        succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(&["--train", "1", "--validation", "0", "--test", "1"]);
    let before = Manifest::read(Path::new(out)).unwrap().unwrap();
    let printed = run(&["--train", "1", "--validation", "1", "--test", "1"]);
    assert!(printed.contains("validation, z = 1.00: 1 boxes") && printed.contains("leakage"), "{printed}");
    let data = Dataset::open(Path::new(out)).unwrap();
    assert_eq!((data.train().len(), data.validation().len(), data.test().len()), (1, 1, 1));
    assert_eq!(data.manifest.boxes[..2], before.boxes[..]);
    let mut seeds: Vec<Option<u64>> = data.manifest.boxes.iter().map(|b| b.seed).collect();
    seeds.dedup();
    assert_eq!(seeds.len(), 3);
    let leakage = data.manifest.leakage.as_ref().unwrap();
    assert!(leakage.pairs == 3 && leakage.largest_deviation.abs() < 4.0);

    // Other settings do not mix in.
    let other = make(&["--train", "1", "--validation", "1", "--test", "1", "--sigma-8", "0.9"]);
    let message = refuse(&other.iter().map(String::as_str).collect::<Vec<_>>(), 2);
    assert!(message.contains("other settings"), "{message}");

    // A copied box leaks, a changed file does not pass.
    let check = ["dataset", "--out", out, "--check"];
    succeed(&check);
    let (train, test) = (data.train()[0].fields(), data.test()[0].fields());
    let original = std::fs::read(&test).unwrap();
    std::fs::copy(&train, &test).unwrap();
    assert!(refuse(&check, 2).contains("SHA-256"));
    let leak = halodi::dataset::measure_leakage(Path::new(out), &data.manifest).unwrap_err();
    assert!(leak.to_string().contains("are correlated"), "{leak}");
    std::fs::write(&test, original).unwrap();
    succeed(&check);
}

#[test]
fn a_simulation_becomes_a_box_at_every_redshift() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("set");
    let size = ["--box", "6.25", "--particles", "32", "--start", "19"];
    let counts = ["--train", "1", "--validation", "0", "--test", "1", "--redshift", "2", "1"];
    let printed = succeed(&[&["dataset", "--out", out.to_str().unwrap()][..], &size, &counts].concat());
    assert!(printed.contains("train, z = 2.00: 1 boxes") && printed.contains("test, z = 1.00: 1 boxes"), "{printed}");
    let data = Dataset::open(&out).unwrap();
    let redshifts = |boxes: Vec<f64>| boxes.iter().map(|z| (z * 100.0).round() / 100.0).collect::<Vec<f64>>();
    assert_eq!(redshifts(data.train().iter().map(|b| b.redshift).collect()), [2.0, 1.0]);
    assert_eq!(redshifts(data.manifest.redshifts()), [2.0, 1.0]);
    let boxes = &data.manifest.boxes;
    assert!(boxes[0].seed == boxes[1].seed && boxes[2].seed == boxes[3].seed && boxes[0].seed != boxes[2].seed);
    // Matter clusters with time, and its maps say when they are.
    let fields = data.train().iter().map(|b| Fields::read(&b.fields()).unwrap()).collect::<Vec<_>>();
    let clustered =
        fields.iter().map(|f| f.dark_matter.density.map(|v| (v - 1.0).powi(2)).mean()).collect::<Vec<f64>>();
    assert!(clustered[1] > 1.1 * clustered[0], "{clustered:?}");
    assert!((fields[0].dark_matter.redshift - 2.0).abs() < 1e-6);
    // Boxes of one simulation are of one split and do not leak; those of two are compared.
    assert_eq!(data.manifest.leakage.as_ref().unwrap().pairs, 4);
}

#[test]
fn impossible_runs_are_refused_before_they_begin() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    for (arguments, word) in [
        (vec!["--omega-m=-0.3"], "Ωm"),
        (vec!["--omega-b", "0.4"], "baryons"),
        (vec!["--particles", "2048", "--mesh", "4096"], "GB"),
        (vec!["--mesh", "8"], "mesh"),
        (vec!["--redshift", "1", "2"], "redshift"),
        (vec!["--box", "0"], "box"),
        (vec!["--step", "3"], "ln a"),
    ] {
        let all: Vec<&str> = ["simulate", "--out", out].iter().chain(&arguments).copied().collect();
        let message = refuse(&all, 2);
        assert!(message.contains(word), "{arguments:?}: {message}");
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    refuse(&["simulate", "--particles", "8", "--out", file.join("out").to_str().unwrap()], 1);
    refuse(&["simulate", "--from", folder.path().join("gone.hdf5").to_str().unwrap(), "--out", out], 2);
}

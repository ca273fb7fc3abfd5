//! Files that were once got wrong, after public reports about other tools, where
//! they are kept beside the repository. All boxes are 25 Mpc/h unless said.

use std::path::{Path, PathBuf};

use halodi::io::{Opened, Quantity, open_source};
use serde_json::Value;

use super::{refuse, shared, succeed};

fn case(name: &str) -> Option<PathBuf> {
    shared(&format!("cases/{name}"))
}

/// What `inspect` says of a file.
fn inspect(path: &Path) -> Value {
    serde_json::from_str(&succeed(&["inspect", path.to_str().unwrap(), "--json"])).unwrap()
}

fn notes(said: &Value) -> String {
    said["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned() + "\n").collect()
}

fn near(value: &Value, expected: f64) -> bool {
    (value.as_f64().unwrap() / expected - 1.0).abs() < 2e-3
}

/// Number of particles of a type.
fn count(said: &Value, particle_type: u64) -> u64 {
    let types = said["particles"].as_array().unwrap();
    types.iter().find(|t| t["particle_type"] == particle_type).map_or(0, |t| t["count"].as_u64().unwrap())
}

/// `P(k)` of particles with masses by summing over them, no grid: mean over the
/// modes of the shells 1 to 3 of a box of side one.
pub fn direct_power(particles: &[([f64; 3], f64)], box_size: f64) -> [f64; 3] {
    let total: f64 = particles.iter().map(|p| p.1).sum();
    let (mut sums, mut modes) = ([0.0; 3], [0u32; 3]);
    for i in -3i32..=3 {
        for j in -3i32..=3 {
            for l in -3i32..=3 {
                let shell = f64::from(i * i + j * j + l * l).sqrt() as usize;
                if !(1..=3).contains(&shell) {
                    continue;
                }
                let (mut re, mut im) = (0.0, 0.0);
                for (x, mass) in particles {
                    let phase = std::f64::consts::TAU
                        * (f64::from(i) * x[0] + f64::from(j) * x[1] + f64::from(l) * x[2])
                        / box_size;
                    re += mass * phase.cos();
                    im += mass * phase.sin();
                }
                sums[shell - 1] += (re * re + im * im) / total.powi(2) * box_size.powi(3);
                modes[shell - 1] += 1;
            }
        }
    }
    [0, 1, 2].map(|s| sums[s] / f64::from(modes[s]))
}

/// `P(k)` as the program prints it, in the first shells.
pub fn printed_power(path: &Path) -> Vec<f64> {
    let said = succeed(&["spectrum", path.to_str().unwrap(), "--grid", "64", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    said["spectrum"]["power"].as_array().unwrap()[..3].iter().map(|p| p.as_f64().unwrap()).collect()
}

#[test]
fn totals_beyond_32_bits_are_counted() {
    let Some(folder) = case("counts") else { return };
    for (name, expected) in [
        ("i4_signed_low_word", 2_147_483_655),
        ("i4_signed_low_word_and_high", 6_442_450_951),
        ("low_word_kept_in_int64", 4_294_967_301),
        ("u4_highword", 4_294_967_301),
    ] {
        let path = folder.join(name).join("snap_004.0.hdf5");
        let said = inspect(&path);
        assert_eq!(count(&said, 1), expected, "{name}");
        assert!(near(&said["box_size_mpc_h"], 1000.0));
        // The particles themselves were never written.
        let message = refuse(&path);
        assert!(message.contains("written") || message.contains("memory"), "{message}");
    }
}

#[test]
fn the_named_file_is_opened() {
    let Some(folder) = case("names") else { return };
    for (name, z) in [
        ("z/snap_z0.250.hdf5", 0.25),
        ("z/snap_z0.500.hdf5", 0.5),
        ("z/snap_z2.000.hdf5", 2.0),
        ("a_in_name/snapshot_a=0.17.hdf5", 1.0 / 0.17 - 1.0),
        ("a_in_name/snapshot_a=0.50.hdf5", 1.0),
        ("a_in_name/snapshot_a=1.00.hdf5", 0.0),
        ("alone/snap_z2.000.hdf5", 2.0),
    ] {
        let said = inspect(&folder.join(name));
        assert!((said["redshift"].as_f64().unwrap() - z).abs() < 1e-3, "{name}: {}", said["redshift"]);
        assert_eq!((count(&said, 1), said["files"].as_u64()), (4096, Some(1)));
    }
    for name in ["padded_005.000.hdf5", "padded_005.001.hdf5", "padded_005", ""] {
        let said = inspect(&folder.join("padded_only").join(name));
        assert_eq!((count(&said, 1), said["files"].as_u64()), (4096, Some(2)), "{name}");
    }
}

#[test]
fn virtual_files_are_read_with_their_sources_or_not_at_all() {
    let Some(folder) = case("virtual") else { return };
    let message = refuse(&folder.join("gadget_master/snap_010.hdf5"));
    assert!(message.contains("is missing") && message.contains(".hdf5 is missing"), "{message}");
    let whole = folder.join("whole");
    let names = ["", "flamingo_0077.hdf5", "flamingo_0077.0.hdf5", "flamingo_0077.1.hdf5"];
    let powers = names.map(|name| {
        let said = inspect(&whole.join(name));
        assert_eq!(count(&said, 1), 4096, "{name}");
        assert!(near(&said["box_size_mpc_h"], 25.0) && near(&said["mean_density_over_matter"], 1.0));
        printed_power(&whole.join(name))
    });
    // In another order the sums round differently.
    let alike = |power: &Vec<f64>| power.iter().zip(&powers[0]).all(|(a, b)| (a / b - 1.0).abs() < 1e-6);
    assert!(powers.iter().all(alike), "{powers:?}");
}

#[test]
fn the_reason_of_hdf5_is_told() {
    let Some(newer) = case("newer_hdf5/latest_chunked.hdf5") else { return };
    let message = refuse(&newer);
    assert!(message.contains("newer than HDF5 1.14") && !message.contains("no dataset"), "{message}");
}

#[test]
fn user_blocks_are_skipped() {
    let Some(folder) = case("user_block") else { return };
    let said = inspect(&folder.join("snap_userblock.hdf5"));
    assert_eq!(count(&said, 1), 4096);
    let said = inspect(&folder.join("density_v73.mat"));
    assert_eq!((said["voxels_per_axis"].as_u64(), near(&said["box_size_mpc_h"], 25.0)), (Some(16), true));
    assert!(printed_power(&folder.join("snap_userblock.hdf5"))[0] > 0.0);
}

#[test]
fn cosmology_and_units_are_found_under_any_spelling() {
    let Some(folder) = case("gizmo_header") else { return };
    for (name, omega_m) in [("snapshot_010.hdf5", 0.10), ("snapshot_025.hdf5", 0.25)] {
        let said = inspect(&folder.join(name));
        assert!(near(&said["cosmology"]["omega_m"], omega_m) && near(&said["box_size_mpc_h"], 25.0), "{said}");
        assert!(near(&said["cosmology"]["h"], 0.62) && near(&said["mean_density_over_matter"], 1.0));
        assert_eq!(said["format"], "GIZMO");
    }
    let said = inspect(&case("swift_without_code/f1.0_False.hdf5").unwrap());
    assert!(near(&said["box_size_mpc_h"], 25.0) && near(&said["mean_density_over_matter"], 1.0), "{said}");
    assert_eq!(said["format"], "SWIFT");
}

#[test]
fn grids_have_the_size_that_they_say() {
    let Some(folder) = case("grids") else { return };
    let said = inspect(&folder.join("coeval_z8.h5"));
    assert!(near(&said["box_size_mpc_h"], 300.0 * 0.6766) && near(&said["redshift"], 8.0), "{said}");
    assert_eq!(said["quantity"], "brightness_temperature");
    let said = inspect(&folder.join("nyx.h5"));
    assert!(near(&said["box_size_mpc_h"], 40.0) && near(&said["redshift"], 3.0), "{said}");
    assert!(near(&said["cosmology"]["h"], 0.675) && near(&said["cosmology"]["omega_m"], 0.31));
    let Opened::Grid(grid) = open_source(folder.join("nyx.h5")).unwrap() else { panic!("not a grid") };
    assert!(grid.quantity == Quantity::OnePlusDelta && grid.format.contains("dark_matter_density"));
    let said = inspect(&folder.join("big.h5"));
    assert!(near(&said["box_size_mpc_h"], 4000.0), "{said}");
}

#[test]
fn what_is_not_cosmological_is_refused() {
    let Some(folder) = case("not_cosmological") else { return };
    for (name, part) in [
        ("isolated_in_box.hdf5", "Omega0 is 0"),
        ("swift_isolated.hdf5", "Cosmological run is 0"),
        ("no_redshift_no_omega.hdf5", "no scale factor"),
    ] {
        let message = refuse(&folder.join(name));
        assert!(message.contains(part), "{name}: {message}");
    }
}

#[test]
fn times_that_are_no_scale_factors_are_told() {
    let Some(folder) = case("times") else { return };
    assert!(refuse(&folder.join("time_only_gyr.hdf5")).contains("Time is 5.9, which is no scale factor"));
    let said = inspect(&folder.join("time_is_gyr.hdf5"));
    assert!(near(&said["redshift"], 1.0) && notes(&said).contains("Time is 5.9"), "{said}");
}

#[test]
fn all_dark_matter_is_read() {
    let Some(folder) = case("several_species") else { return };
    for (name, types) in [("two_species.hdf5", [1, 2]), ("zoom_type2.hdf5", [1, 2]), ("zoom_type5.hdf5", [1, 5])] {
        let path = folder.join(name);
        let file = hdf5::File::open(&path).unwrap();
        let table = file.group("Header").unwrap().attr("MassTable").unwrap().read_raw::<f64>().unwrap();
        let mut particles = Vec::new();
        for t in types {
            let group = file.group(&format!("PartType{t}")).unwrap();
            let x = group.dataset("Coordinates").unwrap().read_2d::<f64>().unwrap();
            let masses = group.dataset("Masses").and_then(|d| d.read_raw::<f64>());
            let masses = masses.unwrap_or_else(|_| vec![table[t]; x.nrows()]);
            let rows = x.rows().into_iter().zip(masses);
            particles.extend(rows.map(|(x, m)| ([x[0] / 1e3, x[1] / 1e3, x[2] / 1e3], m)));
        }
        let expected = direct_power(&particles, 25.0);
        for (shell, (power, expected)) in printed_power(&path).iter().zip(expected).enumerate() {
            assert!((power / expected - 1.0).abs() < 0.01, "{name}, shell {shell}: {power} for {expected}");
        }
        assert!(near(&inspect(&path)["mean_density_over_matter"], 1.0));
    }
}

#[test]
fn masses_that_cannot_be_are_refused() {
    let Some(folder) = case("masses") else { return };
    assert!(refuse(&folder.join("grams.hdf5")).contains("Ωm ρc"));
    assert!(refuse(&folder.join("conflict.hdf5")).contains("MassTable"));
}

#[test]
fn absurd_arrays_and_damaged_filters_are_refused() {
    let Some(folder) = case("npy") else { return };
    for name in ["absurd_4194304.npy", "absurd_4294967296.npy", "absurd_index.npy", "structured.npy"] {
        refuse(&folder.join(name));
    }
    refuse(&PathBuf::from(format!("{}:{}", folder.join("absurd_index.npy").display(), 1u64 << 52)));
    for name in ["bit_3881.hdf5", "m6_0078_flip.hdf5"] {
        refuse(&case("damaged").unwrap().join(name));
    }
}

//! Kinds of faults in headers and storage, made up here.

use std::fs;
use std::path::{Path, PathBuf};

use halodi::io::{SnapshotHeader, SnapshotReader, Species};
use hdf5::{File, Group};

use super::{BOX, Masses, REDSHIFT, Recipe, SIDE, array, particle_mass, positions, refuse, scalar, succeed};
use crate::program::{alone, halodi, text};

/// A snapshot with `change` made to it.
fn changed(folder: &Path, name: &str, recipe: &Recipe, change: impl FnOnce(&File)) -> PathBuf {
    let path = folder.join(name);
    let all = positions();
    recipe.write_piece(&path, &all, 0, all.len());
    let _turn = alone();
    let file = File::open_rw(&path).unwrap();
    change(&file);
    file.close().unwrap();
    path
}

fn header(file: &File) -> Group {
    file.group("Header").unwrap()
}

fn rename(group: &Group, from: &str, to: &str) {
    let value = group.attr(from).unwrap().read_raw::<f64>().unwrap()[0];
    group.delete_attr(from).unwrap();
    scalar(group, to, value);
}

fn replace(group: &Group, name: &str, value: f64) {
    group.delete_attr(name).unwrap();
    scalar(group, name, value);
}

#[test]
fn cosmology_is_found_under_every_known_spelling() {
    let folder = tempfile::tempdir().unwrap();
    for (omega_m, omega_lambda, h) in [
        ("Omega_Matter", "Omega_Lambda", "HubbleParam"),
        ("OmegaMatter", "OmegaLambda", "h"),
        ("Omega_m", "Omega_lambda", "little_h"),
        ("omega_m", "omega_l", "hubble"),
        ("OMm", "OMl", "hlittle"),
        ("Om0", "Ode0", "HubbleParam"),
    ] {
        let path = changed(folder.path(), "a.hdf5", &Recipe::default(), |file| {
            let header = header(file);
            for (from, to) in [("Omega0", omega_m), ("OmegaLambda", omega_lambda), ("HubbleParam", h)] {
                if from != to {
                    rename(&header, from, to);
                }
            }
            header.attr(omega_m).unwrap().write_scalar(&0.2).unwrap();
            header.attr(omega_lambda).unwrap().write_scalar(&0.8).unwrap();
            header.attr(h).unwrap().write_scalar(&0.7).unwrap();
            // All of Ωm = 0.2.
            let mass = particle_mass() / 1e10 * 0.2 / 0.3;
            header.delete_attr("MassTable").unwrap();
            array(&header, "MassTable", &[0.0, mass, 0.0, 0.0, 0.0, 0.0]);
        });
        let header = SnapshotHeader::open(&path).unwrap();
        let c = header.cosmology;
        assert_eq!((c.omega_m, c.omega_lambda, c.h), (0.2, 0.8, 0.7), "{omega_m}");
        assert!((header.box_size - BOX).abs() < 1e-9);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn absent_zero_and_given_are_three_things() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, change: &dyn Fn(&Group)| {
        changed(folder.path(), name, &Recipe::default(), |file| change(&header(file)))
    };
    // ΩΛ = 0 is Einstein and de Sitter's universe, and no default.
    let open = at("open.hdf5", &|h| replace(h, "OmegaLambda", 0.0));
    assert_eq!(SnapshotHeader::open(&open).unwrap().cosmology.omega_lambda, 0.0);
    let absent = at("absent.hdf5", &|h| h.delete_attr("OmegaLambda").unwrap());
    let header = SnapshotHeader::open(&absent).unwrap();
    assert!((header.cosmology.omega_lambda - 0.7).abs() < 1e-12 && header.notes.iter().any(|n| n.contains("ΩΛ")));

    let refused = |name: &str, change: &dyn Fn(&Group), part: &str| {
        let message = refuse(&at(name, change));
        assert!(message.contains(part), "\"{part}\" is not in: {message}");
    };
    refused("zero.hdf5", &|h| replace(h, "Omega0", 0.0), "Omega0 is 0");
    refused("nan.hdf5", &|h| replace(h, "Omega0", f64::NAN), "Omega0 is NaN");
    refused("matterless.hdf5", &|h| h.delete_attr("Omega0").unwrap(), "does not give Ωm");
    refused("static.hdf5", &|h| scalar(h, "ComovingIntegrationOn", 0i32), "ComovingIntegrationOn is 0");
    refused("hubble.hdf5", &|h| replace(h, "HubbleParam", 0.0), "HubbleParam as 0");
    refused("future.hdf5", &|h| replace(h, "Redshift", -0.5), "Redshift as -0.5");
    refused(
        "timeless.hdf5",
        &|h| {
            h.delete_attr("Redshift").unwrap();
            h.delete_attr("Time").unwrap();
        },
        "neither a redshift nor a scale factor",
    );
    refused(
        "age.hdf5",
        &|h| {
            h.delete_attr("Redshift").unwrap();
            replace(h, "Time", 13.7);
        },
        "no scale factor",
    );
    // z = -1e-16 is zero, rounded.
    let today = at("today.hdf5", &|h| {
        replace(h, "Redshift", -1e-16);
        replace(h, "Time", 1.0);
    });
    assert_eq!(SnapshotHeader::open(&today).unwrap().redshift, 0.0);
    let torn = at("torn.hdf5", &|h| replace(h, "Time", 0.9));
    let header = SnapshotHeader::open(&torn).unwrap();
    assert!(
        header.redshift == REDSHIFT && header.notes.iter().any(|n| n.contains("Time is 0.9")),
        "{:?}",
        header.notes
    );
}

#[test]
fn a_unit_that_contradicts_the_density_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let declare = |name: &str, cm: f64| {
        changed(folder.path(), name, &Recipe::default(), |file| {
            let header = header(file);
            scalar(&header, "UnitLength_In_CGS", cm);
            scalar(&header, "UnitMass_In_CGS", 1.989e43);
        })
    };
    let right = SnapshotHeader::open(declare("right.hdf5", 3.085678e21)).unwrap();
    assert!((right.box_size - BOX).abs() < 1e-6 && right.notes.iter().any(|n| n.contains("attributes say")));
    let wrong = SnapshotHeader::open(declare("wrong.hdf5", 3.085678e24)).unwrap();
    assert!((wrong.box_size - BOX).abs() < 1e-6 && wrong.notes.iter().any(|n| n.contains("contradict")));
    // Nothing that is known makes sense of it.
    let absurd = changed(folder.path(), "absurd.hdf5", &Recipe { mass: 1e-20, ..Recipe::default() }, |_| ());
    assert!(refuse(&absurd).contains("Ωm ρc"));
}

/// A snapshot that lacks half of its mass, in units that are declared.
pub(crate) fn half_of_the_matter(folder: &Path) -> PathBuf {
    changed(folder, "half.hdf5", &Recipe { mass: 2e10, ..Recipe::default() }, |file| {
        let header = header(file);
        scalar(&header, "UnitLength_in_cm", 3.085678e21);
        scalar(&header, "UnitMass_in_g", 1.989e43);
    })
}

#[test]
fn a_part_of_the_matter_needs_consent() {
    let folder = tempfile::tempdir().unwrap();
    let path = half_of_the_matter(folder.path());
    let message = refuse(&path);
    assert!(message.contains("50.0 % of Ωm") && message.contains("(--species 1)"), "{message}");
    let path = path.to_str().unwrap();
    let said = succeed(&["inspect", path]);
    assert!(said.contains("50.0 % of Ωm") && said.contains("20 Mpc/h"), "{said}");
    let output = halodi(&["spectrum", path, "--species", "1", "--grid", "16"]);
    assert!(output.status.success() && text(&output.stderr).contains("as was asked for"), "{}", text(&output.stderr));
    let output = halodi(&["spectrum", path, "--species", "3", "--grid", "16"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("no PartType3"));
}

#[test]
fn light_particles_beside_dark_matter_are_neutrinos() {
    let folder = tempfile::tempdir().unwrap();
    let path = changed(folder.path(), "nu.hdf5", &Recipe::default(), |file| {
        let header = header(file);
        for name in ["NumPart_ThisFile", "NumPart_Total", "MassTable"] {
            header.delete_attr(name).unwrap();
        }
        let count = SIDE.pow(3) as u32;
        array(&header, "NumPart_ThisFile", &[0, count, count, 0, 0, 0]);
        array(&header, "NumPart_Total", &[0, count, count, 0, 0, 0]);
        let mass = particle_mass() / 1e10;
        array(&header, "MassTable", &[0.0, 0.985 * mass, 0.015 * mass, 0.0, 0.0, 0.0]);
        let group = file.create_group("PartType2").unwrap();
        let rows: Vec<[f64; 3]> = positions().iter().map(|p| p.map(|x| x * 1e3)).collect();
        Recipe::default().dataset(&group, "Coordinates", &rows);
    });
    let reader = SnapshotReader::open(&path).unwrap();
    assert_eq!(reader.header().species[1..3], [Species::DarkMatter, Species::Neutrinos]);
    assert_eq!(reader.header().dark_matter_count(), SIDE.pow(3) as u64);
    assert!(reader.consent().is_none() && reader.header().notes.iter().any(|n| n.contains("neutrinos")));
}

#[test]
fn values_that_are_not_in_the_file_are_not_zero() {
    let folder = tempfile::tempdir().unwrap();
    let rows = SIDE.pow(3);
    let swap = |name: &str, create: &dyn Fn(&Group)| {
        changed(folder.path(), name, &Recipe::default(), |file| {
            let group = file.group("PartType1").unwrap();
            group.unlink("Coordinates").unwrap();
            create(&group);
        })
    };
    let unwritten = swap("unwritten.hdf5", &|group| {
        group.new_dataset::<f32>().shape((rows, 3)).create("Coordinates").unwrap();
    });
    assert!(refuse(&unwritten).contains("none of which were written"));
    let chunked = swap("chunked.hdf5", &|group| {
        group.new_dataset::<f32>().chunk((100, 3)).shape((rows, 3)).create("Coordinates").unwrap();
    });
    assert!(refuse(&chunked).contains("0 of which were written"));
    let some = swap("some.hdf5", &|group| {
        let dataset = group.new_dataset::<f32>().chunk((100, 3)).shape((rows, 3)).create("Coordinates").unwrap();
        dataset.write_slice(&ndarray::Array2::<f32>::ones((100, 3)), (0..100, ..)).unwrap();
    });
    assert!(refuse(&some).contains("1 of which were written"));
    let gone = folder.path().join("gone.bin");
    let external = swap("external.hdf5", &|group| {
        let builder = group.new_dataset::<f32>().external(gone.to_str().unwrap(), 0, rows * 12);
        builder.shape((rows, 3)).create("Coordinates").unwrap();
    });
    assert!(refuse(&external).contains("gone.bin, which is missing"));
    fs::write(&gone, [0; 100]).unwrap();
    assert!(refuse(&external).contains("100 of 6144 bytes"));
    let link = swap("link.hdf5", &|group| {
        group.link_external("elsewhere.hdf5", "/Coordinates", "Coordinates").unwrap();
    });
    assert!(refuse(&link).contains("another file"), "{}", refuse(&link));
}

#[test]
fn filters_are_told_by_name_and_damaged_chunks_from_them() {
    let folder = tempfile::tempdir().unwrap();
    let gzip = changed(
        folder.path(),
        "gzip.hdf5",
        &Recipe { compression: super::Compression::Gzip, ..Recipe::default() },
        |_| (),
    );
    // The last bytes of the file are those of the last dataset; find the first chunk.
    let file = File::open(&gzip).unwrap();
    let chunk = file.dataset("PartType1/Coordinates").unwrap().chunk_info(0).unwrap();
    drop(file);
    let mut bytes = fs::read(&gzip).unwrap();
    bytes[chunk.addr as usize + chunk.size as usize / 2] ^= 0x55;
    fs::write(&gzip, bytes).unwrap();
    let message = refuse(&gzip);
    assert!(message.contains("piece of") && message.contains("damaged") && !message.contains("filter"), "{message}");

    // A filter that nobody has: its number in place of gzip's, in the file itself.
    let plain = changed(
        folder.path(),
        "lz4.hdf5",
        &Recipe { compression: super::Compression::Gzip, ..Recipe::default() },
        |_| (),
    );
    let mut bytes = fs::read(&plain).unwrap();
    let pipeline: Vec<u8> = [1u16, 8, 1, 1].iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut spots = 0;
    for at in 0..bytes.len() - pipeline.len() {
        if bytes[at..].starts_with(&pipeline) && bytes[at + 8..].starts_with(b"deflate\0") {
            bytes[at..at + 2].copy_from_slice(&32004u16.to_le_bytes());
            spots += 1;
        }
    }
    assert!(spots > 0);
    fs::write(&plain, bytes).unwrap();
    let message = refuse(&plain);
    assert!(message.contains("LZ4 (number 32004)") && message.contains("h5repack"), "{message}");
}

#[test]
fn names_that_are_not_utf8_are_told_as_such() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe::default().write(folder.path());
    let odd = folder.path().join(std::ffi::OsStr::from_bytes(b"snap_\xff.hdf5"));
    fs::rename(path, &odd).unwrap();
    let error = SnapshotReader::open(&odd).unwrap_err().to_string();
    assert!(error.contains("not valid UTF-8"), "{error}");
}

#[test]
fn masses_of_particles_and_of_the_table_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let both = |name: &str, factor: f64| {
        changed(folder.path(), name, &Recipe { masses: Masses::Dataset, ..Recipe::default() }, |file| {
            let header = header(file);
            header.delete_attr("MassTable").unwrap();
            array(&header, "MassTable", &[0.0, factor * particle_mass() / 1e10, 0.0, 0.0, 0.0, 0.0]);
        })
    };
    assert!(SnapshotReader::open(both("same.hdf5", 1.0)).is_ok());
    assert!(refuse(&both("other.hdf5", 0.5)).contains("MassTable"));
}

#[test]
fn what_does_not_fit_into_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe::default().write(folder.path());
    let path = path.to_str().unwrap();
    let output = halodi(&["spectrum", path, "--grid", "4096"]);
    let message = text(&output.stderr);
    assert!(output.status.code() == Some(2) && message.contains("of memory"), "{message}");
    // A sparse file of two terabytes.
    let large = folder.path().join("large.npy");
    super::npy(&large, "<f4", &[8192, 8192, 8192], &[]);
    fs::File::options().write(true).open(&large).unwrap().set_len(128 + 4 * 8192u64.pow(3)).unwrap();
    let message = refuse(&large);
    assert!(message.contains("of memory"), "{message}");
    // A look at it does not read it.
    let begun = std::time::Instant::now();
    let said = succeed(&["inspect", large.to_str().unwrap()]);
    assert!(said.contains("8192³") && said.contains("3 planes"), "{said}");
    assert!(begun.elapsed().as_secs_f64() < 15.0);
}

#[test]
fn names_in_a_file_that_are_not_utf8_are_no_danger() {
    let folder = tempfile::tempdir().unwrap();
    let path = changed(folder.path(), "a.hdf5", &Recipe::default(), |file| {
        scalar(&header(file), "Author_name", 1.0);
    });
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|window| window == b"Author_name").unwrap();
    // What begins a letter of four bytes, at the very end.
    bytes[at + 6] = 0xf0;
    bytes[at + 10] = 0xf0;
    fs::write(&path, bytes).unwrap();
    assert_eq!(SnapshotHeader::open(&path).unwrap().counts[1], SIDE.pow(3) as u64);
}

#[test]
fn results_that_are_no_numbers_are_not_written() {
    use halodi::field::{Cosmology, Grid, Layer};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.hdf5");
    let mut grid = Grid::zeros(4, 25.0);
    grid.as_slice_mut()[5] = f32::NAN;
    let header =
        halodi::io::MapHeader { redshift: 1.0, cosmology: Cosmology::default(), provenance: serde_json::Value::Null };
    let error = halodi::io::write_map(&path, &header, &[(Layer::DarkMatter, &grid)]).unwrap_err();
    assert!(error.to_string().contains("1 of the 64 voxels of the layer dark_matter"), "{error}");
    assert!(error.exit_code() == 1 && !path.exists());
}

//! The program on real and made-up files: every format it opens, and one clear
//! sentence for every file it cannot.

mod cases;
mod faults;
mod formats;
mod kinds;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halodi::field::Layer;
use halodi::field::{Cosmology, Grid, MassAssignment, RHO_CRITICAL};
use halodi::figure::Format;
use halodi::io::{
    MapHeader, Opened, Properties, Quantity, Snapshot, SnapshotHeader, SnapshotReader, open_source, read_particles,
    write_map,
};
use halodi::pipeline::Series;
use halodi::report::FigureFiles;
use halodi::stats::power_spectrum;
use hdf5::types::VarLenUnicode;
use hdf5::{File, Group, H5Type};
use proptest::prelude::*;

pub(crate) use kinds::half_of_the_matter;

use crate::program::{alone, halodi, start, text};

const SIDE: usize = 8;
const BOX: f64 = 20.0; // Mpc/h
const REDSHIFT: f64 = 1.0;

/// Standard output of a run that must succeed.
fn succeed(arguments: &[&str]) -> String {
    let output = halodi(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.lines().all(|line| line.starts_with("Note: ")), "{arguments:?} wrote to standard error: {said}");
    text(&output.stdout)
}

/// The sentence of a run that must fail with exit code 2 and nothing but it,
/// after the notes on the file.
fn refuse(path: &Path) -> String {
    let output = halodi(&["spectrum", path.to_str().unwrap()]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{}: {said}", path.display());
    let sentences: Vec<&str> = said.lines().filter(|line| !line.starts_with("Note: ")).collect();
    assert_eq!(sentences.len(), 1, "not one sentence: {said}");
    let message = sentences[0].to_owned();
    assert!(output.stdout.is_empty() && message.starts_with("halodi: "), "{message}");
    assert!(
        message.contains("expected") && !message.contains("HDF5-DIAG") && !message.contains("panicked"),
        "{message}"
    );
    message
}

fn real(name: &str) -> Option<PathBuf> {
    shared(&format!("data/{name}"))
}

/// A file that is kept beside the repository, where there is one.
fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../shared", "../../shared"].into_iter().map(|folder| root.join(folder).join(name)).find(|path| path.exists())
}

/// How a made-up snapshot is written.
#[derive(Debug, Clone)]
struct Recipe {
    /// Mpc/h per length unit of the file.
    length: f64,
    /// M☉/h per mass unit of the file.
    mass: f64,
    double: bool,
    masses: Masses,
    attributes: Shape,
    compression: Compression,
    swift: bool,
    files: usize,
    cosmology_in: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Masses {
    Table,
    ShortTable,
    Dataset,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Scalar,
    LengthOne,
    Vector,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Compression {
    None,
    Gzip,
    BloscZstd,
    Lzf,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            length: 1e-3,
            mass: 1e10,
            double: false,
            masses: Masses::Table,
            attributes: Shape::Scalar,
            compression: Compression::None,
            swift: false,
            files: 1,
            cosmology_in: "Header",
        }
    }
}

/// Positions in Mpc/h: a lattice, displaced; the first one on the far face.
fn positions() -> Vec<[f64; 3]> {
    let step = BOX / SIDE as f64;
    (0..SIDE.pow(3))
        .map(|i| {
            let cell = [i / SIDE / SIDE, i / SIDE % SIDE, i % SIDE];
            if i == 0 {
                [BOX, 0.0, BOX]
            } else {
                cell.map(|c| (c as f64 + 0.3 * ((i * 7 + c) as f64).sin().abs()) * step)
            }
        })
        .collect()
}

/// Mass of one of the particles in M☉/h: all of Ωm ρc.
fn particle_mass() -> f64 {
    Cosmology::default().mean_matter_density() * BOX.powi(3) / SIDE.pow(3) as f64
}

fn scalar<T: H5Type>(group: &Group, name: &str, value: T) {
    group.new_attr::<T>().create(name).unwrap().write_scalar(&value).unwrap();
}

fn array<T: H5Type>(group: &Group, name: &str, values: &[T]) {
    group.new_attr_builder().with_data(values).create(name).unwrap();
}

impl Recipe {
    fn number(&self, group: &Group, name: &str, value: f64) {
        match self.attributes {
            Shape::Scalar => scalar(group, name, value),
            Shape::LengthOne => array(group, name, &[value]),
            Shape::Vector => array(group, name, &[value; 3]),
        }
    }

    fn dataset(&self, group: &Group, name: &str, rows: &[[f64; 3]]) {
        let count = rows.len();
        let builder = match self.compression {
            Compression::None => group.new_dataset_builder(),
            Compression::Gzip => group.new_dataset_builder().chunk((100, 3)).shuffle().deflate(4),
            Compression::BloscZstd => group.new_dataset_builder().chunk((100, 3)).blosc_zstd(5, true),
            Compression::Lzf => group.new_dataset_builder().chunk((100, 3)).lzf(),
        };
        let flat = rows.iter().flatten().copied();
        if self.double {
            let values = ndarray::Array2::from_shape_vec((count, 3), flat.collect()).unwrap();
            builder.with_data(values.view()).create(name).unwrap();
        } else {
            let values = ndarray::Array2::from_shape_vec((count, 3), flat.map(|v| v as f32).collect()).unwrap();
            builder.with_data(values.view()).create(name).unwrap();
        }
    }

    /// Write the snapshot into `folder`; the path of its (first) file.
    fn write(&self, folder: &Path) -> PathBuf {
        let all = positions();
        let per_file = all.len().div_ceil(self.files);
        let name = |i: usize| match self.files {
            1 => folder.join("snap_090.hdf5"),
            _ => folder.join(format!("snap_090.{i}.hdf5")),
        };
        for (i, piece) in all.chunks(per_file).enumerate() {
            self.write_piece(&name(i), piece, i * per_file, all.len());
        }
        name(0)
    }

    fn write_piece(&self, path: &Path, piece: &[[f64; 3]], first: usize, total: usize) {
        let _turn = alone();
        let file = File::create(path).unwrap();
        let header = file.create_group("Header").unwrap();
        self.number(&header, "BoxSize", BOX / self.length);
        let single = Recipe { attributes: if self.swift { Shape::LengthOne } else { Shape::Scalar }, ..self.clone() };
        single.number(&header, "Redshift", REDSHIFT);
        single.number(&header, "Time", 1.0 / (1.0 + REDSHIFT));
        array(&header, "NumPart_ThisFile", &[0u64, piece.len() as u64, 0, 0, 0, 0]);
        array(&header, "NumPart_Total", &[0u32, total as u32, 0, 0, 0, 0]);
        array(&header, "NumPart_Total_HighWord", &[0u32; 6]);
        scalar(&header, "NumFilesPerSnapshot", self.files as i32);
        let mass = particle_mass() / self.mass;
        match self.masses {
            Masses::Table => array(&header, "MassTable", &[0.0, mass, 0.0, 0.0, 0.0, 0.0]),
            Masses::ShortTable => array(&header, "MassTable", &[0.0, mass]),
            Masses::Dataset => array(&header, "MassTable", &[0.0; 6]),
        }
        let c = Cosmology::default();
        let place = match self.cosmology_in {
            "Header" => header.clone(),
            other => file.create_group(other).unwrap(),
        };
        let names =
            if self.swift { ["Omega_m", "Omega_lambda", "h"] } else { ["Omega0", "OmegaLambda", "HubbleParam"] };
        for (name, value) in names.into_iter().zip([c.omega_m, c.omega_lambda, c.h]) {
            single.number(&place, name, value);
        }
        if self.swift {
            let code: VarLenUnicode = "SWIFT".parse().unwrap();
            scalar(&header, "Code", code);
            let units = file.create_group("Units").unwrap();
            array(&units, "Unit length in cgs (U_L)", &[3.085_677_58e24]);
            array(&units, "Unit mass in cgs (U_M)", &[1.98841e43]);
            array(&units, "Unit time in cgs (U_t)", &[3.085_677_58e19]);
        }
        let particles = file.create_group("PartType1").unwrap();
        let scaled: Vec<[f64; 3]> = piece.iter().map(|p| p.map(|x| x / self.length)).collect();
        self.dataset(&particles, "Coordinates", &scaled);
        self.dataset(&particles, "Velocities", &vec![[100.0, -50.0, 0.0]; piece.len()]);
        let ids: Vec<u32> = (first..first + piece.len()).map(|i| i as u32 + 1).collect();
        particles.new_dataset_builder().with_data(&ids).create("ParticleIDs").unwrap();
        if self.masses == Masses::Dataset {
            let masses = vec![mass as f32; piece.len()];
            particles.new_dataset_builder().with_data(&masses).create("Masses").unwrap();
        }
        file.close().unwrap();
    }
}

/// Check that a snapshot came out as the recipe put it in.
fn check(path: &Path, recipe: &Recipe) {
    let snapshot = Snapshot::open(path).unwrap();
    let header = &snapshot.header;
    assert!((header.box_size / BOX - 1.0).abs() < 1e-6, "box {} ({:?})", header.box_size, header.notes);
    assert!((header.redshift - REDSHIFT).abs() < 1e-12);
    assert_eq!(header.counts[1], SIDE.pow(3) as u64);
    assert_eq!(header.cosmology, Cosmology::default());
    assert_eq!(header.files.len(), recipe.files);
    let particles = &snapshot.dark_matter;
    assert!((particles.total_mass() / particle_mass() / SIDE.pow(3) as f64 - 1.0).abs() < 2e-3);
    for (read, wrote) in particles.positions.iter().zip(positions()) {
        for (&r, w) in read.iter().zip(wrote) {
            assert!((0.0..BOX).contains(&f64::from(r)));
            let apart = (f64::from(r) - w).abs();
            assert!(apart.min(BOX - apart) < 1e-4, "{r} for {w}");
        }
    }
    let full = read_particles(path, 1, Properties { velocities: true, ids: true }).unwrap();
    let factor = if recipe.swift { 1.0 } else { (1.0 / (1.0 + REDSHIFT)).sqrt() };
    assert!((f64::from(full.velocities[3][0]) / (100.0 * factor) - 1.0).abs() < 1e-3, "{:?}", full.velocities[3]);
    assert_eq!(full.ids, (1..=SIDE.pow(3) as u64).collect::<Vec<_>>());
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let h = Cosmology::default().h;
    let units = prop::sample::select(vec![(1e-3, 1e10), (1.0, 1e10)]);
    let masses = prop::sample::select(vec![Masses::Table, Masses::ShortTable, Masses::Dataset]);
    let shapes = prop::sample::select(vec![Shape::Scalar, Shape::LengthOne, Shape::Vector]);
    let compression =
        prop::sample::select(vec![Compression::None, Compression::Gzip, Compression::BloscZstd, Compression::Lzf]);
    let place = prop::sample::select(vec!["Header", "Parameters", "Cosmology"]);
    (units, masses, shapes, compression, place, any::<bool>(), any::<bool>(), 1usize..4).prop_map(
        move |((length, mass), masses, attributes, compression, place, double, swift, files)| {
            if swift {
                let (length, mass) = (h, 1e10 * h);
                return Recipe {
                    length,
                    mass,
                    masses: Masses::Dataset,
                    attributes: Shape::Vector,
                    cosmology_in: "Cosmology",
                    files: 1,
                    compression,
                    double,
                    swift,
                };
            }
            Recipe { length, mass, double, masses, attributes, compression, swift, files, cosmology_in: place }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_snapshot_reads_the_same_however_it_is_written(recipe in recipes()) {
        let folder = tempfile::tempdir().unwrap();
        let path = recipe.write(folder.path());
        check(&path, &recipe);
        check(folder.path(), &recipe);
    }
}

#[test]
fn a_snapshot_opens_by_any_of_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { files: 3, ..Recipe::default() };
    recipe.write(folder.path());
    for name in ["snap_090.0.hdf5", "snap_090.2.hdf5", "snap_090", ""] {
        check(&folder.path().join(name), &recipe);
    }
}

#[test]
fn a_single_file_that_claims_eight_opens_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["whole.hdf5", "whole.0.hdf5"] {
        let path = folder.path().join(name);
        let all = positions();
        Recipe { files: 8, ..Recipe::default() }.write_piece(&path, &all, 0, all.len());
        let header = SnapshotHeader::open(&path).unwrap();
        assert!(header.notes.iter().any(|n| n.contains("counts 8 files")), "{:?}", header.notes);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn inspect_and_spectrum_speak_of_a_made_up_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe { length: 1.0, ..Recipe::default() }.write(folder.path());
    let path = path.to_str().unwrap();
    let said = succeed(&["inspect", path]);
    for part in ["20 Mpc/h", "512 = 8³ dark matter", "Lengths are in Mpc/h", "1.000", "32³ suggested"] {
        assert!(said.contains(part), "{part} missing in\n{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&succeed(&["inspect", path, "--json"])).unwrap();
    assert_eq!(json["kind"], "snapshot");
    assert!((json["mean_density_over_matter"].as_f64().unwrap() - 1.0).abs() < 1e-6);

    let csv = succeed(&["spectrum", path, "--grid", "16", "--csv"]);
    assert!(csv.contains("k_h_mpc,modes,p_") && csv.lines().count() > 10);
    let crossed: serde_json::Value =
        serde_json::from_str(&succeed(&["spectrum", path, "--cross", path, "--grid", "16", "--json"])).unwrap();
    for r in crossed["cross"]["correlation"].as_array().unwrap() {
        assert!((r.as_f64().unwrap() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe::default().write(folder.path());
    let mut child = start(&["spectrum", path.to_str().unwrap(), "--grid", "512", "--json"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.lines().all(|line| line.starts_with("Note: ")), "{said}");
}

#[test]
fn every_bad_file_gets_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let says = |path: &Path, part: &str| {
        let message = refuse(path);
        assert!(message.contains(part), "\"{part}\" is not in: {message}");
    };
    /// A snapshot with one thing changed.
    fn spoiled(folder: &Path, name: &str, spoil: impl FnOnce(&File)) -> PathBuf {
        let path = folder.join(name);
        let all = positions();
        Recipe { masses: Masses::Dataset, ..Recipe::default() }.write_piece(&path, &all, 0, all.len());
        let _turn = alone();
        let file = File::open_rw(&path).unwrap();
        spoil(&file);
        file.close().unwrap();
        path
    }
    fn set<T: H5Type + Clone>(file: &File, dataset: &str, index: usize, value: T) {
        let dataset = file.dataset(dataset).unwrap();
        if dataset.ndim() == 2 {
            dataset.write_slice(ndarray::arr1(&[value]).view(), (index, 1..2)).unwrap();
        } else {
            dataset.write_slice(ndarray::arr1(&[value]).view(), index..index + 1).unwrap();
        }
    }

    says(&at("absent.hdf5"), "no such file");
    fs::create_dir(at("empty")).unwrap();
    says(&at("empty"), "holds no snapshot");
    // A folder in the place of a file stands for every other reason not to read.
    fs::create_dir(at("folder.hdf5")).unwrap();
    says(&at("folder.hdf5"), "holds no snapshot");
    fs::write(at("nothing.hdf5"), "").unwrap();
    says(&at("nothing.hdf5"), "is empty");
    fs::write(at("text.hdf5"), "these are not the bytes you are looking for").unwrap();
    says(&at("text.hdf5"), "not an HDF5 file");

    let whole = Recipe::default().write(folder.path());
    let bytes = fs::read(&whole).unwrap();
    fs::remove_file(&whole).unwrap();
    for (name, keep) in [("cut1.hdf5", bytes.len() / 2), ("cut2.hdf5", 60), ("cut3.hdf5", bytes.len() - 10)] {
        fs::write(at(name), &bytes[..keep]).unwrap();
        says(&at(name), "HDF5 file is");
    }

    {
        let _turn = alone();
        File::create(at("hollow.hdf5")).unwrap().close().unwrap();
    }
    says(&at("hollow.hdf5"), "neither a group Header");
    says(&spoiled(folder.path(), "headless.hdf5", |f| f.unlink("Header").unwrap()), "neither a group Header");
    says(&spoiled(folder.path(), "bare.hdf5", |f| f.unlink("PartType1").unwrap()), "has no positions");
    says(
        &spoiled(folder.path(), "gas.hdf5", |f| {
            let header = f.group("Header").unwrap();
            for name in ["NumPart_ThisFile", "NumPart_Total"] {
                header.delete_attr(name).unwrap();
                array(&header, name, &[SIDE.pow(3) as u64, 0, 0, 0, 0, 0]);
            }
            f.relink("PartType1", "PartType0").unwrap();
        }),
        "no PartType1",
    );
    says(
        &spoiled(folder.path(), "zero.hdf5", |f| {
            let header = f.group("Header").unwrap();
            for name in ["NumPart_ThisFile", "NumPart_Total"] {
                header.delete_attr(name).unwrap();
                array(&header, name, &[0u64; 6]);
            }
            f.unlink("PartType1").unwrap();
        }),
        "no particles",
    );
    says(
        &spoiled(folder.path(), "fewer.hdf5", |f| {
            let header = f.group("Header").unwrap();
            header.delete_attr("NumPart_ThisFile").unwrap();
            array(&header, "NumPart_ThisFile", &[0u64, 600, 0, 0, 0, 0]);
        }),
        "the header counts 600",
    );
    says(
        &spoiled(folder.path(), "boxless.hdf5", |f| f.group("Header").unwrap().delete_attr("BoxSize").unwrap()),
        "no BoxSize",
    );
    let coordinates = "PartType1/Coordinates";
    says(&spoiled(folder.path(), "nan.hdf5", |f| set(f, coordinates, 5, f32::NAN)), "NaN");
    says(&spoiled(folder.path(), "inf.hdf5", |f| set(f, coordinates, 5, f32::INFINITY)), "inf");
    says(&spoiled(folder.path(), "far.hdf5", |f| set(f, coordinates, 5, 30_000f32)), "outside the box");
    says(&spoiled(folder.path(), "negative.hdf5", |f| set(f, "PartType1/Masses", 5, -1f32)), "a mass of -1");
    says(&spoiled(folder.path(), "nanmass.hdf5", |f| set(f, "PartType1/Masses", 5, f32::NAN)), "a mass of NaN");
    says(&spoiled(folder.path(), "massless.hdf5", |f| f.unlink("PartType1/Masses").unwrap()), "no Masses");
    says(
        &spoiled(folder.path(), "groups.hdf5", |f| scalar(&f.group("Header").unwrap(), "Ngroups_Total", 3u32)),
        "catalogue of groups",
    );

    let pieces = at("pieces");
    fs::create_dir(&pieces).unwrap();
    Recipe { files: 3, ..Recipe::default() }.write(&pieces);
    fs::remove_file(pieces.join("snap_090.1.hdf5")).unwrap();
    says(&pieces.join("snap_090.0.hdf5"), "snap_090.1.hdf5 of 3 is missing");
    fs::remove_file(pieces.join("snap_090.2.hdf5")).unwrap();
    says(&pieces, "snap_090.1.hdf5 of 3 is missing");

    says(&npy(&at("flat.npy"), "<f4", &[4, 4], &[0; 64]), "shape [4, 4]");
    says(&npy(&at("oblong.npy"), "<f4", &[4, 4, 2], &[0; 128]), "shape [4, 4, 2]");
    says(&npy(&at("whole.npy"), "<i8", &[2, 2, 2], &[0; 64]), "type <i8");
    says(&npy(&at("short.npy"), "<f4", &[4, 4, 4], &[0; 100]), "ends before");
    says(&npy(&at("nan.npy"), "<f4", &[2, 2, 2], &f32::NAN.to_le_bytes().repeat(8)), "voxel [0, 0, 0] is NaN");
    fs::write(at("broken.npy"), b"\x93NUMPY\x01\x00\x04\x00oops").unwrap();
    says(&at("broken.npy"), "no header");
}

#[test]
fn an_unreadable_file_gets_one_sentence() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe::default().write(folder.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // An administrator may read everything; there is nothing to refuse then.
    if fs::File::open(&path).is_err() {
        assert!(refuse(&path).contains("may not be read"));
    }
}

/// Write a version-1 `.npy` file.
fn npy(path: &Path, dtype: &str, shape: &[usize], data: &[u8]) -> PathBuf {
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({},), }}", shape.join(", "));
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(path, bytes).unwrap();
    path.to_path_buf()
}

#[test]
fn camels_multifield_grids_open_with_their_redshift_and_pair_up() {
    let folder = tempfile::tempdir().unwrap();
    let n = 8usize;
    let density = |simulation: usize, i: usize| (1e10 * (2.0 + simulation as f64 + (i as f64).sin())) as f32;
    let data: Vec<u8> = (0..3).flat_map(|s| (0..n.pow(3)).flat_map(move |i| density(s, i).to_le_bytes())).collect();
    let matter = npy(&folder.path().join("Grids_Mtot_Nbody_IllustrisTNG_CV_8_z=0.50.npy"), "<f4", &[3, n, n, n], &data);
    let picked = PathBuf::from(format!("{}:2", matter.display()));
    let Opened::Grid(file) = open_source(&picked).unwrap() else { panic!("not a grid") };
    assert_eq!((file.redshift, file.grid.box_size, &file.quantity), (0.5, 25.0, &Quantity::MatterDensity));
    assert_eq!(file.grid.as_slice()[7], density(2, 7));
    assert!((file.one_plus_delta().unwrap().mean() - 1.0).abs() < 1e-6);
    assert!(file.notes.iter().any(|note| note.contains("25 Mpc/h")));

    let hydrogen = npy(&folder.path().join("Grids_HI_IllustrisTNG_CV_8_z=0.50.npy"), "<f4", &[3, n, n, n], &data);
    let Opened::Grid(file) = open_source(&hydrogen).unwrap() else { panic!("not a grid") };
    let expected = 218.1 * f64::from(density(0, 7)) / RHO_CRITICAL;
    assert!((f64::from(file.brightness_temperature().unwrap().as_slice()[7]) / expected - 1.0).abs() < 1e-3);
    assert!(file.one_plus_delta().is_err());

    let json = succeed(&["spectrum", picked.to_str().unwrap(), "--cross", hydrogen.to_str().unwrap(), "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["cross"]["correlation"].as_array().unwrap().len(), json["spectrum"]["k"].as_array().unwrap().len());
    assert!(refuse(&PathBuf::from(format!("{}:3", matter.display()))).contains("cube 3 was asked for, it holds 3"));
    assert!(refuse(&PathBuf::from(format!("{}:first", matter.display()))).contains("\"first\""));
}

#[test]
fn maps_and_other_hdf5_grids_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.hdf5");
    let grid =
        Grid { values: ndarray::Array3::from_shape_fn((8, 8, 8), |(x, y, z)| (x + y * z) as f32), box_size: 12.5 };
    let header =
        MapHeader { redshift: 2.0, cosmology: Cosmology::default(), provenance: serde_json::json!({ "seed": 1 }) };
    {
        let _turn = alone();
        write_map(&path, &header, &[(Layer::BrightnessTemperature, &grid), (Layer::DarkMatter, &grid)]).unwrap();
    }
    let said = succeed(&["inspect", path.to_str().unwrap()]);
    for part in ["Halodi map", "12.5 Mpc/h", "mK", "2.0000", "\"seed\":1"] {
        assert!(said.contains(part), "{part} missing in\n{said}");
    }
    let named = format!("{}:dark_matter", path.display());
    assert!(succeed(&["inspect", &named]).contains("1+δ"));
    assert!(refuse(Path::new(&format!("{}:gas", path.display()))).contains("no layer gas"));

    let path = folder.path().join("grid.hdf5");
    let turn = alone();
    let file = File::create(&path).unwrap();
    scalar(&file, "BoxSize", 50.0);
    file.create_group("fields").unwrap().new_dataset_builder().with_data(grid.values.view()).create("rho").unwrap();
    file.close().unwrap();
    drop(turn);
    let Opened::Grid(opened) = open_source(&path).unwrap() else { panic!("not a grid") };
    assert_eq!((opened.grid.box_size, opened.grid.n()), (50.0, 8));
}

#[test]
fn the_real_gadget_snapshots_are_what_their_readme_says() {
    for (name, z) in [("gadget4_dm64_L12p5_z1.hdf5", 1.0), ("gadget4_dm64_L12p5_z3.hdf5", 2.9936)] {
        let Some(path) = real(name) else { return };
        let snapshot = Snapshot::open(&path).unwrap();
        assert!((snapshot.header.box_size - 12.5).abs() < 1e-9 && (snapshot.header.redshift - z).abs() < 1e-3);
        assert_eq!((snapshot.header.format.as_str(), snapshot.dark_matter.len()), ("GADGET-4", 64usize.pow(3)));
        assert_eq!((snapshot.header.suggested_grid(), snapshot.header.cosmology), (64, Cosmology::default()));
        let density = snapshot.dark_matter.total_mass() / 12.5f64.powi(3);
        assert!((density / snapshot.header.cosmology.mean_matter_density() - 1.0).abs() < 1e-3);
        assert!(succeed(&["inspect", path.to_str().unwrap()]).contains("64³ dark matter"));
    }
    let catalogue = real("gadget4_dm64_L12p5_z1_fof.hdf5").unwrap();
    assert!(succeed(&["inspect", catalogue.to_str().unwrap()]).contains("591 groups"));
    assert!(refuse(&catalogue).contains("not a snapshot"));
}

#[test]
fn the_real_arepo_snapshot_gives_its_gas() {
    let Some(path) = real("arepo_hydro32_L25_z2.hdf5") else { return };
    let reader = SnapshotReader::open(&path).unwrap();
    assert_eq!(reader.header().format, "AREPO");
    let gas = reader.particles(0, Properties { velocities: true, ids: true }).unwrap();
    assert_eq!((gas.len(), gas.velocities.len(), gas.ids.len()), (32_967, 32_967, 32_967));
    assert_eq!(gas.masses.len(), 32_967);
    let neutral = reader.scalars(0, "NeutralHydrogenAbundance").unwrap();
    assert!(neutral.len() == gas.len() && neutral.iter().all(|f| (0.0..=1.1).contains(f)));
    assert!(reader.has(0, "Density") && !reader.has(1, "Density"));
    let total: f64 = reader.masses().iter().sum();
    assert!((total / 25f64.powi(3) / reader.header().cosmology.mean_matter_density() - 1.0).abs() < 1e-3);
}

#[test]
fn figures_of_a_real_snapshot_are_drawn() {
    let Some(path) = real("gadget4_dm64_L12p5_z1.hdf5") else { return };
    let snapshot = Snapshot::open(path).unwrap();
    let matter = snapshot.assign(64, MassAssignment::Cic).overdensity();
    let density = matter.map(|d| 1.0 + d);
    // Stand-ins with the shape of a 21 cm map: nonlinear functions of density.
    let reference = density.map(|v| 0.15 * v.powf(1.3) * (1.0 - (-v / 3.0).exp()));
    let prediction = density.map(|v| 0.146 * v.powf(1.33) * (1.0 - (-v / 3.0).exp()));
    let mut fields = BTreeMap::from([
        (Layer::DarkMatter, Arc::new(density.clone())),
        (Layer::BrightnessTemperature, Arc::new(prediction.clone())),
        (Layer::Reference, Arc::new(reference.clone())),
    ]);
    let mut spectra = BTreeMap::from([
        (Series::DarkMatter, power_spectrum(&matter, Some(MassAssignment::Cic))),
        (Series::Prediction, power_spectrum(&prediction, None)),
        (Series::Reference, power_spectrum(&reference, None)),
    ]);
    for bin in 0..4 {
        let threshold = 2.0 * 3f32.powi(bin as i32);
        let halos = density.map(|v| if v > threshold { 1e11 * v } else { 0.0 });
        spectra.insert(Series::HaloMass(bin), power_spectrum(&halos.overdensity(), None));
        fields.insert(Layer::HaloMass(bin), Arc::new(halos));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let caption = "halodi: gadget4_dm64_L12p5_z1.hdf5, z = 1.000, 64³ in 12.5 Mpc/h; a drawing test, not a prediction.";
    let files = |name| FigureFiles::new(folder.join(name), &[Format::Png, Format::Svg, Format::Pdf], caption);
    let mut written = halodi::report::write_spectrum_figure(&files("spectrum"), &spectra).unwrap();
    written.extend(halodi::report::write_slices_figure(&files("slices"), &fields).unwrap());
    assert_eq!(written.len(), 6);
    for path in written {
        assert!(fs::metadata(path).unwrap().len() > 20_000);
    }
}

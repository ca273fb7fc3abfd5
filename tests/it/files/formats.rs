//! Formats beside HDF5, and folders as users have them.

use std::fs;
use std::path::{Path, PathBuf};

use halodi::field::Cosmology;
use halodi::io::{
    GridFile, Opened, Properties, Quantity, SnapshotReader, identify, open_source, read_catalogue, write_catalogue,
};

use super::cases::direct_power;
use super::{BOX, REDSHIFT, Recipe, SIDE, check, particle_mass, positions, real, refuse, succeed};
use crate::program::alone;

/// How a binary snapshot is written.
#[derive(Debug, Clone, Copy)]
struct Binary {
    format: u8,
    big_endian: bool,
    double: bool,
    own_masses: bool,
    files: usize,
}

impl Binary {
    fn int(&self, bytes: &mut Vec<u8>, v: u32) {
        bytes.extend(if self.big_endian { v.to_be_bytes() } else { v.to_le_bytes() });
    }

    fn float(&self, bytes: &mut Vec<u8>, v: f64) {
        bytes.extend(if self.big_endian { v.to_be_bytes() } else { v.to_le_bytes() });
    }

    fn number(&self, bytes: &mut Vec<u8>, v: f64) {
        match (self.double, self.big_endian) {
            (true, _) => self.float(bytes, v),
            (false, true) => bytes.extend((v as f32).to_be_bytes()),
            (false, false) => bytes.extend((v as f32).to_le_bytes()),
        }
    }

    fn block(&self, out: &mut Vec<u8>, name: &str, data: &[u8]) {
        if self.format == 2 {
            self.int(out, 8);
            out.extend(name.bytes());
            self.int(out, data.len() as u32 + 8);
            self.int(out, 8);
        }
        self.int(out, data.len() as u32);
        out.extend(data);
        self.int(out, data.len() as u32);
    }

    /// Write gas of no mass (a fifth of the particles) and dark matter.
    fn write(&self, folder: &Path) -> PathBuf {
        let all = positions();
        let per_file = all.len().div_ceil(self.files);
        let name = |i: usize| match self.files {
            1 => folder.join("snap_090"),
            _ => folder.join(format!("snap_090.{i}")),
        };
        for (i, piece) in all.chunks(per_file).enumerate() {
            let mut header = Vec::new();
            let counts = [0, piece.len() as u32, 0, 0, 0, 0];
            let totals = [0, all.len() as u32, 0, 0, 0, 0];
            let mass = particle_mass() / 1e10;
            counts.iter().for_each(|&c| self.int(&mut header, c));
            for t in 0..6 {
                self.float(&mut header, if t == 1 && !self.own_masses { mass } else { 0.0 });
            }
            self.float(&mut header, 1.0 / (1.0 + REDSHIFT));
            self.float(&mut header, REDSHIFT);
            self.int(&mut header, 0);
            self.int(&mut header, 0);
            totals.iter().for_each(|&c| self.int(&mut header, c));
            self.int(&mut header, 0);
            self.int(&mut header, self.files as u32);
            let c = Cosmology::default();
            for v in [BOX * 1e3, c.omega_m, c.omega_lambda, c.h] {
                self.float(&mut header, v);
            }
            header.resize(256, 0);
            let mut out = Vec::new();
            self.block(&mut out, "HEAD", &header);
            let mut data = Vec::new();
            piece.iter().flatten().for_each(|&x| self.number(&mut data, x * 1e3));
            self.block(&mut out, "POS ", &data);
            data.clear();
            piece.iter().flat_map(|_| [100.0, -50.0, 0.0]).for_each(|v| self.number(&mut data, v));
            self.block(&mut out, "VEL ", &data);
            data.clear();
            (0..piece.len()).for_each(|id| self.int(&mut data, (i * per_file + id) as u32 + 1));
            self.block(&mut out, "ID  ", &data);
            if self.own_masses {
                data.clear();
                piece.iter().for_each(|_| self.number(&mut data, mass));
                self.block(&mut out, "MASS", &data);
            }
            fs::write(name(i), out).unwrap();
        }
        name(0)
    }
}

#[test]
fn gadget_binary_snapshots_read_as_hdf5_ones_do() {
    for format in [1, 2] {
        for (big_endian, double, own_masses, files) in
            [(false, false, false, 1), (true, false, true, 1), (false, true, true, 3), (true, true, false, 2)]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = Binary { format, big_endian, double, own_masses, files }.write(folder.path());
            let recipe = Recipe { files, ..Recipe::default() };
            check_all(&path, &recipe, format);
            check(folder.path(), &recipe);
            if files > 1 {
                check(&folder.path().join("snap_090.1"), &recipe);
                check(&folder.path().join("snap_090"), &recipe);
            }
        }
    }
}

fn check_all(path: &Path, recipe: &Recipe, format: u8) {
    // σ8, ns and Ωb are not in the format; the default is what was written.
    check(path, recipe);
    let said = succeed(&["inspect", path.to_str().unwrap()]);
    assert!(said.contains(&format!("Gadget binary (format {format})")) && said.contains("20 Mpc/h"), "{said}");
}

#[test]
fn damaged_gadget_binaries_get_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for format in [1, 2] {
        let binary = Binary { format, big_endian: false, double: false, own_masses: false, files: 1 };
        let path = binary.write(folder.path());
        let bytes = fs::read(&path).unwrap();
        for keep in [100, 300, bytes.len() / 2, bytes.len() - 3] {
            fs::write(&path, &bytes[..keep]).unwrap();
            let message = refuse(&path);
            assert!(message.contains("cut short") || message.contains("damaged"), "{message}");
        }
        let header = if format == 2 { 20 } else { 4 };
        // Omega0 of zero, and more particles than there are bytes.
        for (place, with, part) in [(136, 0u64, "Omega0 is 0"), (4, u64::from(u32::MAX), "do not fit")] {
            let mut spoiled = bytes.clone();
            spoiled[header + place..header + place + 8].copy_from_slice(&with.to_le_bytes());
            fs::write(&path, &spoiled).unwrap();
            let message = refuse(&path);
            assert!(message.contains(part) || message.contains("cut short"), "{message}");
        }
    }
}

#[test]
fn what_others_leave_in_a_folder_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { files: 2, ..Recipe::default() };
    let first = recipe.write(folder.path());
    let copy = |name: &str| fs::copy(&first, folder.path().join(name)).unwrap();
    for litter in ["._snap_090.0.hdf5", ".snap_090.0.hdf5.Xq3a1K", "snap_090.0.hdf5~", "snap_090.0.hdf5.bak"] {
        copy(litter);
    }
    fs::write(folder.path().join(".DS_Store"), b"\0\0\0\x01Bud1").unwrap();
    fs::write(folder.path().join("README.txt"), "a snapshot").unwrap();
    fs::write(folder.path().join("snap_090.2.hdf5"), "a download that failed").unwrap();
    fs::create_dir(folder.path().join(".~tmp~")).unwrap();
    check(folder.path(), &recipe);
    check(&first, &recipe);
    // What is named is opened, whatever it is called.
    let whole = tempfile::tempdir().unwrap();
    let backup = whole.path().join("snap_090.hdf5.bak");
    fs::rename(Recipe::default().write(whole.path()), &backup).unwrap();
    check(&backup, &Recipe::default());
}

#[test]
fn folders_and_stems_of_the_usual_names_open() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("snapdir_090");
    fs::create_dir(&inside).unwrap();
    let recipe = Recipe { files: 2, ..Recipe::default() };
    recipe.write(&inside);
    for name in ["", "snapdir_090", "snapdir_090/snap_090", "snap_090"] {
        check(&folder.path().join(name), &recipe);
    }
    // Two snapshots in one folder are for the user to tell apart.
    fs::copy(inside.join("snap_090.0.hdf5"), inside.join("snap_091.0.hdf5")).unwrap();
    assert!(refuse(&inside).contains("2 snapshots"));
    assert!(refuse(&inside.join("snap_091.0.hdf5")).contains("snap_091.1.hdf5 of 2 is missing"));
}

#[test]
fn pieces_of_different_snapshots_are_not_mixed() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = Recipe { files: 2, ..Recipe::default() };
    recipe.write(one.path());
    Recipe { length: 1.0, ..recipe }.write(other.path());
    fs::copy(other.path().join("snap_090.1.hdf5"), one.path().join("snap_090.1.hdf5")).unwrap();
    assert!(refuse(one.path()).contains("of another snapshot"));
}

/// A FITS file of one image.
fn fits(path: &Path, cards: &[(&str, String)], n: usize, values: &[f32]) {
    let mut bytes = Vec::new();
    let fixed = [
        ("SIMPLE", "T".to_owned()),
        ("BITPIX", "-32".to_owned()),
        ("NAXIS", "3".to_owned()),
        ("NAXIS1", n.to_string()),
        ("NAXIS2", n.to_string()),
        ("NAXIS3", n.to_string()),
    ];
    for (key, value) in fixed.iter().chain(cards) {
        bytes.extend(format!("{:<80}", format!("{key:<8}= {value:>20} / comment")).bytes());
    }
    bytes.extend(format!("{:<80}", "END").bytes());
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    values.iter().for_each(|v| bytes.extend(v.to_be_bytes()));
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    fs::write(path, bytes).unwrap();
}

#[test]
fn fits_cubes_open_as_maps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.fits");
    let n = 8;
    let values: Vec<f32> = (0..n * n * n).map(|i| i as f32 * 1e-4).collect();
    let text = |t: &str| format!("'{t}'");
    let cards = [
        ("BUNIT", text("K")),
        ("CDELT1", "4.0".to_owned()),
        ("CUNIT1", text("Mpc")),
        ("REDSHIFT", "1.5".to_owned()),
        ("OMEGA_M", "0.31".to_owned()),
        ("HUBBLE", "67.5".to_owned()),
    ];
    fits(&path, &cards, n, &values);
    let Opened::Grid(grid) = open_source(&path).unwrap() else { panic!("not a grid") };
    // 32 Mpc with h = 0.675, and K as mK.
    assert!((grid.grid.box_size - 32.0 * 0.675).abs() < 1e-9 && grid.redshift == 1.5);
    assert_eq!((grid.quantity, grid.cosmology.omega_m), (Quantity::BrightnessTemperature, 0.31));
    assert!((grid.grid.values[[0, 0, 1]] - 0.1).abs() < 1e-6);
    let said = succeed(&["inspect", path.to_str().unwrap()]);
    assert!(said.contains("FITS cube") && said.contains("21.6 Mpc/h"), "{said}");

    // The first axis runs fastest: where it is called x, it comes first.
    let named = [cards.to_vec(), vec![("CTYPE1", text("X")), ("CTYPE3", text("Z"))]].concat();
    fits(&path, &named, n, &values);
    let turned = GridFile::open(&path, None).unwrap();
    assert_eq!(turned.grid.values[[1, 0, 0]], grid.grid.values[[0, 0, 1]]);

    let sky = [cards.to_vec(), vec![("CTYPE1", text("RA---SIN"))]].concat();
    fits(&path, &sky, n, &values);
    assert!(refuse(&path).contains("RA---SIN"));
    fits(&path, &cards[..1], n, &values);
    assert!(refuse(&path).contains("how large the box is"));
    fits(&path, &cards, n, &values[..100]);
    let cut = fs::read(&path).unwrap();
    fs::write(&path, &cut[..cut.len() - 2880]).unwrap();
    assert!(refuse(&path).contains("ends before"));
}

#[test]
fn catalogues_are_read_with_their_units() {
    for (name, groups, box_size) in
        [("gadget4_dm64_L12p5_z1_fof.hdf5", 591, 12.5), ("arepo_hydro32_L25_z2_fof.hdf5", 0, 25.0)]
    {
        let Some(path) = real(name) else { return };
        let read = read_catalogue(&path).unwrap();
        assert!((read.box_size - box_size).abs() < 1e-6, "{name}: {}", read.box_size);
        assert!(read.groups.len() >= groups && read.groups.iter().all(|g| g.mass > 1e9 && g.mass < 1e16));
        let said = succeed(&["inspect", path.to_str().unwrap()]);
        assert!(said.contains(&format!("{box_size} Mpc/h")), "{said}");
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("fof.hdf5");
        {
            let _turn = alone();
            write_catalogue(&copy, &read).unwrap();
        }
        assert_eq!(read_catalogue(&copy).unwrap().groups.len(), read.groups.len());
        assert_eq!(identify(&copy).unwrap(), halodi::io::FileKind::GroupCatalogue);
    }
}

#[test]
fn the_field_of_pieces_is_that_of_all_particles() {
    let folder = tempfile::tempdir().unwrap();
    let path = Recipe { files: 3, ..Recipe::default() }.write(folder.path());
    let reader = SnapshotReader::open(&path).unwrap();
    let field = reader.density(16, Default::default()).unwrap();
    let particles = reader.dark_matter(Properties::default()).unwrap();
    assert_eq!(particles.len(), SIDE.pow(3));
    assert!((field.sum() / particles.total_mass() - 1.0).abs() < 1e-6);
    let list: Vec<([f64; 3], f64)> = positions().into_iter().map(|x| (x, 1.0)).collect();
    let expected = direct_power(&list, BOX);
    let spectrum = halodi::stats::power_spectrum(
        &reader.density(64, Default::default()).unwrap().overdensity(),
        Some(Default::default()),
    );
    for shell in 0..3 {
        assert!((spectrum.power[shell] / expected[shell] - 1.0).abs() < 0.01, "{:?} {expected:?}", spectrum.power);
    }
}

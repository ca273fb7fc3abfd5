//! Halo catalogues in the layout of Gadget's friends-of-friends groups, as
//! SUBFIND of GADGET-4, AREPO, IllustrisTNG and CAMELS writes it too.

use std::path::{Path, PathBuf};

use hdf5::File;
use ndarray::Array2;
use serde::Serialize;

use super::h5::{Parameter, Places};
use super::{atomic, h5};
use crate::error::{Error, Result};
use crate::memory;

/// One group of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupRecord {
    /// Friends-of-friends mass in M☉/h.
    pub mass: f64,
    /// Comoving centre in Mpc/h, in `[0, L)`.
    pub centre: [f64; 3],
    /// Peculiar velocity in km/s.
    pub velocity: [f64; 3],
    /// Number of particles.
    pub particles: u64,
}

/// Groups and the box they are in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Catalogue {
    /// Comoving side of the box in Mpc/h.
    pub box_size: f64,
    /// Redshift.
    pub redshift: f64,
    /// The groups in the order of the file.
    pub groups: Vec<GroupRecord>,
}

/// What a catalogue of groups says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogueHeader {
    /// The file.
    pub path: PathBuf,
    /// Groups in the catalogue, over all its files.
    pub groups: u64,
    /// Redshift.
    pub redshift: Option<f64>,
    /// Comoving side of the box in Mpc/h.
    pub box_size: Option<f64>,
    /// What had to be inferred, each a sentence for the user.
    pub notes: Vec<String>,
}

/// Whether a header is that of a catalogue.
pub(super) fn is_catalogue(places: &Places) -> bool {
    places.has(Parameter::Groups) || places.has(Parameter::GroupsHere)
}

impl CatalogueHeader {
    /// Read what the catalogue at `path` says of itself.
    ///
    /// # Errors
    /// [`Error::Input`] where it is no catalogue.
    pub fn open(path: &Path) -> Result<Self> {
        let file = h5::open(path)?;
        let places = places(&file);
        let number = |parameter| places.find(parameter).map(|found| found.first()).filter(|v| v.is_finite());
        let Some(groups) = number(Parameter::Groups).or_else(|| number(Parameter::GroupsHere)) else {
            return Err(Error::input(
                path,
                "it has no Header with Ngroups_Total",
                "a FoF or SUBFIND catalogue",
                "Choose another file",
            ));
        };
        let mut notes = Vec::new();
        let length = length_unit(&places, &mut notes);
        Ok(Self {
            path: path.to_path_buf(),
            groups: groups.max(0.0) as u64,
            redshift: number(Parameter::Redshift),
            box_size: number(Parameter::BoxSize).map(|side| side * length),
            notes,
        })
    }
}

fn places(file: &File) -> Places {
    Places::of_file(file, &["Header", "Parameters", "Units", "Cosmology"])
}

/// Mpc/h in the catalogue's unit of length: what it declares, or what its box
/// can only be in.
fn length_unit(places: &Places, notes: &mut Vec<String>) -> f64 {
    if let Some(cm) = places.find(Parameter::UnitLength).map(|f| f.first()).filter(|cm| cm.is_finite() && *cm > 0.0) {
        let mpc = cm / 3.085_677_58e24;
        // Codes differ in the fourth digit of the parsec.
        let power = 10f64.powf(mpc.log10().round());
        return if (mpc / power - 1.0).abs() < 1e-3 { power } else { mpc };
    }
    let side = places.find(Parameter::BoxSize).map_or(0.0, |found| found.first());
    let (length, name) = if side > 4500.0 { (1e-3, "kpc/h") } else { (1.0, "Mpc/h") };
    notes.push(format!("The catalogue gives no units: lengths are taken to be in {name}, masses in 10¹⁰ Msun/h"));
    length
}

/// Read the groups of the catalogue at `path`: one file of `Group/GroupMass`,
/// `GroupPos` and (if there) `GroupVel` and `GroupLen`.
///
/// # Errors
/// [`Error::Input`] where it is no such catalogue, is one of several files, or
/// holds impossible values; [`Error::Setting`] where it does not fit into memory.
pub fn read_catalogue(path: impl AsRef<Path>) -> Result<Catalogue> {
    let path = path.as_ref();
    let header = CatalogueHeader::open(path)?;
    let file = h5::open(path)?;
    let places = places(&file);
    let wanted = |what: &str| {
        Error::input(path, format!("it has no {what}"), "a FoF or SUBFIND catalogue in HDF5", "Choose another file")
    };
    let box_size = header.box_size.filter(|side| *side > 0.0).ok_or_else(|| wanted("positive BoxSize"))?;
    let redshift = header.redshift.filter(|z| *z > -1e-3).ok_or_else(|| wanted("redshift"))?.max(0.0);
    let length = length_unit(&places, &mut Vec::new());
    let mass = match places.find(Parameter::UnitMass).map(|found| found.first()) {
        Some(grams) if grams.is_finite() && grams > 0.0 => {
            let mass = grams / 1.988_41e33;
            let power = 10f64.powf(mass.log10().round());
            if (mass / power - 1.0).abs() < 1e-3 { power } else { mass }
        }
        _ => 1e10,
    };
    memory::check(
        memory::bytes(header.groups, size_of::<GroupRecord>() as u64 + 32),
        format!("a catalogue of {} groups", header.groups),
        "Use a machine with more memory",
    )?;
    let Some(group) = h5::group(path, &file, "Group")? else {
        return if header.groups == 0 {
            Ok(Catalogue { box_size, redshift, groups: Vec::new() })
        } else {
            Err(wanted("group Group"))
        };
    };
    let read = |name: &str, columns: usize| -> Result<Option<Vec<f64>>> {
        let Some(dataset) = h5::dataset(path, &group, name)? else { return Ok(None) };
        let shape = dataset.shape();
        let fits = match shape[..] {
            [_] => columns == 1,
            [_, held] => held == columns,
            _ => false,
        };
        if !fits || shape[0] as u64 != header.groups {
            return Err(Error::input(
                path,
                format!("Group/{name} has shape {shape:?}, the header counts {} groups", header.groups),
                "all groups in one file",
                "Join the files of the catalogue, or copy it again",
            ));
        }
        let mut values = Vec::new();
        h5::read_blocks(path, &dataset, 0..shape[0], |block| {
            values.extend(block);
            Ok(())
        })?;
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(Error::input(
                path,
                format!("Group/{name} has a value of {bad}"),
                "finite values",
                "Write the catalogue again: this one is damaged",
            ));
        }
        Ok(Some(values))
    };
    let masses = read("GroupMass", 1)?.ok_or_else(|| wanted("Group/GroupMass"))?;
    let centres = read("GroupPos", 3)?.ok_or_else(|| wanted("Group/GroupPos"))?;
    let velocities = read("GroupVel", 3)?;
    let counts = read("GroupLen", 1)?;
    let groups = masses.iter().zip(centres.chunks_exact(3)).enumerate().map(|(i, (&m, centre))| {
        if m <= 0.0 || centre.iter().any(|x| !(x * length >= -box_size && x * length <= 2.0 * box_size)) {
            return Err(Error::input(
                path,
                format!("group {i} has the mass {m} and lies at {centre:?}"),
                "positive masses and centres inside the box",
                "Write the catalogue again: this one is damaged",
            ));
        }
        Ok(GroupRecord {
            mass: m * mass,
            centre: [0, 1, 2].map(|axis| (centre[axis] * length).rem_euclid(box_size)),
            velocity: velocities.as_ref().map_or([0.0; 3], |v| [v[3 * i], v[3 * i + 1], v[3 * i + 2]]),
            particles: counts.as_ref().map_or(0, |counts| counts[i].max(0.0) as u64),
        })
    });
    Ok(Catalogue { box_size, redshift, groups: groups.collect::<Result<_>>()? })
}

/// Write groups, in their order, as the FoF catalogue `path`, atomically:
/// `Group/GroupMass` in 10¹⁰ M☉/h, `GroupPos` in comoving kpc/h, `GroupVel` in
/// peculiar km/s and `GroupLen`.
///
/// # Errors
/// [`Error::Output`].
pub fn write_catalogue(path: impl AsRef<Path>, catalogue: &Catalogue) -> Result<()> {
    let path = path.as_ref();
    atomic::write_with(path, |temporary| {
        fill(temporary, catalogue).map_err(|error| Error::output(path, h5::why(&error)))
    })
}

fn fill(path: &Path, catalogue: &Catalogue) -> hdf5::Result<()> {
    let groups = &catalogue.groups;
    let file = File::create(path)?;
    let header = file.create_group("Header")?;
    let count = groups.len() as u64;
    for (name, value) in [("Ngroups_ThisFile", count), ("Ngroups_Total", count), ("NumFiles", 1)] {
        header.new_attr::<u64>().create(name)?.write_scalar(&value)?;
    }
    for (name, value) in [
        ("BoxSize", catalogue.box_size * 1e3),
        ("Redshift", catalogue.redshift),
        ("Time", 1.0 / (1.0 + catalogue.redshift)),
        ("UnitLength_in_cm", 3.085_678e21),
        ("UnitMass_in_g", 1.989e43),
    ] {
        header.new_attr::<f64>().create(name)?.write_scalar(&value)?;
    }
    let group = file.create_group("Group")?;
    let masses: Vec<f32> = groups.iter().map(|halo| (halo.mass / 1e10) as f32).collect();
    let lengths: Vec<u32> = groups.iter().map(|halo| halo.particles as u32).collect();
    let rows = |of: fn(&GroupRecord) -> [f64; 3], scale: f64| {
        Array2::from_shape_fn((groups.len(), 3), |(i, axis)| (of(&groups[i])[axis] * scale) as f32)
    };
    group.new_dataset_builder().with_data(&masses).create("GroupMass")?;
    group.new_dataset_builder().with_data(&lengths).create("GroupLen")?;
    group.new_dataset_builder().with_data(&rows(|h| h.centre, 1e3)).create("GroupPos")?;
    group.new_dataset_builder().with_data(&rows(|h| h.velocity, 1.0)).create("GroupVel")?;
    file.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fof.hdf5");
        let groups = (1..9)
            .map(|i| GroupRecord {
                mass: 1e12 / f64::from(i),
                centre: [f64::from(i), 12.0, 0.5],
                velocity: [100.0, -20.0, f64::from(i)],
                particles: 1000 / i as u64,
            })
            .collect();
        let written = Catalogue { box_size: 25.0, redshift: 1.0, groups };
        write_catalogue(&path, &written).unwrap();
        let read = read_catalogue(&path).unwrap();
        assert_eq!((read.redshift, read.groups.len()), (1.0, 8));
        assert!((read.box_size - 25.0).abs() < 1e-9);
        for (a, b) in read.groups.iter().zip(&written.groups) {
            assert!((a.mass / b.mass - 1.0).abs() < 1e-6 && a.particles == b.particles);
            assert!((0..3).all(|axis| (a.centre[axis] - b.centre[axis]).abs() < 1e-5));
            assert_eq!(a.velocity, b.velocity);
        }
    }
}

//! Writing halo catalogues in the layout of Gadget's friends-of-friends groups.

use std::path::Path;

use hdf5::File;
use ndarray::Array2;

use super::atomic;
use crate::error::{Error, Result};
use crate::sim::{Frame, Halo};

/// Write haloes, in their order, as the FoF catalogue `path`, atomically:
/// `Group/GroupMass` in 10¹⁰ M☉/h, `GroupPos` in comoving kpc/h, `GroupVel` in
/// peculiar km/s and `GroupLen`.
///
/// # Errors
/// [`Error::Output`].
pub fn write_catalogue(path: impl AsRef<Path>, haloes: &[Halo], frame: &Frame) -> Result<()> {
    let path = path.as_ref();
    atomic::write_with(path, |temporary| fill(temporary, haloes, frame).map_err(|error| Error::output(path, error)))
}

fn fill(path: &Path, haloes: &[Halo], frame: &Frame) -> hdf5::Result<()> {
    let file = File::create(path)?;
    let header = file.create_group("Header")?;
    let count = haloes.len() as u64;
    for (name, value) in [("Ngroups_ThisFile", count), ("Ngroups_Total", count), ("NumFiles", 1)] {
        header.new_attr::<u64>().create(name)?.write_scalar(&value)?;
    }
    for (name, value) in
        [("BoxSize", frame.box_size * 1e3), ("Redshift", frame.redshift), ("Time", 1.0 / (1.0 + frame.redshift))]
    {
        header.new_attr::<f64>().create(name)?.write_scalar(&value)?;
    }
    let group = file.create_group("Group")?;
    let masses: Vec<f32> = haloes.iter().map(|halo| (halo.mass / 1e10) as f32).collect();
    let lengths: Vec<u32> = haloes.iter().map(|halo| halo.members.len() as u32).collect();
    let rows = |of: fn(&Halo) -> [f64; 3], scale: f64| {
        Array2::from_shape_fn((haloes.len(), 3), |(i, axis)| (of(&haloes[i])[axis] * scale) as f32)
    };
    group.new_dataset_builder().with_data(&masses).create("GroupMass")?;
    group.new_dataset_builder().with_data(&lengths).create("GroupLen")?;
    group.new_dataset_builder().with_data(&rows(|h| h.centre, 1e3)).create("GroupPos")?;
    group.new_dataset_builder().with_data(&rows(|h| h.velocity, 1.0)).create("GroupVel")?;
    file.close()
}

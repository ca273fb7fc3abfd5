//! Maps out: one HDF5 file with a dataset per layer.

use std::path::Path;

use hdf5::File;
use hdf5::types::VarLenUnicode;

use super::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid};

/// What is written beside the values.
#[derive(Debug, Clone)]
pub struct MapHeader<'a> {
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: &'a Cosmology,
    /// How the map was made, as JSON.
    pub provenance: &'a str,
}

/// Write fields as `(dataset name, unit, field)` to `path`, which changes only
/// when all is written. Datasets are float32 `[N, N, N]`, C order, axes x, y, z;
/// the file's attributes are `BoxSize` (Mpc/h), `Redshift`, the cosmology in
/// Gadget's names and `provenance`.
///
/// # Errors
/// [`Error::Output`].
pub fn write_map(path: &Path, header: &MapHeader, fields: &[(&str, &str, &Grid)]) -> Result<()> {
    hdf5::silence_errors(true);
    write_atomically(path, |temporary| write(temporary, header, fields).map_err(|e| Error::output(path, e)))
}

fn write(path: &Path, header: &MapHeader, fields: &[(&str, &str, &Grid)]) -> hdf5::Result<()> {
    let file = File::create(path)?;
    let number = |name: &str, value: f64| file.new_attr::<f64>().create(name)?.write_scalar(&value);
    let unicode = |s: &str| -> VarLenUnicode { s.replace('\0', "").parse().expect("no NUL in the text") };
    if let Some((_, _, first)) = fields.first() {
        number("BoxSize", first.box_size)?;
    }
    number("Redshift", header.redshift)?;
    number("Omega0", header.cosmology.omega_m)?;
    number("OmegaLambda", header.cosmology.omega_lambda)?;
    number("OmegaBaryon", header.cosmology.omega_b)?;
    number("HubbleParam", header.cosmology.h)?;
    file.new_attr::<VarLenUnicode>().create("provenance")?.write_scalar(&unicode(header.provenance))?;
    for (name, unit, grid) in fields {
        let dataset = file
            .new_dataset_builder()
            .with_data(&grid.values)
            .chunk((grid.n().min(64), grid.n().min(64), grid.n().min(64)))
            .shuffle()
            .deflate(4)
            .create(*name)?;
        dataset.new_attr::<VarLenUnicode>().create("units")?.write_scalar(&unicode(unit))?;
        dataset.new_attr::<f64>().create("BoxSize")?.write_scalar(&grid.box_size)?;
        dataset.new_attr::<f64>().create("Redshift")?.write_scalar(&header.redshift)?;
    }
    file.close()
}

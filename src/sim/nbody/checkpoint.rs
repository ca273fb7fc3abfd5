//! The state of a run on disk, for a killed run to go on from.

use std::path::Path;

use hdf5::File;
use hdf5::types::VarLenUnicode;
use ndarray::ArrayView2;

use super::{Phase, SimulationConfig};
use crate::error::{Error, Result};
use crate::io::atomic;

/// Write the state of the run `config` to `path`, atomically.
///
/// # Errors
/// [`Error::Output`].
pub(super) fn write(path: &Path, config: &SimulationConfig, phase: &Phase) -> Result<()> {
    atomic::write_with(path, |temporary| fill(temporary, config, phase).map_err(|error| Error::output(path, error)))
}

fn fill(path: &Path, config: &SimulationConfig, phase: &Phase) -> hdf5::Result<()> {
    let file = File::create(path)?;
    let text: VarLenUnicode = identity(config).parse().map_err(|_| hdf5::Error::from("not a text"))?;
    file.new_attr::<VarLenUnicode>().create("config")?.write_scalar(&text)?;
    for (name, value) in [("box_size", phase.box_size), ("scale_factor", phase.scale_factor)] {
        file.new_attr::<f64>().create(name)?.write_scalar(&value)?;
    }
    let shape = (phase.len(), 3);
    let rows = |error: ndarray::ShapeError| hdf5::Error::from(error.to_string());
    let positions = ArrayView2::from_shape(shape, phase.positions.as_flattened()).map_err(rows)?;
    let momenta = ArrayView2::from_shape(shape, phase.momenta.as_flattened()).map_err(rows)?;
    file.new_dataset_builder().with_data(positions).create("positions")?;
    file.new_dataset_builder().with_data(momenta).create("momenta")?;
    file.new_dataset_builder().with_data(&phase.ids).create("ids")?;
    file.close()
}

/// The state at `path`; `None` where there is no file, or where it belongs to a
/// run with other settings.
///
/// # Errors
/// [`Error::Input`] where the file is damaged.
pub(super) fn read(path: &Path, config: &SimulationConfig) -> Result<Option<Phase>> {
    if !path.exists() {
        return Ok(None);
    }
    let load = || -> hdf5::Result<Option<Phase>> {
        let file = File::open(path)?;
        if file.attr("config")?.read_scalar::<VarLenUnicode>()?.as_str() != identity(config) {
            return Ok(None);
        }
        let number = |name: &str| file.attr(name)?.read_scalar::<f64>();
        let triples = |values: Vec<u32>| values.as_chunks::<3>().0.to_vec();
        let momenta = file.dataset("momenta")?.read_raw::<f32>()?;
        Ok(Some(Phase {
            box_size: number("box_size")?,
            scale_factor: number("scale_factor")?,
            positions: triples(file.dataset("positions")?.read_raw::<u32>()?),
            momenta: momenta.as_chunks::<3>().0.to_vec(),
            ids: file.dataset("ids")?.read_raw::<u32>()?,
        }))
    };
    load().map_err(|error| {
        Error::input(
            path,
            format!("it cannot be read ({error})"),
            "the checkpoint of a simulation",
            "Delete it to start the run anew",
        )
    })
}

/// Remove the checkpoint of a run that is done.
pub(super) fn remove(path: &Path) {
    // One that cannot be removed is ignored by other runs.
    let _ = std::fs::remove_file(path);
}

/// What two runs share if one can go on from the other's state.
fn identity(config: &SimulationConfig) -> String {
    serde_json::to_string(config).expect("plain structs serialise")
}

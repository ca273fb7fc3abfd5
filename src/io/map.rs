//! Halodi's own maps: every layer of a prediction in one HDF5 file.
//!
//! A map file has one float32 dataset `[N, N, N]` per layer
//! (`brightness_temperature`, `dark_matter`, `halo_mass_1` …), each with the
//! attributes `units` and `long_name`; on the root, the attributes `BoxSize`
//! (comoving Mpc/h), `Redshift`, the cosmology under the names that Gadget uses,
//! and `provenance`, a JSON text.

use std::collections::BTreeMap;
use std::path::Path;

use hdf5::File;
use hdf5::types::VarLenUnicode;

use super::{atomic, h5};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid, Layer};

/// What is true of all layers of a map file.
#[derive(Debug, Clone, PartialEq)]
pub struct MapHeader {
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// How the layers came to be: program, weights, seed, source, settings.
    pub provenance: serde_json::Value,
}

/// A map file in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// What is true of all layers.
    pub header: MapHeader,
    /// The layers, in their physical units ([`Layer::unit`]).
    pub layers: BTreeMap<Layer, Grid>,
}

/// Name of the dataset that holds a layer.
pub fn dataset_name(layer: Layer) -> String {
    match layer {
        Layer::DarkMatter => "dark_matter".to_owned(),
        Layer::HaloMass(bin) => format!("halo_mass_{}", bin + 1),
        Layer::ConditionalMean => "conditional_mean_brightness_temperature".to_owned(),
        Layer::Latent => "latent_brightness_temperature".to_owned(),
        Layer::BrightnessTemperature => "brightness_temperature".to_owned(),
        Layer::Reference => "reference_brightness_temperature".to_owned(),
    }
}

/// The layer that a dataset of the given name holds.
pub fn layer_of(name: &str) -> Option<Layer> {
    Layer::ALL.into_iter().find(|&layer| dataset_name(layer) == name)
}

/// Write `layers`, all of one box, to the map file at `path`, atomically.
///
/// # Errors
/// [`Error::Output`] where the file cannot be written; [`Error::Setting`] where
/// there is no layer or the layers have different boxes.
pub fn write_map(path: impl AsRef<Path>, header: &MapHeader, layers: &[(Layer, &Grid)]) -> Result<()> {
    let path = path.as_ref();
    let box_size = match layers.first() {
        Some((_, grid)) if layers.iter().all(|(_, g)| (g.box_size / grid.box_size - 1.0).abs() < 1e-6) => grid.box_size,
        _ => {
            return Err(Error::setting(
                format!("{} layers of different boxes", layers.len()),
                "at least one layer, all of one box",
                "Write one map file per box",
            ));
        }
    };
    atomic::write_with(path, |temporary| {
        fill(temporary, header, layers, box_size).map_err(|error| Error::output(path, error))
    })
}

fn fill(path: &Path, header: &MapHeader, layers: &[(Layer, &Grid)], box_size: f64) -> hdf5::Result<()> {
    let file = File::create(path)?;
    let Cosmology { omega_m, omega_lambda, omega_b, h, n_s, sigma_8 } = header.cosmology;
    for (name, value) in [
        ("BoxSize", box_size),
        ("Redshift", header.redshift),
        ("Omega0", omega_m),
        ("OmegaLambda", omega_lambda),
        ("OmegaBaryon", omega_b),
        ("HubbleParam", h),
        ("PrimordialIndex", n_s),
        ("Sigma8", sigma_8),
    ] {
        file.new_attr::<f64>().create(name)?.write_scalar(&value)?;
    }
    write_text(&file, "provenance", &header.provenance.to_string())?;
    write_text(&file, "axes", "x, y, z; voxel (i, j, k) lies at (i, j, k) BoxSize/N; periodic")?;
    for (layer, grid) in layers {
        let dataset = file.new_dataset_builder().with_data(grid.values.view()).create(dataset_name(*layer).as_str())?;
        write_text(&dataset, "units", layer.unit())?;
        write_text(&dataset, "long_name", &layer.name())?;
    }
    file.close()
}

/// Write a text attribute.
pub(super) fn write_text(location: &hdf5::Location, name: &str, text: &str) -> hdf5::Result<()> {
    // A NUL would end the text early; there is none in JSON or in our names.
    let value: VarLenUnicode = text.replace('\0', "").parse().map_err(|_| hdf5::Error::from("not a text"))?;
    location.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&value)
}

/// Whether an open HDF5 file is a map of Halodi's.
pub(super) fn is_map(file: &File) -> bool {
    file.attr("provenance").is_ok() && file.attr("BoxSize").is_ok()
}

/// Read the map file at `path`.
///
/// # Errors
/// [`Error::Input`] where it is no map file or is damaged.
pub fn read_map(path: impl AsRef<Path>) -> Result<Map> {
    let path = path.as_ref();
    let file = h5::open(path)?;
    let wanted = |what: &str| {
        Error::input(
            path,
            format!("it has no {what}"),
            "a map file written by Halodi",
            "Choose the map.hdf5 of a prediction",
        )
    };
    let number = |name: &str| h5::number(&file, name).ok_or_else(|| wanted(&format!("attribute {name}")));
    let box_size = number("BoxSize")?;
    if !(box_size.is_finite() && box_size > 0.0) {
        return Err(wanted("positive BoxSize"));
    }
    let default = Cosmology::default();
    let header = MapHeader {
        redshift: number("Redshift")?,
        cosmology: Cosmology {
            omega_m: number("Omega0")?,
            omega_lambda: number("OmegaLambda")?,
            omega_b: h5::number(&file, "OmegaBaryon").unwrap_or(default.omega_b),
            h: number("HubbleParam")?,
            n_s: h5::number(&file, "PrimordialIndex").unwrap_or(default.n_s),
            sigma_8: h5::number(&file, "Sigma8").unwrap_or(default.sigma_8),
        },
        provenance: h5::text(&file, "provenance")
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(serde_json::Value::Null),
    };
    let mut layers = BTreeMap::new();
    for name in file.member_names().map_err(|error| h5::damaged(path, &error))? {
        if let Some(layer) = layer_of(&name) {
            layers.insert(layer, super::grid_file::read_cube(path, &file, &name, box_size)?);
        }
    }
    if layers.is_empty() {
        return Err(wanted("layer"));
    }
    Ok(Map { header, layers })
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    fn header() -> MapHeader {
        MapHeader {
            redshift: 1.5,
            cosmology: Cosmology { omega_m: 0.25, ..Cosmology::default() },
            provenance: serde_json::json!({ "program": "halodi", "seed": 7, "note": "δ in ☉" }),
        }
    }

    #[test]
    fn a_map_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.hdf5");
        let grid = |scale: f32| Grid {
            values: Array3::from_shape_fn((8, 8, 8), |(x, y, z)| scale * (x * 64 + y * 8 + z) as f32),
            box_size: 12.5,
        };
        let (dm, halo, t) = (grid(1.0), grid(-3.5), grid(0.1));
        let layers = [(Layer::DarkMatter, &dm), (Layer::HaloMass(2), &halo), (Layer::BrightnessTemperature, &t)];
        write_map(&path, &header(), &layers).unwrap();
        let map = read_map(&path).unwrap();
        assert_eq!(map.header, header());
        assert_eq!(map.layers.len(), 3);
        for (layer, grid) in layers {
            assert_eq!(&map.layers[&layer], grid);
        }
        let file = File::open(&path).unwrap();
        let dataset = file.dataset("brightness_temperature").unwrap();
        assert_eq!(h5::text(&dataset, "units").unwrap(), "mK");
    }

    #[test]
    fn layers_of_different_boxes_and_unwritable_places_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (Grid::zeros(4, 10.0), Grid::zeros(4, 20.0));
        let layers = [(Layer::DarkMatter, &a), (Layer::BrightnessTemperature, &b)];
        assert!(matches!(write_map(folder.path().join("m"), &header(), &layers), Err(Error::Setting { .. })));
        assert!(matches!(write_map(folder.path(), &header(), &layers[..1]), Err(Error::Output { .. })));
    }

    #[test]
    fn every_layer_has_a_name_of_its_own() {
        for layer in Layer::ALL {
            assert_eq!(layer_of(&dataset_name(layer)), Some(layer));
        }
        assert_eq!(layer_of("gas"), None);
    }
}

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
        Layer::Disagreement => "disagreement_of_windows".to_owned(),
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
/// there is no layer or the layers have different boxes; [`Error::NotFinite`]
/// where a layer holds what is no number.
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
    for (layer, grid) in layers {
        let bad = grid.as_slice().iter().filter(|v| !v.is_finite()).count();
        if bad > 0 {
            let of = grid.as_slice().len();
            return Err(Error::NotFinite {
                found: format!("{bad} of the {of} voxels of the layer {} are no numbers", dataset_name(*layer)),
            });
        }
    }
    atomic::write_with(path, |temporary| {
        fill(temporary, header, layers, box_size).map_err(|error| Error::output(path, h5::why(&error)))
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

/// Whether the file at `path` is a map file of Halodi's that holds its dark matter, so that it can be
/// opened as the box that it is of.
pub fn holds_dark_matter(path: impl AsRef<Path>) -> bool {
    h5::open(path.as_ref()).is_ok_and(|file| is_map(&file) && file.link_exists(&dataset_name(Layer::DarkMatter)))
}

/// What a map file says of all its layers.
pub(super) struct FileHeader {
    pub map: MapHeader,
    /// Side of the box in Mpc/h.
    pub box_size: f64,
}

/// The header of an open map file, and its layers with their voxels per axis.
pub(super) fn read_header(path: &Path, file: &File) -> Result<(FileHeader, BTreeMap<Layer, usize>)> {
    let wanted = |what: &str| {
        Error::input(
            path,
            format!("it has no {what}"),
            "a map file written by Halodi",
            "Choose the map.hdf5 of a prediction",
        )
    };
    let number = |name: &str| {
        let value = h5::number(file, name).ok_or_else(|| wanted(&format!("attribute {name}")))?;
        if value.is_finite() { Ok(value) } else { Err(wanted(&format!("finite {name}"))) }
    };
    let positive = |name: &str| {
        let value = number(name)?;
        if value > 0.0 { Ok(value) } else { Err(wanted(&format!("positive {name}"))) }
    };
    let box_size = positive("BoxSize")?;
    let redshift = number("Redshift")?;
    if !(-1e-3..1e5).contains(&redshift) {
        return Err(wanted(&format!("sensible redshift (it is {redshift})")));
    }
    let default = Cosmology::default();
    let map = MapHeader {
        redshift,
        cosmology: Cosmology {
            omega_m: positive("Omega0")?,
            omega_lambda: number("OmegaLambda")?,
            omega_b: h5::number(file, "OmegaBaryon").unwrap_or(default.omega_b),
            h: positive("HubbleParam")?,
            n_s: h5::number(file, "PrimordialIndex").unwrap_or(default.n_s),
            sigma_8: h5::number(file, "Sigma8").unwrap_or(default.sigma_8),
        },
        provenance: h5::text(file, "provenance")
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or(serde_json::Value::Null),
    };
    let mut layers = BTreeMap::new();
    for name in file.member_names().map_err(|error| h5::refused(path, "the list of its layers", &error))? {
        if let Some(layer) = layer_of(&name)
            && let Some(dataset) = h5::dataset(path, file, &name)?
        {
            layers.insert(layer, super::grid_file::side_of(path, &name, &dataset)?);
        }
    }
    let sides: std::collections::BTreeSet<usize> = layers.values().copied().collect();
    if sides.len() > 1 {
        return Err(Error::input(
            path,
            format!("its layers have {sides:?} voxels an axis"),
            "layers on one grid",
            "Copy or download it again",
        ));
    }
    if layers.is_empty() {
        return Err(wanted("layer"));
    }
    Ok((FileHeader { map, box_size }, layers))
}

/// Read the map file at `path`.
///
/// # Errors
/// [`Error::Input`] where it is no map file or is damaged.
pub fn read_map(path: impl AsRef<Path>) -> Result<Map> {
    let path = path.as_ref();
    let file = h5::open(path)?;
    let (header, sides) = read_header(path, &file)?;
    let mut layers = BTreeMap::new();
    for layer in sides.into_keys() {
        let name = dataset_name(layer);
        let grid = super::grid_file::read_cube(path, &file, &name, header.box_size)?;
        if let Some(bad) = grid.as_slice().iter().find(|v| !v.is_finite()) {
            return Err(Error::input(
                path,
                format!("its layer {name} has a value of {bad}"),
                "finite values",
                "Make the map again",
            ));
        }
        layers.insert(layer, grid);
    }
    Ok(Map { header: header.map, layers })
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

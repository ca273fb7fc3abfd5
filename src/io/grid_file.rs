//! Fields that are gridded already: CAMELS Multifield arrays (`.npy`), Halodi's
//! own maps, and any HDF5 file with a cubic dataset.

use std::path::{Path, PathBuf};

use hdf5::File;
use serde::Serialize;

use super::npy::NpyHeader;
use super::{h5, map};
use crate::error::{Error, Result};
use crate::field::Layer;
use crate::field::{Cosmology, Grid, RHO_CRITICAL};

/// Side of every CAMELS Multifield grid's box in Mpc/h.
const CAMELS_BOX: f64 = 25.0;

/// What the values of a grid are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// `1 + δ`, mean one.
    OnePlusDelta,
    /// `δ`, mean zero.
    Overdensity,
    /// Comoving matter (or dark-matter) density, (M☉/h)/(Mpc/h)³.
    MatterDensity,
    /// Comoving neutral-hydrogen density, (M☉/h)/(Mpc/h)³.
    HydrogenDensity,
    /// 21 cm brightness temperature, mK.
    BrightnessTemperature,
    /// Something else, by its name.
    Other(String),
}

impl Quantity {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::OnePlusDelta | Self::Overdensity => "dark-matter overdensity",
            Self::MatterDensity => "matter density",
            Self::HydrogenDensity => "neutral hydrogen density",
            Self::BrightnessTemperature => "21 cm brightness temperature",
            Self::Other(name) => name,
        }
    }
}

/// A gridded field read from a file.
#[derive(Debug, Clone)]
pub struct GridFile {
    /// The file.
    pub path: PathBuf,
    /// Who wrote it, as far as it can be made out.
    pub format: String,
    /// The values, in `units`.
    pub grid: Grid,
    /// What the values are.
    pub quantity: Quantity,
    /// The unit of the values.
    pub units: String,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// What the file says the field is, a sentence: Halodi's reference maps do.
    pub description: Option<String>,
    /// What had to be inferred, with the reason, each a sentence for the user.
    pub notes: Vec<String>,
}

impl GridFile {
    /// Read the grid in the file at `path`. Where the file holds several,
    /// `selection` names one: the index of a simulation (`.npy`) or a dataset.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no cubic grid of finite numbers.
    pub fn open(path: impl AsRef<Path>, selection: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        let opened = if super::npy::is_npy(path)? { open_npy(path, selection)? } else { open_hdf5(path, selection)? };
        let slice = opened.grid.as_slice();
        if let Some(index) = slice.iter().position(|v| !v.is_finite()) {
            let n = opened.grid.n();
            return Err(Error::input(
                path,
                format!("voxel [{}, {}, {}] is {}", index / n / n, index / n % n, index % n, slice[index]),
                "finite values",
                "Replace or mask such values first",
            ));
        }
        Ok(opened)
    }

    /// The field as `1 + δ`, which is what Halodi predicts from.
    ///
    /// # Errors
    /// [`Error::Input`] where it is no matter field, or has no positive mean.
    pub fn one_plus_delta(&self) -> Result<Grid> {
        let refuse = |found: String| {
            Error::input(&self.path, found, "a dark-matter density or overdensity", "Open the matter field of this box")
        };
        match self.quantity {
            Quantity::OnePlusDelta => Ok(self.grid.clone()),
            Quantity::Overdensity => Ok(self.grid.map(|v| 1.0 + v)),
            Quantity::MatterDensity | Quantity::Other(_) => {
                let mean = self.grid.mean();
                let (lowest, _) = self.grid.range();
                if lowest < 0.0 || mean <= 0.0 {
                    return Err(refuse(format!("its values start at {lowest} and have the mean {mean:.4e}")));
                }
                Ok(self.grid.map(|v| (f64::from(v) / mean) as f32))
            }
            _ => Err(refuse(format!("it holds {}", self.quantity.name()))),
        }
    }

    /// The field as 21 cm brightness temperature in mK: as it is, or from a
    /// density of neutral hydrogen (real space, optically thin).
    ///
    /// # Errors
    /// [`Error::Input`] where it is neither.
    pub fn brightness_temperature(&self) -> Result<Grid> {
        match self.quantity {
            Quantity::BrightnessTemperature => Ok(self.grid.clone()),
            Quantity::HydrogenDensity => {
                let scale = self.cosmology.brightness_temperature_scale(self.redshift) / RHO_CRITICAL;
                Ok(self.grid.map(|v| (f64::from(v) * scale) as f32))
            }
            _ => Err(Error::input(
                &self.path,
                format!("it holds {}", self.quantity.name()),
                "a 21 cm map in mK or a density of neutral hydrogen",
                "Choose another reference",
            )),
        }
    }
}

/// Read a CAMELS Multifield array, or any `.npy` array of cubes.
fn open_npy(path: &Path, selection: Option<&str>) -> Result<GridFile> {
    let header = NpyHeader::open(path)?;
    let (count, n) = header.cubes(path)?;
    let mut notes = Vec::new();
    let index = match selection {
        Some(text) => text.parse().map_err(|_| {
            Error::input(path, format!("cube \"{text}\" was asked for"), "an index", "Append :INDEX, counting from 0")
        })?,
        None => {
            if count > 1 {
                notes.push(format!("The file holds {count} simulations; this is number 0 (append :INDEX for another)"));
            }
            0
        }
    };
    let values = header.read_cube(path, index)?;
    notes.push(format!(
        "A .npy file has no units: the box is taken to be {CAMELS_BOX} Mpc/h, as all of CAMELS Multifield's"
    ));

    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let redshift = redshift_in(&name).unwrap_or_else(|| {
        notes.push("The name says no redshift (z=0.00); taken to be 0".to_owned());
        0.0
    });
    notes.push("The file gives no cosmology; taken to be Halodi's default".to_owned());
    // Grids_HI_IllustrisTNG_CV_256_z=0.00.npy
    let mut words = name.split('_');
    let camels = words.next().is_some_and(|first| first == "Grids");
    let field = if camels { words.next().unwrap_or_default().to_owned() } else { String::new() };
    let grid = Grid { values, box_size: CAMELS_BOX };
    let density = "(Msun/h)/(Mpc/h)³";
    let (quantity, units) = match field.as_str() {
        "Mcdm" | "Mtot" => (Quantity::MatterDensity, density),
        "HI" => (Quantity::HydrogenDensity, density),
        "" => guess(&grid, &mut notes),
        other => (Quantity::Other(format!("CAMELS field {other}")), "CAMELS's"),
    };
    Ok(GridFile {
        path: path.to_path_buf(),
        format: if camels { format!("CAMELS Multifield ({n}³)") } else { "NumPy array".to_owned() },
        grid,
        quantity,
        units: units.to_owned(),
        redshift,
        cosmology: Cosmology::default(),
        description: None,
        notes,
    })
}

/// What unnamed values may be: `δ` has mean zero and goes below, `1 + δ` has
/// mean one, anything else is taken for a density.
fn guess(grid: &Grid, notes: &mut Vec<String>) -> (Quantity, &'static str) {
    let (mean, (lowest, _)) = (grid.mean(), grid.range());
    let (quantity, units) = if mean.abs() < 0.05 && (-1.001..0.0).contains(&lowest) {
        (Quantity::Overdensity, "δ")
    } else if (mean - 1.0).abs() < 0.05 && lowest >= 0.0 {
        (Quantity::OnePlusDelta, "1+δ")
    } else {
        (Quantity::Other("an unnamed field".to_owned()), "unknown")
    };
    notes.push(format!(
        "Values start at {lowest:.4} and have the mean {mean:.4e}: taken to be {}",
        if matches!(quantity, Quantity::Other(_)) { "a density in some unit" } else { units }
    ));
    (quantity, units)
}

/// The redshift in a name such as `Grids_HI_IllustrisTNG_CV_256_z=0.50.npy`.
fn redshift_in(name: &str) -> Option<f64> {
    let rest = name.rsplit_once("z=")?.1;
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..digits].trim_end_matches('.').parse().ok()
}

/// Read a cubic dataset of an HDF5 file.
fn open_hdf5(path: &Path, selection: Option<&str>) -> Result<GridFile> {
    let file = h5::open(path)?;
    if map::is_map(&file) {
        return open_map(path, &file, selection);
    }
    let mut cubes = Vec::new();
    collect_cubes(&file, "", 0, &mut cubes);
    let name = match selection {
        Some(name) => name.trim_start_matches('/').to_owned(),
        None => match cubes.len() {
            1 => cubes.remove(0),
            0 => {
                return Err(Error::input(
                    path,
                    "it holds neither a group Header with particles nor a cubic dataset [N, N, N]",
                    h5::EXPECTED,
                    "Choose a snapshot of the Gadget family or SWIFT, or save the grid",
                ));
            }
            _ => {
                return Err(Error::input(
                    path,
                    format!("it holds {} grids ({})", cubes.len(), cubes.join(", ")),
                    "the name of one of them",
                    format!("Append it to the path, as in FILE:{}", cubes[0]),
                ));
            }
        },
    };
    let dataset = file.dataset(&name).map_err(|_| {
        Error::input(
            path,
            format!("it has no dataset {name}"),
            format!("one of {}", cubes.join(", ")),
            "Check the name",
        )
    })?;
    let mut notes = Vec::new();
    let mut places: Vec<hdf5::Location> = vec![(**dataset).clone(), (**file).clone()];
    places.extend(["Header", "Cosmology"].iter().filter_map(|g| file.group(g).ok()).map(|g| (*g).clone()));
    let find = |names: &[&str]| places.iter().find_map(|p| names.iter().find_map(|n| h5::number(p, n)));
    let box_size =
        find(&["BoxSize", "box_size", "boxsize", "L"]).filter(|l| l.is_finite() && *l > 0.0).unwrap_or_else(|| {
            notes.push(format!("The file gives no BoxSize; taken to be {CAMELS_BOX} Mpc/h"));
            CAMELS_BOX
        });
    // A box of several thousand Mpc/h has no use for 21 cm; in kpc/h it does.
    let box_size = if box_size > 3000.0 {
        notes.push(format!("BoxSize {box_size} is taken to be in kpc/h"));
        box_size / 1000.0
    } else {
        box_size
    };
    let redshift = find(&["Redshift", "redshift", "z"]).unwrap_or_else(|| {
        notes.push("The file gives no Redshift; taken to be 0".to_owned());
        0.0
    });
    let default = Cosmology::default();
    let omega_m = find(&["Omega0", "Omega_m", "omega_m"]);
    if omega_m.is_none() {
        notes.push("The file gives no cosmology; taken to be Halodi's default".to_owned());
    }
    let omega_m = omega_m.unwrap_or(default.omega_m);
    let cosmology = Cosmology {
        omega_m,
        omega_lambda: find(&["OmegaLambda", "Omega_lambda", "omega_lambda"]).unwrap_or(1.0 - omega_m),
        omega_b: find(&["OmegaBaryon", "Omega_b", "omega_b"]).unwrap_or(default.omega_b),
        h: find(&["HubbleParam", "h", "hubble"]).unwrap_or(default.h),
        ..default
    };
    let grid = read_cube(path, &file, &name, box_size)?;
    let declared = ["units", "unit", "Units"].iter().find_map(|n| h5::text(&dataset, n));
    let (quantity, units) = match declared {
        Some(unit) if unit.trim() == "mK" => (Quantity::BrightnessTemperature, unit),
        Some(unit) => (Quantity::Other(name.clone()), unit),
        None => {
            let (quantity, unit) = guess(&grid, &mut notes);
            (quantity, unit.to_owned())
        }
    };
    Ok(GridFile {
        path: path.to_path_buf(),
        format: format!("HDF5 grid ({name})"),
        grid,
        quantity,
        units,
        redshift,
        cosmology,
        description: None,
        notes,
    })
}

/// Read one layer of a map file: the brightness temperature unless another is
/// named.
fn open_map(path: &Path, file: &File, selection: Option<&str>) -> Result<GridFile> {
    let mut map = map::read_map(path)?;
    let names: Vec<String> = map.layers.keys().map(|&layer| map::dataset_name(layer)).collect();
    let layer = match selection {
        Some(name) => map::layer_of(name.trim_start_matches('/')),
        None => [Layer::BrightnessTemperature, Layer::Reference]
            .into_iter()
            .chain(Layer::ALL)
            .find(|layer| map.layers.contains_key(layer)),
    };
    let grid = layer.and_then(|layer| map.layers.remove(&layer));
    let (Some(layer), Some(grid)) = (layer, grid) else {
        return Err(Error::input(
            path,
            format!("it has no layer {}", selection.unwrap_or("at all")),
            format!("one of {}", names.join(", ")),
            "Append its name to the path, as in map.hdf5:dark_matter",
        ));
    };
    let mut notes = vec![format!("The map has the layers {}", names.join(", "))];
    if let Some(provenance) = h5::text(file, "provenance") {
        notes.push(format!("Provenance: {provenance}"));
    }
    Ok(GridFile {
        path: path.to_path_buf(),
        format: "Halodi map".to_owned(),
        grid,
        quantity: match layer {
            Layer::DarkMatter => Quantity::OnePlusDelta,
            Layer::HaloMass(_) => Quantity::Other(layer.name()),
            Layer::ConditionalMean | Layer::Latent | Layer::BrightnessTemperature | Layer::Reference => {
                Quantity::BrightnessTemperature
            }
        },
        units: layer.unit().to_owned(),
        redshift: map.header.redshift,
        cosmology: map.header.cosmology,
        description: map.header.provenance["reference"]["description"].as_str().map(str::to_owned),
        notes,
    })
}

/// Names of all cubic datasets, two groups deep.
fn collect_cubes(group: &hdf5::Group, prefix: &str, depth: usize, cubes: &mut Vec<String>) {
    for name in group.member_names().unwrap_or_default() {
        let full = format!("{prefix}{name}");
        if let Ok(dataset) = group.dataset(&name) {
            if matches!(dataset.shape()[..], [a, b, c] if a == b && b == c && a > 1) {
                cubes.push(full);
            }
        } else if depth < 2
            && let Ok(inner) = group.group(&name)
        {
            collect_cubes(&inner, &format!("{full}/"), depth + 1, cubes);
        }
    }
}

/// Read the dataset `name`, which must have shape `[N, N, N]`.
pub(super) fn read_cube(path: &Path, file: &File, name: &str, box_size: f64) -> Result<Grid> {
    let dataset = file.dataset(name).map_err(|error| h5::damaged(path, &error))?;
    match dataset.shape()[..] {
        [n, b, c] if n == b && n == c && n > 1 => {
            let values = dataset.read_raw::<f32>().map_err(|error| h5::damaged(path, &error))?;
            Ok(Grid::from_values(values, box_size))
        }
        ref shape => Err(Error::input(
            path,
            format!("dataset {name} has shape {shape:?}"),
            "a cube [N, N, N]",
            "Choose another dataset",
        )),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn redshifts_are_found_in_names() {
        assert_eq!(redshift_in("Grids_HI_IllustrisTNG_CV_256_z=0.50.npy"), Some(0.5));
        assert_eq!(redshift_in("Grids_Mtot_Nbody_IllustrisTNG_LH_128_z=2.npy"), Some(2.0));
        assert_eq!(redshift_in("density.npy"), None);
        assert_eq!(redshift_in("z=.npy"), None);
    }

    #[test]
    fn every_matter_field_becomes_the_same_one_plus_delta_and_hydrogen_becomes_temperature() {
        let contrast = Grid { values: Array3::from_shape_fn((2, 2, 2), |(x, ..)| x as f32 - 0.5), box_size: 25.0 };
        let file = |quantity, grid| GridFile {
            path: "a".into(),
            format: String::new(),
            grid,
            quantity,
            units: String::new(),
            redshift: 1.0,
            cosmology: Cosmology::default(),
            description: None,
            notes: Vec::new(),
        };
        let expected = contrast.map(|v| 1.0 + v);
        for (quantity, grid) in [
            (Quantity::Overdensity, contrast.clone()),
            (Quantity::OnePlusDelta, expected.clone()),
            (Quantity::MatterDensity, expected.map(|v| 8.0 * v)),
        ] {
            assert_eq!(file(quantity, grid).one_plus_delta().unwrap(), expected);
        }
        assert!(file(Quantity::BrightnessTemperature, expected.clone()).one_plus_delta().is_err());
        // ρ_HI = ρ_c everywhere is 189 h (1+z)²/E(z) = 288.2 mK at z = 1.
        let hydrogen = file(Quantity::HydrogenDensity, expected.map(|_| RHO_CRITICAL as f32));
        assert!((hydrogen.brightness_temperature().unwrap().mean() - 288.2).abs() < 0.3);
        assert!(file(Quantity::Overdensity, contrast).brightness_temperature().is_err());
    }
}

//! Fields that are gridded already: CAMELS Multifield arrays (`.npy`), FITS
//! cubes, 21cmFAST and Nyx boxes, Halodi's own maps, and any HDF5 file with a
//! cubic dataset.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::File;
use ndarray::Array3;
use serde::Serialize;

use super::fits::{self, FitsCube};
use super::h5::{Parameter, Places};
use super::npy::{self, NpyCube, NpyHeader};
use super::snapshot::header::{cosmology, hubble};
use super::{h5, map};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid, Layer, RHO_CRITICAL};
use crate::memory;

/// Side of every CAMELS Multifield grid's box in Mpc/h.
const CAMELS_BOX: f64 = 25.0;
/// A side without a unit is in Mpc/h up to the first and in kpc/h from the
/// second; in between it could be either.
const MPC_OR_KPC: [f64; 2] = [4500.0, 15_000.0];
/// Planes of a large grid that a look at it reads.
const SAMPLE: usize = 3;
/// Values that a look at a grid reads in full.
const SMALL: usize = 256 * 256 * 256;

/// Names of datasets with the dark matter, the most telling first.
const DARK_MATTER: [&str; 12] = [
    "dark_matter_density",
    "dark_matter",
    "darkmatter",
    "dm_density",
    "rho_dm",
    "overdensity",
    "delta",
    "matter_density",
    "mcdm",
    "mtot",
    "density",
    "rho",
];
/// Parts of names of brightness temperatures.
const TEMPERATURES: [&str; 6] = ["brightness_temp", "brightnesstemp", "delta_t", "dt_b", "t21", "t_21"];

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

/// A gridded field that has been found and described, but not read.
#[derive(Debug, Clone)]
pub struct GridHeader {
    /// The file.
    pub path: PathBuf,
    /// Who wrote it, as far as it can be made out.
    pub format: String,
    /// Voxels per axis.
    pub n: usize,
    /// Side of the box in Mpc/h.
    pub box_size: f64,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// What the file says the field is.
    pub description: Option<String>,
    /// What had to be inferred.
    pub notes: Vec<String>,
    /// What the values are and their unit, where the file says so.
    known: Option<(Quantity, String)>,
    /// Multiplies the file's values.
    scale: f64,
    values: Values,
}

/// A look at the values of a grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridSample {
    /// What the values are.
    pub quantity: Quantity,
    /// Their unit.
    pub units: String,
    /// Their mean.
    pub mean: f64,
    /// The least and the largest.
    pub range: (f32, f32),
    /// Planes that were read; `None` for all.
    pub planes: Option<usize>,
}

/// Where the values are.
#[derive(Debug, Clone)]
enum Values {
    Npy(NpyCube),
    Fits(Box<FitsCube>),
    Hdf5(String),
}

impl Values {
    /// Consecutive planes of the slowest axis in the file.
    fn planes(&self, path: &Path, planes: Range<usize>) -> Result<Vec<f32>> {
        match self {
            Self::Npy(cube) => cube.planes(path, planes),
            Self::Fits(cube) => cube.planes(path, planes),
            Self::Hdf5(name) => {
                let file = h5::open(path)?;
                let dataset = h5::dataset(path, &file, name)?.ok_or_else(|| {
                    Error::input(path, format!("it has no dataset {name}"), "a cubic dataset", "Check the name")
                })?;
                let mut values = Vec::new();
                h5::read_blocks(path, &dataset, planes, |block| {
                    values.extend(block.into_iter().map(|v| v as f32));
                    Ok(())
                })?;
                Ok(values)
            }
        }
    }

    /// Whether the slowest axis is z.
    fn reversed(&self) -> bool {
        match self {
            Self::Npy(cube) => cube.reversed(),
            Self::Fits(cube) => cube.reversed,
            Self::Hdf5(_) => false,
        }
    }
}

impl GridHeader {
    /// Find the grid in the file at `path`. Where the file holds several,
    /// `selection` names one: the index of a simulation (`.npy`) or a dataset.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no cubic grid.
    pub fn open(path: impl AsRef<Path>, selection: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        if npy::is_npy(path)? {
            open_npy(path, selection)
        } else if fits::is_fits(path)? {
            open_fits(path)
        } else {
            open_hdf5(path, selection)
        }
    }

    /// Read the values.
    ///
    /// # Errors
    /// [`Error::Input`] where they cannot be read or are not finite,
    /// [`Error::Setting`] where they do not fit into memory.
    pub fn read(self) -> Result<GridFile> {
        let n = self.n;
        let copies = if self.values.reversed() { 2 } else { 1 };
        memory::check(
            memory::of_fields(n as u64, copies).saturating_add(memory::bytes((n * n) as u64, 8)),
            format!("the grid of {n}³ voxels in {}", self.path.display()),
            "Use a machine with more memory, or a coarser grid",
        )?;
        let values = self.values.planes(&self.path, 0..n)?;
        let mut cube = Array3::from_shape_vec((n, n, n), values).map_err(|_| {
            Error::input(&self.path, "it lacks values", format!("{n}³ of them"), "Copy or download it again")
        })?;
        if self.values.reversed() {
            cube = cube.reversed_axes().as_standard_layout().into_owned();
        }
        let mut grid = Grid { values: cube, box_size: self.box_size };
        if self.scale != 1.0 {
            grid = grid.map(|v| (f64::from(v) * self.scale) as f32);
        }
        if let Some(index) = grid.as_slice().iter().position(|v| !v.is_finite()) {
            return Err(Error::input(
                &self.path,
                format!("voxel [{}, {}, {}] is {}", index / n / n, index / n % n, index % n, grid.as_slice()[index]),
                "finite values",
                "Replace or mask such values first",
            ));
        }
        let mut notes = self.notes;
        let (mean, (lowest, _)) = (grid.mean(), grid.range());
        let (quantity, units) = self.known.unwrap_or_else(|| guess(mean, lowest, &mut notes));
        Ok(GridFile {
            path: self.path,
            format: self.format,
            grid,
            quantity,
            units,
            redshift: self.redshift,
            cosmology: self.cosmology,
            description: self.description,
            notes,
        })
    }

    /// Look at the values: at all of them where they are few, otherwise at some
    /// planes.
    ///
    /// # Errors
    /// [`Error::Input`] where they cannot be read.
    pub fn sample(&mut self) -> Result<GridSample> {
        let n = self.n;
        let all = n.saturating_pow(3) <= SMALL;
        let planes: Vec<Range<usize>> = match all {
            true => std::iter::once(0..n).collect(),
            false => (0..SAMPLE).map(|i| i * (n - 1) / (SAMPLE - 1)).map(|plane| plane..plane + 1).collect(),
        };
        let (mut sum, mut count, mut range) = (0f64, 0usize, (f32::INFINITY, f32::NEG_INFINITY));
        for planes in planes {
            for v in self.values.planes(&self.path, planes)? {
                let v = (f64::from(v) * self.scale) as f32;
                sum += f64::from(v);
                count += 1;
                range = (range.0.min(v), range.1.max(v));
            }
        }
        let mean = sum / count.max(1) as f64;
        if !mean.is_finite() {
            self.notes.push("Some values are not finite: the grid cannot be used".to_owned());
        }
        let (quantity, units) = match &self.known {
            Some(known) => known.clone(),
            None => guess(mean, range.0, &mut self.notes),
        };
        Ok(GridSample { quantity, units, mean, range, planes: (!all).then_some(SAMPLE) })
    }
}

impl GridFile {
    /// Read the grid in the file at `path`. Where the file holds several,
    /// `selection` names one: the index of a simulation (`.npy`) or a dataset.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no cubic grid of finite numbers.
    pub fn open(path: impl AsRef<Path>, selection: Option<&str>) -> Result<Self> {
        GridHeader::open(path, selection)?.read()
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
                Ok(self.grid.over_mean())
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

/// Find a CAMELS Multifield array, or any `.npy` array of cubes.
fn open_npy(path: &Path, selection: Option<&str>) -> Result<GridHeader> {
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
    let cube = header.cube(path, index)?;
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
    let density = "(Msun/h)/(Mpc/h)³".to_owned();
    let known = match field.as_str() {
        "Mcdm" | "Mtot" => Some((Quantity::MatterDensity, density)),
        "HI" => Some((Quantity::HydrogenDensity, density)),
        "" => None,
        other => Some((Quantity::Other(format!("CAMELS field {other}")), "CAMELS's".to_owned())),
    };
    Ok(GridHeader {
        path: path.to_path_buf(),
        format: if camels { format!("CAMELS Multifield ({n}³)") } else { "NumPy array".to_owned() },
        n,
        box_size: CAMELS_BOX,
        redshift,
        cosmology: Cosmology::default(),
        description: None,
        notes,
        known,
        scale: 1.0,
        values: Values::Npy(cube),
    })
}

/// Find the cube in a FITS file.
fn open_fits(path: &Path) -> Result<GridHeader> {
    let cube = FitsCube::open(path)?;
    let mut notes = Vec::new();
    let first = |keys: &[&str]| keys.iter().find_map(|key| cube.number(key));
    let text = |key: &str| cube.cards.get(key).cloned().unwrap_or_default();
    let default = Cosmology::default();
    let h = first(&["HUBBLE", "H0", "HLITTLE", "HUBPARAM"]).and_then(hubble);
    let side = match first(&["BOXSIZE", "BOX_LEN", "BOXLEN", "LBOX"]) {
        Some(side) => Some((side, text("BOXUNIT"))),
        None => cube.number("CDELT1").map(|voxel| (voxel.abs() * cube.n as f64, text("CUNIT1"))),
    };
    let Some((side, unit)) = side.filter(|(side, _)| *side > 0.0) else {
        return Err(no_box(path, "BOXSIZE (and BOXUNIT), or CDELT1 and CUNIT1"));
    };
    let box_size = in_mpc_h(path, "the box", side, Some(&unit).filter(|unit| !unit.is_empty()), h, &mut notes)?;
    let redshift = first(&["REDSHIFT", "Z"]).unwrap_or_else(|| {
        notes.push("The file gives no REDSHIFT; taken to be 0".to_owned());
        0.0
    });
    check_redshift(path, redshift)?;
    let omega_m = first(&["OMEGA_M", "OMEGAM", "OMEGA0", "OM0"]).filter(|v| *v > 0.0 && *v <= 2.0);
    if omega_m.is_none() || h.is_none() {
        notes.push("The file gives no full cosmology (OMEGA_M, HUBBLE); the rest is Halodi's default".to_owned());
    }
    let omega_m = omega_m.unwrap_or(default.omega_m);
    let cosmology = Cosmology {
        omega_m,
        omega_lambda: first(&["OMEGA_L", "OMEGAL"]).unwrap_or(1.0 - omega_m),
        h: h.unwrap_or(default.h),
        ..default
    };
    if !cube.reversed {
        notes.push("The last axis of the FITS image is taken to be x, as NumPy writes it".to_owned());
    }
    let unit = text("BUNIT");
    let (known, scale) = quantity_of(&text("OBJECT").to_lowercase(), Some(unit.as_str()).filter(|u| !u.is_empty()));
    Ok(GridHeader {
        path: path.to_path_buf(),
        format: "FITS cube".to_owned(),
        n: cube.n,
        box_size,
        redshift,
        cosmology,
        description: None,
        notes,
        known,
        scale,
        values: Values::Fits(Box::new(cube)),
    })
}

/// What a name and a unit say of the values, and what brings them to the unit
/// that is given back; `None` for a unit that has to be found from the values.
fn quantity_of(name: &str, unit: Option<&str>) -> (Option<(Quantity, String)>, f64) {
    let temperature = |scale: f64| (Some((Quantity::BrightnessTemperature, "mK".to_owned())), scale);
    let short = name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let bright = TEMPERATURES.iter().any(|part| short.contains(part)) || ["tb", "bt"].contains(&short.as_str());
    match unit.map(str::trim) {
        Some("mK") => temperature(1.0),
        // A temperature in K is the gas's, unless it says otherwise.
        Some("K") if bright || name.is_empty() => temperature(1e3),
        Some("uK" | "µK" | "μK") => temperature(1e-3),
        None | Some("" | "mean" | "1" | "dimensionless") if bright => temperature(1.0),
        None | Some("" | "mean" | "1" | "dimensionless" | "1+δ" | "δ") => (None, 1.0),
        Some(other) => (Some((Quantity::Other(name.to_owned()), other.to_owned())), 1.0),
    }
}

/// What unnamed values may be: `δ` has mean zero and goes below, `1 + δ` has
/// mean one, anything else is taken for a density.
fn guess(mean: f64, lowest: f32, notes: &mut Vec<String>) -> (Quantity, String) {
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
    (quantity, units.to_owned())
}

/// The redshift in a name such as `Grids_HI_IllustrisTNG_CV_256_z=0.50.npy`.
fn redshift_in(name: &str) -> Option<f64> {
    let rest = name.rsplit_once("z=")?.1;
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..digits].trim_end_matches('.').parse().ok()
}

fn check_redshift(path: &Path, redshift: f64) -> Result<()> {
    if redshift.is_finite() && redshift > -1e-3 && redshift < 1e5 {
        return Ok(());
    }
    Err(Error::input(
        path,
        format!("it gives the redshift {redshift}"),
        "a redshift of 0 or above",
        "Choose another file",
    ))
}

fn no_box(path: &Path, names: &str) -> Error {
    Error::input(
        path,
        "it does not say how large the box is",
        format!("a grid with {names}"),
        "Add it to the file: 25.0 as BoxSize is a box of 25 Mpc/h",
    )
}

/// A side with its unit in Mpc/h; without one, what it can only be.
fn in_mpc_h(
    path: &Path,
    name: &str,
    side: f64,
    unit: Option<&String>,
    h: Option<f64>,
    notes: &mut Vec<String>,
) -> Result<f64> {
    if !(side.is_finite() && side > 0.0) {
        return Err(Error::input(path, format!("it gives {name} as {side}"), "a positive side", "Choose another file"));
    }
    let need_h = || {
        h.ok_or_else(|| {
            Error::input(
                path,
                format!("it gives {name} as {side} Mpc and no Hubble parameter"),
                "a side in Mpc/h, or one in Mpc and the Hubble parameter",
                "Add the attribute HubbleParam",
            )
        })
    };
    let Some(unit) = unit else {
        return match side {
            s if s <= MPC_OR_KPC[0] => Ok(s),
            s if s >= MPC_OR_KPC[1] => {
                notes.push(format!("{name} {side} is taken to be in kpc/h: no box is {side} Mpc/h"));
                Ok(side / 1e3)
            }
            _ => Err(Error::input(
                path,
                format!("it gives {name} as {side}, which could be Mpc/h or kpc/h"),
                "a side with its unit",
                "Write the side in Mpc/h, with the attribute BoxSizeUnit = \"Mpc/h\"",
            )),
        };
    };
    let plain: String =
        unit.to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric() || "/^-".contains(*c)).collect();
    let per_h = plain.contains("/h") || plain.contains("h^-1") || plain.contains("h-1") || plain.contains("/littleh");
    let scale = match () {
        () if plain.contains("gpc") => 1e3,
        () if plain.contains("mpc") => 1.0,
        () if plain.contains("kpc") => 1e-3,
        () if plain == "cm" => 1.0 / 3.085_677_58e24,
        () => {
            return Err(Error::input(
                path,
                format!("it gives {name} in the unit {unit}"),
                "Mpc/h, kpc/h, Mpc or kpc",
                "Write the side in Mpc/h",
            ));
        }
    };
    let mpc_h = side * scale * if per_h { 1.0 } else { need_h()? };
    notes.push(format!("{name} is {side} {unit}"));
    Ok(mpc_h)
}

/// Find a cubic dataset of an HDF5 file.
fn open_hdf5(path: &Path, selection: Option<&str>) -> Result<GridHeader> {
    let file = h5::open(path)?;
    if map::is_map(&file) {
        return open_map(path, &file, selection);
    }
    let mut cubes = Vec::new();
    collect_cubes(&file, "", 0, &mut cubes);
    let mut notes = Vec::new();
    let name = match selection {
        Some(name) => name.trim_start_matches('/').to_owned(),
        None => choose(path, &cubes, &mut notes)?,
    };
    let Some(dataset) = h5::dataset(path, &file, &name)? else {
        return Err(Error::input(
            path,
            format!("it has no dataset {name}"),
            format!("one of {}", cubes.join(", ")),
            "Check the name",
        ));
    };
    let n = side_of(path, &name, &dataset)?;
    let mut places = Places::everywhere(&file, 2);
    if let Some(folder) = name.rsplit_once('/').and_then(|(folder, _)| file.group(folder).ok()) {
        places = places.before("", &folder);
    }
    let places = places.before(&name, &dataset);

    let (omega_m, cosmology) = {
        let mut assumed = Vec::new();
        let (omega_m, cosmology) = cosmology(path, &places, &mut assumed)?;
        if places.find(Parameter::OmegaM).is_none() && places.find(Parameter::Hubble).is_none() {
            assumed = vec!["The file gives no cosmology; taken to be Halodi's default".to_owned()];
        } else if omega_m.is_none() {
            assumed.push("The file gives no Ωm; taken to be Halodi's default".to_owned());
        }
        notes.extend(assumed);
        (omega_m, cosmology)
    };
    if omega_m.is_some_and(|omega_m| !(omega_m > 0.0 && omega_m <= 2.0)) {
        return Err(Error::input(
            path,
            format!("it gives Ωm as {}", omega_m.unwrap_or(f64::NAN)),
            "a cosmological box",
            "Choose another file",
        ));
    }
    let h = places.find(Parameter::Hubble).and_then(|found| hubble(found.first()));
    let box_size = box_of(path, &file, &places, h, &mut notes)?;
    let redshift = match (places.find(Parameter::Redshift), places.find(Parameter::ScaleFactor)) {
        (Some(found), _) => found.first(),
        (None, Some(found)) if found.first() > 0.0 => 1.0 / found.first() - 1.0,
        _ => {
            notes.push("The file gives no Redshift; taken to be 0".to_owned());
            0.0
        }
    };
    check_redshift(path, redshift)?;
    let mut start = h5::first_bytes::<6>(path)?;
    start.make_ascii_uppercase();
    if start == b"MATLAB" {
        notes.push("MATLAB writes axes in reverse order: x and z are exchanged".to_owned());
    }
    let unit = ["units", "unit", "Units", "UNITS"].iter().find_map(|n| h5::text(&dataset, n));
    let (known, scale) = quantity_of(&name, unit.as_deref());
    Ok(GridHeader {
        path: path.to_path_buf(),
        format: format!("HDF5 grid ({name})"),
        n,
        box_size,
        redshift: redshift.max(0.0),
        cosmology,
        description: None,
        notes,
        known,
        scale,
        values: Values::Hdf5(name),
    })
}

/// The dataset to open where none is named.
fn choose(path: &Path, cubes: &[String], notes: &mut Vec<String>) -> Result<String> {
    match cubes {
        [one] => return Ok(one.clone()),
        [] => {
            return Err(Error::input(
                path,
                "it holds neither a group Header with particles nor a cubic dataset [N, N, N]",
                h5::EXPECTED,
                "Choose a snapshot of the Gadget family or SWIFT, or save the grid",
            ));
        }
        _ => {}
    }
    for known in DARK_MATTER {
        let named: Vec<&String> = cubes
            .iter()
            .filter(|name| name.rsplit('/').next().is_some_and(|n| n.eq_ignore_ascii_case(known)))
            .collect();
        if let [one] = named[..] {
            notes.push(format!(
                "The file holds {} grids ({}); this is {one} (append :NAME for another)",
                cubes.len(),
                cubes.join(", ")
            ));
            return Ok(one.clone());
        }
    }
    Err(Error::input(
        path,
        format!("it holds {} grids ({})", cubes.len(), cubes.join(", ")),
        "the name of one of them",
        format!("Append it to the path, as in FILE:{}", cubes[0]),
    ))
}

/// Side of the box of an HDF5 grid in Mpc/h.
fn box_of(path: &Path, file: &File, places: &Places, h: Option<f64>, notes: &mut Vec<String>) -> Result<f64> {
    // Nyx: the sides of the domain in Mpc/h.
    if let Some(size) = file.group("domain").ok().and_then(|domain| h5::numbers(&domain, "size")) {
        return in_mpc_h(path, "domain/size", cubic(path, "domain/size", &size)?, None, h, notes);
    }
    let Some(found) = places.find(Parameter::BoxSize) else {
        return Err(no_box(path, "the attribute BoxSize"));
    };
    let side = cubic(path, &found.name, &found.values)?;
    if found.name.rsplit('/').next() == Some("BOX_LEN") {
        // 21cmFAST gives it in Mpc.
        return in_mpc_h(path, &found.name, side, Some(&"Mpc".to_owned()), h, notes);
    }
    let unit = places.text(Parameter::BoxUnit);
    let cm = places.find(Parameter::UnitLength).map(|found| found.first()).filter(|cm| cm.is_finite() && *cm > 0.0);
    if let (None, Some(cm)) = (&unit, cm) {
        let unit = "Mpc/h".to_owned();
        return in_mpc_h(path, &found.name, side * cm / 3.085_677_58e24, Some(&unit), h, notes);
    }
    in_mpc_h(path, &found.name, side, unit.as_ref(), h, notes)
}

/// The one side of a cubic box.
fn cubic(path: &Path, name: &str, sides: &[f64]) -> Result<f64> {
    let side = sides.first().copied().unwrap_or(f64::NAN);
    if sides.iter().all(|s| (s / side - 1.0).abs() < 1e-6) {
        return Ok(side);
    }
    Err(Error::input(path, format!("it gives {name} as {sides:?}"), "a cubic box", "Choose a cubic box"))
}

/// Find one layer of a map file: the brightness temperature unless another is
/// named.
fn open_map(path: &Path, file: &File, selection: Option<&str>) -> Result<GridHeader> {
    let (header, layers) = map::read_header(path, file)?;
    let names: Vec<String> = layers.keys().map(|&layer| map::dataset_name(layer)).collect();
    let layer = match selection {
        Some(name) => map::layer_of(name.trim_start_matches('/')),
        None => [Layer::BrightnessTemperature, Layer::Reference]
            .into_iter()
            .chain(Layer::ALL)
            .find(|layer| layers.contains_key(layer)),
    };
    let Some((layer, n)) = layer.and_then(|layer| Some((layer, *layers.get(&layer)?))) else {
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
    let quantity = match layer {
        Layer::DarkMatter => Quantity::OnePlusDelta,
        Layer::HaloMass(_) => Quantity::Other(layer.name()),
        Layer::ConditionalMean
        | Layer::Latent
        | Layer::BrightnessTemperature
        | Layer::Disagreement
        | Layer::Reference => Quantity::BrightnessTemperature,
    };
    Ok(GridHeader {
        path: path.to_path_buf(),
        format: "Halodi map".to_owned(),
        n,
        box_size: header.box_size,
        redshift: header.map.redshift,
        cosmology: header.map.cosmology,
        description: header.map.provenance["reference"]["description"].as_str().map(str::to_owned),
        notes,
        known: Some((quantity, layer.unit().to_owned())),
        scale: 1.0,
        values: Values::Hdf5(map::dataset_name(layer)),
    })
}

/// Names of all cubic datasets, two groups deep.
fn collect_cubes(group: &hdf5::Group, prefix: &str, depth: usize, cubes: &mut Vec<String>) {
    for name in group.member_names().unwrap_or_default().into_iter().take(1000) {
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

/// Voxels per axis of a dataset, which must have shape `[N, N, N]`.
pub(super) fn side_of(path: &Path, name: &str, dataset: &hdf5::Dataset) -> Result<usize> {
    match dataset.shape()[..] {
        [n, b, c] if n == b && n == c && n > 1 && n <= 1 << 16 => Ok(n),
        ref shape => Err(Error::input(
            path,
            format!("dataset {name} has shape {shape:?}"),
            "a cube [N, N, N]",
            "Choose another dataset",
        )),
    }
}

/// Read the dataset `name`, which must have shape `[N, N, N]`.
pub(super) fn read_cube(path: &Path, file: &File, name: &str, box_size: f64) -> Result<Grid> {
    let dataset = h5::dataset(path, file, name)?
        .ok_or_else(|| Error::input(path, format!("it has no dataset {name}"), "a cubic dataset", "Check the name"))?;
    let n = side_of(path, name, &dataset)?;
    memory::check(
        memory::of_fields(n as u64, 1).saturating_add(64 << 20),
        format!("the grid of {n}³ voxels in {}", path.display()),
        "Use a machine with more memory, or a coarser grid",
    )?;
    let mut values = Vec::with_capacity(n.pow(3));
    h5::read_blocks(path, &dataset, 0..n, |block| {
        values.extend(block.into_iter().map(|v| v as f32));
        Ok(())
    })?;
    Ok(Grid::from_values(values, box_size))
}

#[cfg(test)]
mod tests {
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

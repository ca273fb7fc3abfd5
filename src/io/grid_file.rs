//! Gridded fields in: CAMELS Multifield `.npy` grids and HDF5 maps, Halodi's
//! own among them.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ndarray::Array3;

use super::hdf5_file::{damaged, number, text};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid};

/// Side of a CAMELS box in Mpc/h, which `.npy` grids do not carry.
const CAMELS_BOX: f64 = 25.0;

/// A gridded field and what its file says of it.
#[derive(Debug, Clone)]
pub struct GridFile {
    /// Where it came from.
    pub path: PathBuf,
    /// The values, in `unit`.
    pub grid: Grid,
    /// The name of the dataset, or of the field in a CAMELS file name.
    pub name: String,
    /// The unit of the values, where the file says.
    pub unit: Option<String>,
    /// Redshift, where the file says.
    pub redshift: Option<f64>,
    /// Cosmology, where the file says.
    pub cosmology: Option<Cosmology>,
    /// What had to be inferred, each a sentence.
    pub notes: Vec<String>,
}

impl GridFile {
    /// Whether the name says HI or 21 cm.
    pub fn is_hydrogen(&self) -> bool {
        self.name.starts_with("HI") || self.name.contains("brightness_temperature")
    }
}

/// Read a grid from a `.npy` file of shape `[N, N, N]`, or one of a set of shape
/// `[sims, N, N, N]` chosen by `#INDEX` after the path (0 without).
///
/// # Errors
/// [`Error::Input`] for another shape or type, a missing index, or values that
/// are not finite.
pub fn read_npy(path: &Path) -> Result<GridFile> {
    let (path, index) = split_index(path);
    let expected = "a .npy array of float32 or float64, shape [N, N, N] or [sims, N, N, N], C order";
    let bad = |found: String, action: &str| Error::input(&path, found, expected, action);
    let file = std::fs::File::open(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => bad("no such file".to_owned(), "Check the path"),
        _ => bad(format!("cannot be read ({e})"), "Check that it is a file and that you may read it"),
    })?;
    let length = file.metadata().map(|m| m.len()).unwrap_or(0);
    let mut reader = BufReader::new(file);
    let header = NpyHeader::read(&mut reader)
        .ok_or_else(|| bad("not a .npy file".to_owned(), "Save it with numpy.save, without pickling"))?;
    let size = match header.descr.as_str() {
        "<f4" => 4,
        "<f8" => 8,
        other => return Err(bad(format!("values of type '{other}'"), "Save it as float32")),
    };
    if header.fortran {
        return Err(bad("Fortran order".to_owned(), "Save numpy.ascontiguousarray of it"));
    }
    let (count, shape) = match header.shape[..] {
        [a, b, c] => (1, [a, b, c]),
        [sims, a, b, c] => (sims, [a, b, c]),
        _ => return Err(bad(format!("shape {:?}", header.shape), "Choose a three-dimensional grid")),
    };
    if shape[0] != shape[1] || shape[1] != shape[2] || shape[0] < 2 {
        return Err(bad(format!("shape {:?}", header.shape), "Choose a cubic grid"));
    }
    if index >= count {
        return Err(bad(format!("{count} grids, and none with index {index}"), "Choose a smaller index after '#'"));
    }
    let voxels = shape[0].pow(3);
    let start = header.data_start + (index * voxels * size) as u64;
    if length < start + (voxels * size) as u64 {
        return Err(bad("a file that is cut off".to_owned(), "Copy or download it again"));
    }
    let mut bytes = vec![0u8; voxels * size];
    reader
        .seek(SeekFrom::Start(start))
        .and_then(|_| reader.read_exact(&mut bytes))
        .map_err(|e| bad(format!("cannot be read ({e})"), "Copy or download it again"))?;
    let values: Vec<f32> = if size == 4 {
        bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    } else {
        bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
    };
    check_finite(&path, &values)?;

    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let redshift = stem.split("z=").nth(1).and_then(|z| z.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok());
    // Grids_{field}_{suite}_{set}_{grid}_z={z}
    let camels = stem.strip_prefix("Grids_").and_then(|rest| rest.split('_').next());
    let mut notes =
        vec![format!("A .npy grid does not say how large its box is; taken as CAMELS' {CAMELS_BOX} Mpc/h.")];
    if count > 1 {
        notes.push(format!("Grid {index} of {count}; choose another with '#INDEX' after the path."));
    }
    Ok(GridFile {
        grid: Grid { values: cube(shape[0], values), box_size: CAMELS_BOX },
        name: camels.map_or(stem.clone(), str::to_owned),
        unit: camels.map(|_| "(M☉/h)/(Mpc/h)³".to_owned()),
        redshift,
        cosmology: None,
        notes,
        path,
    })
}

/// Read a grid from an HDF5 file: the dataset `preferred` if it is there, or
/// else the only three-dimensional one.
///
/// # Errors
/// [`Error::Input`] where there is no such dataset or more than one.
pub fn read_hdf5_grid(path: &Path, preferred: Option<&str>) -> Result<GridFile> {
    let file = super::hdf5_file::open(path)?;
    let failed = |e: hdf5::Error| damaged(path, &e);
    let expected = "a cubic three-dimensional dataset";
    let cubes: Vec<String> = file
        .datasets()
        .map_err(failed)?
        .iter()
        .filter(|d| matches!(d.shape()[..], [a, b, c] if a == b && b == c && a > 1))
        .map(|d| d.name().trim_start_matches('/').to_owned())
        .collect();
    let name = match (preferred.filter(|p| cubes.iter().any(|c| c == p)), &cubes[..]) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => {
            return Err(Error::input(path, "HDF5 without a grid or a Header", expected, "Choose a map or a snapshot"));
        }
        (None, many) => {
            return Err(Error::input(
                path,
                format!("several grids ({})", many.join(", ")),
                expected,
                "Keep one grid in the file",
            ));
        }
    };
    let dataset = file.dataset(&name).map_err(failed)?;
    let values = dataset.read_raw::<f32>().map_err(failed)?;
    check_finite(path, &values)?;
    let n = dataset.shape()[0];
    let mut notes = Vec::new();
    let attribute = |key: &str| number(&dataset, key).or_else(|| number(&file, key));
    let box_size = attribute("BoxSize").filter(|b| *b > 0.0).unwrap_or_else(|| {
        notes.push(format!("The file does not say how large its box is; taken as {CAMELS_BOX} Mpc/h."));
        CAMELS_BOX
    });
    let cosmology = attribute("Omega0").map(|omega_m| {
        let default = Cosmology::default();
        Cosmology {
            omega_m,
            omega_lambda: attribute("OmegaLambda").unwrap_or(1.0 - omega_m),
            omega_b: attribute("OmegaBaryon").unwrap_or(default.omega_b),
            h: attribute("HubbleParam").unwrap_or(default.h),
            ..default
        }
    });
    Ok(GridFile {
        path: path.to_path_buf(),
        grid: Grid { values: cube(n, values), box_size },
        unit: text(&dataset, "units").or_else(|| text(&file, "units")),
        redshift: attribute("Redshift"),
        cosmology,
        name,
        notes,
    })
}

fn cube(n: usize, values: Vec<f32>) -> Array3<f32> {
    Array3::from_shape_vec((n, n, n), values).expect("n³ values were read")
}

fn check_finite(path: &Path, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::input(
            path,
            format!("a value that is {} (voxel {at})", values[at]),
            "finite values",
            "Repair the field or choose another",
        )),
    }
}

/// `grids.npy#3` is grid 3 of `grids.npy`.
fn split_index(path: &Path) -> (PathBuf, usize) {
    if !path.exists()
        && let Some((file, index)) = path.to_str().and_then(|p| p.rsplit_once('#'))
        && let Ok(index) = index.parse()
    {
        return (PathBuf::from(file), index);
    }
    (path.to_path_buf(), 0)
}

/// The header of a `.npy` file (NumPy's format, versions 1 to 3).
struct NpyHeader {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
    data_start: u64,
}

impl NpyHeader {
    fn read(reader: &mut impl Read) -> Option<Self> {
        let mut start = [0u8; 8];
        reader.read_exact(&mut start).ok()?;
        if &start[..6] != b"\x93NUMPY" {
            return None;
        }
        let mut length = [0u8; 4];
        let width = if start[6] == 1 { 2 } else { 4 };
        reader.read_exact(&mut length[..width]).ok()?;
        let header_length = u32::from_le_bytes(length) as usize;
        if header_length > 1 << 20 {
            return None;
        }
        let mut header = vec![0u8; header_length];
        reader.read_exact(&mut header).ok()?;
        let header = String::from_utf8(header).ok()?;
        let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
        let shape = after("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
        Some(Self {
            descr: after("'descr'")?.strip_prefix('\'')?.split_once('\'')?.0.to_owned(),
            fortran: after("'fortran_order'")?.starts_with("True"),
            shape: shape
                .split(',')
                .map(str::trim)
                .filter(|s| !s.is_empty())
                .map(|s| s.parse().ok())
                .collect::<Option<_>>()?,
            data_start: (8 + width + header_length) as u64,
        })
    }
}

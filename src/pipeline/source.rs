//! Where a job's dark matter and reference come from.

use std::io::Write;
use std::path::Path;

use super::{JobConfig, Source};
use crate::error::{Error, Result};
use crate::field::{Cosmology, Grid, MassAssignment, RHO_CRITICAL, assign_mass};
use crate::io::{self, GridFile, Opened, Snapshot};
use crate::sim::{HaloFinder, HydrogenModel, find_haloes, paint_hydrogen};

/// The snapshot that comes with Halodi: GADGET-4, dark matter only, 64³
/// particles in 12.5 Mpc/h at z = 1 (made by `assets/demo/make.py`).
const DEMO: &[u8] = include_bytes!("../../assets/demo/gadget4_dm64_L12p5_z1.hdf5");

/// Largest grid that is suggested on its own; larger ones have to be asked for.
const LARGEST_SUGGESTED_GRID: usize = 256;

/// What a job starts from.
pub(super) struct Loaded {
    /// Name for the screen.
    pub name: String,
    /// `1 + δ`.
    pub dark_matter: Grid,
    /// The window that particles were shared out with, if there were particles.
    pub window: Option<MassAssignment>,
    pub redshift: f64,
    pub cosmology: Cosmology,
    /// The reference in mK, and what it is, as a sentence.
    pub reference: Option<(Grid, String)>,
    /// What the user should know about the files.
    pub notes: Vec<String>,
}

/// Read a job's source and reference, and put both on its grid.
pub(super) fn load(config: &JobConfig) -> Result<Loaded> {
    let (name, opened) = match &config.source {
        Source::Demo => ("GADGET-4 demo, 12.5 Mpc/h at z = 1".to_owned(), Opened::Snapshot(Box::new(open_demo()?))),
        Source::File(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            (name, io::open_source(path, Some("dark_matter"))?)
        }
    };
    let mut loaded = match opened {
        Opened::Snapshot(snapshot) => from_snapshot(name, *snapshot, config)?,
        Opened::Grid(grid) => from_grid(name, *grid, config)?,
    };
    if let Some(path) = &config.reference {
        let (reference, notes) = read_reference(path, &loaded)?;
        loaded.reference = Some(reference);
        loaded.notes.extend(notes);
    }
    Ok(loaded)
}

/// The demo snapshot, by way of a temporary file: HDF5 reads files.
fn open_demo() -> Result<Snapshot> {
    let mut file = tempfile::Builder::new()
        .prefix("halodi-demo-")
        .suffix(".hdf5")
        .tempfile()
        .map_err(|e| Error::output(std::env::temp_dir(), e))?;
    file.write_all(DEMO).map_err(|e| Error::output(file.path(), e))?;
    Snapshot::open(file.path())
}

/// About one voxel per particle and axis, rounded down to what tiles divide.
pub fn suggested_grid(particles: u64) -> usize {
    let per_axis = (particles as f64).cbrt().round() as usize;
    (per_axis / 32 * 32).clamp(32, LARGEST_SUGGESTED_GRID)
}

fn from_snapshot(name: String, snapshot: Snapshot, config: &JobConfig) -> Result<Loaded> {
    let Snapshot { header, dark_matter: particles } = snapshot;
    let n = config.grid.unwrap_or_else(|| suggested_grid(particles.len() as u64));
    check_grid(n)?;
    let mass = assign_mass(&particles.positions, |i| particles.mass(i), n, header.box_size, config.assignment);
    let mean = mass.mean();
    let reference = (config.source == Source::Demo && config.reference.is_none()).then(|| {
        let haloes = find_haloes(&particles, header.box_size, HaloFinder::default());
        let model = HydrogenModel::default();
        let map = paint_hydrogen(
            &haloes,
            &particles,
            header.box_size,
            n,
            header.redshift,
            &header.cosmology,
            &model,
            config.assignment,
        );
        let what = format!(
            "Reference: HI painted on the {} friends-of-friends haloes of the snapshot (arXiv:1804.09180).",
            haloes.len()
        );
        (map.brightness_temperature, what)
    });
    Ok(Loaded {
        name,
        dark_matter: mass.map(|v| (f64::from(v) / mean) as f32),
        window: Some(config.assignment),
        redshift: header.redshift,
        cosmology: header.cosmology,
        reference,
        notes: header.notes,
    })
}

fn from_grid(name: String, file: GridFile, config: &JobConfig) -> Result<Loaded> {
    let n = file.grid.n();
    let at = |found: String, expected: &str, action: &str| Error::input(&file.path, found, expected, action);
    if file.is_hydrogen() {
        return Err(at(
            format!("a grid of {}", file.name),
            "dark matter to predict from",
            "Give it as the reference and choose a dark-matter grid",
        ));
    }
    if let Some(asked) = config.grid.filter(|&asked| asked != n) {
        return Err(at(
            format!("a grid of {n}³ voxels"),
            &format!("the {asked}³ that were asked for"),
            "Leave --grid out: a gridded field keeps its grid",
        ));
    }
    check_grid(n)?;
    let (lowest, _) = file.grid.range();
    let mean = file.grid.mean();
    // A density is positive with a positive mean; an overdensity has zero mean.
    let dark_matter = if lowest >= 0.0 && mean > 0.0 {
        file.grid.map(|v| (f64::from(v) / mean) as f32)
    } else if lowest >= -1.0 && mean.abs() < 0.05 {
        file.grid.map(|v| 1.0 + v)
    } else {
        return Err(at(
            format!("values from {lowest} with a mean of {mean:.3}"),
            "a density (nowhere negative) or an overdensity (mean zero, nowhere below −1)",
            "Choose a dark-matter density grid",
        ));
    };
    let mut notes = file.notes;
    let redshift = file.redshift.unwrap_or_else(|| {
        notes.push("The file does not say its redshift; taken as 0.".to_owned());
        0.0
    });
    Ok(Loaded {
        name,
        dark_matter,
        window: None,
        redshift,
        cosmology: file.cosmology.unwrap_or_default(),
        reference: None,
        notes,
    })
}

fn check_grid(n: usize) -> Result<()> {
    if (8..=2048).contains(&n) {
        return Ok(());
    }
    Err(Error::setting(format!("a grid of {n}³ voxels"), "8 to 2048 voxels an axis", "Choose --grid 128"))
}

/// A reference map in mK on the grid of `loaded`.
fn read_reference(path: &Path, loaded: &Loaded) -> Result<((Grid, String), Vec<String>)> {
    let file = match io::open_source(path, Some("brightness_temperature"))? {
        Opened::Grid(grid) => *grid,
        Opened::Snapshot(_) => {
            return Err(Error::input(
                path,
                "a snapshot",
                "a gridded 21 cm or HI map",
                "Make one from it with 'halodi reference'",
            ));
        }
    };
    let (n, box_size) = (loaded.dark_matter.n(), loaded.dark_matter.box_size);
    if file.grid.n() != n || (file.grid.box_size / box_size - 1.0).abs() > 1e-3 {
        return Err(Error::input(
            path,
            format!("{}³ voxels in {} Mpc/h", file.grid.n(), file.grid.box_size),
            format!("the prediction's {n}³ voxels in {box_size} Mpc/h"),
            format!("Choose --grid {} if the box is the same, or another reference", file.grid.n()),
        ));
    }
    let mut notes = Vec::new();
    if file.redshift.is_some_and(|z| (z - loaded.redshift).abs() > 0.01) {
        notes.push(format!(
            "The reference is at z = {:.2} and the snapshot at z = {:.2}.",
            file.redshift.unwrap_or_default(),
            loaded.redshift
        ));
    }
    let is_density = file.unit.as_deref().is_some_and(|unit| unit.contains("M☉") || unit.contains("Msun"));
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if is_density {
        let scale = loaded.cosmology.brightness_temperature_scale(loaded.redshift) / RHO_CRITICAL;
        let what = format!("Reference: {name}, HI density turned into brightness temperature.");
        Ok(((file.grid.map(|v| (f64::from(v) * scale) as f32), what), notes))
    } else {
        Ok(((file.grid, format!("Reference: {name}.")), notes))
    }
}

/// A floor for showing a reference: a hundredth of its mean.
pub(super) fn reference_floor(reference: &Grid) -> f64 {
    (reference.mean() * 1e-2).max(1e-6)
}

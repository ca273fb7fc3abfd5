//! Where a job's dark matter and reference come from.

use std::io::Write;
use std::path::Path;

use super::results::{self, Results};
use super::{JobConfig, Source};
use crate::error::{Error, Result};
use crate::field::{Grid, Layer, MassAssignment};
use crate::io::{self, GridFile, MapHeader, Opened, Snapshot, SnapshotReader};
use crate::memory;
use crate::predict::{DarkMatter, Stage};
use crate::sim::{Frame, HaloFinder, HydrogenModel, find_haloes, paint_hydrogen};

/// The snapshot that comes with Halodi: GADGET-4, dark matter only, 64³
/// particles in 12.5 Mpc/h at z = 1 (made by `assets/demo/make.py`).
const DEMO: &[u8] = include_bytes!("../../assets/demo/gadget4_dm64_L12p5_z1.hdf5");

/// Draws of the demo's reference beside the one that is shown: enough to tell how far they
/// lie apart.
const FURTHER_DRAWS: u64 = 7;

/// What a job starts from.
pub(super) struct Loaded {
    /// Name for the screen.
    pub name: String,
    pub dark_matter: DarkMatter,
    /// The window that particles were shared out with, if there were particles.
    pub window: Option<MassAssignment>,
    /// The reference in mK, and what it is.
    pub reference: Option<(Grid, String)>,
    /// Further draws of the reference, in mK, where its model can be asked for them.
    pub draws: Vec<Grid>,
    /// What the user should know about the files.
    pub notes: Vec<String>,
    /// What else is in the map file that was opened, with the run that made it.
    pub saved: Option<(Results, Option<JobConfig>)>,
}

/// Read a job's source and reference, and put both on its grid.
pub(super) fn load(config: &JobConfig) -> Result<Loaded> {
    let mut loaded = match &config.source {
        Source::Demo => from_demo(config)?,
        Source::File(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            if io::holds_dark_matter(path) {
                from_map(name, path, config)?
            } else {
                match io::open_source(path)? {
                    Opened::Snapshot(reader) => from_snapshot(name, reader, config)?,
                    Opened::Grid(grid) => from_grid(name, &grid, config)?,
                }
            }
        }
    };
    if let Some(path) = &config.reference {
        let density = &loaded.dark_matter.density;
        let on = (density.n(), density.box_size);
        let (reference, what, notes) = read_reference(path, on, loaded.dark_matter.redshift)?;
        loaded.reference = Some((reference, what));
        loaded.notes.extend(notes);
    }
    Ok(loaded)
}

/// The demo snapshot, by way of a temporary file: HDF5 reads files. Its
/// reference is painted on its own haloes.
fn from_demo(config: &JobConfig) -> Result<Loaded> {
    let mut file = tempfile::Builder::new()
        .prefix("halodi-demo-")
        .suffix(".hdf5")
        .tempfile()
        .map_err(|e| Error::output(std::env::temp_dir(), e))?;
    file.write_all(DEMO).map_err(|e| Error::output(file.path(), e))?;
    let reader = SnapshotReader::open(file.path())?;
    let mut loaded = from_snapshot("GADGET-4 demo, 12.5 Mpc/h at z = 1".to_owned(), reader.clone(), config)?;
    if config.reference.is_none() {
        let Snapshot { header, dark_matter: particles } = Snapshot::read(reader)?;
        let haloes = find_haloes(&particles, header.box_size, HaloFinder::default());
        let model = HydrogenModel::default();
        let frame = Frame::of(&header, loaded.dark_matter.density.n(), config.assignment);
        let paint = |model: &HydrogenModel| paint_hydrogen(&haloes, &particles, &frame, model).brightness_temperature;
        loaded.reference = Some((paint(&model), model.describe(haloes.len())));
        loaded.draws =
            (1..=FURTHER_DRAWS).map(|seed| paint(&HydrogenModel { seed: model.seed + seed, ..model })).collect();
    }
    Ok(loaded)
}

fn from_snapshot(name: String, mut reader: SnapshotReader, config: &JobConfig) -> Result<Loaded> {
    if let Some(types) = &config.species {
        reader = reader.with_species(types)?;
    }
    let n = config.grid.unwrap_or_else(|| reader.header().suggested_grid());
    check_grid(n)?;
    let mass = reader.density(n, config.assignment)?;
    let header = reader.into_header();
    Ok(Loaded {
        name,
        dark_matter: DarkMatter { density: mass.over_mean(), redshift: header.redshift, cosmology: header.cosmology },
        window: Some(config.assignment),
        reference: None,
        draws: Vec::new(),
        notes: header.notes,
        saved: None,
    })
}

/// A map file of Halodi's: its dark matter, and what was made of it.
fn from_map(name: String, path: &Path, config: &JobConfig) -> Result<Loaded> {
    let mut map = io::read_map(path)?;
    let density = map.layers.remove(&Layer::DarkMatter).expect("it holds its dark matter");
    fits(path, density.n(), config)?;
    // A folder's map.hdf5 is called by the folder.
    let folder =
        path.parent().filter(|_| name == results::MAP).and_then(Path::file_name).map(|folder| folder.to_string_lossy());
    let name = folder.map_or_else(|| name.clone(), |folder| format!("{folder}/{name}"));
    let MapHeader { redshift, cosmology, provenance } = map.header.clone();
    let window = ["/window", "/reference/assignment"]
        .into_iter()
        .find_map(|place| serde_json::from_value(provenance.pointer(place)?.clone()).ok());
    let described = match provenance["reference"]["description"].as_str() {
        Some(description) => description.to_owned(),
        None => format!("as in {name}"),
    };
    let reference = map.layers.remove(&Layer::Reference).map(|grid| (grid, described));
    // Whoever runs the networks needs the dark matter alone.
    let saved = match config.until {
        Stage::Field => {
            let run = results::run_of(&map.header);
            Some((results::beside(map, path, &density)?, run))
        }
        _ => None,
    };
    let dark_matter = DarkMatter { density, redshift, cosmology };
    Ok(Loaded { name, dark_matter, window, reference, draws: Vec::new(), notes: Vec::new(), saved })
}

fn from_grid(name: String, file: &GridFile, config: &JobConfig) -> Result<Loaded> {
    fits(&file.path, file.grid.n(), config)?;
    Ok(Loaded {
        name,
        dark_matter: DarkMatter { density: file.one_plus_delta()?, redshift: file.redshift, cosmology: file.cosmology },
        window: None,
        reference: None,
        draws: Vec::new(),
        notes: file.notes.clone(),
        saved: None,
    })
}

/// A gridded field of `n³` voxels keeps its own grid.
fn fits(path: &Path, n: usize, config: &JobConfig) -> Result<()> {
    if let Some(asked) = config.grid.filter(|&asked| asked != n) {
        return Err(Error::input(
            path,
            format!("a grid of {n}³ voxels"),
            format!("the {asked}³ that were asked for"),
            "Ask for no grid: a gridded field keeps its own",
        ));
    }
    check_grid(n)
}

fn check_grid(n: usize) -> Result<()> {
    if (8..=2048).contains(&n) {
        // Fields, halo maps and their conditions: what a whole run holds.
        return memory::check(
            memory::of_fields(n as u64, 12),
            format!("a prediction on {n}³ voxels"),
            "Choose a coarser grid",
        );
    }
    Err(Error::setting(format!("a grid of {n}³ voxels"), "8 to 2048 voxels an axis", "Ask for 128, for example"))
}

/// A reference map in mK for a prediction on `n³` voxels in `box_size` Mpc/h at `redshift`, what it is, and what is to
/// be said of it.
pub(super) fn read_reference(
    path: &Path,
    (n, box_size): (usize, f64),
    redshift: f64,
) -> Result<(Grid, String, Vec<String>)> {
    let file = match io::open_source(path)? {
        Opened::Grid(grid) => grid,
        Opened::Snapshot(_) => {
            return Err(Error::input(
                path,
                "a snapshot",
                "a gridded 21 cm or HI map",
                "Make one from it with 'halodi reference'",
            ));
        }
    };
    if file.grid.n() != n || (file.grid.box_size / box_size - 1.0).abs() > 1e-3 {
        return Err(Error::input(
            path,
            format!("{}³ voxels in {} Mpc/h", file.grid.n(), file.grid.box_size),
            format!("the prediction's {n}³ voxels in {box_size} Mpc/h"),
            format!("Predict on a grid of {} if the box is the same, or choose another reference", file.grid.n()),
        ));
    }
    let (mut notes, mut at) = (Vec::new(), String::new());
    if (file.redshift - redshift).abs() > 0.01 {
        notes.push(format!("The reference is at z = {:.2} and the snapshot at z = {redshift:.2}.", file.redshift));
        at = format!(", z = {:.2}", file.redshift);
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let what = match &file.description {
        Some(description) => format!("{description} ({name}{at})"),
        None => format!("{name} ({}{at})", file.quantity.name()),
    };
    Ok((file.brightness_temperature()?, what, notes))
}

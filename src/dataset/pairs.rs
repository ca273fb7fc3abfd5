//! Data sets of other simulations: pairs of dark matter and the truth of its 21 cm map.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::leakage::measure_leakage;
use super::make::{checksums, made_otherwise};
use super::manifest::{BoxRecord, Manifest, Origin, SAME_REDSHIFT, Split, box_name};
use crate::error::{Error, Result};
use crate::field::{DarkMatter, Grid, HALO_MASS_BINS, Layer, MassAssignment};
use crate::io::{GridFile, MapHeader, Opened, SnapshotReader, check_writable, open_source, read_catalogue, write_map};
use crate::sim::{HydrogenModel, ReferenceConfig, ReferenceModel, halo_mass_maps_on_grid, reference};
use crate::stats::cross_spectrum;

/// Least correlation, on the largest scales, of a map with the dark matter that it belongs to.
const CORRELATED: f64 = 0.3;

/// The dark matter of a box and the truth of its 21 cm map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// A snapshot, or a grid of the matter; `FILE#NAME` picks one of several.
    pub dark_matter: PathBuf,
    /// A snapshot with gas, a 21 cm map, or a grid of neutral hydrogen.
    pub truth: PathBuf,
    /// A catalogue of haloes, for dark matter that is a grid. Of a snapshot they are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub haloes: Option<PathBuf>,
    /// The particle types that stand for the dark matter, where the snapshot's own do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub species: Option<Vec<usize>>,
    /// What the box is for.
    pub split: Split,
}

/// The pairs of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairList {
    /// Voxels per axis of boxes whose dark matter and truth are both snapshots; `None` for what
    /// suits the first.
    #[serde(default)]
    pub grid: Option<usize>,
    /// How particles are shared among voxels.
    #[serde(default)]
    pub assignment: MassAssignment,
    /// The boxes.
    #[serde(rename = "pair")]
    pub pairs: Vec<Pair>,
}

/// What the boxes of a data set of pairs have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairsConfig {
    /// Comoving side of every box in Mpc/h.
    pub box_size: f64,
    /// Voxels per axis of the fields.
    pub voxels: usize,
    /// How particles are shared among voxels.
    pub assignment: MassAssignment,
}

impl PairList {
    /// Read a list: TOML with a `[[pair]]` a box, or CSV with a header of the same names
    /// (`dark_matter,truth,haloes,split`). Paths are relative to the list.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that is neither.
    pub fn read(path: &Path) -> Result<Self> {
        const EXPECTED: &str =
            "a list of pairs: [[pair]] in TOML with dark_matter, truth and split, or CSV with these columns";
        let bad = |found: String| Error::input(path, found, EXPECTED, "See 'halodi dataset --help'");
        let text = std::fs::read_to_string(path).map_err(|e| bad(format!("it cannot be read ({e})")))?;
        let csv = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv"));
        let mut list: Self = if csv {
            Self { grid: None, assignment: MassAssignment::default(), pairs: rows(&text).map_err(bad)? }
        } else {
            toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?
        };
        if list.pairs.is_empty() {
            return Err(bad("it has no pair".to_owned()));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for pair in &mut list.pairs {
            let files = [&mut pair.dark_matter, &mut pair.truth];
            files.into_iter().chain(&mut pair.haloes).for_each(|file| *file = folder.join(&*file));
        }
        Ok(list)
    }
}

/// The pairs of a CSV file.
fn rows(text: &str) -> std::result::Result<Vec<Pair>, String> {
    let fields = |line: &str| line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect::<Vec<_>>();
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let header = lines.next().map(|(_, line)| fields(line)).unwrap_or_default();
    let known = ["dark_matter", "truth", "haloes", "split"];
    if let Some(unknown) = header.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("it has a column '{unknown}'"));
    }
    let column = |name: &str| header.iter().position(|column| column == name);
    let needed = |name: &str| column(name).ok_or_else(|| format!("it has no column '{name}'"));
    let (dark_matter, truth, split) = (needed("dark_matter")?, needed("truth")?, needed("split")?);
    lines
        .map(|(number, line)| {
            let cells = fields(line);
            let cell = |at: usize| {
                cells.get(at).filter(|cell| !cell.is_empty()).ok_or_else(|| format!("line {} is too short", number + 1))
            };
            let split = cell(split)?;
            let of = Split::ALL.into_iter().find(|s| s.folder() == split);
            Ok(Pair {
                dark_matter: cell(dark_matter)?.into(),
                truth: cell(truth)?.into(),
                haloes: column("haloes")
                    .and_then(|at| cells.get(at))
                    .filter(|cell| !cell.is_empty())
                    .map(PathBuf::from),
                species: None,
                split: of.ok_or_else(|| format!("line {} has the split '{split}'", number + 1))?,
            })
        })
        .collect()
}

/// Make what is missing of the data set of `list` in `folder`, and measure leakage. `report` hears
/// of the name of each box, how many are done and how many there are, and returns whether to go
/// on. The second value is what the user should know, a sentence each.
///
/// # Errors
/// [`Error::Cancelled`], those of reading and writing, [`Error::Input`] for a pair that does not fit
/// together or to the others, and [`Error::Setting`] where `folder` holds another data set.
pub fn make_from_pairs(
    folder: &Path,
    list: &PairList,
    mut report: impl FnMut(&str, [usize; 2]) -> bool,
) -> Result<(Manifest, Vec<String>)> {
    check_writable(folder)?;
    let mut manifest = Manifest::read(folder)?;
    let mut notes = Vec::new();
    let mut counts = [0; Split::ALL.len()];
    for (done, pair) in list.pairs.iter().enumerate() {
        let index = counts[pair.split as usize];
        counts[pair.split as usize] += 1;
        let name = box_name(pair.split, index);
        if !report(&name, [done, list.pairs.len()]) {
            return Err(Error::Cancelled);
        }
        let record = manifest.iter().flat_map(|m| &m.boxes).find(|b| b.split == pair.split && b.index == index);
        match record.map(|record| record.pair.as_ref() == Some(pair)) {
            Some(true) => continue,
            Some(false) => return Err(made_otherwise(folder)),
            None => {}
        }
        let began = Instant::now();
        let wanted = manifest.as_ref().map(|m| m.config.frame().1).or(list.grid);
        let made = Made::new(pair, wanted, list.assignment)?;
        let config = PairsConfig {
            box_size: made.dark_matter.density.box_size,
            voxels: made.dark_matter.density.n(),
            assignment: list.assignment,
        };
        let manifest = manifest.get_or_insert_with(|| Manifest {
            program: concat!("halodi ", env!("CARGO_PKG_VERSION")).to_owned(),
            config: Origin::Pairs(config.clone()),
            boxes: Vec::new(),
            leakage: None,
        });
        let Origin::Pairs(common) = &manifest.config else { return Err(made_otherwise(folder)) };
        check_alike(pair, &config, common)?;
        notes.extend(made.notes.iter().map(|note| format!("{name}: {note}")));
        let record = made.write(folder, pair, index, began)?;
        manifest.boxes.push(record);
        manifest.leakage = None;
        manifest.write(folder)?;
    }
    let mut manifest = manifest.ok_or_else(|| Error::setting("no pairs", "at least one", "List one"))?;
    if manifest.leakage.is_none() {
        manifest.leakage = measure_leakage(folder, &manifest)?;
        manifest.write(folder)?;
    }
    Ok((manifest, notes))
}

/// Refuse a box on another grid than those before it.
fn check_alike(pair: &Pair, config: &PairsConfig, common: &PairsConfig) -> Result<()> {
    let describe = |c: &PairsConfig| format!("{}³ voxels in {:.4} Mpc/h", c.voxels, c.box_size);
    let alike = config.voxels == common.voxels
        && (config.box_size / common.box_size - 1.0).abs() < 1e-3
        && config.assignment == common.assignment;
    if alike {
        return Ok(());
    }
    Err(Error::input(
        &pair.dark_matter,
        describe(config),
        format!("{}, as the other boxes of the data set", describe(common)),
        "Make a data set of its own for it: the networks know one size of voxels",
    ))
}

/// The fields of a pair.
struct Made {
    dark_matter: DarkMatter,
    halo_mass: Option<[Grid; HALO_MASS_BINS]>,
    haloes: usize,
    truth: Grid,
    /// What the truth is, a part of a sentence.
    description: String,
    notes: Vec<String>,
}

impl Made {
    /// Read a pair, on `wanted` voxels per axis where it can be chosen.
    fn new(pair: &Pair, wanted: Option<usize>, assignment: MassAssignment) -> Result<Self> {
        let config = |model, grid| ReferenceConfig {
            model,
            grid,
            assignment,
            line_of_sight: None,
            hydrogen: HydrogenModel::default(),
            species: pair.species.clone(),
        };
        // Where one of the two is a grid it decides.
        let truth = open_source(&pair.truth)?;
        let wanted = match &truth {
            Opened::Grid(grid) => Some(grid.grid.n()),
            Opened::Snapshot(_) => wanted,
        };
        let (dark_matter, halo_mass, haloes, mut notes) = match open_source(&pair.dark_matter)? {
            Opened::Snapshot(reader) => of_snapshot(pair, reader, &config(ReferenceModel::Haloes, wanted))?,
            Opened::Grid(grid) => of_grid(pair, &grid)?,
        };
        let n = dark_matter.density.n();
        let (truth, redshift, description) = match truth {
            Opened::Grid(grid) => {
                notes.extend(grid.notes.iter().cloned());
                let name = pair.truth.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let what = grid.description.clone().unwrap_or_else(|| grid.quantity.name().to_owned());
                (grid.brightness_temperature()?, grid.redshift, format!("{what} ({name})"))
            }
            Opened::Snapshot(_) => {
                let made = reference(&pair.truth, &config(ReferenceModel::Auto, Some(n)))?;
                notes.extend(made.notes);
                (made.hydrogen.brightness_temperature, made.frame.redshift, made.description)
            }
        };
        let what = |n: usize, side: f64, z: f64| format!("{n}³ voxels in {side:.4} Mpc/h at z = {z:.2}");
        let same = truth.n() == n
            && (truth.box_size / dark_matter.density.box_size - 1.0).abs() < 1e-3
            && (redshift - dark_matter.redshift).abs() < SAME_REDSHIFT;
        if !same {
            return Err(Error::input(
                &pair.truth,
                what(truth.n(), truth.box_size, redshift),
                format!(
                    "{}, as its dark matter {}",
                    what(n, dark_matter.density.box_size, dark_matter.redshift),
                    pair.dark_matter.display()
                ),
                "Pair the two of one simulation and one output, on one grid",
            ));
        }
        // Sides agree to a thousandth; what is written has one.
        let truth = Grid { box_size: dark_matter.density.box_size, ..truth };
        let correlation = cross_spectrum([&truth, &dark_matter.density], [None; 2])?.correlation();
        let largest = correlation.iter().take(4).sum::<f64>() / correlation.len().clamp(1, 4) as f64;
        if largest.is_nan() || largest < CORRELATED {
            notes.push(format!(
                "The 21 cm map hardly follows the dark matter (r = {largest:.2} on the largest scales): are they of one \
                 simulation, with the same order of axes?"
            ));
        }
        Ok(Self { dark_matter, halo_mass, haloes, truth, description, notes })
    }

    /// Write the box into the data set in `folder`.
    fn write(&self, folder: &Path, pair: &Pair, index: usize, began: Instant) -> Result<BoxRecord> {
        let name = box_name(pair.split, index);
        let place = folder.join(&name);
        check_writable(&place)?;
        let fields = place.join("fields.hdf5");
        let DarkMatter { density, redshift, cosmology } = &self.dark_matter;
        let provenance = json!({
            "program": concat!("halodi ", env!("CARGO_PKG_VERSION")),
            "source": { "data_set": name, "pair": pair },
            "reference": { "description": self.description },
        });
        let header = MapHeader { redshift: *redshift, cosmology: *cosmology, provenance };
        let mut layers = vec![(Layer::Reference, &self.truth), (Layer::DarkMatter, density)];
        layers.extend(self.halo_mass.iter().flatten().enumerate().map(|(bin, map)| (Layer::HaloMass(bin), map)));
        write_map(&fields, &header, &layers)?;
        Ok(BoxRecord {
            split: pair.split,
            index,
            redshift: *redshift,
            seed: None,
            pair: Some(pair.clone()),
            truth: self.description.clone(),
            checksums: checksums(folder, &[&fields])?,
            haloes: self.haloes,
            omega_hi: self.truth.mean() / cosmology.brightness_temperature_scale(*redshift),
            mean_brightness_temperature: self.truth.mean(),
            seconds: began.elapsed().as_secs_f64(),
        })
    }
}

/// Dark matter with its haloes, as far as they are known, how many there are, and notes.
type WithHaloes = (DarkMatter, Option<[Grid; HALO_MASS_BINS]>, usize, Vec<String>);

/// The dark matter of a snapshot, in which haloes are found.
fn of_snapshot(pair: &Pair, mut reader: SnapshotReader, config: &ReferenceConfig) -> Result<WithHaloes> {
    if let Some(haloes) = &pair.haloes {
        return Err(Error::input(
            haloes,
            "a catalogue for dark matter that is a snapshot",
            "no catalogue: haloes are found in the snapshot",
            "Leave haloes out of the pair",
        ));
    }
    match reference(&pair.dark_matter, config) {
        Ok(made) => {
            let density = made.dark_matter.expect("a map of haloes comes with its dark matter");
            let matter = DarkMatter { density, redshift: made.frame.redshift, cosmology: made.frame.cosmology };
            Ok((matter, made.halo_mass, made.haloes.len(), made.notes))
        }
        // Dark matter too coarse for haloes is dark matter still.
        Err(Error::Input { .. }) => {
            if let Some(types) = &config.species {
                reader = reader.with_species(types)?;
            }
            let header = reader.header();
            let (redshift, cosmology, mut notes) = (header.redshift, header.cosmology, header.notes.clone());
            let n = config.grid.unwrap_or_else(|| header.suggested_grid());
            let density = reader.density(n, config.assignment)?.over_mean();
            notes.push("No halo was found: HALO cannot learn from this box".to_owned());
            Ok((DarkMatter { density, redshift, cosmology }, None, 0, notes))
        }
        Err(error) => Err(error),
    }
}

/// Gridded dark matter, with the haloes of a catalogue if there is one.
fn of_grid(pair: &Pair, grid: &GridFile) -> Result<WithHaloes> {
    let matter = DarkMatter { density: grid.one_plus_delta()?, redshift: grid.redshift, cosmology: grid.cosmology };
    let Some(path) = &pair.haloes else { return Ok((matter, None, 0, grid.notes.clone())) };
    let catalogue = read_catalogue(path)?;
    let (side, z) = (matter.density.box_size, matter.redshift);
    if (catalogue.box_size / side - 1.0).abs() > 1e-3 || (catalogue.redshift - z).abs() > SAME_REDSHIFT {
        return Err(Error::input(
            path,
            format!("haloes in {:.4} Mpc/h at z = {:.2}", catalogue.box_size, catalogue.redshift),
            format!("those of {side:.4} Mpc/h at z = {z:.2}, as {}", pair.dark_matter.display()),
            "Choose the catalogue of the same output",
        ));
    }
    let maps = halo_mass_maps_on_grid(&catalogue.groups, &matter.density, &matter.cosmology);
    Ok((matter, Some(maps), catalogue.groups.len(), grid.notes.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_in_toml_and_csv_say_the_same_and_mistakes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            PairList::read(&path)
        };
        let toml = read(
            "pairs.toml",
            "[[pair]]\ndark_matter = \"m.npy:1\"\ntruth = \"hi.npy:1\"\nsplit = \"train\"\n\
             [[pair]]\ndark_matter = \"m.npy\"\ntruth = \"/t.hdf5\"\nhaloes = \"fof.hdf5\"\nsplit = \"test\"\n",
        )
        .unwrap();
        let csv = read(
            "pairs.csv",
            "dark_matter, truth, haloes, split\nm.npy:1, hi.npy:1, , train\n\n\"m.npy\", /t.hdf5, fof.hdf5, test\n",
        )
        .unwrap();
        assert_eq!(toml, csv);
        assert_eq!(toml.pairs[0].dark_matter, folder.path().join("m.npy:1"));
        assert_eq!(toml.pairs[1].truth, Path::new("/t.hdf5"));
        assert_eq!((toml.pairs[0].split, toml.pairs[1].split), (Split::Train, Split::Test));
        for (name, text, part) in [
            ("a.csv", "dark_matter,truth\na,b\n", "no column 'split'"),
            ("b.csv", "dark_matter,truth,split\na,b,training\n", "line 2 has the split 'training'"),
            ("c.csv", "dark_matter,truth,split,seed\n", "a column 'seed'"),
            ("d.toml", "grid = 32\npair = []\n", "no pair"),
            ("e.toml", "[[pair]]\ndark_matter = \"a\"\nsplit = \"train\"\n", "truth"),
        ] {
            let message = read(name, text).unwrap_err().to_string();
            assert!(message.contains(part) && message.contains(name), "{message}");
        }
    }
}

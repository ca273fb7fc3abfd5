//! `halodi seams`: what a map shows of the tiles it was made of.

use std::path::{Path, PathBuf};

use super::{names, print, print_notes, to_json};
use crate::error::{Error, Result};
use crate::field::Grid;
use crate::figure::{Format, PROGRAM};
use crate::io::{self, GridFile, Opened, atomic, open_source};
use crate::memory;
use crate::report::{FigureFiles, SeamsReport, write_seams_figure};
use crate::stats;

/// Look for seams between tiles in gridded maps
///
/// Squared jumps, steps, mean and variance at the faces of tiles against those elsewhere, each with its significance, and
/// a sentence that says what they come to.
#[derive(Debug, clap::Args)]
pub struct Seams {
    /// Maps: Halodi's map.hdf5, .npy, FITS or any HDF5 grid (FILE:NAME picks one of several)
    #[arg(required = true, value_name = "MAP")]
    maps: Vec<PathBuf>,
    /// A map of the same box to compare with: the truth, or a map painted in one window from the same noise
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Voxels an axis of a tile [default: whichever lattice shows most]
    #[arg(long, value_name = "N")]
    tile: Option<usize>,
    /// Folder for a figure, the jump profile (CSV) and all numbers (JSON) of each map
    #[arg(long)]
    out: Option<PathBuf>,
    /// What the figure is written as, several with commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "png")]
    figures: Vec<Format>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

impl Seams {
    /// Measure each map and print what was found.
    ///
    /// # Errors
    /// [`Error::Input`] where a map cannot be read, [`Error::Setting`] for tiles that do not divide it or a
    /// reference of another box.
    pub fn run(&self) -> Result<()> {
        if let Some(folder) = &self.out {
            io::check_writable(folder)?;
        }
        let reference = self.reference.as_deref().map(read).transpose()?;
        let mut reports = Vec::new();
        for (path, name) in self.maps.iter().zip(names(&self.maps)) {
            let map = read(path)?;
            let (seams, verdict) = match self.tile {
                Some(tile) => {
                    let seams = stats::Seams::new(&map.grid, tile)?;
                    let verdict = seams.verdict(1.0);
                    (seams, verdict)
                }
                None => stats::Seams::on_any_lattice(&map.grid)?,
            };
            let against = reference.as_ref().map(|other| against(&map, other, &seams)).transpose()?;
            let report = SeamsReport {
                map: path.display().to_string(),
                reference: self.reference.as_ref().map(|path| path.display().to_string()),
                verdict,
                seams,
                against,
            };
            if let Some(folder) = &self.out {
                self.write(folder, &name.replace(['/', '\\', ':', '#'], "_"), &report, &map)?;
            }
            if !self.json {
                print(&format!("{}\n{}\n\n", report.table(), report.verdict.sentence))?;
            }
            reports.push(report);
        }
        if self.json { print(&to_json(&reports)) } else { Ok(()) }
    }

    fn write(&self, folder: &Path, name: &str, report: &SeamsReport, map: &GridFile) -> Result<()> {
        let path = |end: &str| folder.join(format!("{name}.seams.{end}"));
        let caption = format!(
            "{PROGRAM}: {} of {}, normal scores. Shaded and bars: one standard error.",
            map.quantity.name(),
            report.map
        );
        atomic::write(path("json"), to_json(report).as_bytes())?;
        atomic::write(path("csv"), report.csv().as_bytes())?;
        let figure = FigureFiles::new(folder.join(format!("{name}.seams")), &self.figures, caption);
        write_seams_figure(&figure, report).map(drop)
    }
}

fn against(map: &GridFile, other: &GridFile, seams: &stats::Seams) -> Result<stats::Against> {
    let (a, b) = (&map.grid, &other.grid);
    if a.n() != b.n() || (a.box_size / b.box_size - 1.0).abs() > 1e-3 {
        return Err(Error::input(
            &other.path,
            format!("{}³ voxels in {} Mpc/h", b.n(), b.box_size),
            format!("the map's {}³ voxels in {} Mpc/h", a.n(), a.box_size),
            "Compare with a map of the same box on the same grid",
        ));
    }
    let other = Grid { values: b.values.clone(), box_size: a.box_size };
    stats::Against::new(a, &other, seams.tile, seams.offset)
}

/// A gridded map.
fn read(path: &Path) -> Result<GridFile> {
    let Opened::Grid(file) = open_source(path)? else {
        return Err(Error::input(
            path,
            "a snapshot",
            "a gridded map",
            "Predict a map from it with 'halodi predict', and give its map.hdf5",
        ));
    };
    print_notes(&file.notes);
    // Scores, their order and a transform.
    memory::check(
        memory::of_fields(file.grid.n() as u64, 6),
        format!("a map of {}³ voxels", file.grid.n()),
        "Give a smaller map",
    )?;
    Ok(file)
}

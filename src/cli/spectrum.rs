//! `halodi spectrum`: the power spectrum of a snapshot or a grid, and how two
//! of them correlate.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{print, print_notes, to_json};
use crate::error::{Error, Result};
use crate::field::{Grid, MassAssignment};
use crate::io::table::{SpectrumTable, spectra_csv};
use crate::io::{GridFile, Opened, Quantity, open_source};
use crate::memory;
use crate::stats::{PowerSpectrum, cross_spectrum, power_spectrum};

/// Print the power spectrum of a snapshot's dark matter, of a grid or of a map
#[derive(Debug, Args)]
pub struct Spectrum {
    /// Snapshot, grid or map (FILE:NAME picks one of several grids)
    file: PathBuf,
    /// Print the cross-correlation r(k) and the transfer function T(k) = √(P/P_other) with this file too
    #[arg(long, value_name = "FILE")]
    cross: Option<PathBuf>,
    /// Voxels per axis for particles [default: that of the other file's grid, or what suits the particles]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(4..=4096))]
    grid: Option<u64>,
    /// How particles are assigned to the grid
    #[arg(long, value_enum, default_value_t)]
    assignment: MassAssignment,
    /// Particle types that stand for the dark matter, as in 1,2 [default: what they are in the snapshot]
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    species: Option<Vec<usize>>,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV
    #[arg(long)]
    csv: bool,
}

/// A field ready to transform.
struct Field {
    grid: Grid,
    /// The window to divide out, for a field made of particles here.
    window: Option<MassAssignment>,
    /// What the power is of.
    name: String,
    /// Unit of the power.
    units: &'static str,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    field: &'a str,
    units: &'a str,
    voxels_per_axis: usize,
    box_size_mpc_h: f64,
    window: Option<MassAssignment>,
    spectrum: &'a PowerSpectrum,
    dimensionless: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cross: Option<CrossReport<'a>>,
}

#[derive(Debug, Serialize)]
struct CrossReport<'a> {
    field: &'a str,
    units: &'a str,
    power: &'a [f64],
    correlation: &'a [f64],
    transfer: &'a [f64],
}

impl Spectrum {
    /// Run the command.
    ///
    /// # Errors
    /// [`Error::Input`] where a file cannot be read, [`Error::Setting`] where
    /// the two have different boxes or grids.
    pub fn run(&self) -> Result<()> {
        let first = self.open(&self.file)?;
        let second = self.cross.as_ref().map(|path| self.open(path)).transpose()?;
        // Particles can go on any grid, so a grid on either side decides.
        let grid_of = |opened: &Opened| match opened {
            Opened::Grid(file) => Some(file.grid.n()),
            Opened::Snapshot(_) => None,
        };
        let suggested = |opened: &Opened| match opened {
            Opened::Grid(file) => file.grid.n(),
            Opened::Snapshot(reader) => reader.header().suggested_grid(),
        };
        let n = self.grid.map(|n| n as usize);
        let n = n.or_else(|| grid_of(&first)).or_else(|| second.as_ref().and_then(grid_of));
        let n = n.unwrap_or_else(|| suggested(&first));

        // A field, its contrast and its transform, for each of the two.
        let fields = if second.is_some() { 6 } else { 4 };
        memory::check(
            memory::of_fields(n as u64, fields),
            format!("a grid of {n}³ voxels"),
            "Choose a smaller --grid",
        )?;

        let a = self.field(first, &self.file, n)?;
        let Some(second) = second else {
            let spectrum = power_spectrum(&a.grid, a.window);
            finite(&a, &spectrum)?;
            return print(&self.show(&a, &spectrum, None));
        };
        let b = self.field(second, self.cross.as_deref().unwrap_or(&self.file), n)?;
        let cross = cross_spectrum([&a.grid, &b.grid], [a.window, b.window])?;
        finite(&a, &cross.first)?;
        finite(&b, &cross.second)?;
        let report = CrossReport {
            field: &b.name,
            units: b.units,
            power: &cross.second.power,
            correlation: &cross.correlation(),
            transfer: &cross.transfer(),
        };
        print(&self.show(&a, &cross.first, Some(report)))
    }

    /// Open a file and say what had to be inferred.
    fn open(&self, path: &Path) -> Result<Opened> {
        let mut opened = open_source(path)?;
        if let (Opened::Snapshot(reader), Some(types)) = (&opened, &self.species) {
            opened = Opened::Snapshot(reader.clone().with_species(types)?);
        }
        print_notes(opened.notes());
        Ok(opened)
    }

    fn field(&self, opened: Opened, path: &Path, n: usize) -> Result<Field> {
        match opened {
            Opened::Snapshot(reader) => Ok(Field {
                grid: reader.density(n, self.assignment)?.overdensity(),
                window: Some(self.assignment),
                name: format!("dark matter of {}", path.display()),
                units: "(Mpc/h)³",
            }),
            Opened::Grid(file) => {
                if self.grid.is_some_and(|wanted| wanted as usize != file.grid.n()) {
                    return Err(Error::setting(
                        format!("--grid {n} for a file that is gridded on {}³", file.grid.n()),
                        "the file's own grid",
                        "Leave --grid out",
                    ));
                }
                gridded(&file)
            }
        }
    }

    fn show(&self, field: &Field, spectrum: &PowerSpectrum, cross: Option<CrossReport>) -> String {
        let window = field.window.map_or("none".to_owned(), |w| w.name().to_owned());
        let title = format!(
            "{}, {}³ voxels in {} Mpc/h, window divided out: {window}, shot noise kept",
            field.name,
            field.grid.n(),
            field.grid.box_size
        );
        let dimensionless = spectrum.dimensionless();
        if self.json {
            return to_json(&Report {
                field: &field.name,
                units: field.units,
                voxels_per_axis: field.grid.n(),
                box_size_mpc_h: field.grid.box_size,
                window: field.window,
                spectrum,
                dimensionless,
                cross,
            });
        }
        if self.csv && cross.is_none() {
            let table = SpectrumTable { name: &field.name, units: field.units, spectrum };
            if let Ok(text) = spectra_csv(&[table], &title) {
                return text;
            }
        }
        let mut out = format!("# {title}\n");
        let mut columns =
            vec!["k [h/Mpc]".to_owned(), format!("P [{}]", field.units), "Δ²".to_owned(), "modes".to_owned()];
        if let Some(cross) = &cross {
            let _ = writeln!(out, "# compared with {}", cross.field);
            columns.extend([format!("P other [{}]", cross.units), "r".to_owned(), "T".to_owned()]);
        }
        let _ = writeln!(out, "# shells beyond k_Nyquist = {:.4} h/Mpc are left out", spectrum.k_nyquist);
        let separator = if self.csv { "," } else { "  " };
        let join = |cells: Vec<String>| {
            let cells = cells.into_iter().map(|c| if self.csv { c } else { format!("{c:>14}") });
            cells.collect::<Vec<_>>().join(separator) + "\n"
        };
        out += &join(columns);
        for i in 0..spectrum.complete_shells() {
            let mut cells = vec![
                format!("{:.6}", spectrum.k[i]),
                format!("{:.6e}", spectrum.power[i]),
                format!("{:.6e}", dimensionless[i]),
                spectrum.modes[i].to_string(),
            ];
            if let Some(cross) = &cross {
                cells.push(format!("{:.6e}", cross.power[i]));
                cells.push(format!("{:.6}", cross.correlation[i]));
                cells.push(format!("{:.6}", cross.transfer[i]));
            }
            out += &join(cells);
        }
        out
    }
}

/// See that a spectrum is one of numbers.
fn finite(field: &Field, spectrum: &PowerSpectrum) -> Result<()> {
    match spectrum.power.iter().position(|p| !p.is_finite()) {
        Some(shell) => Err(Error::NotFinite {
            found: format!("the power of {} at k = {:.3} h/Mpc is no number", field.name, spectrum.k[shell]),
        }),
        None => Ok(()),
    }
}

/// The fluctuation whose power is asked for: `δ` of a density, the temperature
/// itself for a 21 cm map.
fn gridded(file: &GridFile) -> Result<Field> {
    let (grid, units) = match file.quantity {
        Quantity::BrightnessTemperature => (file.grid.clone(), "mK² (Mpc/h)³"),
        Quantity::Overdensity => (file.grid.clone(), "(Mpc/h)³"),
        _ => (file.grid.overdensity(), "(Mpc/h)³"),
    };
    Ok(Field { grid, window: None, name: format!("{} of {}", file.quantity.name(), file.path.display()), units })
}

//! `halodi inspect`: what a file is and what Halodi would do with it.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{print, to_json};
use crate::error::Result;
use crate::field::Cosmology;
use crate::io::{
    CatalogueHeader, FileKind, GridHeader, GridSample, Quantity, SnapshotReader, identify, split_selection,
};

/// Say what a file is: box, redshift, cosmology, particles or voxels, and the grid that suits it
#[derive(Debug, Args)]
pub struct Inspect {
    /// Snapshot (file, piece, folder or stem), grid (.npy, HDF5 or FITS; FILE:NAME picks one of several), map or
    /// halo catalogue
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Everything `inspect` says of a file.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Summary {
    Snapshot(SnapshotSummary),
    Grid(GridSummary),
    GroupCatalogue(CatalogueHeader),
}

#[derive(Debug, Serialize)]
struct SnapshotSummary {
    path: PathBuf,
    files: usize,
    format: String,
    box_size_mpc_h: f64,
    redshift: f64,
    cosmology: Cosmology,
    particles: Vec<TypeSummary>,
    /// Total mass over volume, over Ωm ρc.
    mean_density_over_matter: f64,
    mean_separation_mpc_h: f64,
    suggested_grid: usize,
    voxel_mpc_h: f64,
    k_nyquist_h_mpc: f64,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TypeSummary {
    particle_type: usize,
    name: &'static str,
    count: u64,
    mean_mass_msun_h: f64,
}

#[derive(Debug, Serialize)]
struct GridSummary {
    path: PathBuf,
    format: String,
    quantity: Quantity,
    units: String,
    voxels_per_axis: usize,
    box_size_mpc_h: f64,
    voxel_mpc_h: f64,
    k_nyquist_h_mpc: f64,
    redshift: f64,
    cosmology: Cosmology,
    mean: f64,
    range: (f32, f32),
    /// Planes that mean and range are of; `null` for all.
    planes: Option<usize>,
    notes: Vec<String>,
}

impl Inspect {
    /// Run the command.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) where the file cannot be read.
    pub fn run(&self) -> Result<()> {
        let (path, selection) = split_selection(&self.file);
        let summary = match identify(&path)? {
            FileKind::Snapshot => Summary::Snapshot(snapshot(&SnapshotReader::open(&path)?)),
            FileKind::Grid => {
                let mut header = GridHeader::open(&path, selection.as_deref())?;
                let sample = header.sample()?;
                Summary::Grid(grid(header, sample))
            }
            FileKind::GroupCatalogue => Summary::GroupCatalogue(CatalogueHeader::open(&path)?),
        };
        print(&if self.json { to_json(&summary) } else { summary.to_text() })
    }
}

fn snapshot(reader: &SnapshotReader) -> SnapshotSummary {
    let header = reader.header();
    let particles = header.counts.iter().zip(reader.masses()).enumerate().filter(|(_, (count, _))| **count > 0);
    let particles = particles.map(|(particle_type, (&count, &mass))| TypeSummary {
        particle_type,
        name: header.species[particle_type].name(),
        count,
        mean_mass_msun_h: mass / count as f64,
    });
    let density = reader.masses().iter().sum::<f64>() / header.box_size.powi(3);
    let suggested_grid = header.suggested_grid();
    SnapshotSummary {
        path: header.path.clone(),
        files: header.files.len(),
        format: header.format.clone(),
        box_size_mpc_h: header.box_size,
        redshift: header.redshift,
        cosmology: header.cosmology,
        particles: particles.collect(),
        mean_density_over_matter: density / header.cosmology.mean_matter_density(),
        mean_separation_mpc_h: header.mean_separation(),
        suggested_grid,
        voxel_mpc_h: header.box_size / suggested_grid as f64,
        k_nyquist_h_mpc: std::f64::consts::PI * suggested_grid as f64 / header.box_size,
        notes: header.notes.clone(),
    }
}

fn grid(file: GridHeader, sample: GridSample) -> GridSummary {
    GridSummary {
        voxels_per_axis: file.n,
        box_size_mpc_h: file.box_size,
        voxel_mpc_h: file.box_size / file.n as f64,
        k_nyquist_h_mpc: std::f64::consts::PI * file.n as f64 / file.box_size,
        mean: sample.mean,
        range: sample.range,
        planes: sample.planes,
        path: file.path,
        format: file.format,
        quantity: sample.quantity,
        units: sample.units,
        redshift: file.redshift,
        cosmology: file.cosmology,
        notes: file.notes,
    }
}

impl Summary {
    fn to_text(&self) -> String {
        let mut text = Text::default();
        match self {
            Self::Snapshot(s) => {
                let pieces = if s.files == 1 { String::new() } else { format!(", {} files", s.files) };
                text.line("file", s.path.display().to_string());
                text.line("kind", format!("{} snapshot{pieces}", s.format));
                text.line("box", format!("{:.6} Mpc/h", Number(s.box_size_mpc_h)));
                text.line("redshift", format!("{:.4}", s.redshift));
                text.cosmology(&s.cosmology);
                for p in &s.particles {
                    let type_label = format!("PartType{}", p.particle_type);
                    let cube = (p.count as f64).cbrt().round() as u64;
                    let cube = if cube.pow(3) == p.count { format!(" = {cube}³") } else { String::new() };
                    text.line(
                        &type_label,
                        format!("{}{cube} {}, mean mass {:.4e} Msun/h", p.count, p.name, p.mean_mass_msun_h),
                    );
                }
                text.line("density", format!("{:.4} Ωm ρc, all particles", s.mean_density_over_matter));
                if s.mean_separation_mpc_h.is_finite() {
                    text.line(
                        "separation",
                        format!("{:.4} Mpc/h between dark-matter particles", s.mean_separation_mpc_h),
                    );
                    text.line(
                        "grid",
                        format!(
                            "{0}³ suggested: voxel {1:.4} Mpc/h, k_Nyquist {2:.2} h/Mpc",
                            s.suggested_grid, s.voxel_mpc_h, s.k_nyquist_h_mpc
                        ),
                    );
                } else {
                    text.line("grid", "none: there is no dark matter (PartType1) to predict from".to_owned());
                }
                text.notes(&s.notes);
            }
            Self::Grid(g) => {
                text.line("file", g.path.display().to_string());
                text.line("kind", format!("{}: {} in {}", g.format, g.quantity.name(), g.units));
                text.line("box", format!("{:.6} Mpc/h", Number(g.box_size_mpc_h)));
                text.line("redshift", format!("{:.4}", g.redshift));
                text.cosmology(&g.cosmology);
                text.line(
                    "grid",
                    format!(
                        "{}³: voxel {:.4} Mpc/h, k_Nyquist {:.2} h/Mpc",
                        g.voxels_per_axis, g.voxel_mpc_h, g.k_nyquist_h_mpc
                    ),
                );
                let of = g.planes.map_or(String::new(), |planes| format!(", of {planes} planes"));
                text.line("values", format!("mean {:.6e}, from {:.4e} to {:.4e}{of}", g.mean, g.range.0, g.range.1));
                text.notes(&g.notes);
            }
            Self::GroupCatalogue(c) => {
                text.line("file", c.path.display().to_string());
                text.line("kind", format!("catalogue of {} groups (FoF or SUBFIND), not a snapshot", c.groups));
                if let Some(z) = c.redshift {
                    text.line("redshift", format!("{z:.4}"));
                }
                if let Some(side) = c.box_size {
                    text.line("box", format!("{:.6} Mpc/h", Number(side)));
                }
                text.notes(&c.notes);
                text.notes(&["Halodi predicts from particles: open the snapshot of the same number".to_owned()]);
            }
        }
        text.0
    }
}

/// Labelled lines.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, label: &str, value: String) {
        let _ = writeln!(self.0, "{label:<12}{value}");
    }

    fn cosmology(&mut self, c: &Cosmology) {
        self.line(
            "cosmology",
            format!(
                "Ωm {}, ΩΛ {}, Ωb {}, h {}, ns {}, σ8 {}",
                c.omega_m, c.omega_lambda, c.omega_b, c.h, c.n_s, c.sigma_8
            ),
        );
    }

    fn notes(&mut self, notes: &[String]) {
        for note in notes {
            self.line("note", format!("{note}."));
        }
    }
}

/// A number printed with at most the given decimals and no trailing zeros.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.*}", f.precision().unwrap_or(6), self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

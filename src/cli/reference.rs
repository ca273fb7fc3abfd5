//! `halodi reference`: a 21 cm map to compare with, from any snapshot.

use std::path::PathBuf;

use serde_json::json;

use crate::error::Result;
use crate::field::MassAssignment;
use crate::io;
use crate::sim::{Axis, HydrogenModel, ReferenceConfig, ReferenceModel, check_output, reference};

/// Make a 21 cm reference map from a snapshot's haloes or gas
#[derive(Debug, clap::Args)]
pub struct Reference {
    /// Snapshot (Gadget family or SWIFT, HDF5 or Gadget binary)
    snapshot: PathBuf,
    /// Map file to write: the reference, the dark matter and the halo maps
    #[arg(long)]
    out: PathBuf,
    /// Where the HI comes from
    #[arg(long, value_enum, default_value_t)]
    model: ReferenceModel,
    /// Voxels per axis [default: what suits the snapshot]
    #[arg(long)]
    grid: Option<usize>,
    /// How particles are shared among voxels
    #[arg(long, value_enum, default_value_t)]
    assignment: MassAssignment,
    /// Make the map in redshift space along this axis
    #[arg(long, value_enum, value_name = "AXIS")]
    redshift_space: Option<Axis>,
    /// Scatter of a halo's HI mass, dex
    #[arg(long, default_value_t = HydrogenModel::default().scatter)]
    scatter: f64,
    /// Seed of the scatter
    #[arg(long, default_value_t = HydrogenModel::default().seed)]
    seed: u64,
    /// Particle types that stand for the dark matter, as in 1,2 [default: what they are in the snapshot]
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    species: Option<Vec<usize>>,
    /// Write the haloes here too, as a Gadget FoF catalogue
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

impl Reference {
    /// Make the map and write it.
    ///
    /// # Errors
    /// Those of [`reference`] and of writing.
    pub fn run(&self) -> Result<()> {
        check_output(&self.out)?;
        let config = ReferenceConfig {
            model: self.model,
            grid: self.grid,
            assignment: self.assignment,
            line_of_sight: self.redshift_space,
            hydrogen: HydrogenModel { scatter: self.scatter, seed: self.seed, ..HydrogenModel::default() },
            species: self.species.clone(),
        };
        let made = reference(&self.snapshot, &config)?;
        super::print_notes(&made.notes);
        made.write(&self.out, &json!(self.snapshot))?;
        let mut written = format!("{}\n", self.out.display());
        if let Some(path) = &self.catalogue {
            io::write_catalogue(path, &made.catalogue())?;
            written += &format!("{}\n", path.display());
        }
        eprintln!("{}.", made.description);
        eprintln!("Ω_HI = {:.3e}, mean T_b = {:.4} mK.", made.hydrogen.omega_hi, made.mean_temperature());
        super::print(&written)
    }
}

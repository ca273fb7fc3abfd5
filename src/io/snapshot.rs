//! What a simulation snapshot holds, in Halodi's units.

use std::path::PathBuf;

use serde::Serialize;

use crate::field::Cosmology;

/// The particles of one type.
#[derive(Debug, Clone, Default)]
pub struct Particles {
    /// Comoving positions in Mpc/h, every component in `[0, box_size)`.
    pub positions: Vec<[f32; 3]>,
    /// Mass of every particle in M☉/h where all are equal.
    pub uniform_mass: Option<f64>,
    /// Masses in M☉/h, one per particle; empty where `uniform_mass` is set.
    pub masses: Vec<f32>,
    /// Peculiar velocities in km/s, one per particle; empty if the file has none.
    pub velocities: Vec<[f32; 3]>,
    /// Particle identifiers; empty if the file has none.
    pub ids: Vec<u64>,
}

impl Particles {
    /// Number of particles.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Mass of particle `index` in M☉/h.
    pub fn mass(&self, index: usize) -> f64 {
        self.uniform_mass.unwrap_or_else(|| f64::from(self.masses[index]))
    }

    /// Total mass in M☉/h.
    pub fn total_mass(&self) -> f64 {
        match self.uniform_mass {
            Some(mass) => mass * self.len() as f64,
            None => self.masses.iter().map(|&m| f64::from(m)).sum(),
        }
    }
}

/// What a snapshot says of itself, converted to Halodi's units.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotHeader {
    /// The file asked for (the first one of a multi-file snapshot).
    pub path: PathBuf,
    /// Every file read.
    pub files: Vec<PathBuf>,
    /// Who wrote it, as far as it can be made out: "GADGET-4", "AREPO", "SWIFT"…
    pub format: String,
    /// Comoving side of the box in Mpc/h.
    pub box_size: f64,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology of the run; parameters the file lacks are Halodi's defaults,
    /// and `notes` says so.
    pub cosmology: Cosmology,
    /// Particles per type (0 gas, 1 dark matter, 2 and 3 more of it or tracers,
    /// 4 stars, 5 black holes, 6 neutrinos), over all files.
    pub counts: Vec<u64>,
    /// Mass of a particle of each type in M☉/h; 0 (or missing) where the file
    /// has one mass per particle.
    pub mass_table: Vec<f64>,
    /// The file's unit of length in Mpc/h.
    pub length_unit: f64,
    /// The file's unit of mass in M☉/h.
    pub mass_unit: f64,
    /// The file's unit of velocity in km/s (peculiar).
    pub velocity_unit: f64,
    /// What had to be inferred, with the reason, each a sentence for the user
    /// ("Lengths are in kpc/h: that puts the mean density at 0.998 Ωm ρc").
    pub notes: Vec<String>,
}

/// A snapshot's header and its dark matter.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the file says of itself.
    pub header: SnapshotHeader,
    /// The dark-matter particles (PartType1).
    pub dark_matter: Particles,
}

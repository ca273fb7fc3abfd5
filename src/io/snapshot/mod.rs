//! Simulation snapshots: what they hold, in Halodi's units.
//!
//! A header (`header`, `binary`) says what a file has in its own units; `files`
//! finds what belongs to it, `units` and `species` decide what its numbers and
//! its particle types mean, and `reader` gives particles or a density field.

pub(super) mod binary;
pub(super) mod files;
pub(super) mod header;
mod piece;
mod reader;
mod species;
pub(super) mod units;
mod write;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;

pub use reader::{Properties, SnapshotReader, read_particles, type_name};
pub use species::Species;
pub use units::Units;
pub use write::write_snapshot;

use crate::error::Result;
use crate::field::{Cosmology, Grid, MassAssignment, assign_mass};

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

    /// Add more particles of the same kind.
    pub(super) fn append(&mut self, mut more: Self) {
        if more.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = more;
            return;
        }
        if self.uniform_mass != more.uniform_mass || self.uniform_mass.is_none() {
            for particles in [&mut *self, &mut more] {
                if let Some(mass) = particles.uniform_mass.take() {
                    particles.masses = vec![mass as f32; particles.positions.len()];
                }
            }
            self.masses.append(&mut more.masses);
        }
        self.positions.append(&mut more.positions);
        self.velocities.append(&mut more.velocities);
        self.ids.append(&mut more.ids);
    }

    /// Keep one mass where all are the same.
    pub(super) fn one_mass_if_equal(&mut self) {
        if let Some(&first) = self.masses.first()
            && self.masses.par_iter().all(|&m| m == first)
        {
            self.uniform_mass = Some(f64::from(first));
            self.masses = Vec::new();
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
    /// What each type is taken to be.
    pub species: Vec<Species>,
    /// What had to be inferred, with the reason, each a sentence for the user
    /// ("Lengths are in kpc/h: that puts the mean density at 0.998 Ωm ρc").
    pub notes: Vec<String>,
}

/// A snapshot's header and its dark matter.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// What the file says of itself.
    pub header: SnapshotHeader,
    /// The dark-matter particles, of whichever types they are.
    pub dark_matter: Particles,
}

impl SnapshotHeader {
    /// Read what the snapshot at `path` says of itself, without its particles.
    /// `path` is as for [`SnapshotReader::open`].
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) where it is not a readable snapshot.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(SnapshotReader::open(path)?.into_header())
    }

    /// Mean separation `L/∛N` of the dark-matter particles in Mpc/h.
    pub fn mean_separation(&self) -> f64 {
        self.box_size / (self.dark_matter_count() as f64).cbrt()
    }

    /// Number of dark-matter particles.
    pub fn dark_matter_count(&self) -> u64 {
        let dark = self.species.iter().zip(&self.counts).filter(|(species, _)| **species == Species::DarkMatter);
        dark.map(|(_, count)| count).sum()
    }

    /// Voxels per axis that suit the particles: about one particle per voxel,
    /// rounded to the nearest power of two or three halves of one (so that it
    /// divides into tiles and transforms fast), between 32 and 1024.
    pub fn suggested_grid(&self) -> usize {
        let ideal = (self.dark_matter_count() as f64).cbrt().max(1.0);
        let candidates = (5..=10).flat_map(|power| [1usize << power, 3 << (power - 1)]).filter(|&n| n <= 1024);
        let distance = |n: &usize| (*n as f64 / ideal).ln().abs();
        candidates.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(128)
    }
}

impl Snapshot {
    /// Read the header and the dark matter (positions and masses) of the
    /// snapshot at `path`; velocities and identifiers are left out, see
    /// [`read_particles`] for those.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) where it is not a readable
    /// snapshot, has no dark matter, or holds impossible values;
    /// [`Error::Consent`](crate::Error::Consent) where it is not all the matter.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::read(SnapshotReader::open(path)?)
    }

    /// Read the dark matter of an open snapshot.
    ///
    /// # Errors
    /// Those of [`SnapshotReader::dark_matter`].
    pub fn read(reader: SnapshotReader) -> Result<Self> {
        let dark_matter = reader.dark_matter(Properties::default())?;
        Ok(Self { header: reader.into_header(), dark_matter })
    }

    /// The density field of the dark matter on `n³` voxels, as mass per voxel in
    /// M☉/h.
    pub fn assign(&self, n: usize, scheme: MassAssignment) -> Grid {
        let particles = &self.dark_matter;
        assign_mass(&particles.positions, |i| particles.mass(i), n, self.header.box_size, scheme)
    }
}

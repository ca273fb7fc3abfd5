//! A 21 cm reference from any snapshot: HI painted on its haloes, or that of its
//! gas.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::gas::gas_hydrogen;
use super::{
    Axis, Frame, Halo, HaloFinder, HydrogenMap, HydrogenModel, find_haloes, halo_mass_maps, hydrogen_map,
    paint_hydrogen,
};
use crate::error::{Error, Result};
use crate::field::{Grid, MassAssignment, assign_mass};
use crate::field::{HALO_MASS_BINS, Layer};
use crate::io::{Catalogue, GroupRecord, MapHeader, Particles, Properties, SnapshotReader, check_writable, write_map};
use crate::memory;

/// Bytes that finding haloes takes per particle: the particle, its set and its
/// share of the cells.
const FINDING: u64 = 120;

/// Where a reference takes its HI from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReferenceModel {
    /// The gas where the snapshot has any with its density and internal energy,
    /// otherwise the haloes.
    #[default]
    Auto,
    /// HI painted on the dark matter's haloes.
    Haloes,
    /// HI of the gas particles.
    Gas,
}

/// How a reference is made.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReferenceConfig {
    /// Where the HI comes from.
    pub model: ReferenceModel,
    /// Voxels per axis; `None` takes what suits the dark matter.
    pub grid: Option<usize>,
    /// How particles are shared among voxels.
    pub assignment: MassAssignment,
    /// Line of sight of a map in redshift space.
    pub line_of_sight: Option<Axis>,
    /// How HI is painted on haloes.
    pub hydrogen: HydrogenModel,
    /// The particle types that stand for the dark matter; `None` takes what the
    /// snapshot's own are.
    pub species: Option<Vec<usize>>,
}

/// A reference map and what belongs to it.
#[derive(Debug, Clone)]
pub struct Reference {
    /// What the map is, a part of a sentence; it says whether haloes or gas.
    pub description: String,
    /// Haloes or gas.
    pub model: ReferenceModel,
    /// When and on what grid.
    pub frame: Frame,
    /// The 21 cm map.
    pub hydrogen: HydrogenMap,
    /// `1 + δ` of the dark matter; `None` for a snapshot of gas alone.
    pub dark_matter: Option<Grid>,
    /// The haloes, heaviest first; empty for a map of gas.
    pub haloes: Vec<Halo>,
    /// Halo mass density per bin, (M☉/h)/(Mpc/h)³; `None` for a map of gas.
    pub halo_mass: Option<[Grid; HALO_MASS_BINS]>,
    /// What the user should know, each a sentence.
    pub notes: Vec<String>,
}

/// Make a reference from the snapshot at `path`.
///
/// # Errors
/// Those of reading the snapshot; [`Error::Setting`] for an impossible grid;
/// [`Error::Input`] where the model asked for needs what the snapshot lacks.
pub fn reference(path: &Path, config: &ReferenceConfig) -> Result<Reference> {
    let mut reader = SnapshotReader::open(path)?;
    if let Some(types) = &config.species {
        reader = reader.with_species(types)?;
    }
    let header = reader.header();
    let n = config.grid.unwrap_or_else(|| header.suggested_grid());
    if !(8..=2048).contains(&n) {
        return Err(Error::setting(
            format!("a grid of {n}³ voxels"),
            "8 to 2048 voxels an axis",
            "Choose 128, for example",
        ));
    }
    memory::check(memory::of_fields(n as u64, 6), format!("a reference on {n}³ voxels"), "Choose a coarser grid")?;
    let mut frame = Frame::of(header, n, config.assignment);
    frame.line_of_sight = config.line_of_sight;
    let properties = Properties { velocities: config.line_of_sight.is_some(), ids: false };
    let mut notes = header.notes.clone();

    let has_gas = header.counts.first().is_some_and(|&count| count > 0);
    let physical_gas = has_gas && reader.has(0, "Density") && reader.has(0, "InternalEnergy");
    let model = match config.model {
        ReferenceModel::Auto if physical_gas => ReferenceModel::Gas,
        ReferenceModel::Auto => ReferenceModel::Haloes,
        asked => asked,
    };
    let space = match config.line_of_sight {
        Some(axis) => format!(", redshift space along {axis:?}").to_lowercase(),
        None => String::new(),
    };
    if model == ReferenceModel::Gas {
        let gas = reader.particles(0, properties)?;
        let hydrogen = gas_hydrogen(&reader, |i| gas.mass(i))?;
        let members: Vec<u32> = (0..gas.len() as u32).collect();
        let map = hydrogen_map(&gas, &members, &hydrogen.masses, &frame);
        let dark_matter = match header.dark_matter_count() {
            0 => None,
            _ => Some(reader.density(n, frame.assignment)?.over_mean()),
        };
        return Ok(Reference {
            description: format!("HI of the gas: {}{space}", hydrogen.recipe),
            model,
            frame,
            hydrogen: map,
            dark_matter,
            haloes: Vec::new(),
            halo_mass: None,
            notes,
        });
    }

    let count = header.dark_matter_count();
    memory::check(
        memory::bytes(count, FINDING),
        format!("finding the haloes of {count} particles"),
        "Use a machine with more memory, or a smaller snapshot",
    )?;
    let mut particles = reader.dark_matter(properties)?;
    let (lightest, heaviest) = particles.masses.iter().fold((f32::MAX, 0f32), |(a, b), &m| (a.min(m), b.max(m)));
    if heaviest > 2.0 * lightest {
        notes.push(format!(
            "Haloes are found as if all particles had one mass, but masses go from {lightest:.2e} to {heaviest:.2e} Msun/h"
        ));
    }
    // The relation is between HI and total halo mass; where gas carries a part
    // of the matter, a halo of dark matter stands for more.
    let total = header.cosmology.mean_matter_density() * header.box_size.powi(3);
    let missing = total / particles.total_mass();
    if has_gas && (1.0..1.5).contains(&missing) {
        notes.push(format!("The gas is not in the haloes: their dark matter counts {missing:.3} times"));
        match &mut particles.uniform_mass {
            Some(mass) => *mass *= missing,
            None => particles.masses.iter_mut().for_each(|m| *m = (f64::from(*m) * missing) as f32),
        }
    }
    let haloes = find_haloes(&particles, frame.box_size, HaloFinder::default());
    if haloes.is_empty() {
        return Err(Error::input(
            path,
            format!("{} particles without a halo of 20 or more", particles.len()),
            "a snapshot with haloes",
            "Choose a later output or a simulation of higher resolution",
        ));
    }
    let mass = assign_mass(&particles.positions, |i| particles.mass(i), n, frame.box_size, frame.assignment);
    Ok(Reference {
        description: config.hydrogen.describe(haloes.len()) + &space,
        model,
        frame,
        hydrogen: paint_hydrogen(&haloes, &particles, &frame, &config.hydrogen),
        dark_matter: Some(mass.over_mean()),
        halo_mass: Some(halo_mass_maps(&haloes, &particles, &frame)),
        haloes,
        notes,
    })
}

/// The haloes of a simulation's snapshot, to be painted as often as one likes: what the
/// reference of [`reference`] would be with other draws of the scatter.
pub struct Painter {
    haloes: Vec<Halo>,
    particles: Particles,
    frame: Frame,
    hydrogen: HydrogenModel,
}

impl Painter {
    /// Find the haloes of a snapshot, to be painted on a grid of `n³` voxels.
    ///
    /// # Errors
    /// Those of reading the snapshot.
    pub fn open(path: &Path, n: usize, assignment: MassAssignment, hydrogen: &HydrogenModel) -> Result<Self> {
        let reader = SnapshotReader::open(path)?;
        let frame = Frame::of(reader.header(), n, assignment);
        let particles = reader.dark_matter(Properties::default())?;
        let haloes = find_haloes(&particles, frame.box_size, HaloFinder::default());
        Ok(Self { haloes, particles, frame, hydrogen: *hydrogen })
    }

    /// `count` draws of the 21 cm map in mK beside the reference itself. Haloes are numbered
    /// by mass, so the same seeds would give the heaviest haloes of all boxes the same luck:
    /// those of the box with number `index` among others are its own.
    pub fn further_draws(&self, index: usize, count: usize) -> Vec<Grid> {
        (1..=count as u64).map(|draw| self.draw((draw << 32) + index as u64)).collect()
    }

    /// The map in mK of the draw with a seed.
    fn draw(&self, seed: u64) -> Grid {
        let model = HydrogenModel { seed, ..self.hydrogen };
        paint_hydrogen(&self.haloes, &self.particles, &self.frame, &model).brightness_temperature
    }

    /// The mean of all draws, mK: the map without scatter.
    pub fn mean(&self) -> Grid {
        let model = HydrogenModel { scatter: 0.0, ..self.hydrogen };
        paint_hydrogen(&self.haloes, &self.particles, &self.frame, &model).brightness_temperature
    }
}

impl Reference {
    /// Mean brightness temperature in mK.
    pub fn mean_temperature(&self) -> f64 {
        self.hydrogen.brightness_temperature.mean()
    }

    /// The haloes as a catalogue of groups, heaviest first.
    pub fn catalogue(&self) -> Catalogue {
        let record = |halo: &Halo| GroupRecord {
            mass: halo.mass,
            centre: halo.centre,
            velocity: halo.velocity,
            particles: halo.members.len() as u64,
        };
        Catalogue {
            box_size: self.frame.box_size,
            redshift: self.frame.redshift,
            groups: self.haloes.iter().map(record).collect(),
        }
    }

    /// Write the map file `path`: the reference, and the dark matter and halo
    /// maps that it goes with. `source` is recorded as where it came from.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&self, path: &Path, source: &serde_json::Value) -> Result<()> {
        let provenance = json!({
            "program": concat!("halodi ", env!("CARGO_PKG_VERSION")),
            "source": source,
            "reference": {
                "description": self.description,
                "model": self.model,
                "omega_hi": self.hydrogen.omega_hi,
                "mean_brightness_temperature_mk": self.mean_temperature(),
                "haloes": self.haloes.len(),
                "assignment": self.frame.assignment,
                "line_of_sight": self.frame.line_of_sight,
            },
        });
        let header = MapHeader { redshift: self.frame.redshift, cosmology: self.frame.cosmology, provenance };
        let mut layers = vec![(Layer::Reference, &self.hydrogen.brightness_temperature)];
        layers.extend(self.dark_matter.iter().map(|grid| (Layer::DarkMatter, grid)));
        if let Some(maps) = &self.halo_mass {
            layers.extend(maps.iter().enumerate().map(|(bin, map)| (Layer::HaloMass(bin), map)));
        }
        write_map(path, &header, &layers)
    }
}

/// See that the map can be written before the work is done.
///
/// # Errors
/// [`Error::Output`].
pub fn check_output(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => check_writable(folder),
        _ => check_writable("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Cosmology;

    /// Clumps of particles, the first the heaviest.
    fn painter() -> Painter {
        let clump = |count: usize, centre: [f32; 3]| {
            (0..count).map(move |i| [0, 1, 2].map(|a| centre[a] + 0.01 * ((i * (3 + a * 7)) % 23) as f32))
        };
        let clumps = [(400, [2.0, 2.0, 2.0]), (200, [7.0, 3.0, 5.0]), (100, [4.0, 8.0, 6.0]), (80, [8.0, 8.0, 1.0])];
        let positions = clumps.into_iter().flat_map(|(count, centre)| clump(count, centre)).collect();
        let particles = Particles { positions, uniform_mass: Some(1e10), ..Particles::default() };
        let haloes = find_haloes(&particles, 10.0, HaloFinder::default());
        assert_eq!(haloes.len(), 4);
        let frame = Frame {
            n: 16,
            box_size: 10.0,
            redshift: 1.0,
            cosmology: Cosmology::default(),
            assignment: MassAssignment::Cic,
            line_of_sight: None,
        };
        Painter { haloes, particles, frame, hydrogen: HydrogenModel::default() }
    }

    #[test]
    fn draws_average_the_map_without_scatter_and_have_more_power() {
        use crate::stats::power_spectrum;

        const COUNT: u64 = 1000;
        let painter = painter();
        let mean = painter.mean();
        let mut average = mean.map(|_| 0.0);
        let mut power = 0.0;
        for seed in 0..COUNT {
            let draw = painter.draw(seed);
            average.values.zip_mut_with(&draw.values, |sum, t| *sum += t / COUNT as f32);
            power += power_spectrum(&draw, None).power[4] / COUNT as f64;
        }
        assert!((average.mean() / mean.mean() - 1.0).abs() < 0.05);
        assert!(power_spectrum(&mean, None).power[4] < 0.95 * power);
    }
}

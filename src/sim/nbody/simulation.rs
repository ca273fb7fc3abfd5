//! A run: from a start to the redshifts asked for, with checkpoints.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::gravity::Gravity;
use super::initial::initial_conditions;
use super::integrator::{Integrator, StepConfig};
use super::{Force, GravityConfig, Phase, checkpoint};
use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::io::{Properties, SnapshotReader};
use crate::sim::linear_power;

/// Scale factor below which steps are longer than `longest` in `ln a`. With the
/// default steps the linear growing mode from z = 49 to z = 1 is 0.2 % low.
const EARLY: f64 = 0.05;
/// Where and how often the state of a run is written.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The file.
    pub path: PathBuf,
    /// Least time between two of them.
    pub every: Duration,
}

impl Checkpoints {
    /// A checkpoint a minute at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), every: Duration::from_secs(60) }
    }
}

/// Where a simulation starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Gaussian initial conditions by second-order Lagrangian perturbation
    /// theory.
    Seed {
        /// Comoving side of the box in Mpc/h.
        box_size: f64,
        /// Particles per axis.
        particles: usize,
        /// Seed of the realisation.
        seed: u64,
        /// Redshift of the initial conditions.
        redshift: f64,
        /// Cosmology.
        cosmology: Cosmology,
    },
    /// The dark matter of a snapshot, whose cosmology is taken over.
    Snapshot(PathBuf),
}

/// A simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationConfig {
    /// Where it starts.
    pub start: Start,
    /// Redshifts to stop at, latest last.
    pub redshifts: Vec<f64>,
    /// Gravity.
    pub gravity: GravityConfig,
    /// Time steps.
    pub steps: StepConfig,
}

impl SimulationConfig {
    /// A run of `particles³` in `box_size` Mpc/h from seed `seed` to `redshift`,
    /// with the defaults of everything else: a mesh of twice the particles per
    /// axis, and a start at redshift 49.
    pub fn new(box_size: f64, particles: usize, seed: u64, redshift: f64) -> Self {
        Self {
            start: Start::Seed { box_size, particles, seed, redshift: 49.0, cosmology: Cosmology::default() },
            redshifts: vec![redshift],
            gravity: GravityConfig::new(Force::default(), 2 * particles),
            steps: StepConfig::default(),
        }
    }

    /// Refuse what cannot work, before any work is done.
    ///
    /// # Errors
    /// [`Error::Setting`] for an impossible setting or a run that does not fit
    /// into memory.
    pub fn check(&self) -> Result<()> {
        self.gravity.check()?;
        let mut begin = f64::INFINITY;
        if let Start::Seed { box_size, particles, redshift, cosmology, .. } = &self.start {
            linear_power::check(cosmology)?;
            if !(box_size.is_finite() && (1.0..=1e5).contains(box_size)) {
                return Err(Error::setting(
                    format!("a box of {box_size} Mpc/h"),
                    "1 to 100000",
                    "Choose 25, for example",
                ));
            }
            if !(4..=2048).contains(particles) {
                return Err(Error::setting(
                    format!("{particles}³ particles"),
                    "4³ to 2048³",
                    "Choose 128, for example",
                ));
            }
            if !(*redshift > 0.0 && *redshift <= 1000.0) {
                return Err(Error::setting(
                    format!("a start at z = {redshift}"),
                    "0 to 1000",
                    "Choose 49, for example",
                ));
            }
            begin = *redshift;
            self.check_memory(particles.pow(3))?;
        }
        if self.redshifts.is_empty() {
            return Err(Error::setting("no redshift to stop at", "at least one", "Choose 1, for example"));
        }
        for &z in &self.redshifts {
            if !(z > -0.9 && z < begin) {
                return Err(Error::setting(
                    format!("an output at z = {z}"),
                    format!("every output after the one before it, and after the start at z = {begin}"),
                    "Order the redshifts from early to late",
                ));
            }
            begin = z;
        }
        if !(self.steps.longest > 0.0 && self.steps.longest <= 0.5 && self.steps.eta > 0.0 && self.steps.levels <= 12) {
            return Err(Error::setting(
                format!("{:?}", self.steps),
                "steps of at most 0.5 in ln a, a positive eta and at most 12 levels",
                "Leave them at their defaults",
            ));
        }
        Ok(())
    }

    /// Refuse a run that does not fit into the memory that is free.
    fn check_memory(&self, particles: usize) -> Result<()> {
        // Phase, forces, keys, their sorted copies and the tree; the mesh in
        // real and Fourier space, in and out.
        let needed = 200.0 * particles as f64 + 16.0 * (self.gravity.mesh as f64).powi(3);
        match available_memory() {
            Some(free) if needed > free => Err(Error::setting(
                format!(
                    "{particles} particles and a mesh of {}³, which take {:.1} GB",
                    self.gravity.mesh,
                    needed / 1e9
                ),
                format!("at most the {:.1} GB that are free", free / 1e9),
                "Choose fewer particles or a smaller mesh",
            )),
            _ => Ok(()),
        }
    }
}

/// Free memory in bytes, where the system tells.
fn available_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Redshift reached.
    pub redshift: f64,
    /// Steps of the mesh taken and in all, up to the last output.
    pub step: [usize; 2],
    /// Fraction of the work that is done.
    pub fraction: f64,
    /// Estimate of the time that is left; `None` until there is one.
    pub remaining: Option<Duration>,
}

/// What a finished (or resumed) run leaves to record.
#[derive(Debug, Clone, Serialize)]
pub struct RunRecord {
    /// Steps of the mesh.
    pub steps: usize,
    /// Mean number of steps a particle took.
    pub mean_particle_steps: f64,
    /// Seconds of this process.
    pub seconds: f64,
}

/// A simulation ready to run.
pub struct Simulation {
    config: SimulationConfig,
    cosmology: Cosmology,
    /// Mass of a particle, M☉/h.
    particle_mass: f64,
    integrator: Integrator,
    /// `ln a` of the start.
    begin: f64,
    /// Outputs that are written already.
    written: usize,
    steps: usize,
    particle_steps: f64,
}

impl Simulation {
    /// Make (or read) the start of `config`, or take up the checkpoint at
    /// `checkpoint` if it is of the same run.
    ///
    /// # Errors
    /// Those of [`SimulationConfig::check`] and of reading.
    pub fn begin(config: SimulationConfig, checkpoint: &Path) -> Result<Self> {
        config.check()?;
        let (mut phase, cosmology, first) = match &config.start {
            Start::Seed { box_size, particles, seed, redshift, cosmology } => {
                let phase = match checkpoint::read(checkpoint, &config)? {
                    Some(phase) => phase,
                    None => initial_conditions(cosmology, *box_size, *particles, *seed, *redshift)?,
                };
                (phase, *cosmology, *redshift)
            }
            Start::Snapshot(path) => {
                let reader = SnapshotReader::open(path)?;
                let (box_size, redshift, cosmology) =
                    (reader.header().box_size, reader.header().redshift, reader.header().cosmology);
                let particles =
                    reader.particles(1, Properties { velocities: true, ids: reader.has(1, "ParticleIDs") })?;
                linear_power::check(&cosmology)?;
                if particles.uniform_mass.is_none() {
                    return Err(Error::input(
                        path,
                        "dark-matter particles of different masses",
                        "equal masses",
                        "Choose a uniform box, not a zoom",
                    ));
                }
                config.check_memory(particles.len())?;
                let phase = match checkpoint::read(checkpoint, &config)? {
                    Some(phase) => phase,
                    None => Phase::from_particles(&particles, box_size, redshift),
                };
                (phase, cosmology, redshift)
            }
        };
        let written = config.redshifts.iter().take_while(|&&z| z > phase.redshift() - 1e-6).count();
        if written == config.redshifts.len() && written > 0 {
            return Err(Error::setting(
                format!("outputs at z = {:?} from a start at z = {:.3}", config.redshifts, phase.redshift()),
                "an output later than the start",
                "Choose a lower redshift",
            ));
        }
        // Everything is in simulation units per H0, so total matter counts: the
        // baryons of a dark-matter run are in its particles.
        let particle_mass = cosmology.mean_matter_density() * phase.box_size.powi(3) / phase.len() as f64;
        phase.ids.shrink_to_fit();
        let gravity = Gravity::new(&cosmology, phase.box_size, phase.len(), &config.gravity)?;
        let integrator = Integrator::new(phase, cosmology, gravity, config.steps);
        let begin = -(1.0 + first).ln();
        Ok(Self { config, cosmology, particle_mass, integrator, begin, written, steps: 0, particle_steps: 0.0 })
    }

    /// The cosmology of the run.
    pub fn cosmology(&self) -> &Cosmology {
        &self.cosmology
    }

    /// Mass of a particle in M☉/h.
    pub fn particle_mass(&self) -> f64 {
        self.particle_mass
    }

    /// Run to the end. `report` hears of the progress between steps and returns
    /// whether to go on; `output` is given the number and the phase of every
    /// redshift asked for. Checkpoints are written after full steps, and removed
    /// at the end.
    ///
    /// # Errors
    /// [`Error::Cancelled`] where `report` said no; those of writing.
    pub fn run(
        mut self,
        checkpoints: &Checkpoints,
        mut report: impl FnMut(Progress) -> bool,
        mut output: impl FnMut(usize, &Phase) -> Result<()>,
    ) -> Result<RunRecord> {
        let began = Instant::now();
        let mut saved = Instant::now();
        let plan = self.plan();
        let total: f64 = plan.iter().map(|step| cost(step.1)).sum();
        let mut done = 0.0;
        for (index, &(from, to, ends)) in plan.iter().enumerate() {
            let progress = |part: f64| {
                let fraction = (done + part * cost(to)) / total;
                let spent = began.elapsed().as_secs_f64();
                Progress {
                    redshift: (-(from + part * (to - from))).exp() - 1.0,
                    step: [index, plan.len()],
                    fraction,
                    remaining: (fraction > 0.01).then(|| Duration::from_secs_f64(spent * (1.0 / fraction - 1.0))),
                }
            };
            let Some(step) = self.integrator.step(to.exp(), |part| report(progress(part))) else {
                return Err(Error::Cancelled);
            };
            done += cost(to);
            self.steps += 1;
            self.particle_steps += step.particle_steps as f64 / self.integrator.phase.len() as f64;
            if ends {
                output(self.written, &self.integrator.phase)?;
                self.written += 1;
            }
            if index + 1 < plan.len() && saved.elapsed() >= checkpoints.every {
                checkpoint::write(&checkpoints.path, &self.config, &self.integrator.phase)?;
                saved = Instant::now();
            }
        }
        checkpoint::remove(&checkpoints.path);
        Ok(RunRecord {
            steps: self.steps,
            mean_particle_steps: self.particle_steps,
            seconds: began.elapsed().as_secs_f64(),
        })
    }

    /// Every step as its `ln a` at begin and end, and whether an output follows.
    /// The steps are planned from output to output: they do not depend on where a
    /// run was resumed.
    fn plan(&self) -> Vec<(f64, f64, bool)> {
        let here = self.integrator.phase.scale_factor.ln();
        let mut plan = Vec::new();
        let mut from = self.begin;
        for z in &self.config.redshifts {
            let to = -(1.0 + z).ln();
            // Even in ln(a + EARLY): early, when growth is nearly linear and the
            // leapfrog follows it well, steps are longer.
            let (s_from, s_to) = ((from.exp() + EARLY).ln(), (to.exp() + EARLY).ln());
            let count = ((s_to - s_from) / self.config.steps.longest).ceil().max(1.0) as usize;
            let edge = |i: usize| match i {
                0 => from,
                i if i == count => to,
                i => ((s_from + (s_to - s_from) * i as f64 / count as f64).exp() - EARLY).ln(),
            };
            plan.extend((0..count).map(|i| (edge(i), edge(i + 1), i + 1 == count)));
            from = to;
        }
        plan.retain(|step| step.1 > here + 1e-9);
        plan
    }
}

/// How much longer a step takes that ends at `ln a`: clustered particles need
/// finer steps and have more neighbours.
fn cost(ln_a: f64) -> f64 {
    1.0 + 12.0 * (2.0 * ln_a).exp()
}

//! `halodi simulate`: dark matter from a seed.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::io;
use crate::sim::nbody::{Checkpoints, Force, GravityConfig, Simulation, SimulationConfig, Start, StepConfig};

/// Run a dark-matter simulation and write Gadget snapshots
#[derive(Debug, clap::Args)]
pub struct Simulate {
    /// Folder for snapshot_000.hdf5 … and simulation.json; a killed run goes on from there
    #[arg(long)]
    out: PathBuf,
    /// Side of the box, Mpc/h
    #[arg(long = "box", default_value_t = 25.0)]
    box_size: f64,
    /// Particles per axis
    #[arg(long, default_value_t = 128)]
    particles: usize,
    /// Mesh cells per axis [default: twice the particles per axis]
    #[arg(long)]
    mesh: Option<usize>,
    /// Seed of the initial conditions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Redshifts to write, from early to late
    #[arg(long, default_values_t = [1.0], num_args = 1..)]
    redshift: Vec<f64>,
    /// Redshift of the initial conditions
    #[arg(long, default_value_t = 49.0)]
    start: f64,
    /// Go on from this snapshot's dark matter instead of initial conditions
    #[arg(long, conflicts_with_all = ["box_size", "particles", "seed", "start"])]
    from: Option<PathBuf>,
    /// How gravity is computed
    #[arg(long, value_enum, default_value_t)]
    force: Force,
    /// Plummer softening in units of the mean particle separation
    #[arg(long)]
    softening: Option<f64>,
    /// Longest time step in ln a
    #[arg(long, default_value_t = StepConfig::default().longest)]
    step: f64,
    /// Accuracy of the finer steps: dt = √(2 η ε / |a|)
    #[arg(long, default_value_t = StepConfig::default().eta)]
    eta: f64,
    /// How often a step may be halved for a particle
    #[arg(long, default_value_t = StepConfig::default().levels)]
    levels: u32,
    #[command(flatten)]
    cosmology: CosmologyArgs,
}

/// The cosmology of a simulation.
#[derive(Debug, Clone, clap::Args)]
pub struct CosmologyArgs {
    /// Matter density Ωm; the rest is ΩΛ
    #[arg(long, default_value_t = Cosmology::default().omega_m)]
    omega_m: f64,
    /// Baryon density Ωb
    #[arg(long, default_value_t = Cosmology::default().omega_b)]
    omega_b: f64,
    /// H0 in 100 km/s/Mpc
    #[arg(long, default_value_t = Cosmology::default().h)]
    hubble: f64,
    /// Spectral index
    #[arg(long, default_value_t = Cosmology::default().n_s)]
    n_s: f64,
    /// σ8
    #[arg(long, default_value_t = Cosmology::default().sigma_8)]
    sigma_8: f64,
}

impl CosmologyArgs {
    /// As a cosmology without curvature.
    pub fn cosmology(&self) -> Cosmology {
        Cosmology {
            omega_m: self.omega_m,
            omega_lambda: 1.0 - self.omega_m,
            omega_b: self.omega_b,
            h: self.hubble,
            n_s: self.n_s,
            sigma_8: self.sigma_8,
        }
    }
}

impl Simulate {
    /// Run the simulation.
    ///
    /// # Errors
    /// Those of the settings, of reading the start and of writing.
    pub fn run(&self) -> Result<()> {
        let start = match &self.from {
            Some(path) => Start::Snapshot(path.clone()),
            None => Start::Seed {
                box_size: self.box_size,
                particles: self.particles,
                seed: self.seed,
                redshift: self.start,
                cosmology: self.cosmology.cosmology(),
            },
        };
        let per_axis = match &self.from {
            Some(path) => {
                let header = io::SnapshotHeader::open(path)?;
                super::print_notes(&header.notes);
                (header.dark_matter_count() as f64).cbrt().round() as usize
            }
            None => self.particles,
        };
        let mut gravity = GravityConfig::new(self.force, self.mesh.unwrap_or(2 * per_axis));
        gravity.softening = self.softening.unwrap_or(gravity.softening);
        let config = SimulationConfig {
            start,
            redshifts: self.redshift.clone(),
            gravity,
            steps: StepConfig { longest: self.step, eta: self.eta, levels: self.levels },
        };
        config.check()?;
        io::check_writable(&self.out)?;
        let written = simulate(&config, &self.out)?;
        let written: Vec<String> = written.iter().map(|path| format!("{}\n", path.display())).collect();
        super::print(&written.concat())
    }
}

/// Run `config` in `folder` with a progress bar; the snapshots it wrote.
///
/// # Errors
/// Those of the run.
pub(super) fn simulate(config: &SimulationConfig, folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let checkpoint = folder.join("checkpoint.hdf5");
    let resumed = checkpoint.exists();
    let simulation = Simulation::begin(config.clone(), &checkpoint)?;
    if resumed {
        eprintln!("Going on from {}.", checkpoint.display());
    }
    let stop = super::on_interrupt();
    let style = ProgressStyle::with_template("{prefix:12} {bar:32} {percent:>3} %  {msg}").expect("a valid template");
    let bar = ProgressBar::new(1000).with_style(style).with_prefix("Gravity");
    let (cosmology, mass) = (*simulation.cosmology(), simulation.particle_mass());
    let provenance = json!({
        "program": concat!("halodi ", env!("CARGO_PKG_VERSION")),
        "simulation": config,
    });
    let mut written = Vec::new();
    let record = simulation.run(
        &Checkpoints::at(&checkpoint),
        |progress| {
            bar.set_position((1000.0 * progress.fraction) as u64);
            let left = progress.remaining.map(|left| format!("  {} s left", left.as_secs())).unwrap_or_default();
            bar.set_message(format!(
                "z = {:.2}, step {}/{}{left}",
                progress.redshift, progress.step[0], progress.step[1]
            ));
            !stop.load(Ordering::Relaxed)
        },
        |number, phase| {
            let path = folder.join(format!("snapshot_{number:03}.hdf5"));
            let particles = phase.to_particles(mass);
            io::write_snapshot(&path, &particles, phase.box_size, phase.redshift(), &cosmology, &provenance)?;
            written.push(path);
            Ok(())
        },
    );
    bar.finish_and_clear();
    let record = record.inspect_err(|error| {
        if matches!(error, Error::Cancelled) && checkpoint.exists() {
            eprintln!("Run the same command again to go on from {}.", checkpoint.display());
        }
    })?;
    eprintln!(
        "{} steps of the mesh, {:.0} of the mean particle, {:.0} s.",
        record.steps, record.mean_particle_steps, record.seconds
    );
    let text = super::to_json(&json!({ "provenance": provenance, "run": record }));
    io::atomic::write(folder.join("simulation.json"), text.as_bytes())?;
    Ok(written)
}

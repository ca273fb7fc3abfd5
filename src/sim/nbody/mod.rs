//! The embedded N-body code: initial conditions, tree-mesh gravity, and the
//! integrator that turns one into the other.
//!
//! Units: comoving Mpc/h for lengths and `1/H0` for time, so that with
//! `∇²ψ = (3/2) Ωm δ` and the momentum `p = a² dx/dt` the equations of motion
//! are `dp/dt = −∇ψ/a` and `dx/dt = p/a²`. Positions are kept as fractions of
//! the box in 32-bit fixed point: wrapping is exact, differences are the
//! nearest image's, and Morton keys are bits of them.

mod checkpoint;
mod gravity;
mod initial;
mod integrator;
mod mesh;
mod simulation;
mod tree;

pub use gravity::{Force, GravityConfig};
pub use initial::{initial_conditions, linear_density};
pub use integrator::{Step, StepConfig};
pub use simulation::{Checkpoints, Progress, RunRecord, Simulation, SimulationConfig, Start};

use crate::io::Particles;

/// The particles of a simulation at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Comoving side of the box in Mpc/h.
    pub box_size: f64,
    /// Scale factor.
    pub scale_factor: f64,
    /// Positions as fractions of the box, times 2³².
    pub positions: Vec<[u32; 3]>,
    /// `p = a² dx/dt` in Mpc/h · H0.
    pub momenta: Vec<[f32; 3]>,
    /// Identifiers, from 1.
    pub ids: Vec<u32>,
}

/// A fraction of the box per unit of fixed-point position.
const UNIT: f64 = 1.0 / 4_294_967_296.0;

impl Phase {
    /// Number of particles.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Redshift.
    pub fn redshift(&self) -> f64 {
        1.0 / self.scale_factor - 1.0
    }

    /// A phase from positions in Mpc/h and peculiar velocities in km/s.
    pub fn from_particles(particles: &Particles, box_size: f64, redshift: f64) -> Self {
        let a = 1.0 / (1.0 + redshift);
        let ids = (0..particles.len())
            .map(|i| particles.ids.get(i).and_then(|&id| u32::try_from(id).ok()).unwrap_or(i as u32 + 1))
            .collect();
        Self {
            box_size,
            scale_factor: a,
            positions: particles.positions.iter().map(|p| p.map(|x| fixed(f64::from(x) / box_size))).collect(),
            // v = a dx/dt, in units of H0 Mpc/h = 100 km/s.
            momenta: particles.velocities.iter().map(|v| v.map(|v| (a * f64::from(v) / 100.0) as f32)).collect(),
            ids,
        }
    }

    /// Positions in Mpc/h, peculiar velocities in km/s, each particle of
    /// `mass` M☉/h, in the order of the identifiers.
    pub fn to_particles(&self, mass: f64) -> Particles {
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.sort_unstable_by_key(|&i| self.ids[i as usize]);
        let per_momentum = 100.0 / self.scale_factor;
        Particles {
            positions: order.iter().map(|&i| self.position(i as usize)).collect(),
            uniform_mass: Some(mass),
            masses: Vec::new(),
            velocities: order
                .iter()
                .map(|&i| self.momenta[i as usize].map(|p| (f64::from(p) * per_momentum) as f32))
                .collect(),
            ids: order.iter().map(|&i| u64::from(self.ids[i as usize])).collect(),
        }
    }

    /// The position of a particle in Mpc/h, in `[0, box_size)`.
    fn position(&self, index: usize) -> [f32; 3] {
        self.positions[index].map(|x| {
            let x = (f64::from(x) * UNIT * self.box_size) as f32;
            // Rounding to f32 can land on the far face, which is the near one.
            if f64::from(x) < self.box_size { x } else { 0.0 }
        })
    }
}

/// A fraction of the box in fixed point, wrapped.
fn fixed(fraction: f64) -> u32 {
    (fraction.rem_euclid(1.0) / UNIT).round() as u64 as u32
}

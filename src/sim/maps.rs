//! Halo mass density maps in HALO's mass bins.

use serde::{Deserialize, Serialize};

use super::Halo;
use crate::field::HALO_MASS_BINS;
use crate::field::{Cosmology, Grid, MassAssignment, assign_mass};
use crate::io::{Particles, SnapshotHeader};

/// Edges of HALO's mass bins in M☉/h. The lightest begins at the 20 particles
/// of 6.2e8 M☉/h that a halo needs in CAMELS-like runs; the last has no upper
/// edge (the value given is for the record).
pub const HALO_MASS_EDGES: [f64; HALO_MASS_BINS + 1] = [1.2e10, 1e11, 1e12, 1e13, 1e16];

/// The bin of a halo of `mass` M☉/h; `None` below the first edge.
pub fn halo_mass_bin(mass: f64) -> Option<usize> {
    let above = HALO_MASS_EDGES[..HALO_MASS_BINS].iter().take_while(|&&edge| mass >= edge).count();
    above.checked_sub(1)
}

/// An axis of the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// The first axis.
    X,
    /// The second axis.
    Y,
    /// The third axis.
    Z,
}

/// When and on what grid a map is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Voxels per axis.
    pub n: usize,
    /// Comoving side of the box in Mpc/h.
    pub box_size: f64,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// How particles are shared among voxels.
    pub assignment: MassAssignment,
    /// Line of sight of a map in redshift space; `None` for real space.
    pub line_of_sight: Option<Axis>,
}

impl Frame {
    /// That of a snapshot, in real space.
    pub fn of(header: &SnapshotHeader, n: usize, assignment: MassAssignment) -> Self {
        let SnapshotHeader { box_size, redshift, cosmology, .. } = *header;
        Self { n, box_size, redshift, cosmology, assignment, line_of_sight: None }
    }

    /// Volume of a voxel in (Mpc/h)³.
    pub fn voxel_volume(&self) -> f64 {
        (self.box_size / self.n as f64).powi(3)
    }

    /// Where a particle is seen, Mpc/h: in redshift space at
    /// `s = x + v (1+z)/H(z)` along the line of sight, wrapped.
    pub fn place(&self, particles: &Particles, index: usize) -> [f32; 3] {
        let mut place = particles.positions[index];
        if let (Some(axis), Some(velocity)) = (self.line_of_sight, particles.velocities.get(index)) {
            let axis = axis as usize;
            let shift = f64::from(velocity[axis]) * (1.0 + self.redshift) / self.cosmology.hubble(self.redshift);
            place[axis] = (f64::from(place[axis]) + shift).rem_euclid(self.box_size) as f32;
        }
        place
    }
}

/// Halo mass density per bin in (M☉/h)/(Mpc/h)³, lightest bin first: the mass of
/// the haloes' own particles, shared out among the voxels. Always in real space,
/// as the dark matter is that HALO sees.
pub fn halo_mass_maps(haloes: &[Halo], particles: &Particles, frame: &Frame) -> [Grid; HALO_MASS_BINS] {
    let voxel_volume = frame.voxel_volume();
    std::array::from_fn(|bin| {
        let members: Vec<u32> = haloes
            .iter()
            .filter(|halo| halo_mass_bin(halo.mass) == Some(bin))
            .flat_map(|halo| halo.members.iter().copied())
            .collect();
        let positions: Vec<[f32; 3]> = members.iter().map(|&i| particles.positions[i as usize]).collect();
        let mass = |i: usize| particles.mass(members[i] as usize) / voxel_volume;
        assign_mass(&positions, mass, frame.n, frame.box_size, frame.assignment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redshift_space_moves_along_the_line_of_sight_alone_and_wraps() {
        let particles = Particles {
            positions: vec![[1.0, 2.0, 9.9]],
            velocities: vec![[300.0, -200.0, 100.0]],
            ..Particles::default()
        };
        let mut frame = Frame {
            n: 8,
            box_size: 10.0,
            redshift: 1.0,
            cosmology: Cosmology::default(),
            assignment: MassAssignment::Cic,
            line_of_sight: None,
        };
        assert_eq!(frame.place(&particles, 0), [1.0, 2.0, 9.9]);
        frame.line_of_sight = Some(Axis::Z);
        let moved = frame.place(&particles, 0);
        // 100 km/s · 2 / (100 E(1)) with E(1) = √(0.3·8 + 0.7).
        let expected = 9.9 + 2.0 / 3.1f32.sqrt() - 10.0;
        assert_eq!(moved[..2], [1.0, 2.0]);
        assert!((moved[2] - expected).abs() < 1e-5);
    }
}

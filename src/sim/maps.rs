//! Halo mass density maps in HALO's mass bins.

use serde::{Deserialize, Serialize};

use super::Halo;
use crate::field::HALO_MASS_BINS;
use crate::field::{Cosmology, Grid, MassAssignment, assign_mass};
use crate::io::{GroupRecord, Particles, SnapshotHeader};

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

/// Overdensity, over the mean matter density, of what is looked at for the matter of a halo: less
/// than that at the edge of friends-of-friends groups.
const EDGE_OVERDENSITY: f64 = 40.0;

/// Halo mass density per bin in (M☉/h)/(Mpc/h)³, lightest bin first, where only a catalogue of
/// haloes and the gridded dark matter (`1 + δ`) are known: every halo, the heaviest first, takes
/// its mass of the matter of the voxels nearest to its centre that no halo has taken yet.
pub fn halo_mass_maps_on_grid(haloes: &[GroupRecord], density: &Grid, cosmology: &Cosmology) -> [Grid; HALO_MASS_BINS] {
    let (n, voxel) = (density.n(), density.voxel());
    let mean = cosmology.mean_matter_density();
    let mut left = density.map(|v| (f64::from(v) * mean) as f32);
    let mut maps: [Grid; HALO_MASS_BINS] = std::array::from_fn(|_| density.map(|_| 0.0));
    let mut order: Vec<&GroupRecord> = haloes.iter().collect();
    order.sort_by(|a, b| b.mass.total_cmp(&a.mass));
    for halo in order {
        let Some(bin) = halo_mass_bin(halo.mass) else { continue };
        let radius = (3.0 * halo.mass / (4.0 * std::f64::consts::PI * EDGE_OVERDENSITY * mean)).cbrt();
        let reach = (radius / voxel).ceil().max(1.0).min((n / 2) as f64 - 1.0) as i64;
        let centre = halo.centre.map(|c| c / voxel);
        let mut near: Vec<(f64, [usize; 3])> = Vec::new();
        for dx in -reach..=reach {
            for dy in -reach..=reach {
                for dz in -reach..=reach {
                    let at = [dx, dy, dz];
                    let place = [0, 1, 2].map(|a| centre[a].floor() as i64 + at[a]);
                    let squared: f64 = (0..3).map(|a| (place[a] as f64 + 0.5 - centre[a]).powi(2)).sum();
                    if squared.sqrt() * voxel <= radius.max(voxel) {
                        near.push((squared, place.map(|p| p.rem_euclid(n as i64) as usize)));
                    }
                }
            }
        }
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut needed = halo.mass / voxel.powi(3);
        for (_, place) in near {
            let taken = needed.min(f64::from(left.values[place]));
            left.values[place] -= taken as f32;
            maps[bin].values[place] += taken as f32;
            needed -= taken;
            if needed <= 0.0 {
                break;
            }
        }
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn haloes_of_a_catalogue_take_the_matter_about_their_centres() {
        let cosmology = Cosmology::default();
        let (n, box_size) = (16, 4.0);
        let voxel_mass = cosmology.mean_matter_density() * (box_size / n as f64).powi(3);
        let mut density = Grid::zeros(n, box_size).map(|_| 0.5);
        for at in [[15, 8, 8], [0, 8, 8]] {
            density.values[at] = 500.0;
        }
        // The heavier halo lies on a face of the periodic box and fills both voxels, all but a part.
        let group = |mass, centre| GroupRecord { mass, centre, velocity: [0.0; 3], particles: 100 };
        let heavy = group(900.0 * voxel_mass, [0.0, 2.125, 2.125]);
        let maps = halo_mass_maps_on_grid(&[group(1e9, [1.0; 3]), heavy], &density, &cosmology);
        let bin = halo_mass_bin(heavy.mass).unwrap();
        let mass: Vec<f64> = maps.iter().map(|map| map.mean() * box_size.powi(3)).collect();
        assert!((mass[bin] / heavy.mass - 1.0).abs() < 1e-5, "{mass:?}");
        assert!((0..HALO_MASS_BINS).all(|other| other == bin || mass[other] == 0.0));
        let taken = [15, 0].map(|x| f64::from(maps[bin].values[[x, 8, 8]]) / cosmology.mean_matter_density());
        assert!((taken[0] + taken[1] - 900.0).abs() < 0.1 && taken.iter().all(|t| *t > 399.0), "{taken:?}");
    }

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

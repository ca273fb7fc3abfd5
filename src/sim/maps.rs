//! Halo mass density maps in HALO's mass bins.

use super::Halo;
use crate::field::{Grid, MassAssignment, assign_mass};
use crate::io::Particles;
use crate::pipeline::HALO_MASS_BINS;

/// Edges of HALO's mass bins in M☉/h. The lightest begins at the 20 particles
/// of 6.2e8 M☉/h that a halo needs in CAMELS-like runs; the last has no upper
/// edge (the value given is for the record).
pub const HALO_MASS_EDGES: [f64; HALO_MASS_BINS + 1] = [1.2e10, 1e11, 1e12, 1e13, 1e16];

/// The bin of a halo of `mass` M☉/h; `None` below the first edge.
pub fn halo_mass_bin(mass: f64) -> Option<usize> {
    let above = HALO_MASS_EDGES[..HALO_MASS_BINS].iter().take_while(|&&edge| mass >= edge).count();
    above.checked_sub(1)
}

/// Halo mass density per bin in (M☉/h)/(Mpc/h)³ on an `n³` grid, lightest bin
/// first: the mass of the haloes' own particles, shared out by `scheme`.
pub fn halo_mass_maps(
    haloes: &[Halo],
    particles: &Particles,
    box_size: f64,
    n: usize,
    scheme: MassAssignment,
) -> [Grid; HALO_MASS_BINS] {
    let voxel_volume = (box_size / n as f64).powi(3);
    std::array::from_fn(|bin| {
        let members: Vec<u32> = haloes
            .iter()
            .filter(|halo| halo_mass_bin(halo.mass) == Some(bin))
            .flat_map(|halo| halo.members.iter().copied())
            .collect();
        let positions: Vec<[f32; 3]> = members.iter().map(|&i| particles.positions[i as usize]).collect();
        let mass = |i: usize| particles.mass(members[i] as usize) / voxel_volume;
        assign_mass(&positions, mass, n, box_size, scheme)
    })
}

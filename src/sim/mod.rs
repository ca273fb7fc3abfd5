//! Where truth comes from: haloes in a dark-matter snapshot, and the neutral
//! hydrogen painted on them.

mod friends_of_friends;
mod hydrogen;
mod maps;

pub use friends_of_friends::{Halo, HaloFinder, find_haloes};
pub use hydrogen::{HydrogenMap, HydrogenModel, hydrogen_mass, paint_hydrogen};
pub use maps::{HALO_MASS_EDGES, halo_mass_bin, halo_mass_maps};

//! Where truth comes from: the embedded N-body code, haloes in a dark-matter
//! snapshot, and the neutral hydrogen painted on them.

mod friends_of_friends;
pub mod gas;
mod hydrogen;
pub mod linear_power;
mod maps;
pub mod nbody;
mod reference;

pub use friends_of_friends::{Halo, HaloFinder, find_haloes};
pub use hydrogen::{HydrogenMap, HydrogenModel, hydrogen_map, hydrogen_mass, paint_hydrogen};
pub use linear_power::LinearPower;
pub use maps::{Axis, Frame, HALO_MASS_EDGES, halo_mass_bin, halo_mass_maps, halo_mass_maps_on_grid};
pub use reference::{Painter, Reference, ReferenceConfig, ReferenceModel, check_output, reference};

//! The networks: HALO and LODI, and the device they run on.

mod device;

pub use device::ComputeDevice;

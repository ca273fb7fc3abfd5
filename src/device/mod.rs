//! Where the networks run: the CPU, or the wgpu device that the window draws with.

mod compute;
mod gpu;

pub use compute::{ComputeDevice, DeviceChoice, host};
pub use gpu::{GpuContext, compute_device};

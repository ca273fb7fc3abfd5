//! The device that runs the networks.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where the networks are to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU if there is one and it passes the self-test, else the CPU.
    #[default]
    Auto,
    /// The wgpu device, even a software one.
    Gpu,
    /// The CPU.
    Cpu,
    /// The first NVIDIA card, through CUDA (in builds with the feature `cuda`).
    #[cfg(feature = "cuda")]
    Cuda,
}

/// A burn device, how much to give it at once, and what to say of it.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    /// The device tensors live on.
    pub burn: Device,
    /// Its name for the screen and for reports, such as "CPU (burn flex, 2 threads)".
    pub name: String,
    /// Why it was chosen, a sentence.
    pub reason: String,
    /// Tiles in one forward pass.
    pub batch: usize,
    /// Forward passes that run side by side: a GPU wants one large batch, a CPU one tile a
    /// thread, because much of a forward pass runs on one thread there.
    pub workers: usize,
    /// Whether it is the wgpu device that the window draws with.
    pub shared: bool,
}

impl ComputeDevice {
    /// The CPU.
    pub fn cpu(reason: impl Into<String>) -> Self {
        let threads = rayon::current_num_threads();
        Self {
            burn: Device::flex(),
            name: format!("CPU (burn flex, {threads} threads)"),
            reason: reason.into(),
            batch: 1,
            workers: threads,
            shared: false,
        }
    }

    /// Whether tensors live in the computer's own memory.
    pub fn is_cpu(&self) -> bool {
        self.burn == Device::flex()
    }
}

/// A tensor's values, brought to the host.
///
/// # Errors
/// [`Error::Device`] where the device failed on the way to them.
pub fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor
        .into_data()
        .try_into_vec::<f32>()
        .map_err(|e| Error::device(format!("a result could not be read back ({e:?})"), "Run it on the CPU instead"))
}

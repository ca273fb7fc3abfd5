//! The device that runs the networks.

use burn::tensor::Device;

/// A burn device and what to say of it.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    /// The device tensors live on.
    pub burn: Device,
    /// Its name for the screen and for reports, such as "CPU (flex, 2 threads)".
    pub name: String,
    /// Why it was chosen, a sentence.
    pub reason: String,
    /// Tiles to give it at once: enough to keep it busy, few enough to report
    /// progress often.
    pub batch: usize,
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
        }
    }
}

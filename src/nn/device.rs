//! The device that runs the networks.

use burn::tensor::Device;
use rayon::prelude::*;

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
            batch: threads,
        }
    }
}

/// Apply `f` to chunks of `items`: all of them at once on a GPU, which wants
/// large batches; one each on the CPU, side by side, because much of a network
/// runs on one thread there.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], device: &Device, f: impl Fn(&[T]) -> R + Sync + Send) -> Vec<R> {
    if is_cpu(device) && items.len() > 1 { items.par_chunks(1).map(&f).collect() } else { vec![f(items)] }
}

/// Whether tensors on `device` live in the computer's own memory.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

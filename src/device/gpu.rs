//! The one GPU device of the process.

use std::sync::{Mutex, OnceLock, PoisonError};

use burn::tensor::{Device, Distribution, Tensor};

use super::{ComputeDevice, DeviceChoice, host};
use crate::error::{Error, Result};

/// Largest relative difference between GPU and CPU that the self-test accepts.
const SELF_TEST_TOLERANCE: f64 = 1e-3;

/// A wgpu device that burn computes on and the window draws with.
///
/// burn creates it, so that it has every feature and limit that kernels want;
/// eframe is handed the same instance, adapter, device and queue.
#[derive(Clone)]
pub struct GpuContext {
    /// The instance.
    pub instance: wgpu::Instance,
    /// The physical device.
    pub adapter: wgpu::Adapter,
    /// The logical device.
    pub device: wgpu::Device,
    /// Its queue.
    pub queue: wgpu::Queue,
    /// The same device, as burn knows it.
    pub burn: Device,
}

impl GpuContext {
    /// The process's device, created on the first call.
    ///
    /// # Errors
    /// [`Error::Device`] where the machine has no Vulkan, Metal or DX12 device.
    pub fn shared() -> Result<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get_or_insert_with(Self::create).clone().map_err(|found| {
            Error::device(
                found,
                "Install a Vulkan driver (on Debian: mesa-vulkan-drivers), or run the networks on the CPU",
            )
        })
    }

    /// A new device of the same adapter: this one was lost.
    ///
    /// # Errors
    /// [`Error::Device`] where the adapter gives none.
    pub fn renewed(&self) -> Result<Self> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("renewed"),
            required_features: self.device.features() & !wgpu::Features::all_experimental_mask(),
            required_limits: self.device.limits(),
            ..Default::default()
        };
        let lost = |why: String| {
            Error::device(format!("the graphics device was lost and could not be opened again ({why})"), "Start anew")
        };
        let (device, queue) = at_once(self.adapter.request_device(&descriptor)).map_err(|e| lost(e.to_string()))?;
        let setup = cubecl_wgpu::WgpuSetup {
            instance: self.instance.clone(),
            adapter: self.adapter.clone(),
            device: device.clone(),
            queue: queue.clone(),
            backend: self.adapter.get_info().backend,
        };
        let burn = Device::wgpu_options().setup(setup).init().map_err(|e| lost(e.to_string()))?;
        Ok(Self { device, queue, burn, ..self.clone() })
    }

    /// Let this one be what [`GpuContext::shared`] gives from now on.
    pub fn share(&self) {
        *SHARED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ok(self.clone()));
    }

    /// Call `told` with the reason once the device is lost. Whoever asks last is told.
    pub fn on_loss(&self, told: impl Fn(String) + Send + 'static) {
        self.device.set_device_lost_callback(move |reason, message| told(format!("{reason:?}: {message}")));
    }

    fn create() -> std::result::Result<Self, String> {
        // Without a driver the loader panics in places.
        let made = std::panic::catch_unwind(|| Device::wgpu_options().init_with_setup());
        let (burn, setup) = match made {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => return Err(format!("no GPU device could be opened ({error})")),
            Err(_) => return Err("no GPU device could be opened".to_owned()),
        };
        Ok(Self { instance: setup.instance, adapter: setup.adapter, device: setup.device, queue: setup.queue, burn })
    }

    /// Name of the device for the screen.
    pub fn name(&self) -> String {
        let info = self.adapter.get_info();
        format!("{} ({})", info.name, info.backend)
    }

    /// Whether it is a software renderer, on which networks crawl.
    pub fn is_software(&self) -> bool {
        self.adapter.get_info().device_type == wgpu::DeviceType::Cpu
    }

    /// What `make` makes on this device; `None` where its memory is full.
    pub fn if_room<T>(&self, make: impl FnOnce() -> T) -> Option<T> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        let mut errors = std::pin::pin!(scope.pop());
        // Without a browser the answer is there at once.
        match errors.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(Some(_)) => None,
            _ => Some(made),
        }
    }

    /// The result of the self-test, which runs on the first call.
    fn self_test_once(&self) -> std::result::Result<(), String> {
        static RESULT: OnceLock<std::result::Result<(), String>> = OnceLock::new();
        RESULT.get_or_init(|| self.self_test()).clone()
    }

    /// Run a small network on the GPU and on the CPU and compare: drivers and
    /// kernels have been wrong before.
    fn self_test(&self) -> std::result::Result<(), String> {
        let run = |device: &Device| -> Result<Vec<f32>> {
            let cpu = Device::flex();
            cpu.seed(7);
            let input = Tensor::<5>::random([1, 2, 8, 8, 8], Distribution::Normal(0.0, 1.0), &cpu);
            let input = Tensor::<5>::from_data(input.into_data(), device);
            let convolution = burn::nn::conv::Conv3dConfig::new([2, 16], [3; 3]).init(&cpu);
            let weight = Tensor::<5>::from_data(convolution.weight.val().into_data(), device);
            let options = burn::tensor::ops::ConvOptions::new([1; 3], [1; 3], [1; 3], 1);
            let features = burn::tensor::module::conv3d(input, weight, None, options);
            // Matrix kernels are the ones that have been wrong.
            let flat = features.reshape([16, 512]);
            host(flat.clone().swap_dims(0, 1).matmul(flat))
        };
        let test = std::panic::AssertUnwindSafe(|| -> Result<f64> {
            let (gpu, cpu) = (run(&self.burn)?, run(&Device::flex())?);
            let norm: f64 = cpu.iter().map(|v| f64::from(*v).powi(2)).sum();
            let difference: f64 = gpu.iter().zip(&cpu).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            Ok((difference / norm).sqrt())
        });
        match std::panic::catch_unwind(test) {
            Ok(Ok(difference)) if difference <= SELF_TEST_TOLERANCE => Ok(()),
            Ok(Ok(difference)) => Err(format!("its results differ from the CPU's by {difference:.1e}")),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("its kernels failed".to_owned()),
        }
    }
}

/// The device that [`GpuContext::shared`] gives, once somebody asked.
static SHARED: Mutex<Option<std::result::Result<GpuContext, String>>> = Mutex::new(None);

/// The result of a future of wgpu: on the desktop they are ready when they are made.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// The device for the networks: what `choice` asks for, or for `Auto` the GPU
/// where it is a real one and passes its self-test, and the CPU elsewhere.
///
/// # Errors
/// [`Error::Device`] where a GPU is asked for and there is none.
pub fn compute_device(choice: DeviceChoice) -> Result<ComputeDevice> {
    let on_gpu = |gpu: &GpuContext, reason: &str| ComputeDevice {
        burn: gpu.burn.clone(),
        name: format!("{}, shared with the window", gpu.name()),
        reason: reason.to_owned(),
        batch: if gpu.is_software() { 1 } else { 16 },
        workers: 1,
        shared: true,
    };
    match choice {
        DeviceChoice::Cpu => Ok(ComputeDevice::cpu("The CPU was asked for.")),
        #[cfg(feature = "cuda")]
        DeviceChoice::Cuda => Ok(ComputeDevice {
            burn: Device::cuda(0),
            name: "CUDA device 0".to_owned(),
            reason: "CUDA was asked for.".to_owned(),
            batch: 16,
            workers: 1,
            shared: false,
        }),
        DeviceChoice::Gpu => Ok(on_gpu(&GpuContext::shared()?, "The GPU was asked for.")),
        DeviceChoice::Auto => Ok(match GpuContext::shared() {
            Err(_) => ComputeDevice::cpu("There is no GPU device."),
            Ok(gpu) if gpu.is_software() => {
                ComputeDevice::cpu(format!("{} is a software renderer, and the CPU is faster.", gpu.name()))
            }
            Ok(gpu) => match gpu.self_test_once() {
                Ok(()) => on_gpu(&gpu, "A real GPU that passed its self-test."),
                Err(why) => ComputeDevice::cpu(format!("{} failed its self-test: {why}.", gpu.name())),
            },
        }),
    }
}

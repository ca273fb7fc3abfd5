//! Volumes on the GPU that a running job paints into.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use burn::tensor::Tensor;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{AutoCompiler, CubeTensor, Wgpu};
use cubecl_wgpu::WgpuServer;
use wgpu::util::DeviceExt;

use crate::device::GpuContext;
use crate::field::{Grid, Layer, LogTransform, TileBox};
use crate::pipeline::{Changed, FieldValues, LayerView};

/// How a tile's values got to the texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextureSource {
    /// From burn's own buffer, on the GPU all the way.
    SharedBuffer,
    /// Uploaded from the host, where the networks run on the CPU.
    Upload,
}

/// One layer on the GPU.
#[derive(Clone)]
struct Volume {
    texture: wgpu::TextureView,
    n: usize,
    transform: LogTransform,
    /// Values shown, smallest and largest, transformed.
    range: [f32; 2],
    /// The version of the layer that it shows.
    version: u64,
}

/// The canvas of the window: one 3D texture per layer, painted by the job's
/// thread and drawn by the window's.
pub struct VolumeCanvas {
    gpu: GpuContext,
    pipeline: wgpu::ComputePipeline,
    volumes: Mutex<BTreeMap<Layer, Volume>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct TileUniform {
    origin: [u32; 4],
    size: [u32; 4],
}

impl VolumeCanvas {
    /// An empty canvas; `wake` is called after every change and must not block.
    pub fn new(gpu: GpuContext, wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let shader = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("paint tile"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../shaders/paint_tile.wgsl").into()),
        });
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("paint tile"),
            layout: None,
            module: &shader,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        Arc::new(Self { gpu, pipeline, volumes: Mutex::default(), wake: Box::new(wake) })
    }

    /// A layer's texture, voxels per axis, transform and the range of
    /// transformed values to show; `None` if it was never begun.
    pub fn layer(&self, layer: Layer) -> Option<(wgpu::TextureView, usize, LogTransform, [f32; 2])> {
        let volume = self.volumes().get(&layer)?.clone();
        Some((volume.texture, volume.n, volume.transform, volume.range))
    }

    /// The layers there are.
    pub fn layers(&self) -> Vec<Layer> {
        self.volumes().keys().copied().collect()
    }

    fn volumes(&self) -> MutexGuard<'_, BTreeMap<Layer, Volume>> {
        // A panic while the lock was held leaves whole volumes behind.
        self.volumes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Paint a tile of transformed values and say which way they took.
    pub fn paint(&self, layer: Layer, tile: TileBox, values: Tensor<3>) -> Option<TextureSource> {
        let (texture, n) = self.volumes().get(&layer).map(|v| (v.texture.clone(), v.n))?;
        let source = match values.clone().try_into_primitive::<Wgpu>() {
            Ok(tensor) => self.paint_shared(&texture, n, tile, tensor),
            Err(_) => false,
        };
        let source = if source {
            TextureSource::SharedBuffer
        } else {
            let values = crate::device::host(values).ok()?;
            self.paint_upload(&texture, n, tile, &values);
            TextureSource::Upload
        };
        (self.wake)();
        Some(source)
    }

    /// Paint from burn's buffer; false if it is not within this device's reach.
    fn paint_shared(&self, texture: &wgpu::TextureView, n: usize, tile: TileBox, tensor: CubeTensor) -> bool {
        let tensor = into_contiguous(tensor);
        let client = tensor.client.clone();
        let Ok(resource) = client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone()) else {
            return false;
        };
        // burn batches its work: what fills the buffer must be on the queue
        // before what reads it.
        if client.flush().is_err() {
            return false;
        }
        let resource = resource.resource();
        let alignment = u64::from(self.gpu.device.limits().min_storage_buffer_offset_alignment);
        let aligned = resource.offset / alignment * alignment;
        let first = ((resource.offset - aligned) / 4) as u32;
        let binding = wgpu::BufferBinding {
            buffer: &resource.buffer,
            offset: aligned,
            size: std::num::NonZeroU64::new(resource.offset - aligned + resource.size),
        };
        self.dispatch(texture, n, tile, first, wgpu::BindingResource::Buffer(binding));
        true
    }

    fn paint_upload(&self, texture: &wgpu::TextureView, n: usize, tile: TileBox, values: &[f32]) {
        let buffer = self.gpu.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("tile"),
            contents: bytemuck::cast_slice(values),
            usage: wgpu::BufferUsages::STORAGE,
        });
        self.dispatch(texture, n, tile, 0, buffer.as_entire_binding());
    }

    fn dispatch(
        &self,
        texture: &wgpu::TextureView,
        n: usize,
        tile: TileBox,
        first: u32,
        values: wgpu::BindingResource,
    ) {
        let [x, y, z] = tile.origin.map(|v| v as u32);
        let [sx, sy, sz] = tile.size.map(|v| v as u32);
        let uniform = TileUniform { origin: [x, y, z, n as u32], size: [sx, sy, sz, first] };
        let device = &self.gpu.device;
        let uniform = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("tile place"),
            contents: bytemuck::bytes_of(&uniform),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("paint tile"),
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: values },
                wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(texture) },
            ],
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(sx.div_ceil(4), sy.div_ceil(4), sz.div_ceil(4));
        }
        self.gpu.queue.submit([encoder.finish()]);
    }
}

/// How a layer is shown: decades above a floor in its unit.
fn transform(layer: Layer) -> LogTransform {
    LogTransform::above(match layer {
        Layer::DarkMatter => 1e-2,
        Layer::HaloMass(_) => 1e9,
        _ => 0.02,
    })
}

impl VolumeCanvas {
    /// Forget everything: another box is shown from now on.
    pub fn clear(&self) {
        self.volumes().clear();
    }

    /// Show what a layer has become.
    pub fn update(&self, layer: Layer, view: &LayerView) {
        let shown = self.volumes().get(&layer).map_or(0, |volume| volume.version);
        let changed = view.changed_since(shown);
        if changed == Changed::Nothing {
            return;
        }
        let transform = transform(layer);
        if shown == 0 {
            let n = match &view.field {
                FieldValues::Host(grid) => grid.n(),
                FieldValues::Device { values, .. } => values.dims()[0],
            };
            self.begin(layer, n, transform);
        }
        match (&view.field, changed) {
            (FieldValues::Host(grid), Changed::Tiles(tiles)) => {
                let n = grid.n();
                for tile in tiles {
                    let mut values = Vec::new();
                    crate::stitch::gather(grid.as_slice(), n, tile.origin, tile.size[0], &mut values);
                    values.iter_mut().for_each(|v| *v = transform.forward(*v));
                    let tensor = Tensor::<1>::from_floats(values.as_slice(), &burn::tensor::Device::flex());
                    self.paint(layer, tile, tensor.reshape(tile.size));
                }
            }
            (FieldValues::Host(grid), _) => self.paint_field(layer, grid, view.complete),
            (FieldValues::Device { values, .. }, _) => {
                let n = values.dims()[0];
                let decades = (values.clone().clamp_min(0.0) + transform.floor).log() * std::f64::consts::LOG10_E;
                self.paint(layer, TileBox::whole(n), decades);
            }
        }
        if let Some(volume) = self.volumes().get_mut(&layer) {
            volume.version = view.version;
        }
    }

    /// Begin a layer: `n³` voxels, cleared, shown through `transform`.
    pub fn begin(&self, layer: Layer, n: usize, transform: LogTransform) {
        let texture = self.gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("layer"),
            size: wgpu::Extent3d { width: n as u32, height: n as u32, depth_or_array_layers: n as u32 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D3,
            format: wgpu::TextureFormat::R32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::STORAGE_BINDING
                | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let texture = texture.create_view(&Default::default());
        // Until there are values: from the floor to a few decades above it.
        let floor = transform.forward(0.0);
        let range = [floor, floor + (3.5 / transform.scale) as f32];
        let mut volumes = self.volumes();
        volumes.insert(layer, Volume { texture, n, transform, range, version: 0 });
    }

    /// Paint a whole field given in its unit.
    pub fn paint_field(&self, layer: Layer, field: &Grid, complete: bool) {
        let Some((_, n, transform, _)) = self.layer(layer) else { return };
        let values = field.map(|v| transform.forward(v));
        let range = [values.quantile(0.02), values.quantile(0.9995)];
        if complete && let Some(volume) = self.volumes().get_mut(&layer) {
            volume.range = [range[0], range[1].max(range[0] + 1e-3)];
        }
        let tensor = Tensor::<1>::from_floats(values.as_slice(), &burn::tensor::Device::flex()).reshape([n, n, n]);
        self.paint(layer, TileBox { origin: [0; 3], size: [n; 3] }, tensor);
    }
}

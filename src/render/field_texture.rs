//! Fields on the GPU, physical values, painted tile by tile or whole.

use burn::tensor::Tensor;
use burn_cubecl::kernel::into_contiguous;
use burn_wgpu::{AutoCompiler, CubeTensor, Wgpu};
use cubecl_wgpu::WgpuServer;

use super::shaders;
use crate::device::GpuContext;
use crate::field::Grid;
use crate::field::TileBox;

/// How values got to a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextureSource {
    /// From burn's own buffer, on the GPU all the way.
    SharedBuffer,
    /// Uploaded from the host, where the networks run on the CPU.
    Upload,
}

/// A field of `n³` voxels on the GPU, in its physical unit. Texture axes are the
/// grid's: x, y, z.
pub struct FieldTexture {
    pub(super) view: wgpu::TextureView,
    n: usize,
    generation: u64,
}

impl FieldTexture {
    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.n
    }

    /// A number that changes whenever any voxel does, and that no two textures share.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Paints fields into textures.
pub struct FieldPainter {
    gpu: GpuContext,
    pipeline: wgpu::ComputePipeline,
    painted: u64,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct TileUniform {
    origin: [u32; 4],
    size: [u32; 4],
}

/// Most bytes uploaded at once, well within every device's limit of a buffer.
const PIECE: usize = 64 << 20;

impl FieldPainter {
    /// A painter on the device of `gpu`.
    pub fn new(gpu: GpuContext) -> Self {
        let module = shaders::module(&gpu.device, "paint_tile");
        Self { pipeline: shaders::compute(&gpu.device, &module, "main"), gpu, painted: 0 }
    }

    /// The most voxels an axis that this device shows of a field.
    pub fn most_voxels(&self) -> usize {
        self.gpu.device.limits().max_texture_dimension_3d as usize
    }

    /// A field of `n³` zeros.
    pub fn create(&mut self, n: usize) -> FieldTexture {
        let size = n as u32;
        let texture = self.gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("field"),
            size: wgpu::Extent3d { width: size, height: size, depth_or_array_layers: size },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D3,
            format: wgpu::TextureFormat::R32Float,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        });
        FieldTexture { view: texture.create_view(&Default::default()), n, generation: self.next() }
    }

    /// Paint a whole field.
    pub fn paint_field(&mut self, texture: &mut FieldTexture, field: &Grid) {
        let n = texture.n;
        let planes = (PIECE / (4 * n * n)).clamp(1, n);
        for first in (0..n).step_by(planes) {
            let count = planes.min(n - first);
            let tile = TileBox { origin: [first, 0, 0], size: [count, n, n] };
            self.paint_values(texture, tile, &field.as_slice()[first * n * n..(first + count) * n * n]);
        }
    }

    /// Paint the tile of a field that lies at `tile`, periodic beyond the box.
    pub fn paint_part(&mut self, texture: &mut FieldTexture, tile: TileBox, field: &Grid) {
        let n = texture.n;
        let mut values = Vec::with_capacity(tile.size.iter().product());
        for x in 0..tile.size[0] {
            for y in 0..tile.size[1] {
                let [x, y] = [(tile.origin[0] + x) % n, (tile.origin[1] + y) % n];
                let row = &field.as_slice()[(x * n + y) * n..][..n];
                values.extend((0..tile.size[2]).map(|z| row[(tile.origin[2] + z) % n]));
            }
        }
        self.paint_values(texture, tile, &values);
    }

    /// Paint a tile of a tensor's values, shape `[x, y, z]`, wherever it lives; on this
    /// device it does not pass through the CPU. `None` if it could not be read.
    pub fn paint(&mut self, texture: &mut FieldTexture, tile: TileBox, values: Tensor<3>) -> Option<TextureSource> {
        if let Ok(tensor) = values.clone().try_into_primitive::<Wgpu>()
            && self.paint_shared(texture, tile, tensor)
        {
            return Some(TextureSource::SharedBuffer);
        }
        let values = crate::device::host(values).ok()?;
        self.paint_values(texture, tile, &values);
        Some(TextureSource::Upload)
    }

    /// Paint from burn's buffer; false if it is not within this device's reach.
    fn paint_shared(&mut self, texture: &mut FieldTexture, tile: TileBox, tensor: CubeTensor) -> bool {
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
        self.dispatch(texture, tile, first, wgpu::BindingResource::Buffer(binding));
        true
    }

    /// Paint a tile of values in C order.
    pub fn paint_values(&mut self, texture: &mut FieldTexture, tile: TileBox, values: &[f32]) {
        let usage = wgpu::BufferUsages::STORAGE;
        let buffer = super::layout::filled(&self.gpu, "tile", bytemuck::cast_slice(values), usage);
        self.dispatch(texture, tile, 0, buffer.as_entire_binding());
    }

    fn dispatch(&mut self, texture: &mut FieldTexture, tile: TileBox, first: u32, values: wgpu::BindingResource<'_>) {
        let [x, y, z] = tile.origin.map(|v| v as u32);
        let [sx, sy, sz] = tile.size.map(|v| v as u32);
        let uniform = TileUniform { origin: [x, y, z, texture.n as u32], size: [sx, sy, sz, first] };
        let device = &self.gpu.device;
        let uniform = super::layout::uniform(&self.gpu, &uniform);
        let resources = vec![uniform.as_entire_binding(), values, wgpu::BindingResource::TextureView(&texture.view)];
        let group = super::layout::group(device, &self.pipeline.get_bind_group_layout(0), resources);
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(sx.div_ceil(4), sy.div_ceil(4), sz.div_ceil(4));
        }
        self.gpu.queue.submit([encoder.finish()]);
        texture.generation = self.next();
    }

    fn next(&mut self) -> u64 {
        self.painted += 1;
        self.painted
    }
}

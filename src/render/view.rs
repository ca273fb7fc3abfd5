//! Drawing a volume inside an egui window.

use std::sync::Arc;

use glam::{Mat4, Vec3};
use wgpu::util::DeviceExt;

use crate::field::TileBox;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ViewMode {
    /// Three orthogonal slice planes.
    Slices,
    /// The whole volume, bright values opaque.
    Volume,
    /// One slice face on, perpendicular to an axis.
    Flat(usize),
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct ViewUniform {
    clip_to_world: [[f32; 4]; 4],
    eye: [f32; 4],
    slices: [f32; 4],
    range: [f32; 4],
    tile_origin: [f32; 4],
    tile_size: [f32; 4],
}

/// The pipelines and the colour table, shared by all views of a window.
pub struct ViewPipelines {
    layout: wgpu::BindGroupLayout,
    perspective: wgpu::RenderPipeline,
    flat: wgpu::RenderPipeline,
    colors: wgpu::TextureView,
}

impl ViewPipelines {
    /// Pipelines that draw into a pass of `format`, with the colours of
    /// `gradient`.
    pub fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        format: wgpu::TextureFormat,
        gradient: colorous::Gradient,
    ) -> Arc<Self> {
        let source =
            concat!(include_str!("../../shaders/volume_view.wgsl"), include_str!("../../shaders/colormap.wgsl"));
        let shader = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("volume view"),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let texture = |binding, dimension| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: wgpu::BindingType::Texture {
                sample_type: wgpu::TextureSampleType::Float { filterable: false },
                view_dimension: dimension,
                multisampled: false,
            },
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("volume view"),
            entries: &[
                wgpu::BindGroupLayoutEntry {
                    binding: 0,
                    visibility: wgpu::ShaderStages::FRAGMENT,
                    ty: wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: None,
                    },
                    count: None,
                },
                texture(1, wgpu::TextureViewDimension::D3),
                texture(2, wgpu::TextureViewDimension::D2),
            ],
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("volume view"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = |entry: &str| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(entry),
                layout: Some(&pipeline_layout),
                vertex: wgpu::VertexState {
                    module: &shader,
                    entry_point: Some("corner"),
                    compilation_options: Default::default(),
                    buffers: &[],
                },
                fragment: Some(wgpu::FragmentState {
                    module: &shader,
                    entry_point: Some(entry),
                    compilation_options: Default::default(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format,
                        blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                primitive: Default::default(),
                depth_stencil: None,
                multisample: Default::default(),
                multiview_mask: None,
                cache: None,
            })
        };
        let table: Vec<u8> = (0..256)
            .flat_map(|i| {
                let color = gradient.eval_rational(i, 256);
                [color.r, color.g, color.b, 255]
            })
            .collect();
        let colors = device.create_texture_with_data(
            queue,
            &wgpu::TextureDescriptor {
                label: Some("colours"),
                size: wgpu::Extent3d { width: 256, height: 1, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING,
                view_formats: &[],
            },
            Default::default(),
            &table,
        );
        Arc::new(Self {
            perspective: pipeline("slices_or_volume"),
            flat: pipeline("flat_slice"),
            layout,
            colors: colors.create_view(&Default::default()),
        })
    }
}

/// One drawing of a volume.
pub struct VolumeView {
    pipelines: Arc<ViewPipelines>,
    group: wgpu::BindGroup,
    mode: ViewMode,
}

impl VolumeView {
    /// A drawing of `volume` (`n³` voxels) seen through `world_to_clip` from
    /// `eye`, cut at `slices` (in the unit cube), showing values within `range`,
    /// with `tile` outlined.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        device: &wgpu::Device,
        pipelines: &Arc<ViewPipelines>,
        volume: &wgpu::TextureView,
        n: usize,
        (world_to_clip, eye): (Mat4, Vec3),
        slices: [f32; 3],
        range: [f32; 2],
        mode: ViewMode,
        tile: Option<TileBox>,
    ) -> Self {
        let unit = |v: [usize; 3], w: f32| [v[0] as f32 / n as f32, v[1] as f32 / n as f32, v[2] as f32 / n as f32, w];
        let (mode_number, axis) = match mode {
            ViewMode::Slices => (0.0, 0.0),
            ViewMode::Volume => (1.0, 0.0),
            ViewMode::Flat(axis) => (0.0, axis as f32),
        };
        let uniform = ViewUniform {
            clip_to_world: world_to_clip.inverse().to_cols_array_2d(),
            eye: [eye.x, eye.y, eye.z, 1.0],
            slices: [slices[0], slices[1], slices[2], n as f32],
            range: [range[0], range[1], mode_number, axis],
            tile_origin: tile.map_or([0.0; 4], |t| unit(t.origin, 1.0)),
            tile_size: tile.map_or([0.0; 4], |t| unit(t.size, 0.0)),
        };
        let uniform = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("view"),
            contents: bytemuck::bytes_of(&uniform),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("volume view"),
            layout: &pipelines.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: wgpu::BindingResource::TextureView(volume) },
                wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(&pipelines.colors) },
            ],
        });
        Self { pipelines: pipelines.clone(), group, mode }
    }

    /// Record the drawing; it fills the pass's viewport.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>) {
        pass.set_pipeline(match self.mode {
            ViewMode::Flat(_) => &self.pipelines.flat,
            ViewMode::Slices | ViewMode::Volume => &self.pipelines.perspective,
        });
        pass.set_bind_group(0, &self.group, &[]);
        pass.draw(0..3, 0..1);
    }
}

impl egui_wgpu::CallbackTrait for VolumeView {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &egui_wgpu::CallbackResources,
    ) {
        self.draw(pass);
    }
}

//! Pictures to the screen, inside egui's own pass, and lines over them
//! (`shaders/present.wgsl`).

use std::sync::Arc;

use glam::{Mat4, Vec3};

use super::layout::{self, DrawPipeline, SAMPLER, UNIFORM, group, target, texture};
use super::{Picture, shaders};
use crate::device::GpuContext;

/// A straight line in the unit cube.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Its ends.
    pub ends: [Vec3; 2],
    /// Its width in pixels.
    pub width: f32,
    /// Its colour, premultiplied, 0 to 1.
    pub color: [f32; 4],
    /// How much of it shows through what is nearer, 0 to 1.
    pub hidden: f32,
}

impl Line {
    /// The twelve edges of a cuboid between two corners.
    pub fn cuboid(low: Vec3, high: Vec3, width: f32, color: [f32; 4], hidden: f32) -> impl Iterator<Item = Self> {
        let corner =
            move |bits: usize| Vec3::from_array([0, 1, 2].map(|i| if bits >> i & 1 == 1 { high[i] } else { low[i] }));
        (0..8usize).flat_map(move |a| {
            (0..3).filter(move |i| a >> i & 1 == 0).map(move |i| Self {
                ends: [corner(a), corner(a | 1 << i)],
                width,
                color,
                hidden,
            })
        })
    }
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct LineInstance {
    from: [f32; 4],
    to: [f32; 4],
    color: [f32; 4],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct ScreenUniform {
    world_to_clip: [[f32; 4]; 4],
    size: [f32; 4],
    background: [f32; 4],
}

/// The pipelines that put pictures on a screen of one format.
pub struct PresentPass {
    gpu: GpuContext,
    layout: wgpu::BindGroupLayout,
    copy: wgpu::RenderPipeline,
    lines: wgpu::RenderPipeline,
    sampler: wgpu::Sampler,
    background: [f32; 4],
}

impl PresentPass {
    /// For a screen of `format`; `background` is what is seen behind pictures, 0 to 1.
    pub fn new(gpu: GpuContext, format: wgpu::TextureFormat, background: [f32; 3]) -> Arc<Self> {
        let device = &gpu.device;
        let module = shaders::module(device, "present");
        let d2 = wgpu::TextureViewDimension::D2;
        let layout = layout::layout(device, "present", &[UNIFORM, texture(d2, true), texture(d2, false), SAMPLER]);
        let targets = [target(format, Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING))];
        let opaque = [target(format, None)];
        let pipeline = |entries, buffers: &[Option<wgpu::VertexBufferLayout<'_>>], topology, targets| {
            DrawPipeline { layout: &layout, module: &module, entries, constants: &[], buffers, topology, targets }
                .create(device)
        };
        let attributes = wgpu::vertex_attr_array![0 => Float32x4, 1 => Float32x4, 2 => Float32x4];
        let instances = wgpu::VertexBufferLayout {
            array_stride: size_of::<LineInstance>() as u64,
            step_mode: wgpu::VertexStepMode::Instance,
            attributes: &attributes,
        };
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        Arc::new(Self {
            copy: pipeline(["corner", "copy"], &[], wgpu::PrimitiveTopology::TriangleList, &opaque),
            lines: pipeline(
                ["line", "draw_line"],
                &[Some(instances)],
                wgpu::PrimitiveTopology::TriangleStrip,
                &targets,
            ),
            layout,
            sampler,
            background: [background[0], background[1], background[2], 1.0],
            gpu,
        })
    }

    /// A picture for `size` pixels of the screen, with `lines` seen through
    /// `world_to_clip` over it.
    pub fn present(
        self: &Arc<Self>,
        picture: &Picture,
        size: [u32; 2],
        world_to_clip: Mat4,
        lines: &[Line],
    ) -> Presented {
        let device = &self.gpu.device;
        let share = [0, 1].map(|i| picture.filled[i] as f32 / picture.room[i] as f32);
        let uniform = ScreenUniform {
            world_to_clip: world_to_clip.to_cols_array_2d(),
            size: [size[0] as f32, size[1] as f32, share[0], share[1]],
            background: self.background,
        };
        let uniform = layout::uniform(&self.gpu, &uniform);
        let group = group(
            device,
            &self.layout,
            vec![
                uniform.as_entire_binding(),
                wgpu::BindingResource::TextureView(&picture.color),
                wgpu::BindingResource::TextureView(&picture.depth),
                wgpu::BindingResource::Sampler(&self.sampler),
            ],
        );
        let instances: Vec<LineInstance> = lines
            .iter()
            .map(|line| LineInstance {
                from: line.ends[0].extend(line.width).to_array(),
                to: line.ends[1].extend(line.hidden).to_array(),
                color: line.color,
            })
            .collect();
        let lines = (!instances.is_empty())
            .then(|| layout::filled(&self.gpu, "lines", bytemuck::cast_slice(&instances), wgpu::BufferUsages::VERTEX));
        Presented { pass: self.clone(), group, lines, count: instances.len() as u32 }
    }
}

/// A picture on its way to the screen.
pub struct Presented {
    pass: Arc<PresentPass>,
    group: wgpu::BindGroup,
    lines: Option<wgpu::Buffer>,
    count: u32,
}

impl Presented {
    /// Record the drawing; it fills the pass's viewport.
    pub fn draw(&self, pass: &mut wgpu::RenderPass<'_>) {
        pass.set_pipeline(&self.pass.copy);
        pass.set_bind_group(0, &self.group, &[]);
        pass.draw(0..3, 0..1);
        if let Some(lines) = &self.lines {
            pass.set_pipeline(&self.pass.lines);
            pass.set_vertex_buffer(0, lines.slice(..));
            pass.draw(0..4, 0..self.count);
        }
    }
}

impl egui_wgpu::CallbackTrait for Presented {
    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        _: &egui_wgpu::CallbackResources,
    ) {
        self.draw(pass);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_has_twelve_edges_of_its_sides() {
        let edges: Vec<Line> = Line::cuboid(Vec3::ZERO, Vec3::new(1.0, 2.0, 3.0), 1.0, [1.0; 4], 0.0).collect();
        assert_eq!(edges.len(), 12);
        let length: f32 = edges.iter().map(|l| l.ends[0].distance(l.ends[1])).sum();
        assert!((length - 24.0).abs() < 1e-5);
    }
}

//! Slices face on (`shaders/slice.wgsl`).

use super::layout::{self, DrawPipeline, UNIFORM, group, target, texture};
use super::picture::{COLOR, Picture};
use super::transfer::ScaleUniform;
use super::{ColorTable, Placed, shaders};
use crate::device::GpuContext;

/// The axes to the right and up on the slice across each axis: yz, xz, xy.
pub const SLICE_AXES: [[usize; 2]; 3] = [[1, 2], [0, 2], [0, 1]];

/// What a slice shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceLook {
    /// The axis it is perpendicular to.
    pub axis: usize,
    /// First voxel of the slab.
    pub first: usize,
    /// Voxels in the slab.
    pub thickness: usize,
    /// Its maximum instead of its mean.
    pub maximum: bool,
    /// Interpolated between voxels.
    pub smooth: bool,
    /// Of the canvas in box sides: left, bottom, right, top.
    pub extent: [f32; 4],
    /// From which fraction of the width on the compared field is shown; 1 shows none.
    pub swipe: f32,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct SliceUniform {
    extent: [f32; 4],
    scales: [ScaleUniform; 2],
    image: [f32; 4],
    axes: [u32; 4],
    slab: [u32; 4],
    hole: [f32; 4],
}

/// The pipeline of slices.
pub struct SlicePass {
    gpu: GpuContext,
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::RenderPipeline,
}

type Key = (SliceLook, [u64; 2], [ScaleUniform; 2], (super::ColorMap, bool), [u32; 2]);

/// A slice's picture, drawn again only when something in it changed.
#[derive(Default)]
pub struct SlicePicture {
    picture: Option<Picture>,
    key: Option<Key>,
    draws: u64,
}

impl SlicePass {
    /// On the device of `gpu`.
    pub fn new(gpu: GpuContext) -> Self {
        let device = &gpu.device;
        let d3 = texture(wgpu::TextureViewDimension::D3, false);
        let layout =
            layout::layout(device, "slice", &[UNIFORM, d3, d3, texture(wgpu::TextureViewDimension::D2, false)]);
        let pipeline = DrawPipeline {
            layout: &layout,
            module: &shaders::module(device, "slice"),
            entries: ["corner", "look"],
            constants: &[],
            buffers: &[],
            topology: wgpu::PrimitiveTopology::TriangleList,
            targets: &[target(COLOR, None)],
        }
        .create(device);
        Self { layout, pipeline, gpu }
    }
}

impl SlicePicture {
    /// The picture of a slice of `shown` (and `compared`) in `size` pixels; `None` for
    /// one of no size.
    pub fn draw(
        &mut self,
        pass: &SlicePass,
        shown: Placed<'_>,
        compared: Option<Placed<'_>>,
        colors: &ColorTable,
        look: &SliceLook,
        size: [u32; 2],
    ) -> Option<Picture> {
        if size.contains(&0) {
            return None;
        }
        let device = &pass.gpu.device;
        if self.picture.as_ref().is_none_or(|p| p.room != size) {
            self.picture = Some(Picture::new(device, size));
            self.key = None;
        }
        let second = compared.unwrap_or(shown);
        let scales = [shown.scale.uniform(), second.scale.uniform()];
        let (map, reversed, _) = colors.key();
        let key = (*look, [shown.field.generation(), second.field.generation()], scales, (map, reversed), size);
        let picture = self.picture.clone()?;
        if self.key == Some(key) {
            return Some(picture);
        }
        self.key = Some(key);
        self.draws += 1;
        let n = shown.field.n();
        let [right, up] = SLICE_AXES[look.axis];
        let uniform = SliceUniform {
            extent: look.extent,
            scales,
            image: [size[0] as f32, size[1] as f32, look.swipe, 0.0],
            axes: [look.axis, right, up, n].map(|v| v as u32),
            slab: [
                (look.first % n) as u32,
                look.thickness.clamp(1, n) as u32,
                u32::from(look.maximum),
                u32::from(look.smooth),
            ],
            hole: [0.45, 0.05, 0.45, 1.0],
        };
        let uniform = layout::uniform(&pass.gpu, &uniform);
        let view = wgpu::BindingResource::TextureView;
        let group = group(
            device,
            &pass.layout,
            vec![uniform.as_entire_binding(), view(&shown.field.view), view(&second.field.view), view(&colors.view)],
        );
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut drawing = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("slice"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &picture.color,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            drawing.set_pipeline(&pass.pipeline);
            drawing.set_bind_group(0, &group, &[]);
            drawing.draw(0..3, 0..1);
        }
        pass.gpu.queue.submit([encoder.finish()]);
        Some(picture)
    }

    /// How often it was drawn so far.
    pub fn draws(&self) -> u64 {
        self.draws
    }
}

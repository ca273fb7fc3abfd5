//! The ray march through a display volume (`shaders/volume.wgsl`).

use glam::Mat4;
use serde::{Deserialize, Serialize};

use super::layout::{self, DrawPipeline, SAMPLER, UNIFORM, group, target, texture};
use super::picture::{COLOR, DEPTH, Picture};
use super::{ColorTable, DisplayVolume, OrbitCamera, shaders};
use crate::device::GpuContext;

/// How the volume is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum VolumeMode {
    /// Light that the field gives off and swallows.
    #[default]
    Emission,
    /// The largest value on each line of sight.
    Maximum,
    /// Where the field has one value, lit.
    Surface,
    /// The slice planes alone.
    Planes,
}

impl VolumeMode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Emission, Self::Maximum, Self::Surface, Self::Planes];

    /// Name for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Emission => "Emission",
            Self::Maximum => "Maximum",
            Self::Surface => "Surface",
            Self::Planes => "Planes",
        }
    }

    /// What it shows, a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Emission => "Every voxel glows and hides what is behind it, as much as its opacity says.",
            Self::Maximum => "The largest value on each line of sight: filaments and haloes, without depth.",
            Self::Surface => "The surface where the field has the level of the lower opacity handle.",
            Self::Planes => "The three slices where the crosshair is, and nothing between them.",
        }
    }
}

/// What is looked at, and from where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VolumeLook {
    /// From where.
    pub camera: OrbitCamera,
    /// How.
    pub mode: VolumeMode,
    /// Where planes cut, in the unit cube.
    pub planes: [f32; 3],
    /// How opaque each plane is; zero hides it.
    pub plane_opacity: [f32; 3],
    /// Place of the isosurface in the colour range.
    pub level: f32,
    /// Optical depth through a box of full opacity, in powers of two.
    pub gain: f32,
    /// The part of the box that is shown: low and high corner in the unit cube.
    pub clip: [[f32; 3]; 2],
    /// From which fraction of the width on the compared field is shown; 1 shows none.
    pub swipe: f32,
    /// Whether colours diverge from the middle of their range.
    pub diverging: bool,
}

impl VolumeLook {
    /// The same look without what its picture does not depend on: two looks that are alike as
    /// they are seen have one picture.
    pub(super) fn as_seen(self) -> Self {
        let hidden = self.plane_opacity.map(|opacity| opacity <= 0.0);
        let of = |mode: VolumeMode, value: f32| if self.mode == mode { value } else { 0.0 };
        Self {
            planes: [0, 1, 2].map(|axis| if hidden[axis] { 0.0 } else { self.planes[axis] }),
            plane_opacity: self.plane_opacity.map(|opacity| opacity.max(0.0)),
            level: of(VolumeMode::Surface, self.level),
            gain: of(VolumeMode::Emission, self.gain),
            ..self
        }
    }
}

/// One pass over a part of the picture.
pub(super) struct PassPlan {
    /// Pixels of the whole picture.
    pub size: [u32; 2],
    /// Rows drawn, first and count.
    pub rows: [u32; 2],
    /// Length of a step in voxels.
    pub step: f32,
    /// Which pass over the pixels it is: each shifts rays otherwise.
    pub pass: u32,
    /// Weight of this pass over what is there already.
    pub weight: f64,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct ViewUniform {
    clip_to_world: [[f32; 4]; 4],
    world_to_clip: [[f32; 4]; 4],
    planes: [f32; 4],
    plane_opacity: [f32; 4],
    clip_low: [f32; 4],
    clip_high: [f32; 4],
    image: [f32; 4],
    shift: [f32; 4],
    swipe: [f32; 4],
}

/// The pipelines of the ray march, one a mode. A clone is the same pipelines.
#[derive(Clone)]
pub struct VolumePass {
    gpu: GpuContext,
    layout: wgpu::BindGroupLayout,
    pipelines: [wgpu::RenderPipeline; 4],
    sampler: wgpu::Sampler,
}

impl VolumePass {
    /// On the device of `gpu`.
    pub fn new(gpu: GpuContext) -> Self {
        let device = &gpu.device;
        let module = shaders::module(device, "volume");
        let d3 = wgpu::TextureViewDimension::D3;
        let layout = layout::layout(
            device,
            "volume",
            &[UNIFORM, texture(d3, true), texture(d3, false), texture(wgpu::TextureViewDimension::D2, false), SAMPLER],
        );
        // A pass counts by a constant weight, so that passes average.
        let component = wgpu::BlendComponent {
            src_factor: wgpu::BlendFactor::Constant,
            dst_factor: wgpu::BlendFactor::OneMinusConstant,
            operation: wgpu::BlendOperation::Add,
        };
        let average = wgpu::BlendState { color: component, alpha: component };
        let pipelines = [0.0, 1.0, 2.0, 3.0].map(|mode| {
            DrawPipeline {
                layout: &layout,
                module: &module,
                entries: ["corner", "look"],
                constants: &[("MODE", mode)],
                buffers: &[],
                topology: wgpu::PrimitiveTopology::TriangleList,
                targets: &[target(COLOR, Some(average)), target(DEPTH, None)],
            }
            .create(device)
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            address_mode_u: wgpu::AddressMode::Repeat,
            address_mode_v: wgpu::AddressMode::Repeat,
            address_mode_w: wgpu::AddressMode::Repeat,
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..Default::default()
        });
        Self { layout, pipelines, sampler, gpu }
    }

    pub(super) fn gpu(&self) -> &GpuContext {
        &self.gpu
    }

    /// Draw a part of `look` at `volume` into `picture`.
    pub(super) fn draw(
        &self,
        picture: &Picture,
        volume: &DisplayVolume,
        colors: &ColorTable,
        look: &VolumeLook,
        plan: &PassPlan,
    ) {
        let device = &self.gpu.device;
        let [width, height] = plan.size.map(|v| v as f32);
        let world_to_clip: Mat4 = look.camera.world_to_clip(width / height);
        let n = volume.n() as f32;
        let four = |v: [f32; 3], w: f32| [v[0], v[1], v[2], w];
        // Where in its pixel a pass looks, and where its rays begin: low-discrepancy
        // sequences that start in the middle.
        let pass = plan.pass as f32;
        let shift =
            [0.754_877_7, 0.569_840_3].map(|g: f32| if plan.pass == 0 { 0.0 } else { (pass * g).fract() - 0.5 });
        let uniform = ViewUniform {
            clip_to_world: world_to_clip.inverse().to_cols_array_2d(),
            world_to_clip: world_to_clip.to_cols_array_2d(),
            planes: four(look.planes, n),
            plane_opacity: four(look.plane_opacity, look.level.max(0.5 / 255.0)),
            clip_low: four(look.clip[0], plan.step),
            clip_high: four(look.clip[1], look.gain / n),
            image: [width, height, 0.0, 0.0],
            shift: [shift[0], shift[1], (pass * 0.618_034).fract(), 0.0],
            swipe: [look.swipe, if look.diverging { 1.0 } else { 0.0 }, 0.0, 0.0],
        };
        let uniform = layout::uniform(&self.gpu, &uniform);
        let view = wgpu::BindingResource::TextureView;
        let group = group(
            device,
            &self.layout,
            vec![
                uniform.as_entire_binding(),
                view(&volume.places),
                view(&volume.cells),
                view(&colors.view),
                wgpu::BindingResource::Sampler(&self.sampler),
            ],
        );
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let keep = wgpu::Operations { load: wgpu::LoadOp::Load, store: wgpu::StoreOp::Store };
            let attachment = |view| {
                Some(wgpu::RenderPassColorAttachment { view, depth_slice: None, resolve_target: None, ops: keep })
            };
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("volume"),
                color_attachments: &[attachment(&picture.color), attachment(&picture.depth)],
                ..Default::default()
            });
            pass.set_viewport(0.0, 0.0, width, height, 0.0, 1.0);
            pass.set_scissor_rect(0, plan.rows[0], plan.size[0], plan.rows[1]);
            let weight = plan.weight;
            pass.set_blend_constant(wgpu::Color { r: weight, g: weight, b: weight, a: weight });
            pass.set_pipeline(&self.pipelines[look.mode as usize]);
            pass.set_bind_group(0, &group, &[]);
            pass.draw(0..3, 0..1);
        }
        self.gpu.queue.submit([encoder.finish()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_makes_no_other_picture() {
        let look = |mode, plane_opacity| VolumeLook {
            camera: OrbitCamera::default(),
            mode,
            planes: [0.5; 3],
            plane_opacity,
            level: 0.3,
            gain: 90.0,
            clip: [[0.0; 3], [1.0; 3]],
            swipe: 2.0,
            diverging: false,
        };
        for mode in VolumeMode::ALL {
            let without = look(mode, [0.0; 3]);
            let moved = VolumeLook { planes: [0.1, 0.2, 0.3], ..without };
            assert_eq!(without.as_seen(), moved.as_seen(), "{mode:?}");
            let one = look(mode, [0.0, 0.5, 0.0]);
            assert_eq!(one.as_seen(), VolumeLook { planes: [0.1, 0.5, 0.3], ..one }.as_seen());
            assert_ne!(one.as_seen(), VolumeLook { planes: [0.5, 0.2, 0.5], ..one }.as_seen());
            let level = VolumeLook { level: 0.4, ..one };
            assert_eq!(one.as_seen() != level.as_seen(), mode == VolumeMode::Surface);
            let gain = VolumeLook { gain: 91.0, ..one };
            assert_eq!(one.as_seen() != gain.as_seen(), mode == VolumeMode::Emission);
        }
    }
}

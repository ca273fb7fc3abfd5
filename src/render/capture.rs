//! A window that is drawn into memory, at any number of pixels a point.

use egui::epaint::ClippedShape;
use egui::{Context, RawInput, Rect, Ui, Vec2, ViewportInfo};

use super::March;
use crate::device::GpuContext;
use crate::error::{Error, Result};
use crate::figure::Pixels;

/// Of the pictures: what goes into files.
pub const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A window of egui that nobody sees.
pub struct Canvas {
    gpu: GpuContext,
    ctx: Context,
    renderer: egui_wgpu::Renderer,
    size: Vec2,
    pixels_per_point: f32,
}

impl Canvas {
    /// Of `size` points with `pixels_per_point`. Text, lines and pictures are laid out for that
    /// many pixels.
    pub fn new(gpu: &GpuContext, size: Vec2, pixels_per_point: f32) -> Self {
        Self {
            gpu: gpu.clone(),
            ctx: Context::default(),
            renderer: egui_wgpu::Renderer::new(&gpu.device, FORMAT, Default::default()),
            size,
            pixels_per_point,
        }
    }

    /// Its context.
    pub fn ctx(&self) -> &Context {
        &self.ctx
    }

    /// Look as the windows of `other` do, in a theme.
    pub fn style(&self, other: &Context, theme: egui::Theme) {
        self.ctx.set_theme(theme);
        self.ctx.set_style_of(theme, other.style_of(theme));
    }

    /// One frame, `time` seconds after the first: the shapes that `add` puts into the window.
    pub fn frame(&mut self, time: f64, add: impl FnMut(&mut Ui)) -> Vec<ClippedShape> {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, self.size)),
            max_texture_side: Some(self.gpu.device.limits().max_texture_dimension_2d as usize),
            time: Some(time),
            ..Default::default()
        };
        let info = ViewportInfo { native_pixels_per_point: Some(self.pixels_per_point), ..Default::default() };
        input.viewports.insert(input.viewport_id, info);
        let mut output = self.ctx.run_ui(input, add);
        for (id, deltas) in output.textures_delta.set.drain() {
            for delta in deltas {
                self.renderer.update_texture(&self.gpu.device, &self.gpu.queue, id, &delta);
            }
        }
        for id in output.textures_delta.free.drain() {
            self.renderer.free_texture(&id);
        }
        let shapes = std::mem::take(&mut output.shapes);
        output.drop_without_applying_deltas();
        shapes
    }

    /// Draw `shapes` of the last frame, and before them the pictures of volumes in them that
    /// `marches` draw. It takes a while: off the thread that paints the window.
    ///
    /// # Errors
    /// [`Error::Device`] where the device was lost meanwhile.
    pub fn pixels(&mut self, shapes: Vec<ClippedShape>, marches: &[March]) -> Result<Pixels> {
        marches.iter().for_each(March::run);
        let (gpu, pixels_per_point) = (&self.gpu, self.pixels_per_point);
        let jobs = self.ctx.tessellate(shapes, pixels_per_point);
        let size = [self.size.x, self.size.y].map(|v| ((v * pixels_per_point).round() as u32).max(1));
        let screen = egui_wgpu::ScreenDescriptor { pixels_per_point, size_in_pixels: size };
        let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("capture"),
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut commands = self.renderer.update_buffers(&gpu.device, &gpu.queue, &mut encoder, &jobs, &screen);
        {
            let view = texture.create_view(&Default::default());
            let mut pass = encoder
                .begin_render_pass(&wgpu::RenderPassDescriptor {
                    label: Some("capture"),
                    color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                        view: &view,
                        depth_slice: None,
                        resolve_target: None,
                        ops: wgpu::Operations {
                            load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                            store: wgpu::StoreOp::Store,
                        },
                    })],
                    ..Default::default()
                })
                .forget_lifetime();
            self.renderer.render(&mut pass, &jobs, &screen);
        }
        commands.push(encoder.finish());
        gpu.queue.submit(commands);
        let pixels = read_pixels(gpu, &texture)?;
        Ok(Pixels { size, rgb: pixels.into_iter().flat_map(|[r, g, b, _]| [r, g, b]).collect() })
    }
}

/// The pixels of a texture of four bytes a pixel, row by row.
///
/// # Errors
/// [`Error::Device`] where the device was lost.
pub fn read_pixels(gpu: &GpuContext, texture: &wgpu::Texture) -> Result<Vec<[u8; 4]>> {
    let lost = |what: String| Error::device(what, "Close the window and open it again");
    let (width, height) = (texture.width(), texture.height());
    let row = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("pixels"),
        size: u64::from(row) * u64::from(height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None },
        },
        texture.size(),
    );
    gpu.queue.submit([encoder.finish()]);
    let (sender, receiver) = std::sync::mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        // Nobody waits any more where the device was lost.
        let _ = sender.send(result);
    });
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| lost(e.to_string()))?;
    receiver.recv().map_err(|e| lost(e.to_string()))?.map_err(|e| lost(e.to_string()))?;
    let bytes = buffer.get_mapped_range(..).map_err(|e| lost(e.to_string()))?;
    Ok(bytes.chunks(row as usize).flat_map(|line| line[..4 * width as usize].as_chunks::<4>().0.to_vec()).collect())
}

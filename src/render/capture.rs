//! Pictures of a piece of the window, at any number of pixels a point.

use crate::device::GpuContext;
use egui::{Color32, ColorImage, RawInput, Rect, Ui, Vec2, ViewportInfo};

use super::March;
use crate::error::{Error, Result};

const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A picture that is still to be drawn.
pub struct Capture {
    gpu: GpuContext,
    texture: wgpu::Texture,
    commands: Vec<wgpu::CommandBuffer>,
    /// What the picture contains and has to be drawn before it.
    first: Option<March>,
}

impl Capture {
    /// The same, with the picture of a volume in it that `march` draws.
    pub fn after(self, march: Option<March>) -> Self {
        Self { first: march, ..self }
    }

    /// Draw the picture, off the thread that paints the window: it takes a while.
    ///
    /// # Errors
    /// [`Error::Device`] where the device was lost meanwhile.
    pub fn image(self) -> Result<ColorImage> {
        if let Some(march) = self.first {
            march.run();
        }
        self.gpu.queue.submit(self.commands);
        let (width, height) = (self.texture.width() as usize, self.texture.height() as usize);
        let pixels = read_pixels(&self.gpu, &self.texture)?;
        let pixels = pixels.into_iter().map(|[r, g, b, _]| Color32::from_rgb(r, g, b)).collect();
        Ok(ColorImage::new([width, height], pixels))
    }
}

/// Draw what `add` puts into a window of `size` points with `pixels_per_point`, styled as
/// `ctx` is. Text, lines and pictures are laid out for that many pixels.
pub fn draw_ui(
    gpu: &GpuContext,
    ctx: &egui::Context,
    size: Vec2,
    pixels_per_point: f32,
    mut add: impl FnMut(&mut Ui),
) -> Capture {
    let own = egui::Context::default();
    own.set_global_style(ctx.global_style());
    own.set_theme(ctx.theme());
    own.set_style_of(ctx.theme(), ctx.global_style());
    let mut renderer = egui_wgpu::Renderer::new(&gpu.device, FORMAT, Default::default());
    let mut output = egui::FullOutput::default();
    // The second frame knows the sizes that the first one found.
    for frame in 0..2 {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, size)),
            max_texture_side: Some(gpu.device.limits().max_texture_dimension_2d as usize),
            time: Some(f64::from(frame)),
            ..Default::default()
        };
        let info = ViewportInfo { native_pixels_per_point: Some(pixels_per_point), ..Default::default() };
        input.viewports.insert(input.viewport_id, info);
        output = own.run_ui(input, &mut add);
        for (id, deltas) in output.textures_delta.set.drain() {
            for delta in deltas {
                renderer.update_texture(&gpu.device, &gpu.queue, id, &delta);
            }
        }
        output.textures_delta.free.clear();
    }
    let jobs = own.tessellate(std::mem::take(&mut output.shapes), pixels_per_point);
    output.drop_without_applying_deltas();
    let screen = egui_wgpu::ScreenDescriptor {
        pixels_per_point,
        size_in_pixels: [size.x, size.y].map(|v| ((v * pixels_per_point).round() as u32).max(1)),
    };
    let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("capture"),
        size: wgpu::Extent3d {
            width: screen.size_in_pixels[0],
            height: screen.size_in_pixels[1],
            depth_or_array_layers: 1,
        },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    let mut commands = renderer.update_buffers(&gpu.device, &gpu.queue, &mut encoder, &jobs, &screen);
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
        renderer.render(&mut pass, &jobs, &screen);
    }
    commands.push(encoder.finish());
    Capture { gpu: gpu.clone(), texture, commands, first: None }
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

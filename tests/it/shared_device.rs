//! Networks and picture share one wgpu device: a tensor that burn computed is
//! painted into a texture and drawn by WGSL without passing through the CPU.

use burn::tensor::{Device, Tensor};
use halodi::device::GpuContext;
use halodi::field::{Grid, Layer, LogTransform, TileBox};
use halodi::render::{OrbitCamera, TextureSource, ViewMode, ViewPipelines, VolumeCanvas, VolumeView};

const N: usize = 8;

/// Draw a layer's slice perpendicular to z and read the pixels back, RGBA.
fn draw(gpu: &GpuContext, canvas: &VolumeCanvas, slice: f32, range: [f32; 2]) -> Vec<[u8; 4]> {
    let side = 64u32;
    let format = wgpu::TextureFormat::Rgba8Unorm;
    let pipelines = ViewPipelines::new(&gpu.device, &gpu.queue, format, colorous::GREYS);
    let (volume, n, ..) = canvas.layer(Layer::BrightnessTemperature).expect("begun");
    let camera = OrbitCamera::default();
    let view = VolumeView::new(
        &gpu.device,
        &pipelines,
        &volume,
        n,
        (camera.world_to_clip(1.0), camera.eye()),
        [0.5, 0.5, slice],
        range,
        ViewMode::Flat(2),
        None,
    );
    let size = wgpu::Extent3d { width: side, height: side, depth_or_array_layers: 1 };
    let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(side * side * 4),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    {
        let attachment = target.create_view(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &attachment,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        view.draw(&mut pass);
    }
    encoder.copy_texture_to_buffer(
        target.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(side * 4), rows_per_image: None },
        },
        size,
    );
    gpu.queue.submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |result| result.expect("mapped"));
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device works");
    let bytes = buffer.get_mapped_range(..).expect("mapped").to_vec();
    bytes.as_chunks::<4>().0.to_vec()
}

/// The grey that `colorous::GREYS` gives a value, as drawn.
fn grey(value: f32, range: [f32; 2]) -> u8 {
    let t = ((value - range[0]) / (range[1] - range[0])).clamp(0.0, 1.0);
    colorous::GREYS.eval_rational((t * 255.0 + 0.5) as usize, 256).r
}

#[test]
fn a_tile_goes_from_tensor_to_pixel_on_the_gpu_alone() {
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    let canvas = VolumeCanvas::new(gpu.clone(), || ());
    let layer = Layer::BrightnessTemperature;
    canvas.begin(layer, N, LogTransform::above(1.0));

    // Computed by burn on the shared device: x + 2y + 3z per voxel of a tile
    // that reaches over the far corner of the box.
    let side = 4;
    let ramp = |axis: usize| {
        let mut shape = [1; 3];
        shape[axis] = side;
        let values: Vec<f32> = (0..side).map(|v| v as f32 * (axis + 1) as f32).collect();
        Tensor::<1>::from_floats(values.as_slice(), &gpu.burn).reshape(shape)
    };
    let values = ramp(0) + ramp(1) + ramp(2);
    let tile = TileBox { origin: [6, 6, 6], size: [side; 3] };
    assert_eq!(canvas.paint(layer, tile, values), Some(TextureSource::SharedBuffer));

    let range = [0.0, 18.0];
    for z in [6usize, 7, 0, 1] {
        let pixels = draw(&gpu, &canvas, (z as f32 + 0.5) / N as f32, range);
        for x in 0..N {
            for y in 0..N {
                // x to the right, y up.
                let pixel = pixels[((N - 1 - y) * 8 + 4) * 64 + x * 8 + 4];
                let inside = |v: usize| (v + N - 6) % N;
                let (i, j, k) = (inside(x), inside(y), inside(z));
                let expected = if i < side && j < side { (i + 2 * j + 3 * k) as f32 } else { 0.0 };
                let target = grey(expected, range);
                assert!(pixel[0].abs_diff(target) <= 2, "voxel ({x}, {y}, {z}): {pixel:?} against {target}");
            }
        }
    }
}

#[test]
fn a_tile_computed_on_the_cpu_is_uploaded_and_looks_the_same() {
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    let canvas = VolumeCanvas::new(gpu.clone(), || ());
    let layer = Layer::BrightnessTemperature;
    canvas.begin(layer, N, LogTransform::above(1.0));
    let values = Tensor::<3>::full([N; 3], 0.25, &Device::flex());
    let tile = TileBox { origin: [0; 3], size: [N; 3] };
    assert_eq!(canvas.paint(layer, tile, values), Some(TextureSource::Upload));
    let pixels = draw(&gpu, &canvas, 0.3, [0.0, 1.0]);
    assert!(pixels.iter().all(|p| p[0].abs_diff(grey(0.25, [0.0, 1.0])) <= 2));

    // A whole field goes through its transform: log10(9 + 1) = 1.
    canvas.paint_field(layer, &Grid::zeros(N, 1.0).map(|_| 9.0), true);
    let pixels = draw(&gpu, &canvas, 0.3, [0.0, 1.0]);
    assert!(pixels.iter().all(|p| p[0].abs_diff(grey(1.0, [0.0, 1.0])) <= 2));
}

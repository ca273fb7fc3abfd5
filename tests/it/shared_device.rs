//! Networks and picture share one wgpu device: a tensor that burn computed is
//! painted into a texture and drawn by WGSL without passing through the CPU.

use burn::tensor::{Device, Tensor};
use halodi::device::GpuContext;
use halodi::field::TileBox;
use halodi::render::{
    ColorMap, ColorScale, FieldPainter, FieldTexture, Opacity, Placed, SliceLook, SlicePass, SlicePicture, Stretch,
};

use crate::picture::{Studio, grey};

const N: usize = 8;

/// Draw the slice across z at a voxel: pixels from the top left.
fn draw(studio: &Studio, field: &FieldTexture, z: usize, range: [f32; 2]) -> Vec<[u8; 4]> {
    let scale = ColorScale { stretch: Stretch::Linear, ..ColorScale::log(0.0, 1.0, ColorMap::Grey) };
    let scale = scale.with_ends(range[0], range[1]);
    let look = SliceLook {
        axis: 2,
        first: z,
        thickness: 1,
        maximum: false,
        smooth: false,
        extent: [0.0, 0.0, 1.0, 1.0],
        swipe: 2.0,
    };
    let pass = SlicePass::new(studio.gpu.clone());
    let colors = studio.colors(&scale, Opacity::default());
    let picture = SlicePicture::default()
        .draw(&pass, Placed { field, scale: &scale }, None, &colors, &look, [64, 64])
        .expect("a picture of some size");
    studio.photograph(&picture, [64, 64])
}

#[test]
fn a_tile_goes_from_tensor_to_pixel_on_the_gpu_alone() {
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    let studio = Studio::new(&gpu);
    let mut painter = FieldPainter::new(gpu.clone());
    let mut field = painter.create(N);

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
    let before = field.generation();
    let source = painter.paint(&mut field, tile, values);
    assert_eq!(source, Some(halodi::render::TextureSource::SharedBuffer));
    assert_ne!(field.generation(), before);

    let range = [0.0, 18.0];
    for z in [6usize, 7, 0, 1] {
        let pixels = draw(&studio, &field, z, range);
        for x in 0..N {
            for y in 0..N {
                // x to the right, y up.
                let pixel = pixels[((N - 1 - y) * 8 + 4) * 64 + x * 8 + 4];
                let inside = |v: usize| (v + N - 6) % N;
                let (i, j, k) = (inside(x), inside(y), inside(z));
                let expected = if i < side && j < side { (i + 2 * j + 3 * k) as f32 } else { 0.0 };
                let target = grey(expected / range[1]);
                assert!(pixel[0].abs_diff(target) <= 2, "voxel ({x}, {y}, {z}): {pixel:?} against {target}");
            }
        }
    }
}

#[test]
fn a_tile_computed_on_the_cpu_is_uploaded_and_looks_the_same() {
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    let studio = Studio::new(&gpu);
    let mut painter = FieldPainter::new(gpu.clone());
    let mut field = painter.create(N);
    let values = Tensor::<3>::full([N; 3], 0.25, &Device::flex());
    let tile = TileBox { origin: [0; 3], size: [N; 3] };
    assert_eq!(painter.paint(&mut field, tile, values), Some(halodi::render::TextureSource::Upload));
    let pixels = draw(&studio, &field, 3, [0.0, 1.0]);
    assert!(pixels.iter().all(|p| p[0].abs_diff(grey(0.25)) <= 2));
}

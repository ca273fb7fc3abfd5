//! What the ray march samples: places in the colour range, and which cells are empty.

use super::layout::{group, uniform};
use super::transfer::ScaleUniform;
use super::{ColorScale, FieldTexture, shaders};
use crate::device::GpuContext;
use crate::field::TileBox;

/// Voxels per axis of a cell that is skipped as one.
const CELL: usize = 8;

/// A field and the range it is shown in.
#[derive(Clone, Copy)]
pub struct Placed<'a> {
    /// The field.
    pub field: &'a FieldTexture,
    /// Its range.
    pub scale: &'a ColorScale,
}

/// One or two fields as the volume shows them. A clone is the same textures.
#[derive(Clone)]
pub struct DisplayVolume {
    pub(super) places: wgpu::TextureView,
    pub(super) cells: wgpu::TextureView,
    strongest: wgpu::TextureView,
    n: usize,
    generation: u64,
}

impl DisplayVolume {
    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.n
    }

    /// A number that changes whenever the picture may, and that no two volumes share.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Makes display volumes of fields and keeps them current.
pub struct Classifier {
    gpu: GpuContext,
    classify: wgpu::ComputePipeline,
    strongest: wgpu::ComputePipeline,
    distances: wgpu::ComputePipeline,
    made: u64,
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct RegionUniform {
    origin: [u32; 4],
    size: [u32; 4],
    scales: [ScaleUniform; 2],
}

#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct CellsUniform {
    origin: [u32; 4],
    size: [u32; 4],
    occupied: [f32; 4],
}

impl Classifier {
    /// On the device of `gpu`.
    pub fn new(gpu: GpuContext) -> Self {
        let classify = shaders::module(&gpu.device, "classify");
        let cells = shaders::module(&gpu.device, "cells");
        Self {
            classify: shaders::compute(&gpu.device, &classify, "main"),
            strongest: shaders::compute(&gpu.device, &cells, "strongest"),
            distances: shaders::compute(&gpu.device, &cells, "distances"),
            gpu,
            made: 0,
        }
    }

    /// A display volume of `n³` voxels with nothing in it.
    pub fn create(&mut self, n: usize) -> DisplayVolume {
        let texture = |side: usize| {
            let side = side as u32;
            let texture = self.gpu.device.create_texture(&wgpu::TextureDescriptor {
                label: Some("display volume"),
                size: wgpu::Extent3d { width: side, height: side, depth_or_array_layers: side },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D3,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::STORAGE_BINDING,
                view_formats: &[],
            });
            texture.create_view(&Default::default())
        };
        let cells = n.div_ceil(CELL);
        let (places, strongest, cells) = (texture(n), texture(cells), texture(cells));
        DisplayVolume { places, cells, strongest, n, generation: self.next() }
    }

    /// Make `volume` show `shown` (and `compared` beside it) within `regions`; all of it
    /// where there are none. [`Classifier::skip`] has to follow.
    pub fn place(
        &mut self,
        volume: &mut DisplayVolume,
        shown: Placed<'_>,
        compared: Option<Placed<'_>>,
        regions: Option<&[TileBox]>,
    ) {
        let device = &self.gpu.device;
        let n = volume.n as u32;
        let whole = [TileBox { origin: [0; 3], size: [volume.n; 3] }];
        let second = compared.unwrap_or(shown);
        let diverging = shown.scale.map.is_diverging();
        let view = wgpu::BindingResource::TextureView;
        let mut encoder = device.create_command_encoder(&Default::default());
        let regions = regions.unwrap_or(&whole);
        for region in regions {
            let [x, y, z] = region.origin.map(|v| v as u32);
            let [sx, sy, sz] = region.size.map(|v| v as u32);
            let uniform = uniform(
                &self.gpu,
                &RegionUniform {
                    origin: [x, y, z, n],
                    size: [sx, sy, sz, u32::from(compared.is_some()) | u32::from(diverging) << 1],
                    scales: [shown.scale.uniform(), second.scale.uniform()],
                },
            );
            let group = group(
                device,
                &self.classify.get_bind_group_layout(0),
                vec![
                    uniform.as_entire_binding(),
                    view(&shown.field.view),
                    view(&second.field.view),
                    view(&volume.places),
                ],
            );
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.classify);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(sx.div_ceil(4), sy.div_ceil(4), sz.div_ceil(4));
        }
        for [first, count] in regions.iter().flat_map(|region| touched_cells(region, volume.n)) {
            let [x, y, z] = first.map(|v| v as u32);
            let [sx, sy, sz] = count.map(|v| v as u32);
            let cells =
                CellsUniform { origin: [x, y, z, n], size: [sx, sy, sz, u32::from(diverging)], occupied: [0.0; 4] };
            let uniform = uniform(&self.gpu, &cells);
            let group = group(
                device,
                &self.strongest.get_bind_group_layout(0),
                vec![uniform.as_entire_binding(), view(&volume.places), view(&volume.strongest)],
            );
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.strongest);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(sx.div_ceil(4), sy.div_ceil(4), sz.div_ceil(4));
        }
        self.gpu.queue.submit([encoder.finish()]);
        volume.generation = self.next();
    }

    /// Tell the march which cells it may skip: those with nothing stronger than `occupied`.
    pub fn skip(&mut self, volume: &mut DisplayVolume, occupied: f32) {
        let device = &self.gpu.device;
        let count = volume.n.div_ceil(CELL) as u32;
        let cells = CellsUniform {
            origin: [0, 0, 0, volume.n as u32],
            size: [count; 4],
            // Eight bits an entry: a cell just at the threshold is empty.
            occupied: [occupied + 0.5 / 255.0, occupied + 0.5 / 255.0, count as f32, 0.0],
        };
        let uniform = uniform(&self.gpu, &cells);
        let view = wgpu::BindingResource::TextureView;
        let group = group(
            device,
            &self.distances.get_bind_group_layout(0),
            vec![uniform.as_entire_binding(), view(&volume.strongest), view(&volume.cells)],
        );
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.distances);
            pass.set_bind_group(0, &group, &[]);
            let groups = count.div_ceil(4);
            pass.dispatch_workgroups(groups, groups, groups);
        }
        self.gpu.queue.submit([encoder.finish()]);
        volume.generation = self.next();
    }

    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

/// The blocks of cells, first and count, that a region of an `n³` grid reaches, with the
/// voxel of padding that a cell sees beyond its faces.
fn touched_cells(region: &TileBox, n: usize) -> Vec<[[usize; 3]; 2]> {
    let cells = n.div_ceil(CELL);
    let spans = [0, 1, 2].map(|axis| -> Vec<(usize, usize)> {
        let (start, size) = (region.origin[axis], region.size[axis] + 2);
        if size >= n {
            return vec![(0, cells)];
        }
        let start = (start + n - 1) % n;
        let span = |from: usize, to: usize| (from / CELL, (to - 1) / CELL + 1 - from / CELL);
        if start + size <= n {
            vec![span(start, start + size)]
        } else {
            vec![span(start, n), span(0, start + size - n)]
        }
    });
    let mut blocks = Vec::new();
    for x in &spans[0] {
        for y in &spans[1] {
            for z in &spans[2] {
                blocks.push([[x.0, y.0, z.0], [x.1, y.1, z.1]]);
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_touches_its_cells_and_those_that_see_its_faces() {
        let inside = touched_cells(&TileBox { origin: [8, 10, 0], size: [8, 4, 32] }, 32);
        assert_eq!(inside, [[[0, 1, 0], [3, 1, 4]]]);
        // Over the far corner: its cells and, periodically, the first ones.
        let corner = touched_cells(&TileBox { origin: [24; 3], size: [8; 3] }, 32);
        assert_eq!(corner.len(), 8);
        let count: usize = corner.iter().map(|[_, c]| c.iter().product::<usize>()).sum();
        assert_eq!(count, 27);
    }
}

//! A finished picture in a texture.

/// A picture, its depths, and how much of the textures it fills.
#[derive(Clone)]
pub struct Picture {
    pub(super) color: wgpu::TextureView,
    pub(super) depth: wgpu::TextureView,
    /// Size of the textures in pixels.
    pub(super) room: [u32; 2],
    /// Pixels of them that the picture fills, from the top left.
    pub(super) filled: [u32; 2],
}

/// Format of the colours of a picture: room for averages over passes.
pub(super) const COLOR: wgpu::TextureFormat = wgpu::TextureFormat::Rgba16Float;
/// Format of its depths, in clip space.
pub(super) const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::R32Float;

impl Picture {
    /// An empty picture of `size` pixels.
    pub(super) fn new(device: &wgpu::Device, size: [u32; 2]) -> Self {
        let texture = |format| {
            let texture = device.create_texture(&wgpu::TextureDescriptor {
                label: Some("picture"),
                size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::TEXTURE_BINDING,
                view_formats: &[],
            });
            texture.create_view(&Default::default())
        };
        Self { color: texture(COLOR), depth: texture(DEPTH), room: size, filled: size }
    }

    /// Pixels across and down.
    pub fn size(&self) -> [u32; 2] {
        self.filled
    }
}

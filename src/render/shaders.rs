//! The WGSL sources, put together from the files they share.

/// Every shader of Halodi and its source.
pub const SHADERS: [(&str, &str); 6] = [
    ("paint_tile", include_str!("../../shaders/paint_tile.wgsl")),
    ("classify", concat!(include_str!("../../shaders/scale.wgsl"), include_str!("../../shaders/classify.wgsl"))),
    ("cells", include_str!("../../shaders/cells.wgsl")),
    ("volume", include_str!("../../shaders/volume.wgsl")),
    ("slice", concat!(include_str!("../../shaders/scale.wgsl"), include_str!("../../shaders/slice.wgsl"))),
    ("present", include_str!("../../shaders/present.wgsl")),
];

/// The source of the shader `name`.
///
/// # Panics
/// If there is none of that name.
pub fn source(name: &str) -> &'static str {
    SHADERS.iter().find(|(n, _)| *n == name).expect("a shader of SHADERS").1
}

/// The module of the shader `name`.
pub(super) fn module(device: &wgpu::Device, name: &'static str) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(source(name).into()),
    })
}

/// The compute pipeline of an entry point, its layout taken from the shader.
pub(super) fn compute(
    device: &wgpu::Device,
    module: &wgpu::ShaderModule,
    entry: &'static str,
) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout: None,
        module,
        entry_point: Some(entry),
        compilation_options: Default::default(),
        cache: None,
    })
}

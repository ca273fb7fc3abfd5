// Physical values to what the ray march samples: the place of the shown field in
// its colour range (red) and of the one it is compared with (green). Needs scale.wgsl.

struct Region {
    // First voxel; w is the voxels per axis of the volume.
    origin: vec4<u32>,
    // Voxels per axis; w has bit 1 where there is a field to compare with, bit 2 where
    // colours diverge from the middle.
    size: vec4<u32>,
    scales: array<Scale, 2>,
}

@group(0) @binding(0) var<uniform> region: Region;
@group(0) @binding(1) var shown: texture_3d<f32>;
@group(0) @binding(2) var compared: texture_3d<f32>;
@group(0) @binding(3) var places: texture_storage_3d<rgba8unorm, write>;

fn place_of(value: f32, scale: Scale) -> f32 {
    // A hole is empty space in the volume; slices say that it is one.
    let empty = select(0.0, 0.5, (region.size.w & 2u) != 0u);
    return select(placed(value, scale), empty, is_nan(value));
}

@compute @workgroup_size(4, 4, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id >= region.size.xyz) {
        return;
    }
    let voxel = (region.origin.xyz + id) % region.origin.w;
    let a = place_of(textureLoad(shown, voxel, 0).r, region.scales[0]);
    var b = 0.0;
    if (region.size.w & 1u) != 0u {
        b = place_of(textureLoad(compared, voxel, 0).r, region.scales[1]);
    }
    textureStore(places, voxel, vec4<f32>(a, b, 0.0, 1.0));
}

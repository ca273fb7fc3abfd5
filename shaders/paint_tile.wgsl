// Copies a tile of physical values from a storage buffer into a periodic 3D texture.

struct Tile {
    // First voxel; w is the voxels per axis of the volume.
    origin: vec4<u32>,
    // Voxels per axis; w is the first element of the buffer.
    size: vec4<u32>,
}

@group(0) @binding(0) var<uniform> tile: Tile;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var volume: texture_storage_3d<r32float, write>;

@compute @workgroup_size(4, 4, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id >= tile.size.xyz) {
        return;
    }
    // The last axis of the tensor runs fastest.
    let index = (id.x * tile.size.y + id.y) * tile.size.z + id.z;
    let voxel = (tile.origin.xyz + id) % tile.origin.w;
    textureStore(volume, voxel, vec4<f32>(values[tile.size.w + index], 0.0, 0.0, 0.0));
}

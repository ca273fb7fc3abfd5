// The strongest voxel in every cell of 8³ voxels, for skipping empty space. A cell
// is padded by a voxel, because a trilinear sample inside it sees its neighbours.

struct Cells {
    // First cell of the region; w is the voxels per axis.
    origin: vec4<u32>,
    // Cells per axis of the region; w is 1 where colours diverge from the middle.
    size: vec4<u32>,
    // Strength above which a cell is occupied, for red and green; cells per axis.
    occupied: vec4<f32>,
}

const CELL = 8;
// Farthest empty neighbourhood that is told, in cells.
const FARTHEST = 4;

@group(0) @binding(0) var<uniform> cells: Cells;
@group(0) @binding(1) var source: texture_3d<f32>;
@group(0) @binding(2) var result: texture_storage_3d<rgba8unorm, write>;

@compute @workgroup_size(4, 4, 4)
fn strongest(@builtin(global_invocation_id) id: vec3<u32>) {
    if any(id >= cells.size.xyz) {
        return;
    }
    let n = i32(cells.origin.w);
    let cell = vec3<i32>(cells.origin.xyz + id);
    var most = vec2<f32>(0.0);
    for (var z = -1; z <= CELL; z++) {
        for (var y = -1; y <= CELL; y++) {
            for (var x = -1; x <= CELL; x++) {
                let voxel = (cell * CELL + vec3<i32>(x, y, z) + n) % n;
                let t = textureLoad(source, voxel, 0).rg;
                most = max(most, select(t, abs(2.0 * t - 1.0), cells.size.w == 1u));
            }
        }
    }
    textureStore(result, cell, vec4<f32>(most, 0.0, 1.0));
}

// For every cell: its strongest values, and how many cells away (Chebyshev) the
// nearest occupied one is, in units of 1/255.
@compute @workgroup_size(4, 4, 4)
fn distances(@builtin(global_invocation_id) id: vec3<u32>) {
    let last = i32(cells.occupied.z) - 1;
    if any(vec3<i32>(id) > vec3<i32>(last)) {
        return;
    }
    let cell = vec3<i32>(id);
    let most = textureLoad(source, cell, 0).rg;
    var nearest = select(vec2<f32>(f32(FARTHEST)), vec2<f32>(0.0), most > cells.occupied.xy);
    for (var radius = FARTHEST - 1; radius >= 1; radius--) {
        let low = max(cell - radius, vec3<i32>(0));
        let high = min(cell + radius, vec3<i32>(last));
        var found = vec2<f32>(0.0);
        for (var z = low.z; z <= high.z; z++) {
            for (var y = low.y; y <= high.y; y++) {
                for (var x = low.x; x <= high.x; x++) {
                    found = max(found, textureLoad(source, vec3<i32>(x, y, z), 0).rg);
                }
            }
        }
        nearest = select(nearest, min(nearest, vec2<f32>(f32(radius))), found > cells.occupied.xy);
        if all(found <= cells.occupied.xy) {
            break;
        }
    }
    textureStore(result, cell, vec4<f32>(most, nearest / 255.0));
}

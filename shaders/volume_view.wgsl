// Draws a scalar volume in the unit cube: three slice planes, a ray march, or
// one slice face on. Rays are cut with the planes analytically, so no mesh and
// no depth buffer are needed. Needs colormap.wgsl.

struct View {
    clip_to_world: mat4x4<f32>,
    eye: vec4<f32>,
    // Where the slices cut, in the unit cube; w is the voxels per axis.
    slices: vec4<f32>,
    // Smallest and largest value shown, mode, axis of a flat slice.
    range: vec4<f32>,
    // The active tile in the unit cube; w of the first is 1 where there is one.
    tile_origin: vec4<f32>,
    tile_size: vec4<f32>,
}

const MODE_SLICES = 0.0;
const MODE_VOLUME = 1.0;
const MARCH_STEPS = 96;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var volume: texture_3d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    @location(0) clip: vec2<f32>,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let clip = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u)) * 2.0 - 1.0;
    return Corner(vec4<f32>(clip, 0.0, 1.0), clip);
}

fn value_at(p: vec3<f32>) -> f32 {
    let n = view.slices.w;
    let voxel = clamp(vec3<i32>(floor(p * n)), vec3<i32>(0), vec3<i32>(i32(n) - 1));
    return textureLoad(volume, voxel, 0).r;
}

// How far inside the active tile a point lies, in voxels; negative outside.
fn inside_tile(p: vec3<f32>) -> f32 {
    let q = fract(p - view.tile_origin.xyz + 1.0);
    let inner = min(q, view.tile_size.xyz - q) * view.slices.w;
    return min(inner.x, min(inner.y, inner.z));
}

// Colour of a slice at a point; axis is the one it is perpendicular to.
fn slice_color(p: vec3<f32>, axis: i32) -> vec3<f32> {
    var color = color_of(normalized(value_at(p), view.range.xy));
    if view.tile_origin.w > 0.5 {
        // Along the slice's own axis the distance says nothing of its outline.
        var q = p;
        q[axis] = fract(view.tile_origin[axis] + 0.5 * view.tile_size[axis]);
        let depth = fract(p[axis] - view.tile_origin[axis] + 1.0);
        let inside = inside_tile(q);
        if inside > 0.0 && inside < 0.6 && depth < view.tile_size[axis] {
            color = vec3<f32>(0.35, 0.95, 1.0);
        }
    }
    return color;
}

fn unproject(clip: vec2<f32>, depth: f32) -> vec3<f32> {
    let p = view.clip_to_world * vec4<f32>(clip, depth, 1.0);
    return p.xyz / p.w;
}

@fragment
fn slices_or_volume(in: Corner) -> @location(0) vec4<f32> {
    let origin = view.eye.xyz;
    let direction = normalize(unproject(in.clip, 1.0) - origin);
    if view.range.z == MODE_VOLUME {
        return march(origin, direction);
    }
    var nearest = 1e9;
    var color = vec4<f32>(0.0);
    for (var axis = 0; axis < 3; axis++) {
        let t = (view.slices[axis] - origin[axis]) / direction[axis];
        if t <= 0.0 || t >= nearest {
            continue;
        }
        var p = origin + t * direction;
        p[axis] = view.slices[axis];
        if all(p >= vec3<f32>(0.0)) && all(p <= vec3<f32>(1.0)) {
            nearest = t;
            color = vec4<f32>(slice_color(p, axis), 1.0);
        }
    }
    return color;
}

// Front to back, bright values opaque.
fn march(origin: vec3<f32>, direction: vec3<f32>) -> vec4<f32> {
    let a = -origin / direction;
    let b = (1.0 - origin) / direction;
    let low = min(a, b);
    let high = max(a, b);
    let enter = max(max(low.x, max(low.y, low.z)), 0.0);
    let leave = min(high.x, min(high.y, high.z));
    if leave <= enter {
        return vec4<f32>(0.0);
    }
    let step = (leave - enter) / f32(MARCH_STEPS);
    var sum = vec4<f32>(0.0);
    for (var i = 0; i < MARCH_STEPS; i++) {
        let p = origin + (enter + (f32(i) + 0.5) * step) * direction;
        let t = normalized(value_at(p), view.range.xy);
        let alpha = 1.0 - exp(-t * t * t * 40.0 * step);
        sum += (1.0 - sum.a) * alpha * vec4<f32>(color_of(t), 1.0);
        if sum.a > 0.98 {
            break;
        }
    }
    return sum;
}

@fragment
fn flat_slice(in: Corner) -> @location(0) vec4<f32> {
    let axis = i32(view.range.w);
    let uv = in.clip * 0.5 + 0.5;
    var p = vec3<f32>(0.0);
    p[axis] = view.slices[axis];
    p[(axis + 1) % 3] = uv.x;
    p[(axis + 2) % 3] = uv.y;
    return vec4<f32>(slice_color(p, axis), 1.0);
}

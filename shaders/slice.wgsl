// One slice face on: a slab of voxels, its mean or its maximum, physical values to
// colours. Needs scale.wgsl.

struct Slice {
    // Of the canvas, in box sides: its left and bottom, its right and top.
    extent: vec4<f32>,
    scales: array<Scale, 2>,
    // Pixels across and down; where the picture turns from the shown to the compared
    // field, as a fraction of the width; the first pixel of the canvas is its origin.
    image: vec4<f32>,
    // Axis across the slice, axes to the right and up, voxels per axis.
    axes: vec4<u32>,
    // First voxel and number of voxels of the slab, 1 for its maximum, 1 for smooth.
    slab: vec4<u32>,
    // Colour of voxels without a value.
    hole: vec4<f32>,
}

@group(0) @binding(0) var<uniform> slice: Slice;
@group(0) @binding(1) var shown: texture_3d<f32>;
@group(0) @binding(2) var compared: texture_3d<f32>;
@group(0) @binding(3) var colors: texture_2d<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let clip = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u)) * 2.0 - 1.0;
    return Corner(vec4<f32>(clip, 0.0, 1.0));
}

// The slab's value at a column of voxels, periodic.
fn value_at(column: vec2<i32>, second: bool) -> f32 {
    let n = i32(slice.axes.w);
    var voxel = vec3<i32>(0);
    voxel[slice.axes.y] = ((column.x % n) + n) % n;
    voxel[slice.axes.z] = ((column.y % n) + n) % n;
    var sum = 0.0;
    var most = -3e38;
    for (var i = 0u; i < slice.slab.y; i++) {
        voxel[slice.axes.x] = i32((slice.slab.x + i) % slice.axes.w);
        var value = 0.0;
        if second {
            value = textureLoad(compared, voxel, 0).r;
        } else {
            value = textureLoad(shown, voxel, 0).r;
        }
        if is_nan(value) {
            return value;
        }
        sum += value;
        most = max(most, value);
    }
    return select(sum / f32(slice.slab.y), most, slice.slab.z == 1u);
}

@fragment
fn look(in: Corner) -> @location(0) vec4<f32> {
    let at = in.position.xy / slice.image.xy;
    let second = at.x > slice.image.z;
    var scale = slice.scales[0];
    if second {
        scale = slice.scales[1];
    }
    let p = vec2<f32>(mix(slice.extent.x, slice.extent.z, at.x), mix(slice.extent.w, slice.extent.y, at.y));
    let columns = p * f32(slice.axes.w);
    var place = 0.0;
    if slice.slab.w == 1u {
        // Interpolated as it is shown, between the middles of voxels.
        let base = floor(columns - 0.5);
        let f = columns - 0.5 - base;
        let c = vec2<i32>(base);
        let a = value_at(c, second);
        let b = value_at(c + vec2<i32>(1, 0), second);
        let d = value_at(c + vec2<i32>(0, 1), second);
        let e = value_at(c + vec2<i32>(1, 1), second);
        // Nothing lies between a value and none.
        if is_nan(a) || is_nan(b) || is_nan(d) || is_nan(e) {
            return slice.hole;
        }
        place = mix(
            mix(placed(a, scale), placed(b, scale), f.x),
            mix(placed(d, scale), placed(e, scale), f.x),
            f.y,
        );
    } else {
        let value = value_at(vec2<i32>(floor(columns)), second);
        if is_nan(value) {
            return slice.hole;
        }
        place = placed(value, scale);
    }
    var color = textureLoad(colors, vec2<u32>(u32(place * 255.0 + 0.5), 0u), 0).rgb;
    // Beyond the box its periodic continuation, dimmed.
    if any(p < vec2<f32>(0.0)) || any(p >= vec2<f32>(1.0)) {
        color *= 0.55;
    }
    return vec4<f32>(color, 1.0);
}

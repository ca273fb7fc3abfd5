// Puts a finished picture on the screen, and lines over it that hide behind what is
// nearer to the eye.

struct Screen {
    world_to_clip: mat4x4<f32>,
    // Pixels across and down; the share of the texture that holds the picture.
    size: vec4<f32>,
    // Behind the picture.
    background: vec4<f32>,
}

@group(0) @binding(0) var<uniform> screen: Screen;
@group(0) @binding(1) var picture: texture_2d<f32>;
@group(0) @binding(2) var depths: texture_2d<f32>;
@group(0) @binding(3) var bilinear: sampler;

struct Point {
    @builtin(position) position: vec4<f32>,
    // From the top left, 0 to 1.
    @location(0) at: vec2<f32>,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Point {
    let clip = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u)) * 2.0 - 1.0;
    return Point(vec4<f32>(clip, 0.0, 1.0), vec2<f32>(clip.x * 0.5 + 0.5, 0.5 - clip.y * 0.5));
}

@fragment
fn copy(in: Point) -> @location(0) vec4<f32> {
    // Half a texel inside, or the rest of the texture would bleed in.
    let texel = 0.5 / vec2<f32>(textureDimensions(picture));
    let at = clamp(in.at * screen.size.zw, texel, screen.size.zw - texel);
    let color = textureSampleLevel(picture, bilinear, at, 0.0);
    return color + (1.0 - color.a) * screen.background;
}

struct Line {
    // An end, and the width in pixels.
    @location(0) from_end: vec4<f32>,
    // The other end, and the opacity where it is hidden.
    @location(1) to_end: vec4<f32>,
    @location(2) color: vec4<f32>,
}

struct LinePoint {
    @builtin(position) position: vec4<f32>,
    @location(0) color: vec4<f32>,
    // From the top left; depth; how far from the middle, in pixels.
    @location(1) place: vec4<f32>,
    @location(2) half_width_hidden: vec2<f32>,
}

const NEAR = 1e-3;

@vertex
fn line(@builtin(vertex_index) index: u32, in: Line) -> LinePoint {
    var a = screen.world_to_clip * vec4<f32>(in.from_end.xyz, 1.0);
    var b = screen.world_to_clip * vec4<f32>(in.to_end.xyz, 1.0);
    if a.w < NEAR && b.w < NEAR {
        return LinePoint(vec4<f32>(2.0, 2.0, 2.0, 1.0), vec4<f32>(0.0), vec4<f32>(0.0), vec2<f32>(0.0));
    }
    if a.w < NEAR {
        a = mix(b, a, (b.w - NEAR) / (b.w - a.w));
    }
    if b.w < NEAR {
        b = mix(a, b, (a.w - NEAR) / (a.w - b.w));
    }
    let pa = a.xyz / a.w;
    let pb = b.xyz / b.w;
    let along = (pb.xy - pa.xy) * screen.size.xy;
    let unit = along / max(length(along), 1e-6);
    let reach = 0.5 * in.from_end.w + 1.0;
    let side = select(-1.0, 1.0, (index & 1u) == 1u);
    let end = select(pa, pb, index >= 2u);
    let across = vec2<f32>(-unit.y, unit.x) * side * reach;
    let clip = end.xy + 2.0 * across / screen.size.xy;
    let at = vec2<f32>(clip.x * 0.5 + 0.5, 0.5 - clip.y * 0.5);
    return LinePoint(
        vec4<f32>(clip, 0.0, 1.0),
        in.color,
        vec4<f32>(at, end.z, side * reach),
        vec2<f32>(0.5 * in.from_end.w, in.to_end.w),
    );
}

@fragment
fn draw_line(in: LinePoint) -> @location(0) vec4<f32> {
    let pixels = vec2<f32>(textureDimensions(depths)) * screen.size.zw;
    let nearest = textureLoad(depths, vec2<i32>(clamp(in.place.xy, vec2<f32>(0.0), vec2<f32>(0.9999)) * pixels), 0).r;
    let coverage = clamp(in.half_width_hidden.x + 0.5 - abs(in.place.w), 0.0, 1.0);
    let visible = select(1.0, in.half_width_hidden.y, in.place.z > nearest + 2e-4);
    return in.color * (coverage * visible);
}

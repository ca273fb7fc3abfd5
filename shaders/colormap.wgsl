// Values to colours through a table of 256 entries.

@group(0) @binding(2) var colors: texture_2d<f32>;

fn normalized(value: f32, range: vec2<f32>) -> f32 {
    return clamp((value - range.x) / max(range.y - range.x, 1e-6), 0.0, 1.0);
}

fn color_of(t: f32) -> vec3<f32> {
    return textureLoad(colors, vec2<u32>(u32(t * 255.0 + 0.5), 0u), 0).rgb;
}

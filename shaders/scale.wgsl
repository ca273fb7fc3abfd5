// From a physical value to its place in a colour range.

struct Scale {
    // Limits of the range, stretched.
    low: f32,
    high: f32,
    // Where the inverse hyperbolic sine turns from linear to logarithmic, in the
    // field's unit.
    softening: f32,
    // 0 linear, 1 logarithmic, 2 inverse hyperbolic sine.
    stretch: u32,
}

fn stretched(value: f32, scale: Scale) -> f32 {
    if scale.stretch == 1u {
        return log2(max(value, 1e-30));
    }
    if scale.stretch == 2u {
        let x = value / scale.softening;
        return sign(x) * log2(abs(x) + sqrt(x * x + 1.0));
    }
    return value;
}

// 0 at the lower limit of the range, 1 at the upper one, clipped outside.
fn placed(value: f32, scale: Scale) -> f32 {
    return clamp((stretched(value, scale) - scale.low) / (scale.high - scale.low), 0.0, 1.0);
}

// Drivers may assume that there is no NaN, so its bits are looked at.
fn is_nan(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

//! What lies between two views: eased, continuous, and exactly the one and the other at the ends.

use std::f32::consts::{PI, TAU};

use crate::render::{ColorScale, Opacity, OrbitCamera, Stretch};
use crate::ui::view_state::{Quantity, SliceView, ViewState};

/// From 0 to 1 without a jump in speed or acceleration, at rest at both ends (Perlin's quintic).
pub fn eased(share: f32) -> f32 {
    let t = share.clamp(0.0, 1.0);
    t * t * t * (t * (6.0 * t - 15.0) + 10.0)
}

/// From 0 to 1 at one speed, but for a soft start and a soft end.
pub fn steady(share: f32) -> f32 {
    /// Share of the time in which it starts, and in which it ends.
    const RAMP: f32 = 0.15;
    let speed = 1.0 / (1.0 - RAMP);
    let t = share.clamp(0.0, 1.0);
    // The way within a ramp, from rest to full speed.
    let ramp = |t: f32| 0.5 * speed * (t - (PI * t / RAMP).sin() * RAMP / PI);
    if t < RAMP {
        ramp(t)
    } else if t > 1.0 - RAMP {
        1.0 - ramp(1.0 - t)
    } else {
        speed * (t - 0.5 * RAMP)
    }
}

/// The view `share` of the way (already eased) from `a` to `b`. Cameras, places, ranges and
/// opacities move; what has nothing between changes half way ([`cuts`]).
pub fn between(a: &ViewState, b: &ViewState, share: f32) -> ViewState {
    if share <= 0.0 {
        return a.clone();
    }
    if share >= 1.0 {
        return b.clone();
    }
    let mut view = if share < 0.5 { a.clone() } else { b.clone() };
    view.camera = camera(&a.camera, &b.camera, share);
    view.crosshair = [0, 1, 2].map(|i| mix(a.crosshair[i], b.crosshair[i], share));
    view.clip = [0, 1].map(|side| [0, 1, 2].map(|i| mix(a.clip[side][i], b.clip[side][i], share)));
    view.slices = [0, 1, 2].map(|i| slice(a.slices[i], b.slices[i], share));
    view.plane_opacity = mix(a.plane_opacity, b.plane_opacity, share);
    view.swipe = mix(a.swipe, b.swipe, share);
    // A field keeps its range where one of the views says nothing of it.
    let quantities: Vec<Quantity> = a.scales.keys().chain(b.scales.keys()).copied().collect();
    for quantity in quantities {
        if let (Some(from), Some(to)) = (a.scales.get(&quantity), b.scales.get(&quantity))
            && alike(from, to)
        {
            view.scales.insert(quantity, scale(from, to, share));
        }
    }
    let quantities: Vec<Quantity> = a.opacities.keys().chain(b.opacities.keys()).copied().collect();
    for quantity in quantities {
        view.opacities.insert(quantity, opacity(a.opacity(quantity), b.opacity(quantity), share));
    }
    view
}

/// Whether there is anything in the pictures of the two views that has nothing between: another
/// field, another way to look at it.
pub fn cuts(a: &ViewState, b: &ViewState) -> bool {
    let of = |view: &ViewState| {
        (view.layer, view.mode, view.compare, view.partner, view.latent, view.maximum, view.smooth, view.planes)
    };
    let scales = a.scales.iter().any(|(quantity, from)| b.scales.get(quantity).is_some_and(|to| !alike(from, to)));
    of(a) != of(b)
        || a.camera.orthographic != b.camera.orthographic
        || a.thickness != b.thickness
        || a.band != b.band
        || a.power != b.power
        || a.faces != b.faces
        || a.seam_tile != b.seam_tile
        || scales
}

fn alike(a: &ColorScale, b: &ColorScale) -> bool {
    (a.map, a.stretch, a.reversed) == (b.map, b.stretch, b.reversed)
}

fn mix(a: f32, b: f32, share: f32) -> f32 {
    // Exactly `a` where nothing changes.
    a + (b - a) * share
}

/// What is felt as a ratio moves in ratios.
fn mix_ratio(a: f32, b: f32, share: f32) -> f32 {
    if a == b { a } else { a * (b / a).powf(share) }
}

fn camera(a: &OrbitCamera, b: &OrbitCamera, share: f32) -> OrbitCamera {
    // The short way round.
    let turn = (b.yaw - a.yaw + PI).rem_euclid(TAU) - PI;
    OrbitCamera {
        yaw: a.yaw + turn * share,
        pitch: mix(a.pitch, b.pitch, share),
        distance: mix_ratio(a.distance, b.distance, share),
        target: a.target.lerp(b.target, share),
        orthographic: if share < 0.5 { a.orthographic } else { b.orthographic },
    }
}

fn slice(a: SliceView, b: SliceView, share: f32) -> SliceView {
    SliceView { middle: [0, 1].map(|i| mix(a.middle[i], b.middle[i], share)), zoom: mix_ratio(a.zoom, b.zoom, share) }
}

fn scale(a: &ColorScale, b: &ColorScale, share: f32) -> ColorScale {
    let ends = [(a.low, b.low), (a.high, b.high)].map(|(from, to)| match a.stretch {
        Stretch::Log if from > 0.0 && to > 0.0 => mix_ratio(from, to, share),
        _ => mix(from, to, share),
    });
    ColorScale { low: ends[0], high: ends[1], ..*a }
}

fn opacity(a: Opacity, b: Opacity, share: f32) -> Opacity {
    Opacity { low: mix(a.low, b.low, share), high: mix(a.high, b.high, share), gain: mix_ratio(a.gain, b.gain, share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easing_begins_and_ends_at_rest_and_never_turns_back() {
        for way in [eased, steady] {
            assert_eq!((way(0.0), way(1.0)), (0.0, 1.0));
            let (mut last, mut fastest) = (0.0, 0.0f32);
            for i in 1..=1000 {
                let at = way(i as f32 / 1000.0);
                assert!(at >= last - 1e-6, "back at {i}");
                fastest = fastest.max(at - last);
                last = at;
            }
            assert!(fastest < 0.0021, "a jump of {fastest}");
            assert!(way(0.01) < 0.001 && way(0.99) > 0.999);
        }
    }
}

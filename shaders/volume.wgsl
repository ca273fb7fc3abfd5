// Marches rays through a volume in the unit cube, through three slice planes, from
// the eye to the background. One pipeline for each way to look at the volume.

struct View {
    clip_to_world: mat4x4<f32>,
    world_to_clip: mat4x4<f32>,
    // Where the planes cut, in the unit cube; w is the voxels per axis.
    planes: vec4<f32>,
    // Opacity of each plane; w is the level of the isosurface.
    plane_opacity: vec4<f32>,
    // The part of the cube that is shown; w of the first is the step in voxels, of
    // the second the optical depth of a voxel of full opacity.
    clip_low: vec4<f32>,
    clip_high: vec4<f32>,
    // Pixels across and down, how far this pass is shifted (pixels), its seed.
    image: vec4<f32>,
    shift: vec4<f32>,
    // Where the picture turns from the shown to the compared field, as a fraction
    // of its width; 1 where colours diverge from the middle.
    swipe: vec4<f32>,
}

// 0 emission and absorption, 1 maximum along the ray, 2 isosurface, 3 planes alone.
override MODE: u32 = 0u;

const CELL = 8.0;
const OPAQUE = 0.98;
// Most cells and samples of a ray: a bound that no ray meets.
const MOST_STEPS = 8192u;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var places: texture_3d<f32>;
@group(0) @binding(2) var cells: texture_3d<f32>;
// 256 colours; alpha is the share of full opacity.
@group(0) @binding(3) var colors: texture_2d<f32>;
// Repeats: the box is periodic.
@group(0) @binding(4) var trilinear: sampler;

struct Corner {
    @builtin(position) position: vec4<f32>,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let clip = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u)) * 2.0 - 1.0;
    return Corner(vec4<f32>(clip, 0.0, 1.0));
}

struct Ray {
    origin: vec3<f32>,
    direction: vec3<f32>,
    inverse: vec3<f32>,
    // Length of a step in box sides, and where the first one lies.
    step: f32,
    start: f32,
    // 1 where the compared field is shown.
    compared: bool,
}

struct Seen {
    // Premultiplied.
    color: vec4<f32>,
    // Distance at which most of the light was gathered; negative before.
    depth: f32,
    // Strongest place on the ray so far, and its colour coordinate.
    strongest: f32,
    strongest_at: f32,
}

fn unproject(clip: vec2<f32>, depth: f32) -> vec3<f32> {
    let p = view.clip_to_world * vec4<f32>(clip, depth, 1.0);
    return p.xyz / p.w;
}

// Place in the colour range at a point, 0 to 1.
fn place_at(p: vec3<f32>, compared: bool) -> f32 {
    let both = textureSampleLevel(places, trilinear, p, 0.0).rg;
    return select(both.r, both.g, compared);
}

fn strength(place: f32) -> f32 {
    return select(place, abs(2.0 * place - 1.0), view.swipe.y > 0.5);
}

// Colour and share of full opacity.
fn color_at(place: f32) -> vec4<f32> {
    return textureLoad(colors, vec2<u32>(u32(place * 255.0 + 0.5), 0u), 0);
}

fn cover(seen: ptr<function, Seen>, color: vec3<f32>, alpha: f32, distance: f32) {
    (*seen).color += (1.0 - (*seen).color.a) * alpha * vec4<f32>(color, 1.0);
    if (*seen).depth < 0.0 && (*seen).color.a > 0.5 {
        (*seen).depth = distance;
    }
}

// The surface that a ray crosses between two samples.
fn surface(ray: Ray, before: f32, after: f32, seen: ptr<function, Seen>) {
    var low = before;
    var high = after;
    for (var i = 0; i < 4; i++) {
        let middle = 0.5 * (low + high);
        if strength(place_at(ray.origin + middle * ray.direction, ray.compared)) >= view.plane_opacity.w {
            high = middle;
        } else {
            low = middle;
        }
    }
    let p = ray.origin + high * ray.direction;
    let d = 1.0 / view.planes.w;
    var gradient = vec3<f32>(0.0);
    for (var axis = 0; axis < 3; axis++) {
        var offset = vec3<f32>(0.0);
        offset[axis] = d;
        gradient[axis] = strength(place_at(p + offset, ray.compared)) - strength(place_at(p - offset, ray.compared));
    }
    let normal = gradient / max(length(gradient), 1e-6);
    // A lamp beside the eye, and some light from above.
    let facing = abs(dot(normal, ray.direction));
    let above = 0.5 - 0.5 * normal.z;
    let light = 0.18 + 0.62 * facing + 0.2 * above;
    let gloss = 0.25 * pow(facing, 24.0);
    let place = place_at(p, ray.compared);
    cover(seen, color_at(place).rgb * light + gloss, 1.0, high);
}

// March from one distance to another.
fn march(ray: Ray, enter: f32, leave: f32, seen: ptr<function, Seen>) {
    let n = view.planes.w;
    let cell_side = CELL / n;
    let last = vec3<i32>(textureDimensions(cells)) - 1;
    // Samples lie on one lattice along the whole ray, so planes leave no seam.
    var t = ray.start + ceil((enter - ray.start) / ray.step) * ray.step;
    var before = max(t - ray.step, enter);
    for (var i = 0u; i < MOST_STEPS; i++) {
        if t >= leave {
            break;
        }
        let p = ray.origin + t * ray.direction;
        let cell = clamp(vec3<i32>(floor(p / cell_side)), vec3<i32>(0), last);
        let facts = textureLoad(cells, cell, 0);
        let most = select(facts.r, facts.g, ray.compared);
        var empty = i32(select(facts.b, facts.a, ray.compared) * 255.0 + 0.5);
        if MODE == 1u && most <= (*seen).strongest {
            empty = max(empty, 1);
        }
        // The cell, or the cube of empty cells about it.
        let margin = max(empty - 1, 0);
        let low = vec3<f32>(cell - margin) * cell_side;
        let high = vec3<f32>(cell + margin + 1) * cell_side;
        let faces = (select(low, high, ray.direction > vec3<f32>(0.0)) - ray.origin) * ray.inverse;
        let exit = min(min(faces.x, min(faces.y, faces.z)), leave);
        if empty > 0 {
            t += max(ceil((exit - t) / ray.step), 1.0) * ray.step;
            before = t - ray.step;
            continue;
        }
        for (var j = 0u; j < 64u; j++) {
            let place = place_at(ray.origin + t * ray.direction, ray.compared);
            if MODE == 0u {
                let color = color_at(place);
                cover(seen, color.rgb, 1.0 - exp2(-color.a * view.clip_high.w * view.clip_low.w), t);
            } else if MODE == 1u {
                let s = strength(place);
                if s > (*seen).strongest {
                    (*seen).strongest = s;
                    (*seen).strongest_at = place;
                    (*seen).depth = t;
                }
            } else if strength(place) >= view.plane_opacity.w {
                surface(ray, before, t, seen);
            }
            before = t;
            t += ray.step;
            if t >= exit || (*seen).color.a > OPAQUE {
                break;
            }
        }
        if (*seen).color.a > OPAQUE {
            break;
        }
    }
}

struct Pixel {
    @location(0) color: vec4<f32>,
    // In clip space, for lines to hide behind.
    @location(1) depth: f32,
}

@fragment
fn look(in: Corner) -> Pixel {
    let at = (in.position.xy + view.shift.xy) / view.image.xy;
    let clip = vec2<f32>(2.0 * at.x - 1.0, 1.0 - 2.0 * at.y);
    var ray: Ray;
    ray.origin = unproject(clip, 0.0);
    ray.direction = normalize(unproject(clip, 1.0) - ray.origin);
    ray.direction = select(ray.direction, vec3<f32>(1e-6), abs(ray.direction) < vec3<f32>(1e-6));
    ray.inverse = 1.0 / ray.direction;
    ray.step = view.clip_low.w / view.planes.w;
    // Interleaved gradient noise (Jimenez 2014), another for every pass.
    let noise = fract(52.9829189 * fract(dot(floor(in.position.xy), vec2<f32>(0.06711056, 0.00583715))));
    ray.start = fract(noise + view.shift.z) * ray.step;
    ray.compared = at.x > view.swipe.x;

    let a = (view.clip_low.xyz - ray.origin) * ray.inverse;
    let b = (view.clip_high.xyz - ray.origin) * ray.inverse;
    let near = min(a, b);
    let far = max(a, b);
    let enter = max(max(near.x, max(near.y, near.z)), 0.0);
    let leave = min(far.x, min(far.y, far.z));
    if leave <= enter {
        return Pixel(vec4<f32>(0.0), 1.0);
    }

    // Where the planes are met, nearest first.
    var met = (view.planes.xyz - ray.origin) * ray.inverse;
    met = select(met, vec3<f32>(1e9), view.plane_opacity.xyz <= vec3<f32>(0.0));
    met = select(met, vec3<f32>(1e9), (met < vec3<f32>(enter)) | (met > vec3<f32>(leave)));
    var axes = vec3<i32>(0, 1, 2);
    if met.x > met.y { met = met.yxz; axes = axes.yxz; }
    if met.y > met.z { met = met.xzy; axes = axes.xzy; }
    if met.x > met.y { met = met.yxz; axes = axes.yxz; }

    var seen = Seen(vec4<f32>(0.0), -1.0, 0.0, 0.0);
    var from_here = enter;
    for (var i = 0; i < 4; i++) {
        var to_there = leave;
        if i < 3 {
            to_there = min(met[i], leave);
        }
        if MODE != 3u {
            march(ray, from_here, to_there, &seen);
        }
        if seen.color.a > OPAQUE || to_there >= leave {
            break;
        }
        let place = place_at(ray.origin + to_there * ray.direction, ray.compared);
        let color = color_at(place);
        let opacity = view.plane_opacity[axes[i]];
        // What the volume shows is clear on the plane; the rest of it is a veil.
        let alpha = select(opacity * mix(0.35, 1.0, smoothstep(0.0, 0.5, color.a)), opacity, MODE == 3u);
        cover(&seen, color.rgb, alpha, to_there);
        from_here = to_there;
    }
    if MODE == 1u && seen.strongest > 0.0 {
        // The brightest point of the whole ray lies over the planes.
        let color = color_at(seen.strongest_at);
        let alpha = smoothstep(0.0, 0.25, color.a);
        seen.color = alpha * vec4<f32>(color.rgb, 1.0) + (1.0 - alpha) * seen.color;
    }
    var depth = 1.0;
    if seen.depth >= 0.0 && seen.color.a > 0.5 {
        let clip_point = view.world_to_clip * vec4<f32>(ray.origin + seen.depth * ray.direction, 1.0);
        depth = clip_point.z / clip_point.w;
    }
    return Pixel(min(seen.color, vec4<f32>(1.0)), depth);
}

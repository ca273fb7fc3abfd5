//! Two fields in one picture, differences, bands of wavenumbers and interpolation: each field is
//! where it belongs, on its side of the line and in its sign.

use glam::Vec3;
use halodi::field::band_pass;

use super::*;

/// Two fields that are compared.
struct Pair {
    set: Set,
    second: FieldTexture,
    slices: SlicePass,
}

impl Pair {
    fn new(first: &Grid, second: &Grid, scale: ColorScale, opacity: Opacity) -> Self {
        let mut set = Set::new(first, scale, opacity, opacity.low);
        let mut texture = set.painter.create(second.n());
        set.painter.paint_field(&mut texture, second);
        let [shown, compared] = [&set.texture, &texture].map(|field| Placed { field, scale: &set.scale });
        set.classifier.place(&mut set.volume, shown, Some(compared), None);
        set.classifier.skip(&mut set.volume, opacity.low);
        let slices = SlicePass::new(set.studio.gpu.clone());
        Self { set, second: texture, slices }
    }

    fn slice(&self, look: &SliceLook) -> Vec<[u8; 4]> {
        slice(&self.set, &self.slices, Some(&self.second), look)
    }
}

fn slice(set: &Set, pass: &SlicePass, second: Option<&FieldTexture>, look: &SliceLook) -> Vec<[u8; 4]> {
    let colors = set.studio.colors(&set.scale, set.opacity);
    let shown = Placed { field: &set.texture, scale: &set.scale };
    let second = second.map(|field| Placed { field, scale: &set.scale });
    let picture = SlicePicture::default().draw(pass, shown, second, &colors, look, SIZE).expect("some size");
    set.studio.photograph(&picture, SIZE)
}

fn across(axis: usize, first: usize) -> SliceLook {
    SliceLook { axis, first, thickness: 1, maximum: false, smooth: false, extent: [0.0, 0.0, 1.0, 1.0], swipe: 2.0 }
}

/// The pixel at a place of a picture, 0 to 1 from the top left.
fn at(pixels: &[[u8; 4]], x: f32, y: f32) -> [u8; 4] {
    let [x, y] = [x, y].map(|v| ((v * SIZE[0] as f32) as usize).min(SIZE[0] as usize - 1));
    pixels[y * SIZE[0] as usize + x]
}

/// The pixel of a voxel on a slice of `n²`.
fn of_voxel(pixels: &[[u8; 4]], n: usize, [right, up]: [usize; 2]) -> [u8; 4] {
    let middle = |v: usize| (v as f32 + 0.5) / n as f32;
    at(pixels, middle(right), 1.0 - middle(up))
}

/// A voxel by its places across, right and up on a slice.
fn voxel(axis: usize, across: usize, [right, up]: [usize; 2]) -> [usize; 3] {
    let mut voxel = [across; 3];
    let [r, u] = SLICE_AXES[axis];
    (voxel[r], voxel[u]) = (right, up);
    voxel
}

/// A field of voxels that are one among zeros.
fn voxels(n: usize, ones: &[[usize; 3]]) -> Grid {
    let mut grid = Grid::zeros(n, 10.0);
    ones.iter().for_each(|&voxel| grid.values[voxel] = 1.0);
    grid
}

/// Blobs with their middles at `places`.
fn blobs(n: usize, places: [Vec3; 2]) -> Grid {
    let near = |p: [f32; 3]| places.iter().any(|place| Vec3::from_array(p).distance(*place) < 0.09);
    field(n, |p| if near(p) { 1.0 } else { 0.0 })
}

/// Four places at the left and right of the middle, two above and two below it, as a camera at `yaw`
/// sees them; all lie in the plane across x.
fn places(yaw: f32) -> [[Vec3; 2]; 2] {
    let right = Vec3::new(0.0, yaw.cos(), 0.0) * 0.28;
    [0.72, 0.28].map(|z| [-right, right].map(|side| Vec3::new(0.5, 0.5, z) + side))
}

#[test]
fn a_swipe_of_the_volume_has_the_first_field_at_the_left_of_its_line() {
    for yaw in [0.0, std::f32::consts::PI] {
        let [above, below] = places(yaw);
        let opacity = Opacity { low: 0.3, high: 0.9, gain: 1.0 };
        let pair = Pair::new(&blobs(48, above), &blobs(48, below), linear(0.0, 1.0), opacity);
        for mode in VolumeMode::ALL {
            let mut look = look(mode);
            look.camera.yaw = yaw;
            if mode == VolumeMode::Planes {
                look.plane_opacity[0] = 1.0;
            }
            // Side by side are a line beyond the right edge and one beyond the left.
            for (swipe, lit) in [
                (0.5, [[true, false], [false, true]]),
                (2.0, [[true, true], [false, false]]),
                (-1.0, [[false, false], [true, true]]),
            ] {
                look.swipe = swipe;
                let pixels = pair.set.pixels(&look);
                for (row, places) in [above, below].iter().enumerate() {
                    for (column, place) in places.iter().enumerate() {
                        let p = look.camera.project(*place, 1.0).expect("in front");
                        assert_eq!(column == 1, p.x > 0.5);
                        let bright = at(&pixels, p.x, p.y)[0];
                        let fits = if lit[row][column] { bright > 110 } else { bright < 40 };
                        assert!(fits, "{mode:?} at yaw {yaw}, swipe {swipe}, row {row}, column {column}: {bright}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_swipe_of_a_slice_has_the_first_field_at_the_left_of_its_line() {
    let n = 16;
    let [first, second] = [[[3, 4], [12, 4]], [[3, 11], [12, 11]]];
    for axis in 0..3 {
        let fields = [first, second].map(|ones| voxels(n, &ones.map(|at| voxel(axis, 6, at))));
        let pair = Pair::new(&fields[0], &fields[1], linear(0.0, 1.0), Opacity::default());
        for (swipe, lit) in [(0.5, [[3, 4], [12, 11]]), (2.0, first), (-1.0, second)] {
            for smooth in [false, true] {
                let pixels = pair.slice(&SliceLook { swipe, smooth, ..across(axis, 6) });
                for column in 0..n {
                    for row in 0..n {
                        let bright = of_voxel(&pixels, n, [column, row])[0];
                        let beside = |l: &[usize; 2]| l[0].abs_diff(column) < 2 && l[1].abs_diff(row) < 2;
                        if lit.contains(&[column, row]) {
                            assert!(bright > 200, "across {axis}, swipe {swipe}, ({column}, {row}): {bright}");
                        } else if !smooth || !lit.iter().any(beside) {
                            assert!(bright < 10, "across {axis}, swipe {swipe}, ({column}, {row}): {bright}");
                        }
                    }
                }
            }
        }
    }
}

/// Whether a pixel is red (1), blue (−1), or neither.
fn sign([red, _, blue, _]: [u8; 4]) -> i32 {
    match i32::from(red) - i32::from(blue) {
        40.. => 1,
        -39..40 => 0,
        _ => -1,
    }
}

#[test]
fn a_difference_is_red_where_the_first_field_has_more_and_blue_where_the_second_has() {
    // The last colours are all but black.
    let scale = ColorScale { stretch: Stretch::Linear, ..ColorScale::symmetric(1.4) };
    let opacity = Opacity { low: 0.3, high: 0.9, gain: 1.0 };
    let [more, less] = places(0.0);
    let difference = blobs(48, more).minus(&blobs(48, less));
    let set = Set::new(&difference, scale, opacity, opacity.low);
    for mode in VolumeMode::ALL {
        let mut look = VolumeLook { diverging: true, ..look(mode) };
        look.camera.yaw = 0.0;
        if mode == VolumeMode::Planes {
            look.plane_opacity[0] = 1.0;
        }
        let pixels = set.pixels(&look);
        for (places, wanted) in [(more, 1), (less, -1)] {
            for place in places {
                let p = look.camera.project(place, 1.0).expect("in front");
                let pixel = at(&pixels, p.x, p.y);
                assert_eq!(sign(pixel), wanted, "{mode:?} at {place}: {pixel:?}");
            }
        }
    }
    let n = 16;
    for axis in 0..3 {
        let [more, less] = [[3, 11], [12, 4]];
        let [a, b] = [more, less].map(|at| voxels(n, &[voxel(axis, 9, at)]));
        let set = Set::new(&a.minus(&b), scale, opacity, opacity.low);
        let pixels = slice(&set, &SlicePass::new(set.studio.gpu.clone()), None, &across(axis, 9));
        for column in 0..n {
            for row in 0..n {
                let wanted = i32::from([column, row] == more) - i32::from([column, row] == less);
                assert_eq!(sign(of_voxel(&pixels, n, [column, row])), wanted, "across {axis} at ({column}, {row})");
            }
        }
    }
}

#[test]
fn the_waves_of_a_band_have_their_crests_in_place_on_every_slice() {
    let n = 32;
    let wave = |modes: f32, at: f32| (std::f32::consts::TAU * modes * at).cos();
    let all = field(n, |[x, y, z]| 3.0 + wave(1.0, x) + wave(5.0, y) + wave(9.0, z));
    let k = all.k_fundamental();
    // Waves along y alone are left.
    let set = Set::new(
        &band_pass(&all, [4.0 * k, 6.0 * k]),
        linear(-1.25, 1.25),
        Opacity { low: 0.0, ..Opacity::default() },
        0.0,
    );
    let pass = SlicePass::new(set.studio.gpu.clone());
    for axis in 0..3 {
        let pixels = slice(&set, &pass, None, &across(axis, 7));
        for column in 0..n {
            for row in 0..n {
                let y = (voxel(axis, 7, [column, row])[1] as f32 + 0.5) / n as f32;
                let expected = grey(0.5 + 0.4 * wave(5.0, y));
                let found = of_voxel(&pixels, n, [column, row])[0];
                assert!(found.abs_diff(expected) <= 3, "across {axis} at ({column}, {row}): {found}, not {expected}");
            }
        }
    }
}

#[test]
fn interpolated_slices_have_voxels_in_the_middle_of_where_they_are_on_every_axis() {
    let n = 8;
    for axis in 0..3 {
        // Between the middles of a voxel and the next, a straight line; beyond a face, periodic.
        for place in [[2usize, 5], [7, 0]] {
            let set = Set::new(&voxels(n, &[voxel(axis, 3, place)]), linear(0.0, 1.0), Opacity::default(), 0.0);
            let pass = SlicePass::new(set.studio.gpu.clone());
            let pixels = slice(&set, &pass, None, &SliceLook { smooth: true, ..across(axis, 3) });
            for (i, pixel) in pixels.iter().enumerate() {
                let (x, y) = (i as u32 % SIZE[0], SIZE[1] - 1 - i as u32 / SIZE[0]);
                let share = |pixel: u32, voxel: usize| {
                    let off = (pixel as f32 + 0.5) / SIZE[0] as f32 * n as f32 - 0.5 - voxel as f32;
                    let round = (off + 0.5 * n as f32).rem_euclid(n as f32) - 0.5 * n as f32;
                    (1.0 - round.abs()).max(0.0)
                };
                let expected = grey(share(x, place[0]) * share(y, place[1]));
                assert!(pixel[0].abs_diff(expected) <= 3, "across {axis} at ({x}, {y}): {pixel:?}, not {expected}");
            }
            // The slice beside it has nothing.
            let beside = slice(&set, &pass, None, &SliceLook { smooth: true, ..across(axis, 4) });
            assert!(beside.iter().all(|pixel| pixel[0].abs_diff(grey(0.0)) <= 2));
        }
    }
}

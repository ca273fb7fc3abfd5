//! Pictures of analytic fields: a sphere, a plane wave and one voxel at a known place
//! prove orientation, axis order and depth in every way of looking. Every shader is
//! parsed and validated.

mod compare;

use glam::Vec3;
use halodi::device::GpuContext;
use halodi::field::{Grid, TileBox};
use halodi::render::{
    Classifier, ColorMap, ColorScale, ColorTable, DisplayVolume, FieldPainter, FieldTexture, Line, March, Offscreen,
    Opacity, OrbitCamera, Pace, Picture, Placed, PresentPass, SHADERS, SLICE_AXES, SliceLook, SlicePass, SlicePicture,
    Stretch, VolumeLook, VolumeMode, VolumePass, read_pixels,
};

/// Everything to draw a picture with and look at its pixels.
pub struct Studio {
    pub gpu: GpuContext,
    present: std::sync::Arc<PresentPass>,
}

impl Studio {
    pub fn new(gpu: &GpuContext) -> Self {
        Self { gpu: gpu.clone(), present: PresentPass::new(gpu.clone(), wgpu::TextureFormat::Rgba8Unorm, [0.0; 3]) }
    }

    pub fn colors(&self, scale: &ColorScale, opacity: Opacity) -> ColorTable {
        ColorTable::new(&self.gpu.device, &self.gpu.queue, scale, opacity)
    }

    /// The pixels of a picture on black.
    pub fn photograph(&self, picture: &Picture, size: [u32; 2]) -> Vec<[u8; 4]> {
        self.photograph_with(picture, size, &OrbitCamera::default(), &[])
    }

    fn photograph_with(&self, picture: &Picture, size: [u32; 2], camera: &OrbitCamera, lines: &[Line]) -> Vec<[u8; 4]> {
        let aspect = size[0] as f32 / size[1] as f32;
        let presented = self.present.present(picture, size, camera.world_to_clip(aspect), lines);
        let target = self.gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        {
            let view = target.create_view(&Default::default());
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                        store: wgpu::StoreOp::Store,
                    },
                })],
                ..Default::default()
            });
            presented.draw(&mut pass);
        }
        self.gpu.queue.submit([encoder.finish()]);
        read_pixels(&self.gpu, &target).expect("the device works")
    }
}

/// What [`ColorMap::Grey`] gives a place, as drawn.
pub fn grey(place: f32) -> u8 {
    ColorMap::Grey.color((place * 255.0 + 0.5).floor() / 255.0)[0]
}

fn linear(low: f32, high: f32) -> ColorScale {
    ColorScale { low, high, stretch: Stretch::Linear, map: ColorMap::Grey, reversed: false }
}

fn field(n: usize, value: impl Fn([f32; 3]) -> f32) -> Grid {
    let mut grid = Grid::zeros(n, 10.0);
    for ((x, y, z), v) in grid.values.indexed_iter_mut() {
        *v = value([x, y, z].map(|i| (i as f32 + 0.5) / n as f32));
    }
    grid
}

/// A field ready to be marched through.
struct Set {
    studio: Studio,
    pass: VolumePass,
    painter: FieldPainter,
    classifier: Classifier,
    texture: FieldTexture,
    volume: DisplayVolume,
    scale: ColorScale,
    opacity: Opacity,
}

const SIZE: [u32; 2] = [128, 128];

impl Set {
    fn new(grid: &Grid, scale: ColorScale, opacity: Opacity, occupied: f32) -> Self {
        let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
        let mut painter = FieldPainter::new(gpu.clone());
        let mut texture = painter.create(grid.n());
        painter.paint_field(&mut texture, grid);
        let mut classifier = Classifier::new(gpu.clone());
        let mut volume = classifier.create(grid.n());
        classifier.place(&mut volume, Placed { field: &texture, scale: &scale }, None, None);
        classifier.skip(&mut volume, occupied);
        let (studio, pass) = (Studio::new(&gpu), VolumePass::new(gpu));
        Self { studio, pass, painter, classifier, texture, volume, scale, opacity }
    }

    fn picture(&self, look: &VolumeLook) -> Picture {
        let colors = self.studio.colors(&self.scale, self.opacity);
        let march = March::new(&self.pass, &self.volume, &colors, look, SIZE, 4).expect("a picture of some size");
        march.run();
        march.picture()
    }

    fn pixels(&self, look: &VolumeLook) -> Vec<[u8; 4]> {
        self.studio.photograph_with(&self.picture(look), SIZE, &look.camera, &[])
    }
}

fn look(mode: VolumeMode) -> VolumeLook {
    VolumeLook {
        camera: OrbitCamera { orthographic: true, ..OrbitCamera::default() },
        mode,
        planes: [0.5; 3],
        plane_opacity: [0.0; 3],
        level: 0.5,
        gain: 400.0,
        clip: [[0.0; 3], [1.0; 3]],
        swipe: 2.0,
        diverging: false,
    }
}

/// Where the light of a picture is, from the top left, 0 to 1, and how many pixels have any.
fn middle(pixels: &[[u8; 4]]) -> ([f32; 2], usize) {
    let (mut at, mut sum, mut lit) = ([0.0; 2], 0.0, 0);
    for (i, p) in pixels.iter().enumerate() {
        let light = f32::from(p[0]);
        at[0] += light * (i as u32 % SIZE[0]) as f32;
        at[1] += light * (i as u32 / SIZE[0]) as f32;
        sum += light;
        lit += usize::from(p[0] > 20);
    }
    (at.map(|v| (v / sum + 0.5) / SIZE[0] as f32), lit)
}

#[test]
fn every_shader_is_valid() {
    for (name, source) in SHADERS {
        let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(source)));
        let flags = naga::valid::ValidationFlags::all();
        let mut validator = naga::valid::Validator::new(flags, naga::valid::Capabilities::default());
        validator.validate(&module).unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(source)));
    }
}

#[test]
fn a_blob_is_seen_where_it_is_in_every_way_of_looking() {
    let place = Vec3::new(0.75, 0.3, 0.6);
    let n = 48;
    let blob = field(n, |p| if Vec3::from_array(p).distance(place) < 0.09 { 1.0 } else { 0.0 });
    let set = Set::new(&blob, linear(0.0, 1.0), Opacity { low: 0.3, high: 0.9, gain: 1.0 }, 0.3);
    for mode in [VolumeMode::Emission, VolumeMode::Maximum, VolumeMode::Surface] {
        for orthographic in [true, false] {
            for yaw in [0.65f32, 2.9] {
                let mut look = look(mode);
                look.camera = OrbitCamera { orthographic, yaw, ..OrbitCamera::default() };
                let expected = look.camera.project(place, 1.0).expect("in front");
                let (at, lit) = middle(&set.pixels(&look));
                let off = (at[0] - expected.x).hypot(at[1] - expected.y);
                assert!(off < 0.012, "{mode:?}, orthographic {orthographic}: {off} of the width off");
                // A disc of its radius.
                let across = Vec3::new(-yaw.sin(), yaw.cos(), 0.0) * 0.09;
                let scale = look.camera.project(place + across, 1.0).expect("in front");
                let area = std::f32::consts::PI * (scale - expected).length().powi(2) * (SIZE[0] * SIZE[1]) as f32;
                assert!((lit as f32 / area - 1.0).abs() < 0.35, "{mode:?}: {lit} pixels against {area}");
            }
        }
    }
}

#[test]
fn one_voxel_is_where_it_belongs_on_planes_and_slices() {
    let n = 16;
    let voxel = [3usize, 11, 6];
    let mut grid = Grid::zeros(n, 10.0);
    grid.values[voxel] = 1.0;
    let set = Set::new(&grid, linear(0.0, 1.0), Opacity::default(), 0.0);
    let at = voxel.map(|v| (v as f32 + 0.5) / n as f32);
    for axis in 0..3 {
        // The plane in perspective.
        let mut look = look(VolumeMode::Planes);
        look.planes = at;
        look.plane_opacity[axis] = 1.0;
        let expected = look.camera.project(at.into(), 1.0).expect("in front");
        let pixels = set.pixels(&look);
        let brightest = pixels.iter().enumerate().max_by_key(|(_, p)| p[0]).expect("pixels").0 as u32;
        let found = [brightest % SIZE[0], brightest / SIZE[0]].map(|v| (v as f32 + 0.5) / SIZE[0] as f32);
        let off = (found[0] - expected.x).hypot(found[1] - expected.y);
        assert!(off < 0.03, "plane across {axis}: {off} of the width off");

        // The slice face on: exactly its own pixels, the right axes to the right and up.
        let pass = SlicePass::new(set.studio.gpu.clone());
        let colors = set.studio.colors(&set.scale, set.opacity);
        let slice = |first, thickness, maximum| SliceLook {
            axis,
            first,
            thickness,
            maximum,
            smooth: false,
            extent: [0.0, 0.0, 1.0, 1.0],
            swipe: 2.0,
        };
        let draw = |look: SliceLook| {
            let shown = Placed { field: &set.texture, scale: &set.scale };
            let picture = SlicePicture::default().draw(&pass, shown, None, &colors, &look, SIZE).expect("some size");
            set.studio.photograph(&picture, SIZE)
        };
        let [right, up] = SLICE_AXES[axis];
        let side = SIZE[0] as usize / n;
        let expect = |pixels: &[[u8; 4]], value: f32| {
            for (i, pixel) in pixels.iter().enumerate() {
                let (x, y) = (i % SIZE[0] as usize / side, n - 1 - i / SIZE[0] as usize / side);
                let inside = x == voxel[right] && y == voxel[up];
                let target = grey(if inside { value } else { 0.0 });
                assert!(pixel[0].abs_diff(target) <= 2, "across {axis} at ({x}, {y}): {pixel:?} against {target}");
            }
        };
        expect(&draw(slice(voxel[axis], 1, false)), 1.0);
        expect(&draw(slice((voxel[axis] + 1) % n, 1, false)), 0.0);
        // Four voxels thick, around the periodic face where need be.
        expect(&draw(slice((voxel[axis] + n - 3) % n, 4, true)), 1.0);
        expect(&draw(slice((voxel[axis] + n - 3) % n, 4, false)), 0.25);
    }
}

#[test]
fn a_plane_wave_has_its_crests_in_place_and_runs_on_over_the_faces() {
    let n = 32;
    let wave = field(n, |[x, ..]| (std::f32::consts::TAU * 2.0 * x).cos());
    let set = Set::new(&wave, linear(-1.0, 1.0), Opacity::default(), 0.0);
    let pass = SlicePass::new(set.studio.gpu.clone());
    let colors = set.studio.colors(&set.scale, set.opacity);
    let look = SliceLook {
        axis: 2,
        first: 5,
        thickness: 1,
        maximum: false,
        smooth: true,
        extent: [0.25, 0.0, 1.0, 0.75],
        swipe: 2.0,
    };
    let shown = Placed { field: &set.texture, scale: &set.scale };
    let picture = SlicePicture::default().draw(&pass, shown, None, &colors, &look, SIZE).expect("some size");
    let pixels = set.studio.photograph(&picture, SIZE);
    for column in 0..SIZE[0] as usize {
        let x = 0.25 + 0.75 * (column as f32 + 0.5) / SIZE[0] as f32;
        let expected = grey(0.5 + 0.5 * (std::f32::consts::TAU * 2.0 * x).cos());
        let pixel = pixels[40 * SIZE[0] as usize + column];
        assert!(pixel[0].abs_diff(expected) < 14, "column {column}: {} against {expected}", pixel[0]);
    }
}

#[test]
fn holes_are_told_from_empty_voxels() {
    let n = 8;
    let mut grid = Grid::zeros(n, 10.0);
    grid.values[[2, 2, 2]] = f32::NAN;
    let set = Set::new(&grid, linear(0.0, 1.0), Opacity::default(), 0.0);
    let pass = SlicePass::new(set.studio.gpu.clone());
    let colors = set.studio.colors(&set.scale, set.opacity);
    let side = SIZE[0] as usize / n;
    // Interpolated, the hole reaches to the middles of its neighbours.
    for (smooth, holes) in [(false, side.pow(2)), (true, (2 * side).pow(2))] {
        let look = SliceLook {
            axis: 0,
            first: 2,
            thickness: 1,
            maximum: false,
            smooth,
            extent: [0.0, 0.0, 1.0, 1.0],
            swipe: 2.0,
        };
        let shown = Placed { field: &set.texture, scale: &set.scale };
        let picture = SlicePicture::default().draw(&pass, shown, None, &colors, &look, SIZE).expect("some size");
        let pixels = set.studio.photograph(&picture, SIZE);
        let coloured = pixels.iter().filter(|p| p[0] != p[1]).count();
        assert_eq!(coloured, holes, "interpolated: {smooth}");
    }
}

#[test]
fn empty_space_is_skipped_without_a_trace_and_a_painted_tile_is_seen() {
    let n = 40;
    let bright = |p: [f32; 3]| (-40.0 * Vec3::from_array(p).distance(Vec3::new(0.3, 0.6, 0.45)).powi(2)).exp();
    let opacity = Opacity { low: 0.25, high: 0.9, gain: 1.0 };
    let grid = field(n, bright);
    let mut set = Set::new(&grid, linear(0.0, 1.0), opacity, 0.25);
    for mode in [VolumeMode::Emission, VolumeMode::Maximum, VolumeMode::Surface] {
        let mut look = look(mode);
        look.level = 0.25;
        let threshold = if mode == VolumeMode::Maximum { 0.0 } else { 0.25 };
        set.classifier.skip(&mut set.volume, threshold);
        let with = set.pixels(&look);
        // A threshold below everything: nothing is skipped.
        set.classifier.skip(&mut set.volume, -1.0);
        let without = set.pixels(&look);
        let most = with.iter().zip(&without).map(|(a, b)| a[0].abs_diff(b[0])).max().expect("pixels");
        assert!(most <= 3, "{mode:?}: {most} of 255 apart");
    }

    // A tile over the far corner, painted alone and placed alone.
    let tile = TileBox { origin: [n - 6; 3], size: [12; 3] };
    let full = field(n, |_| 1.0);
    let before = set.volume.generation();
    set.painter.paint_part(&mut set.texture, tile, &full);
    let placed = Placed { field: &set.texture, scale: &set.scale };
    set.classifier.place(&mut set.volume, placed, None, Some(&[tile]));
    set.classifier.skip(&mut set.volume, 0.25);
    assert_ne!(set.volume.generation(), before);
    let by_tile = set.pixels(&look(VolumeMode::Emission));
    let placed = Placed { field: &set.texture, scale: &set.scale };
    set.classifier.place(&mut set.volume, placed, None, None);
    set.classifier.skip(&mut set.volume, 0.25);
    let anew = set.pixels(&look(VolumeMode::Emission));
    assert!(by_tile == anew, "a tile placed alone differs from the whole placed anew");
    let corner = look(VolumeMode::Emission).camera.project(Vec3::splat(0.95), 1.0).expect("in front");
    let pixel = by_tile[(corner.y * 128.0) as usize * 128 + (corner.x * 128.0) as usize];
    assert!(pixel[0] > 100, "the tile is not there: {pixel:?}");
}

#[test]
fn opacity_does_not_depend_on_the_number_of_voxels() {
    let opacity = Opacity { low: 0.0, high: 1.0, gain: 1.0 };
    let brightness = [24, 72].map(|n| {
        let set = Set::new(&field(n, |_| 0.5), linear(0.0, 1.0), opacity, 0.0);
        let look = VolumeLook { gain: 1.5, ..look(VolumeMode::Emission) };
        f32::from(set.pixels(&look)[64 * 128 + 64][0])
    });
    assert!(brightness[0] > 20.0, "{brightness:?}");
    assert!((brightness[0] / brightness[1] - 1.0).abs() < 0.06, "{brightness:?}");
}

#[test]
fn clipping_cuts_and_lines_hide_behind_what_is_nearer() {
    let n = 32;
    let set = Set::new(&field(n, |_| 1.0), linear(0.0, 1.0), Opacity { low: 0.1, high: 0.5, gain: 1.0 }, 0.1);
    // Half of the box, cut across z: the upper corner is gone, the lower one is not.
    let mut half = look(VolumeMode::Emission);
    half.clip[1][2] = 0.5;
    let pixels = set.pixels(&half);
    let at = |p: Vec3| {
        let at = half.camera.project(p, 1.0).expect("in front");
        pixels[(at.y * 128.0) as usize * 128 + (at.x * 128.0) as usize][0]
    };
    let near = Vec3::new(0.9, 0.9, 0.3);
    assert!(at(near) > 200, "{}", at(near));
    assert_eq!(at(Vec3::new(0.1, 0.1, 0.97)), 0);

    // A line through the middle is hidden, one before the near corner is not.
    let look = look(VolumeMode::Surface);
    let picture = set.picture(&look);
    let [_, direction] = look.camera.ray(glam::Vec2::splat(0.5), 1.0);
    let across = Vec3::new(-direction.y, direction.x, 0.0).normalize() * 0.2;
    let red = |at: Vec3| {
        let line = Line { ends: [at - across, at + across], width: 5.0, color: [1.0, 0.0, 0.0, 1.0], hidden: 0.0 };
        let pixels = set.studio.photograph_with(&picture, SIZE, &look.camera, &[line]);
        pixels.iter().filter(|p| p[0] > 200 && p[1] < 60).count()
    };
    assert_eq!(red(Vec3::splat(0.5)), 0);
    assert!(red(Vec3::splat(0.5) - direction * 1.2) > 60);
}

#[test]
fn a_still_picture_costs_nothing_and_motion_is_coarse_first() {
    let set = Set::new(&field(32, |p| p[0]), linear(0.0, 1.0), Opacity::default(), 0.15);
    let colors = set.studio.colors(&set.scale, set.opacity);
    let mut offscreen = Offscreen::new(set.studio.gpu.clone(), || ());
    let pace = Pace { software: true, busy: false };
    let mut look = look(VolumeMode::Emission);
    let size = [200, 160];
    assert!(offscreen.draw(&set.pass, &set.volume, &colors, &look, [0, 160], pace).is_none());
    let (first, again) = offscreen.draw(&set.pass, &set.volume, &colors, &look, size, pace).expect("some size");
    assert!(first.size()[0] < size[0] && again.is_some());
    let began = std::time::Instant::now();
    loop {
        let (picture, again) = offscreen.draw(&set.pass, &set.volume, &colors, &look, size, pace).expect("some size");
        if again.is_none() {
            assert_eq!(picture.size(), size);
            break;
        }
        assert!(began.elapsed().as_secs() < 60, "never fine");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let marches = offscreen.marches();
    for _ in 0..10 {
        offscreen.draw(&set.pass, &set.volume, &colors, &look, size, pace);
    }
    assert_eq!(offscreen.marches(), marches, "a still picture was marched again");
    look.camera.yaw += 0.1;
    let (moved, _) = offscreen.draw(&set.pass, &set.volume, &colors, &look, size, pace).expect("some size");
    assert!(moved.size()[0] < size[0]);
    assert_eq!(offscreen.marches(), marches + 1);
}

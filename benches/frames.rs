//! Times of frames of the volume, as a user meets them: orbiting with the processor to
//! itself, orbiting while other threads compute, resting. Run with
//! `cargo bench --bench frames -- [VOXELS | FIELD]`: a lognormal field of so many voxels per axis, or one of
//! a file. `benches/peers/vtk_volume.py FIELD.npy` is the same with VTK.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use glam::Vec2;
use halodi::device::GpuContext;
use halodi::field::{Grid, Stream, fill_normal, smooth_widely};
use halodi::io::{Opened, open_source};
use halodi::render::{
    Classifier, ColorMap, ColorScale, ColorTable, FieldPainter, Offscreen, Opacity, OrbitCamera, Pace, Placed,
    PresentPass, VolumeLook, VolumeMode, VolumePass,
};

const SIZE: [u32; 2] = [800, 600];
const FRAMES: usize = 60;

fn main() {
    let wanted = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let field = match wanted.as_deref().map(|a| (a, a.parse().ok())) {
        None => lognormal(128),
        Some((_, Some(n))) => lognormal(n),
        Some((file, None)) => match open_source(Path::new(file)).expect("a grid") {
            Opened::Grid(grid) => grid.grid,
            Opened::Snapshot(_) => panic!("{file} is a snapshot, not a grid"),
        },
    };
    let n = field.n();
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    println!("{}, {n}³ voxels, {} × {} pixels", gpu.name(), SIZE[0], SIZE[1]);
    let scale = ColorScale::log(field.quantile(0.3), field.quantile(0.9999), ColorMap::Inferno);

    let mut painter = FieldPainter::new(gpu.clone());
    let mut classifier = Classifier::new(gpu.clone());
    let began = Instant::now();
    let mut texture = painter.create(n);
    painter.paint_field(&mut texture, &field);
    let mut volume = classifier.create(n);
    classifier.place(&mut volume, Placed { field: &texture, scale: &scale }, None, None);
    let opacity = Opacity { low: 0.2, high: 1.0, gain: 130.0 };
    classifier.skip(&mut volume, opacity.low);
    finish(&gpu);
    println!("{:<44} {:7.1} ms", "field to display volume", began.elapsed().as_secs_f64() * 1e3);

    let colors = ColorTable::new(&gpu.device, &gpu.queue, &scale, opacity);
    let march = VolumePass::new(gpu.clone());
    let screen = Screen::new(&gpu);
    for mode in [VolumeMode::Emission, VolumeMode::Maximum, VolumeMode::Surface] {
        classifier.skip(&mut volume, if mode == VolumeMode::Maximum { 0.0 } else { opacity.low });
        for jobs in [0, std::thread::available_parallelism().map_or(2, usize::from)] {
            let busy = Busy::new(jobs);
            let pace = Pace { software: gpu.is_software(), busy: jobs > 0 };
            let mut offscreen = Offscreen::new(gpu.clone(), || ());
            let mut look = VolumeLook {
                camera: OrbitCamera::default(),
                mode,
                planes: [0.5; 3],
                plane_opacity: [0.0; 3],
                level: 0.4,
                gain: opacity.gain,
                clip: [[0.0; 3], [1.0; 3]],
                swipe: 2.0,
                diverging: false,
            };
            let mut times = Vec::new();
            let mut pixels = 0;
            for _ in 0..FRAMES {
                let began = Instant::now();
                look.camera.orbit(Vec2::new(4.0, 0.5));
                let (picture, _) =
                    offscreen.draw(&march, &volume, &colors, &look, SIZE, pace).expect("a picture of some size");
                pixels = picture.size()[0];
                screen.show(&picture, &look.camera);
                times.push(began.elapsed());
            }
            // The first frames find out how many pixels are affordable.
            report(&format!("{} orbiting, {jobs} threads busy", mode.name()), &mut times.split_off(20), Some(pixels));

            let began = Instant::now();
            let mut longest = Duration::ZERO;
            loop {
                // A window that is hovered over all the while.
                let last = Instant::now();
                let (picture, again) =
                    offscreen.draw(&march, &volume, &colors, &look, SIZE, pace).expect("a picture of some size");
                screen.show(&picture, &look.camera);
                longest = longest.max(last.elapsed());
                match again {
                    None => break,
                    Some(wait) => std::thread::sleep(wait.min(Duration::from_millis(16))),
                }
            }
            let fine = began.elapsed().as_secs_f64();
            drop(busy);
            let marches = offscreen.marches();
            let mut still: Vec<Duration> = (0..FRAMES)
                .map(|_| {
                    let began = Instant::now();
                    let (picture, _) =
                        offscreen.draw(&march, &volume, &colors, &look, SIZE, pace).expect("a picture of some size");
                    screen.show(&picture, &look.camera);
                    began.elapsed()
                })
                .collect();
            assert_eq!(offscreen.marches(), marches, "a still picture is marched again");
            println!(
                "{:<44} {fine:7.2} s, longest frame {:.0} ms",
                "  refined at rest in",
                longest.as_secs_f64() * 1e3
            );
            report("  repaint at rest", &mut still, None);
        }
    }
}

fn report(what: &str, times: &mut [Duration], pixels: Option<u32>) {
    times.sort();
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    let width = pixels.map_or(String::new(), |p| format!(", {p} pixels wide"));
    println!("{what:<44} {:7.1} ms median, {:.1} ms 95 %, {:.1} a second{width}", at(0.5), at(0.95), 1e3 / at(0.5));
}

/// A field with the skewness of matter: a few bright voxels in much empty space.
fn lognormal(n: usize) -> Grid {
    let mut white = Grid::zeros(n, 25.0);
    fill_normal(white.as_slice_mut(), 1, Stream::Latent);
    let wide = smooth_widely(&white, &[1.6]).remove(0);
    let wide = wide.map({
        let deviation =
            (wide.as_slice().iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / (n as f64).powi(3)).sqrt();
        move |v| v / deviation as f32
    });
    wide.map(|v| (1.6 * v).exp())
}

fn finish(gpu: &GpuContext) {
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device works");
}

/// A screen that waits for its pictures.
struct Screen {
    gpu: GpuContext,
    present: Arc<PresentPass>,
    target: wgpu::TextureView,
}

impl Screen {
    fn new(gpu: &GpuContext) -> Self {
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width: SIZE[0], height: SIZE[1], depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        Self {
            gpu: gpu.clone(),
            present: PresentPass::new(gpu.clone(), format, [0.0; 3]),
            target: target.create_view(&Default::default()),
        }
    }

    fn show(&self, picture: &halodi::render::Picture, camera: &OrbitCamera) {
        let aspect = SIZE[0] as f32 / SIZE[1] as f32;
        let presented = self.present.present(picture, SIZE, camera.world_to_clip(aspect), &[]);
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &self.target,
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
        finish(&self.gpu);
    }
}

/// Threads that compute at the low priority of a job's.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Busy {
    fn new(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|_| {
                let stop = stop.clone();
                std::thread::spawn(move || {
                    #[cfg(target_os = "linux")]
                    // SAFETY: a plain system call that concerns the calling thread alone.
                    unsafe {
                        libc::setpriority(libc::PRIO_PROCESS, 0, 10);
                    }
                    let mut x = 1.0f64;
                    while !stop.load(Ordering::Relaxed) {
                        for _ in 0..100_000 {
                            x = std::hint::black_box(x * 1.000_001 + 1e-9);
                        }
                    }
                })
            })
            .collect();
        Self { stop, threads }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

//! Times of the whole window, as whoever sits before it meets them: from its first frame to the first picture of a
//! snapshot, and how long the thread that draws is held by each frame, at rest and in use. Run with
//! `cargo bench --bench window -- [SNAPSHOT]` (the demo without one), on a machine with nothing else to do.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use egui::{Event, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, RawInput, Rect, TouchPhase, Vec2};
use halodi::device::{DeviceChoice, GpuContext};
use halodi::field::Layer;
use halodi::pipeline::{JobConfig, Source};
use halodi::ui::HalodiApp;

const SIZE: [f32; 2] = [1440.0, 900.0];
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Bgra8Unorm;
const FRAMES: usize = 60;

fn main() {
    let file = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let source = file.map_or(Source::Demo, |file| Source::File(PathBuf::from(file)));
    halodi::ui::lower_the_pool();
    let gpu = GpuContext::shared().expect("a Vulkan device, software or not");
    println!("{}, {} × {} pixels", gpu.name(), SIZE[0], SIZE[1]);
    let mut window = Window::new(&gpu, JobConfig { source, ..JobConfig::default() });

    let began = Instant::now();
    let mut opened = None;
    let mut reading = Times::default();
    // The first picture is there with the first frame that has a field to show.
    while window.app.on_show().is_none() {
        reading.add(window.frame(Vec::new()));
        if window.app.subject().opened().is_some() {
            opened.get_or_insert(began.elapsed());
        }
        window.rest();
    }
    let shown = began.elapsed();
    let n = window.app.subject().opened().map_or(0, |o| o.n);
    println!(
        "{n}³ voxels; read after {:.2} s, first picture after {:.2} s",
        opened.unwrap_or(shown).as_secs_f64(),
        shown.as_secs_f64()
    );
    println!("{:<34} {:>7} {:>9} {:>9} {:>9} {:>9}", "", "frames", "median", "99 %", "longest", "painted");
    reading.tell("reading");
    let mut settling = Times::default();
    while !window.app.is_settled() {
        settling.add(window.frame(Vec::new()));
        window.rest();
    }
    settling.tell("until all is refined");

    let volume = Pos2::new(400.0, 420.0);
    let slice = Pos2::new(1000.0, 220.0);
    window.scene("pointer over the volume", |frame| vec![Event::PointerMoved(volume + wander(frame))]);
    window.scene("pointer over a slice, probing", |frame| vec![Event::PointerMoved(slice + wander(frame))]);
    window.scene("wheel through slices", |_| vec![wheel(1.0)]);
    window.scene("orbiting", |frame| match frame {
        0 => vec![Event::PointerMoved(volume), button(volume, true)],
        _ if frame + 1 == FRAMES => vec![button(volume, false)],
        _ => vec![Event::PointerMoved(volume + Vec2::new(3.0 * frame as f32, frame as f32))],
    });
    window.scene("the reference, and back", |frame| {
        if frame % 20 == 0 {
            key(egui::Key::Num7)
        } else if frame % 20 == 10 {
            key(egui::Key::Num1)
        } else {
            Vec::new()
        }
    });
    // A run on the processor, with somebody who orbits.
    window.frame(key(egui::Key::Space));
    let mut running = Times::default();
    let mut frame = 0;
    let began = Instant::now();
    while !window.app.subject().has(Layer::BrightnessTemperature) || running.frames() < 200 {
        let events = match frame % FRAMES {
            0 => vec![Event::PointerMoved(volume), button(volume, true)],
            last if last + 1 == FRAMES => vec![button(volume, false)],
            at => vec![Event::PointerMoved(volume + Vec2::new(3.0 * at as f32, at as f32))],
        };
        running.add(window.frame(events));
        frame += 1;
        if began.elapsed() > Duration::from_secs(60) || !window.app.is_running() {
            break;
        }
    }
    let rate = running.frames() as f64 / began.elapsed().as_secs_f64();
    running.tell(&format!("orbiting in a run, {rate:.1} a second"));
}

/// How far the pointer is from where it began.
fn wander(frame: usize) -> Vec2 {
    Vec2::new(40.0 * (frame as f32 * 0.2).sin(), 30.0 * (frame as f32 * 0.13).cos())
}

fn wheel(lines: f32) -> Event {
    Event::MouseWheel {
        unit: MouseWheelUnit::Line,
        delta: Vec2::new(0.0, lines),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    }
}

fn button(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
}

fn key(key: egui::Key) -> Vec<Event> {
    let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers: Modifiers::NONE };
    vec![event(true), event(false)]
}

/// Frames of one kind.
#[derive(Default)]
struct Times {
    /// Of the window's own work, and until everything is on the screen.
    times: Vec<[Duration; 2]>,
}

impl Times {
    fn add(&mut self, times: [Duration; 2]) {
        self.times.push(times);
    }

    fn frames(&self) -> usize {
        self.times.len()
    }

    fn tell(&self, what: &str) {
        let sorted = |which: usize| {
            let mut times: Vec<f64> = self.times.iter().map(|t| t[which].as_secs_f64() * 1e3).collect();
            times.sort_by(f64::total_cmp);
            times
        };
        let (own, painted) = (sorted(0), sorted(1));
        let at = |times: &[f64], q: f64| {
            times.get(((times.len() as f64 - 1.0) * q).round() as usize).copied().unwrap_or(0.0)
        };
        println!(
            "{what:<34} {:>7} {:>6.1} ms {:>6.1} ms {:>6.1} ms {:>6.1} ms",
            self.frames(),
            at(&own, 0.5),
            at(&own, 0.99),
            at(&own, 1.0),
            at(&painted, 0.5)
        );
    }
}

/// The window, on a screen that nobody sees.
struct Window {
    gpu: GpuContext,
    ctx: egui::Context,
    app: HalodiApp,
    renderer: egui_wgpu::Renderer,
    screen: wgpu::Texture,
    began: Instant,
    /// When another frame is wanted.
    wanted: Arc<Mutex<Option<Instant>>>,
}

impl Window {
    fn new(gpu: &GpuContext, initial: JobConfig) -> Self {
        let ctx = egui::Context::default();
        let wanted = Arc::new(Mutex::new(None));
        let asked = wanted.clone();
        ctx.set_request_repaint_callback(move |request| {
            let at = Instant::now() + request.delay.min(Duration::from_secs(60));
            let mut wanted = asked.lock().expect("no frame panics");
            *wanted = Some(wanted.map_or(at, |before: Instant| before.min(at)));
        });
        let screen = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("screen"),
            size: wgpu::Extent3d { width: SIZE[0] as u32, height: SIZE[1] as u32, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        Self {
            app: HalodiApp::with(
                &ctx,
                FORMAT,
                gpu.clone(),
                Some(JobConfig { until: halodi::predict::Stage::Field, ..initial }),
                DeviceChoice::Cpu,
                None,
            ),
            renderer: egui_wgpu::Renderer::new(&gpu.device, FORMAT, Default::default()),
            gpu: gpu.clone(),
            ctx,
            screen,
            began: Instant::now(),
            wanted,
        }
    }

    /// Wait as the system does: until a frame is wanted.
    fn rest(&self) {
        let due = || self.wanted.lock().expect("no frame panics").is_some_and(|at| at <= Instant::now());
        let began = Instant::now();
        while !due() && began.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(1));
        }
        *self.wanted.lock().expect("no frame panics") = None;
    }

    /// Sixty frames, each with its events.
    fn scene(&mut self, what: &str, events: impl Fn(usize) -> Vec<Event>) {
        let mut times = Times::default();
        for frame in 0..FRAMES {
            times.add(self.frame(events(frame)));
            std::thread::sleep(Duration::from_millis(5));
        }
        times.tell(what);
    }

    /// One frame: how long the window's own code took, and how long all of it until it is on the screen.
    fn frame(&mut self, events: Vec<Event>) -> [Duration; 2] {
        let began = Instant::now();
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, Vec2::from(SIZE))),
            time: Some(self.began.elapsed().as_secs_f64()),
            max_texture_side: Some(self.gpu.device.limits().max_texture_dimension_2d as usize),
            events,
            ..Default::default()
        };
        let app = &mut self.app;
        let mut output = self.ctx.run_ui(input, |ui| app.frame(ui));
        let jobs = self.ctx.tessellate(std::mem::take(&mut output.shapes), 1.0);
        let own = began.elapsed();
        for (id, deltas) in output.textures_delta.set.drain() {
            for delta in deltas {
                self.renderer.update_texture(&self.gpu.device, &self.gpu.queue, id, &delta);
            }
        }
        let size = SIZE.map(|v| v as u32);
        let screen = egui_wgpu::ScreenDescriptor { pixels_per_point: 1.0, size_in_pixels: size };
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut commands =
            self.renderer.update_buffers(&self.gpu.device, &self.gpu.queue, &mut encoder, &jobs, &screen);
        {
            let view = self.screen.create_view(&Default::default());
            let mut pass = encoder
                .begin_render_pass(&wgpu::RenderPassDescriptor {
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
                })
                .forget_lifetime();
            self.renderer.render(&mut pass, &jobs, &screen);
        }
        commands.push(encoder.finish());
        self.gpu.queue.submit(commands);
        for id in output.textures_delta.free.drain() {
            self.renderer.free_texture(&id);
        }
        output.drop_without_applying_deltas();
        let (sender, receiver) = channel();
        self.gpu.queue.on_submitted_work_done(move || {
            let _ = sender.send(());
        });
        // Work on the refined picture may go on meanwhile: what was submitted until now is waited for.
        let _ = self.gpu.device.poll(wgpu::PollType::Poll);
        while receiver.try_recv().is_err() {
            let _ = self.gpu.device.poll(wgpu::PollType::Poll);
            std::thread::sleep(Duration::from_micros(300));
        }
        [own, began.elapsed()]
    }
}

//! The picture: the volume in perspective and one slice face on, linked.

use std::sync::Arc;

use egui::{Align2, Color32, FontId, Pos2, Rect, Sense, Stroke, Ui};
use glam::{Vec2, Vec3};

use super::scene::Scene;
use super::theme;
use crate::device::GpuContext;
use crate::field::{Layer, LogTransform, TileBox};
use crate::render::{OrbitCamera, ViewMode, ViewPipelines, VolumeCanvas, VolumeView};

const AXES: [&str; 3] = ["x", "y", "z"];

/// What of the scene is looked at, and from where.
pub struct Viewport {
    /// The layer shown.
    pub layer: Layer,
    /// Where the slices cut, in the unit cube.
    slices: [f32; 3],
    /// The axis that the face-on slice is perpendicular to.
    axis: usize,
    camera: OrbitCamera,
    ray_march: bool,
    show_tile: bool,
    pipelines: Arc<ViewPipelines>,
}

impl Viewport {
    pub(super) fn new(gpu: &GpuContext, format: wgpu::TextureFormat) -> Self {
        Self {
            layer: Layer::DarkMatter,
            slices: [0.5; 3],
            axis: 2,
            camera: OrbitCamera::default(),
            ray_march: false,
            show_tile: true,
            pipelines: ViewPipelines::new(&gpu.device, &gpu.queue, format, colorous::INFERNO),
        }
    }

    /// Move the face-on slice by whole voxels.
    pub(super) fn step(&mut self, voxels: i32, canvas: &VolumeCanvas) {
        if let Some((_, n, ..)) = canvas.layer(self.layer) {
            let position = &mut self.slices[self.axis];
            *position = (*position + voxels as f32 / n as f32).clamp(0.5 / n as f32, 1.0 - 0.5 / n as f32);
        }
    }

    /// The volume in perspective.
    pub(super) fn volume(&mut self, ui: &mut Ui, gpu: &GpuContext, canvas: &VolumeCanvas, scene: &Scene) {
        let layers = canvas.layers();
        ui.horizontal_wrapped(|ui| {
            for layer in &layers {
                let index = Layer::ALL.iter().position(|l| l == layer).map_or(0, |i| i + 1);
                ui.selectable_value(&mut self.layer, *layer, short_name(*layer)).on_hover_text(format!("Key {index}"));
            }
            ui.separator();
            ui.checkbox(&mut self.ray_march, "volume");
            ui.checkbox(&mut self.show_tile, "tile").on_hover_text("Outline the tile that is being painted");
        });
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        let Some((texture, n, transform, range)) = canvas.layer(self.layer) else {
            let text = if scene.source.is_some() {
                "This layer is made by Run."
            } else {
                "Open a snapshot, or drop one here."
            };
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, text, FontId::proportional(18.0), Color32::GRAY);
            return;
        };
        if response.dragged() {
            let delta = response.drag_delta();
            self.camera.orbit(Vec2::new(delta.x, delta.y));
        }
        if response.hovered() {
            let scroll = ui.input(|input| input.smooth_scroll_delta().y);
            self.camera.zoom((scroll * 0.002).exp());
        }
        if response.double_clicked() {
            self.camera = OrbitCamera::default();
        }

        let aspect = rect.width() / rect.height();
        let camera = self.camera;
        let place = |p: Vec3| -> Option<Pos2> {
            let at = camera.project(p, aspect)?;
            Some(rect.min + egui::vec2(at.x * rect.width(), at.y * rect.height()))
        };
        let line = |a: Vec3, b: Vec3, stroke: Stroke| {
            if let (Some(a), Some(b)) = (place(a), place(b)) {
                ui.painter_at(rect).line_segment([a, b], stroke);
            }
        };
        // Edges behind the picture first: those that meet the far corner.
        let eye = camera.eye();
        let far = Vec3::from_array([0, 1, 2].map(|i| if eye[i] < 0.5 { 1.0 } else { 0.0 }));
        let edges = edges(Vec3::ZERO, Vec3::ONE);
        let behind = |(a, b): &(Vec3, Vec3)| *a == far || *b == far;
        let (faint, clear) = (Stroke::new(1.0, Color32::from_gray(60)), Stroke::new(1.0, Color32::from_gray(125)));
        for edge in edges.iter().filter(|e| behind(e)) {
            line(edge.0, edge.1, faint);
        }
        let tile = scene.tile.filter(|_| self.show_tile);
        let mode = if self.ray_march { ViewMode::Volume } else { ViewMode::Slices };
        let matrices = (camera.world_to_clip(aspect), eye);
        let view = VolumeView::new(&gpu.device, &self.pipelines, &texture, n, matrices, self.slices, range, mode, tile);
        ui.painter().add(egui_wgpu::Callback::new_paint_callback(rect, view));
        for edge in edges.iter().filter(|e| !behind(e)) {
            line(edge.0, edge.1, clear);
        }
        if let Some(tile) = tile {
            for (low, high) in pieces(tile, n) {
                for (a, b) in self::edges(low, high) {
                    line(a, b, Stroke::new(1.6, theme::ACCENT));
                }
            }
        }
        self.axis_labels(ui, rect, scene, &place, eye);
        color_bar(ui, rect, &transform, range, self.layer);
        if let (Some(source), Some(size)) = (&scene.source, scene.box_size()) {
            let text = format!("{}\n{source}, {size:.1} Mpc/h, z = {:.2}", self.layer.name(), scene.redshift);
            let at = rect.left_top() + egui::vec2(6.0, 6.0);
            ui.painter().text(at, Align2::LEFT_TOP, text, FontId::proportional(15.0), Color32::from_gray(225));
        }
    }

    fn axis_labels(&self, ui: &Ui, rect: Rect, scene: &Scene, place: &dyn Fn(Vec3) -> Option<Pos2>, eye: Vec3) {
        let Some(size) = scene.box_size() else { return };
        let near = Vec3::new(if eye.x < 0.5 { 0.0 } else { 1.0 }, if eye.y < 0.5 { 0.0 } else { 1.0 }, 0.0);
        for axis in 0..3 {
            let mut start = if axis == 2 { Vec3::new(near.x, 1.0 - near.y, 0.0) } else { near };
            start[axis] = 0.0;
            let mut end = start;
            end[axis] = 1.0;
            for tick in 0..=4 {
                let t = tick as f32 / 4.0;
                let p = start.lerp(end, t);
                let outward = (p - Vec3::splat(0.5)) * Vec3::new(1.0, 1.0, 0.3);
                if let Some(at) = place(p + outward * 0.09) {
                    let text = if tick == 2 {
                        format!("{} (Mpc/h)", AXES[axis])
                    } else {
                        format!("{:.1}", f64::from(t) * size)
                    };
                    let color = if tick == 2 { Color32::from_gray(215) } else { Color32::from_gray(150) };
                    ui.painter_at(rect).text(at, Align2::CENTER_CENTER, text, FontId::proportional(12.0), color);
                }
            }
        }
    }

    /// One slice face on, with a read-out under the cursor.
    pub(super) fn slice(&mut self, ui: &mut Ui, gpu: &GpuContext, canvas: &VolumeCanvas, scene: &Scene) {
        let Some((texture, n, _, range)) = canvas.layer(self.layer) else {
            ui.weak("No slice yet.");
            return;
        };
        let size = scene.box_size().unwrap_or(1.0);
        ui.horizontal(|ui| {
            ui.strong("Slice");
            for (axis, name) in AXES.iter().enumerate() {
                ui.selectable_value(&mut self.axis, axis, *name);
            }
            let mut index = (self.slices[self.axis] * n as f32) as usize;
            ui.spacing_mut().slider_width = (ui.available_width() - 130.0).max(60.0);
            let slider = egui::Slider::new(&mut index, 0..=n - 1).show_value(false);
            if ui.add(slider).changed() {
                self.slices[self.axis] = (index as f32 + 0.5) / n as f32;
            }
            ui.monospace(format!("{:6.2} Mpc/h", index as f64 * size / n as f64));
        });
        let side = ui.available_width().min(ui.available_height() - 26.0).max(40.0);
        let (rect, response) = ui.allocate_exact_size(egui::vec2(side, side), Sense::hover());
        let mode = ViewMode::Flat(self.axis);
        let tile = scene.tile.filter(|_| self.show_tile);
        let camera = (glam::Mat4::IDENTITY, Vec3::ZERO);
        let view = VolumeView::new(&gpu.device, &self.pipelines, &texture, n, camera, self.slices, range, mode, tile);
        ui.painter().add(egui_wgpu::Callback::new_paint_callback(rect, view));
        ui.painter().rect_stroke(rect, 0.0, Stroke::new(1.0, Color32::from_gray(90)), egui::StrokeKind::Outside);

        let (right, up) = ((self.axis + 1) % 3, (self.axis + 2) % 3);
        let text = match (response.hover_pos(), scene.fields.get(&self.layer)) {
            (Some(at), field) => {
                let u = ((at.x - rect.left()) / side).clamp(0.0, 0.9999);
                let v = ((rect.bottom() - at.y) / side).clamp(0.0, 0.9999);
                let mut voxel = [0usize; 3];
                voxel[self.axis] = (self.slices[self.axis] * n as f32) as usize;
                voxel[right] = (u * n as f32) as usize;
                voxel[up] = (v * n as f32) as usize;
                let p = voxel.map(|i| i as f64 * size / n as f64);
                let value = field.map_or("still being made".to_owned(), |f| {
                    format!("{:.4} {}", Significant(f.values[voxel]), self.layer.unit())
                });
                format!("({:.2}, {:.2}, {:.2}) Mpc/h   {value}", p[0], p[1], p[2])
            }
            (None, _) => format!("{} to the right, {} up, {size:.1} Mpc/h a side", AXES[right], AXES[up]),
        };
        ui.label(egui::RichText::new(text).monospace().small());
    }
}

/// A number with four significant digits, in powers of ten where it needs them.
struct Significant(f32);

impl std::fmt::Display for Significant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.0;
        if value == 0.0 || (1e-3..1e4).contains(&value.abs()) {
            write!(f, "{value:.4}")
        } else {
            write!(f, "{value:.3e}")
        }
    }
}

fn short_name(layer: Layer) -> String {
    match layer {
        Layer::DarkMatter => "Dark matter".to_owned(),
        Layer::HaloMass(bin) => format!("Haloes {}", bin + 1),
        Layer::ConditionalMean => "Mean".to_owned(),
        Layer::Latent => "Latent".to_owned(),
        Layer::BrightnessTemperature => "21 cm".to_owned(),
        Layer::Reference => "Reference".to_owned(),
    }
}

/// The twelve edges of a cuboid.
fn edges(low: Vec3, high: Vec3) -> Vec<(Vec3, Vec3)> {
    let corner = |bits: usize| Vec3::from_array([0, 1, 2].map(|i| if bits >> i & 1 == 1 { high[i] } else { low[i] }));
    (0..8)
        .flat_map(|a| (0..3).filter(move |i| a >> i & 1 == 0).map(move |i| (a, a | 1 << i)))
        .map(|(a, b)| (corner(a), corner(b)))
        .collect()
}

/// The parts of a tile inside the box: one that reaches over faces comes in
/// several.
fn pieces(tile: TileBox, n: usize) -> Vec<(Vec3, Vec3)> {
    let spans = [0, 1, 2].map(|i| {
        let (start, end) = (tile.origin[i], tile.origin[i] + tile.size[i]);
        if end <= n { vec![(start, end)] } else { vec![(start, n), (0, end - n)] }
    });
    let mut pieces = Vec::new();
    for x in &spans[0] {
        for y in &spans[1] {
            for z in &spans[2] {
                let point = |x: usize, y: usize, z: usize| Vec3::new(x as f32, y as f32, z as f32) / n as f32;
                pieces.push((point(x.0, y.0, z.0), point(x.1, y.1, z.1)));
            }
        }
    }
    pieces
}

/// The colour bar along the right edge, ticks in the layer's unit.
fn color_bar(ui: &Ui, rect: Rect, transform: &LogTransform, range: [f32; 2], layer: Layer) {
    let height = (rect.height() * 0.4).min(260.0);
    let bar = Rect::from_min_size(rect.right_bottom() - egui::vec2(84.0, height + 26.0), egui::vec2(14.0, height));
    let painter = ui.painter_at(rect);
    let (font, gray) = (FontId::proportional(12.0), Color32::from_gray(190));
    // A long unit reaches to the left of the bar, not over the edge of the view.
    let unit = painter.layout_no_wrap(layer.unit().to_owned(), font.clone(), gray);
    let unit_at = Pos2::new((bar.left() - 4.0).min(rect.right() - 8.0 - unit.size().x), bar.bottom() + 8.0);
    // A plate, so that the labels of the box's axes do not run into the bar's.
    let plate = Rect::from_min_max(
        Pos2::new(unit_at.x - 6.0, bar.top() - 12.0),
        bar.right_bottom() + egui::vec2(rect.right() - bar.right() - 4.0, 26.0),
    );
    painter.rect_filled(plate, 4.0, ui.visuals().extreme_bg_color.gamma_multiply(0.85));
    const BANDS: usize = 64;
    for i in 0..BANDS {
        let color = colorous::INFERNO.eval_rational(i, BANDS);
        let bottom = bar.bottom() - height * i as f32 / BANDS as f32;
        let band = Rect::from_min_max(
            Pos2::new(bar.left(), bottom - height / BANDS as f32 - 0.5),
            Pos2::new(bar.right(), bottom),
        );
        painter.rect_filled(band, 0.0, Color32::from_rgb(color.r, color.g, color.b));
    }
    for (value, label) in ticks(transform, range) {
        let y = bar.bottom() - height * (value - range[0]) / (range[1] - range[0]);
        let at = Pos2::new(bar.right() + 6.0, y);
        painter.text(at, Align2::LEFT_CENTER, label, font.clone(), gray);
    }
    painter.galley(unit_at, unit, gray);
}

/// Powers of ten within a range of transformed values: where they lie, and
/// their labels.
fn ticks(transform: &LogTransform, range: [f32; 2]) -> Vec<(f32, String)> {
    let [low, high] = range.map(|y| f64::from(transform.inverse(y)).max(transform.floor));
    let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
    let every = ((last - first) / 6).max(0) + 1;
    (first..=last)
        .step_by(every as usize)
        .map(|power| {
            let value = 10f64.powi(power);
            let label = if (-3..=4).contains(&power) { format!("{value}") } else { format!("1e{power}") };
            (transform.forward(value as f32), label)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_over_the_corner_comes_in_eight_pieces_of_its_volume() {
        let tile = TileBox { origin: [24, 24, 24], size: [16; 3] };
        let pieces = pieces(tile, 32);
        assert_eq!(pieces.len(), 8);
        let volume: f32 = pieces.iter().map(|(a, b)| (b - a).element_product()).sum();
        assert!((volume - 0.125).abs() < 1e-6);
    }

    #[test]
    fn colour_bar_ticks_are_powers_of_ten_at_their_values() {
        let transform = LogTransform { floor: 1e-2, offset: -1.0, scale: 0.5 };
        let range = [transform.forward(0.005), transform.forward(300.0)];
        let ticks = ticks(&transform, range);
        let labels: Vec<&str> = ticks.iter().map(|t| t.1.as_str()).collect();
        assert_eq!(labels, ["0.01", "0.1", "1", "10", "100"]);
        for (y, label) in &ticks {
            let value: f32 = label.parse().unwrap();
            assert!((transform.inverse(*y) / value - 1.0).abs() < 1e-3);
        }
    }

    #[test]
    fn a_box_has_twelve_edges() {
        assert_eq!(edges(Vec3::ZERO, Vec3::ONE).len(), 12);
    }
}

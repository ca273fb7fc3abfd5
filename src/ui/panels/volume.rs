//! The volume in perspective.

use egui::accesskit::Role;
use egui::{Align2, CursorIcon, Key, Modifiers, PointerButton, Pos2, Rect, Response, Sense, Stroke, Ui, WidgetInfo};
use glam::{Vec2, Vec3};

use super::axes::NAMES;
use super::{axes, canvas, ink};
use crate::render::{Line, Pace, VolumeLook, VolumeMode, crossing};
use crate::ui::app::HalodiApp;
use crate::ui::subject::{FieldId, Source};
use crate::ui::talk::presentation::Presentation;
use crate::ui::theme;
use crate::ui::view_state::Compare;
use crate::ui::workspace::Pane;

/// How fast keys that are held turn the volume, radians a second; and move it, points a second.
const TURN: f32 = 1.5;
const MOVE: f32 = 300.0;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::click_and_drag());
    name(app, ui, &response);
    app.canvases.push(response.id);
    let Some(n) = app.shown_n() else {
        let text = match (app.job.is_some(), app.subject.has(app.view.layer)) {
            (_, true) => "A coarser view is on its way…",
            (true, _) => "Reading…",
            _ => "This layer is made by Run.",
        };
        ui.painter().rect_filled(rect, 0.0, theme::CANVAS);
        ink(&ui.painter_at(rect), rect.center(), Align2::CENTER_CENTER, text, 16.0, theme::FAINT);
        return;
    };
    steer(app, ui, rect, &response);
    let complete = app.on_paper || app.presentation.as_ref().is_some_and(Presentation::is_held);
    for (index, part) in canvas::pictures(app, rect).into_iter().enumerate() {
        picture(app, ui, part, index, complete);
        overlay(app, ui, part, index);
        if app.presents() {
            continue;
        }
        plane_knobs(app, ui, part, index, n);
        if app.view.handles {
            handles(app, ui, part, index, n);
        }
    }
    if app.subject.comparing(&app.view) == Compare::Swipe {
        swipe_line(app, ui, rect, "volume");
    }
}

/// Whether the volume shows the plane across an axis.
fn shows_plane(app: &HalodiApp, axis: usize) -> bool {
    app.view.planes[axis] || (app.view.mode == VolumeMode::Planes && app.view.planes == [false; 3])
}

/// What is dragged along an axis of the box.
struct Grip<'a> {
    name: &'a str,
    axis: usize,
    /// Where it is, in the unit cube.
    at: Vec3,
    /// Points across.
    size: f32,
}

impl Grip<'_> {
    /// Let it be dragged, or moved by arrow keys a voxel of the `n³` at a time, in the picture
    /// `index` in `rect`; where it is on the screen, and by how many box sides it was moved. `None`
    /// where it cannot be seen.
    fn show(&self, app: &HalodiApp, ui: &Ui, rect: Rect, index: usize, n: usize) -> Option<(Pos2, Response, f32)> {
        let camera = &app.view.camera;
        let mut beyond = self.at;
        beyond[self.axis] += 0.1;
        let at = canvas::place(camera, rect, self.at)?;
        let along = canvas::place(camera, rect, beyond)? - at;
        let place = Rect::from_center_size(at, egui::Vec2::splat(self.size));
        let response = ui.interact(place, ui.scope_id().with((self.name, index)), Sense::drag());
        response.widget_info(|| WidgetInfo::slider(true, f64::from(self.at[self.axis]), self.name));
        let mut moved = canvas::nudged(ui, &response) / n as f32;
        if response.dragged() {
            moved += response.drag_delta().dot(along) / along.length_sq().max(1.0) * 0.1;
        }
        Some((at, response, moved))
    }
}

fn is_active(response: &Response) -> bool {
    response.hovered() || response.dragged() || response.has_focus()
}

/// A knob on a corner of every plane on show, the one nearest to the eye; it moves the plane
/// along its normal.
fn plane_knobs(app: &mut HalodiApp, ui: &Ui, rect: Rect, index: usize, n: usize) {
    let eye = app.view.camera.eye();
    for axis in (0..3).filter(|&axis| shows_plane(app, axis)).collect::<Vec<_>>() {
        let clip = app.view.clip;
        let mut corner = Vec3::ZERO;
        for i in 0..3 {
            corner[i] = clip[usize::from(eye[i] > 0.5)][i];
        }
        corner[axis] = app.view.crosshair[axis].clamp(clip[0][axis], clip[1][axis]);
        let name = format!("Plane across {}", NAMES[axis]);
        let grip = Grip { name: &name, axis, at: corner, size: 18.0 };
        let Some((at, response, moved)) = grip.show(app, ui, rect, index, n) else { continue };
        if moved != 0.0 {
            // The box is open at its far end.
            let last = (clip[1][axis] - 1e-4).max(clip[0][axis]);
            app.view.crosshair[axis] = (app.view.crosshair[axis] + moved).clamp(clip[0][axis], last);
        }
        let side = if is_active(&response) { 6.5 } else { 5.0 };
        let diamond = [egui::vec2(0.0, -side), egui::vec2(side, 0.0), egui::vec2(0.0, side), egui::vec2(-side, 0.0)];
        ui.painter_at(rect).add(egui::Shape::convex_polygon(
            diamond.map(|d| at + d).to_vec(),
            theme::AXES[axis],
            Stroke::new(1.5, theme::CANVAS),
        ));
        response.on_hover_cursor(CursorIcon::Grab).on_hover_text(format!("{name}: drag along its normal"));
    }
}

/// Handles of the part of the box that is shown: one on each face, which moves it along its normal,
/// and for each axis along which something is cut away one on an edge that the eye sees, which moves
/// both faces together.
fn handles(app: &mut HalodiApp, ui: &Ui, rect: Rect, index: usize, n: usize) {
    let eye = app.view.camera.eye();
    for axis in 0..3 {
        for side in 0..2 {
            let [low, high] = app.view.clip.map(Vec3::from_array);
            let mut face = (low + high) * 0.5;
            face[axis] = app.view.clip[side][axis];
            let name = format!("{} {}", NAMES[axis], ["from", "to"][side]);
            let grip = Grip { name: &name, axis, at: face, size: 16.0 };
            let Some((at, response, moved)) = grip.show(app, ui, rect, index, n) else { continue };
            if moved != 0.0 {
                app.view.move_face(side, axis, app.view.clip[side][axis] + moved);
            }
            let radius = if is_active(&response) { 7.0 } else { 5.5 };
            ui.painter_at(rect).circle(at, radius, theme::AXES[axis], Stroke::new(1.5, theme::CANVAS));
            response.on_hover_cursor(CursorIcon::Grab).on_hover_text(name);
        }
        let [low, high] = app.view.clip.map(Vec3::from_array);
        if low[axis] <= 0.0 && high[axis] >= 1.0 {
            continue;
        }
        let mut edge = Vec3::select(eye.cmpgt(Vec3::splat(0.5)), high, low);
        edge[axis] = 0.5 * (low[axis] + high[axis]);
        // The nearest edge has the knob of the plane.
        let beside = (axis + 1) % 3;
        edge[beside] = if edge[beside] == low[beside] { high[beside] } else { low[beside] };
        let name = format!("{} slab", NAMES[axis]);
        let grip = Grip { name: &name, axis, at: edge, size: 18.0 };
        let Some((at, response, moved)) = grip.show(app, ui, rect, index, n) else { continue };
        if moved != 0.0 {
            app.view.move_slab(axis, moved);
        }
        let side = if is_active(&response) { 12.0 } else { 9.0 };
        let square = Rect::from_center_size(at, egui::Vec2::splat(side));
        let stroke = Stroke::new(1.5, theme::CANVAS);
        ui.painter_at(rect).rect(square, 2.0, theme::AXES[axis], stroke, egui::StrokeKind::Outside);
        response.on_hover_cursor(CursorIcon::Grab).on_hover_text(format!("{name}: moves both faces"));
    }
}

fn name(app: &HalodiApp, ui: &Ui, response: &Response) {
    let what = app.shown.as_ref().map_or_else(|| "nothing".to_owned(), |(shown, _)| shown.name.clone());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Volume"));
    let camera = app.view.camera;
    let value = format!(
        "{what}, {}, seen from {:.0}° around and {:.0}° up",
        app.view.mode.name().to_lowercase(),
        camera.yaw.to_degrees(),
        camera.pitch.to_degrees()
    );
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_value(value));
}

/// Mouse and keys.
fn steer(app: &mut HalodiApp, ui: &Ui, rect: Rect, response: &Response) {
    let pictures = canvas::pictures(app, rect);
    let index = canvas::steered(ui, &pictures, response);
    let part = pictures[index];
    let size = Vec2::new(part.width(), part.height());
    let aspect = size.x / size.y;
    let shift = ui.input(|i| i.modifiers.shift);
    let delta = response.drag_delta();
    let delta = Vec2::new(delta.x, delta.y);
    if response.dragged_by(PointerButton::Middle) || (response.dragged_by(PointerButton::Primary) && shift) {
        app.view.camera.pan(delta, size);
    } else if response.dragged_by(PointerButton::Primary) {
        app.view.camera.orbit(delta);
    } else if response.dragged_by(PointerButton::Secondary) {
        window_level(app, delta, part);
    }
    if response.double_clicked() && !app.presents() {
        app.workspace.toggle_maximised(Pane::Volume);
    }
    let at = |p: Pos2| Vec2::new((p.x - part.left()) / size.x, (p.y - part.top()) / size.y);
    if response.hovered() {
        let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta(), i.zoom_delta()));
        let factor = ((scroll.x + scroll.y) * 0.002).exp() * pinch;
        if (factor - 1.0).abs() > 1e-4
            && let Some(p) = response.hover_pos()
        {
            let at = at(p);
            app.view.camera.zoom(factor, Vec2::new(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0), aspect);
        }
    }
    if response.secondary_clicked()
        && let Some(p) = response.interact_pointer_pos()
        && let Some(field) = seen_at(app, index, at(p).x)
    {
        let [origin, direction] = app.view.camera.ray(at(p), aspect);
        if let Some(ends) = crossing([origin, direction], app.view.clip) {
            app.look_for_brightest(field, Some(ends.map(|far| (origin + direction * far).to_array())));
        }
    }
    if response.clicked() {
        response.request_focus();
    }
    if canvas::takes_keys(ui, response) {
        keys(app, ui, size);
    }
    canvas::keep_arrows(ui, response);
    if response.has_focus() && !app.presents() {
        ui.painter().rect_stroke(rect.shrink(1.0), 0.0, Stroke::new(1.0, theme::ACTIVE), egui::StrokeKind::Inside);
    }
}

/// Keys that are held turn the volume, with Shift they move it; plus and minus make it larger and
/// smaller.
fn keys(app: &mut HalodiApp, ui: &Ui, size: Vec2) {
    let (turn, shift, seconds) = ui.input(|i| {
        let with = i.modifiers.is_none() || i.modifiers.matches_exact(Modifiers::SHIFT);
        let held = |key: Key| f32::from(u8::from(with && (i.key_down(key) || i.key_pressed(key))));
        let turn = Vec2::new(held(Key::ArrowLeft) - held(Key::ArrowRight), held(Key::ArrowUp) - held(Key::ArrowDown));
        (turn, i.modifiers.shift, i.stable_dt.min(0.1))
    });
    if turn != Vec2::ZERO {
        match shift {
            true => app.view.camera.pan(turn * MOVE * seconds, size),
            false => app.view.camera.turn(turn * TURN * seconds),
        }
        ui.ctx().request_repaint();
    }
    let larger = canvas::enlarged(ui);
    if larger != 0 {
        app.view.camera.zoom(1.2f32.powi(larger as i32), Vec2::ZERO, size.x / size.y);
    }
}

/// Right-drag: along, the range moves; up, it narrows.
fn window_level(app: &mut HalodiApp, delta: Vec2, rect: Rect) {
    let Some((shown, _)) = &app.shown else { return };
    let quantity = shown.quantity;
    let scale = app.view.scale(quantity);
    let (shift, narrow) = (-delta.x / rect.width(), -delta.y / rect.height());
    let [low, high] = if scale.map.is_diverging() {
        let most = scale.value(1.0 + narrow).max(1e-9);
        [-most, most]
    } else {
        [scale.value(shift - narrow), scale.value(1.0 + shift + narrow)]
    };
    app.view.scales.insert(quantity, scale.with_ends(low, high));
}

/// The field that the picture `index` shows at a fraction of its width.
fn seen_at(app: &HalodiApp, index: usize, across: f32) -> Option<&Source> {
    let (shown, compared) = app.shown.as_ref()?;
    let second = match app.subject.comparing(&app.view) {
        Compare::Swipe => across > app.view.swipe,
        _ => canvas::shows_second(app, index),
    };
    Some(compared.as_ref().filter(|_| second).unwrap_or(shown))
}

/// What is looked at on the canvas `index` of those side by side.
fn look(app: &HalodiApp, index: usize) -> Option<VolumeLook> {
    let (shown, _) = app.shown.as_ref()?;
    let quantity = shown.quantity;
    let opacity = app.view.opacity(quantity);
    let planes_alone = app.view.mode == VolumeMode::Planes && app.view.planes == [false; 3];
    let plane = |on: bool| if on || planes_alone { app.view.plane_opacity } else { 0.0 };
    Some(VolumeLook {
        camera: app.view.camera,
        mode: app.view.mode,
        planes: app.view.crosshair,
        plane_opacity: app.view.planes.map(plane),
        level: opacity.low.max(0.02),
        gain: opacity.gain,
        clip: app.view.clip,
        swipe: canvas::turns(app, index),
        diverging: app.view.scale(quantity).map.is_diverging(),
    })
}

/// The picture itself, with its lines; `complete` draws it in full quality at once.
pub fn picture(app: &mut HalodiApp, ui: &Ui, rect: Rect, index: usize, complete: bool) {
    let Some(look) = look(app, index) else { return };
    let points = ui.ctx().pixels_per_point();
    let size = [rect.width(), rect.height()].map(|v| (v * points).round().max(0.0) as u32);
    let picture = if complete {
        app.drawing.plan(&look, size)
    } else {
        let pace = Pace { software: app.drawing.is_software(), busy: app.job.is_some() };
        // Each field has a picture of its own, which is as fine as it was when it comes back.
        let which = usize::from(canvas::shows_second(app, index));
        app.drawing.march(which, &look, size, pace).map(|(picture, again)| {
            if let Some(after) = again {
                ui.ctx().request_repaint_after(after);
            }
            picture
        })
    };
    let Some(picture) = picture else { return };
    let lines = lines(app, points);
    let aspect = size[0] as f32 / size[1] as f32;
    let presented = app.drawing.present.present(&picture, size, look.camera.world_to_clip(aspect), &lines);
    ui.painter().add(egui_wgpu::Callback::new_paint_callback(rect, presented));
}

/// Box, planes, crosshair, tiles at work, region, line and pins.
fn lines(app: &HalodiApp, points: f32) -> Vec<Line> {
    let view = &app.view;
    let clip = view.clip.map(Vec3::from_array);
    let color = |c, opacity| theme::line_color(c, opacity);
    let mut lines: Vec<Line> = Line::cuboid(Vec3::ZERO, Vec3::ONE, points, color(theme::FAINT, 0.55), 0.35).collect();
    if view.clip != [[0.0; 3], [1.0; 3]] {
        lines.extend(Line::cuboid(clip[0], clip[1], 1.3 * points, color(theme::INK, 0.8), 0.3));
    }
    for axis in 0..3 {
        if shows_plane(app, axis) {
            let at = view.crosshair[axis].clamp(view.clip[0][axis], view.clip[1][axis]);
            let [mut low, mut high] = clip;
            (low[axis], high[axis]) = (at, at);
            let outline = Line::cuboid(low, high, 1.4 * points, color(theme::AXES[axis], 0.9), 0.25);
            // A flat box has edges of no length.
            lines.extend(outline.filter(|l| l.ends[0].distance(l.ends[1]) > 1e-6));
        }
    }
    if view.cross && !app.presents() {
        for axis in 0..3 {
            let mut ends = [Vec3::from(view.crosshair); 2];
            (ends[0][axis], ends[1][axis]) = (0.0, 1.0);
            lines.push(Line { ends, width: points, color: color(theme::AXES[axis], 0.8), hidden: 0.3 });
        }
    }
    lines.extend(crate::ui::faces::in_volume(app, points));
    if view.tiles
        && let Some((shown, _)) = &app.shown
        && matches!(shown.id, FieldId::Layer(_))
    {
        let n = shown.n() as f32;
        for tile in app.subject.job.active.iter() {
            let low = tile.origin.map(|v| v as f32 / n);
            for (low, high) in pieces(low, [0, 1, 2].map(|i| low[i] + tile.size[i] as f32 / n)) {
                lines.extend(Line::cuboid(low, high, 1.8 * points, color(theme::ACTIVE, 1.0), 0.45));
            }
        }
    }
    if let Some([low, high]) = view.region {
        for (low, high) in pieces(low, high) {
            lines.extend(Line::cuboid(low, high, 1.5 * points, color(theme::INK, 1.0), 0.4));
        }
    }
    if let Some(ends) = view.line {
        let line = |ends| Line { ends, width: 2.0 * points, color: color(theme::INK, 1.0), hidden: 0.4 };
        lines.extend(line_pieces(ends).into_iter().map(line));
    }
    for pin in &view.pins {
        for axis in 0..3 {
            let mut arm = Vec3::ZERO;
            arm[axis] = 0.03;
            let at = Vec3::from_array(*pin);
            let ends = [at - arm, at + arm];
            lines.push(Line { ends, width: 2.0 * points, color: color(theme::ACTIVE, 1.0), hidden: 0.6 });
        }
    }
    lines
}

/// Where a span along one axis is cut by the faces of the periodic box, and by how many boxes each
/// part is to be moved to lie in it.
fn cuts(low: f32, high: f32) -> Vec<(f32, f32)> {
    let (first, last) = (low.floor(), high.ceil().max(low.floor() + 1.0));
    (first as i32..last as i32)
        .map(|boxes| boxes as f32)
        .map(|boxes| ((low - boxes).max(0.0), (high - boxes).min(1.0)))
        .collect()
}

/// The parts in the box of a cuboid that goes on over its faces.
fn pieces(low: [f32; 3], high: [f32; 3]) -> Vec<(Vec3, Vec3)> {
    let spans = [0, 1, 2].map(|i| cuts(low[i], high[i]));
    let mut pieces = Vec::new();
    for x in &spans[0] {
        for y in &spans[1] {
            for z in &spans[2] {
                pieces.push((Vec3::new(x.0, y.0, z.0), Vec3::new(x.1, y.1, z.1)));
            }
        }
    }
    pieces
}

/// The parts in the box of a straight line that goes on over its faces.
fn line_pieces([a, b]: [[f32; 3]; 2]) -> Vec<[Vec3; 2]> {
    let [a, b] = [Vec3::from(a), Vec3::from(b)];
    // Where it crosses faces, as shares of its length.
    let mut at = vec![0.0, 1.0];
    for i in 0..3 {
        let (low, high) = (a[i].min(b[i]), a[i].max(b[i]));
        let faces = (low.floor() as i32 + 1)..high.ceil() as i32;
        at.extend(faces.map(|face| (face as f32 - a[i]) / (b[i] - a[i])));
    }
    at.sort_by(f32::total_cmp);
    at.windows(2)
        .filter(|ends| ends[1] > ends[0])
        .map(|ends| {
            let boxes = a.lerp(b, 0.5 * (ends[0] + ends[1])).floor();
            [a.lerp(b, ends[0]) - boxes, a.lerp(b, ends[1]) - boxes]
        })
        .collect()
}

/// What is written over the picture `index`.
fn overlay(app: &HalodiApp, ui: &Ui, part: Rect, index: usize) {
    let size = app.subject.opened().map_or(1.0, |o| o.box_size);
    let painter = ui.painter_at(part);
    axes::box_axes(&painter, part, &app.view.camera, size);
    names(app, &painter, part, index, 14.0);
    if app.on_paper && app.view.camera.orthographic {
        let height = app.view.camera.height(part.width() / part.height());
        axes::scale_bar(&painter, part, f64::from(height) * size / f64::from(part.height()));
    }
}

/// What the fields in the picture `index` are called, in its upper corners, in type of `size` points.
pub fn names(app: &HalodiApp, painter: &egui::Painter, part: Rect, index: usize, size: f32) {
    let Some((_, compared)) = &app.shown else { return };
    let swipe = app.subject.comparing(&app.view) == Compare::Swipe && compared.is_some();
    // Neither is written over the other.
    let (left, right) = if swipe { part.split_left_right_at_fraction(0.5) } else { (part, part) };
    if let Some(field) = seen_at(app, index, 0.0) {
        let painter = painter.with_clip_rect(left);
        ink(&painter, part.left_top() + egui::vec2(10.0, 8.0), Align2::LEFT_TOP, &field.name, size, theme::INK);
    }
    if let Some(other) = compared.as_ref().filter(|_| swipe) {
        let (painter, at) = (painter.with_clip_rect(right), part.right_top() + egui::vec2(-10.0, 8.0));
        ink(&painter, at, Align2::RIGHT_TOP, &other.name, size, theme::INK);
    }
}

/// The line between the two fields of a swipe, and its handle.
pub fn swipe_line(app: &mut HalodiApp, ui: &Ui, rect: Rect, id: &str) {
    let x = rect.left() + app.view.swipe * rect.width();
    let line = Rect::from_x_y_ranges(x - 6.0..=x + 6.0, rect.y_range());
    let response = ui.interact(line, ui.scope_id().with(("swipe", id)), Sense::drag());
    response.widget_info(|| WidgetInfo::slider(true, f64::from(app.view.swipe), "Swipe line"));
    if response.dragged() {
        app.view.swipe = (app.view.swipe + response.drag_delta().x / rect.width()).clamp(0.02, 0.98);
    }
    let nudged = canvas::nudged(ui, &response);
    if nudged != 0.0 {
        app.view.swipe = (app.view.swipe + 0.02 * nudged).clamp(0.02, 0.98);
    }
    let color = if is_active(&response) { theme::ACTIVE } else { theme::INK };
    let painter = ui.painter_at(rect);
    painter.vline(x, rect.y_range(), Stroke::new(1.5, color));
    if !app.presents() {
        painter.circle_filled(egui::pos2(x, rect.center().y), 6.0, color);
        painter.circle_stroke(egui::pos2(x, rect.center().y), 6.0, Stroke::new(1.0, theme::CANVAS));
    }
    response.on_hover_cursor(CursorIcon::ResizeHorizontal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_over_the_corner_comes_in_eight_pieces_of_its_volume() {
        let pieces = pieces([0.75; 3], [1.25; 3]);
        assert_eq!(pieces.len(), 8);
        let volume: f32 = pieces.iter().map(|(a, b)| (b - a).element_product()).sum();
        assert!((volume - 0.125).abs() < 1e-6);
        assert_eq!(super::pieces([0.5; 3], [1.0; 3]), [(Vec3::splat(0.5), Vec3::ONE)]);
    }

    #[test]
    fn a_line_over_faces_is_drawn_in_the_box_at_its_whole_length() {
        let whole = line_pieces([[0.2, 0.3, 0.4], [0.8, 0.3, 0.4]]);
        assert_eq!(whole.len(), 1);
        let pieces = line_pieces([[0.8, 0.5, 0.9], [1.4, 0.5, -0.3]]);
        assert_eq!(pieces.len(), 3);
        let inside = |p: Vec3| p.min_element() > -1e-5 && p.max_element() < 1.0 + 1e-5;
        assert!(pieces.iter().flatten().all(|p| inside(*p)), "{pieces:?}");
        let length: f32 = pieces.iter().map(|[a, b]| a.distance(*b)).sum();
        assert!((length - Vec3::new(0.6, 0.0, 1.2).length()).abs() < 1e-5);
    }
}

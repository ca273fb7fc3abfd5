//! The volume in perspective.

use egui::accesskit::Role;
use egui::{Align2, CursorIcon, Key, PointerButton, Rect, Response, Sense, Stroke, Ui, WidgetInfo};
use glam::{Vec2, Vec3};

use super::{axes, ink};
use crate::field::TileBox;
use crate::render::{Line, Pace, VolumeLook, VolumeMode};
use crate::ui::app::HalodiApp;
use crate::ui::subject::FieldId;
use crate::ui::talk::presentation::Presentation;
use crate::ui::theme;
use crate::ui::view_state::Compare;
use crate::ui::workspace::Pane;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::click_and_drag());
    name(app, ui, &response);
    app.canvases.push(response.id);
    let Some((shown, _)) = app.shown.clone() else {
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
    let side_by_side = app.subject.comparing(&app.view) == Compare::SideBySide;
    let canvases = if side_by_side {
        let (left, right) = rect.split_left_right_at_fraction(0.5);
        vec![left.with_max_x(left.right() - 1.0), right.with_min_x(right.left() + 1.0)]
    } else {
        vec![rect]
    };
    for (index, canvas) in canvases.iter().enumerate() {
        picture(app, ui, *canvas, index, complete);
    }
    overlay(app, ui, &canvases, shown.n());
    if !app.presents() {
        plane_knobs(app, ui, canvases[0]);
    }
    if app.view.handles && !app.presents() {
        handles(app, ui, canvases[0]);
    }
    if app.subject.comparing(&app.view) == Compare::Swipe {
        swipe_line(app, ui, rect, "volume");
    }
}

/// Whether the volume shows the plane across an axis.
fn shows_plane(app: &HalodiApp, axis: usize) -> bool {
    app.view.planes[axis] || (app.view.mode == VolumeMode::Planes && app.view.planes == [false; 3])
}

/// A knob on a corner of every plane on show, the one nearest to the eye; it moves the plane
/// along its normal.
fn plane_knobs(app: &mut HalodiApp, ui: &Ui, rect: Rect) {
    let camera = app.view.camera;
    let aspect = rect.width() / rect.height();
    let place = |p: Vec3| {
        let at = camera.project(p, aspect)?;
        Some(rect.min + egui::vec2(at.x * rect.width(), at.y * rect.height()))
    };
    let eye = camera.eye();
    for axis in (0..3).filter(|&axis| shows_plane(app, axis)).collect::<Vec<_>>() {
        let clip = app.view.clip;
        let mut corner = Vec3::ZERO;
        for i in 0..3 {
            corner[i] = clip[usize::from(eye[i] > 0.5)][i];
        }
        corner[axis] = app.view.crosshair[axis].clamp(clip[0][axis], clip[1][axis]);
        let mut beyond = corner;
        beyond[axis] += 0.1;
        let (Some(at), Some(further)) = (place(corner), place(beyond)) else { continue };
        let name = format!("Plane across {}", ["x", "y", "z"][axis]);
        let grip = Rect::from_center_size(at, egui::Vec2::splat(18.0));
        let response = ui.interact(grip, ui.scope_id().with(("plane", axis)), Sense::drag());
        response.widget_info(|| WidgetInfo::slider(true, f64::from(app.view.crosshair[axis]), &name));
        if response.dragged() {
            let along = further - at;
            let moved = response.drag_delta().dot(along) / along.length_sq().max(1.0) * 0.1;
            app.view.crosshair[axis] = (app.view.crosshair[axis] + moved).clamp(clip[0][axis], clip[1][axis] - 1e-4);
        }
        let active = response.hovered() || response.dragged();
        let side = if active { 6.5 } else { 5.0 };
        let diamond = [egui::vec2(0.0, -side), egui::vec2(side, 0.0), egui::vec2(0.0, side), egui::vec2(-side, 0.0)];
        ui.painter_at(rect).add(egui::Shape::convex_polygon(
            diamond.map(|d| at + d).to_vec(),
            theme::AXES[axis],
            Stroke::new(1.5, theme::CANVAS),
        ));
        response.on_hover_cursor(CursorIcon::Grab).on_hover_text(format!("{name}: drag along its normal"));
    }
}

/// Handles on the faces of the part of the box that is shown; each moves its face along
/// its normal.
fn handles(app: &mut HalodiApp, ui: &Ui, rect: Rect) {
    let camera = app.view.camera;
    let aspect = rect.width() / rect.height();
    let place = |p: Vec3| {
        let at = camera.project(p, aspect)?;
        Some(rect.min + egui::vec2(at.x * rect.width(), at.y * rect.height()))
    };
    for axis in 0..3 {
        for side in 0..2 {
            let mut face = (Vec3::from_array(app.view.clip[0]) + Vec3::from_array(app.view.clip[1])) * 0.5;
            face[axis] = app.view.clip[side][axis];
            let mut beyond = face;
            beyond[axis] += 0.1;
            let (Some(at), Some(further)) = (place(face), place(beyond)) else { continue };
            let name = format!("{} {}", ["x", "y", "z"][axis], ["from", "to"][side]);
            let grip = Rect::from_center_size(at, egui::Vec2::splat(16.0));
            let response = ui.interact(grip, ui.scope_id().with(("clip", axis, side)), Sense::drag());
            response.widget_info(|| WidgetInfo::slider(true, f64::from(app.view.clip[side][axis]), &name));
            if response.dragged() {
                let along = further - at;
                let moved = response.drag_delta().dot(along) / along.length_sq().max(1.0) * 0.1;
                let value = app.view.clip[side][axis] + moved;
                app.view.clip[side][axis] = match side {
                    0 => value.clamp(0.0, app.view.clip[1][axis] - 0.02),
                    _ => value.clamp(app.view.clip[0][axis] + 0.02, 1.0),
                };
            }
            let active = response.hovered() || response.dragged() || response.has_focus();
            let painter = ui.painter_at(rect);
            painter.circle(at, if active { 7.0 } else { 5.5 }, theme::AXES[axis], Stroke::new(1.5, theme::CANVAS));
            response.on_hover_cursor(CursorIcon::Grab).on_hover_text(name);
        }
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
    let shift = ui.input(|i| i.modifiers.shift);
    let delta = response.drag_delta();
    let delta = Vec2::new(delta.x, delta.y);
    if response.dragged_by(PointerButton::Middle) || (response.dragged_by(PointerButton::Primary) && shift) {
        app.view.camera.pan(delta, rect.height());
    } else if response.dragged_by(PointerButton::Primary) {
        app.view.camera.orbit(delta);
    } else if response.dragged_by(PointerButton::Secondary) {
        window_level(app, delta, rect);
    }
    if response.double_clicked() && !app.presents() {
        app.workspace.toggle_maximised(Pane::Volume);
    }
    let at = |p: egui::Pos2| Vec2::new((p.x - rect.left()) / rect.width(), (p.y - rect.top()) / rect.height());
    let aspect = rect.width() / rect.height();
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
        && let Some(place) = brightest(app, app.view.camera.ray(at(p), aspect))
    {
        app.view.crosshair = place;
        app.probe = place;
    }
    if response.clicked() {
        response.request_focus();
    }
    if response.hovered() || response.has_focus() {
        let turn = ui.input(|i| {
            let held = |key: Key| f32::from(u8::from(i.key_down(key) && i.modifiers.is_none()));
            Vec2::new(held(Key::ArrowLeft) - held(Key::ArrowRight), held(Key::ArrowUp) - held(Key::ArrowDown))
        });
        if turn != Vec2::ZERO {
            app.view.camera.orbit(turn * 6.0);
            ui.ctx().request_repaint();
        }
    }
    if response.has_focus() {
        // Arrows turn the box instead of moving the focus.
        let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(response.id, filter));
    }
    if response.has_focus() && !app.presents() {
        ui.painter().rect_stroke(rect.shrink(1.0), 0.0, Stroke::new(1.0, theme::ACTIVE), egui::StrokeKind::Inside);
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

/// The place of the strongest value on a line of sight, within the shown part of the box.
fn brightest(app: &HalodiApp, [origin, direction]: [Vec3; 2]) -> Option<[f32; 3]> {
    let (shown, _) = app.shown.as_ref()?;
    let grid = shown.host()?;
    let n = grid.n();
    let [low, high] = app.view.clip;
    let mut best: Option<(f32, Vec3)> = None;
    for step in 0..(8 * n) {
        let p = origin + direction * (step as f32 * 0.5 / n as f32 * 1.6);
        if (0..3).all(|i| (low[i]..high[i]).contains(&p[i])) {
            let value = grid.values[[0, 1, 2].map(|i| ((p[i] * n as f32) as usize).min(n - 1))];
            if best.is_none_or(|(most, _)| value > most) {
                best = Some((value, p));
            }
        }
    }
    let (_, p) = best?;
    Some([0, 1, 2].map(|i| (((p[i] * n as f32).floor()) + 0.5) / n as f32))
}

/// What is looked at on the canvas `index` of those side by side.
fn look(app: &HalodiApp, index: usize) -> Option<VolumeLook> {
    let (shown, _) = app.shown.as_ref()?;
    let quantity = shown.quantity;
    let opacity = app.view.opacity(quantity);
    let swipe = match (app.subject.comparing(&app.view), index) {
        (Compare::Swipe, _) => app.view.swipe,
        (Compare::SideBySide, 1) => -1.0,
        _ => 2.0,
    };
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
        swipe,
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
        app.drawing.march(index, &look, size, pace).map(|(picture, again)| {
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

/// Box, planes, tiles at work, region, line and pins.
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
    lines.extend(crate::ui::faces::in_volume(app, points));
    if view.tiles
        && let Some((shown, _)) = &app.shown
        && matches!(shown.id, FieldId::Layer(_))
    {
        let n = shown.n();
        for tile in app.subject.job.active.iter() {
            for (low, high) in pieces(*tile, n) {
                lines.extend(Line::cuboid(low, high, 1.8 * points, color(theme::ACTIVE, 1.0), 0.45));
            }
        }
    }
    if let Some([low, high]) = view.region {
        lines.extend(Line::cuboid(low.into(), high.into(), 1.5 * points, color(theme::INK, 1.0), 0.4));
    }
    if let Some([a, b]) = view.line {
        let ends = [Vec3::from_array(a), Vec3::from_array(b)];
        lines.push(Line { ends, width: 2.0 * points, color: color(theme::INK, 1.0), hidden: 0.4 });
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

/// The parts of a tile inside the box: one that reaches over faces comes in several.
pub fn pieces(tile: TileBox, n: usize) -> Vec<(Vec3, Vec3)> {
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

fn overlay(app: &HalodiApp, ui: &Ui, canvases: &[Rect], _: usize) {
    let size = app.subject.opened().map_or(1.0, |o| o.box_size);
    for (index, canvas) in canvases.iter().enumerate() {
        let painter = ui.painter_at(*canvas);
        axes::box_axes(&painter, *canvas, &app.view.camera, size);
        names(app, &painter, *canvas, index);
        if app.on_paper && app.view.camera.orthographic {
            let height = 2.0 * app.view.camera.distance * (0.5f32 * 0.75).tan();
            axes::scale_bar(&painter, *canvas, f64::from(height) * size / f64::from(canvas.height()));
        }
    }
}

/// What the pictures on a canvas are called, in its upper corners.
pub fn names(app: &HalodiApp, painter: &egui::Painter, canvas: Rect, index: usize) {
    let Some((shown, compared)) = &app.shown else { return };
    let way = app.subject.comparing(&app.view);
    let left = match (way, index, compared) {
        (Compare::SideBySide, 1, Some(other)) => other,
        _ => shown,
    };
    ink(painter, canvas.left_top() + egui::vec2(10.0, 8.0), Align2::LEFT_TOP, &left.name, 14.0, theme::INK);
    if way == Compare::Swipe
        && let Some(other) = compared
    {
        let at = canvas.right_top() + egui::vec2(-10.0, 8.0);
        ink(painter, at, Align2::RIGHT_TOP, &other.name, 14.0, theme::INK);
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
    let color = if response.hovered() || response.dragged() { theme::ACTIVE } else { theme::INK };
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
        let tile = TileBox { origin: [24, 24, 24], size: [16; 3] };
        let pieces = pieces(tile, 32);
        assert_eq!(pieces.len(), 8);
        let volume: f32 = pieces.iter().map(|(a, b)| (b - a).element_product()).sum();
        assert!((volume - 0.125).abs() < 1e-6);
    }
}

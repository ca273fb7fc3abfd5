//! A flat view across an axis, linked to the others by the crosshair.

use egui::accesskit::Role;
use egui::{Align2, CursorIcon, Event, Key, Pos2, Rect, Response, Sense, Stroke, Ui, WidgetInfo};

use super::{axes, ink, volume};
use crate::render::{SLICE_AXES, SliceLook};
use crate::ui::app::HalodiApp;
use crate::ui::icons::{self, Icon};
use crate::ui::subject::FieldId;
use crate::ui::theme;
use crate::ui::view_state::{Compare, SliceView};
use crate::ui::workspace::Pane;

const NAMES: [&str; 3] = ["x", "y", "z"];

/// The panel's title: its plane, and where it cuts.
pub fn title(app: &HalodiApp, axis: usize) -> String {
    let [right, up] = SLICE_AXES[axis];
    match app.subject.opened() {
        Some(opened) => format!(
            "{}{}   {} = {:.2}",
            NAMES[right],
            NAMES[up],
            NAMES[axis],
            f64::from(app.view.crosshair[axis]) * opened.box_size
        ),
        None => format!("{}{}", NAMES[right], NAMES[up]),
    }
}

/// Buttons of the panel's bar, from the right.
pub fn buttons(app: &mut HalodiApp, ui: &mut Ui, axis: usize) {
    let playing = app.playing && app.slice_axis == axis;
    let icon = if playing { Icon::Pause } else { Icon::Play };
    let response = icons::button(ui, icon, &format!("Play along {}", NAMES[axis]), true);
    if response.on_hover_text("Play through the slices (K)").clicked() {
        app.playing = !playing;
        app.slice_axis = axis;
    }
    let settings = icons::button(ui, Icon::Settings, &format!("Slice settings {}", NAMES[axis]), true);
    egui::Popup::menu(&settings).close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside).show(|ui| {
        ui.set_min_width(230.0);
        let most = app.shown_n().unwrap_or(1);
        ui.add(egui::Slider::new(&mut app.view.thickness, 1..=most).logarithmic(true).text("Voxels thick"))
            .on_hover_text("Slices of several voxels show their mean or their maximum");
        ui.horizontal(|ui| {
            ui.selectable_value(&mut app.view.maximum, false, "mean");
            ui.selectable_value(&mut app.view.maximum, true, "maximum");
        });
        ui.checkbox(&mut app.view.smooth, "Interpolate between voxels (I)");
        ui.toggle_value(&mut app.view.planes[axis], "Show this plane in the volume");
        if ui.button("Whole box").clicked() {
            app.view.slices[axis] = SliceView::default();
        }
    });
}

/// From a canvas to the box and back.
#[derive(Clone, Copy)]
struct Frame {
    rect: Rect,
    /// Left, bottom, right, top in box sides.
    extent: [f32; 4],
}

impl Frame {
    fn new(rect: Rect, view: SliceView) -> Self {
        let side = rect.width().min(rect.height()).max(1.0);
        let half = [rect.width(), rect.height()].map(|v| 0.5 * v / side / view.zoom);
        let [x, y] = view.middle;
        Self { rect, extent: [x - half[0], y - half[1], x + half[0], y + half[1]] }
    }

    fn to_box(self, p: Pos2) -> [f32; 2] {
        let [left, bottom, right, top] = self.extent;
        let t = (p - self.rect.min) / self.rect.size();
        [left + t.x * (right - left), top + t.y * (bottom - top)]
    }

    fn to_screen(self, [x, y]: [f32; 2]) -> Pos2 {
        let [left, bottom, right, top] = self.extent;
        let t = egui::vec2((x - left) / (right - left), (y - top) / (bottom - top));
        self.rect.min + t * self.rect.size()
    }

    /// Points a box side.
    fn scale(self) -> f32 {
        self.rect.width() / (self.extent[2] - self.extent[0])
    }
}

/// What a slice across `axis` shows in `rect`: left, bottom, right, top in box sides.
pub fn extent(app: &HalodiApp, axis: usize, rect: Rect) -> [f32; 4] {
    Frame::new(rect, app.view.slices[axis]).extent
}

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui, axis: usize) {
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::click_and_drag());
    app.canvases.push(response.id);
    let [right, up] = SLICE_AXES[axis];
    let plane = format!("Slice {}{}", NAMES[right], NAMES[up]);
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &plane));
    let value = title(app, axis);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_value(value));
    let Some(n) = app.shown_n() else {
        ui.painter().rect_filled(rect, 0.0, theme::CANVAS);
        return;
    };
    let frame = Frame::new(rect, app.view.slices[axis]);
    steer(app, ui, axis, frame, &response, n);
    let frame = Frame::new(rect, app.view.slices[axis]);
    if app.subject.comparing(&app.view) == Compare::SideBySide {
        let (left, right) = rect.split_left_right_at_fraction(0.5);
        for (index, half) in [left, right].into_iter().enumerate() {
            let frame = Frame::new(half, app.view.slices[axis]);
            picture(app, ui, axis, frame, index);
            if app.presents() {
                crate::ui::faces::on_slice(app, ui, axis, half, |p| frame.to_screen(p));
                volume::names(app, &ui.painter_at(half), half, index);
            } else {
                crosshair(app, ui, axis, frame);
            }
        }
    } else {
        picture(app, ui, axis, frame, 0);
        marks(app, ui, axis, frame, n);
    }
    let painter = ui.painter_at(rect);
    let size = app.subject.opened().map_or(1.0, |o| o.box_size);
    axes::scale_bar(&painter, rect, size / f64::from(frame.scale()));
    let corner = rect.left_bottom() + egui::vec2(8.0, -8.0);
    let mut text = format!("{} right, {} up", NAMES[right], NAMES[up]);
    if app.view.thickness > 1 {
        let what = if app.view.maximum { "maximum" } else { "mean" };
        text = format!("{what} of {} voxels", app.view.thickness);
    }
    if app.presents() {
        // There is no title over it.
        let title = title(app, axis).replace("   ", ", ") + " Mpc/h";
        ink(&painter, corner, Align2::LEFT_BOTTOM, title, 13.0, theme::INK);
        if app.subject.comparing(&app.view) != Compare::SideBySide {
            volume::names(app, &painter, rect, 0);
        }
    } else {
        ink(&painter, corner, Align2::LEFT_BOTTOM, text, 11.0, theme::FAINT);
    }
    if app.subject.comparing(&app.view) == Compare::Swipe {
        volume::swipe_line(app, ui, rect, &plane);
    }
    if response.has_focus() && !app.presents() {
        painter.rect_stroke(rect.shrink(1.0), 0.0, Stroke::new(1.0, theme::ACTIVE), egui::StrokeKind::Inside);
    }
}

fn picture(app: &mut HalodiApp, ui: &Ui, axis: usize, frame: Frame, index: usize) {
    let Some((shown, compared)) = app.shown.clone() else { return };
    let points = ui.ctx().pixels_per_point();
    let size = [frame.rect.width(), frame.rect.height()].map(|v| (v * points).round().max(0.0) as u32);
    let n = shown.n();
    let thickness = app.view.thickness.clamp(1, n);
    let swipe = match (app.subject.comparing(&app.view), index) {
        (Compare::Swipe, _) => app.view.swipe,
        (Compare::SideBySide, 1) => -1.0,
        _ => 2.0,
    };
    let look = SliceLook {
        axis,
        first: (app.view.voxel(n)[axis] + n - (thickness - 1) / 2) % n,
        thickness,
        maximum: app.view.maximum,
        smooth: app.view.smooth,
        extent: frame.extent,
        swipe,
    };
    let scales = app.scales();
    let Some(picture) = app.drawing.slice(index, (&shown, compared.as_ref()), &scales, &look, size) else { return };
    let presented = app.drawing.present.present(&picture, size, glam::Mat4::IDENTITY, &[]);
    ui.painter().add(egui_wgpu::Callback::new_paint_callback(frame.rect, presented));
}

/// Mouse and keys.
fn steer(app: &mut HalodiApp, ui: &Ui, axis: usize, frame: Frame, response: &Response, n: usize) {
    let [right, up] = SLICE_AXES[axis];
    let place = |at: [f32; 2], crosshair: [f32; 3]| {
        let mut p = crosshair;
        (p[right], p[up]) = (at[0].rem_euclid(1.0), at[1].rem_euclid(1.0));
        p
    };
    let modifiers = ui.input(|i| i.modifiers);
    let hover = response.hover_pos();
    if let Some(p) = hover {
        app.slice_axis = axis;
        let here = place(frame.to_box(p), app.view.crosshair);
        if !app.frozen {
            app.probe = here;
        }
        if modifiers.shift && !ui.input(|i| i.pointer.any_down()) {
            app.view.crosshair = here;
        }
        wheel(app, ui, axis, frame, p, n);
    }
    drag(app, ui, axis, frame, response, place);
    if response.double_clicked() && !app.presents() {
        app.workspace.toggle_maximised(Pane::Slice(axis));
    } else if response.clicked()
        && let Some(p) = response.interact_pointer_pos()
    {
        app.view.crosshair = place(frame.to_box(p), app.view.crosshair);
        response.request_focus();
    }
    if hover.is_some() || response.has_focus() {
        let steps = ui.input(|i| {
            let pressed = |key: Key| i.num_presses(key) as i64;
            [pressed(Key::ArrowRight) - pressed(Key::ArrowLeft), pressed(Key::ArrowUp) - pressed(Key::ArrowDown)]
        });
        for (axis, step) in [right, up].into_iter().zip(steps) {
            if step != 0 {
                app.view.step(axis, step, n);
                if !app.frozen {
                    app.probe = app.view.crosshair;
                }
            }
        }
    }
    if response.has_focus() {
        let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(response.id, filter));
    }
}

fn wheel(app: &mut HalodiApp, ui: &Ui, axis: usize, frame: Frame, at: Pos2, n: usize) {
    // Notches, not the smoothed motion: a slice is a step.
    let (mut steps, mut zoom) = (0.0, 1.0);
    ui.input(|input| {
        for event in &input.raw.events {
            if let Event::MouseWheel { delta, modifiers, unit, .. } = event {
                let notches = match unit {
                    egui::MouseWheelUnit::Point => (delta.x + delta.y) / 50.0,
                    _ => delta.x + delta.y,
                };
                if modifiers.ctrl || modifiers.command {
                    zoom *= 1.2f32.powf(notches);
                } else {
                    steps += if modifiers.shift { 10.0 * notches } else { notches };
                }
            }
        }
        if steps == 0.0 && zoom == 1.0 {
            zoom = input.zoom_delta();
        }
    });
    if zoom != 1.0 {
        let before = frame.to_box(at);
        let view = &mut app.view.slices[axis];
        let zoomed = (view.zoom * zoom).clamp(0.5, 64.0);
        let factor = view.zoom / zoomed;
        for i in 0..2 {
            view.middle[i] = before[i] + (view.middle[i] - before[i]) * factor;
        }
        view.zoom = zoomed;
    }
    if steps != 0.0 {
        let whole = if steps > 0.0 { steps.ceil() } else { steps.floor() };
        app.view.step(axis, whole as i64, n);
    }
}

/// What a drag that began on a slice does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Dragging {
    Pan,
    Crosshair { right: bool, up: bool },
    Region([f32; 2]),
    Line([f32; 2]),
}

fn drag(
    app: &mut HalodiApp,
    ui: &Ui,
    axis: usize,
    frame: Frame,
    response: &Response,
    place: impl Fn([f32; 2], [f32; 3]) -> [f32; 3],
) {
    let [right, up] = SLICE_AXES[axis];
    let id = response.id.with("drag");
    let lines = frame.to_screen([app.view.crosshair[right], app.view.crosshair[up]]);
    let near = |p: Pos2| [(p.x - lines.x).abs() < 5.0, (p.y - lines.y).abs() < 5.0];
    if let Some(p) = response.hover_pos() {
        match near(p) {
            [true, true] => ui.ctx().set_cursor_icon(CursorIcon::Move),
            [true, false] => ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal),
            [false, true] => ui.ctx().set_cursor_icon(CursorIcon::ResizeVertical),
            _ => ui.ctx().set_cursor_icon(CursorIcon::Crosshair),
        }
    }
    let Some(p) = response.interact_pointer_pos() else { return };
    if response.drag_started() {
        let origin = ui.input(|i| i.pointer.press_origin()).unwrap_or(p);
        let modifiers = ui.input(|i| i.modifiers);
        let [x, y] = near(origin);
        let what = if modifiers.command {
            Dragging::Region(frame.to_box(origin))
        } else if modifiers.alt {
            Dragging::Line(frame.to_box(origin))
        } else if x || y {
            Dragging::Crosshair { right: x, up: y }
        } else {
            Dragging::Pan
        };
        ui.data_mut(|d| d.insert_temp(id, what));
    }
    if !response.dragged() {
        return;
    }
    let Some(what) = ui.data(|d| d.get_temp::<Dragging>(id)) else { return };
    let here = frame.to_box(p);
    match what {
        Dragging::Pan => {
            let delta = response.drag_delta() / frame.scale();
            let middle = &mut app.view.slices[axis].middle;
            // The box is periodic: round and round.
            *middle = [(middle[0] - delta.x).rem_euclid(1.0), (middle[1] + delta.y).rem_euclid(1.0)];
        }
        Dragging::Crosshair { right: x, up: y } => {
            let new = place(here, app.view.crosshair);
            if x {
                app.view.crosshair[right] = new[right];
            }
            if y {
                app.view.crosshair[up] = new[up];
            }
        }
        Dragging::Region(from) => {
            let (a, b) = (from.map(|v| v.clamp(0.0, 0.9999)), here.map(|v| v.clamp(0.0, 0.9999)));
            // As deep as it is wide, about the slice.
            let half = 0.25 * ((a[0] - b[0]).abs() + (a[1] - b[1]).abs());
            let at = app.view.crosshair[axis];
            let mut corners = [[0.0; 3]; 2];
            (corners[0][axis], corners[1][axis]) = ((at - half).max(0.0), (at + half).min(0.9999));
            (corners[0][right], corners[1][right]) = (a[0].min(b[0]), a[0].max(b[0]));
            (corners[0][up], corners[1][up]) = (a[1].min(b[1]), a[1].max(b[1]));
            app.view.region = Some(corners);
        }
        Dragging::Line(from) => {
            app.view.line = Some([place(from, app.view.crosshair), place(here, app.view.crosshair)]);
        }
    }
}

/// The periodic copies of a coordinate that a span of the canvas shows.
fn copies(at: f32, from: f32, to: f32) -> impl Iterator<Item = f32> {
    let first = (from - at).ceil() as i32;
    let last = (to - at).floor() as i32;
    (first..=last).map(move |i| at + i as f32)
}

fn crosshair(app: &HalodiApp, ui: &Ui, axis: usize, frame: Frame) {
    let painter = ui.painter_at(frame.rect);
    let [right, up] = SLICE_AXES[axis];
    let [x, y] = [app.view.crosshair[right], app.view.crosshair[up]];
    let at = frame.to_screen([x, y]);
    // A gap where it points, so that it does not hide what it points at.
    let gap = 7.0;
    let stroke = |axis: usize| Stroke::new(1.0, theme::AXES[axis].gamma_multiply(0.75));
    for x in copies(x, frame.extent[0], frame.extent[2]) {
        let x = frame.to_screen([x, y]).x;
        painter.vline(x, frame.rect.top()..=at.y - gap, stroke(right));
        painter.vline(x, at.y + gap..=frame.rect.bottom(), stroke(right));
    }
    for y in copies(y, frame.extent[1], frame.extent[3]) {
        let y = frame.to_screen([x, y]).y;
        painter.hline(frame.rect.left()..=at.x - gap, y, stroke(up));
        painter.hline(at.x + gap..=frame.rect.right(), y, stroke(up));
    }
}

fn marks(app: &HalodiApp, ui: &Ui, axis: usize, frame: Frame, n: usize) {
    let painter = ui.painter_at(frame.rect);
    let [right, up] = SLICE_AXES[axis];
    let at = app.view.crosshair[axis];
    let corner = |p: [f32; 3]| frame.to_screen([p[right], p[up]]);
    // Faces of the box.
    let whole = Rect::from_two_pos(frame.to_screen([0.0, 0.0]), frame.to_screen([1.0, 1.0]));
    painter.rect_stroke(whole, 0.0, Stroke::new(1.0, theme::FAINT.gamma_multiply(0.6)), egui::StrokeKind::Outside);
    let layer = app.shown.as_ref().is_some_and(|(shown, _)| matches!(shown.id, FieldId::Layer(_)));
    if app.view.tiles && layer {
        for tile in app.subject.job.active.iter() {
            for (low, high) in volume::pieces(*tile, n) {
                if (low[axis]..high[axis]).contains(&at) {
                    let rect = Rect::from_two_pos(corner(low.to_array()), corner(high.to_array()));
                    painter.rect_stroke(rect, 0.0, Stroke::new(1.6, theme::ACTIVE), egui::StrokeKind::Inside);
                }
            }
        }
    }
    crate::ui::faces::on_slice(app, ui, axis, frame.rect, |p| frame.to_screen(p));
    if !app.presents() {
        crosshair(app, ui, axis, frame);
    }
    if let Some([low, high]) = app.view.region {
        let rect = Rect::from_two_pos(corner(low), corner(high));
        painter.rect_stroke(rect, 0.0, Stroke::new(1.3, theme::INK), egui::StrokeKind::Inside);
    }
    if let Some([a, b]) = app.view.line {
        painter.line_segment([corner(a), corner(b)], Stroke::new(1.6, theme::INK));
    }
    for (index, pin) in app.view.pins.iter().enumerate() {
        let p = corner(*pin);
        painter.circle_stroke(p, 4.0, Stroke::new(1.6, theme::ACTIVE));
        ink(&painter, p + egui::vec2(8.0, -8.0), Align2::LEFT_BOTTOM, index + 1, 11.0, theme::ACTIVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canvas_and_box_are_inverse_and_up_is_up() {
        let rect = Rect::from_min_size(Pos2::new(10.0, 20.0), egui::vec2(300.0, 200.0));
        let frame = Frame::new(rect, SliceView { middle: [0.3, 0.6], zoom: 2.0 });
        for p in [[0.3, 0.6], [0.1, 0.9], [0.55, 0.45]] {
            let back = frame.to_box(frame.to_screen(p));
            assert!((back[0] - p[0]).abs() < 1e-5 && (back[1] - p[1]).abs() < 1e-5);
        }
        assert_eq!(frame.to_screen([0.3, 0.6]), rect.center());
        assert!(frame.to_screen([0.3, 0.7]).y < rect.center().y);
        assert!((frame.scale() - 400.0).abs() < 1e-3);
    }

    #[test]
    fn periodic_copies_fill_the_span() {
        let shown: Vec<f32> = copies(0.25, -1.0, 1.5).collect();
        assert_eq!(shown, [-0.75, 0.25, 1.25]);
    }
}

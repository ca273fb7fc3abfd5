//! A flat view across an axis, linked to the others by the crosshair.

use egui::accesskit::Role;
use egui::{Align2, CursorIcon, Event, Modifiers, Pos2, Rect, Response, Sense, Stroke, Ui, WidgetInfo};

use super::axes::NAMES;
use super::canvas::{self, Frame};
use super::{axes, ink, marks, volume};
use crate::render::{SLICE_AXES, SliceLook};
use crate::ui::app::HalodiApp;
use crate::ui::commands;
use crate::ui::icons::{self, Icon};
use crate::ui::theme;
use crate::ui::view_state::{Compare, SliceView};
use crate::ui::workspace::Pane;

/// Least and largest magnification of a slice.
const ZOOM: [f32; 2] = [0.5, 64.0];

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
    let playing = app.playing == Some(axis);
    let icon = if playing { Icon::Pause } else { Icon::Play };
    let response = icons::button(ui, icon, &format!("Play along {}", NAMES[axis]), true);
    if response.on_hover_text("Play through the slices (K)").clicked() {
        app.playing = (!playing).then_some(axis);
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

/// The pictures of a slice across `axis` on a canvas, and what each shows.
pub fn frames(app: &HalodiApp, axis: usize, rect: Rect) -> Vec<Frame> {
    let view = app.view.slices[axis];
    canvas::pictures(app, rect).into_iter().map(|rect| Frame::new(rect, view)).collect()
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
    steer(app, ui, axis, rect, &response, n);
    let way = app.subject.comparing(&app.view);
    let size = app.subject.opened().map_or(1.0, |o| o.box_size);
    for (index, frame) in frames(app, axis, rect).into_iter().enumerate() {
        picture(app, ui, axis, frame, index);
        marks::show(app, ui, axis, frame, n);
        let painter = ui.painter_at(frame.rect);
        axes::scale_bar(&painter, frame.rect, size / f64::from(frame.scale()));
        if app.presents() {
            volume::names(app, &painter, frame.rect, index, 14.0);
        } else if matches!(way, Compare::SideBySide | Compare::Swipe | Compare::Blink) {
            volume::names(app, &painter, frame.rect, index, 11.0);
        }
    }
    let painter = ui.painter_at(rect);
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
    } else {
        ink(&painter, corner, Align2::LEFT_BOTTOM, text, 11.0, theme::FAINT);
    }
    if way == Compare::Swipe {
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
    let look = SliceLook {
        axis,
        first: (app.view.voxel(n)[axis] + n - (thickness - 1) / 2) % n,
        thickness,
        maximum: app.view.maximum,
        smooth: app.view.smooth,
        extent: frame.extent,
        swipe: canvas::turns(app, index),
    };
    let scales = app.scales();
    let which = usize::from(canvas::shows_second(app, index));
    let Some(picture) = app.drawing.slice(which, (&shown, compared.as_ref()), &scales, &look, size) else { return };
    let presented = app.drawing.present.present(&picture, size, glam::Mat4::IDENTITY, &[]);
    ui.painter().add(egui_wgpu::Callback::new_paint_callback(frame.rect, presented));
}

/// Mouse and keys.
fn steer(app: &mut HalodiApp, ui: &Ui, axis: usize, rect: Rect, response: &Response, n: usize) {
    let [right, up] = SLICE_AXES[axis];
    let picture = {
        let pictures = canvas::pictures(app, rect);
        pictures[canvas::steered(ui, &pictures, response)]
    };
    let place = |at: [f32; 2], crosshair: [f32; 3]| {
        let mut p = crosshair;
        (p[right], p[up]) = (at[0].rem_euclid(1.0), at[1].rem_euclid(1.0));
        p
    };
    let frame = |app: &HalodiApp| Frame::new(picture, app.view.slices[axis]);
    let moved = canvas::pointer_moved(ui);
    let hover = response.hover_pos();
    if response.gained_focus() || (hover.is_some() && moved) {
        app.slice_axis = axis;
    }
    if let Some(p) = hover {
        wheel(app, ui, axis, frame(app), response, p);
    }
    drag(app, ui, axis, frame(app), response, place);
    if response.double_clicked() && !app.presents() {
        app.workspace.toggle_maximised(Pane::Slice(axis));
    } else if response.clicked()
        && let Some(p) = response.interact_pointer_pos()
    {
        app.view.crosshair = place(frame(app).to_box(p), app.view.crosshair);
        response.request_focus();
    }
    if let Some(p) = hover {
        let here = place(frame(app).to_box(p), app.view.crosshair);
        // Shift is also held for keys: it is the pointer that the crosshair follows.
        if moved && ui.input(|i| i.modifiers.shift_only() && !i.pointer.any_down()) {
            app.view.crosshair = here;
        }
        if !app.frozen {
            app.probe = here;
        }
    }
    if canvas::takes_keys(ui, response) {
        for (axis, step) in [right, up].into_iter().zip(canvas::arrows(ui, Modifiers::NONE)) {
            if step != 0 {
                commands::step(app, axis, step, n);
            }
        }
        let view = &mut app.view.slices[axis];
        view.zoom = (view.zoom * 1.25f32.powi(canvas::enlarged(ui) as i32)).clamp(ZOOM[0], ZOOM[1]);
        let pan = canvas::arrows(ui, Modifiers::SHIFT).map(|steps| 0.1 * steps as f32 / view.zoom);
        if pan != [0.0; 2] {
            view.middle = [0, 1].map(|i| (view.middle[i] + pan[i]).rem_euclid(1.0));
        }
    }
    canvas::keep_arrows(ui, response);
}

fn wheel(app: &mut HalodiApp, ui: &Ui, axis: usize, frame: Frame, response: &Response, at: Pos2) {
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
        let zoomed = (view.zoom * zoom).clamp(ZOOM[0], ZOOM[1]);
        let factor = view.zoom / zoomed;
        for i in 0..2 {
            view.middle[i] = before[i] + (view.middle[i] - before[i]) * factor;
        }
        view.zoom = zoomed;
    }
    if steps != 0.0
        && let Some(n) = app.shown_n()
    {
        let id = response.id.with("wheel");
        let rest = ui.data(|d| d.get_temp(id)).unwrap_or(0.0);
        let (whole, rest) = slices(rest, steps);
        ui.data_mut(|d| d.insert_temp(id, rest));
        if whole != 0 {
            commands::step(app, axis, whole, n);
        }
    }
}

/// Whole slices that a wheel has turned, with what was left of a slice before, and what is left now:
/// a touchpad turns it by small parts.
fn slices(rest: f32, turned: f32) -> (i64, f32) {
    // Back again means back at once.
    let all = if rest * turned < 0.0 { turned } else { rest + turned };
    // Parts that make up a whole add up to a little less.
    let whole = (all + 1e-3 * all.signum()).trunc();
    (whole as i64, all - whole)
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
    let lines = [app.view.crosshair[right], app.view.crosshair[up]];
    let near = |p: Pos2| frame.away(p, lines).map(|far| far < 5.0);
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
        Dragging::Region(from) => app.view.region = Some(region(axis, app.view.crosshair[axis], from, here)),
        Dragging::Line(from) => app.view.line = Some(line(axis, app.view.crosshair[axis], from, here)),
    }
}

/// The region between two places on the slice across `axis` that lies at `at`, as deep as it is wide
/// about the slice. It begins in the box and may go on beyond its faces.
fn region(axis: usize, at: f32, a: [f32; 2], b: [f32; 2]) -> [[f32; 3]; 2] {
    // The box and no more of it.
    const MOST: f32 = 0.9999;
    let sides = [0, 1].map(|i| (b[i] - a[i]).clamp(-MOST, MOST));
    let half = 0.25 * (sides[0].abs() + sides[1].abs());
    let (mut low, mut high) = ([0.0; 3], [0.0; 3]);
    (low[axis], high[axis]) = (at - half, at + half);
    for (i, side) in SLICE_AXES[axis].into_iter().enumerate() {
        (low[side], high[side]) = (a[i] + sides[i].min(0.0), a[i] + sides[i].max(0.0));
    }
    for i in 0..3 {
        let boxes = low[i].floor();
        (low[i], high[i]) = (low[i] - boxes, high[i] - boxes);
    }
    [low, high]
}

/// The line between two places on the slice across `axis` that lies at `at`. It begins in the box and
/// goes on beyond its faces where it was drawn so: what lies between its ends is what was seen there.
fn line(axis: usize, at: f32, a: [f32; 2], b: [f32; 2]) -> [[f32; 3]; 2] {
    let mut ends = [[at; 3]; 2];
    for (i, side) in SLICE_AXES[axis].into_iter().enumerate() {
        let boxes = a[i].floor();
        (ends[0][side], ends[1][side]) = (a[i] - boxes, b[i] - boxes);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touchpad_turns_slices_by_parts_and_a_wheel_by_one() {
        let mut rest = 0.0;
        let turned: Vec<i64> = (0..10)
            .map(|_| {
                let (whole, left) = slices(rest, 0.2);
                rest = left;
                whole
            })
            .collect();
        assert_eq!(turned, [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
        assert_eq!(slices(0.0, 1.0).0, 1);
        assert_eq!(slices(0.9, -1.0).0, -1);
        assert_eq!(slices(0.0, -10.0).0, -10);
    }

    #[test]
    fn what_is_drawn_across_a_face_goes_on_beyond_it() {
        let close = |a: [[f32; 3]; 2], b: [[f32; 3]; 2]| {
            a.as_flattened().iter().zip(b.as_flattened()).all(|(a, b)| (a - b).abs() < 1e-5)
        };
        // Across z, over the face at x = 1, from right to left; the slice lies near a face too.
        let found = region(2, 0.05, [1.2, 0.3], [0.8, 0.5]);
        assert!(close(found, [[0.8, 0.3, 0.9], [1.2, 0.5, 1.2]]), "{found:?}");
        let found = region(2, 0.5, [-0.3, 0.3], [-0.1, 0.5]);
        assert!(close(found, [[0.7, 0.3, 0.4], [0.9, 0.5, 0.6]]), "{found:?}");
        // No more than the box, however far it is drawn.
        let [low, high] = region(0, 0.5, [0.1, 0.1], [5.0, -5.0]);
        assert!((0..3).all(|i| high[i] - low[i] < 1.0 && (0.0..=1.0).contains(&low[i])));
        let found = line(2, 0.4, [1.9, 0.5], [2.1, 0.5]);
        assert!(close(found, [[0.9, 0.5, 0.4], [1.1, 0.5, 0.4]]), "{found:?}");
    }
}

//! What is written over pictures: axes with their lengths, scale bars, colour bars.

use egui::{Align2, Color32, FontId, Painter, Pos2, Rect, Stroke};
use glam::Vec3;

use super::canvas::{self, Frame};
use super::ink;
use crate::render::{ColorScale, OrbitCamera, SLICE_AXES};
use crate::ui::theme;

/// What the axes of the box are called.
pub const NAMES: [&str; 3] = ["x", "y", "z"];

/// Lengths along the three edges of the box that stand clear of it.
pub fn box_axes(painter: &Painter, rect: Rect, camera: &OrbitCamera, size: f64) {
    let place = |p: Vec3| canvas::place(camera, rect, p);
    let eye = camera.eye();
    let near = [0, 1].map(|axis| if eye[axis] < 0.5 { 0.0 } else { 1.0 });
    let floor = if eye.z < 0.5 { 1.0 } else { 0.0 };
    let Some(middle) = place(Vec3::splat(0.5)) else { return };
    let mut taken: Vec<Rect> = Vec::new();
    for axis in 0..3 {
        let mut start = match axis {
            0 => Vec3::new(0.0, near[1], floor),
            1 => Vec3::new(near[0], 0.0, floor),
            _ => Vec3::new(near[0], 1.0 - near[1], 0.0),
        };
        if axis == 2 {
            // Of the two upright edges at the sides, the one further left on the screen.
            let other = Vec3::new(1.0 - near[0], near[1], 0.0);
            if let (Some(a), Some(b)) = (place(start), place(other))
                && b.x < a.x
            {
                start = other;
            }
        }
        let mut end = start;
        end[axis] = 1.0;
        let (Some(a), Some(b)) = (place(start), place(end)) else { continue };
        // Outwards on the screen, across the edge.
        let along = (b - a).normalized();
        let mut out = egui::vec2(-along.y, along.x);
        if out.dot(a + (b - a) * 0.5 - middle) < 0.0 {
            out = -out;
        }
        let long = (b - a).length();
        let mut label = |t: f64, text: String, far: f32, font: f32, color| {
            let Some(at) = place(start.lerp(end, t as f32)) else { return };
            let wide = 0.55 * font * text.chars().count() as f32;
            let guess = Rect::from_center_size(at + out * far, egui::vec2(wide, font));
            if taken.iter().any(|r| r.intersects(guess)) || !rect.contains(at + out * far) {
                return;
            }
            taken.push(ink(painter, at + out * far, Align2::CENTER_CENTER, text, font, color));
        };
        // Beyond the lengths, by as much as both are wide in that direction.
        let far = (19.0 + 42.0 * out.x.abs() + 13.0 * out.y.abs()).min(52.0);
        label(0.5, format!("{}  [Mpc/h]", NAMES[axis]), far, 13.0, theme::AXES[axis]);
        let step = round_step(size, (long / 55.0).clamp(1.0, 6.0) as usize);
        for tick in 0..=(size / step + 1e-6) as usize {
            let t = tick as f64 * step / size;
            if let Some(at) = place(start.lerp(end, t as f32)) {
                painter.line_segment([at, at + out * 5.0], Stroke::new(1.0, theme::FAINT));
            }
            label(t, length(tick as f64 * step), 15.0, 12.0, theme::FAINT);
        }
    }
}

/// A round length that fits into `size` at most `most` times.
fn round_step(size: f64, most: usize) -> f64 {
    let power = 10f64.powf((size / most as f64).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|s| s * power);
    steps.into_iter().find(|step| size / step <= most as f64 + 1e-6).unwrap_or(size)
}

/// A length in Mpc/h in few characters.
fn length(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A bar of a round length, at the bottom right. `per_point` is Mpc/h a point.
pub fn scale_bar(painter: &Painter, rect: Rect, per_point: f64) {
    let room = f64::from(rect.width()) * 0.3 * per_point;
    let power = 10f64.powf(room.log10().floor());
    let round = [5.0, 2.0, 1.0].map(|s| s * power).into_iter().find(|s| *s <= room).unwrap_or(power);
    let width = (round / per_point) as f32;
    let end = rect.right_bottom() - egui::vec2(10.0, 10.0);
    let start = end - egui::vec2(width, 0.0);
    painter.rect_filled(
        Rect::from_two_pos(start, end).expand2(egui::vec2(4.0, 5.0)),
        3.0,
        Color32::from_black_alpha(120),
    );
    let stroke = Stroke::new(2.0, theme::INK);
    painter.line_segment([start, end], stroke);
    for at in [start, end] {
        painter.line_segment([at - egui::vec2(0.0, 4.0), at + egui::vec2(0.0, 1.0)], stroke);
    }
    let at = start + egui::vec2(width / 2.0, -8.0);
    ink(painter, at, Align2::CENTER_BOTTOM, format!("{} Mpc/h", length(round)), 11.5, theme::INK);
}

/// Lengths along the lower side of each picture of a slice across `axis`, and along the left side of
/// the first, on paper. The box has sides of `size` Mpc/h.
pub fn lengths(painter: &Painter, pictures: &[Frame], axis: usize, size: f64) {
    for (index, frame) in pictures.iter().enumerate() {
        lengths_of(painter, *frame, axis, size, index == 0);
    }
}

fn lengths_of(painter: &Painter, Frame { rect, extent }: Frame, axis: usize, size: f64, first: bool) {
    let [left, bottom, right, top] = extent.map(f64::from).map(|v| v * size);
    let ink = theme::PRINT;
    let stroke = Stroke::new(1.0, ink);
    painter.rect_stroke(rect, 0.0, stroke, egui::StrokeKind::Outside);
    let sides = [(false, left, right, rect.width()), (true, bottom, top, rect.height())];
    for (upright, from, to, points) in sides.into_iter().take(if first { 2 } else { 1 }) {
        let step = round_step(to - from, (points / 55.0).clamp(1.0, 8.0) as usize);
        for tick in (from / step).ceil() as i64..=(to / step).floor() as i64 {
            let value = tick as f64 * step;
            let share = ((value - from) / (to - from)) as f32;
            let (at, out, align, far) = match upright {
                false => (
                    Pos2::new(rect.left() + share * rect.width(), rect.bottom()),
                    [0.0, 4.0],
                    Align2::CENTER_TOP,
                    [0.0, 6.0],
                ),
                true => (
                    Pos2::new(rect.left(), rect.bottom() - share * rect.height()),
                    [-4.0, 0.0],
                    Align2::RIGHT_CENTER,
                    [-7.0, 0.0],
                ),
            };
            painter.line_segment([at, at + egui::vec2(out[0], out[1])], stroke);
            let text = length(value).replace('-', "−");
            painter.text(at + egui::vec2(far[0], far[1]), align, text, FontId::proportional(11.5), ink);
        }
    }
    let [across, up] = SLICE_AXES[axis].map(|axis| format!("{}  [Mpc/h]", NAMES[axis]));
    let below = Pos2::new(rect.center().x, rect.bottom() + 40.0);
    painter.text(below, Align2::CENTER_BOTTOM, across, FontId::proportional(12.5), ink);
    if !first {
        return;
    }
    let galley = painter.layout_no_wrap(up, FontId::proportional(12.5), ink);
    let beside = Pos2::new(rect.left() - 52.0, rect.center().y + 0.5 * galley.size().x);
    painter.add(egui::epaint::TextShape::new(beside, galley, ink).with_angle(-std::f32::consts::FRAC_PI_2));
}

/// An upright colour bar with its values and a title over it, in `ink`.
pub fn color_bar(painter: &Painter, rect: Rect, scale: &ColorScale, title: &str, ink: Color32) {
    const BANDS: usize = 128;
    let bar = Rect::from_min_max(rect.left_top() + egui::vec2(0.0, 24.0), rect.left_bottom() + egui::vec2(16.0, 0.0));
    let height = bar.height() / BANDS as f32;
    for i in 0..BANDS {
        let t = (i as f32 + 0.5) / BANDS as f32;
        let [r, g, b] = scale.map.color(if scale.reversed { 1.0 - t } else { t });
        let bottom = bar.bottom() - i as f32 * height;
        let band = Rect::from_min_max(Pos2::new(bar.left(), bottom - height - 0.3), Pos2::new(bar.right(), bottom));
        painter.rect_filled(band, 0.0, Color32::from_rgb(r, g, b));
    }
    painter.rect_stroke(bar, 0.0, Stroke::new(1.0, theme::FAINT), egui::StrokeKind::Outside);
    for tick in scale.ticks(7) {
        let y = bar.bottom() - tick.at * bar.height();
        painter.line_segment([Pos2::new(bar.right(), y), Pos2::new(bar.right() + 4.0, y)], Stroke::new(1.0, ink));
        let at = Pos2::new(bar.right() + 8.0, y);
        painter.text(at, Align2::LEFT_CENTER, tick.label, FontId::proportional(12.5), ink);
    }
    painter.text(rect.left_top(), Align2::LEFT_TOP, title, FontId::proportional(13.0), ink);
}

#[cfg(test)]
mod tests {
    use super::round_step;

    #[test]
    fn lengths_along_an_axis_are_round() {
        let steps = [(12.5, 5), (12.5, 3), (25.0, 5), (100.0, 6), (67.77, 4), (1.0, 1)].map(|(s, n)| round_step(s, n));
        for (step, wanted) in steps.into_iter().zip([2.5, 5.0, 5.0, 20.0, 20.0, 1.0]) {
            assert!((step - wanted).abs() < 1e-9, "{step} for {wanted}");
        }
    }
}

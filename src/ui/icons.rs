//! Small pictures on buttons, drawn: fonts differ in what signs they have.

use egui::{
    Color32, CornerRadius, Painter, Pos2, Rect, Response, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, WidgetInfo,
};

/// A sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// An arrow that turns back.
    Undo,
    /// An arrow that turns forth.
    Redo,
    /// Half light, half dark.
    Theme,
    /// Sliders.
    Settings,
    /// Corners that reach out.
    Maximise,
    /// A triangle.
    Play,
    /// Two bars.
    Pause,
    /// A cross.
    Close,
    /// A tick.
    Done,
    /// A ring.
    Waiting,
}

/// A button with a sign; `name` is what it is called where it is not seen.
pub fn button(ui: &mut Ui, icon: Icon, name: &str, enabled: bool) -> Response {
    let size = Vec2::splat(ui.spacing().interact_size.y.min(ui.available_height()).max(16.0));
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, enabled, name));
    let visuals = if enabled { *ui.style().interact(&response) } else { ui.visuals().widgets.noninteractive };
    if enabled && (response.hovered() || response.has_focus()) {
        ui.painter().rect_filled(rect.shrink(1.0), visuals.corner_radius, visuals.weak_bg_fill);
    }
    let color = if enabled { visuals.fg_stroke.color } else { ui.visuals().weak_text_color().gamma_multiply(0.5) };
    let side = (size.x * 0.52).round();
    paint(ui.painter(), Rect::from_center_size(rect.center(), Vec2::splat(side)), icon, color);
    response
}

/// A sign by itself, in line with text.
pub fn sign(ui: &mut Ui, icon: Icon, color: Color32) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(11.0, 14.0), Sense::hover());
    paint(ui.painter(), Rect::from_center_size(rect.center(), Vec2::splat(9.0)), icon, color);
    response
}

fn paint(painter: &Painter, rect: Rect, icon: Icon, color: Color32) {
    let stroke = Stroke::new(1.5, color);
    let at = |x: f32, y: f32| rect.min + Vec2::new(x, y) * rect.size();
    let line = |points: Vec<Pos2>| {
        painter.add(Shape::line(points, stroke));
    };
    match icon {
        Icon::Undo | Icon::Redo => {
            let flip = |x: f32| if icon == Icon::Undo { x } else { 1.0 - x };
            let arc: Vec<Pos2> = (0..=14)
                .map(|i| {
                    let angle = std::f32::consts::PI * (0.5 - i as f32 / 14.0 * 1.0);
                    at(flip(0.55 + 0.42 * angle.cos()), 0.60 - 0.34 * angle.sin())
                })
                .collect();
            line(vec![at(flip(0.05), 0.26), arc[0]]);
            line(arc);
            line(vec![at(flip(0.30), 0.02), at(flip(0.05), 0.26), at(flip(0.30), 0.50)]);
        }
        Icon::Theme => {
            painter.circle_stroke(rect.center(), rect.width() * 0.48, stroke);
            let half: Vec<Pos2> = (0..=16)
                .map(|i| {
                    let angle = std::f32::consts::PI * (i as f32 / 16.0 - 0.5);
                    rect.center() + 0.48 * rect.width() * Vec2::angled(angle)
                })
                .collect();
            painter.add(Shape::convex_polygon(half, color, Stroke::NONE));
        }
        Icon::Settings => {
            for (row, knob) in [(0.12, 0.68), (0.5, 0.28), (0.88, 0.6)] {
                line(vec![at(0.0, row), at(1.0, row)]);
                painter.circle_filled(at(knob, row), 2.3, color);
            }
        }
        Icon::Maximise => {
            painter.rect_stroke(rect.shrink(0.5), CornerRadius::same(1), stroke, StrokeKind::Inside);
            painter.rect_filled(rect.with_max_y(rect.top() + rect.height() * 0.28), 1.0, color);
        }
        Icon::Play => {
            painter.add(Shape::convex_polygon(
                vec![at(0.15, 0.02), at(0.95, 0.5), at(0.15, 0.98)],
                color,
                Stroke::NONE,
            ));
        }
        Icon::Pause => {
            for x in [0.12, 0.6] {
                painter.rect_filled(Rect::from_two_pos(at(x, 0.05), at(x + 0.26, 0.95)), 1.0, color);
            }
        }
        Icon::Close => {
            line(vec![at(0.1, 0.1), at(0.9, 0.9)]);
            line(vec![at(0.9, 0.1), at(0.1, 0.9)]);
        }
        Icon::Done => line(vec![at(0.02, 0.55), at(0.36, 0.9), at(0.98, 0.1)]),
        Icon::Waiting => {
            painter.circle_stroke(rect.center(), 2.2, Stroke::new(1.2, color));
        }
    }
}

//! What is marked on a slice: the crosshair, tiles at work, the region, the line, pins.

use egui::{Align2, Painter, Pos2, Rect, Stroke, StrokeKind, Ui};

use super::canvas::Frame;
use super::ink;
use crate::render::SLICE_AXES;
use crate::ui::app::HalodiApp;
use crate::ui::subject::FieldId;
use crate::ui::theme;

/// Points about the crosshair's place that its lines leave free, to not hide what is there.
const GAP: f32 = 7.0;

/// Draw all of them over the picture of a slice across `axis` of `n³` voxels, on every periodic
/// copy of the box that it shows.
pub fn show(app: &HalodiApp, ui: &Ui, axis: usize, frame: Frame, n: usize) {
    let painter = ui.painter_at(frame.rect);
    let [right, up] = SLICE_AXES[axis];
    let flat = |p: [f32; 3]| [p[right], p[up]];
    let at = app.view.crosshair[axis];
    let layer = app.shown.as_ref().is_some_and(|(shown, _)| matches!(shown.id, FieldId::Layer(_)));
    let faces = Stroke::new(1.0, theme::FAINT.gamma_multiply(0.6));
    outline(&painter, frame, [[0.0; 2], [1.0; 2]], faces, StrokeKind::Middle);
    if app.view.tiles && layer {
        for tile in app.subject.job.active.iter() {
            let low = tile.origin.map(|v| v as f32 / n as f32);
            let high = [0, 1, 2].map(|i| low[i] + tile.size[i] as f32 / n as f32);
            if reaches(low[axis], high[axis], at) {
                outline(&painter, frame, [flat(low), flat(high)], Stroke::new(1.6, theme::ACTIVE), StrokeKind::Inside);
            }
        }
    }
    for [x, y] in frame.copies([0.0; 2], [1.0; 2]) {
        crate::ui::faces::on_slice(app, ui, axis, frame.rect, |p| frame.to_screen([p[0] + x, p[1] + y]));
    }
    if !app.presents() {
        crosshair(app, &painter, axis, frame);
    }
    if let Some([low, high]) = app.view.region {
        // Paler where the slice passes by.
        let color = if reaches(low[axis], high[axis], at) { theme::INK } else { theme::INK.gamma_multiply(0.5) };
        outline(&painter, frame, [flat(low), flat(high)], Stroke::new(1.3, color), StrokeKind::Inside);
    }
    if let Some([a, b]) = app.view.line {
        let [a, b] = [flat(a), flat(b)];
        for [x, y] in frame.copies([a[0].min(b[0]), a[1].min(b[1])], [a[0].max(b[0]), a[1].max(b[1])]) {
            let ends = [a, b].map(|p| frame.to_screen([p[0] + x, p[1] + y]));
            painter.line_segment(ends, Stroke::new(1.6, theme::INK));
        }
    }
    for (index, pin) in app.view.pins.iter().enumerate() {
        let at = flat(*pin);
        for [x, y] in frame.copies(at, at) {
            let p = frame.to_screen([at[0] + x, at[1] + y]);
            painter.circle_stroke(p, 4.0, Stroke::new(1.6, theme::ACTIVE));
            ink(&painter, p + egui::vec2(8.0, -8.0), Align2::LEFT_BOTTOM, index + 1, 11.0, theme::ACTIVE);
        }
    }
}

/// Whether a span of the periodic box, which may go on beyond its face, holds a place.
fn reaches(low: f32, high: f32, at: f32) -> bool {
    (at - low).rem_euclid(1.0) < high - low
}

fn outline(painter: &Painter, frame: Frame, [low, high]: [[f32; 2]; 2], stroke: Stroke, kind: StrokeKind) {
    for [x, y] in frame.copies(low, high) {
        let corner = |p: [f32; 2]| -> Pos2 { frame.to_screen([p[0] + x, p[1] + y]) };
        painter.rect_stroke(Rect::from_two_pos(corner(low), corner(high)), 0.0, stroke, kind);
    }
}

fn crosshair(app: &HalodiApp, painter: &Painter, axis: usize, frame: Frame) {
    let [right, up] = SLICE_AXES[axis];
    let [x, y] = [app.view.crosshair[right], app.view.crosshair[up]];
    let stroke = |axis: usize| Stroke::new(1.0, theme::AXES[axis].gamma_multiply(0.75));
    let xs: Vec<f32> = frame.copies_along(0, x, x).map(|by| frame.to_screen([x + by, y]).x).collect();
    let ys: Vec<f32> = frame.copies_along(1, y, y).map(|by| frame.to_screen([x, y + by]).y).collect();
    for &x in &xs {
        for [from, to] in broken([frame.rect.top(), frame.rect.bottom()], &ys) {
            painter.vline(x, from..=to, stroke(right));
        }
    }
    for &y in &ys {
        for [from, to] in broken([frame.rect.left(), frame.rect.right()], &xs) {
            painter.hline(from..=to, y, stroke(up));
        }
    }
}

/// What is left of a line with a gap about every place in `gaps`.
fn broken([from, to]: [f32; 2], gaps: &[f32]) -> Vec<[f32; 2]> {
    let mut gaps = gaps.to_vec();
    gaps.sort_by(f32::total_cmp);
    let starts = std::iter::once(from).chain(gaps.iter().map(|at| at + GAP));
    let ends = gaps.iter().map(|at| at - GAP).chain([to]);
    starts.zip(ends).map(|(start, end)| [start, end]).filter(|[start, end]| start < end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_at_every_copy_of_the_crosshair() {
        assert_eq!(broken([0.0, 100.0], &[]), [[0.0, 100.0]]);
        assert_eq!(broken([0.0, 100.0], &[80.0, 20.0]), [[0.0, 13.0], [27.0, 73.0], [87.0, 100.0]]);
        assert_eq!(broken([0.0, 100.0], &[3.0]), [[10.0, 100.0]]);
    }

    #[test]
    fn a_span_over_the_far_face_reaches_the_near_side() {
        assert!(reaches(0.8, 1.2, 0.9) && reaches(0.8, 1.2, 0.1));
        assert!(!reaches(0.8, 1.2, 0.3) && !reaches(0.2, 0.4, 0.5));
        assert!(reaches(0.0, 1.0, 0.999));
    }
}

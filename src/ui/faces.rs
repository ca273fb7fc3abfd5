//! Faces of tiles: where they lie, lit on slices and in the volume, and the way from one to the
//! next.

use std::collections::BTreeSet;

use egui::{Rect, Stroke, Ui};

use super::app::HalodiApp;
use super::theme;
use crate::render::{Line, SLICE_AXES};
use crate::stats::lattices;

/// Voxels of a tile where nothing says otherwise.
const USUAL: usize = 32;

/// The faces of a lattice over the box on show.
#[derive(Debug, Clone, PartialEq)]
pub struct Faces {
    /// Voxels an axis of the box.
    pub n: usize,
    /// Voxels an axis of a tile.
    pub tile: usize,
    /// Planes of voxels that faces lie just before, along each axis.
    pub planes: [Vec<usize>; 3],
}

impl Faces {
    /// Those of the denoising step on show, or of tiles that begin in the corner of the box.
    pub fn of(app: &HalodiApp) -> Option<Self> {
        let n = app.shown_n()?;
        if let Some(step) = app.subject.step.and_then(|index| app.subject.job.steps.get(index))
            && let Some(tile) = step.tiles.first()
            && tile.size[0] < n
        {
            let planes = |axis: usize| step.tiles.iter().map(|t| t.origin[axis] % n).collect::<BTreeSet<_>>();
            return Some(Self { n, tile: tile.size[0], planes: [0, 1, 2].map(|a| planes(a).into_iter().collect()) });
        }
        let tile = tile_of(app, n)?;
        let planes: Vec<usize> = (0..n / tile).map(|i| i * tile).collect();
        Some(Self { n, tile, planes: [planes.clone(), planes.clone(), planes] })
    }

    /// The face nearest to a place in the unit cube: its axis and the plane of voxels behind it.
    pub fn nearest(&self, place: [f32; 3]) -> Option<(usize, usize)> {
        let n = self.n as f32;
        let far = |axis: usize, plane: usize| {
            let distance = (place[axis] * n - plane as f32).rem_euclid(n);
            distance.min(n - distance)
        };
        let all = (0..3).flat_map(|axis| self.planes[axis].iter().map(move |&plane| (axis, plane)));
        all.min_by(|a, b| far(a.0, a.1).total_cmp(&far(b.0, b.1)))
    }

    /// The plane behind the next face along `axis` from voxel `from`, or behind the one before.
    pub fn next(&self, axis: usize, from: usize, forward: bool) -> Option<usize> {
        let planes = &self.planes[axis];
        let turn = |plane: usize| match forward {
            true => (plane + self.n - from - 1) % self.n,
            false => (from + self.n - plane - 1) % self.n,
        };
        planes.iter().copied().min_by_key(|&plane| turn(plane))
    }
}

/// Voxels of the tile that seams are looked for with: what was chosen, or the usual, or the largest.
pub fn tile_of(app: &HalodiApp, n: usize) -> Option<usize> {
    let all = lattices(n);
    let wanted = app.view.seam_tile.unwrap_or(USUAL);
    if all.contains(&wanted) { Some(wanted) } else { all.last().copied() }
}

/// Move the crosshair just behind the next face along the axis that keys step through.
pub fn go(app: &mut HalodiApp, forward: bool) {
    let Some(faces) = Faces::of(app) else { return };
    let axis = app.slice_axis;
    let from = app.view.voxel(faces.n)[axis];
    if let Some(plane) = faces.next(axis, from, forward) {
        app.view.crosshair[axis] = (plane as f32 + 0.5) / faces.n as f32;
        app.view.faces = true;
        if !app.frozen {
            app.probe = app.view.crosshair;
        }
    }
}

/// Light the faces that a slice cuts, and the square of the tile's face that lies in the slice.
pub fn on_slice(app: &HalodiApp, ui: &Ui, axis: usize, rect: Rect, to_screen: impl Fn([f32; 2]) -> egui::Pos2) {
    let Some(faces) = Faces::of(app).filter(|_| app.view.faces) else { return };
    let painter = ui.painter_at(rect);
    let [right, up] = SLICE_AXES[axis];
    let nearest = faces.nearest(app.view.crosshair);
    let stroke = |axis: usize, plane: usize| match nearest == Some((axis, plane)) {
        true => Stroke::new(2.0, theme::ACTIVE),
        false => Stroke::new(1.0, theme::ACTIVE.gamma_multiply(0.4)),
    };
    let place = |plane: usize| plane as f32 / faces.n as f32;
    for &plane in &faces.planes[right] {
        painter.line_segment([to_screen([place(plane), 0.0]), to_screen([place(plane), 1.0])], stroke(right, plane));
    }
    for &plane in &faces.planes[up] {
        painter.line_segment([to_screen([0.0, place(plane)]), to_screen([1.0, place(plane)])], stroke(up, plane));
    }
    // The slice lies just behind a face.
    if nearest.is_some_and(|(a, plane)| a == axis && app.view.voxel(faces.n)[axis] == plane) {
        let all = Rect::from_two_pos(to_screen([0.0, 0.0]), to_screen([1.0, 1.0]));
        painter.rect_stroke(all.shrink(1.0), 0.0, Stroke::new(2.0, theme::ACTIVE), egui::StrokeKind::Inside);
    }
}

/// The lattice in the volume: where faces meet the box, and the nearest face in full.
pub fn in_volume(app: &HalodiApp, points: f32) -> Vec<Line> {
    let Some(faces) = Faces::of(app).filter(|_| app.view.faces) else { return Vec::new() };
    let nearest = faces.nearest(app.view.crosshair);
    let mut lines = Vec::new();
    for axis in 0..3 {
        for &plane in &faces.planes[axis] {
            let (opacity, width) = if nearest == Some((axis, plane)) { (1.0, 2.0) } else { (0.3, 1.0) };
            let at = plane as f32 / faces.n as f32;
            let corner = |u: f32, v: f32| {
                let mut p = [at; 3];
                (p[(axis + 1) % 3], p[(axis + 2) % 3]) = (u, v);
                glam::Vec3::from_array(p)
            };
            let corners = [corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0)];
            let color = theme::line_color(theme::ACTIVE, opacity);
            let side =
                |i: usize| Line { ends: [corners[i], corners[(i + 1) % 4]], width: width * points, color, hidden: 0.3 };
            lines.extend((0..4).map(side));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_are_found_one_after_the_other_around_the_box() {
        let planes = vec![0, 16, 32, 48];
        let faces = Faces { n: 64, tile: 16, planes: [planes.clone(), planes.clone(), planes] };
        assert_eq!(faces.next(0, 10, true), Some(16));
        assert_eq!(faces.next(0, 16, true), Some(32));
        assert_eq!(faces.next(0, 50, true), Some(0));
        assert_eq!(faces.next(0, 16, false), Some(0));
        assert_eq!(faces.next(0, 0, false), Some(48));
        assert_eq!(faces.nearest([0.4, 0.51, 0.1]), Some((1, 32)));
        assert_eq!(faces.nearest([0.4, 0.9, 0.999]), Some((2, 0)));
    }
}

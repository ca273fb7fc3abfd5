//! What egui paints as a drawing of lines and letters; only pictures stay pixels.

use egui::emath::Rot2;
use egui::epaint::text::{FontFamily, Galley};
use egui::epaint::{ClippedShape, ColorMode, PathShape, RectShape, StrokeKind, TextShape};
use egui::{Color32, Mesh, Pos2, Rect, Shape, Vec2};

use crate::figure::{Drawing, Face, Outline, Pixels, Rgba, Segment};

/// What of `shapes` are pictures, and what lies beneath them: to be drawn as pixels.
pub fn pictures(shapes: &[ClippedShape]) -> Vec<ClippedShape> {
    let is_picture = |shape: &Shape| matches!(shape, Shape::Callback(_));
    let last = shapes.iter().rposition(|s| is_picture(&s.shape)).map_or(0, |last| last + 1);
    let keep = |s: &&ClippedShape| is_picture(&s.shape) || matches!(s.shape, Shape::Rect(_));
    shapes[..last].iter().filter(keep).cloned().collect()
}

/// The drawing that `shapes` in a window of `size` points make, `unit` millimetres a point.
/// `pictures` are the pixels of the whole window, `pixels_per_point`, that pictures are cut out of.
pub fn drawing(shapes: &[ClippedShape], size: Vec2, unit: f64, pictures: Option<(&Pixels, f32)>) -> Drawing {
    let mut pen = Pen { drawing: Drawing::new([size.x, size.y], unit), faces: Faces::new(), pictures, clip: None };
    let window = Rect::from_min_size(Pos2::ZERO, size);
    for ClippedShape { clip_rect, shape, transform_after_tessellation: transform } in shapes {
        let mut shape = shape.clone();
        if *transform != egui::emath::TSTransform::IDENTITY {
            shape.transform(*transform);
        }
        let clip = clip_rect.intersect(window);
        if !clip.is_positive() {
            continue;
        }
        // Most shapes are seen whole.
        let whole = clip.expand(0.5).contains_rect(shape.visual_bounding_rect());
        pen.clip = (!whole).then_some([clip.left(), clip.top(), clip.right(), clip.bottom()]);
        pen.shape(&shape, clip);
    }
    pen.drawing
}

/// The window's typefaces.
struct Faces {
    proportional: Vec<Face>,
    monospace: Vec<Face>,
}

impl Faces {
    fn new() -> Self {
        use epaint_default_fonts::{EGUI_ICONS, HACK_REGULAR, UBUNTU_LIGHT};
        let faces = |all: [&'static [u8]; 3]| all.into_iter().filter_map(Face::new).collect();
        Self {
            proportional: faces([UBUNTU_LIGHT, EGUI_ICONS, HACK_REGULAR]),
            monospace: faces([HACK_REGULAR, UBUNTU_LIGHT, EGUI_ICONS]),
        }
    }

    fn of(&self, family: &FontFamily, letter: char) -> Option<&Face> {
        let faces = if *family == FontFamily::Monospace { &self.monospace } else { &self.proportional };
        faces.iter().find(|face| face.has(letter)).or(faces.first())
    }
}

struct Pen<'a> {
    drawing: Drawing,
    faces: Faces,
    pictures: Option<(&'a Pixels, f32)>,
    clip: Option<[f32; 4]>,
}

fn rgba(color: Color32) -> Rgba {
    color.to_srgba_unmultiplied()
}

fn at(p: Pos2) -> [f32; 2] {
    [p.x, p.y]
}

impl Pen<'_> {
    fn both(&mut self, outline: Outline, fill: Color32, width: f32, stroke: Color32) {
        self.drawing.fill(self.clip, outline.clone(), rgba(fill));
        self.drawing.stroke(self.clip, outline, width, rgba(stroke));
    }

    fn shape(&mut self, shape: &Shape, clip: Rect) {
        match shape {
            Shape::Noop => {}
            Shape::Vec(shapes) => shapes.iter().for_each(|s| self.shape(s, clip)),
            Shape::Circle(c) => {
                let outline = Outline::ellipse(at(c.center), [c.radius; 2]);
                self.both(outline, c.fill, c.stroke.width, c.stroke.color);
            }
            Shape::Ellipse(e) => {
                let outline = Outline::ellipse(at(e.center), [e.radius.x, e.radius.y]);
                self.both(outline, e.fill, e.stroke.width, e.stroke.color);
            }
            Shape::LineSegment { points, stroke } => {
                let line = Outline::polygon(points.map(at), false);
                self.drawing.stroke(self.clip, line, stroke.width, rgba(stroke.color));
            }
            Shape::Path(path) => self.path(path),
            Shape::Band(band) => {
                let upper = band.points.iter().map(|p| [p.x, p.y.min]);
                let lower = band.points.iter().rev().map(|p| [p.x, p.y.max]);
                let outline = Outline::polygon(upper.chain(lower), true);
                self.both(outline, band.fill, band.stroke.width, band.stroke.color);
            }
            Shape::Rect(rect) => self.rect(rect),
            Shape::Text(text) => self.text(text),
            Shape::Mesh(mesh) => self.mesh(mesh),
            Shape::QuadraticBezier(curve) => {
                let [a, c, b] = curve.points;
                let towards = |p: Pos2| at(p + (c - p) * (2.0 / 3.0));
                let line = Outline(vec![Segment::Move(at(a)), Segment::Cubic(towards(a), towards(b), at(b))]);
                self.both(line, curve.fill, curve.stroke.width, solid(&curve.stroke.color));
            }
            Shape::CubicBezier(curve) => {
                let [a, c, d, b] = curve.points.map(at);
                let line = Outline(vec![Segment::Move(a), Segment::Cubic(c, d, b)]);
                self.both(line, curve.fill, curve.stroke.width, solid(&curve.stroke.color));
            }
            Shape::Callback(callback) => self.picture(callback.rect.intersect(clip)),
        }
    }

    fn path(&mut self, path: &PathShape) {
        let outline = Outline::polygon(path.points.iter().copied().map(at), path.closed);
        self.both(outline, path.fill, path.stroke.width, solid(&path.stroke.color));
    }

    fn rect(&mut self, shape: &RectShape) {
        let radius = f32::from(shape.corner_radius.nw);
        let outline = |rect: Rect| Outline::rounded(at(rect.min), at(rect.max), radius);
        self.drawing.fill(self.clip, outline(shape.rect), rgba(shape.fill));
        let half = 0.5 * shape.stroke.width;
        let framed = match shape.stroke_kind {
            StrokeKind::Inside => shape.rect.shrink(half),
            StrokeKind::Middle => shape.rect,
            StrokeKind::Outside => shape.rect.expand(half),
        };
        self.drawing.stroke(self.clip, outline(framed), shape.stroke.width, rgba(shape.stroke.color));
    }

    fn text(&mut self, text: &TextShape) {
        let turn = Rot2::from_angle(text.angle);
        let galley: &Galley = &text.galley;
        // Where the text stands that a row shows.
        let mut byte = 0;
        for row in &galley.rows {
            let origin = text.pos + turn * row.pos.to_vec2();
            let mut runs: Vec<(Color32, Outline, String)> = Vec::new();
            for glyph in &row.glyphs {
                let section = galley.job.sections.iter().rfind(|s| s.byte_range.start.0 <= byte);
                byte += glyph.chr.len_utf8();
                let vertex = row.visuals.mesh.vertices.get(glyph.first_vertex as usize);
                let (Some(section), Some(vertex)) = (section, vertex) else { continue };
                let font = &section.format.font_id;
                let color = match (text.override_text_color, vertex.color) {
                    (Some(color), _) => color,
                    (None, Color32::PLACEHOLDER) => text.fallback_color,
                    (None, color) => color,
                };
                let color = color.gamma_multiply(text.opacity_factor);
                if runs.last().is_none_or(|(last, ..)| *last != color) {
                    runs.push((color, Outline::default(), String::new()));
                }
                let (Some(face), Some((_, outline, words))) = (self.faces.of(&font.family, glyph.chr), runs.last_mut())
                else {
                    continue;
                };
                words.push(glyph.chr);
                if !glyph.uv_rect.is_nothing() {
                    let place = origin + turn * glyph.pos.to_vec2();
                    let scale = font.size / face.units_per_em();
                    let [cos, sin] = [text.angle.cos(), text.angle.sin()];
                    face.outline(outline, glyph.chr, scale, at(place), [cos, sin]);
                }
            }
            byte += usize::from(row.ends_with_newline);
            for (color, outline, words) in runs {
                self.drawing.write(self.clip, outline, rgba(color), words.trim());
            }
        }
    }

    /// Triangles; neighbours of one colour become one outline, so that no gaps show between them.
    fn mesh(&mut self, mesh: &Mesh) {
        let mut runs: Vec<(Color32, Outline)> = Vec::new();
        for corners in mesh.indices.as_chunks::<3>().0 {
            let [a, b, c] = corners.map(|i| mesh.vertices[i as usize]);
            let mean =
                |of: fn(Color32) -> u8| ([a, b, c].iter().map(|v| u32::from(of(v.color))).sum::<u32>() / 3) as u8;
            let color =
                Color32::from_rgba_premultiplied(mean(|c| c.r()), mean(|c| c.g()), mean(|c| c.b()), mean(|c| c.a()));
            if runs.last().is_none_or(|(last, _)| *last != color) {
                runs.push((color, Outline::default()));
            }
            let around = (b.pos - a.pos).x * (c.pos - a.pos).y - (b.pos - a.pos).y * (c.pos - a.pos).x;
            let points = if around >= 0.0 { [a.pos, b.pos, c.pos] } else { [a.pos, c.pos, b.pos] };
            if let Some((_, outline)) = runs.last_mut() {
                outline.0.extend(Outline::polygon(points.map(at), true).0);
            }
        }
        for (color, outline) in runs {
            self.drawing.fill(self.clip, outline, rgba(color));
        }
    }

    fn picture(&mut self, rect: Rect) {
        let Some((pixels, per_point)) = self.pictures else { return };
        let edge = |v: f32| (v * per_point).round().max(0.0) as u32;
        let [left, top, right, bottom] = [rect.left(), rect.top(), rect.right(), rect.bottom()].map(edge);
        let part = pixels.part([left, top, right.saturating_sub(left), bottom.saturating_sub(top)]);
        let [x, y] = [left, top].map(|v| v as f32 / per_point);
        let [width, height] = part.size.map(|v| v as f32 / per_point);
        self.drawing.paste(None, [x, y, width, height], part);
    }
}

/// The colour of a path; of one that changes along it, none: the window has no such paths.
fn solid(color: &ColorMode) -> Color32 {
    match color {
        ColorMode::Solid(color) => *color,
        ColorMode::UV(_) => Color32::TRANSPARENT,
    }
}

#[cfg(test)]
mod tests {
    use egui::{Align2, FontId, Stroke};

    use super::*;
    use crate::figure::Paint;

    #[test]
    fn what_is_painted_is_drawn_with_its_colours_and_words() {
        let ctx = egui::Context::default();
        let output = ctx.run_ui(egui::RawInput::default(), |ui| {
            let painter = ui.painter();
            painter.rect_filled(Rect::from_min_size(Pos2::ZERO, Vec2::splat(50.0)), 3.0, Color32::RED);
            painter.line_segment([Pos2::ZERO, Pos2::new(40.0, 40.0)], Stroke::new(2.0, Color32::GREEN));
            let font = FontId::proportional(14.0);
            painter.text(Pos2::new(5.0, 5.0), Align2::LEFT_TOP, "k [h/Mpc] ± ³", font, Color32::BLUE);
            let mut mesh = Mesh::default();
            mesh.add_colored_rect(Rect::from_min_size(Pos2::ZERO, Vec2::splat(8.0)), Color32::YELLOW);
            painter.add(Shape::mesh(mesh));
        });
        let shapes = output.shapes.clone();
        output.drop_without_applying_deltas();
        let drawing = drawing(&shapes, Vec2::splat(60.0), 0.2, None);
        let fills = |wanted: Rgba| {
            let fill = move |p: &&(_, Paint)| matches!(&p.1, Paint::Fill { color, .. } if *color == wanted);
            drawing.paints.iter().filter(fill).count()
        };
        assert_eq!([[255, 0, 0, 255], [255, 255, 0, 255]].map(fills), [1, 1]);
        let text = drawing.paints.iter().find_map(|(_, paint)| match paint {
            Paint::Fill { words: Some(words), path, color } => Some((words.clone(), path.clone(), *color)),
            _ => None,
        });
        let (words, path, color) = text.unwrap();
        assert_eq!((words.as_str(), color), ("k [h/Mpc] ± ³", [0, 0, 255, 255]));
        // Every letter has its shape, and they stand where they were put.
        let points = path.0.iter().filter_map(|s| match *s {
            Segment::Move(p) | Segment::Line(p) | Segment::Cubic(.., p) => Some(p),
            Segment::Close => None,
        });
        let (low, high) = points.fold((f32::MAX, f32::MIN), |(low, high), p| (low.min(p[1]), high.max(p[1])));
        assert!(low > 5.0 && high < 24.0, "{low} to {high}");
        // Ten letters, and the p has an inside.
        let contours = path.0.iter().filter(|s| **s == Segment::Close).count();
        assert!(contours >= 11, "{contours} contours");
        assert!(drawing.paints.iter().any(|(_, p)| matches!(p, Paint::Stroke { width: 2.0, .. })));
    }

    #[test]
    fn text_that_stands_upright_runs_upwards() {
        let ctx = egui::Context::default();
        let output = ctx.run_ui(egui::RawInput::default(), |ui| {
            let galley = ui.painter().layout_no_wrap("P(k)".to_owned(), FontId::proportional(12.0), Color32::BLACK);
            let text = TextShape::new(Pos2::new(20.0, 100.0), galley, Color32::BLACK);
            ui.painter().add(text.with_angle(-std::f32::consts::FRAC_PI_2));
        });
        let shapes = output.shapes.clone();
        output.drop_without_applying_deltas();
        let drawing = drawing(&shapes, Vec2::splat(200.0), 0.2, None);
        let Some((_, Paint::Fill { path, .. })) = drawing.paints.first() else { panic!("the text") };
        let moves: Vec<[f32; 2]> =
            path.0.iter().filter_map(|s| if let Segment::Move(p) = s { Some(*p) } else { None }).collect();
        assert!(moves.iter().all(|p| (20.0..36.0).contains(&p[0]) && (70.0..100.5).contains(&p[1])), "{moves:?}");
    }
}

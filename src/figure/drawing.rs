//! A drawing: what is filled, stroked and pasted, in order.

use std::sync::Arc;

use super::Pixels;

/// Red, green, blue and opacity, sRGB, not premultiplied.
pub type Rgba = [u8; 4];

/// A piece of a path; coordinates run right and down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Segment {
    /// Go there.
    Move([f32; 2]),
    /// A straight line.
    Line([f32; 2]),
    /// A cubic Bézier curve: two controls and the end.
    Cubic([f32; 2], [f32; 2], [f32; 2]),
    /// Back to where the last [`Segment::Move`] went.
    Close,
}

/// A path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// Straight lines through `points`, back to the first one if `closed`.
    pub fn polygon(points: impl IntoIterator<Item = [f32; 2]>, closed: bool) -> Self {
        let mut segments: Vec<Segment> = points.into_iter().map(Segment::Line).collect();
        if let Some(first) = segments.first_mut()
            && let Segment::Line(at) = *first
        {
            *first = Segment::Move(at);
            if closed {
                segments.push(Segment::Close);
            }
        }
        Self(segments)
    }

    /// A rectangle from corner to corner.
    pub fn rectangle([left, top]: [f32; 2], [right, bottom]: [f32; 2]) -> Self {
        Self::polygon([[left, top], [right, top], [right, bottom], [left, bottom]], true)
    }

    /// A rectangle whose corners are rounded with `radius`.
    pub fn rounded([left, top]: [f32; 2], [right, bottom]: [f32; 2], radius: f32) -> Self {
        let r = radius.min(0.5 * (right - left)).min(0.5 * (bottom - top));
        if r <= 0.0 {
            return Self::rectangle([left, top], [right, bottom]);
        }
        let c = r * (1.0 - KAPPA);
        use Segment::{Close, Cubic, Line, Move};
        Self(vec![
            Move([left + r, top]),
            Line([right - r, top]),
            Cubic([right - c, top], [right, top + c], [right, top + r]),
            Line([right, bottom - r]),
            Cubic([right, bottom - c], [right - c, bottom], [right - r, bottom]),
            Line([left + r, bottom]),
            Cubic([left + c, bottom], [left, bottom - c], [left, bottom - r]),
            Line([left, top + r]),
            Cubic([left, top + c], [left + c, top], [left + r, top]),
            Close,
        ])
    }

    /// A circle, or an ellipse along the axes.
    pub fn ellipse([x, y]: [f32; 2], [a, b]: [f32; 2]) -> Self {
        let (ka, kb) = (a * KAPPA, b * KAPPA);
        use Segment::{Close, Cubic, Move};
        Self(vec![
            Move([x + a, y]),
            Cubic([x + a, y + kb], [x + ka, y + b], [x, y + b]),
            Cubic([x - ka, y + b], [x - a, y + kb], [x - a, y]),
            Cubic([x - a, y - kb], [x - ka, y - b], [x, y - b]),
            Cubic([x + ka, y - b], [x + a, y - kb], [x + a, y]),
            Close,
        ])
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Controls of a quarter of a circle lie so far along its tangents, in radii.
const KAPPA: f32 = 0.552_284_7;

/// What is done.
#[derive(Debug, Clone)]
pub enum Paint {
    /// Fill a path (what it winds around, however often).
    Fill {
        /// The path.
        path: Path,
        /// With this.
        color: Rgba,
        /// The words that it spells, where it is writing: for readers and for search.
        words: Option<String>,
    },
    /// Follow a path with a pen.
    Stroke {
        /// The path.
        path: Path,
        /// Width of the pen.
        width: f32,
        /// Its ink.
        color: Rgba,
    },
    /// Paste a picture.
    Picture {
        /// Left, top, width, height.
        at: [f32; 4],
        /// The picture.
        pixels: Arc<Pixels>,
    },
}

/// A drawing on a white sheet.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    /// Width and height in its own unit.
    pub size: [f32; 2],
    /// Millimetres a unit.
    pub unit: f64,
    /// What is done, in order, and what of it is seen: left, top, right, bottom.
    pub paints: Vec<(Option<[f32; 4]>, Paint)>,
}

impl Drawing {
    /// An empty sheet of `size` units of `unit` millimetres.
    pub fn new(size: [f32; 2], unit: f64) -> Self {
        Self { size, unit, paints: Vec::new() }
    }

    /// Fill a path.
    pub fn fill(&mut self, clip: Option<[f32; 4]>, path: Path, color: Rgba) {
        if color[3] > 0 && !path.is_empty() {
            self.paints.push((clip, Paint::Fill { path, color, words: None }));
        }
    }

    /// Follow a path with a pen.
    pub fn stroke(&mut self, clip: Option<[f32; 4]>, path: Path, width: f32, color: Rgba) {
        if color[3] > 0 && width > 0.0 && !path.is_empty() {
            self.paints.push((clip, Paint::Stroke { path, width, color }));
        }
    }

    /// Write `words`, whose letters have this outline.
    pub fn write(&mut self, clip: Option<[f32; 4]>, path: Path, color: Rgba, words: impl Into<String>) {
        if color[3] > 0 && !path.is_empty() {
            self.paints.push((clip, Paint::Fill { path, color, words: Some(words.into()) }));
        }
    }

    /// Paste a picture.
    pub fn paste(&mut self, clip: Option<[f32; 4]>, at: [f32; 4], pixels: Pixels) {
        if !pixels.rgb.is_empty() {
            self.paints.push((clip, Paint::Picture { at, pixels: Arc::new(pixels) }));
        }
    }
}

//! Outlines of letters: files of figures carry shapes, and look the same where the font is not
//! installed.

use ab_glyph::{Font, FontRef, OutlineCurve};

use super::drawing::{Path, Segment};

/// A typeface.
#[derive(Clone)]
pub struct Face(Box<FontRef<'static>>);

impl Face {
    /// From the bytes of a TrueType or OpenType font; `None` where they are none.
    pub fn new(bytes: &'static [u8]) -> Option<Self> {
        FontRef::try_from_slice(bytes).ok().map(Box::new).map(Self)
    }

    /// Whether it has a shape for `letter`.
    pub fn has(&self, letter: char) -> bool {
        self.0.glyph_id(letter).0 != 0
    }

    /// Units of the font in an em.
    pub fn units_per_em(&self) -> f32 {
        self.0.units_per_em().unwrap_or(1000.0)
    }

    /// Units of the font from its highest letter to its deepest.
    pub fn height(&self) -> f32 {
        self.0.height_unscaled()
    }

    /// How far the next letter stands from `letter`, with the kerning between both, in units of the
    /// font.
    pub fn advance(&self, letter: char, next: Option<char>) -> f32 {
        let id = self.0.glyph_id(letter);
        let kern = next.map_or(0.0, |next| self.0.kern_unscaled(id, self.0.glyph_id(next)));
        self.0.h_advance_unscaled(id) + kern
    }

    /// Add the outline of `letter` to `path`, `scale` units of the drawing to one of the font, its
    /// baseline beginning at `at` and running in the direction `(cos, sin)`.
    pub fn outline(&self, path: &mut Path, letter: char, scale: f32, at: [f32; 2], [cos, sin]: [f32; 2]) {
        let Some(outline) = self.0.outline(self.0.glyph_id(letter)) else { return };
        // Fonts count upwards.
        let place = |p: ab_glyph::Point| {
            let (x, y) = (scale * p.x, -scale * p.y);
            [at[0] + cos * x - sin * y, at[1] + sin * x + cos * y]
        };
        let mut here: Option<ab_glyph::Point> = None;
        for curve in outline.curves {
            let (from, to) = match curve {
                OutlineCurve::Line(a, b) | OutlineCurve::Quad(a, _, b) | OutlineCurve::Cubic(a, _, _, b) => (a, b),
            };
            if here != Some(from) {
                if here.is_some() {
                    path.0.push(Segment::Close);
                }
                path.0.push(Segment::Move(place(from)));
            }
            path.0.push(match curve {
                OutlineCurve::Line(_, b) => Segment::Line(place(b)),
                OutlineCurve::Quad(a, c, b) => {
                    // The same curve as a cubic.
                    let towards = |p: ab_glyph::Point| {
                        place(ab_glyph::point(p.x + (c.x - p.x) * 2.0 / 3.0, p.y + (c.y - p.y) * 2.0 / 3.0))
                    };
                    Segment::Cubic(towards(a), towards(b), place(b))
                }
                OutlineCurve::Cubic(_, c, d, b) => Segment::Cubic(place(c), place(d), place(b)),
            });
            here = Some(to);
        }
        if here.is_some() {
            path.0.push(Segment::Close);
        }
    }
}

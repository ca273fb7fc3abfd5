//! What figures are drawn on: pixels, or a drawing of lines and letters. One drawing code serves
//! both, and both have the same layout.

use std::cell::RefCell;
use std::rc::Rc;

use plotters::prelude::BitMapBackend;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontTransform,
};

use crate::figure::{Drawing, Face, Outline, Pixels, Rgba};

/// A sheet to draw on.
pub(super) enum Canvas<'a> {
    /// Pixels.
    Pixels(BitMapBackend<'a>),
    /// Lines and letters, these in a face of their own.
    Drawing(Rc<RefCell<Drawing>>, Face),
}

type Failure<'a> = DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>;

fn rgba(color: BackendColor) -> Rgba {
    let (r, g, b) = color.rgb;
    [r, g, b, (255.0 * color.alpha).round().clamp(0.0, 255.0) as u8]
}

/// The middle of a pixel, where lines run.
fn middle((x, y): BackendCoord) -> [f32; 2] {
    [x as f32 + 0.5, y as f32 + 0.5]
}

/// The upper left corner of a pixel.
fn corner((x, y): BackendCoord) -> [f32; 2] {
    [x as f32, y as f32]
}

impl<'a> DrawingBackend for Canvas<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        match self {
            Self::Pixels(pixels) => pixels.get_size(),
            Self::Drawing(drawing, _) => {
                let [width, height] = drawing.borrow().size;
                (width as u32, height as u32)
            }
        }
    }

    fn ensure_prepared(&mut self) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.ensure_prepared(),
            Self::Drawing(..) => Ok(()),
        }
    }

    fn present(&mut self) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.present(),
            Self::Drawing(..) => Ok(()),
        }
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.draw_pixel(at, color),
            Self::Drawing(drawing, _) => {
                let pixel = Outline::rectangle(corner(at), corner((at.0 + 1, at.1 + 1)));
                drawing.borrow_mut().fill(None, pixel, rgba(color));
                Ok(())
            }
        }
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.draw_line(from, to, style),
            Self::Drawing(..) => self.draw_path([from, to], style),
        }
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.draw_rect(from, to, style, fill),
            Self::Drawing(drawing, _) => {
                let (low, high) = ((from.0.min(to.0), from.1.min(to.1)), (from.0.max(to.0), from.1.max(to.1)));
                let mut drawing = drawing.borrow_mut();
                if fill {
                    let area = Outline::rectangle(corner(low), corner((high.0 + 1, high.1 + 1)));
                    drawing.fill(None, area, rgba(style.color()));
                } else {
                    let frame = Outline::rectangle(middle(low), middle(high));
                    drawing.stroke(None, frame, style.stroke_width() as f32, rgba(style.color()));
                }
                Ok(())
            }
        }
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.draw_path(path, style),
            Self::Drawing(drawing, _) => {
                let line = Outline::polygon(path.into_iter().map(middle), false);
                drawing.borrow_mut().stroke(None, line, style.stroke_width() as f32, rgba(style.color()));
                Ok(())
            }
        }
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.draw_circle(center, radius, style, fill),
            Self::Drawing(drawing, _) => {
                let circle = Outline::ellipse(middle(center), [radius as f32; 2]);
                let mut drawing = drawing.borrow_mut();
                match fill {
                    true => drawing.fill(None, circle, rgba(style.color())),
                    false => drawing.stroke(None, circle, style.stroke_width() as f32, rgba(style.color())),
                }
                Ok(())
            }
        }
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.fill_polygon(corners, style),
            Self::Drawing(drawing, _) => {
                let area = Outline::polygon(corners.into_iter().map(middle), true);
                drawing.borrow_mut().fill(None, area, rgba(style.color()));
                Ok(())
            }
        }
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, at: BackendCoord) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.draw_text(text, style, at),
            Self::Drawing(drawing, face) => {
                let ((left, top), (right, bottom)) =
                    style.layout_box(text).map_err(|e| DrawingErrorKind::FontError(Box::new(e)))?;
                let (width, height) = ((right - left) as f32, (bottom - top) as f32);
                let x = match style.anchor().h_pos {
                    HPos::Left => 0.0,
                    HPos::Right => -width,
                    HPos::Center => -0.5 * width,
                };
                let y = match style.anchor().v_pos {
                    VPos::Top => 0.0,
                    VPos::Center => -0.5 * height,
                    VPos::Bottom => -height,
                };
                let [cos, sin] = match style.transform() {
                    FontTransform::None => [1.0, 0.0],
                    FontTransform::Rotate90 => [0.0, 1.0],
                    FontTransform::Rotate180 => [-1.0, 0.0],
                    FontTransform::Rotate270 => [0.0, -1.0],
                };
                // Where the same writing has its baseline among pixels.
                let size = style.size() as f32;
                let (mut x, y) = (x, y + 0.5 * size);
                let scale = size / face.height();
                let mut path = Outline::default();
                let mut letters = text.chars().peekable();
                while let Some(letter) = letters.next() {
                    let origin = [at.0 as f32 + cos * x - sin * y, at.1 as f32 + sin * x + cos * y];
                    face.outline(&mut path, letter, scale, origin, [cos, sin]);
                    x += scale * face.advance(letter, letters.peek().copied());
                }
                drawing.borrow_mut().write(None, path, rgba(style.color()), text);
                Ok(())
            }
        }
    }

    fn blit_bitmap(&mut self, at: BackendCoord, size: (u32, u32), bytes: &[u8]) -> Result<(), Failure<'a>> {
        match self {
            Self::Pixels(pixels) => pixels.blit_bitmap(at, size, bytes),
            Self::Drawing(drawing, _) => {
                let place = [at.0 as f32, at.1 as f32, size.0 as f32, size.1 as f32];
                let pixels = Pixels { size: [size.0, size.1], rgb: bytes.to_vec() };
                drawing.borrow_mut().paste(None, place, pixels);
                Ok(())
            }
        }
    }
}

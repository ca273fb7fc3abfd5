//! A figure as it is drawn and written: its paper and ink, the frames of its charts, its files.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Once;

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::{CoordTranslate, Shift};
use plotters::prelude::*;
use plotters::style::register_font;
use serde_json::Value;

use super::canvas::Canvas;
use crate::error::{Error, Result};
use crate::figure::{DOTS_PER_INCH, Drawing, Face, Format, INCH, Pixels, Provenance, encode_png};
use crate::io::atomic;

/// A figure's files, and what they tell of where it came from.
#[derive(Debug, Clone)]
pub struct FigureFiles {
    /// The files without their endings.
    pub path: PathBuf,
    /// A file for each.
    pub formats: Vec<Format>,
    /// What was done, in a sentence or two: below the figure, and in its files.
    pub caption: String,
    /// The same for programs.
    pub details: Value,
}

impl FigureFiles {
    /// Files at `path` (without its ending), which say no more than the caption.
    pub fn new(path: impl Into<PathBuf>, formats: &[Format], caption: impl Into<String>) -> Self {
        Self { path: path.into(), formats: formats.to_vec(), caption: caption.into(), details: Value::Null }
    }

    /// The same figure's files beside each other, under another name.
    pub(super) fn named(&self, name: &str) -> Self {
        Self { path: self.path.join(name), ..self.clone() }
    }
}

/// The family every figure is set in.
pub(super) const FONT: &str = "halodi";
/// Ink for axes and text.
pub(super) const INK: RGBColor = RGBColor(30, 30, 34);
/// Ink for captions and minor things.
pub(super) const FAINT: RGBColor = RGBColor(110, 110, 118);

/// Colours of Okabe & Ito, which the colour-blind tell apart: what is predicted.
pub(super) const VERMILION: RGBColor = RGBColor(213, 94, 0);
/// What it is compared with.
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
/// What is asked for.
pub(super) const GREEN: RGBColor = RGBColor(0, 158, 115);
/// Several of a kind, such as HALO's mass bins.
pub(super) const SERIES: [RGBColor; 4] =
    [RGBColor(86, 180, 233), GREEN, RGBColor(230, 159, 0), RGBColor(204, 121, 167)];

/// What plotters draws on.
pub(super) type Area<'a> = DrawingArea<Canvas<'a>, Shift>;

/// What drawing may fail with; only a font or a size can be at fault, and both
/// are ours.
pub(super) type DrawResult = std::result::Result<(), Box<dyn std::error::Error>>;

/// What every figure lies on and its charts have.
const MESH: RGBColor = RGBColor(228, 228, 232);

/// Draw a figure of `width × height` dots, 300 an inch, on white with `draw` and write it in every
/// format that `files` asks for, each atomically. Returns their paths.
pub(super) fn write(
    files: &FigureFiles,
    title: &str,
    (width, height): (u32, u32),
    draw: impl Fn(&Area) -> DrawResult,
) -> Result<Vec<PathBuf>> {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // The bytes are those the window uses; they are known to be a font.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    let provenance = Provenance { details: files.details.clone(), ..Provenance::new(title, &files.caption) };
    let mut written = Vec::new();
    for &format in &files.formats {
        let path = files.path.with_added_extension(format.extension());
        let failed = |error: Box<dyn std::error::Error>| Error::output(&path, error);
        let bytes = match format {
            Format::Png => encode_png(&pixels((width, height), &draw).map_err(failed)?, DOTS_PER_INCH, &provenance),
            Format::Svg => drawing((width, height), &draw).map_err(failed)?.svg(&provenance).into_bytes(),
            Format::Pdf => drawing((width, height), &draw).map_err(failed)?.pdf(&provenance),
        };
        atomic::write(&path, &bytes)?;
        written.push(path);
    }
    Ok(written)
}

type Drawn<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn pixels((width, height): (u32, u32), draw: &impl Fn(&Area) -> DrawResult) -> Drawn<Pixels> {
    let mut rgb = vec![255u8; (width * height * 3) as usize];
    {
        let area = Canvas::Pixels(BitMapBackend::with_buffer(&mut rgb, (width, height))).into_drawing_area();
        draw(&area)?;
        area.present()?;
    }
    Ok(Pixels { size: [width, height], rgb })
}

fn drawing((width, height): (u32, u32), draw: &impl Fn(&Area) -> DrawResult) -> Drawn<Drawing> {
    let face = Face::new(epaint_default_fonts::UBUNTU_LIGHT).expect("the window's font is one");
    let sheet = Rc::new(RefCell::new(Drawing::new([width as f32, height as f32], INCH / DOTS_PER_INCH)));
    draw(&Canvas::Drawing(sheet.clone(), face).into_drawing_area())?;
    Ok(sheet.take())
}

/// What is drawn of a chart beside its curves.
pub(super) struct Frame<'a> {
    /// Above it.
    pub title: &'a str,
    /// Below its horizontal axis.
    pub x: &'a str,
    /// Beside its vertical axis.
    pub y: &'a str,
    /// How values of the horizontal axis are written.
    pub x_label: &'a dyn Fn(&f64) -> String,
    /// How values of the vertical axis are written.
    pub y_label: &'a dyn Fn(&f64) -> String,
}

/// A chart with axes over the ranges `x` and `y`, linear or logarithmic.
#[expect(clippy::type_complexity, reason = "plotters names coordinates by their types")]
pub(super) fn chart<'a, 'b, X, Y>(
    area: &'a Area<'b>,
    frame: &Frame<'_>,
    x: X,
    y: Y,
) -> Drawn<ChartContext<'a, Canvas<'b>, Cartesian2d<X::CoordDescType, Y::CoordDescType>>>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(frame.title, style(32, &INK))
        .margin(24)
        .x_label_area_size(84)
        .y_label_area_size(130)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(MESH)
        .axis_style(ShapeStyle::from(&INK).stroke_width(2))
        .label_style(style(26, &INK))
        .axis_desc_style(style(28, &INK))
        .x_desc(frame.x)
        .y_desc(frame.y)
        .x_label_formatter(frame.x_label)
        .y_label_formatter(frame.y_label)
        .draw()?;
    Ok(chart)
}

/// `text` in the figures' font.
pub(super) fn style(size: u32, color: &RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().color(color)
}

/// Write `text` in small letters from the height `top` on, in as many lines as it takes.
pub(super) fn write_caption(area: &Area, text: &str, top: i32) -> DrawResult {
    const LETTERS: u32 = 22;
    const LEFT: i32 = 40;
    let style = style(LETTERS, &FAINT);
    let widest = area.dim_in_pixel().0.saturating_sub(2 * LEFT as u32);
    let fits = |line: &str| area.estimate_text_size(line, &style).map_or(true, |(width, _)| width <= widest);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line} {word}")) => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    for (number, line) in lines.iter().enumerate() {
        area.draw_text(line, &style, (LEFT, top + (number as u32 * (LETTERS + 5)) as i32))?;
    }
    Ok(())
}

/// Draw the legend of a chart's labelled series, in letters of `size`.
pub(super) fn legend<'a, 'b: 'a, C: CoordTranslate>(
    chart: &mut ChartContext<'a, Canvas<'b>, C>,
    size: u32,
    position: SeriesLabelPosition,
) -> DrawResult {
    chart
        .configure_series_labels()
        .label_font(style(size, &INK))
        .background_style(WHITE.mix(0.85))
        .border_style(TRANSPARENT)
        .position(position)
        .draw()?;
    Ok(())
}

/// The label of a tick on a logarithmic axis: `1`, `10³` and the like, with 2
/// and 5 between them where the axis has few `decades`; empty elsewhere.
pub(super) fn log_label(value: f64, decades: f64) -> String {
    let power = (value.log10() + 1e-6).floor() as i32;
    let step = (value / 10f64.powi(power)).round() as i32;
    match step {
        1 => decade(power),
        2 | 5 if decades < 2.5 => step_label(step, power),
        _ => String::new(),
    }
}

/// `step · 10^power` as short as it goes.
pub(super) fn step_label(step: i32, power: i32) -> String {
    if (-4..=3).contains(&power) {
        let places = (-power).max(0) as usize;
        format!("{:.places$}", f64::from(step) * 10f64.powi(power))
    } else {
        format!("{step}·{}", decade(power))
    }
}

/// `10ⁿ`, or the plain number where that is as short. The font has raised
/// digits but no raised minus, so small numbers are written as programs do.
pub(super) fn decade(exponent: i32) -> String {
    match exponent {
        -4..=0 => format!("{:.*}", -exponent as usize, 10f64.powi(exponent)),
        1..=2 => format!("{}", 10i32.pow(exponent as u32)),
        i32::MIN..=-5 => format!("1e{exponent}"),
        _ => {
            let raised = |c: char| match c {
                '1' => '¹',
                '2' => '²',
                '3' => '³',
                other => other.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(other),
            };
            format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_written_with_raised_digits() {
        assert_eq!(decade(-3), "0.001");
        assert_eq!(decade(-7), "1e-7");
        assert_eq!(decade(12), "10¹²");
        assert_eq!(decade(0), "1");
        assert_eq!(log_label(1e5, 4.0), "10⁵");
        assert_eq!(log_label(2e5, 4.0), "");
        assert_eq!(log_label(0.5, 1.0), "0.5");
        assert_eq!(log_label(20.0, 1.0), "20");
        assert_eq!(log_label(0.3, 1.0), "");
    }
}

//! A figure in memory: pixels, the embedded font, and PNG with its provenance.

use std::path::Path;
use std::sync::Once;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use plotters::coord::{CoordTranslate, Shift};
use plotters::prelude::*;
use plotters::style::register_font;

use crate::error::{Error, Result};
use crate::io::atomic;

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
pub(super) type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;

/// What drawing may fail with; only a font or a size can be at fault, and both
/// are ours.
pub(super) type DrawResult = std::result::Result<(), Box<dyn std::error::Error>>;

/// Draw a figure of `width × height` pixels on white with `draw` and write it to
/// `path` as PNG, atomically, with `description` (UTF-8) as its metadata.
pub(super) fn write(
    path: &Path,
    (width, height): (u32, u32),
    description: &str,
    draw: impl FnOnce(&Area) -> DrawResult,
) -> Result<()> {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // The bytes are those the window uses; they are known to be a font.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    let mut pixels = vec![255u8; (width * height * 3) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?)).map_err(|error| Error::output(path, error))?;
    }
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| Error::output(path, error))?;
    atomic::write(path, &with_description(png, description))
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
    chart: &mut ChartContext<'a, BitMapBackend<'b>, C>,
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

/// Insert an `iTXt` chunk named "Description" after the header of a PNG.
fn with_description(png: Vec<u8>, description: &str) -> Vec<u8> {
    // Signature (8 bytes) and IHDR (length 4, name 4, data 13, CRC 4).
    const AFTER_HEADER: usize = 33;
    let mut chunk = b"iTXtDescription\0\0\0\0\0".to_vec();
    chunk.extend(description.replace('\0', "").bytes());
    let mut out = png[..AFTER_HEADER].to_vec();
    out.extend(((chunk.len() - 4) as u32).to_be_bytes());
    out.extend(&chunk);
    out.extend(crc32(&chunk).to_be_bytes());
    out.extend(&png[AFTER_HEADER..]);
    out
}

/// The CRC of the PNG specification (ISO 3309), bit by bit: captions are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_the_specification() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
    }

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

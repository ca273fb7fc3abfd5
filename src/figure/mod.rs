//! Files of figures: drawings made of lines and letters as SVG and PDF, pictures as PNG with their
//! density, each with what it was made from.

mod drawing;
mod face;
mod pdf;
mod png;
mod svg;

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

pub use drawing::{Drawing, Paint, Path as Outline, Rgba, Segment};
pub use face::Face;
pub use png::encode as encode_png;

use crate::error::{Error, Result};

/// Dots an inch of pictures and of the pictures in drawings: what journals ask for.
pub const DOTS_PER_INCH: f64 = 300.0;
/// Millimetres an inch.
pub const INCH: f64 = 25.4;

/// What a figure is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Pixels, 300 an inch.
    #[default]
    Png,
    /// Lines and letters, for the web and to be edited.
    Svg,
    /// Lines and letters, for LaTeX.
    Pdf,
}

impl Format {
    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
        }
    }

    /// The format of the file at `path`, by its ending.
    ///
    /// # Errors
    /// [`Error::Setting`] for an ending of another kind of file.
    pub fn of(path: &Path) -> Result<Self> {
        let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
        let known = [Self::Png, Self::Svg, Self::Pdf].into_iter().find(|f| end.as_deref() == Some(f.extension()));
        known.ok_or_else(|| {
            let found = end.map_or("no ending".to_owned(), |end| format!("the ending '.{end}'"));
            Error::setting(
                format!("{found} of {}", path.display()),
                "a figure's, .png, .svg or .pdf",
                "Write it under another name",
            )
        })
    }
}

/// What a figure was made from; kept inside the file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Provenance {
    /// What the figure shows.
    pub title: String,
    /// What it was made from, in a sentence or two.
    pub description: String,
    /// The same for programs: snapshot, weights and their checksums, seed, settings.
    pub details: Value,
}

impl Provenance {
    /// A title and a description alone.
    pub fn new(title: impl Into<String>, description: impl Into<String>) -> Self {
        Self { title: title.into(), description: description.into(), details: Value::Null }
    }

    /// The details as text; empty where there are none.
    pub(crate) fn details(&self) -> String {
        if self.details.is_null() { String::new() } else { self.details.to_string() }
    }
}

/// Name and version of the program.
pub const PROGRAM: &str = concat!("halodi ", env!("CARGO_PKG_VERSION"));

/// Pixels, three bytes (sRGB) each, row by row from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Across and down.
    pub size: [u32; 2],
    /// `3 · width · height` bytes.
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// The part `[left, top, width, height]`, as far as it lies inside.
    pub fn part(&self, [left, top, width, height]: [u32; 4]) -> Self {
        let [w, h] = self.size;
        let (left, top) = (left.min(w), top.min(h));
        let (width, height) = (width.min(w - left), height.min(h - top));
        let row = |y: u32| {
            let start = 3 * (y * w + left) as usize;
            &self.rgb[start..start + 3 * width as usize]
        };
        Self { size: [width, height], rgb: (top..top + height).flat_map(row).copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_says_the_format_and_another_one_is_refused() {
        assert_eq!(Format::of(Path::new("a/b.SVG")).unwrap(), Format::Svg);
        assert_eq!(Format::of(Path::new("b.pdf")).unwrap(), Format::Pdf);
        let error = Format::of(Path::new("fig.jpeg")).unwrap_err().to_string();
        assert!(error.contains("fig.jpeg") && error.contains("'.jpeg'") && error.contains(".pdf"), "{error}");
        assert!(Format::of(Path::new("fig")).is_err());
    }

    #[test]
    fn a_part_of_pixels_is_cut_out_and_ends_at_the_border() {
        let pixels = Pixels { size: [3, 2], rgb: (0..18).collect() };
        assert_eq!(pixels.part([1, 1, 9, 9]), Pixels { size: [2, 1], rgb: (12..18).collect() });
        assert_eq!(pixels.part([7, 0, 2, 2]).size, [0, 2]);
    }
}

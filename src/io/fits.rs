//! Cubes in FITS, the format of radio and HI surveys (Pence et al. 2010,
//! A&A 524, A42): the first image of three axes in a file.
//!
//! A FITS file is a sequence of units, each a header of lines of 80 characters
//! in blocks of 2880 bytes and big-endian data. Compressed images, tables and
//! random groups are not read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::h5;
use crate::error::{Error, Result};

const LINE: usize = 80;
const BLOCK: u64 = 2880;
/// Blocks of a header: more is no header.
const LONGEST: usize = 1024;
/// Units that are looked at.
const UNITS: usize = 64;

/// An image of three axes of one length.
#[derive(Debug, Clone)]
pub(super) struct FitsCube {
    /// Voxels per axis.
    pub n: usize,
    /// Whether the first axis, which runs fastest, is x.
    pub reversed: bool,
    /// The header's values as they are written, by keyword; text without quotes.
    pub cards: BTreeMap<String, String>,
    bits: i64,
    start: u64,
    scale: f64,
    zero: f64,
    blank: Option<i64>,
}

/// Whether the file at `path` begins as a FITS file does.
pub(super) fn is_fits(path: &Path) -> Result<bool> {
    Ok(h5::first_bytes::<9>(path)? == b"SIMPLE  =")
}

impl FitsCube {
    /// Find the first cube in the file at `path`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none, or the file is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| h5::unreadable(path, &error))?;
        let size = file.metadata().map_err(|error| h5::unreadable(path, &error))?.len();
        let mut at = 0u64;
        let mut shapes = Vec::new();
        for _ in 0..UNITS {
            if at >= size {
                break;
            }
            let (cards, start) = header(path, &mut file, at, size)?;
            let unit = Unit::of(&cards).ok_or_else(|| damaged(path, "a header does not say what its data are"))?;
            let end = start.saturating_add(unit.bytes);
            if unit.image && unit.axes.iter().filter(|&&side| side > 1).count() >= 3 {
                return Self::of(path, cards, &unit, start, size);
            }
            shapes.push(format!("{:?}", unit.axes));
            at = end.div_ceil(BLOCK).saturating_mul(BLOCK);
        }
        Err(Error::input(
            path,
            format!("the FITS file holds no image of three axes (its images have the axes {})", shapes.join(", ")),
            "a cube of N × N × N voxels",
            "Save the cube as the primary image",
        ))
    }

    fn of(path: &Path, cards: BTreeMap<String, String>, unit: &Unit, start: u64, size: u64) -> Result<Self> {
        let axes: Vec<u64> = unit.axes.iter().copied().filter(|&side| side > 1).collect();
        let n = match axes[..] {
            [a, b, c] if a == b && b == c && a <= 1 << 16 => a as usize,
            _ => {
                return Err(Error::input(
                    path,
                    format!("its image has the axes {:?}", unit.axes),
                    "a cube of N × N × N voxels",
                    "Cut or regrid it to a cube",
                ));
            }
        };
        let kind = |i: usize| cards.get(&format!("CTYPE{i}")).map(|t| t.to_uppercase()).unwrap_or_default();
        let sky = ["RA--", "DEC-", "GLON", "GLAT", "FREQ", "VRAD", "VELO", "VOPT", "WAVE", "FELO"];
        if let Some(axis) = (1..=3).map(kind).find(|kind| sky.iter().any(|s| kind.starts_with(s))) {
            return Err(Error::input(
                path,
                format!("its axes are those of the sky ({axis})"),
                "a comoving box",
                "Put the cube on comoving coordinates first",
            ));
        }
        let end = start.saturating_add(unit.bytes);
        if end > size {
            return Err(Error::input(
                path,
                format!("the file ends before its {n}³ values do ({size} bytes, not {end})"),
                "a complete file",
                "Copy or download it again",
            ));
        }
        let number = |key: &str, usual: f64| match cards.get(key) {
            Some(text) => float(text).ok_or_else(|| damaged(path, &format!("{key} is {text}"))),
            None => Ok(usual),
        };
        Ok(Self {
            n,
            reversed: kind(1).starts_with('X') && !kind(3).starts_with('X'),
            bits: unit.bits,
            start,
            scale: number("BSCALE", 1.0)?,
            zero: number("BZERO", 0.0)?,
            blank: cards.get("BLANK").and_then(|text| text.parse().ok()).filter(|_| unit.bits > 0),
            cards,
        })
    }

    /// A number of the header.
    pub fn number(&self, key: &str) -> Option<f64> {
        float(self.cards.get(key)?)
    }

    /// The values of consecutive planes of the slowest axis.
    ///
    /// # Errors
    /// [`Error::Input`] where they cannot be read.
    pub fn planes(&self, path: &Path, planes: Range<usize>) -> Result<Vec<f32>> {
        let width = self.bits.unsigned_abs() as usize / 8;
        let plane = self.n * self.n * width;
        let failed = |error: std::io::Error| h5::unreadable(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.start + (planes.start * plane) as u64)).map_err(failed)?;
        let mut bytes = vec![0u8; plane];
        let mut values = Vec::with_capacity(planes.len() * self.n * self.n);
        let scaled = |v: f64| (self.zero + self.scale * v) as f32;
        let whole = |v: i64| if self.blank == Some(v) { f32::NAN } else { scaled(v as f64) };
        for _ in planes {
            file.read_exact(&mut bytes).map_err(failed)?;
            match self.bits {
                -32 => values.extend(bytes.as_chunks().0.iter().map(|&b| scaled(f32::from_be_bytes(b).into()))),
                -64 => values.extend(bytes.as_chunks().0.iter().map(|&b| scaled(f64::from_be_bytes(b)))),
                8 => values.extend(bytes.iter().map(|&b| whole(b.into()))),
                16 => values.extend(bytes.as_chunks().0.iter().map(|&b| whole(i16::from_be_bytes(b).into()))),
                32 => values.extend(bytes.as_chunks().0.iter().map(|&b| whole(i32::from_be_bytes(b).into()))),
                _ => values.extend(bytes.as_chunks().0.iter().map(|&b| whole(i64::from_be_bytes(b)))),
            }
        }
        Ok(values)
    }
}

/// What a unit's data are.
struct Unit {
    bits: i64,
    axes: Vec<u64>,
    /// Bytes of data, without the filling of the last block.
    bytes: u64,
    image: bool,
}

impl Unit {
    fn of(cards: &BTreeMap<String, String>) -> Option<Self> {
        let whole = |key: &str| cards.get(key)?.parse::<i64>().ok();
        let bits = whole("BITPIX").filter(|bits| [8, 16, 32, 64, -32, -64].contains(bits))?;
        let count = whole("NAXIS").filter(|count| (0..=999).contains(count))?;
        let axes: Vec<u64> =
            (1..=count).map(|i| u64::try_from(whole(&format!("NAXIS{i}"))?).ok()).collect::<Option<_>>()?;
        let extra = whole("PCOUNT").unwrap_or(0).max(0) as u64;
        let groups = whole("GCOUNT").unwrap_or(1).max(1) as u64;
        let values = if axes.is_empty() { 0 } else { axes.iter().fold(1u64, |p, &side| p.saturating_mul(side)) };
        let bytes = values.saturating_add(extra).saturating_mul(groups).saturating_mul(bits.unsigned_abs() / 8);
        let image = cards.get("XTENSION").is_none_or(|kind| kind.trim() == "IMAGE")
            && cards.get("GROUPS").is_none_or(|groups| groups != "T");
        Some(Self { bits, axes, bytes, image })
    }
}

/// The keywords of the header at byte `at`, and where its data begin.
fn header(path: &Path, file: &mut File, at: u64, size: u64) -> Result<(BTreeMap<String, String>, u64)> {
    let mut cards = BTreeMap::new();
    let mut block = [0u8; BLOCK as usize];
    file.seek(SeekFrom::Start(at)).map_err(|error| h5::unreadable(path, &error))?;
    for i in 0..LONGEST as u64 {
        if at + (i + 1) * BLOCK > size {
            return Err(damaged(path, "a header has no end"));
        }
        file.read_exact(&mut block).map_err(|error| h5::unreadable(path, &error))?;
        for line in block.chunks(LINE) {
            let line = String::from_utf8_lossy(line);
            let key: String = line.chars().take(8).collect::<String>().trim().to_owned();
            if key == "END" {
                return Ok((cards, at + (i + 1) * BLOCK));
            }
            let rest: String = line.chars().skip(8).collect();
            if let Some(value) = rest.strip_prefix("= ") {
                cards.entry(key).or_insert_with(|| value_of(value));
            }
        }
    }
    Err(damaged(path, "a header has no end"))
}

/// The value of a line without its comment.
fn value_of(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('\'') {
        // A quote in a text is written twice.
        Some(quoted) => {
            let mut out = String::new();
            let mut rest = quoted.chars().peekable();
            while let Some(c) = rest.next() {
                if c == '\'' && rest.next_if_eq(&'\'').is_none() {
                    break;
                }
                out.push(c);
            }
            out.trim_end().to_owned()
        }
        None => text.split('/').next().unwrap_or_default().trim().to_owned(),
    }
}

/// A number; Fortran writes exponents with a D.
fn float(text: &str) -> Option<f64> {
    text.trim().replace(['D', 'd'], "E").parse().ok().filter(|v: &f64| v.is_finite())
}

fn damaged(path: &Path, found: &str) -> Error {
    Error::input(
        path,
        format!("the FITS file is damaged: {found}"),
        "a cube in a FITS image",
        "Copy or download it again",
    )
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A FITS file of one unit.
    pub fn fits(cards: &[(&str, &str)], data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in cards {
            bytes.extend(format!("{:<80}", format!("{key:<8}= {value}")).bytes());
        }
        bytes.extend(format!("{:<80}", "END").bytes());
        bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), b' ');
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), 0);
        bytes
    }

    #[test]
    fn every_number_format_is_read_with_its_scale() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits");
        let values = [0i64, 1, 2, 3, 4, 5, 6, 7];
        let of = |bits: i64, v: i64| -> Vec<u8> {
            match bits {
                8 => vec![v as u8],
                16 => (v as i16).to_be_bytes().to_vec(),
                32 => (v as i32).to_be_bytes().to_vec(),
                64 => v.to_be_bytes().to_vec(),
                -32 => (v as f32).to_be_bytes().to_vec(),
                _ => (v as f64).to_be_bytes().to_vec(),
            }
        };
        for bits in [8, 16, 32, 64, -32, -64] {
            let data: Vec<u8> = values.iter().flat_map(|&v| of(bits, v)).collect();
            let bitpix = bits.to_string();
            let cards = [
                ("SIMPLE", "T"),
                ("BITPIX", bitpix.as_str()),
                ("NAXIS", "4 / one of them is empty"),
                ("NAXIS1", "2"),
                ("NAXIS2", "2"),
                ("NAXIS3", "2"),
                ("NAXIS4", "1"),
                ("BSCALE", "2.0D0"),
                ("BZERO", "-1.0"),
                ("BUNIT", "'mK      '  / it''s a unit"),
            ];
            std::fs::write(&path, fits(&cards, &data)).unwrap();
            assert!(is_fits(&path).unwrap());
            let cube = FitsCube::open(&path).unwrap();
            assert_eq!((cube.n, cube.cards["BUNIT"].as_str()), (2, "mK"));
            let read = cube.planes(&path, 1..2).unwrap();
            assert_eq!(read, [7.0, 9.0, 11.0, 13.0]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(at in 0usize..6000, byte: u8, cut in 0usize..9000) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.fits");
            let cards =
                [("SIMPLE", "T"), ("BITPIX", "-32"), ("NAXIS", "3"), ("NAXIS1", "2"), ("NAXIS2", "2"), ("NAXIS3", "2")];
            let mut bytes = fits(&cards, &[0; 32]);
            if let Some(place) = bytes.get_mut(at % 700) {
                *place = byte;
            }
            bytes.truncate(cut.max(9));
            std::fs::write(&path, bytes).unwrap();
            if let Ok(cube) = FitsCube::open(&path) {
                let _ = cube.planes(&path, 0..cube.n.min(4));
            }
        }
    }
}

//! Files of films: frames as PNG in a folder, GIF, and MP4 (feature `mp4`). A film appears complete
//! or not at all, and the same frames make the same bytes.

mod frames;
mod gif;
#[cfg(feature = "mp4")]
mod mp4;

use std::path::Path;

use crate::error::{Error, Result};
use crate::figure::{Pixels, Provenance};
use crate::io::atomic;

/// What a film is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A folder of PNG files, one a frame: for editing, and without loss.
    Frames,
    /// An animation that any page shows; 256 colours a frame.
    Gif,
    /// H.264 in MP4.
    Mp4,
}

impl Format {
    /// The format of the film at `path`, by its ending; a name without one is a folder of frames.
    ///
    /// # Errors
    /// [`Error::Setting`] for an ending of another kind of file.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().map(|end| end.to_string_lossy().to_lowercase()).as_deref() {
            None => Ok(Self::Frames),
            Some("gif") => Ok(Self::Gif),
            Some("mp4") if cfg!(feature = "mp4") => Ok(Self::Mp4),
            Some("mp4") => Err(Error::setting(
                format!("an MP4, {}", path.display()),
                "a GIF or a folder for frames, as this Halodi was built without MP4",
                "Build it with the feature 'mp4', or write a film of another kind",
            )),
            Some(end) => Err(Error::setting(
                format!("the ending '.{end}' of {}", path.display()),
                "a film's, .mp4 or .gif, or the name of a folder for frames",
                "Write it under another name",
            )),
        }
    }
}

/// Size and time of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Pixels across and down.
    pub size: [u32; 2],
    /// Frames a second.
    pub rate: u32,
    /// Frames.
    pub count: u64,
}

impl Shape {
    /// Largest side of a film, pixels.
    pub const LARGEST: u32 = 7680;

    /// Whether a film of this shape can be written as `format`, before a frame is drawn.
    ///
    /// # Errors
    /// [`Error::Setting`] with what the format can hold.
    pub fn check(&self, format: Format) -> Result<()> {
        let [width, height] = self.size;
        let size = format!("{width} × {height} pixels");
        if !self.size.iter().all(|side| (16..=Self::LARGEST).contains(side)) {
            return Err(Error::setting(
                format!("a film of {size}"),
                format!("16 to {} pixels a side", Self::LARGEST),
                "Choose another size",
            ));
        }
        if !(1..=120).contains(&self.rate) {
            let found = format!("{} frames a second", self.rate);
            return Err(Error::setting(found, "1 to 120", "Choose another number"));
        }
        match format {
            Format::Gif if self.rate > 50 => Err(Error::setting(
                format!("{} frames a second", self.rate),
                "at most 50 in a GIF, which counts hundredths of seconds",
                "Choose fewer, or write an MP4",
            )),
            Format::Mp4 if width % 2 + height % 2 > 0 => {
                Err(Error::setting(format!("a film of {size}"), "even numbers in an MP4", "Choose another size"))
            }
            Format::Mp4 if width.max(height) > 3840 || width.min(height) > 2160 => Err(Error::setting(
                format!("a film of {size}"),
                "at most 3840 × 2160 pixels in an MP4",
                "Choose another size, or write frames into a folder",
            )),
            _ => Ok(()),
        }
    }
}

/// What frames go into, one after the other.
trait Sink {
    /// The next frame.
    fn add(&mut self, frame: &Pixels) -> Result<()>;
    /// The last one was added.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Write a film of `shape` at `path`, whose ending says the format. `draw` is given the number of a
/// frame (from 0), and returns its pixels.
///
/// # Errors
/// [`Error::Output`] where it cannot be written, [`Error::Setting`] for a shape that the format
/// cannot hold, and whatever `draw` returns; nothing is left then.
pub fn write(
    path: &Path,
    shape: Shape,
    provenance: &Provenance,
    mut draw: impl FnMut(u64) -> Result<Pixels>,
) -> Result<()> {
    let format = Format::of(path)?;
    shape.check(format)?;
    let mut fill = |mut sink: Box<dyn Sink + '_>| {
        for number in 0..shape.count {
            sink.add(&draw(number)?)?;
        }
        sink.finish()
    };
    match format {
        Format::Frames => frames::write(path, shape, provenance, fill),
        Format::Gif => atomic::write_with(path, |file| fill(Box::new(gif::Film::new(path, file, shape, provenance)?))),
        #[cfg(feature = "mp4")]
        Format::Mp4 => atomic::write_with(path, |file| fill(Box::new(mp4::Film::new(path, file, shape, provenance)?))),
        #[cfg(not(feature = "mp4"))]
        Format::Mp4 => unreachable!("its files are refused"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { size: [32, 16], rate: 25, count: 6 };

    /// A bright square that walks over a gradient, and rests over the last two frames. It has few
    /// enough colours for a GIF.
    fn frame(number: u64) -> Pixels {
        let [width, height] = SHAPE.size;
        let at = number.min(4) as u32;
        let pixel = |x: u32, y: u32| {
            if (4 * at..4 * at + 6).contains(&x) && (4..10).contains(&y) {
                [250, 240, 60]
            } else {
                [8 * x as u8, 48 * (y / 4) as u8, 90]
            }
        };
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect();
        Pixels { size: SHAPE.size, rgb }
    }

    fn record(path: &Path) -> Result<()> {
        write(path, SHAPE, &Provenance::new("Test", "a walking square"), |number| Ok(frame(number)))
    }

    #[test]
    fn frames_are_pictures_in_a_folder_and_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk");
        record(&path).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()).collect();
        names.sort();
        assert_eq!(names.len(), 6);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(image::open(name).unwrap().to_rgb8().into_raw(), frame(number as u64).rgb);
        }
        // What is there is not written over.
        assert!(record(&path).unwrap_err().to_string().contains("not empty"));
    }

    #[test]
    fn a_gif_shows_every_frame_for_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.gif");
        record(&path).unwrap();
        let mut options = ::gif::DecodeOptions::new();
        options.set_color_output(::gif::ColorOutput::RGBA);
        let mut reader = options.read_info(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!([reader.width(), reader.height()].map(u32::from), SHAPE.size);
        let mut shown = vec![0u8; (4 * SHAPE.size[0] * SHAPE.size[1]) as usize];
        let (mut time, mut number) = (0, 0);
        while let Some(read) = reader.read_next_frame().unwrap() {
            // A frame lies on the one before.
            for (row, line) in read.buffer.chunks(4 * usize::from(read.width)).enumerate() {
                for (column, pixel) in line.as_chunks::<4>().0.iter().enumerate() {
                    let at = (row + usize::from(read.top)) * SHAPE.size[0] as usize + column + usize::from(read.left);
                    if pixel[3] > 0 {
                        shown[4 * at..4 * at + 4].copy_from_slice(pixel);
                    }
                }
            }
            let wanted = frame(number);
            for (pixel, wanted) in shown.as_chunks::<4>().0.iter().zip(wanted.rgb.as_chunks::<3>().0) {
                assert_eq!(pixel[..3], *wanted, "frame {number}");
            }
            time += u32::from(read.delay);
            number += 1;
        }
        // Two frames alike are one that lasts longer.
        assert_eq!((time, number), (24, 5));
        let first = std::fs::read(&path).unwrap();
        record(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[cfg(feature = "mp4")]
    #[test]
    fn an_mp4_has_its_boxes_and_its_frames_can_be_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.mp4");
        record(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        record(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "the same frames make the same film");
        let mut boxes = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            boxes.push((String::from_utf8_lossy(&bytes[at + 4..at + 8]).into_owned(), at, size));
            at += size;
        }
        assert_eq!(at, bytes.len());
        let names: Vec<&str> = boxes.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names[0], "ftyp");
        // What players read first comes first.
        assert!(names.iter().position(|n| *n == "moov") < names.iter().position(|n| *n == "mdat"));
        let find = |name: &[u8]| bytes.windows(4).position(|w| w == name).unwrap();
        let samples = u32::from_be_bytes(bytes[find(b"stsz") + 12..find(b"stsz") + 16].try_into().unwrap());
        assert_eq!(samples, 6);
        // The samples, their lengths before them, through the decoder.
        let (_, start, size) = boxes.iter().find(|(name, ..)| name == "mdat").unwrap();
        let mut stream = Vec::new();
        let avc = &bytes[find(b"avcC") + 4..];
        let sps = u16::from_be_bytes([avc[6], avc[7]]) as usize;
        stream.extend([0, 0, 0, 1]);
        stream.extend(&avc[8..8 + sps]);
        let pps = u16::from_be_bytes([avc[9 + sps], avc[10 + sps]]) as usize;
        stream.extend([0, 0, 0, 1]);
        stream.extend(&avc[11 + sps..11 + sps + pps]);
        let mut decoder = openh264::decoder::Decoder::new().unwrap();
        let (mut rest, mut decoded) = (&bytes[start + 8..start + size], Vec::new());
        while rest.len() > 4 {
            let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
            stream.extend([0, 0, 0, 1]);
            stream.extend(&rest[4..4 + length]);
            rest = &rest[4 + length..];
        }
        let mut take = |picture: Option<openh264::decoder::DecodedYUV<'_>>| {
            if let Some(picture) = picture {
                use openh264::formats::YUVSource;
                let mut rgb = vec![0; picture.rgb8_len()];
                picture.write_rgb8(&mut rgb);
                decoded.push(rgb);
            }
        };
        for unit in openh264::nal_units(&stream) {
            take(decoder.decode(unit).unwrap());
        }
        for picture in decoder.flush_remaining().unwrap() {
            take(Some(picture));
        }
        assert_eq!(decoded.len(), 6);
        for (number, rgb) in decoded.iter().enumerate() {
            let off: u64 = rgb.iter().zip(&frame(number as u64).rgb).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            assert!(off / (rgb.len() as u64) < 12, "frame {number} is off by {} a value", off / rgb.len() as u64);
        }
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused_before_a_frame_is_drawn() {
        let refused = |path: &str, shape: Shape| {
            let drawn = write(Path::new(path), shape, &Provenance::default(), |_| panic!("a frame was drawn"));
            drawn.unwrap_err().to_string()
        };
        assert!(refused("/tmp/a.avi", SHAPE).contains("'.avi'"));
        assert!(refused("/tmp/a.gif", Shape { rate: 60, ..SHAPE }).contains("50"));
        assert!(refused("/tmp/a.gif", Shape { size: [0, 90], ..SHAPE }).contains("0 × 90"));
        if cfg!(feature = "mp4") {
            assert!(refused("/tmp/a.mp4", Shape { size: [161, 90], ..SHAPE }).contains("even"));
            assert!(refused("/tmp/a.mp4", Shape { size: [7680, 4320], ..SHAPE }).contains("3840"));
        }
    }

    #[test]
    fn a_film_that_is_broken_off_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.gif", "frames"] {
            let path = folder.path().join(name);
            let made = write(&path, SHAPE, &Provenance::default(), |number| match number {
                3 => Err(Error::Cancelled),
                number => Ok(frame(number)),
            });
            assert!(matches!(made, Err(Error::Cancelled)));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

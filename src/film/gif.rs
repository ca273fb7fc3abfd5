//! GIF.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::{Shape, Sink};
use crate::error::{Error, Result};
use crate::figure::{Pixels, Provenance};

/// How much of a frame its colours are found from, of a large one: 1 is all of it, 30 the least.
const SPEED: i32 = 10;
/// Fewest bytes of a large one.
const LARGE: usize = 1 << 20;

/// A GIF that frames are added to. Pixels that stay as they were are left out of a frame, so that
/// what rests does not flicker between the colours of two frames.
pub(super) struct Film {
    path: PathBuf,
    encoder: Encoder<BufWriter<File>>,
    size: [u32; 2],
    rate: u64,
    /// The frame on show, which was not written yet, and the one before it.
    pending: Option<(Pixels, Option<Pixels>)>,
    /// Frames that were added, and the time that was written, hundredths of a second.
    added: u64,
    time: u64,
}

impl Film {
    /// In the file `file`, that `path` is called in errors.
    pub(super) fn new(path: &Path, file: &Path, shape: Shape, provenance: &Provenance) -> Result<Self> {
        let failed = |error: std::io::Error| Error::output(path, error);
        let [width, height] = shape.size.map(|v| v as u16);
        let file = BufWriter::new(File::create(file).map_err(failed)?);
        let bad = |error: gif::EncodingError| Error::output(path, error);
        let mut encoder = Encoder::new(file, width, height, &[]).map_err(bad)?;
        encoder.set_repeat(Repeat::Infinite).map_err(bad)?;
        let comment = format!("{} {}", provenance.description, provenance.details());
        let comment: Vec<&[u8]> = comment.trim().as_bytes().chunks(255).collect();
        if !comment.is_empty() {
            // 0xFE: a comment.
            encoder.write_raw_extension(gif::AnyExtension(0xFE), &comment).map_err(bad)?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            encoder,
            size: shape.size,
            rate: u64::from(shape.rate),
            pending: None,
            added: 0,
            time: 0,
        })
    }

    /// Write the frame that waits: it is on show until now.
    fn write(&mut self, frame: &Pixels, before: Option<&Pixels>) -> Result<()> {
        let width = self.size[0] as usize;
        let changed = |i: usize| before.is_none_or(|b| b.rgb[3 * i..3 * i + 3] != frame.rgb[3 * i..3 * i + 3]);
        let count = frame.rgb.len() / 3;
        // The part that changed.
        let (mut low, mut high) = ([usize::MAX; 2], [0; 2]);
        for i in (0..count).filter(|&i| changed(i)) {
            for (axis, at) in [i % width, i / width].into_iter().enumerate() {
                low[axis] = low[axis].min(at);
                high[axis] = high[axis].max(at + 1);
            }
        }
        let (low, high) = if low[0] == usize::MAX { ([0; 2], [1; 2]) } else { (low, high) };
        let mut rgba: Vec<u8> = (low[1]..high[1])
            .flat_map(|y| (low[0]..high[0]).map(move |x| y * width + x))
            .flat_map(|i| match changed(i) {
                true => [frame.rgb[3 * i], frame.rgb[3 * i + 1], frame.rgb[3 * i + 2], 255],
                false => [0; 4],
            })
            .collect();
        let [w, h] = [0, 1].map(|axis| (high[axis] - low[axis]) as u16);
        let speed = if rgba.len() < LARGE { 1 } else { SPEED };
        let mut written = Frame::from_rgba_speed(w, h, &mut rgba, speed);
        (written.left, written.top) = (low[0] as u16, low[1] as u16);
        written.dispose = DisposalMethod::Keep;
        // Hundredths, so that many frames keep their time.
        let until = (200 * self.added + self.rate) / (2 * self.rate);
        written.delay = u16::try_from(until - self.time).unwrap_or(u16::MAX);
        self.time = until;
        self.encoder.write_frame(&written).map_err(|e| Error::output(&self.path, e))
    }
}

impl Sink for Film {
    fn add(&mut self, frame: &Pixels) -> Result<()> {
        // A frame like the one before lets that one last longer, up to ten minutes.
        let waited = 100 * (self.added + 1) / self.rate - self.time;
        if self.pending.as_ref().is_some_and(|(pending, _)| pending == frame) && waited < 60_000 {
            self.added += 1;
            return Ok(());
        }
        let before = match self.pending.take() {
            Some((pending, before)) => {
                self.write(&pending, before.as_ref())?;
                Some(pending)
            }
            None => None,
        };
        self.pending = Some((frame.clone(), before));
        self.added += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if let Some((pending, before)) = self.pending.take() {
            self.write(&pending, before.as_ref())?;
        }
        let path = self.path.clone();
        let file = self.encoder.into_inner().map_err(|e| Error::output(&path, e))?;
        file.into_inner().map(drop).map_err(|e| Error::output(&path, e.into_error()))
    }
}

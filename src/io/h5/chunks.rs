//! Compressed chunks, decompressed here and on all cores.
//!
//! HDF5 hands a chunk to its filters one at a time and trusts what comes back:
//! a filter that returns too little, or is told a wrong size by the file, makes
//! it read beyond its buffers. Here every step has a size it must come to.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::Dataset;
use hdf5::Datatype;
use hdf5::dataset::Layout;
use hdf5::datatype::ByteOrder;
use hdf5::filters::Filter;
use hdf5::types::{FloatSize, IntSize, TypeDescriptor};
use rayon::prelude::*;

use super::reason::refused;
use crate::error::{Error, Result};
use crate::memory;

/// Chunks decompressed at a time.
const AT_ONCE: usize = 64;

/// A filter that is undone here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Deflate,
    Shuffle,
    Fletcher32,
    Lzf,
    Blosc,
}

/// One chunk in the file.
#[derive(Debug, Clone)]
struct Chunk {
    /// Its first element, per axis.
    offset: Vec<usize>,
    /// Filters that were left out, bit by bit.
    mask: u32,
    address: u64,
    size: usize,
}

/// A chunked dataset whose filters are undone here.
pub(super) struct Chunks {
    path: PathBuf,
    name: String,
    file: File,
    /// Shape of the dataset and of a chunk, with a last axis of one for a list.
    shape: Vec<usize>,
    chunk: Vec<usize>,
    steps: Vec<Step>,
    kind: TypeDescriptor,
    big_endian: bool,
    width: usize,
    /// By the first row.
    index: BTreeMap<usize, Vec<Chunk>>,
}

impl Chunks {
    /// The chunks of `dataset`; `None` where it has no filter, or one that HDF5
    /// undoes.
    ///
    /// # Errors
    /// [`Error::Input`] where the chunks do not make up the dataset.
    pub fn of(path: &Path, dataset: &Dataset) -> Result<Option<Self>> {
        let name = dataset.name();
        let filters = dataset.create_plist().and_then(|list| list.get_filters());
        let filters = filters.map_err(|error| refused(path, &name, &error))?;
        if dataset.layout() != Layout::Chunked || filters.is_empty() {
            return Ok(None);
        }
        let step = |filter: &Filter| match filter {
            Filter::Deflate(_) => Some(Step::Deflate),
            Filter::Shuffle => Some(Step::Shuffle),
            Filter::Fletcher32 => Some(Step::Fletcher32),
            Filter::LZF => Some(Step::Lzf),
            Filter::Blosc(..) => Some(Step::Blosc),
            _ => None,
        };
        let Some(steps) = filters.iter().map(step).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let damaged = |found: String| {
            Error::input(path, format!("{name} {found}"), "a complete, readable HDF5 file", "Copy or download it again")
        };
        let stored = dataset.dtype().map_err(|error| refused(path, &name, &error))?;
        let kind = stored.to_descriptor().map_err(|error| refused(path, &name, &error))?;
        let big_endian = stored.byte_order() == ByteOrder::BigEndian && stored.size() > 1;
        let plain = Datatype::from_descriptor(&kind).is_ok_and(|native| native == stored);
        if !(plain || big_endian) {
            return Err(damaged("has numbers of an unusual layout".to_owned()));
        }

        let (mut shape, mut chunk) = (dataset.shape(), dataset.chunk().unwrap_or_default());
        let width = stored.size();
        if shape.len() != chunk.len() || shape.is_empty() || chunk.contains(&0) {
            return Err(damaged(format!("has shape {shape:?} and chunks of shape {chunk:?}")));
        }
        if shape.len() == 1 {
            shape.push(1);
            chunk.push(1);
        }
        let bytes = chunk.iter().try_fold(width, |product, &side| product.checked_mul(side)).unwrap_or(usize::MAX);
        memory::check(
            memory::bytes(bytes as u64, 3),
            format!("a chunk of {name} in {}", path.display()),
            "Repack the file with smaller chunks (h5repack)",
        )?;

        let file = File::open(path).map_err(|error| super::unreadable(path, &error))?;
        let length = file.metadata().map_or(0, |m| m.len());
        let (mut index, mut wrong): (BTreeMap<usize, Vec<Chunk>>, Option<String>) = (BTreeMap::new(), None);
        let visited = dataset.chunks_visit(|info| {
            let mut offset: Vec<usize> = info.offset.iter().map(|&v| v as usize).collect();
            offset.resize(shape.len(), 0);
            // A dataset that has shrunk keeps chunks beyond its end.
            if offset.iter().zip(&shape).any(|(o, side)| o >= side) {
                return 0;
            }
            let inside = info.addr.checked_add(info.size).is_some_and(|end| end <= length);
            if !inside || offset.iter().zip(&chunk).any(|(o, side)| o % side != 0) {
                wrong = Some(format!("has a chunk at {offset:?} of {} bytes at byte {}", info.size, info.addr));
                return 1;
            }
            let (mask, address, size) = (info.filter_mask, info.addr, info.size as usize);
            index.entry(offset[0]).or_default().push(Chunk { offset, mask, address, size });
            0
        });
        if let Some(found) = wrong {
            return Err(damaged(found));
        }
        visited.map_err(|error| refused(path, &name, &error))?;
        // Every chunk once.
        let per_row: usize = shape.iter().zip(&chunk).skip(1).map(|(s, c)| s.div_ceil(*c)).product();
        let rows = shape[0].div_ceil(chunk[0]);
        for chunks in index.values_mut() {
            chunks.sort_by(|a, b| a.offset.cmp(&b.offset));
            chunks.dedup_by(|a, b| a.offset == b.offset);
        }
        if index.len() != rows || index.values().any(|chunks| chunks.len() != per_row) {
            return Err(damaged("lacks some of its chunks".to_owned()));
        }
        Ok(Some(Self { path: path.to_path_buf(), name, file, shape, chunk, steps, kind, big_endian, width, index }))
    }

    /// The values of `rows` in row-major order.
    ///
    /// # Errors
    /// [`Error::Input`] where a chunk is damaged.
    pub fn read(&mut self, rows: Range<usize>) -> Result<Vec<f64>> {
        let columns: usize = self.shape[1..].iter().product();
        let mut out = vec![0f64; rows.len() * columns];
        let first = rows.start / self.chunk[0] * self.chunk[0];
        let wanted: Vec<Chunk> = self.index.range(first..rows.end).flat_map(|(_, chunks)| chunks.clone()).collect();
        for group in wanted.chunks(AT_ONCE) {
            let mut raw = Vec::with_capacity(group.len());
            for chunk in group {
                let mut bytes = vec![0u8; chunk.size];
                let read =
                    self.file.seek(SeekFrom::Start(chunk.address)).and_then(|_| self.file.read_exact(&mut bytes));
                read.map_err(|error| super::unreadable(&self.path, &error))?;
                raw.push(bytes);
            }
            let plain: Vec<Vec<u8>> =
                group.par_iter().zip(raw).map(|(chunk, bytes)| self.undo(chunk, bytes)).collect::<Result<_>>()?;
            for (chunk, bytes) in group.iter().zip(&plain) {
                self.place(chunk, bytes, &rows, columns, &mut out);
            }
        }
        Ok(out)
    }

    /// Undo the filters of one chunk.
    fn undo(&self, chunk: &Chunk, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let damaged = |why: &str| {
            Error::input(
                &self.path,
                format!("the compressed piece of {} at {:?} is damaged ({why})", self.name, chunk.offset),
                "a complete, readable HDF5 file",
                "Copy or download it again",
            )
        };
        let full = self.width * self.chunk.iter().product::<usize>();
        let used = |i: usize| i >= 32 || chunk.mask & (1 << i) == 0;
        for (i, step) in self.steps.iter().enumerate().rev().filter(|(i, _)| used(*i)) {
            // What earlier filters add stays on.
            let sums = (0..i).filter(|&j| used(j) && self.steps[j] == Step::Fletcher32).count();
            let size = full + 4 * sums;
            bytes = match step {
                Step::Deflate => inflate(&bytes, size).ok_or_else(|| damaged("gzip"))?,
                Step::Lzf => lzf(&bytes, size).ok_or_else(|| damaged("LZF"))?,
                Step::Blosc => blosc(&bytes, size).ok_or_else(|| damaged("Blosc"))?,
                Step::Shuffle => unshuffle(&bytes, self.width),
                Step::Fletcher32 => fletcher32(bytes).ok_or_else(|| damaged("its checksum is wrong"))?,
            };
        }
        if bytes.len() != full {
            return Err(damaged(&format!("{} bytes, not {full}", bytes.len())));
        }
        Ok(bytes)
    }

    /// Copy what a chunk has of `rows` to its place.
    fn place(&self, chunk: &Chunk, bytes: &[u8], rows: &Range<usize>, columns: usize, out: &mut [f64]) {
        let last = self.shape.len() - 1;
        let run = self.chunk[last].min(self.shape[last] - chunk.offset[last]);
        let lines: usize = self.chunk[..last].iter().product();
        let mut at = vec![0usize; last];
        for line in 0..lines {
            let mut rest = line;
            for axis in (0..last).rev() {
                at[axis] = chunk.offset[axis] + rest % self.chunk[axis];
                rest /= self.chunk[axis];
            }
            if !rows.contains(&at[0]) || at.iter().zip(&self.shape).any(|(i, side)| i >= side) {
                continue;
            }
            let within = at[1..].iter().zip(&self.shape[1..]).fold(0, |index, (i, side)| index * side + i);
            let place = (at[0] - rows.start) * columns + within * self.shape[last] + chunk.offset[last];
            let from = &bytes[line * self.chunk[last] * self.width..];
            self.convert(from, &mut out[place..place + run]);
        }
    }

    /// Numbers of the file's type as `f64`.
    fn convert(&self, bytes: &[u8], out: &mut [f64]) {
        macro_rules! each {
            ($type:ty, $size:literal, $to:expr) => {
                for (value, bytes) in out.iter_mut().zip(bytes.as_chunks::<$size>().0) {
                    let stored =
                        if self.big_endian { <$type>::from_be_bytes(*bytes) } else { <$type>::from_le_bytes(*bytes) };
                    *value = $to(stored);
                }
            };
        }
        match self.kind {
            TypeDescriptor::Float(FloatSize::U4) => each!(f32, 4, f64::from),
            TypeDescriptor::Float(FloatSize::U8) => each!(f64, 8, |v| v),
            TypeDescriptor::Float(_) => each!(half::f16, 2, f64::from),
            TypeDescriptor::Integer(IntSize::U1) => each!(i8, 1, f64::from),
            TypeDescriptor::Integer(IntSize::U2) => each!(i16, 2, f64::from),
            TypeDescriptor::Integer(IntSize::U4) => each!(i32, 4, f64::from),
            TypeDescriptor::Integer(IntSize::U8) => each!(i64, 8, |v| v as f64),
            TypeDescriptor::Unsigned(IntSize::U2) => each!(u16, 2, f64::from),
            TypeDescriptor::Unsigned(IntSize::U4) => each!(u32, 4, f64::from),
            TypeDescriptor::Unsigned(IntSize::U8) => each!(u64, 8, |v| v as f64),
            _ => each!(u8, 1, f64::from),
        }
    }
}

/// A zlib stream of exactly `size` bytes.
fn inflate(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(size);
    flate2::read::ZlibDecoder::new(bytes).take(size as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() == size).then_some(out)
}

/// LibLZF's format: a byte below 32 begins a run of literals, another one a copy
/// of earlier output.
fn lzf(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(size);
    let mut rest = bytes.iter().copied();
    while let Some(control) = rest.next() {
        let control = usize::from(control);
        if control < 32 {
            for _ in 0..=control {
                out.push(rest.next()?);
            }
        } else {
            let mut length = control >> 5;
            if length == 7 {
                length += usize::from(rest.next()?);
            }
            let back = ((control & 31) << 8) + usize::from(rest.next()?) + 1;
            let from = out.len().checked_sub(back)?;
            for i in from..from + length + 2 {
                out.push(out[i]);
            }
        }
        if out.len() > size {
            return None;
        }
    }
    (out.len() == size).then_some(out)
}

/// A Blosc buffer of exactly `size` bytes.
fn blosc(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut held = 0usize;
    // SAFETY: the call reads at most `bytes.len()` bytes and writes one number.
    let valid = unsafe { blosc_src::blosc_cbuffer_validate(bytes.as_ptr().cast(), bytes.len(), &raw mut held) };
    if valid < 0 || held != size {
        return None;
    }
    let mut out = vec![0u8; size];
    // SAFETY: the header was validated against the length of the source, and
    // Blosc writes no more than the given size of the destination.
    let written = unsafe { blosc_src::blosc_decompress_ctx(bytes.as_ptr().cast(), out.as_mut_ptr().cast(), size, 1) };
    (usize::try_from(written) == Ok(size)).then_some(out)
}

/// Bytes that were sorted by their place in a number of `width` bytes; what is
/// left of a number at the end was not.
fn unshuffle(bytes: &[u8], width: usize) -> Vec<u8> {
    let count = bytes.len() / width.max(1);
    if width < 2 || count < 2 {
        return bytes.to_vec();
    }
    let mut out = bytes.to_vec();
    for place in 0..width {
        for (i, byte) in bytes[place * count..(place + 1) * count].iter().enumerate() {
            out[i * width + place] = *byte;
        }
    }
    out
}

/// Take off the checksum (Fletcher's, over big-endian words of 16 bits) if it
/// is right.
fn fletcher32(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let (data, stored) = bytes.split_last_chunk::<4>()?;
    let (mut a, mut b) = (0u32, 0u32);
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    for words in data.chunks(720) {
        for word in words.chunks(2) {
            a += u32::from(word[0]) << 8 | word.get(1).map_or(0, |&low| u32::from(low));
            b += a;
        }
        (a, b) = (fold(a), fold(b));
    }
    let sum = fold(b) << 16 | fold(a);
    // Before HDF5 1.6.3 the bytes of each half were swapped.
    let old = (sum & 0x00ff_00ff) << 8 | (sum & 0xff00_ff00) >> 8;
    let stored = u32::from_le_bytes(*stored);
    (stored == sum || stored == old).then(|| {
        bytes.truncate(bytes.len() - 4);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::io::h5;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn decompressed_here_is_as_decompressed_by_hdf5(
            rows in 1usize..300,
            columns in 1usize..4,
            chunk in (1usize..120, 1usize..4),
            filter in 0usize..7,
            double: bool,
            part in (0usize..300, 0usize..300),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.hdf5");
            let values = ndarray::Array2::from_shape_fn((rows, columns), |(i, j)| ((i / 3 + j) as f64).sin());
            let file = hdf5::File::create(&path).unwrap();
            let builder = file.new_dataset_builder().chunk((chunk.0.min(rows), chunk.1.min(columns)));
            let builder = match filter {
                0 => builder.deflate(4),
                1 => builder.shuffle().deflate(9),
                2 => builder.shuffle().deflate(2).fletcher32(),
                3 => builder.lzf(),
                4 => builder.shuffle().lzf(),
                5 => builder.blosc_zstd(5, true),
                _ => builder.fletcher32().blosc_lz4(3, true),
            };
            if double {
                builder.with_data(values.view()).create("a").unwrap();
            } else {
                builder.with_data(values.mapv(|v| v as f32).view()).create("a").unwrap();
            }
            file.close().unwrap();
            let file = h5::open(&path).unwrap();
            let dataset = file.dataset("a").unwrap();
            let (first, last) = (part.0.min(part.1).min(rows), part.0.max(part.1).min(rows));
            let mut chunks = Chunks::of(&path, &dataset).unwrap().unwrap();
            let read = chunks.read(first..last).unwrap();
            let expected = dataset.read_slice::<f64, _, ndarray::IxDyn>((first..last, ..)).unwrap();
            prop_assert_eq!(read, expected.into_raw_vec_and_offset().0);
        }

        #[test]
        fn no_bytes_make_a_decompressor_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), size in 0usize..500) {
            let _ = (inflate(&bytes, size), lzf(&bytes, size), blosc(&bytes, size), fletcher32(bytes.clone()));
            prop_assert_eq!(unshuffle(&bytes, 1 + size % 9).len(), bytes.len());
        }
    }
}

//! NumPy's `.npy` files, as far as gridded fields need them: the header, and one
//! cube of a possibly much larger array, without reading the rest.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use super::h5;
use crate::error::{Error, Result};

const EXPECTED: &str = "a float32 or float64 array of shape [N, N, N] or [simulations, N, N, N]";

/// The header of a `.npy` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NpyHeader {
    /// NumPy's type string, such as `<f4`.
    pub dtype: String,
    /// Whether the first index runs fastest.
    pub fortran: bool,
    /// Shape.
    pub shape: Vec<usize>,
    /// Byte at which the data begin.
    pub offset: u64,
}

/// Whether the file at `path` starts as a `.npy` file does.
pub(super) fn is_npy(path: &Path) -> Result<bool> {
    Ok(h5::first_bytes::<6>(path)? == b"\x93NUMPY")
}

impl NpyHeader {
    /// Read the header of the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = h5::first_bytes::<65_548>(path)?;
        Self::parse(&bytes)
            .ok_or_else(|| Error::input(path, "it has no header of a .npy file", EXPECTED, "Write it with numpy.save"))
    }

    /// Format: magic, version, header length (2 or 4 bytes), a Python dict.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let version = *bytes.strip_prefix(b"\x93NUMPY")?.first()?;
        let (start, length): (usize, usize) = match version {
            1 => (10, usize::from(u16::from_le_bytes(bytes.get(8..10)?.try_into().ok()?))),
            2 | 3 => (12, u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize),
            _ => return None,
        };
        let text = std::str::from_utf8(bytes.get(start..start.checked_add(length)?)?).ok()?;
        let after =
            |key: &str| Some(text.split_once(&format!("'{key}'"))?.1.trim_start().strip_prefix(':')?.trim_start());
        // A structured type is a list, and is refused by what it is.
        let dtype = match after("descr")? {
            plain if plain.starts_with('\'') => plain[1..].split('\'').next()?.to_owned(),
            list => list.split(']').next()?.chars().take(60).chain("]".chars()).collect(),
        };
        let fortran = after("fortran_order")?.starts_with("True");
        let shape = after("shape")?.strip_prefix('(')?.split(')').next()?;
        let shape =
            shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect::<Option<_>>()?;
        Some(Self { dtype, fortran, shape, offset: (start + length) as u64 })
    }

    /// Cubes in the file and voxels per axis.
    ///
    /// # Errors
    /// [`Error::Input`] where the shape is not that of cubes.
    pub fn cubes(&self, path: &Path) -> Result<(usize, usize)> {
        match self.shape[..] {
            [n, b, c] if n == b && n == c && n > 1 => Ok((1, n)),
            [count, n, b, c] if n == b && n == c && n > 1 && count > 0 => Ok((count, n)),
            _ => Err(Error::input(
                path,
                format!("its array has shape {:?}", self.shape),
                EXPECTED,
                "Save a three-dimensional grid of a cubic box",
            )),
        }
    }

    /// Cube `index`, found and checked but not read.
    ///
    /// # Errors
    /// [`Error::Input`] for another type, a wrong shape, an index beyond the
    /// last cube, or a file that ends too soon.
    pub fn cube(&self, path: &Path, index: usize) -> Result<NpyCube> {
        let (count, n) = self.cubes(path)?;
        if index >= count {
            return Err(Error::input(
                path,
                format!("cube {index} was asked for, it holds {count}"),
                format!("an index from 0 to {}", count - 1),
                "Append :INDEX to the path, counting from 0",
            ));
        }
        let (big_endian, width) = match self.dtype.as_str() {
            "<f4" | "=f4" => (false, 4),
            "<f8" | "=f8" => (false, 8),
            ">f4" => (true, 4),
            ">f8" => (true, 8),
            other => {
                return Err(Error::input(
                    path,
                    format!("its array has type {other}"),
                    EXPECTED,
                    "Save it with .astype('float32')",
                ));
            }
        };
        if self.fortran && count > 1 {
            return Err(Error::input(
                path,
                "its array is in Fortran order",
                "C order",
                "Save numpy.ascontiguousarray of it",
            ));
        }
        // All in u128: the numbers come from the file.
        let length = (n as u128).saturating_pow(3).saturating_mul(width as u128);
        let first = (index as u128).saturating_mul(length).saturating_add(u128::from(self.offset));
        let held = std::fs::metadata(path).map_err(|error| h5::unreadable(path, &error))?.len();
        // Of all cubes: one that lacks some was not copied whole.
        let end = (count as u128).saturating_mul(length).saturating_add(u128::from(self.offset));
        if u128::from(held) < end {
            return Err(Error::input(
                path,
                format!("the file ends before its {count} × {n}³ values do ({held} bytes, not {end})"),
                "a complete file",
                "Copy or download it again",
            ));
        }
        Ok(NpyCube { n, width, big_endian, fortran: self.fortran, start: first as u64 })
    }
}

/// A cube in a `.npy` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NpyCube {
    /// Voxels per axis.
    pub n: usize,
    width: usize,
    big_endian: bool,
    fortran: bool,
    start: u64,
}

impl NpyCube {
    /// Whether the first index runs fastest in the file, so that its planes are
    /// those of the last axis.
    pub fn reversed(&self) -> bool {
        self.fortran
    }

    /// The values of consecutive planes of the slowest axis.
    ///
    /// # Errors
    /// [`Error::Input`] where they cannot be read.
    pub fn planes(&self, path: &Path, planes: Range<usize>) -> Result<Vec<f32>> {
        let plane = self.n * self.n * self.width;
        let failed = |error: std::io::Error| h5::unreadable(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = vec![0u8; plane];
        let mut values = Vec::with_capacity(planes.len() * self.n * self.n);
        file.seek(SeekFrom::Start(self.start + (planes.start * plane) as u64)).map_err(failed)?;
        for _ in planes {
            file.read_exact(&mut bytes).map_err(failed)?;
            match (self.width, self.big_endian) {
                (4, false) => values.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
                (4, true) => values.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_be_bytes(b))),
                (_, false) => values.extend(bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32)),
                (_, true) => values.extend(bytes.as_chunks().0.iter().map(|&b| f64::from_be_bytes(b) as f32)),
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A version-1 file as NumPy writes it.
    pub(crate) fn npy(dtype: &str, fortran: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let mut header =
            format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({},), }}", shape.join(", "));
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    proptest! {
        #[test]
        fn one_cube_of_many_is_read_in_any_type(n in 2usize..6, count in 1usize..4, pick in 0usize..4, kind in 0usize..4) {
            let pick = pick % count;
            let values: Vec<f64> = (0..count * n * n * n).map(|i| i as f64 * 0.5 - 3.0).collect();
            let (dtype, data): (_, Vec<u8>) = match kind {
                0 => ("<f4", values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect()),
                1 => (">f4", values.iter().flat_map(|&v| (v as f32).to_be_bytes()).collect()),
                2 => ("<f8", values.iter().flat_map(|v| v.to_le_bytes()).collect()),
                _ => (">f8", values.iter().flat_map(|v| v.to_be_bytes()).collect()),
            };
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.npy");
            std::fs::write(&path, npy(dtype, false, &[count, n, n, n], &data)).unwrap();
            let cube = NpyHeader::open(&path).unwrap().cube(&path, pick).unwrap();
            for (i, v) in cube.planes(&path, 0..n).unwrap().into_iter().enumerate() {
                prop_assert_eq!(f64::from(v), values[pick * n * n * n + i]);
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut file = b"\x93NUMPY\x01\x00".to_vec();
            file.extend(&bytes);
            let _ = NpyHeader::parse(&file);
            let _ = NpyHeader::parse(&bytes);
        }
    }

    #[test]
    fn absurd_shapes_and_structured_types_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        for shape in [vec![1 << 22; 3], vec![1 << 32; 3], vec![1 << 60, 16, 16, 16], vec![usize::MAX, 2, 2, 2]] {
            std::fs::write(&path, npy("<f4", false, &shape, &[0; 64])).unwrap();
            let header = NpyHeader::open(&path).unwrap();
            assert!(header.cube(&path, 0).unwrap_err().to_string().contains("ends before"));
            if shape.len() == 4 {
                assert!(header.cube(&path, 1 << 52).is_err());
            }
        }
        let text = "{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (4, 4, 4), }";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        std::fs::write(&path, bytes).unwrap();
        let error = NpyHeader::open(&path).unwrap().cube(&path, 0).unwrap_err().to_string();
        assert!(error.contains("type [('a', '<f4'), ('b', '<f4')]"), "{error}");
    }
}

//! Whether the heaps of a file, in which texts of any length lie, can be read.
//!
//! HDF5 walks through a heap by the sizes that its objects give. A size of zero,
//! which one wrong bit makes, keeps it at the same place for ever.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What a heap begins with.
const SIGNATURE: &[u8] = b"GCOL";
/// Files up to this length are looked through; of longer ones as much at either
/// end, where writers put their attributes.
const WHOLE: u64 = 16 << 20;
/// Bytes of the header of a heap, and of an object in it.
const HEADER: usize = 16;

/// Whether every heap that can be found in the file is sound.
pub(super) fn sound(path: &Path) -> bool {
    let Ok(mut file) = File::open(path) else { return false };
    let Ok(length) = file.metadata().map(|m| m.len()) else { return false };
    let parts = if length <= WHOLE { vec![0] } else { vec![0, length - WHOLE / 2] };
    let most = if length <= WHOLE { WHOLE } else { WHOLE / 2 };
    parts.into_iter().all(|start| {
        let mut bytes = Vec::new();
        let read = file.seek(SeekFrom::Start(start)).and_then(|_| (&file).take(most).read_to_end(&mut bytes));
        read.is_ok() && all_sound(&bytes)
    })
}

fn all_sound(bytes: &[u8]) -> bool {
    let starts = bytes.windows(SIGNATURE.len()).enumerate().filter(|(_, window)| *window == SIGNATURE);
    starts.map(|(start, _)| &bytes[start..]).all(is_sound)
}

/// Whether the objects of the heap at the start of `bytes` fill it. A heap that
/// reaches beyond `bytes` is sound as far as it can be seen.
fn is_sound(bytes: &[u8]) -> bool {
    let number = |at: usize| -> Option<u64> { Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?)) };
    let Some(size) = number(8) else { return true };
    let Ok(size) = usize::try_from(size) else { return false };
    let mut at = HEADER;
    while at.checked_add(HEADER).is_some_and(|end| end <= size) {
        let (Some(index), Some(held)) = (bytes.get(at..at + 2), number(at + 8)) else { return true };
        let held = match index {
            // What is free counts its own header.
            [0, 0] => Some(held),
            _ => held.checked_next_multiple_of(8).and_then(|held| held.checked_add(HEADER as u64)),
        };
        match held.and_then(|held| usize::try_from(held).ok()) {
            Some(held) if held >= HEADER => at = at.saturating_add(held),
            _ => return false,
        }
    }
    at <= size.max(HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_that_would_be_walked_for_ever_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hdf5");
        let file = hdf5::File::create(&path).unwrap();
        let text: hdf5::types::VarLenUnicode = "δ in ☉".parse().unwrap();
        file.new_attr::<hdf5::types::VarLenUnicode>().create("name").unwrap().write_scalar(&text).unwrap();
        file.close().unwrap();
        assert!(sound(&path));
        let file = crate::io::h5::open(&path).unwrap();
        assert_eq!(crate::io::h5::text(&file, "name").unwrap(), "δ in ☉");
        drop(file);

        let mut bytes = std::fs::read(&path).unwrap();
        let heap = bytes.windows(4).position(|window| window == SIGNATURE).unwrap();
        // The free rest of the heap, after its one object, has no size.
        let rest = heap + HEADER + HEADER + 16;
        assert_eq!(bytes[rest..rest + 2], [0, 0]);
        bytes[rest + 8..rest + 16].fill(0);
        std::fs::write(&path, bytes).unwrap();
        assert!(!sound(&path));
        let file = crate::io::h5::open(&path).unwrap();
        assert_eq!(crate::io::h5::text(&file, "name"), None);
    }
}

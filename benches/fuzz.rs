//! Files with mistakes, by the million: no panic, no signal, nothing slower than
//! ten seconds and nothing larger than a few gigabytes.
//!
//! ```text
//! cargo bench --bench fuzz -- --inputs 1000000 --keep target/fuzz
//! ```
//!
//! Small real files of every format are mutated (bits, bytes, numbers, blocks,
//! lengths) and opened as the program opens them. Every worker is a process of
//! its own: a crash ends it, is noted with the file, and the next one goes on
//! with the next file. The same seed gives the same files.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use halodi::dataset::Manifest;
use halodi::field::{Cosmology, Grid, MassAssignment};
use halodi::io::{
    Catalogue, GroupRecord, MapHeader, Opened, Particles, Properties, SnapshotReader, identify, open_source,
    read_catalogue, read_map, write_catalogue, write_map, write_snapshot,
};
use halodi::nn::{ModelCard, Trained, Voxelwise};
use halodi::pipeline::Layer;
use ndarray::Array3;

/// Longest time that a file may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Memory that a worker may take beside what it starts with, bytes.
const MEMORY: u64 = 3 << 30;

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Opened as `inspect` and `spectrum` do.
    Source,
    Catalogue,
    Map,
    Manifest,
    Weights,
}

struct Seed {
    name: &'static str,
    target: Target,
    bytes: Vec<u8>,
    /// Part of all inputs.
    share: f64,
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// One input: the seed with a few mistakes.
fn mutate(seed: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let mut bytes = seed.to_vec();
    let numbers = [0u64, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 1 << 31, u32::MAX.into(), 1 << 62, u64::MAX];
    // Headers are where mistakes matter.
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let all = bytes.len();
        let at = if random.below(3) > 0 { random.below(all) } else { random.below(all.min(4096)) };
        match random.below(10) {
            0..=3 => bytes[at] ^= 1 << random.below(8),
            4 | 5 => bytes[at] = random.next() as u8,
            6 => {
                let width = [1, 2, 4, 8][random.below(4)];
                let value = numbers[random.below(numbers.len())].to_le_bytes();
                for (byte, new) in bytes[at..].iter_mut().zip(&value[..width]) {
                    *byte = *new;
                }
            }
            7 => {
                let (from, length) = (random.below(all), 1 + random.below(64));
                let block: Vec<u8> = bytes[from..].iter().take(length).copied().collect();
                for (byte, new) in bytes[at..].iter_mut().zip(block) {
                    *byte = new;
                }
            }
            8 => {
                let fill = [0, 0xff, 0x20][random.below(3)];
                let length = 1 + random.below(32);
                bytes[at..].iter_mut().take(length).for_each(|byte| *byte = fill);
            }
            _ if random.below(4) == 0 => bytes.truncate(at),
            _ => {
                bytes.remove(at);
            }
        }
    }
    bytes
}

/// Open a file as the program does. Errors are what is hoped for.
fn open(target: Target, path: &Path) {
    match target {
        Target::Source => {
            if identify(path).is_err() {
                return;
            }
            match open_source(path) {
                Ok(Opened::Snapshot(reader)) => {
                    let _ = reader.density(8, MassAssignment::Cic);
                    let types = (0..reader.header().counts.len()).filter(|&t| reader.header().counts[t] > 0);
                    if let Ok(reader) = reader.clone().with_species(&types.collect::<Vec<_>>()) {
                        let _ = reader.density(8, MassAssignment::Cic);
                    }
                    let _ = reader.particles(1, Properties { velocities: true, ids: true });
                }
                Ok(Opened::Grid(grid)) => {
                    let _ = (grid.one_plus_delta(), grid.brightness_temperature());
                }
                Err(_) => {}
            }
        }
        Target::Catalogue => drop(read_catalogue(path)),
        Target::Map => drop(read_map(path)),
        Target::Manifest => drop(Manifest::read(path.parent().unwrap_or(Path::new(".")))),
        Target::Weights => drop(Trained::<Voxelwise>::load(path, &burn::tensor::Device::flex())),
    }
}

//! Gadget's binary snapshots, formats 1 and 2.
//!
//! A file is a sequence of blocks as Fortran writes them: a length of four bytes,
//! the data, the length again. The first block is a header of 256 bytes; in
//! format 2 each block follows one of eight bytes with its name. Blocks hold all
//! types one after the other. Either byte order, single or double precision.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::header::{RawHeader, Totals, hubble};
use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::io::h5;
use crate::memory;

/// Bytes of the header.
const HEADER: u32 = 256;
/// Types of particles.
const TYPES: usize = 6;
/// Numbers read at a time.
const BLOCK: usize = 3 << 20;
/// A block's length is written in 32 bits; larger blocks wrap it.
const WRAP: u64 = 1 << 32;

/// Blocks by the names of format 2, in the order of format 1, and what HDF5
/// snapshots call them. The second half is written by runs with cooling alone.
const BLOCKS: [(&str, &str, usize); 10] = [
    ("POS ", "Coordinates", 3),
    ("VEL ", "Velocities", 3),
    ("ID  ", "ParticleIDs", 1),
    ("MASS", "Masses", 1),
    ("U   ", "InternalEnergy", 1),
    ("RHO ", "Density", 1),
    ("NE  ", "ElectronAbundance", 1),
    ("NH  ", "NeutralHydrogenAbundance", 1),
    ("HSML", "SmoothingLength", 1),
    ("SFR ", "StarFormationRate", 1),
];

/// Where the values of a property are.
#[derive(Debug, Clone)]
struct Block {
    /// As HDF5 snapshots call it.
    name: &'static str,
    columns: usize,
    /// Bytes per number.
    width: usize,
    /// First byte of the data.
    start: u64,
    /// Particles of each type in the block.
    counts: [u64; TYPES],
}

/// An open binary snapshot file.
#[derive(Debug, Clone)]
pub(super) struct Binary {
    path: PathBuf,
    big_endian: bool,
    format: u8,
    header: Vec<u8>,
    blocks: Vec<Block>,
}

/// Whether the file at `path` begins as a binary snapshot does.
pub(in crate::io) fn is_binary(path: &Path) -> Result<bool> {
    let bytes = h5::first_bytes::<16>(path)?;
    Ok(order(&bytes).is_some())
}

/// Byte order (big-endian?) and format of a file that begins with `bytes`.
fn order(bytes: &[u8]) -> Option<(bool, u8)> {
    let first: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    match (u32::from_le_bytes(first), u32::from_be_bytes(first)) {
        (HEADER, _) => Some((false, 1)),
        (_, HEADER) => Some((true, 1)),
        (8, _) if bytes.get(4..8)? == b"HEAD" => Some((false, 2)),
        (_, 8) if bytes.get(4..8)? == b"HEAD" => Some((true, 2)),
        _ => None,
    }
}

impl Binary {
    /// Read the header and find the blocks of the file at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error: std::io::Error| h5::unreadable(path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let (big_endian, format) =
            order(&h5::first_bytes::<16>(path)?).ok_or_else(|| damaged(path, "no header".into()))?;
        let word = |bytes: [u8; 4]| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let mut read_word = |place: u64| -> Result<u32> {
            let mut bytes = [0u8; 4];
            file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
            Ok(word(bytes))
        };
        let mut at = if format == 2 { 16 } else { 0 };
        if read_word(at)? != HEADER || read_word(at + 4 + u64::from(HEADER))? != HEADER {
            return Err(damaged(path, "its header is not 256 bytes long".to_owned()));
        }
        let mut header = vec![0u8; HEADER as usize];
        {
            let mut file = File::open(path).map_err(failed)?;
            file.seek(SeekFrom::Start(at + 4)).and_then(|_| file.read_exact(&mut header)).map_err(failed)?;
        }
        at += u64::from(HEADER) + 8;
        let mut found = Self { path: path.to_path_buf(), big_endian, format, header, blocks: Vec::new() };
        let counts = found.counts();
        let mut number = 0;
        while at + 8 <= size {
            let mut name = None;
            if format == 2 {
                if read_word(at)? != 8 {
                    return Err(damaged(path, format!("no name of a block at byte {at}")));
                }
                let mut bytes = [0u8; 4];
                let mut file = File::open(path).map_err(failed)?;
                file.seek(SeekFrom::Start(at + 4)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
                name = Some(String::from_utf8_lossy(&bytes).into_owned());
                at += 16;
            }
            let known = match &name {
                Some(name) => BLOCKS.iter().find(|(label, ..)| label == name),
                None => loop {
                    // Format 1 leaves out the masses where the header has all.
                    let block = BLOCKS.get(number);
                    number += 1;
                    match block {
                        Some((_, "Masses", _)) if found.individual(&counts).iter().sum::<u64>() == 0 => {}
                        block => break block,
                    }
                },
            };
            let said = u64::from(read_word(at)?);
            let held = known.map(|(_, name, columns)| (*name, *columns, found.holders(name, &counts)));
            let (length, block) = match held {
                Some((name, columns, holders)) => {
                    let count: u64 = holders.iter().sum::<u64>().saturating_mul(columns as u64);
                    let width = [4u64, 8].into_iter().find(|width| count.saturating_mul(*width) % WRAP == said);
                    match width {
                        Some(width) if count > 0 => (
                            count.saturating_mul(width),
                            Some(Block { name, columns, width: width as usize, start: at + 4, counts: holders }),
                        ),
                        // Codes differ in what comes after the masses.
                        _ if matches!(name, "Coordinates" | "Velocities" | "Masses") => {
                            return Err(damaged(
                                path,
                                format!("{name} has {said} bytes, which do not fit {count} numbers"),
                            ));
                        }
                        _ => (said, None),
                    }
                }
                None => (said, None),
            };
            let end = at.saturating_add(length).saturating_add(8);
            if end > size {
                return Err(Error::input(
                    path,
                    format!("the file is cut short: it has {size} bytes of at least {end}"),
                    "a complete file",
                    "Copy or download it again",
                ));
            }
            if u64::from(read_word(end - 4)?) != said {
                return Err(damaged(path, format!("the block at byte {at} does not end as it begins")));
            }
            found.blocks.extend(block);
            at = end;
        }
        Ok(found)
    }

    fn float(&self, place: usize) -> f64 {
        let bytes: [u8; 8] = self.header[place..place + 8].try_into().expect("eight bytes of the header");
        if self.big_endian { f64::from_be_bytes(bytes) } else { f64::from_le_bytes(bytes) }
    }

    fn word(&self, place: usize) -> u32 {
        let bytes: [u8; 4] = self.header[place..place + 4].try_into().expect("four bytes of the header");
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn words(&self, place: usize) -> [u64; TYPES] {
        std::array::from_fn(|t| u64::from(self.word(place + 4 * t)))
    }

    /// Particles per type in this file.
    pub fn counts(&self) -> [u64; TYPES] {
        self.words(0)
    }

    fn mass_table(&self) -> [f64; TYPES] {
        std::array::from_fn(|t| self.float(24 + 8 * t))
    }

    /// Particles per type with a mass of their own.
    fn individual(&self, counts: &[u64; TYPES]) -> [u64; TYPES] {
        let table = self.mass_table();
        std::array::from_fn(|t| if table[t] == 0.0 { counts[t] } else { 0 })
    }

    /// Particles per type that a block has values for.
    fn holders(&self, name: &str, counts: &[u64; TYPES]) -> [u64; TYPES] {
        match name {
            "Coordinates" | "Velocities" | "ParticleIDs" => *counts,
            "Masses" => self.individual(counts),
            _ => [counts[0], 0, 0, 0, 0, 0],
        }
    }

    /// The header as that of an HDF5 file would be.
    pub fn header(&self) -> Result<RawHeader> {
        let path = &self.path;
        let refuse = |found: String| {
            Err(Error::input(path, found, "a cosmological run of the Gadget family", "Choose another snapshot"))
        };
        let (time, z, box_size) = (self.float(72), self.float(80), self.float(128));
        let (omega_m, omega_lambda, h) = (self.float(136), self.float(144), self.float(152));
        if !(box_size.is_finite() && box_size > 0.0 && box_size < 1e30) {
            return refuse(format!("the header gives BoxSize as {box_size}"));
        }
        if !(omega_m > 0.0 && omega_m <= 2.0 && omega_lambda.is_finite()) {
            return refuse(format!(
                "it is not from a cosmological run: Omega0 is {omega_m}, OmegaLambda {omega_lambda}"
            ));
        }
        let Some(h) = hubble(h) else { return refuse(format!("the header gives HubbleParam as {h}")) };
        if !(z.is_finite() && z > -1e-3 && z < 1e5) {
            return refuse(format!("the header gives Redshift as {z}"));
        }
        let z = z.max(0.0);
        let default = Cosmology::default();
        let mut notes = vec!["The file does not give Ωb, ns, σ8; taken to be Halodi's default".to_owned()];
        if !time.is_finite() || (time * (1.0 + z) - 1.0).abs() > 2e-3 {
            notes.push(format!(
                "Time is {time}, but at redshift {z} the scale factor is {:.4}: the redshift is believed",
                1.0 / (1.0 + z)
            ));
        }
        let mass_table = self.mass_table();
        if let Some(bad) = mass_table.iter().find(|m| !(m.is_finite() && **m >= 0.0)) {
            return refuse(format!("the header gives a mass of {bad}"));
        }
        let words = |place: usize| -> Vec<i128> { self.words(place).iter().map(|&w| i128::from(w)).collect() };
        let counts = self.counts();
        let files = self.word(124).max(1) as usize;
        if files > 65_536 {
            return refuse(format!("the header counts {files} files"));
        }
        let mut totals = Totals::from_words(&words(96), &words(168)).unwrap_or_default();
        // Initial conditions often leave the totals out.
        if files == 1 || totals.counts.iter().sum::<u64>() == 0 {
            totals =
                if files == 1 { Totals { counts: counts.to_vec(), low_word_alone: false } } else { Totals::default() };
        }
        Ok(RawHeader {
            format: format!("Gadget binary (format {})", self.format),
            box_size,
            redshift: z,
            omega_m: Some(omega_m),
            cosmology: Cosmology { omega_m, omega_lambda, h, ..default },
            mass_table: mass_table.to_vec(),
            counts_here: counts.to_vec(),
            totals,
            files,
            units: None,
            notes,
        })
    }

    /// The name of a block that is called `name` in HDF5 snapshots.
    pub fn known(name: &str) -> Option<&'static str> {
        BLOCKS.iter().map(|(_, known, _)| *known).find(|known| *known == name)
    }

    fn block(&self, name: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.name == name)
    }

    /// Rows of a property that the file has for a type; `None` where it has none.
    pub fn rows(&self, particle_type: usize, name: &str) -> Option<(usize, usize)> {
        let block = self.block(name)?;
        let rows = *block.counts.get(particle_type)?;
        (rows > 0).then_some((rows as usize, block.columns))
    }

    /// Read `rows` of a property, block by block.
    pub fn read(
        &self,
        particle_type: usize,
        name: &str,
        rows: Range<usize>,
        mut sink: impl FnMut(Vec<f64>) -> Result<()>,
    ) -> Result<()> {
        self.bytes(particle_type, name, rows, |bytes, width| {
            sink(match (width, self.big_endian) {
                (4, false) => bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
                (4, true) => bytes.as_chunks().0.iter().map(|&b| f64::from(f32::from_be_bytes(b))).collect(),
                (_, false) => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
                (_, true) => bytes.as_chunks().0.iter().map(|&b| f64::from_be_bytes(b)).collect(),
            })
        })
    }

    /// Read all identifiers of a type.
    pub fn ids(&self, particle_type: usize, ids: &mut Vec<u64>) -> Result<()> {
        let rows = self.rows(particle_type, "ParticleIDs").map_or(0, |(rows, _)| rows);
        self.bytes(particle_type, "ParticleIDs", 0..rows, |bytes, width| {
            match (width, self.big_endian) {
                (4, false) => ids.extend(bytes.as_chunks().0.iter().map(|&b| u64::from(u32::from_le_bytes(b)))),
                (4, true) => ids.extend(bytes.as_chunks().0.iter().map(|&b| u64::from(u32::from_be_bytes(b)))),
                (_, false) => ids.extend(bytes.as_chunks().0.iter().map(|&b| u64::from_le_bytes(b))),
                (_, true) => ids.extend(bytes.as_chunks().0.iter().map(|&b| u64::from_be_bytes(b))),
            }
            Ok(())
        })
    }

    fn bytes(
        &self,
        particle_type: usize,
        name: &str,
        rows: Range<usize>,
        mut sink: impl FnMut(&[u8], usize) -> Result<()>,
    ) -> Result<()> {
        let Some(block) = self.block(name) else {
            return Err(Error::input(
                &self.path,
                format!("it has no block {name}"),
                format!("{name} for every particle"),
                "Write the snapshot with this property",
            ));
        };
        let failed = |error: std::io::Error| h5::unreadable(&self.path, &error);
        let before: u64 = block.counts[..particle_type].iter().sum();
        let row = (block.columns * block.width) as u64;
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(block.start + (before + rows.start as u64) * row)).map_err(failed)?;
        let at_once = (BLOCK / block.columns).min(rows.len().max(1));
        memory::check(at_once as u64 * row * 3, format!("reading {}", self.path.display()), "Close other programs")?;
        let mut bytes = vec![0u8; at_once * row as usize];
        let mut left = rows.len();
        while left > 0 {
            let now = left.min(at_once);
            let part = &mut bytes[..now * row as usize];
            file.read_exact(part).map_err(failed)?;
            sink(part, block.width)?;
            left -= now;
        }
        Ok(())
    }
}

fn damaged(path: &Path, found: String) -> Error {
    Error::input(
        path,
        format!("the Gadget binary file is damaged: {found}"),
        "a snapshot in Gadget's binary format 1 or 2",
        "Copy or download it again",
    )
}

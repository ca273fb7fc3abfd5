//! What a data set says of itself, and the boxes of each split as types of their
//! own: training code takes [`Entry<Train>`], and a test box is none.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{DatasetConfig, Leakage, Pair, PairsConfig};
use crate::error::{Error, Result};
use crate::io::atomic;

/// Name of the manifest in the folder of a data set.
pub(super) const MANIFEST: &str = "manifest.json";
/// Redshifts that are one: snapshots of one output differ in the last digits.
pub const SAME_REDSHIFT: f64 = 0.02;

/// What a box is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Networks learn from it.
    Train,
    /// Networks are selected by it.
    Validation,
    /// Networks are judged on it, once they are done.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Its folder in a data set.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The seed of box `index` of a data set with the seed `base`. Splits have
    /// ranges of their own, so a set can grow in any of them.
    pub fn seed(self, base: u64, index: usize) -> u64 {
        base + self as u64 * 1_000_000 + index as u64
    }
}

/// One box of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoxRecord {
    /// What it is for.
    pub split: Split,
    /// Its number in its split.
    pub index: usize,
    /// Its redshift.
    pub redshift: f64,
    /// Seed of its initial conditions, and with its number of its HI scatter, if it was simulated here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The files that it was made of, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// What the truth of its 21 cm map is, a part of a sentence.
    #[serde(default)]
    pub truth: String,
    /// SHA-256 of its files, by their path in the data set.
    pub checksums: BTreeMap<String, String>,
    /// Its haloes, as far as they are known.
    pub haloes: usize,
    /// HI density in units of the critical density.
    pub omega_hi: f64,
    /// Mean brightness temperature, mK.
    pub mean_brightness_temperature: f64,
    /// Seconds that its simulation took, or making its fields.
    pub seconds: f64,
}

/// Where the boxes of a data set come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origin {
    /// Simulated by Halodi, HI painted on their haloes.
    Simulated(DatasetConfig),
    /// Made from other simulations.
    Pairs(PairsConfig),
}

impl Origin {
    /// Comoving side of every box in Mpc/h, and voxels per axis.
    pub fn frame(&self) -> (f64, usize) {
        match self {
            Self::Simulated(DatasetConfig { box_size, particles, .. }) => (*box_size, *particles),
            Self::Pairs(PairsConfig { box_size, voxels, .. }) => (*box_size, *voxels),
        }
    }
}

/// What a data set says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of Halodi that made it.
    pub program: String,
    /// How it was made.
    pub config: Origin,
    /// Its boxes, as far as they are made.
    pub boxes: Vec<BoxRecord>,
    /// How alike boxes of different splits are.
    pub leakage: Option<Leakage>,
}

impl Manifest {
    /// Read the manifest of the data set in `folder`; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Input`] for one that cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        if !path.exists() {
            return Ok(None);
        }
        let bad = |found: String| {
            Error::input(&path, found, "the manifest of a data set", "Choose another folder, or delete the data set")
        };
        let text = std::fs::read_to_string(&path).map_err(|e| bad(format!("it cannot be read ({e})")))?;
        serde_json::from_str(&text).map(Some).map_err(|e| bad(format!("it is not a manifest ({e})")))
    }

    /// The redshifts of its boxes, from early to late.
    pub fn redshifts(&self) -> Vec<f64> {
        let mut redshifts: Vec<f64> = self.boxes.iter().map(|record| record.redshift).collect();
        redshifts.sort_by(|a, b| b.total_cmp(a));
        redshifts.dedup_by(|a, b| (*a - *b).abs() < SAME_REDSHIFT);
        redshifts
    }

    /// Write it to the data set in `folder`.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).expect("plain structs serialise") + "\n";
        atomic::write(folder.join(MANIFEST), text.as_bytes())
    }
}

/// Marks boxes that networks learn from.
#[derive(Debug, Clone, Copy)]
pub struct Train;
/// Marks boxes that networks are selected by.
#[derive(Debug, Clone, Copy)]
pub struct Validation;
/// Marks boxes that networks are judged on.
#[derive(Debug, Clone, Copy)]
pub struct Test;

/// A box on disk; `S` is its split.
#[derive(Debug, Clone)]
pub struct Entry<S> {
    folder: PathBuf,
    /// Its name, such as `test/box_003`.
    pub name: String,
    /// What the truth of its 21 cm map is, a part of a sentence.
    pub truth: String,
    /// Its redshift.
    pub redshift: f64,
    split: PhantomData<S>,
}

impl<S> Entry<S> {
    /// Its dark-matter snapshot, if it was simulated here.
    pub fn snapshot(&self) -> PathBuf {
        self.folder.join("snapshot_000.hdf5")
    }

    /// Its map file: dark matter, halo mass maps and 21 cm reference.
    pub fn fields(&self) -> PathBuf {
        self.folder.join("fields.hdf5")
    }
}

/// A data set on disk.
#[derive(Debug, Clone)]
pub struct Dataset {
    folder: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
}

impl Dataset {
    /// Open the data set in `folder`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none.
    pub fn open(folder: &Path) -> Result<Self> {
        let manifest = Manifest::read(folder)?.ok_or_else(|| {
            Error::input(folder, format!("it has no {MANIFEST}"), "a data set", "Make one with 'halodi dataset'")
        })?;
        Ok(Self { folder: folder.to_path_buf(), manifest })
    }

    /// The boxes to learn from.
    pub fn train(&self) -> Vec<Entry<Train>> {
        self.entries(Split::Train)
    }

    /// The boxes to select by.
    pub fn validation(&self) -> Vec<Entry<Validation>> {
        self.entries(Split::Validation)
    }

    /// The boxes to judge on.
    pub fn test(&self) -> Vec<Entry<Test>> {
        self.entries(Split::Test)
    }

    fn entries<S>(&self, split: Split) -> Vec<Entry<S>> {
        let boxes = self.manifest.boxes.iter().filter(|record| record.split == split);
        boxes
            .map(|record| {
                let name = box_name(split, record.index);
                let truth = match record.truth.as_str() {
                    // Before data sets of pairs there was but one kind.
                    "" => "HI painted on friends-of-friends haloes".to_owned(),
                    truth => truth.to_owned(),
                };
                Entry { folder: self.folder.join(&name), name, truth, redshift: record.redshift, split: PhantomData }
            })
            .collect()
    }
}

/// The name of a box, which is also its folder in the data set.
pub(super) fn box_name(split: Split, index: usize) -> String {
    format!("{}/box_{index:03}", split.folder())
}

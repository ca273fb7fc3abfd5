//! Weights on disk: safetensors, with the configuration that rebuilds the
//! network and an account of the training in the file's metadata.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use burn::module::Module;
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::Device;
use safetensors::SafeTensors;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ConditionalMean, ConditionalMeanConfig, Halo, HaloConfig, Lodi, LodiConfig};
use crate::error::{Error, Result};
use crate::io::{atomic, checksum, checksum_of};

const EMBEDDED_HALO: &[u8] = include_bytes!("../../assets/weights/halo.safetensors");
const EMBEDDED_LODI: &[u8] = include_bytes!("../../assets/weights/lodi.safetensors");
const NETWORK: &str = "halodi.network";
const CONFIG: &str = "halodi.config";
const CARD: &str = "halodi.card";

/// How weights came to be; shown wherever they are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// What they were trained on, as part of a sentence: "3/4 of one GADGET-4
    /// box of 12.5 Mpc/h at z = 1".
    pub data: String,
    /// Optimiser steps.
    pub steps: usize,
    /// Hours of training, and on what.
    pub hours: f64,
    /// The machine it ran on, such as "2 CPU cores".
    pub machine: String,
    /// Seed of the initial weights and of the training's random numbers.
    pub seed: u64,
    /// What the weights are not good for, as a sentence.
    pub caveat: String,
}

impl ModelCard {
    /// The card of weights that were trained further. Where not a step was taken, only what was
    /// set right beside the network is new, and the card is the one before but for its caveat.
    pub fn then(self, further: Self) -> Self {
        if further.steps == 0 {
            return Self { caveat: further.caveat, ..self };
        }
        let both = |before: String, now: String| match before.ends_with(&now) {
            true => before,
            false => format!("{before}, then {now}"),
        };
        Self {
            data: both(self.data, further.data),
            steps: self.steps + further.steps,
            hours: self.hours + further.hours,
            machine: both(self.machine, further.machine),
            ..further
        }
    }

    /// The card as one sentence for the screen.
    pub fn sentence(&self, network: &str) -> String {
        format!(
            "{network}: {} steps ({:.1} h on {}) on {}. {}",
            self.steps, self.hours, self.machine, self.data, self.caveat
        )
    }
}

/// A kind of network that can be saved: its configuration builds it.
pub trait Network: Module + Sized {
    /// Its configuration.
    type Config: Serialize + DeserializeOwned + Clone;
    /// Its name in the file, such as "halo".
    const NAME: &'static str;
    /// Build it with fresh weights.
    fn build(config: &Self::Config, device: &Device) -> Self;
    /// Its configuration.
    fn configuration(&self) -> &Self::Config;
}

impl Network for Halo {
    type Config = HaloConfig;
    const NAME: &'static str = "halo";
    fn build(config: &HaloConfig, device: &Device) -> Self {
        Self::new(config, device)
    }
    fn configuration(&self) -> &HaloConfig {
        self.config()
    }
}

impl Network for ConditionalMean {
    type Config = ConditionalMeanConfig;
    const NAME: &'static str = "conditional_mean";
    fn build(config: &ConditionalMeanConfig, device: &Device) -> Self {
        Self::new(config, device)
    }
    fn configuration(&self) -> &ConditionalMeanConfig {
        self.config()
    }
}

impl Network for Lodi {
    type Config = LodiConfig;
    const NAME: &'static str = "lodi";
    fn build(config: &LodiConfig, device: &Device) -> Self {
        Self::new(config, device)
    }
    fn configuration(&self) -> &LodiConfig {
        self.config()
    }
}

/// A network with its history.
#[derive(Debug, Clone)]
pub struct Trained<N: Network> {
    /// The network.
    pub network: N,
    /// Its history.
    pub card: ModelCard,
    /// SHA-256 of the file that it was read from, if it was.
    pub checksum: Option<String>,
}

impl<N: Network> Trained<N> {
    /// What it is, a sentence or two for the screen and for provenance: its history, and which file.
    pub fn sentence(&self, network: &str) -> String {
        let file = self.checksum.as_ref().map(|sum| format!(" SHA-256 of its file: {sum}."));
        self.card.sentence(network) + &file.unwrap_or_default()
    }

    /// What defines the network besides its weights.
    pub fn config(&self) -> &N::Config {
        self.network.configuration()
    }

    /// Write the network to `path`, replacing a file there only when all is
    /// written.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let json = |v: serde_json::Result<String>| v.map_err(|e| Error::output(path, e));
        let mut store = SafetensorsStore::from_bytes(None)
            .metadata(NETWORK, N::NAME)
            .metadata(CONFIG, json(serde_json::to_string(self.config()))?)
            .metadata(CARD, json(serde_json::to_string(&self.card))?);
        self.network.save_into(&mut store).map_err(|e| Error::output(path, e))?;
        atomic::write(path, &store.get_bytes().map_err(|e| Error::output(path, e))?)
    }

    /// Read a network from a file.
    ///
    /// # Errors
    /// [`Error::Input`] for a file that cannot be read or holds another network.
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| {
            Error::input(path, e.to_string(), format!("{} weights in safetensors", N::NAME), "Check the path")
        })?;
        Self::from_bytes(&bytes, path, device)
    }

    /// Read a network from the bytes of a safetensors file; `path` names it in
    /// errors.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Self> {
        let bad = |found: String| {
            Error::input(
                path,
                found,
                format!("{} weights written by Halodi", N::NAME),
                "Use the weights that came with Halodi or train your own with 'halodi train'",
            )
        };
        // Reads all of it, so that a file that was cut short is known before a tensor is missed.
        let safetensors = |e| bad(format!("it is no whole safetensors file ({e})"));
        SafeTensors::deserialize(bytes).map_err(safetensors)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(safetensors)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let entry = |key: &str| metadata.get(key).ok_or_else(|| bad(format!("no '{key}' in its metadata")));
        let name = entry(NETWORK)?;
        if name != N::NAME {
            return Err(bad(format!("weights of '{name}'")));
        }
        let config: N::Config = serde_json::from_str(entry(CONFIG)?)
            .map_err(|e| bad(format!("a configuration of another version of Halodi ({e})")))?;
        let card: ModelCard =
            serde_json::from_str(entry(CARD)?).map_err(|e| bad(format!("a model card that does not fit ({e})")))?;
        let mut network = N::build(&config, device);
        let mut store = SafetensorsStore::from_bytes(Some(bytes.to_vec()));
        network.load_from(&mut store).map_err(|e| bad(format!("tensors that do not fit ({e})")))?;
        Ok(Self { network, card, checksum: Some(checksum_of(bytes)) })
    }
}

/// The HALO network in `halo.safetensors` of `folder`, or the one that comes with
/// Halodi.
///
/// # Errors
/// [`Error::Input`].
pub fn halo_weights(folder: Option<&Path>, device: &Device) -> Result<Trained<Halo>> {
    match folder {
        Some(folder) => Trained::load(&folder.join("halo.safetensors"), device),
        None => Trained::from_bytes(EMBEDDED_HALO, Path::new("embedded halo.safetensors"), device),
    }
}

/// The LODI network in `lodi.safetensors` of `folder`, or the one that comes with
/// Halodi.
///
/// # Errors
/// As [`halo_weights`].
pub fn lodi_weights(folder: Option<&Path>, device: &Device) -> Result<Trained<Lodi>> {
    match folder {
        Some(folder) => Trained::load(&folder.join("lodi.safetensors"), device),
        None => Trained::from_bytes(EMBEDDED_LODI, Path::new("embedded lodi.safetensors"), device),
    }
}

/// SHA-256 of the networks' files in `folder`, by name, or of those that come with Halodi.
///
/// # Errors
/// [`Error::Input`] where one cannot be read.
pub fn weights_checksums(folder: Option<&Path>) -> Result<BTreeMap<String, String>> {
    static EMBEDDED: LazyLock<[String; 2]> = LazyLock::new(|| [EMBEDDED_HALO, EMBEDDED_LODI].map(checksum_of));
    let names = ["halo.safetensors", "lodi.safetensors"];
    let Some(folder) = folder else { return Ok(names.map(str::to_owned).into_iter().zip(EMBEDDED.clone()).collect()) };
    let sum = |name: &str| {
        let path = folder.join(name);
        let sum =
            checksum(&path).map_err(|e| Error::input(&path, e.to_string(), "a network's weights", "Check the path"))?;
        Ok((name.to_owned(), sum))
    };
    names.into_iter().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_tells_of_all_training_and_of_none_that_was_not() {
        let card = |data: &str, steps: usize, machine: &str| ModelCard {
            data: data.to_owned(),
            steps,
            hours: steps as f64 / 1000.0,
            machine: machine.to_owned(),
            seed: steps as u64,
            caveat: format!("{steps} steps."),
        };
        let first = card("eighteen boxes", 6000, "a GPU");
        let both = first.clone().then(card("nine boxes", 2000, "two cores"));
        assert_eq!((both.steps, both.hours, both.seed), (8000, 8.0, 2000));
        assert_eq!(both.data, "eighteen boxes, then nine boxes");
        assert_eq!(both.machine, "a GPU, then two cores");
        // What was said last is not said again.
        assert_eq!(both.clone().then(card("nine boxes", 5, "two cores")).data, both.data);
        let set_right = both.clone().then(card("one box", 0, "a laptop"));
        assert_eq!(set_right, ModelCard { caveat: "0 steps.".to_owned(), ..both });
    }
}

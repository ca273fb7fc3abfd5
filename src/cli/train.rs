//! `halodi train`: fit a network to a data set.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::dataset::{Dataset, Origin};
use crate::device::{ComputeDevice, DeviceChoice, compute_device};
use crate::error::{Error, Result};
use crate::figure::Format;
use crate::io;
use crate::nn::{ConditionalMean, Halo, Lodi, LodiConfig, ModelCard, Network, Trained, halo_weights, lodi_weights};
use crate::report::{FigureFiles, write_training_figure};
use crate::train::{
    HaloBoxes, Learned, LodiBoxes, Report, TrainConfig, TrainingBox, ValidationBox, conditional_mean_config, curve_csv,
    halo_config, lodi_config, power_csv, saved_config, train_conditional_mean, train_halo, train_lodi,
    train_refinement,
};

/// What to train
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Everything, one after the other: --out then holds halo.safetensors and lodi.safetensors
    All,
    /// Dark matter to halo mass maps: HALO's U-Net
    Halo,
    /// The same voxel by voxel, behind the U-Net that --from holds
    Refinement,
    /// Halo mass maps to the conditional mean of the 21 cm map
    ConditionalMean,
    /// Halo mass maps and the conditional mean to 21 cm: LODI's denoiser, and its calibration
    Lodi,
}

impl Which {
    /// What the files of the training are called.
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Halo => "halo",
            Self::Refinement => "refinement",
            Self::ConditionalMean => "conditional_mean",
            Self::Lodi => "lodi",
        }
    }

    /// Settings that suit two cores and a data set of the default size; to go on from trained
    /// weights takes a quarter of the steps, of a third of the length.
    fn settings(self, goes_on: bool) -> TrainConfig {
        let usual = TrainConfig { power_every: 0, ema_decay: 0.998, warmup: 50, ..TrainConfig::default() };
        let fresh = match self {
            Self::All | Self::Halo => TrainConfig { steps: 4000, batch: 2, learning_rate: 2e-3, ..usual },
            Self::Refinement => TrainConfig {
                steps: 2000,
                batch: 4,
                learning_rate: 2e-3,
                validate_every: 400,
                validation_crops: 60,
                ..usual
            },
            Self::ConditionalMean => TrainConfig {
                steps: 6000,
                batch: 4,
                learning_rate: 3e-3,
                validate_every: 400,
                validation_crops: 120,
                ..usual
            },
            Self::Lodi => TrainConfig {
                steps: 7200,
                batch: 4,
                learning_rate: 2e-3,
                validate_every: 400,
                validation_crops: 32,
                calibration_boxes: 6,
                ..usual
            },
        };
        match goes_on {
            true => TrainConfig {
                steps: fresh.steps / 4,
                learning_rate: fresh.learning_rate / 3.0,
                ema_decay: 0.99,
                ..fresh
            },
            false => fresh,
        }
    }
}

/// Train the networks on a data set; a stopped or killed training goes on
#[derive(Debug, clap::Args)]
pub struct Train {
    /// What to train
    #[arg(value_enum)]
    network: Which,
    /// Folder of a data set ('halodi dataset'); its test boxes are not read
    #[arg(long)]
    data: PathBuf,
    /// Folder for the weights (NETWORK.safetensors), the curves and the state
    #[arg(long)]
    out: PathBuf,
    /// HALO's weights, which the others are trained behind [default: those that come with Halodi]
    #[arg(long)]
    halo: Option<PathBuf>,
    /// The conditional mean's weights, which LODI is trained behind and then holds [default: those that --from holds]
    #[arg(long)]
    conditional_mean: Option<PathBuf>,
    /// Weights to begin with instead of random ones: a file, for all networks a folder; alone, those
    /// that come with Halodi
    #[arg(long, value_name = "PATH", num_args = 0..=1, required_if_eq("network", "refinement"))]
    from: Option<Option<PathBuf>>,
    /// TOML file with the settings of the training; for all networks with a table for each
    /// ([halo], [refinement], [conditional_mean], [lodi])
    #[arg(long)]
    config: Option<PathBuf>,
    /// Optimiser steps, over the file's; 0 to only fit the tables of LODI that --from holds and calibrate it
    #[arg(long)]
    steps: Option<usize>,
    /// Where to train
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// What the weights are not good for, for the model card
    #[arg(long, default_value = "")]
    caveat: String,
}

/// What the networks are trained on.
struct Ground {
    train: Vec<TrainingBox>,
    validation: Vec<ValidationBox>,
    /// The data as part of a sentence, for the model card.
    described: String,
    device: ComputeDevice,
    stop: Arc<AtomicBool>,
}

impl Ground {
    fn boxes(&self) -> (&[TrainingBox], &[ValidationBox]) {
        (&self.train, &self.validation)
    }

    /// All boxes with HALO's maps, with a progress bar.
    fn halo_boxes(&self, halo: &Halo) -> Result<HaloBoxes> {
        let bar = progress_bar("HALO's maps", self.train.len() + self.validation.len());
        let mut last = None;
        let boxes = HaloBoxes::new(self.boxes(), halo, &self.device, |done, of| {
            if last.replace(done) != Some(done) {
                bar.set_position(done as u64);
                if bar.is_hidden() {
                    eprintln!("HALO's maps: box {} of {of}", done + 1);
                }
            }
            !self.stop.load(Ordering::Relaxed)
        });
        bar.finish_and_clear();
        boxes
    }
}

impl Train {
    /// Train and write the weights.
    ///
    /// # Errors
    /// Those of reading the data and writing the weights.
    pub fn run(&self) -> Result<()> {
        io::check_writable(&self.out)?;
        // Before anything is read: a setting that cannot work is told at once.
        let stages = [Which::Halo, Which::Refinement, Which::ConditionalMean, Which::Lodi];
        for stage in stages.into_iter().filter(|&stage| [stage, Which::All].contains(&self.network)) {
            self.settings(stage)?;
        }
        let data = Dataset::open(&self.data)?;
        let train = data.train().iter().map(TrainingBox::read).collect::<Result<Vec<_>>>()?;
        let validation = data.validation().iter().map(ValidationBox::read).collect::<Result<Vec<_>>>()?;
        if train.is_empty() {
            return Err(Error::input(
                &self.data,
                "it has no box in its train folder",
                "a data set with boxes to learn from",
                "Run 'halodi dataset' to its end",
            ));
        }
        let device = compute_device(self.device)?;
        eprintln!("Training on {}. {}", device.name, device.reason);
        let described = describe(&data, train.len());
        let ground = Ground { train, validation, described, device, stop: super::on_interrupt() };
        match self.network {
            Which::All => self.all(&ground),
            Which::Halo | Which::Refinement => {
                let from = self.begun("halo").map(|path| load_halo(path.as_deref(), &ground.device)).transpose()?;
                self.train_halo(self.network, from, &ground).map(drop)
            }
            Which::ConditionalMean => {
                let from = match self.begun("conditional_mean") {
                    Some(Some(path)) => Some(Trained::load(&path, &ground.device.burn)?),
                    Some(None) => Some(mean_of(load_lodi(None, &ground.device)?)),
                    None => None,
                };
                let halo = load_halo(self.halo.as_deref(), &ground.device)?;
                self.train_conditional_mean(&ground.halo_boxes(&halo.network)?, from, &ground).map(drop)
            }
            Which::Lodi => {
                let from = self.begun("lodi").map(|path| load_lodi(path.as_deref(), &ground.device)).transpose()?;
                let mean = match (&self.conditional_mean, &from) {
                    (Some(path), _) => Trained::<ConditionalMean>::load(path, &ground.device.burn)?.network,
                    (None, Some(lodi)) => lodi.network.conditional_mean().clone(),
                    (None, None) => {
                        return Err(Error::setting(
                            "no conditional mean to train LODI behind",
                            "--conditional-mean FILE, or --from weights of LODI, which hold one",
                            "Run 'halodi train conditional-mean' first",
                        ));
                    }
                };
                let halo = load_halo(self.halo.as_deref(), &ground.device)?;
                self.train_lodi((&ground.halo_boxes(&halo.network)?, mean), from, &ground)
            }
        }
    }

    /// Train one network after the other, each behind those before it.
    fn all(&self, ground: &Ground) -> Result<()> {
        let device = &ground.device;
        let before = self.begun("halo").map(|path| load_halo(path.as_deref(), device)).transpose()?;
        let known = ground.train.iter().all(|b| b.fields().halo_mass.is_some())
            && ground.validation.iter().all(|b| b.fields().halo_mass.is_some());
        let halo = match (known, before) {
            (true, before) => {
                let coarse = self.train_halo(Which::Halo, before, ground)?;
                self.train_halo(Which::Refinement, Some(coarse), ground)?
            }
            (false, before) => {
                eprintln!("Haloes are not known in all boxes: HALO stays as it is");
                let halo = before.map_or_else(|| load_halo(None, device), Ok)?;
                halo.save(&self.out.join("halo.safetensors"))?;
                halo
            }
        };
        let before = self.begun("lodi").map(|path| load_lodi(path.as_deref(), device)).transpose()?;
        let boxes = ground.halo_boxes(&halo.network)?;
        let mean = self.train_conditional_mean(&boxes, before.clone().map(mean_of), ground)?;
        self.train_lodi((&boxes, mean.network), before, ground)
    }

    /// The weights of a network that --from names, by itself or in a folder of several; `Some(None)`
    /// for those that come with Halodi.
    fn begun(&self, name: &str) -> Option<Option<PathBuf>> {
        let file = |path: &PathBuf| match path.is_dir() {
            true => path.join(format!("{name}.safetensors")),
            false => path.clone(),
        };
        self.from.as_ref().map(|from| from.as_ref().map(file))
    }

    /// The settings of a network's training.
    fn settings(&self, stage: Which) -> Result<TrainConfig> {
        // The refinement is always fitted anew.
        let usual = stage.settings(self.from.is_some() && stage != Which::Refinement);
        let mut settings = match &self.config {
            Some(path) => read_config(path, usual, (self.network == Which::All).then_some(stage.name()))?,
            None => usual,
        };
        settings.steps = self.steps.unwrap_or(settings.steps);
        settings.check()?;
        Ok(settings)
    }

    /// Train HALO's U-Net, or its refinement.
    fn train_halo(&self, stage: Which, from: Option<Trained<Halo>>, ground: &Ground) -> Result<Trained<Halo>> {
        let settings = self.settings(stage)?;
        let state = self.state(stage);
        let fresh = || Ok(halo_config(&ground.train));
        let (halo, before) = begin(from, saved_config(&state)?, fresh, &settings, &ground.device)?;
        let learned = follow(stage, &settings, &ground.stop, |report| match stage {
            Which::Refinement => train_refinement(ground.boxes(), halo, &settings, &ground.device, &state, report),
            _ => train_halo(ground.boxes(), halo, &settings, &ground.device, &state, report),
        })?;
        self.write(stage, learned, before, ground, &settings)
    }

    /// Train the conditional mean behind HALO.
    fn train_conditional_mean(
        &self,
        boxes: &HaloBoxes,
        from: Option<Trained<ConditionalMean>>,
        ground: &Ground,
    ) -> Result<Trained<ConditionalMean>> {
        let stage = Which::ConditionalMean;
        let (settings, state) = (self.settings(stage)?, self.state(stage));
        let fresh = || conditional_mean_config(boxes, &ground.train);
        let (mean, before) = begin(from, saved_config(&state)?, fresh, &settings, &ground.device)?;
        let learned = follow(stage, &settings, &ground.stop, |report| {
            train_conditional_mean(boxes, mean, &settings, &ground.device, &state, report)
        })?;
        self.write(stage, learned, before, ground, &settings)
    }

    /// Train LODI's denoiser behind HALO and the conditional mean, and calibrate it.
    fn train_lodi(
        &self,
        (boxes, mean): (&HaloBoxes, ConditionalMean),
        from: Option<Trained<Lodi>>,
        ground: &Ground,
    ) -> Result<()> {
        let stage = Which::Lodi;
        let (settings, state) = (self.settings(stage)?, self.state(stage));
        let device = &ground.device;
        let boxes = LodiBoxes::new(boxes, &mean, device)?;
        let mut config: LodiConfig = saved_config(&state)?.unwrap_or_else(|| lodi_config(&boxes, &mean));
        let (lodi, before) = match from {
            Some(Trained { network, card, .. }) => {
                // It knows its condition and the noise level by how it learned to see them.
                let LodiConfig { net, condition, schedule, noise, .. } = network.config();
                if *net != config.net {
                    return Err(Error::setting(
                        "weights of a LODI of another shape",
                        "those of the shape that is trained now",
                        "Begin without --from",
                    ));
                }
                config = LodiConfig { condition: *condition, schedule: *schedule, noise: *noise, ..config };
                (network.behind(mean, config), Some(card))
            }
            None => {
                device.burn.seed(settings.seed);
                (Lodi::new(&config, &device.burn).behind(mean, config), None)
            }
        };
        let learned = follow(stage, &settings, &ground.stop, |report| {
            train_lodi(&boxes, lodi, &settings, device, &state, report)
        })?;
        self.write(stage, learned, before, ground, &settings).map(drop)
    }

    fn state(&self, stage: Which) -> PathBuf {
        self.out.join(format!("{}.state", stage.name()))
    }

    fn write<N: Network>(
        &self,
        stage: Which,
        learned: Learned<N>,
        before: Before,
        ground: &Ground,
        settings: &TrainConfig,
    ) -> Result<Trained<N>> {
        let name = stage.name();
        let file = |end: &str| self.out.join(format!("{name}{end}"));
        io::atomic::write(file("_curve.csv"), curve_csv(&learned.curve).as_bytes())?;
        io::atomic::write(file("_power.csv"), power_csv(&learned.power).as_bytes())?;
        let card = ModelCard {
            data: ground.described.clone(),
            steps: learned.steps,
            hours: learned.seconds / 3600.0,
            machine: ground.device.name.clone(),
            seed: settings.seed,
            caveat: self.caveat.clone(),
        };
        let card = match before {
            Some(before) => before.then(card),
            None => card,
        };
        let figure = FigureFiles::new(file("_training"), &[Format::Png], card.sentence(name));
        write_training_figure(&figure, &learned.curve, &learned.power)?;
        let weights = self.out.join(format!("{}.safetensors", N::NAME));
        let trained = Trained { network: learned.network, card, checksum: None };
        trained.save(&weights)?;
        super::print(&format!("{}\n", weights.display()))?;
        // Stopped early: what was learned is kept, and nothing is trained behind it.
        if ground.stop.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(trained) }
    }
}

/// The weights of a file, or those that come with Halodi.
fn load_halo(path: Option<&Path>, device: &ComputeDevice) -> Result<Trained<Halo>> {
    path.map_or_else(|| halo_weights(None, &device.burn), |path| Trained::load(path, &device.burn))
}

/// As [`load_halo`].
fn load_lodi(path: Option<&Path>, device: &ComputeDevice) -> Result<Trained<Lodi>> {
    path.map_or_else(|| lodi_weights(None, &device.burn), |path| Trained::load(path, &device.burn))
}

/// The conditional mean that LODI holds.
fn mean_of(lodi: Trained<Lodi>) -> Trained<ConditionalMean> {
    Trained { network: lodi.network.conditional_mean().clone(), card: lodi.card, checksum: lodi.checksum }
}

/// The network to begin with, and the card of its training before: that of `from`, or a fresh one
/// of the configuration that the state in the folder was begun with.
fn begin<N: Network>(
    from: Option<Trained<N>>,
    saved: Option<N::Config>,
    fresh: impl FnOnce() -> Result<N::Config>,
    settings: &TrainConfig,
    device: &ComputeDevice,
) -> Result<(N, Before)> {
    if let Some(Trained { network, card, .. }) = from {
        return Ok((network, Some(card)));
    }
    device.burn.seed(settings.seed);
    Ok((N::build(&saved.map_or_else(fresh, Ok)?, &device.burn), None))
}

/// The training that lies before this one, if any.
type Before = Option<ModelCard>;

/// The data as part of a sentence, for the model card.
fn describe(data: &Dataset, boxes: usize) -> String {
    let (box_size, voxels) = data.manifest.config.frame();
    let redshifts: Vec<String> = data.manifest.redshifts().iter().map(|z| format!("{z:.1}")).collect();
    let redshift = redshifts.join(", ");
    let frame = format!("{boxes} boxes of {box_size} Mpc/h with {voxels}³");
    match &data.manifest.config {
        Origin::Simulated(config) => {
            format!("{frame} particles at z = {redshift} (halodi's own simulations, seed {})", config.seed)
        }
        Origin::Pairs(_) => {
            let truth = data.train().first().map(|entry| entry.truth.clone()).unwrap_or_default();
            format!("{frame} voxels at z = {redshift} (pairs; the first truth: {truth})")
        }
    }
}

fn progress_bar(name: &'static str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:16} {bar:32} {pos}/{len}  {msg}").expect("a valid template");
    ProgressBar::new(length as u64).with_style(style).with_prefix(name)
}

/// Train with a progress bar; Ctrl-C stops after the step under way, and what
/// was learned until then is kept.
fn follow<N>(
    stage: Which,
    settings: &TrainConfig,
    stop: &AtomicBool,
    train: impl FnOnce(&mut dyn FnMut(Report) -> bool) -> Result<N>,
) -> Result<N> {
    let bar = progress_bar(stage.name(), settings.steps);
    let mut smooth: Option<f64> = None;
    let trained = train(&mut |report: Report| {
        if let Some([done, all]) = report.looking {
            bar.set_message(format!("looking at validation boxes, {done} of {all}"));
            return !stop.load(Ordering::Relaxed);
        }
        let loss = smooth.map_or(report.loss, |s| 0.98 * s + 0.02 * report.loss);
        smooth = Some(loss);
        let left = report.seconds_per_step * (report.steps - report.step) as f64;
        let validation = report.validation.map(|v| format!("  validation {v:.4}")).unwrap_or_default();
        bar.set_position(report.step as u64);
        bar.set_message(format!("loss {loss:.4}{validation}  {left:.0} s left"));
        if bar.is_hidden() && report.step.is_multiple_of(50) {
            eprintln!(
                "{}: step {}/{}  loss {loss:.4}{validation}  {left:.0} s left",
                stage.name(),
                report.step,
                report.steps
            );
        }
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    trained
}

/// The settings in a TOML file over the `usual` ones; those of a `table` of it, if one is named.
fn read_config(path: &Path, usual: TrainConfig, table: Option<&str>) -> Result<TrainConfig> {
    let bad =
        |found: String| Error::input(path, found, "the settings of a training in TOML", "See 'halodi train --help'");
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let mut given: toml::Table = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
    if let Some(table) = table {
        let stages = ["halo", "refinement", "conditional_mean", "lodi"];
        if let Some(unknown) = given.keys().find(|key| !stages.contains(&key.as_str())) {
            return Err(bad(format!("it has '{unknown}' where the tables [{}] are", stages.join("], ["))));
        }
        given = match given.remove(table) {
            None => return Ok(usual),
            Some(toml::Value::Table(table)) => table,
            Some(_) => return Err(bad(format!("its '{table}' is no table"))),
        };
    }
    let mut settings = toml::Table::try_from(usual).map_err(|e| bad(e.to_string()))?;
    settings.extend(given);
    settings.try_into().map_err(|e| bad(e.to_string()))
}

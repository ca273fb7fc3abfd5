//! `halodi train`: fit a network to a data set.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::dataset::Dataset;
use crate::device::{ComputeDevice, DeviceChoice, compute_device};
use crate::error::{Error, Result};
use crate::io;
use crate::nn::{ConditionalMean, Halo, Lodi, LodiConfig, ModelCard, Network, Trained};
use crate::report::write_training_figure;
use crate::train::{
    Learned, LodiBoxes, MeanBoxes, Report, TrainConfig, TrainingBox, ValidationBox, conditional_mean_config, curve_csv,
    halo_config, lodi_config, power_csv, saved_config, train_conditional_mean, train_halo, train_lodi,
    train_refinement,
};

/// Which network to train
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Dark matter to halo mass maps: HALO's U-Net
    Halo,
    /// The same voxel by voxel, behind the U-Net that --from holds
    Refinement,
    /// Halo mass maps to the conditional mean of the 21 cm map
    ConditionalMean,
    /// Halo mass maps and the conditional mean to 21 cm: LODI's denoiser
    Lodi,
}

/// Train a network on a data set; a stopped or killed training goes on
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The network
    #[arg(value_enum)]
    network: Which,
    /// Folder of a data set ('halodi dataset'); its test boxes are not read
    #[arg(long)]
    data: PathBuf,
    /// Folder for the weights (NETWORK.safetensors), the curves and the state
    #[arg(long)]
    out: PathBuf,
    /// HALO's weights, which the others are trained behind
    #[arg(long, required_if_eq_any([("network", "conditional-mean"), ("network", "lodi")]))]
    halo: Option<PathBuf>,
    /// The conditional mean's weights, which LODI is trained behind and then holds [default: those that --from holds]
    #[arg(long)]
    conditional_mean: Option<PathBuf>,
    /// Weights to begin with, such as those that come with Halodi, instead of random ones
    #[arg(long, value_name = "FILE", required_if_eq("network", "refinement"))]
    from: Option<PathBuf>,
    /// TOML file with the settings of the training
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

impl Train {
    /// Train and write the weights.
    ///
    /// # Errors
    /// Those of reading the data and writing the weights.
    pub fn run(&self) -> Result<()> {
        io::check_writable(&self.out)?;
        let mut settings = match &self.config {
            Some(path) => read_config(path)?,
            None => TrainConfig::default(),
        };
        settings.steps = self.steps.unwrap_or(settings.steps);
        settings.check()?;
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
        let describe = describe(&data, train.len());
        let stop = super::on_interrupt();
        let boxes = (&train[..], &validation[..]);
        let hydrogen = &data.manifest.config.hydrogen;
        let state = self.out.join(format!("{}.state", self.name()));
        match self.network {
            Which::Halo | Which::Refinement => {
                let (halo, before) = self.begin(saved_config(&state)?, || halo_config(&train), &settings, &device)?;
                let learned = follow(&settings, &stop, |report| match self.network {
                    Which::Refinement => train_refinement(boxes, halo, &settings, &device, &state, report),
                    _ => train_halo(boxes, halo, &settings, &device, &state, report),
                })?;
                self.write(learned, (before, describe, device.name), settings.seed)
            }
            Which::ConditionalMean => {
                let boxes = MeanBoxes::new(boxes, &self.halo(&device)?, hydrogen, &device)?;
                let fresh = || conditional_mean_config(&boxes, &train);
                let (mean, before) = self.begin(saved_config(&state)?, fresh, &settings, &device)?;
                let learned = follow(&settings, &stop, |report| {
                    train_conditional_mean(&boxes, mean, &settings, &device, &state, report)
                })?;
                self.write(learned, (before, describe, device.name), settings.seed)
            }
            Which::Lodi => {
                let from = self.from.as_ref().map(|path| Trained::<Lodi>::load(path, &device.burn)).transpose()?;
                let mean = self.mean(from.as_ref(), &device)?;
                let boxes =
                    LodiBoxes::new(boxes, (&self.halo(&device)?, &mean), hydrogen, settings.realisations, &device)?;
                let mut config: LodiConfig = saved_config(&state)?.unwrap_or_else(|| lodi_config(&boxes, &mean));
                let (lodi, before) = match from {
                    Some(Trained { network, card }) => {
                        // It knows its condition and the noise level by how it learned to see them.
                        let LodiConfig { net, condition, schedule, noise, .. } = network.config();
                        if *net != config.net {
                            return Err(Error::input(
                                self.from.as_deref().unwrap_or(Path::new("")),
                                "networks of another shape",
                                "those that are trained now",
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
                let learned =
                    follow(&settings, &stop, |report| train_lodi(&boxes, lodi, &settings, &device, &state, report))?;
                self.write(learned, (before, describe, device.name), settings.seed)
            }
        }
    }

    /// What the files of the training are called.
    fn name(&self) -> &'static str {
        match self.network {
            Which::Halo => "halo",
            Which::Refinement => "refinement",
            Which::ConditionalMean => "conditional_mean",
            Which::Lodi => "lodi",
        }
    }

    fn halo(&self, device: &ComputeDevice) -> Result<Halo> {
        Ok(Trained::load(self.halo.as_ref().expect("required by the arguments"), &device.burn)?.network)
    }

    /// The conditional mean that LODI is trained behind.
    fn mean(&self, from: Option<&Trained<Lodi>>, device: &ComputeDevice) -> Result<ConditionalMean> {
        match (&self.conditional_mean, from) {
            (Some(path), _) => Ok(Trained::load(path, &device.burn)?.network),
            (None, Some(lodi)) => Ok(lodi.network.conditional_mean().clone()),
            (None, None) => Err(Error::setting(
                "no conditional mean to train LODI behind",
                "--conditional-mean FILE, or --from weights of LODI, which hold one",
                "Run 'halodi train conditional-mean' first",
            )),
        }
    }

    /// The network to begin with, and the card of its training before: that of --from, or a
    /// fresh one of the configuration that the state in the folder was begun with.
    fn begin<N: Network>(
        &self,
        saved: Option<N::Config>,
        fresh: impl FnOnce() -> N::Config,
        settings: &TrainConfig,
        device: &ComputeDevice,
    ) -> Result<(N, Before)> {
        if let Some(path) = &self.from {
            let Trained { network, card } = Trained::load(path, &device.burn)?;
            return Ok((network, Some(card)));
        }
        device.burn.seed(settings.seed);
        Ok((N::build(&saved.unwrap_or_else(fresh), &device.burn), None))
    }

    fn write<N: Network>(
        &self,
        learned: Learned<N>,
        (before, data, machine): (Before, String, String),
        seed: u64,
    ) -> Result<()> {
        let name = self.name();
        let file = |end: &str| self.out.join(format!("{name}{end}"));
        io::atomic::write(file("_curve.csv"), curve_csv(&learned.curve).as_bytes())?;
        io::atomic::write(file("_power.csv"), power_csv(&learned.power).as_bytes())?;
        let card = ModelCard {
            data,
            steps: learned.steps,
            hours: learned.seconds / 3600.0,
            machine,
            seed,
            caveat: self.caveat.clone(),
        };
        let card = match before {
            Some(before) => before.then(card),
            None => card,
        };
        write_training_figure(&file("_training.png"), &learned.curve, &learned.power, &card.sentence(name))?;
        let weights = self.out.join(format!("{}.safetensors", N::NAME));
        Trained { network: learned.network, card }.save(&weights)?;
        super::print(&format!("{}\n", weights.display()))
    }
}

/// The training that lies before this one, if any.
type Before = Option<ModelCard>;

/// The data as part of a sentence, for the model card.
fn describe(data: &Dataset, boxes: usize) -> String {
    let config = &data.manifest.config;
    format!(
        "{boxes} boxes of {} Mpc/h with {}³ particles at z = {} (halodi's own simulations, seed {})",
        config.box_size, config.particles, config.redshift, config.seed
    )
}

/// Train with a progress bar; Ctrl-C stops after the step under way, and what
/// was learned until then is kept.
fn follow<N>(
    settings: &TrainConfig,
    stop: &AtomicBool,
    train: impl FnOnce(&mut dyn FnMut(Report) -> bool) -> Result<N>,
) -> Result<N> {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}").expect("a valid template");
    let bar = ProgressBar::new(settings.steps as u64).with_style(style);
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
            eprintln!("step {}/{}  loss {loss:.4}{validation}  {left:.0} s left", report.step, report.steps);
        }
        !stop.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    trained
}

fn read_config(path: &Path) -> Result<TrainConfig> {
    let bad =
        |found: String| Error::input(path, found, "the settings of a training in TOML", "See 'halodi train --help'");
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))
}

//! `halodi train`: fit a network to a data set.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use indicatif::{ProgressBar, ProgressStyle};

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::io;
use crate::nn::{Expectation, Halo, Lodi, LodiConfig, ModelCard, Network, Trained};
use crate::pipeline::DeviceChoice;
use crate::report::write_training_figure;
use crate::train::{
    ExpectationBoxes, Fit, Fitted, LodiBoxes, Report, TrainingBox, ValidationBox, correct, curve_csv, decide,
    expectation_config, halo_config, lodi_config, power_csv, saved_config, train_expectation, train_halo, train_lodi,
    train_refinement,
};

/// Which network to train
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Dark matter to halo mass maps: HALO's U-Net
    Halo,
    /// The same voxel by voxel, behind the U-Net that --from holds
    Refinement,
    /// Halo mass maps to the 21 cm map to be expected, which LODI departs from
    Expectation,
    /// Halo mass maps and the expected map to 21 cm
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
    #[arg(long, required_if_eq_any([("network", "expectation"), ("network", "lodi")]))]
    halo: Option<PathBuf>,
    /// The expectation's weights, which LODI is trained behind and then holds [default: those that --from holds]
    #[arg(long)]
    expectation: Option<PathBuf>,
    /// Weights to begin with, such as those that come with Halodi, instead of random ones
    #[arg(long, value_name = "FILE", required_if_eq("network", "refinement"))]
    from: Option<PathBuf>,
    /// TOML file with the settings of the fit
    #[arg(long)]
    fit: Option<PathBuf>,
    /// Optimiser steps, over the file's; 0 to only set right what --from holds
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
        let mut fit = match &self.fit {
            Some(path) => read_fit(path)?,
            None => Fit::default(),
        };
        fit.steps = self.steps.unwrap_or(fit.steps);
        fit.check()?;
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
        let compute = crate::render::compute_device(self.device)?;
        eprintln!("Training on {}. {}", compute.name, compute.reason);
        let device = compute.burn;
        let describe = describe(&data, train.len());
        let stop = super::on_interrupt();
        match self.network {
            Which::Halo | Which::Refinement => {
                let name = if self.network == Which::Halo { "halo" } else { "refinement" };
                let state = self.out.join(format!("{name}.state"));
                let start = self.from.as_ref().map(|path| Trained::<Halo>::load(path, &device)).transpose()?;
                let (mut config, network, before) = begin(start, saved_config(&state)?, || halo_config(&train));
                let boxes = (&train[..], &validation[..]);
                let fitted = follow(&fit, &stop, |report| match self.network {
                    Which::Refinement => {
                        let halo = network.expect("required by the arguments");
                        train_refinement(boxes, (halo, &config), &fit, &device, &state, report)
                    }
                    _ => train_halo(boxes, &config, network, &fit, &device, &state, report),
                })?;
                if fit.calibration_boxes > 0 && !stop.load(Ordering::Relaxed) {
                    eprintln!("Setting how probabilities become fractions.");
                    let unseen = validation.iter().map(ValidationBox::fields);
                    let mut boxes: Vec<_> = unseen.take(fit.calibration_boxes).collect();
                    if boxes.is_empty() {
                        boxes.extend(train.iter().map(TrainingBox::fields).take(fit.calibration_boxes));
                    }
                    [config.decision, config.condition] = decide(&boxes, (&fitted.network, &config), &device)?;
                }
                self.write(name, config, fitted, (before, describe, compute.name), fit.seed)
            }
            Which::Expectation => {
                let halo = self.halo(&device)?;
                let boxes = ExpectationBoxes::new(&train, &validation, &halo, &data.manifest.config.hydrogen, &device)?;
                let state = self.out.join("expectation.state");
                let start = self.from.as_ref().map(|path| Trained::<Expectation>::load(path, &device)).transpose()?;
                let (mut config, network, before) = begin(start, saved_config(&state)?, || expectation_config(&boxes));
                // Whatever the network has seen before, haloes hold what those of these boxes do.
                config.haloes = boxes.halo_relation();
                let fitted = follow(&fit, &stop, |report| {
                    train_expectation(&boxes, &config, network, &fit, &device, &state, report)
                })?;
                if let Some(variance) = boxes.variance((&fitted.network, &config), &device)?
                    && let Some(haloes) = &mut config.haloes
                {
                    haloes.variance = variance;
                }
                self.write("expectation", config, fitted, (before, describe, compute.name), fit.seed)
            }
            Which::Lodi => {
                let halo = self.halo(&device)?;
                let start = self.from.as_ref().map(|path| Trained::<Lodi>::load(path, &device)).transpose()?;
                let expectation = self.expectation(start.as_ref(), &device)?;
                let hydrogen = &data.manifest.config.hydrogen;
                let boxes =
                    LodiBoxes::new((&train, &validation), &halo, &expectation, hydrogen, fit.paintings, &device)?;
                let state = self.out.join("lodi.state");
                let fresh = || match &start {
                    // A denoiser behind the same expectation keeps the tables that it learned with.
                    Some(start) if start.config.expectation == expectation.config => start.config.clone(),
                    // It knows the noise level by its place in the schedule it learned.
                    Some(start) => LodiConfig { schedule: start.config.schedule, ..lodi_config(&boxes, &expectation) },
                    None => lodi_config(&boxes, &expectation),
                };
                let mut config: LodiConfig = saved_config(&state)?.unwrap_or_else(fresh);
                config.expectation = expectation.config.clone();
                let (network, before) = self.denoiser(start, &config)?;
                let fitted = follow(&fit, &stop, |report| {
                    let start = (&expectation.network, network);
                    train_lodi(&boxes, &config, start, &fit, &device, &state, report)
                })?;
                if fit.calibration_boxes > 0 && !stop.load(Ordering::Relaxed) {
                    let bar = ProgressBar::new(0).with_message("setting estimates right");
                    let report = |done: usize, total: usize| {
                        bar.set_length(total as u64);
                        bar.set_position(done as u64);
                        !stop.load(Ordering::Relaxed)
                    };
                    let network = (&fitted.network, &config);
                    config.correction = correct(&boxes, fit.calibration_boxes, network, &device, report)?;
                    bar.finish_and_clear();
                }
                self.write("lodi", config, fitted, (before, describe, compute.name), fit.seed)
            }
        }
    }

    fn halo(&self, device: &Device) -> Result<Trained<Halo>> {
        Trained::load(self.halo.as_ref().expect("required by the arguments"), device)
    }

    /// The expectation that LODI is trained behind.
    fn expectation(&self, from: Option<&Trained<Lodi>>, device: &Device) -> Result<Trained<Expectation>> {
        match (&self.expectation, from) {
            (Some(path), _) => Trained::load(path, device),
            (None, Some(lodi)) => Ok(Trained {
                network: lodi.network.expectation.clone(),
                config: lodi.config.expectation.clone(),
                card: lodi.card.clone(),
            }),
            (None, None) => Err(Error::setting(
                "no expectation to train LODI behind",
                "--expectation FILE, or --from weights of LODI, which hold one",
                "Run 'halodi train expectation' first",
            )),
        }
    }

    /// The denoiser to begin with. Its tables are those of the boxes, so it only has
    /// to be of the same shape.
    fn denoiser(&self, start: Option<Trained<Lodi>>, config: &LodiConfig) -> Result<(Option<Lodi>, Before)> {
        let Some(Trained { network, config: of_start, card }) = start else { return Ok((None, None)) };
        if of_start.net != config.net {
            return Err(Error::input(
                self.from.as_deref().unwrap_or(Path::new("")),
                "networks of another shape",
                "those that are trained now",
                "Begin without --from",
            ));
        }
        Ok((Some(network), Some(card)))
    }

    fn write<N: Network>(
        &self,
        name: &str,
        config: N::Config,
        fitted: Fitted<N>,
        (before, data, machine): (Before, String, String),
        seed: u64,
    ) -> Result<()> {
        let file = |end: &str| self.out.join(format!("{name}{end}"));
        io::atomic::write(file("_curve.csv"), curve_csv(&fitted.curve).as_bytes())?;
        io::atomic::write(file("_power.csv"), power_csv(&fitted.power).as_bytes())?;
        let of_fit = ModelCard {
            data,
            steps: fitted.steps,
            hours: fitted.seconds / 3600.0,
            machine,
            seed,
            caveat: self.caveat.clone(),
        };
        let card = match before {
            Some(before) => before.then(of_fit),
            None => of_fit,
        };
        write_training_figure(&file("_training.png"), &fitted.curve, &fitted.power, &card.sentence(name))?;
        let weights = self.out.join(format!("{}.safetensors", N::NAME));
        Trained { network: fitted.network, config, card }.save(&weights)?;
        super::print(&format!("{}\n", weights.display()))
    }
}

/// The training that lies before this one, if any.
type Before = Option<ModelCard>;

/// The configuration, the weights to begin with, and their card: of the
/// state that is there, of the weights given, or fresh ones.
fn begin<N: Network>(
    start: Option<Trained<N>>,
    saved: Option<N::Config>,
    fresh: impl FnOnce() -> N::Config,
) -> (N::Config, Option<N>, Before) {
    match start {
        Some(Trained { network, config, card }) => (saved.unwrap_or(config), Some(network), Some(card)),
        None => (saved.unwrap_or_else(fresh), None, None),
    }
}

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
    fit: &Fit,
    stop: &AtomicBool,
    train: impl FnOnce(&mut dyn FnMut(Report) -> bool) -> Result<N>,
) -> Result<N> {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}").expect("a valid template");
    let bar = ProgressBar::new(fit.steps as u64).with_style(style);
    let mut smooth: Option<f64> = None;
    let trained = train(&mut |report: Report| {
        if let Some([done, all]) = report.looking {
            bar.set_message(format!("painting a validation box, {done} of {all}"));
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

fn read_fit(path: &Path) -> Result<Fit> {
    let bad = |found: String| Error::input(path, found, "the settings of a fit in TOML", "See 'halodi train --help'");
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))
}

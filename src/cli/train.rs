//! `halodi train`: fit HALO or LODI to snapshots.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};
use crate::field::{Grid, LogTransform, MassAssignment};
use crate::io::Snapshot;
use crate::nn::{CONDITION_CHANNELS, Halo, HaloConfig, LodiConfig, ModelCard, NoiseSchedule, Trained, UNetConfig};
use crate::pipeline::HALO_MASS_BINS;
use crate::sim::{HALO_MASS_EDGES, HydrogenModel};
use crate::train::{Fit, Report, TrainingBox, train_halo, train_lodi};

/// Which network to train
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Dark matter to halo mass maps
    Halo,
    /// Halo mass maps to 21 cm
    Lodi,
}

/// Train a network on snapshots
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The network
    #[arg(value_enum)]
    network: Which,
    /// Dark-matter snapshots to learn from; haloes are found and HI is painted
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// File for the weights
    #[arg(long)]
    out: PathBuf,
    /// HALO's weights, which LODI is trained behind
    #[arg(long, required_if_eq("network", "lodi"))]
    halo: Option<PathBuf>,
    /// Voxels per axis of the training fields
    #[arg(long, default_value_t = 64)]
    grid: usize,
    /// TOML file with the settings of the fit
    #[arg(long)]
    fit: Option<PathBuf>,
    /// Optimiser steps, over the file's
    #[arg(long)]
    steps: Option<usize>,
    /// What the weights are trained on, for the model card
    #[arg(long)]
    describe: String,
    /// What they are not good for, for the model card
    #[arg(long, default_value = "")]
    caveat: String,
}

impl Train {
    /// Train and write the weights.
    ///
    /// # Errors
    /// Those of reading the data and writing the weights.
    pub fn run(&self) -> Result<()> {
        let mut fit = match &self.fit {
            Some(path) => read_fit(path)?,
            None => Fit::default(),
        };
        fit.steps = self.steps.unwrap_or(fit.steps);
        let device = crate::nn::ComputeDevice::cpu("Training was started there.").burn;
        let snapshots = self.data.iter().map(Snapshot::open).collect::<Result<Vec<_>>>()?;
        let redshift = snapshots[0].header.redshift;
        let boxes: Vec<TrainingBox> = snapshots
            .iter()
            .map(|s| TrainingBox::from_snapshot(s, self.grid, MassAssignment::Cic, &HydrogenModel::default()))
            .collect();
        drop(snapshots);
        let voxel = boxes[0].dark_matter.voxel();
        let bar = ProgressBar::new(fit.steps as u64)
            .with_style(ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}").expect("a valid template"));
        let (stop, began) = (crate::cli::on_interrupt(), Instant::now());
        let mut last = Report { step: 0, steps: fit.steps, loss: 0.0, seconds: 0.0 };
        let mut smooth: Option<f64> = None;
        let report = |report: Report| {
            let loss = smooth.map_or(report.loss, |s| 0.98 * s + 0.02 * report.loss);
            (smooth, last) = (Some(loss), report);
            let left = report.seconds / report.step as f64 * (report.steps - report.step) as f64;
            bar.set_position(report.step as u64);
            bar.set_message(format!("loss {loss:.4}  {left:.0} s left"));
            if bar.is_hidden() && report.step.is_multiple_of(100) {
                eprintln!("step {}/{}  loss {loss:.4}  {left:.0} s left", report.step, report.steps);
            }
            !stop.load(Ordering::Relaxed)
        };
        let card = |last: Report| ModelCard {
            data: self.describe.clone(),
            steps: last.step,
            hours: began.elapsed().as_secs_f64() / 3600.0,
            machine: format!("{} CPU threads", rayon::current_num_threads()),
            seed: fit.seed,
            caveat: self.caveat.clone(),
        };
        match self.network {
            Which::Halo => {
                let config = halo_config(&boxes, voxel);
                let network = train_halo(&boxes, &config, &fit, &device, report)?;
                Trained { network, config, card: card(last) }.save(&self.out)
            }
            Which::Lodi => {
                let path = self.halo.as_ref().expect("required by the arguments");
                let halo = Trained::<Halo>::load(path, &device)?;
                let maps = boxes
                    .iter()
                    .map(|b| halo.config.run(&halo.network, &b.dark_matter, &device))
                    .collect::<Result<Vec<_>>>()?;
                let config = lodi_config(&boxes, voxel, redshift);
                let network = train_lodi(&boxes, &halo, &maps, &config, &fit, &device, report)?;
                Trained { network, config, card: card(last) }.save(&self.out)
            }
        }
    }
}

fn read_fit(path: &Path) -> Result<Fit> {
    let bad = |found: String| Error::input(path, found, "the settings of a fit in TOML", "See 'halodi train --help'");
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))
}

/// HALO as it is trained by default: two resolutions behind a 2³ stem.
fn halo_config(boxes: &[TrainingBox], voxel: f64) -> HaloConfig {
    HaloConfig {
        net: UNetConfig::new(1, HALO_MASS_BINS, vec![32, 64]),
        tile: 32,
        context: 4,
        voxel,
        dark_matter: standardised(boxes.iter().map(|b| &b.dark_matter), 0.05),
        mass_edges: HALO_MASS_EDGES,
        // A hundredth of the mean matter density: far below any halo's edge.
        halo_mass: std::array::from_fn(|bin| standardised(boxes.iter().map(|b| &b.halo_mass[bin]), 1e9)),
    }
}

/// LODI as it is trained by default.
fn lodi_config(boxes: &[TrainingBox], voxel: f64, redshift: f64) -> LodiConfig {
    let transform = standardised(boxes.iter().map(|b| &b.brightness_temperature), 1e-2);
    let brightest = boxes.iter().map(|b| b.brightness_temperature.range().1).fold(0.0, f32::max);
    LodiConfig {
        data_range: [transform.forward(0.0), transform.forward(brightest)],
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![32, 64]).with_frequencies(8),
        tile: 32,
        voxel,
        redshift,
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 6.0 },
        brightness_temperature: transform,
    }
}

/// The logarithm above `floor` with the training set's mean and deviation
/// taken out.
fn standardised<'a>(fields: impl Iterator<Item = &'a Grid>, floor: f64) -> LogTransform {
    let plain = LogTransform::above(floor);
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for field in fields {
        for &v in field.as_slice() {
            let y = f64::from(plain.forward(v));
            (count, sum, squares) = (count + 1.0, sum + y, squares + y * y);
        }
    }
    let offset = sum / count;
    LogTransform { floor, offset, scale: (squares / count - offset * offset).sqrt().max(1e-3) }
}

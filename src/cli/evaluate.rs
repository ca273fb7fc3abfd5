//! `halodi evaluate`: the networks against boxes they have not seen.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::predict::follow;
use super::{print, to_json};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::evaluate::{BoxEvaluation, evaluate, job, over_boxes};
use crate::field::MassAssignment;
use crate::io;
use crate::nn::{self, Sampler};
use crate::pipeline::{self, DeviceChoice, JobConfig, NoCanvas};
use crate::report::write_evaluation_figure;
use crate::sim::repaint;
use crate::stitch::Overlap;

/// Judge the networks on the boxes of a data set
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Folder of a data set ('halodi dataset')
    #[arg(long)]
    data: PathBuf,
    /// Which of its boxes
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Folder for evaluation.json and power_ratio.png
    #[arg(long)]
    out: PathBuf,
    /// Folder with halo.safetensors and lodi.safetensors [default: those that come with Halodi]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Denoising steps
    #[arg(long, default_value_t = JobConfig::default().steps)]
    steps: usize,
    /// How a denoised estimate becomes the next latent
    #[arg(long, value_enum, default_value_t)]
    sampler: Sampler,
    /// How tiles are joined
    #[arg(long, value_enum, default_value_t)]
    overlap: Overlap,
    /// Seed of all noise
    #[arg(long, default_value_t = JobConfig::default().seed)]
    seed: u64,
    /// Draws of the truth's scatter to compare with, beside the truth itself
    #[arg(long, default_value_t = 8)]
    draws: u64,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

impl Evaluate {
    /// Predict every box and compare.
    ///
    /// # Errors
    /// Those of the data set, of the predictions and of writing.
    pub fn run(&self) -> Result<()> {
        io::check_writable(&self.out)?;
        let data = Dataset::open(&self.data)?;
        let boxes: Vec<(String, PathBuf, PathBuf)> = match self.split {
            Split::Train => data.train().iter().map(|e| (e.name.clone(), e.snapshot(), e.fields())).collect(),
            Split::Validation => data.validation().iter().map(|e| (e.name.clone(), e.snapshot(), e.fields())).collect(),
            Split::Test => data.test().iter().map(|e| (e.name.clone(), e.snapshot(), e.fields())).collect(),
        };
        if boxes.is_empty() {
            return Err(Error::input(
                &self.data,
                format!("it has no box in its {} folder", self.split.folder()),
                "boxes to judge on",
                "Run 'halodi dataset' to its end",
            ));
        }
        let device = crate::render::compute_device(self.device)?;
        eprintln!("Networks run on {}. {}", device.name, device.reason);
        let lodi = nn::lodi_weights(self.weights.as_deref(), &device.burn)?;
        let like = JobConfig {
            grid: Some(data.manifest.config.particles),
            steps: self.steps,
            sampler: self.sampler,
            overlap: self.overlap,
            seed: self.seed,
            weights: self.weights.clone(),
            ..JobConfig::default()
        };
        let mut evaluated = Vec::new();
        let mut weights = Vec::new();
        for (name, snapshot, fields) in &boxes {
            eprintln!("{name}");
            let outcome = follow(pipeline::spawn(job(snapshot, fields, &like), device.clone(), Arc::new(NoCanvas)))?;
            weights.clone_from(&outcome.weights);
            let hydrogen = &data.manifest.config.hydrogen;
            let draws = repaint(snapshot, data.manifest.config.particles, MassAssignment::Cic, hydrogen, 1..=self.draws)?;
            evaluated.push(evaluate(name, &outcome, fields, &draws, &lodi.config)?);
        }
        let caption = format!(
            "{} boxes, {} with {} steps, seed {}. Shaded: within 10 %.",
            self.split.folder(),
            self.sampler.name(),
            self.steps,
            self.seed
        );
        write_evaluation_figure(&self.out.join("power_ratio.png"), &evaluated, &caption)?;
        let record = json!({
            "program": concat!("halodi ", env!("CARGO_PKG_VERSION")),
            "data": data.manifest.config,
            "split": self.split,
            "config": like,
            "weights": weights,
            "device": device.name,
            "boxes": evaluated,
        });
        io::atomic::write(self.out.join("evaluation.json"), to_json(&record).as_bytes())?;
        print(&table(&evaluated))
    }
}

/// The result as Markdown.
fn table(boxes: &[BoxEvaluation]) -> String {
    let mut out = String::from(
        "| box | largest \\|P/P_true − 1\\|, k ≤ 10 | mean T_b ratio | r at k = 1, 5, 10 | local relation: largest, mean | seconds |\n\
         |---|---|---|---|---|---|\n",
    );
    let at = |b: &BoxEvaluation, values: &[f64], k: f64| {
        values.get(b.k.partition_point(|&v| v < k).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    for b in boxes {
        let r = [1.0, 5.0, 10.0].map(|k| format!("{:.3}", at(b, &b.prediction.correlation, k))).join(", ");
        let _ = writeln!(
            out,
            "| {} | {:.1} % | {:.3} | {r} | {:.1} %, {:.3} | {:.0} |",
            b.name,
            100.0 * b.prediction.worst,
            b.prediction.mean_ratio,
            100.0 * b.local_relation.worst,
            b.local_relation.mean_ratio,
            b.seconds.values().sum::<f64>()
        );
    }
    let (mean, spread) = over_boxes(boxes.iter().map(|b| b.prediction.power_ratio.as_slice()));
    let worst = mean.iter().map(|m| (m - 1.0).abs()).fold(0.0, f64::max);
    let _ = writeln!(
        out,
        "\nMean over {} boxes: largest |P/P_true − 1| {:.1} % for k ≤ 10 h/Mpc\n",
        boxes.len(),
        100.0 * worst
    );
    let _ = writeln!(
        out,
        "P_draws is the mean power of {} draws of the truth's scatter of HI about halo mass; σ_draw is how much one of \
         them varies.\n",
        boxes[0].draws.count
    );
    out += "| k [h/Mpc] | P/P_true | spread | P/P_draws | σ_draw | local relation |\n|---|---|---|---|---|---|\n";
    let (of_draws, _) = over_boxes(boxes.iter().map(|b| b.draws.power_ratio.as_slice()));
    let (noise, _) = over_boxes(boxes.iter().map(|b| b.draws.spread.as_slice()));
    let (baseline, _) = over_boxes(boxes.iter().map(|b| b.local_relation.power_ratio.as_slice()));
    for i in 0..mean.len() {
        // One row a step of a fifth in k.
        if i == 0 || boxes[0].k[i].ln() / 0.2 >= (boxes[0].k[i - 1].ln() / 0.2).floor() + 1.0 {
            let row = [mean[i], spread[i], of_draws[i], noise[i], baseline[i]].map(|v| format!("{v:.3}")).join(" | ");
            let _ = writeln!(out, "| {:.2} | {row} |", boxes[0].k[i]);
        }
    }
    out += "\n| halo mass bin | mass ratio | largest \\|P/P_true − 1\\|, k ≤ 5 | r at k = 1, 5 |\n|---|---|---|---|\n";
    for bin in 0..boxes[0].halo_mass.len() {
        let count = boxes.len() as f64;
        let mean = |f: &dyn Fn(&BoxEvaluation) -> f64| boxes.iter().map(f).sum::<f64>() / count;
        let _ = writeln!(
            out,
            "| {} | {:.3} | {:.1} % | {:.3}, {:.3} |",
            bin + 1,
            mean(&|b| b.halo_mass[bin].mean_ratio),
            100.0 * mean(&|b| b.halo_mass[bin].worst),
            mean(&|b| at(b, &b.halo_mass[bin].correlation, 1.0)),
            mean(&|b| at(b, &b.halo_mass[bin].correlation, 5.0))
        );
    }
    out
}

//! `halodi evaluate`: the networks against boxes they have not seen.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::settings::PaintArgs;
use super::{names, print, to_json};
use crate::dataset::{Dataset, Entry, Fields, Origin, SAME_REDSHIFT, Split};
use crate::device::{DeviceChoice, compute_device};
use crate::error::{Error, Result};
use crate::evaluate::{BoxEvaluation, Predicted, Rescaling, evaluate};
use crate::field::{MassAssignment, TileBox};
use crate::figure::{Format, PROGRAM};
use crate::io;
use crate::predict::{self, Models, Observer, Settings, Stage, TileMade};
use crate::report::{FigureFiles, evaluation_table, write_evaluation_figures};
use crate::sim::{HydrogenModel, Painter, ReferenceConfig, ReferenceModel, reference};

/// Judge the networks on the boxes of a data set, or on any dark-matter snapshots
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// Folder of a data set ('halodi dataset')
    #[arg(long, required_unless_present = "snapshot")]
    data: Option<PathBuf>,
    /// Dark-matter snapshots to judge on beside it, or instead; HI painted on their haloes is the truth
    #[arg(long, num_args = 1.., value_name = "FILE")]
    snapshot: Vec<PathBuf>,
    /// Which of its boxes
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Those at these redshifts alone
    #[arg(long, num_args = 1.., value_name = "Z")]
    redshift: Vec<f64>,
    /// Folder for evaluation.json, evaluation.md and the figures
    #[arg(long)]
    out: PathBuf,
    /// Folder with halo.safetensors and lodi.safetensors [default: those that come with Halodi]
    #[arg(long)]
    weights: Option<PathBuf>,
    #[command(flatten)]
    paint: PaintArgs,
    /// How often each box is predicted, each time from other noise
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    realisations: u64,
    /// Draws of the truth's scatter to compare with, beside the truth itself
    #[arg(long, default_value_t = 16)]
    draws: usize,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// What figures are written as, several with commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "png")]
    figures: Vec<Format>,
}

impl Evaluate {
    /// Predict every box and compare.
    ///
    /// # Errors
    /// Those of the data set, of the predictions and of writing.
    pub fn run(&self) -> Result<()> {
        io::check_writable(&self.out)?;
        let data = self.data.as_deref().map(Dataset::open).transpose()?;
        let cases = self.cases(data.as_ref())?;
        let device = compute_device(self.device)?;
        eprintln!("Networks run on {}. {}", device.name, device.reason);
        let models = Models::load(self.weights.as_deref(), device)?;
        let settings = self.paint.settings();
        let training = data.as_ref().map(Dataset::train).unwrap_or_default();
        // The baseline is one of the box's own redshift.
        let rescaling_at = |redshift: f64| {
            let alike = training.iter().filter(|entry| (entry.redshift - redshift).abs() < SAME_REDSHIFT);
            Rescaling::fit(alike.map(|entry| {
                let of = Fields::read(&entry.fields())?;
                Ok((of.dark_matter.density, of.brightness_temperature))
            }))
        };
        let mut rescaling: Option<(f64, Option<Rescaling>)> = None;
        let interrupted = super::on_interrupt();
        let mut evaluated = Vec::new();
        for (index, case) in cases.iter().enumerate() {
            let truth = Fields::read(&case.fields)?;
            settings.check(truth.n(), &models)?;
            let mut progress = Progress::new(&case.name, &interrupted);
            let began = Instant::now();
            let condition = predict::condition(&truth.dark_matter, &models, &mut progress)?;
            let conditioned = began.elapsed().as_secs_f64();
            let paint = |realisation: u64| {
                let settings = Settings { seed: settings.seed.wrapping_add(realisation), ..settings.clone() };
                predict::paint(&condition, &models.lodi.network, &models.device, &settings, &mut progress)
            };
            let realisations = (0..self.realisations).map(paint).collect::<Result<Vec<_>>>()?;
            let painted = (began.elapsed().as_secs_f64() - conditioned) / self.realisations as f64;
            let seconds = [("condition", conditioned), ("a realisation", painted)];
            let seconds = seconds.map(|(what, seconds)| (what.to_owned(), seconds)).into();
            progress.finish();
            let draws = match &case.painted {
                Some((snapshot, hydrogen)) => {
                    Painter::open(snapshot, truth.n(), MassAssignment::Cic, hydrogen)?.further_draws(index, self.draws)
                }
                None => Vec::new(),
            };
            let redshift = truth.dark_matter.redshift;
            if rescaling.as_ref().is_none_or(|(at, _)| (at - redshift).abs() >= SAME_REDSHIFT) {
                rescaling = Some((redshift, rescaling_at(redshift)?));
            }
            let rescaling = rescaling.as_ref().and_then(|(_, rescaling)| rescaling.as_ref());
            let predicted = Predicted { condition: &condition, realisations: &realisations, seconds };
            evaluated.push(evaluate([&case.name, &case.truth], &truth, predicted, &draws, rescaling, &models)?);
        }
        let drawn = match evaluated.iter().map(|b| b.draws.count).max() {
            Some(1) | None => "the truth, one map a box".to_owned(),
            Some(count) => format!("{count} draws of the truth"),
        };
        let caption = format!(
            "{PROGRAM}: {}, {} with {} steps, as painted; {} realisations from seed {} on, against {drawn}. Shaded: within 10 %.",
            self.what(),
            settings.sampler.name(),
            settings.steps,
            self.realisations,
            settings.seed,
        );
        // Boxes of one kind are averaged, others are shown on their own.
        let details = json!({ "program": PROGRAM, "settings": settings, "weights": models.describe() });
        let alike =
            |a: &BoxEvaluation, b: &BoxEvaluation| a.k == b.k && (a.redshift - b.redshift).abs() < SAME_REDSHIFT;
        let mut table = String::new();
        for (index, alike) in evaluated.chunk_by(alike).enumerate() {
            let folder = if index == 0 { self.out.clone() } else { self.out.join(alike[0].name.replace('/', "_")) };
            io::check_writable(&folder)?;
            let files = FigureFiles { details: details.clone(), ..FigureFiles::new(folder, &self.figures, &caption) };
            write_evaluation_figures(&files, alike)?;
            table += &evaluation_table(alike);
            table += "\n";
        }
        let record = json!({
            "program": PROGRAM,
            "boxes_of": self.what(),
            "data": data.as_ref().map(|data| &data.manifest.config),
            "settings": settings,
            "weights": models.describe(),
            "device": models.device.name,
            "boxes": evaluated,
        });
        io::atomic::write(self.out.join("evaluation.json"), to_json(&record).as_bytes())?;
        io::atomic::write(self.out.join("evaluation.md"), table.as_bytes())?;
        print(&table)
    }

    /// What is judged on, a part of a sentence.
    fn what(&self) -> String {
        let split = self.data.is_some().then(|| format!("{} boxes", self.split.folder()));
        split.into_iter().chain(names(&self.snapshot)).collect::<Vec<_>>().join(", ")
    }

    /// The boxes to judge on, each with its truth.
    fn cases(&self, data: Option<&Dataset>) -> Result<Vec<Case>> {
        let mut cases = Vec::new();
        if let Some(data) = data {
            let hydrogen = match &data.manifest.config {
                Origin::Simulated(config) => Some(config.hydrogen),
                Origin::Pairs(_) => None,
            };
            match self.split {
                Split::Train => cases.extend(data.train().iter().map(|entry| Case::of(entry, hydrogen))),
                Split::Validation => cases.extend(data.validation().iter().map(|entry| Case::of(entry, hydrogen))),
                Split::Test => cases.extend(data.test().iter().map(|entry| Case::of(entry, hydrogen))),
            }
            let wanted = |case: &Case| self.redshift.iter().any(|z| (case.redshift - z).abs() < SAME_REDSHIFT);
            cases.retain(|case| self.redshift.is_empty() || wanted(case));
            cases.sort_by(|a, b| a.redshift.total_cmp(&b.redshift));
            if cases.is_empty() {
                return Err(Error::input(
                    self.data.as_deref().unwrap_or(Path::new("")),
                    format!("it has no such box in its {} folder", self.split.folder()),
                    "boxes to judge on",
                    "Run 'halodi dataset' to its end",
                ));
            }
        }
        for (snapshot, name) in self.snapshot.iter().zip(names(&self.snapshot)) {
            let config = ReferenceConfig { model: ReferenceModel::Haloes, ..ReferenceConfig::default() };
            let made = reference(snapshot, &config)?;
            let fields = self.out.join(format!("{}_truth.hdf5", name.replace('/', "_")));
            made.write(&fields, &json!(snapshot))?;
            let painted = Some((snapshot.clone(), config.hydrogen));
            cases.push(Case { name, fields, truth: made.description, redshift: made.frame.redshift, painted });
        }
        Ok(cases)
    }
}

/// A progress bar that watches a prediction; Ctrl-C cancels it.
pub(super) struct Progress<'a> {
    bar: ProgressBar,
    interrupted: &'a AtomicBool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(name: &str, interrupted: &'a AtomicBool) -> Self {
        eprintln!("{name}");
        let style = ProgressStyle::with_template("{prefix:24} {bar:32} {pos}/{len}").expect("a valid template");
        Self { bar: ProgressBar::new(1).with_style(style), interrupted }
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Progress<'_> {
    fn begin(&mut self, stage: Stage, tiles: usize, steps: usize) -> Result<()> {
        self.bar.set_prefix(stage.name());
        self.bar.set_length((tiles * steps) as u64);
        self.bar.set_position(0);
        Ok(())
    }

    fn working_on(&mut self, _: &[TileBox]) -> Result<()> {
        if self.interrupted.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn tile(&mut self, _: &TileMade) -> Result<()> {
        self.bar.inc(1);
        Ok(())
    }
}

/// A box to judge on.
struct Case {
    name: String,
    /// Its truth, a map file.
    fields: PathBuf,
    /// What the truth is, a part of a sentence.
    truth: String,
    redshift: f64,
    /// The snapshot on whose haloes the truth was painted, and how; `None` for another truth, of
    /// which there are no further draws.
    painted: Option<(PathBuf, HydrogenModel)>,
}

impl Case {
    /// A box of a data set.
    fn of<S>(entry: &Entry<S>, hydrogen: Option<HydrogenModel>) -> Self {
        Self {
            name: entry.name.clone(),
            fields: entry.fields(),
            truth: entry.truth.clone(),
            redshift: entry.redshift,
            painted: hydrogen.map(|hydrogen| (entry.snapshot(), hydrogen)),
        }
    }
}

//! `halodi study`: what a choice costs and what it brings, measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::evaluate::Progress;
use super::{on_interrupt, print, to_json};
use crate::dataset::{Dataset, Fields};
use crate::device::{DeviceChoice, compute_device};
use crate::error::{Error, Result};
use crate::evaluate::{Studied, Variant};
use crate::field::Grid;
use crate::figure::{Format, PROGRAM};
use crate::io::{self, atomic};
use crate::predict::{self, Models, Settings};
use crate::report::{FigureFiles, stitching_table, write_stitching_figure};
use crate::stitch::Overlap;

/// Measure what choices of a prediction cost and bring
#[derive(Debug, clap::Args)]
pub struct Study {
    #[command(subcommand)]
    of: Of,
}

#[derive(Debug, clap::Subcommand)]
enum Of {
    Stitching(Stitching),
}

impl Study {
    /// Run the study.
    ///
    /// # Errors
    /// Those of the data set, of the predictions and of writing.
    pub fn run(&self) -> Result<()> {
        match &self.of {
            Of::Stitching(study) => study.run(),
        }
    }
}

/// Paint test boxes by every way of stitching and look for seams
///
/// The files are written anew after every map: a study that is ended leaves what it has measured.
#[derive(Debug, clap::Args)]
struct Stitching {
    /// Folder of a data set ('halodi dataset')
    #[arg(long)]
    data: PathBuf,
    /// Folder for stitching.json, stitching.md and stitching.png
    #[arg(long)]
    out: PathBuf,
    /// Test boxes to paint [default: all]
    #[arg(long)]
    boxes: Option<usize>,
    /// Ways to stitch [default: all]
    #[arg(long, value_enum, value_delimiter = ',', num_args = 1..)]
    overlap: Vec<Overlap>,
    /// Denoising steps, as in 6,12
    #[arg(long, value_delimiter = ',', default_value = "12")]
    steps: Vec<usize>,
    /// Seed of all noise
    #[arg(long, default_value_t = Settings::default().seed)]
    seed: u64,
    /// Folder with halo.safetensors and lodi.safetensors [default: those that come with Halodi]
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Where the networks run
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

impl Stitching {
    fn run(&self) -> Result<()> {
        io::check_writable(&self.out)?;
        let data = Dataset::open(&self.data)?;
        let boxes = data.test();
        if boxes.is_empty() {
            return Err(Error::input(
                &self.data,
                "it has no box in its test folder",
                "boxes to paint",
                "Run 'halodi dataset' to its end",
            ));
        }
        let models = Models::load(self.weights.as_deref(), compute_device(self.device)?)?;
        eprintln!("Networks run on {}. {}", models.device.name, models.device.reason);
        let variants: Vec<Variant> = Variant::all()
            .into_iter()
            .filter(|v| self.overlap.is_empty() || self.overlap.contains(&v.overlap))
            .collect();
        let interrupted = on_interrupt();
        let mut studied = Vec::new();
        for entry in boxes.iter().take(self.boxes.unwrap_or(usize::MAX)) {
            let truth = Fields::read(&entry.fields())?;
            let mut progress = Progress::new(&entry.name, &interrupted);
            let condition = predict::condition(&truth.dark_matter, &models, &mut progress)?;
            let mut whole: BTreeMap<usize, Grid> = BTreeMap::new();
            for &steps in &self.steps {
                for &Variant { overlap, blend } in &variants {
                    let settings = Settings { steps, seed: self.seed, overlap, blend, ..Settings::default() };
                    if let Err(error) = settings.check(truth.dark_matter.density.n(), &models) {
                        if overlap != Overlap::Whole {
                            return Err(error);
                        }
                        eprintln!("Note: {error}.");
                        continue;
                    }
                    let networks = (&models.lodi.network, &models.device);
                    let compared = (&settings, whole.get(&steps));
                    let (made, map) = Studied::new(&entry.name, &condition, networks, compared, &mut progress)?;
                    eprintln!(
                        "{}, {steps} steps, {:.0} s: {}",
                        made.variant.name(),
                        made.seconds,
                        made.verdict.sentence
                    );
                    if overlap == Overlap::Whole {
                        whole.insert(steps, map);
                    }
                    studied.push(made);
                    self.write(&studied, &models)?;
                }
            }
            progress.finish();
        }
        print(&stitching_table(&studied))
    }

    fn write(&self, studied: &[Studied], models: &Models) -> Result<()> {
        let path = |name: &str| -> PathBuf { Path::new(&self.out).join(name) };
        let record = json!({
            "program": PROGRAM,
            "weights": models.describe(),
            "device": models.device.name,
            "seed": self.seed,
            "maps": studied,
        });
        let caption = format!(
            "{}: {} maps, seed {}, {}. Bars: one standard error; shaded: within 2 %.",
            PROGRAM,
            studied.len(),
            self.seed,
            models.device.name
        );
        atomic::write(path("stitching.json"), to_json(&record).as_bytes())?;
        atomic::write(path("stitching.md"), stitching_table(studied).as_bytes())?;
        let figure = FigureFiles::new(path("stitching"), &[Format::Png], caption);
        write_stitching_figure(&figure, studied).map(drop)
    }
}

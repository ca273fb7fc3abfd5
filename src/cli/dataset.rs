//! `halodi dataset`: boxes to learn from, to select by and to be judged on.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressStyle};

use super::simulate::CosmologyArgs;
use crate::dataset::{DatasetConfig, Manifest, PairList, SAME_REDSHIFT, Split, make, make_from_pairs, verify};
use crate::error::{Error, Result};
use crate::sim::HydrogenModel;
use crate::sim::nbody::{Force, GravityConfig, StepConfig};

/// Simulate a data set: train, validation and test boxes with their 21 cm maps
#[derive(Debug, clap::Args)]
pub struct Dataset {
    /// Folder of the data set; what is there already is kept
    #[arg(long)]
    out: PathBuf,
    /// Simulations to learn from, each a box at every redshift
    #[arg(long, default_value_t = 20)]
    train: usize,
    /// Simulations to select networks by
    #[arg(long, default_value_t = 3)]
    validation: usize,
    /// Simulations to judge networks on
    #[arg(long, default_value_t = 4)]
    test: usize,
    /// Side of a box, Mpc/h
    #[arg(long = "box", default_value_t = 25.0)]
    box_size: f64,
    /// Particles per axis, and voxels per axis of the maps
    #[arg(long, default_value_t = 128)]
    particles: usize,
    /// Mesh cells per axis [default: twice the particles per axis]
    #[arg(long)]
    mesh: Option<usize>,
    /// Redshifts, from early to late
    #[arg(long, default_values_t = [1.0], num_args = 1..)]
    redshift: Vec<f64>,
    /// Redshift of the initial conditions
    #[arg(long, default_value_t = 49.0)]
    start: f64,
    /// The seed that those of all boxes come from
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// How gravity is computed
    #[arg(long, value_enum, default_value_t)]
    force: Force,
    /// Instead of simulating: a list of other simulations' boxes, TOML or CSV. Per box, dark matter
    /// (a snapshot or a grid), truth (a snapshot with gas, a 21 cm map or a grid of HI), if the
    /// dark matter is a grid a halo catalogue (optional), and the split:
    ///
    /// [[pair]]
    /// dark_matter = "Grids_Mtot_Nbody_IllustrisTNG_CV_128_z=1.0.npy:3"
    /// truth = "Grids_HI_IllustrisTNG_CV_128_z=1.0.npy:3"
    /// split = "train"
    #[arg(long, value_name = "FILE", verbatim_doc_comment, conflicts_with_all = ["check"])]
    pairs: Option<PathBuf>,
    /// Compare the files with their checksums and measure leakage; make nothing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    cosmology: CosmologyArgs,
}

impl Dataset {
    /// Make (or check) the data set.
    ///
    /// # Errors
    /// Those of the simulations, of reading and of writing.
    pub fn run(&self) -> Result<()> {
        if self.check {
            let manifest = crate::dataset::Dataset::open(&self.out)?.manifest;
            let leakage = verify(&self.out, &manifest)?;
            return summarise(&Manifest { leakage, ..manifest });
        }
        if let Some(list) = &self.pairs {
            return self.make_from(list);
        }
        let config = DatasetConfig {
            box_size: self.box_size,
            particles: self.particles,
            redshifts: self.redshift.clone(),
            start: self.start,
            cosmology: self.cosmology.cosmology(),
            gravity: GravityConfig::new(self.force, self.mesh.unwrap_or(2 * self.particles)),
            steps: StepConfig::default(),
            hydrogen: HydrogenModel::default(),
            seed: self.seed,
        };
        let counts = [(Split::Train, self.train), (Split::Validation, self.validation), (Split::Test, self.test)];
        if counts.iter().all(|&(_, count)| count == 0) {
            return Err(Error::setting("no boxes at all", "at least one", "Choose --train 20"));
        }
        let stop = super::on_interrupt();
        let style =
            ProgressStyle::with_template("{prefix:20} {bar:32} {percent:>3} %  {msg}").expect("a valid template");
        let bar = ProgressBar::new(1000).with_style(style);
        let made = make(&self.out, &config, &counts, |progress| {
            let [done, of] = progress.simulations;
            bar.set_prefix(format!("{} ({} of {of})", progress.name, done + 1));
            match progress.simulation {
                Some(simulation) => {
                    bar.set_position((1000.0 * simulation.fraction) as u64);
                    let left = simulation.remaining.map(|left| format!(", {} s left", left.as_secs()));
                    bar.set_message(format!("z = {:.2}{}", simulation.redshift, left.unwrap_or_default()));
                }
                None => bar.set_message("haloes and hydrogen"),
            }
            !stop.load(Ordering::Relaxed)
        });
        bar.finish_and_clear();
        if matches!(made, Err(Error::Cancelled)) {
            eprintln!("Run the same command again to go on.");
        }
        summarise(&made?)
    }
}

impl Dataset {
    /// Make the data set of a list of pairs.
    fn make_from(&self, list: &Path) -> Result<()> {
        let list = PairList::read(list)?;
        let stop = super::on_interrupt();
        let style = ProgressStyle::with_template("{prefix:20} {bar:32} {pos} of {len}").expect("a valid template");
        let bar = ProgressBar::new(list.pairs.len() as u64).with_style(style);
        let made = make_from_pairs(&self.out, &list, |name, [done, _]| {
            bar.set_prefix(name.to_owned());
            bar.set_position(done as u64);
            !stop.load(Ordering::Relaxed)
        });
        bar.finish_and_clear();
        if matches!(made, Err(Error::Cancelled)) {
            eprintln!("Run the same command again to go on.");
        }
        let (manifest, notes) = made?;
        super::print_notes(&notes);
        summarise(&manifest)
    }
}

fn summarise(manifest: &Manifest) -> Result<()> {
    let mut text = String::new();
    for split in Split::ALL {
        let boxes: Vec<_> = manifest.boxes.iter().filter(|b| b.split == split).collect();
        if boxes.is_empty() {
            continue;
        }
        for redshift in manifest.redshifts() {
            let at: Vec<_> = boxes.iter().filter(|b| (b.redshift - redshift).abs() < SAME_REDSHIFT).collect();
            let mean = at.iter().map(|b| b.mean_brightness_temperature).sum::<f64>() / at.len().max(1) as f64;
            text += &format!("{}, z = {redshift:.2}: {} boxes, mean T_b {mean:.4} mK\n", split.folder(), at.len());
        }
    }
    if let Some(leakage) = &manifest.leakage {
        text += &format!(
            "leakage: largest correlation of {} pairs {:+.4} ({:+.1} deviations; rms {:.2})\n",
            leakage.pairs, leakage.largest_correlation, leakage.largest_deviation, leakage.rms_deviation
        );
    }
    super::print(&text)
}

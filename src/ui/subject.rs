//! What is on show: the job that the window follows, earlier runs, and how their fields
//! are called.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::view_state::{Compare, Partner, Quantity, ViewState};
use crate::field::Grid;
use crate::field::Layer;
use crate::pipeline::{Changed, Ended, FieldValues, FrameTimes, JobConfig, JobView, Opened, Outcome, StepRecord};

/// Most earlier runs that are kept to compare with, unless they would be lost.
const MOST_RUNS: usize = 4;

/// An earlier run on the same box.
#[derive(Clone)]
pub struct KeptRun {
    /// Counts from 1 since the window was opened.
    pub number: usize,
    /// What it made.
    pub outcome: Arc<Outcome>,
    /// The folder that it was written to, or read from.
    pub saved: Option<PathBuf>,
}

impl KeptRun {
    /// Its map, mK.
    pub fn map(&self) -> Option<&Arc<Grid>> {
        self.outcome.fields.get(&Layer::BrightnessTemperature)
    }

    /// What it ran with, and where it is to be read from now.
    pub fn config(&self) -> JobConfig {
        JobConfig { results: self.saved.clone(), ..self.outcome.config.clone() }
    }

    /// What it ran with, for the screen.
    pub fn settings(&self) -> String {
        let settings = &self.outcome.config.settings;
        format!("seed {}, {} steps, {}", settings.seed, settings.steps, settings.overlap.name())
    }
}

/// The layers as the window lists them; their keys are 1 to 9 and 0.
pub const LAYERS: [Layer; 10] = [
    Layer::DarkMatter,
    Layer::HaloMass(0),
    Layer::HaloMass(1),
    Layer::HaloMass(2),
    Layer::HaloMass(3),
    Layer::BrightnessTemperature,
    Layer::Reference,
    Layer::ConditionalMean,
    Layer::Latent,
    Layer::Disagreement,
];

/// A layer's name on a button, and what it is, a sentence.
pub fn short_name(layer: Layer) -> (String, &'static str) {
    match layer {
        Layer::DarkMatter => ("DM".to_owned(), "Dark matter: density over the mean, 1 + δ."),
        Layer::HaloMass(bin) => (
            format!("H{}", bin + 1),
            "Halo mass density in a bin of halo mass, the lightest first: what HALO makes of dark matter.",
        ),
        Layer::BrightnessTemperature => {
            ("21 cm".to_owned(), "Predicted brightness temperature of neutral hydrogen, mK: what LODI paints.")
        }
        Layer::ConditionalMean => (
            "Mean".to_owned(),
            "The 21 cm brightness temperature that haloes and matter lead to expect, mK: where LODI begins.",
        ),
        Layer::Latent => (
            "Latent".to_owned(),
            "The noisy latent that LODI denoises, as the brightness temperature it stands for, mK.",
        ),
        Layer::Disagreement => (
            "Windows".to_owned(),
            "By how much the windows that overlap disagree about the brightness temperature, mK.",
        ),
        Layer::Reference => ("Ref".to_owned(), "Reference brightness temperature, mK, to compare the prediction with."),
    }
}

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldId {
    /// A layer of the job.
    Layer(Layer),
    /// The map of an earlier run.
    Run(usize),
    /// One of several realisations of the last run, after the first.
    Realisation(usize),
    /// What all realisations have in common: their mean, or their spread about it.
    Ensemble {
        /// The spread.
        spread: bool,
    },
    /// A kept denoising step: its noisy latent or its clean estimate.
    Step {
        /// Place in the list of steps.
        index: usize,
        /// The latent.
        latent: bool,
    },
    /// The shown field less the one it is compared with.
    Difference,
    /// The shown field, or the one it is compared with, on fewer voxels than it has.
    Coarser {
        /// Of the compared one.
        compared: bool,
    },
    /// A band of wavenumbers of the shown field, or of the one it is compared with.
    Band {
        /// Of the compared one.
        compared: bool,
    },
}

/// A field, and what is to be said of it.
#[derive(Clone)]
pub struct Source {
    /// Which one.
    pub id: FieldId,
    /// Changes whenever any voxel does.
    pub version: u64,
    /// Its values.
    pub values: FieldValues,
    /// What it holds.
    pub quantity: Quantity,
    /// Name for the screen.
    pub name: String,
    /// Whether it is finished.
    pub complete: bool,
}

impl Source {
    /// Its values, where they are in the computer's own memory.
    pub fn host(&self) -> Option<&Arc<Grid>> {
        match &self.values {
            FieldValues::Host(grid) => Some(grid),
            FieldValues::Device { .. } => None,
        }
    }

    /// Voxels per axis.
    pub fn n(&self) -> usize {
        match &self.values {
            FieldValues::Host(grid) => grid.n(),
            FieldValues::Device { values, .. } => values.dims()[0],
        }
    }

    /// Unit of its values.
    pub fn unit(&self) -> &'static str {
        self.quantity.unit()
    }
}

/// Whether two outcomes are of one run.
fn same_map(a: &Outcome, b: &Outcome) -> bool {
    a.realisations.first().zip(b.realisations.first()).is_some_and(|(a, b)| Arc::ptr_eq(a, b))
}

/// What is on show, beside how it is looked at.
#[derive(Default, Clone)]
pub struct Subject {
    /// The job that is shown: its source was read.
    pub job: JobView,
    /// The result of the last job that ran networks on this source.
    pub outcome: Option<Arc<Outcome>>,
    /// The folder that it was written to, or the folder or map file that it was read from.
    pub saved: Option<PathBuf>,
    /// Earlier runs on this box.
    pub runs: Vec<KeptRun>,
    /// The kept step that is shown instead of the newest state.
    pub step: Option<usize>,
    /// The realisation of the map that is shown.
    pub realisation: usize,
    /// Instead of it the mean of all (`false`) or their spread (`true`).
    pub ensemble: Option<bool>,
    /// What the job on show was asked for.
    pub opened_with: Option<JobConfig>,
    /// The number of the run on show, where it had one among the earlier runs.
    number: Option<usize>,
    counted: usize,
    /// What a job that runs will replace, to go back to if it comes to nothing.
    before: Option<Box<Subject>>,
}

impl Subject {
    /// Show `job`, which was opened. Says whether another box than before is on show.
    pub fn follow(&mut self, job: JobView) -> bool {
        let new_box = match (&self.job.opened, &job.opened) {
            (Some(old), Some(new)) => {
                old.source != new.source || (old.n, old.box_size, old.redshift) != (new.n, new.box_size, new.redshift)
            }
            _ => true,
        };
        if job.job != self.job.job {
            self.before = None;
            if self.outcome.is_some() {
                self.before = Some(Box::new(self.clone()));
            }
            self.keep_run();
            (self.outcome, self.saved, self.step) = (None, None, None);
            (self.realisation, self.ensemble) = (0, None);
        }
        if new_box {
            self.runs.clear();
            (self.counted, self.number) = (0, None);
        }
        self.job = job;
        match &self.job.ended {
            Some(Ended::Cancelled | Ended::Failed(_)) => self.give_back(),
            Some(Ended::Finished(outcome)) if self.outcome.is_none() => {
                self.before = None;
                if !outcome.realisations.is_empty() {
                    let outcome = outcome.clone();
                    self.show_results(outcome);
                }
            }
            _ => {}
        }
        if self.step.is_some_and(|step| step >= self.job.steps.len()) {
            self.step = None;
        }
        new_box
    }

    /// The job on show has come to nothing: what was there before it is there again, or what it has begun stays and is
    /// called so.
    pub fn give_back(&mut self) {
        match self.before.take() {
            Some(before) => *self = *before,
            None => {
                self.job.ended.get_or_insert(Ended::Cancelled);
                (self.job.active, self.job.progress) = (Arc::new([]), None);
            }
        }
    }

    fn show_results(&mut self, outcome: Arc<Outcome>) {
        self.saved = outcome.config.results.clone();
        // The same map once more, beside another reference perhaps, is no other run.
        let same = |run: &KeptRun| {
            same_map(&run.outcome, &outcome) || (run.saved.is_some() && run.saved == outcome.config.results)
        };
        if let Some(at) = self.runs.iter().position(same) {
            let run = self.runs.remove(at);
            self.number = Some(run.number);
            self.saved = self.saved.take().or(run.saved);
        }
        self.outcome = Some(outcome);
        self.forget_runs();
    }

    /// How smoothly the window ran while the job on show did.
    pub fn timed(&mut self, frame_times: Option<FrameTimes>) {
        if let Some(outcome) = self.outcome.take() {
            self.outcome = Some(Arc::new(Outcome { frame_times, ..(*outcome).clone() }));
        }
    }

    /// Keep the finished map of the job that is about to be replaced.
    fn keep_run(&mut self) {
        let Some(outcome) = self.outcome.clone() else { return };
        let number = self.number.take().unwrap_or(self.counted + 1);
        self.insert(number, &outcome, self.saved.clone());
    }

    /// Leave these numbers to runs that are still to be made.
    pub fn reserve(&mut self, numbers: impl Iterator<Item = usize>) {
        self.counted = numbers.fold(self.counted, usize::max);
    }

    /// What would be lost if something else were opened: results that were not saved, that on show first.
    pub fn unsaved(&self) -> Vec<Arc<Outcome>> {
        let shown = self.outcome.iter().filter(|_| self.saved.is_none());
        let runs = self.runs.iter().filter(|run| run.saved.is_none()).map(|run| &run.outcome);
        shown.chain(runs).cloned().collect()
    }

    /// `outcome` was written to `folder`, and takes the place of what was there.
    pub fn was_saved(&mut self, outcome: &Outcome, folder: &Path) {
        let place = |other: &Outcome, saved: Option<PathBuf>| match same_map(other, outcome) {
            true => Some(folder.to_path_buf()),
            false => saved.filter(|there| there != folder),
        };
        if let Some(shown) = &self.outcome {
            self.saved = place(shown, self.saved.take());
        }
        for run in &mut self.runs {
            run.saved = place(&run.outcome, run.saved.take());
        }
        if let Some(before) = &mut self.before {
            before.was_saved(outcome, folder);
        }
    }

    /// Keep a finished run on this box, to compare with; `saved` is the folder that it is in, if it is in one.
    pub fn keep(&mut self, number: usize, outcome: &Outcome, saved: Option<PathBuf>) {
        self.insert(number, outcome, saved.clone());
        self.forget_runs();
        if let Some(before) = &mut self.before {
            before.keep(number, outcome, saved);
        }
    }

    fn insert(&mut self, number: usize, outcome: &Outcome, saved: Option<PathBuf>) {
        if !outcome.fields.contains_key(&Layer::BrightnessTemperature) {
            return;
        }
        self.counted = self.counted.max(number);
        self.runs.retain(|run| run.number != number);
        // Steps take more than all the rest.
        let outcome = Arc::new(Outcome { steps: Vec::new(), ..outcome.clone() });
        self.runs.push(KeptRun { number, outcome, saved });
    }

    /// Forget the oldest runs that can be read again, where there are many.
    fn forget_runs(&mut self) {
        while self.runs.len() > MOST_RUNS {
            let Some(oldest) = self.runs.iter().position(|run| run.saved.is_some()) else { return };
            self.runs.remove(oldest);
        }
    }

    /// What is open.
    pub fn opened(&self) -> Option<&Opened> {
        self.job.opened.as_deref()
    }

    /// Whether a layer has anything to show.
    pub fn has(&self, layer: Layer) -> bool {
        self.job.layers.contains_key(&layer)
    }

    /// A field by its name; differences and bands are not kept here.
    pub fn field(&self, id: FieldId) -> Option<Source> {
        match id {
            FieldId::Layer(layer) => {
                let view = self.job.layers.get(&layer)?;
                Some(Source {
                    id,
                    version: view.version,
                    values: view.field.clone(),
                    quantity: Quantity::of(layer),
                    // A job that was stopped leaves what it had begun.
                    name: match view.complete || self.job.ended.is_none() {
                        true => layer.name(),
                        false => format!("{}, unfinished", layer.name()),
                    },
                    complete: view.complete,
                })
            }
            FieldId::Run(number) => {
                let run = self.runs.iter().find(|run| run.number == number)?;
                Some(Source {
                    id,
                    version: number as u64,
                    values: FieldValues::Host(run.map()?.clone()),
                    quantity: Quantity::Temperature,
                    name: format!("21 cm, run {number}: {}", run.settings()),
                    complete: true,
                })
            }
            FieldId::Step { index, latent } => {
                let step = self.job.steps.get(index)?;
                let (layer, what) = if latent { (&step.latent, "latent") } else { (&step.estimate, "estimate") };
                Some(Source {
                    id,
                    version: layer.version,
                    values: layer.field.clone(),
                    quantity: Quantity::Temperature,
                    name: format!("21 cm, {what} of step {} of {}", step.step + 1, step.of),
                    complete: true,
                })
            }
            FieldId::Realisation(index) => {
                let map = self.outcome.as_ref()?.realisations.get(index)?;
                Some(Source {
                    id,
                    version: index as u64 + 1,
                    values: FieldValues::Host(map.clone()),
                    quantity: Quantity::Temperature,
                    name: format!("21 cm, realisation {}", index + 1),
                    complete: true,
                })
            }
            FieldId::Difference | FieldId::Band { .. } | FieldId::Ensemble { .. } | FieldId::Coarser { .. } => None,
        }
    }

    /// Forget the fields that were on a device which is gone.
    pub fn forget_the_device(&mut self) {
        let here = |view: &crate::pipeline::LayerView| matches!(view.field, FieldValues::Host(_));
        self.job.layers.retain(|_, view| here(view));
        let kept = |step: &&Arc<StepRecord>| here(&step.latent) && here(&step.estimate);
        self.job.steps = self.job.steps.iter().filter(kept).cloned().collect();
        if let Some(outcome) = self.outcome.take() {
            let steps = outcome.steps.iter().filter(kept).cloned().collect();
            self.outcome = Some(Arc::new(Outcome { steps, ..(*outcome).clone() }));
        }
        self.step = None;
        if let Some(before) = &mut self.before {
            before.forget_the_device();
        }
    }

    /// How many realisations of the map there are.
    pub fn realisations(&self) -> usize {
        self.outcome.as_ref().map_or(0, |outcome| outcome.realisations.len())
    }

    /// What `layer` may have changed after `version`.
    pub fn changed_since(&self, id: FieldId, version: u64) -> Changed {
        match id {
            FieldId::Layer(layer) => {
                self.job.layers.get(&layer).map_or(Changed::Nothing, |view| view.changed_since(version))
            }
            _ => Changed::All,
        }
    }

    /// The field that `view` shows and the one that it is compared with, as they were
    /// made: neither filtered nor subtracted.
    pub fn pair(&self, view: &ViewState) -> Option<(Source, Option<Source>)> {
        let first = match (view.layer, self.step) {
            (Layer::BrightnessTemperature, Some(index)) => FieldId::Step { index, latent: view.latent },
            // Noise becomes a map: while it does, the noise can be looked at.
            (Layer::BrightnessTemperature, None)
                if view.latent && self.outcome.is_none() && self.has(Layer::Latent) =>
            {
                FieldId::Layer(Layer::Latent)
            }
            (Layer::BrightnessTemperature, None) if self.realisation > 0 && self.realisation < self.realisations() => {
                FieldId::Realisation(self.realisation)
            }
            (layer, _) => FieldId::Layer(layer),
        };
        let shown = self.field(first)?;
        let of = |partner: Partner| match partner {
            Partner::Reference => FieldId::Layer(Layer::Reference),
            Partner::Run(number) => FieldId::Run(number),
            Partner::Realisation(0) => FieldId::Layer(Layer::BrightnessTemperature),
            Partner::Realisation(index) => FieldId::Realisation(index),
        };
        // Where the chosen one is not there, or is what is shown already, the next that is: the reference itself is
        // compared with the prediction.
        let prediction = std::iter::once(FieldId::Layer(Layer::BrightnessTemperature));
        let wanted = std::iter::once(of(view.partner)).chain(prediction.filter(|_| first == of(view.partner)));
        let compared = wanted
            .chain(self.partners().into_iter().map(of))
            .filter(|other| *other != first && shown.quantity == Quantity::Temperature)
            .find_map(|other| self.field(other).filter(|c| c.n() == shown.n()));
        Some((shown, compared))
    }

    /// What the shown map is compared with; `None` for nothing, and for the prediction itself.
    pub fn partner(&self, view: &ViewState) -> Option<Partner> {
        match self.pair(view)?.1?.id {
            FieldId::Layer(Layer::Reference) => Some(Partner::Reference),
            FieldId::Run(number) => Some(Partner::Run(number)),
            FieldId::Realisation(index) => Some(Partner::Realisation(index)),
            FieldId::Layer(_) if self.realisations() > 1 => Some(Partner::Realisation(0)),
            _ => None,
        }
    }

    /// What a map can be compared with.
    pub fn partners(&self) -> Vec<Partner> {
        let reference = self.has(Layer::Reference).then_some(Partner::Reference);
        let runs = self.runs.iter().map(|run| Partner::Run(run.number));
        let realisations = (0..self.realisations()).filter(|_| self.realisations() > 1).map(Partner::Realisation);
        reference.into_iter().chain(runs).chain(realisations).collect()
    }

    /// Whether there is something to compare the shown layer with.
    pub fn can_compare(&self, view: &ViewState) -> bool {
        self.pair(view).is_some_and(|(_, compared)| compared.is_some())
    }

    /// The way of comparing that is possible now.
    pub fn comparing(&self, view: &ViewState) -> Compare {
        if self.can_compare(view) { view.compare } else { Compare::Off }
    }
}

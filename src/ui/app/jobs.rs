//! Jobs of the window: what is opened, run, compared with a reference and brought back, and what is shown of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use egui::util::undoer::Undoer;

use super::{FRAME, HalodiApp, RECENT};
use crate::field::Layer;
use crate::pipeline::{self, Ended, Job, JobConfig, JobView, Outcome, Source};
use crate::predict::Stage;
use crate::ui::log::Level;
use crate::ui::priority;
use crate::ui::session::Session;
use crate::ui::talk::presentation::Presentation;

impl HalodiApp {
    /// Start the job that the settings describe, up to `until`.
    pub(in crate::ui) fn start(&mut self, until: Stage) {
        if self.job.is_none() {
            self.start_job(JobConfig { until, ..self.settings.clone() });
        }
    }

    /// Start a job.
    pub(in crate::ui) fn start_job(&mut self, config: JobConfig) {
        self.begin();
        self.timing = config.until > Stage::Field && config.results.is_none();
        self.asked_for = config.clone();
        self.job = Some(pipeline::spawn(config, self.device_choice, self.waker()));
    }

    fn begin(&mut self) {
        self.frames.restart();
        self.chosen_by_user = false;
        self.followed_layer = None;
        self.told_warnings = 0;
    }

    /// What a job calls when there is something new to see.
    pub(in crate::ui) fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let waker = self.waker.clone();
        move || {
            // It is called on the job's own thread.
            priority::lower_this_thread();
            waker.lock().unwrap_or_else(PoisonError::into_inner).request_repaint_after(FRAME);
        }
    }

    /// End the jobs that run.
    pub(in crate::ui) fn stop(&mut self) {
        if self.job.as_ref().is_some_and(|job| job.id() == self.subject.job.job) {
            // Nobody follows it to its end.
            self.subject.give_back();
            self.analysis.clear();
            self.drawing.clear();
        }
        for job in self.job.take().into_iter().chain(self.beside.take().map(|(_, job)| job)) {
            job.control.cancel();
        }
        self.waiting_runs.clear();
        self.waiting_reference = None;
    }

    /// What is being opened does not choose what is looked at.
    pub(in crate::ui) fn stay_with_view(&mut self) {
        self.chosen_by_user = true;
    }

    /// Put a file first in the list of those that were open.
    pub(in crate::ui) fn remember(&mut self, path: &Path) {
        self.recent.retain(|p| p != path);
        self.recent.insert(0, path.to_path_buf());
        self.recent.truncate(RECENT);
    }

    /// Open a source (ending a job that runs), or a session by its name.
    pub fn open(&mut self, source: Source) {
        if let Source::File(path) = &source {
            if Session::is_named(path) {
                let path = path.clone();
                return self.open_session(&path);
            }
            self.remember(path);
        }
        self.stop();
        self.restoring = false;
        self.settings.source = source;
        (self.settings.species, self.settings.grid, self.settings.reference) = (None, None, None);
        self.start(Stage::Field);
    }

    /// Open what `config` was to open, with these types of particles for the dark matter.
    pub(in crate::ui) fn open_with_species(&mut self, config: JobConfig, types: Vec<usize>) {
        self.stop();
        self.settings = JobConfig { species: Some(types), ..config };
        self.start(Stage::Field);
    }

    /// Compare what is open with a reference map, also what was predicted; a job that runs is not disturbed.
    pub fn open_reference(&mut self, path: PathBuf) {
        if self.job.is_some() {
            self.log.say(Level::Info, "The reference is read as soon as the job that runs has ended.");
            self.waiting_reference = Some(path);
            return;
        }
        self.settings.reference = Some(path.clone());
        let finished = match &self.subject.job.ended {
            Some(Ended::Finished(outcome)) => Some(outcome),
            _ => None,
        };
        // What was predicted, or what was opened.
        match self.subject.outcome.as_ref().or(finished).cloned() {
            Some(outcome) => {
                let open = self.subject.opened_with.clone().unwrap_or_default();
                self.asked_for = JobConfig { reference: Some(path.clone()), ..open };
                self.show_again(outcome, Some(path));
            }
            None => self.start(Stage::Field),
        }
    }

    /// Bring an earlier run back.
    pub(in crate::ui) fn show_run(&mut self, number: usize) {
        let Some(run) = self.subject.runs.iter().find(|run| run.number == number) else { return };
        if self.job.is_none() {
            self.asked_for = run.config();
            self.show_again(run.outcome.clone(), None);
        }
    }

    fn show_again(&mut self, outcome: Arc<Outcome>, reference: Option<PathBuf>) {
        self.begin();
        self.timing = false;
        self.told_warnings = outcome.warnings.len();
        self.job = Some(pipeline::again(outcome, reference, self.waker()));
    }

    pub(super) fn follow(&mut self, news: JobView) {
        if news.job == self.subject.job.job && news.version == self.subject.job.version {
            return;
        }
        let before = self.subject.job.job;
        let new_box = self.subject.follow(news);
        // Another job than before; or that before once more, where the new one came to nothing.
        let new_job = self.subject.job.job != before;
        if new_job {
            let (job, subject) = (self.job.as_ref().map(Job::id), self.subject.job.job);
            if job == Some(subject) {
                self.subject.opened_with = Some(self.asked_for.clone());
            }
            self.told_coarser = None;
            self.analysis.clear();
            self.drawing.clear();
        }
        if new_job && self.restoring {
            // The view and the runs are those of the session.
            self.subject.runs.clear();
            self.fitted.clear();
            self.restoring = false;
        } else if new_box && new_job {
            // A view that a restart brought back belongs to the box that was open then.
            self.fitted.clear();
            self.view.forget_box();
            self.undoer = Undoer::default();
        }
        for warning in &self.subject.job.warnings[self.told_warnings.min(self.subject.job.warnings.len())..] {
            self.log.say(Level::Warning, warning.clone());
        }
        self.told_warnings = self.subject.job.warnings.len();
        // What is being made comes to the front, unless the user looks elsewhere.
        let newest = [Layer::BrightnessTemperature, Layer::ConditionalMean, Layer::HaloMass(1), Layer::DarkMatter]
            .into_iter()
            .find(|layer| self.subject.has(*layer));
        // Results that are being read bring the layer of the session with them.
        let reading = self.asked_for.results.is_some() && self.subject.job.ended.is_none();
        if let Some(layer) = newest.filter(|_| !reading)
            && self.followed_layer != Some(layer)
        {
            self.followed_layer = Some(layer);
            let gone = !self.subject.has(self.view.layer);
            // A talk says itself what is seen.
            if !self.presentation.as_ref().is_some_and(Presentation::is_scripted) && (!self.chosen_by_user || gone) {
                self.view.layer = layer;
            }
        }
    }
}

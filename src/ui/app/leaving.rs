//! What is open is left: asked for, saved or given up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egui::Context;

use super::{HalodiApp, Message};
use crate::figure::Format;
use crate::pipeline::{Outcome, Source};
use crate::predict::Stage;
use crate::report;
use crate::ui::dialogs::Asked;
use crate::ui::files::{self, Wanted};
use crate::ui::session::{Session, window as sessions};

/// What takes the place of all that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ui) enum Leaving {
    /// Nothing: the window closes.
    Close,
    /// Something else that is opened.
    For(Source),
    /// The talk that comes with Halodi.
    ForTheTalk,
    /// A run of the same source on other voxels or of other particles.
    ForARun,
}

/// What is lost by leaving, the most pressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Losing {
    /// What a job that runs has made so far.
    Job,
    /// A film that is being recorded.
    Film,
    /// Predictions.
    Results,
    /// Scenes of a talk.
    Scenes,
}

impl HalodiApp {
    /// Leave what is open, once the user agrees to lose what is lost with it.
    pub(in crate::ui) fn leave(&mut self, to: Leaving) {
        match self.losing(&to) {
            Some(_) => self.dialogs.asked = Some(Asked::Leave { to }),
            None => self.left(to),
        }
    }

    /// Run the networks with the settings, once the user agrees where that is on another box than the results are of.
    pub(in crate::ui) fn run_networks(&mut self) {
        let same = match (&self.subject.opened_with, self.subject.opened()) {
            (Some(open), Some(opened)) => {
                let grid = self.settings.grid == open.grid || self.settings.grid == Some(opened.n);
                grid && self.settings.species == open.species
            }
            _ => true,
        };
        if same { self.left(Leaving::ForARun) } else { self.leave(Leaving::ForARun) }
    }

    /// What is lost by leaving now.
    pub(in crate::ui) fn losing(&self, to: &Leaving) -> Option<Losing> {
        // Reading a file is soon done again.
        if self.job.is_some() && self.subject.opened().is_some() {
            Some(Losing::Job)
        } else if self.recording.is_some() && *to == Leaving::Close {
            Some(Losing::Film)
        } else if !self.subject.unsaved().is_empty() {
            Some(Losing::Results)
        } else {
            self.loses_scenes(to).then_some(Losing::Scenes)
        }
    }

    /// Whether there are scenes that no session has, and that would be gone.
    fn loses_scenes(&self, to: &Leaving) -> bool {
        let gone = match to {
            Leaving::Close | Leaving::ForTheTalk => true,
            Leaving::For(Source::File(path)) => Session::is_named(path),
            Leaving::For(Source::Demo) | Leaving::ForARun => false,
        };
        gone && !self.talk.scenes.is_empty() && self.talk != self.kept_talk
    }

    /// The user agreed.
    pub(in crate::ui) fn left(&mut self, to: Leaving) {
        match to {
            Leaving::Close => self.close(&self.ctx.clone()),
            Leaving::For(source) => self.open(source),
            Leaving::ForTheTalk => self.give_demo_talk(false),
            Leaving::ForARun => self.start(Stage::Statistics),
        }
    }

    /// Write the last result into a folder of the user's choice.
    pub(in crate::ui) fn save_results(&mut self) {
        if let Some(outcome) = self.subject.outcome.clone() {
            self.save(vec![outcome], None);
        }
    }

    /// Write what would be lost, and go on.
    pub(in crate::ui) fn save_and_leave(&mut self, to: Leaving) {
        let unsaved = self.subject.unsaved();
        if unsaved.is_empty() { sessions::save(self, Some(to)) } else { self.save(unsaved, Some(to)) }
    }

    /// Write `outcomes`: the first into a folder of the user's choice, the others into folders in it.
    fn save(&mut self, outcomes: Vec<Arc<Outcome>>, then: Option<Leaving>) {
        files::ask(self, "Folder for the results", Wanted::Folder, move |folder| {
            let mut saved = Vec::new();
            for (index, outcome) in outcomes.into_iter().enumerate() {
                let folder = folder_of(&folder, index);
                if let Err(error) = report::write_outcome(&folder, &outcome, &[Format::Png]) {
                    return Message::Failed(error);
                }
                saved.push((outcome, folder));
            }
            Message::Saved(saved, then)
        });
    }

    /// Ask before something is lost with the window.
    pub(super) fn closing(&mut self, ctx: &Context) {
        if !ctx.input(|input| input.viewport().close_requested()) || self.closing {
            return;
        }
        if self.losing(&Leaving::Close).is_some() {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            self.leave(Leaving::Close);
        }
    }

    /// Close the window without asking again.
    pub(in crate::ui) fn close(&mut self, ctx: &Context) {
        self.closing = true;
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    /// Write results that were not saved where the window can never come back; the folder.
    pub(in crate::ui) fn rescue(&mut self) -> Option<PathBuf> {
        let unsaved = self.subject.unsaved();
        let rescued = std::env::current_dir().unwrap_or_default().join("halodi-rescued");
        for (index, outcome) in unsaved.iter().enumerate() {
            report::write_outcome(folder_of(&rescued, index), outcome, &[Format::Png]).ok()?;
        }
        (!unsaved.is_empty()).then_some(rescued)
    }
}

/// Where the results of several runs go: the first into `folder`, the others into folders in it.
fn folder_of(folder: &Path, index: usize) -> PathBuf {
    if index == 0 { folder.to_path_buf() } else { folder.join(format!("earlier_run_{index}")) }
}

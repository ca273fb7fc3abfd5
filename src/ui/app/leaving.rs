//! What is open is left: asked for, saved or given up.

use std::path::PathBuf;
use std::sync::Arc;

use egui::Context;

use super::{HalodiApp, Message};
use crate::figure::Format;
use crate::pipeline::{Outcome, Source};
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
}

/// What is lost by leaving, the most pressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) enum Losing {
    /// What a job that runs, or a film, has made so far.
    Job,
    /// Predictions.
    Results,
    /// Scenes of a talk.
    Scenes,
}

impl HalodiApp {
    /// Leave what is open, once the user agrees to lose what is lost with it.
    pub(in crate::ui) fn leave(&mut self, to: Leaving) {
        match self.losing(&to) {
            Some(losing) => self.dialogs.asked = Some(Asked::Leave { to, losing }),
            None => self.left(to),
        }
    }

    fn losing(&self, to: &Leaving) -> Option<Losing> {
        // Reading a file is soon done again.
        let running = self.job.is_some() && self.subject.opened().is_some();
        if running || self.recording.is_some() {
            Some(Losing::Job)
        } else if !self.subject.unsaved().is_empty() {
            Some(Losing::Results)
        } else {
            self.loses_scenes(to).then_some(Losing::Scenes)
        }
    }

    /// Whether there are scenes that no session has, and that would be gone.
    fn loses_scenes(&self, to: &Leaving) -> bool {
        let stay = matches!(to, Leaving::For(Source::File(path)) if !Session::is_named(path));
        !stay && *to != Leaving::For(Source::Demo) && !self.talk.scenes.is_empty() && self.talk != self.kept_talk
    }

    /// The user agreed.
    pub(in crate::ui) fn left(&mut self, to: Leaving) {
        match to {
            Leaving::Close => self.close(&self.ctx.clone()),
            Leaving::For(source) => self.open(source),
            Leaving::ForTheTalk => self.give_demo_talk(false),
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
        let frame_times = self.frames.summary();
        files::ask(self, "Folder for the results", Wanted::Folder, move |folder| {
            let mut saved = Vec::new();
            for (index, outcome) in outcomes.into_iter().enumerate() {
                let folder = if index == 0 { folder.clone() } else { folder.join(format!("earlier_run_{index}")) };
                let timed = Outcome { frame_times, ..(*outcome).clone() };
                if let Err(error) = report::write_outcome(&folder, &timed, &[Format::Png]) {
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
        let outcome = self.subject.outcome.clone().filter(|_| self.subject.saved.is_none())?;
        let folder = std::env::current_dir().unwrap_or_default().join("halodi-rescued");
        report::write_outcome(&folder, &outcome, &[Format::Png]).ok()?;
        Some(folder)
    }
}

//! What tasks in the background bring back.

use std::path::PathBuf;
use std::sync::Arc;

use egui::Context;

use super::{HalodiApp, Leaving};
use crate::error::Error;
use crate::figure::PROGRAM;
use crate::io::SpectrumTable;
use crate::io::table::spectra_csv;
use crate::pipeline::{Ended, JobConfig, Outcome, Source, Watch};
use crate::report;
use crate::stats::{strongest_along, strongest_within};
use crate::ui::analysis::grid_of;
use crate::ui::dialogs::Asked;
use crate::ui::files::{self, PathAsked, Wanted};
use crate::ui::log::Level;
use crate::ui::priority;
use crate::ui::session::{Session, window as sessions};
use crate::ui::subject::Source as Field;
use crate::ui::talk::Talk;

/// What a background task of the window brings back.
pub(in crate::ui) enum Message {
    /// Something to open was chosen.
    Open(PathBuf),
    /// A reference was chosen.
    Reference(PathBuf),
    /// Results were written, each into its folder; and what is to be done next.
    Saved(Vec<(Arc<Outcome>, PathBuf)>, Option<Leaving>),
    /// A session was written there, with this talk; and what is to be done next.
    SessionSaved(PathBuf, Talk, Option<Leaving>),
    /// Something that a session misses was looked for.
    Located(Box<Session>),
    /// Sentences that the user should know.
    Told(Vec<String>),
    /// A picture or a table was written there.
    Written(PathBuf),
    /// The strongest voxel lies there, in the unit cube.
    Brightest([f32; 3]),
    /// A picture for the clipboard.
    Picture(Arc<egui::ColorImage>),
    /// The system has no dialog for paths.
    NoDialog(PathAsked),
    /// It did not work.
    Failed(Error),
}

impl HalodiApp {
    /// Run a task off the window's thread and hear of it later.
    pub(in crate::ui) fn background(&self, task: impl FnOnce() -> Option<Message> + Send + 'static) {
        let (sender, ctx) = (self.messages.0.clone(), self.ctx.clone());
        std::thread::spawn(move || {
            priority::lower_this_thread();
            if let Some(message) = task() {
                // The window may be gone by now.
                let _ = sender.send(message);
                ctx.request_repaint();
            }
        });
    }

    pub(in crate::ui) fn choose_snapshot(&mut self) {
        files::ask(self, "Open snapshot", Wanted::Existing, Message::Open);
    }

    pub(in crate::ui) fn choose_reference(&mut self) {
        files::ask(self, "21 cm reference map", Wanted::Existing, Message::Reference);
    }

    /// Copy the spectra to the clipboard, a table with commas.
    pub(in crate::ui) fn copy_spectra(&mut self, ctx: &Context) {
        let spectra = &self.subject.job.spectra;
        let names: Vec<String> = spectra.keys().map(|series| series.name()).collect();
        let tables: Vec<SpectrumTable> = spectra
            .iter()
            .zip(&names)
            .map(|((&series, spectrum), name)| SpectrumTable { name, units: report::power_unit(series), spectrum })
            .collect();
        let box_name = self.subject.opened().map_or("", |opened| &opened.name);
        match spectra_csv(&tables, &format!("{PROGRAM}: {box_name}")) {
            Ok(text) => {
                ctx.copy_text(text);
                self.log.say(Level::Info, "The spectra are on the clipboard, as a table.");
            }
            Err(error) => self.log.say(Level::Error, error.to_string()),
        }
    }

    /// Move the crosshair to the strongest voxel of `field`, once it is found: of those on a line of
    /// sight within the box, or of those in the part of the box that is shown.
    pub(in crate::ui) fn look_for_brightest(&self, field: &Field, line: Option<[[f32; 3]; 2]>) {
        let (values, clip) = (field.values.clone(), self.view.clip);
        let magnitude = self.view.scale(field.quantity).map.is_diverging();
        self.background(move || {
            let grid = grid_of(&values)?;
            let voxel = match line {
                Some(ends) => strongest_along(&grid, ends, magnitude)?,
                None => strongest_within(&grid, clip, magnitude)?,
            };
            Some(Message::Brightest(voxel.map(|v| (v as f32 + 0.5) / grid.n() as f32)))
        });
    }

    pub(super) fn listen(&mut self, ctx: &Context) {
        while let Ok(message) = self.messages.1.try_recv() {
            match message {
                Message::Open(path) => self.leave(Leaving::For(Source::File(path))),
                Message::Reference(path) => self.open_reference(path),
                Message::Saved(results, then) => {
                    for (outcome, folder) in results {
                        self.log.say(Level::Info, format!("The results are in {}.", folder.display()));
                        self.subject.was_saved(&outcome, &folder);
                    }
                    if let Some(to) = then {
                        self.leave(to);
                    }
                }
                Message::SessionSaved(path, talk, then) => {
                    self.log.say(Level::Info, format!("The session is in {}.", path.display()));
                    self.remember(&path);
                    (self.session, self.kept_talk) = (Some(path), talk);
                    if let Some(to) = then {
                        self.leave(to);
                    }
                }
                Message::Located(session) => sessions::complete(self, *session),
                Message::Told(sentences) => sentences.into_iter().for_each(|s| self.log.say(Level::Warning, s)),
                Message::NoDialog(asked) => {
                    self.writes_paths = true;
                    self.dialogs.path = Some(asked);
                }
                Message::Written(path) => self.log.say(Level::Info, format!("Written: {}.", path.display())),
                Message::Brightest(place) => {
                    self.view.crosshair = place;
                    if !self.frozen {
                        self.probe = place;
                    }
                }
                Message::Picture(image) => ctx.copy_image(Arc::unwrap_or_clone(image)),
                Message::Failed(error) => self.log.say(Level::Error, error.to_string()),
            }
        }
        sessions::runs_beside(self);
        let Some(job) = &self.job else { return };
        job.look_at(Watch { fields: true, spectra: true });
        let (id, news) = (job.id(), job.view());
        let (ended, opened) = (news.ended.clone(), news.opened.is_some());
        if opened {
            self.follow(news);
        }
        let mut asked = false;
        match ended {
            None => return,
            Some(Ended::Finished(outcome)) => {
                if self.timing {
                    self.subject.timed(self.frames.summary());
                }
                self.keep_prepared(&outcome);
            }
            Some(Ended::Cancelled) => {}
            Some(Ended::Failed(error)) => match &*error {
                Error::Consent { types, .. } if !types.is_empty() => {
                    asked = true;
                    self.dialogs.asked = Some(Asked::species(&error, types, self.asked_for.clone()));
                }
                _ => self.log.say(Level::Error, error.to_string()),
            },
        }
        self.job = None;
        // The answer opens what was to be opened, with the view that was to come with it.
        self.restoring &= asked;
        self.frames.stop();
        let shown = self.subject.job.job == id;
        if !shown && let Some(open) = self.subject.opened_with.clone() {
            // The settings follow what is still open.
            let JobConfig { source, species, grid, reference, .. } = open;
            self.settings = JobConfig { source, species, grid, reference, ..self.settings.clone() };
        }
        // It was meant for what was to be opened.
        if let Some(path) = self.waiting_reference.take().filter(|_| opened) {
            self.open_reference(path);
        }
    }
}

/// A table written in the background, atomically.
pub(in crate::ui) fn write_table(app: &mut HalodiApp, title: &'static str, name: &'static str, text: String) {
    files::ask(app, title, Wanted::New(name), move |path| match crate::io::atomic::write(&path, text.as_bytes()) {
        Ok(()) => Message::Written(path),
        Err(error) => Message::Failed(error),
    });
}

//! Sessions and the window: what it has open as a session, and a session as what it has open.

use std::path::{Path, PathBuf};

use egui::Context;
use egui::util::undoer::Undoer;

use super::{ComparedRun, Session, autosave, prepared};
use crate::error::Result;
use crate::pipeline::{self, Ended, JobConfig, Source};
use crate::predict::Stage;
use crate::ui::app::{HalodiApp, Leaving, Message};
use crate::ui::dialogs::Asked;
use crate::ui::files::{self, Wanted};
use crate::ui::log::Level;
use crate::ui::talk::Talk;
use crate::ui::workspace::Workspace;

/// The talk that comes with Halodi.
const DEMO_TALK: &str = include_str!("../../../assets/demo/talk.halodi");

impl Session {
    /// The talk that comes with Halodi, on the demo. Where its results were kept from another time
    /// they are read, unless it is to be `live`.
    ///
    /// # Errors
    /// None, in a program that was tested.
    pub fn demo_talk(live: bool) -> Result<Self> {
        let mut session = Self::embedded(DEMO_TALK, "talk.halodi")?;
        if !live {
            prepared::find(&mut session);
        }
        Ok(session)
    }
}

/// What a window has open.
pub(in crate::ui) fn capture(app: &HalodiApp) -> Session {
    let own = |results: &Option<PathBuf>| results.clone().filter(|folder| !prepared::is_kept(folder));
    let job = app.subject.opened_with.clone().map(|open| {
        let JobConfig { source, species, grid, reference, .. } = open;
        let with = match &app.subject.outcome {
            Some(outcome) => JobConfig { results: own(&app.subject.saved), ..outcome.config.clone() },
            None => JobConfig { results: None, ..app.settings.clone() },
        };
        JobConfig { source, species, grid, reference, until: Stage::Statistics, ..with }
    });
    let runs = app.subject.runs.iter().map(|run| ComparedRun {
        number: run.number,
        job: JobConfig { results: own(&run.saved), until: Stage::Statistics, ..run.config() },
    });
    Session {
        format: Session::FORMAT,
        job,
        runs: runs.chain(app.waiting_runs.iter().cloned()).collect(),
        view: app.view.clone(),
        layout: app.workspace.layout(),
        talk: app.talk.clone(),
        ..Session::default()
    }
}

/// Open a session; what is missing is asked for.
pub(in crate::ui) fn open(app: &mut HalodiApp, path: &Path) {
    match Session::read(path) {
        Ok(session) => {
            app.remember(path);
            app.session = Some(path.to_path_buf());
            complete(app, session);
        }
        Err(error) => app.log.say(Level::Error, error.to_string()),
    }
}

/// Restore the session of a window that was not closed.
pub(in crate::ui) fn restore_left_behind(app: &mut HalodiApp, path: &Path) {
    app.session = None;
    match Session::read(path) {
        Ok(session) => complete(app, session),
        Err(error) => app.log.say(Level::Error, error.to_string()),
    }
}

/// Restore a session once nothing is missing.
pub(in crate::ui) fn complete(app: &mut HalodiApp, session: Session) {
    match session.missing().into_iter().next() {
        Some(lost) => app.dialogs.asked = Some(Asked::Missing { session: Box::new(session), lost }),
        None => restore(app, session),
    }
}

/// Ask where something that is missing is.
pub(in crate::ui) fn locate(app: &mut HalodiApp, session: Box<Session>, lost: PathBuf) {
    let wanted = if session.is_folder(&lost) { Wanted::Folder } else { Wanted::Existing };
    files::ask(app, "Where is it?", wanted, move |found| {
        let mut session = session;
        session.relocate(&lost, &found);
        Message::Located(session)
    });
}

/// Show what a session had open.
pub(in crate::ui) fn restore(app: &mut HalodiApp, session: Session) {
    let checksums = app.checksums.clone();
    let recorded = session.clone();
    app.background(move || {
        let changes = recorded.changes(&checksums);
        (!changes.is_empty()).then_some(Message::Told(changes))
    });
    let Session { job, runs, view, layout, talk, .. } = session;
    app.stop();
    // What comes from no file of the user's is not kept in one.
    app.kept_talk = if app.session.is_some() { talk.clone() } else { Talk::default() };
    (app.view, app.talk, app.chosen_scene) = (view, talk, None);
    app.workspace = Workspace::new(&layout);
    app.undoer = Undoer::default();
    (app.waiting_runs, app.restoring) = (runs, job.is_some());
    if let Some(job) = job {
        let until = if job.results.is_some() { Stage::Statistics } else { Stage::Field };
        app.settings = JobConfig { results: None, until: Stage::Statistics, ..job.clone() };
        app.start_job(JobConfig { until, ..job });
        app.stay_with_view();
    }
}

/// Save what is open as a session, under a name of the user's choice, and go on.
pub(in crate::ui) fn save(app: &mut HalodiApp, then: Option<Leaving>) {
    let (mut session, checksums) = (capture(app), app.checksums.clone());
    files::ask(app, "Save the session", Wanted::New("session.halodi"), move |path| {
        let path = if Session::is_named(&path) { path } else { path.with_added_extension(Session::ENDING) };
        session.record(&checksums, true);
        match session.write(&path) {
            Ok(()) => Message::SessionSaved(path, session.talk, then),
            Err(error) => Message::Failed(error),
        }
    });
}

/// Write the session, and how the window is left, every now and then.
pub(in crate::ui) fn autosave(app: &mut HalodiApp, ctx: &Context) {
    if app.autosave.is_none() || app.presents() || ctx.input(|i| i.pointer.any_down()) {
        return;
    }
    let session = capture(app);
    if app.autosave.as_ref().is_none_or(|autosave| autosave.is_current(&session)) {
        return;
    }
    let (now, checksums, preferences) = (ctx.input(|i| i.time), app.checksums.clone(), app.preferences());
    if let Some(autosave) = &mut app.autosave {
        autosave.write(now, session, &checksums, preferences);
        ctx.request_repaint_after_secs(autosave::EVERY as f32);
    }
}

/// Make the runs of a session that the one on show is compared with, one after the other, once
/// there is nothing else to do.
pub(in crate::ui) fn runs_beside(app: &mut HalodiApp) {
    app.subject.reserve(app.waiting_runs.iter().map(|run| run.number));
    if let Some((number, job)) = &app.beside {
        let number = *number;
        match job.view().ended {
            None => return,
            Some(Ended::Finished(outcome)) => {
                app.subject.keep(number, &outcome, outcome.config.results.clone());
                app.keep_prepared(&outcome);
            }
            Some(Ended::Failed(error)) => app.log.say(Level::Error, error.to_string()),
            Some(Ended::Cancelled) => {}
        }
        app.beside = None;
    }
    let ready = app.job.is_none() && app.subject.opened().is_some();
    let next =
        app.waiting_runs.first().filter(|run| ready && (run.job.results.is_some() || app.subject.outcome.is_some()));
    if let Some(ComparedRun { number, job }) = next.cloned() {
        app.waiting_runs.remove(0);
        let config = JobConfig { until: Stage::Statistics, ..job };
        app.beside = Some((number, pipeline::spawn(config, app.device_choice, app.waker())));
    }
}

impl HalodiApp {
    /// Open a session file; what is missing of it is asked for.
    pub fn open_session(&mut self, path: &Path) {
        open(self, path);
    }

    /// Show what a session had open; everything that it names has to be there.
    pub fn restore(&mut self, session: Session) {
        restore(self, session);
    }

    /// Open the talk that comes with Halodi and give it.
    pub fn give_demo_talk(&mut self, live: bool) {
        match Session::demo_talk(live) {
            Ok(session) => {
                self.keeps_prepared = true;
                self.give_when_open = true;
                self.session = None;
                restore(self, session);
                self.kept_talk = self.talk.clone();
            }
            Err(error) => self.log.say(Level::Error, error.to_string()),
        }
    }

    /// Give the talk of the session that is being opened as soon as it is.
    pub fn give_talk(&mut self) {
        self.give_when_open = true;
    }

    /// What is open, as a session.
    pub fn session(&self) -> Session {
        capture(self)
    }

    /// Keep what the talk that comes with Halodi needs for the next time.
    pub(in crate::ui) fn keep_prepared(&self, outcome: &std::sync::Arc<pipeline::Outcome>) {
        let config = &outcome.config;
        let whole = config.until == Stage::Statistics && config.results.is_none();
        if !self.keeps_prepared || !whole || config.source != Source::Demo {
            return;
        }
        let outcome = outcome.clone();
        // Without it the talk is made again the next time, and that is all.
        self.background(move || prepared::keep(&outcome).err().map(|error| Message::Told(vec![error.to_string()])));
    }
}

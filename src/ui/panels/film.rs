//! What a film shall be, and how far it is.

use std::sync::Arc;

use egui::{Align2, Area, Frame, Id, Order, ProgressBar, RichText, Ui};

use crate::ui::app::{HalodiApp, Message};
use crate::ui::dialogs;
use crate::ui::files::{self, Wanted};
use crate::ui::recorder::{FilmProgress, Recipe, Recorder, Recording};

/// Sizes to choose from, pixels.
const SIZES: [[u32; 2]; 3] = [[1280, 720], [1920, 1080], [3840, 2160]];
/// Frames a second to choose from.
const RATES: [u32; 3] = [25, 30, 60];

/// Show what is asked for, and the film that is on its way.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    ask(app, ui);
    if app.recording.as_ref().is_some_and(Recording::is_over) {
        app.recording = None;
    }
    let Some(recording) = &app.recording else { return };
    let Some([done, of]) = recording.frames() else { return };
    let left = recording.left().map(|left| match left.as_secs() {
        seconds @ 0..120 => format!(", {seconds} s left"),
        seconds => format!(", {} min left", seconds.div_ceil(60)),
    });
    let mut cancel = false;
    Area::new(Id::unique("film")).order(Order::Foreground).anchor(Align2::CENTER_BOTTOM, [0.0, -76.0]).show(
        ui.ctx(),
        |ui| {
            Frame::popup(ui.style()).inner_margin(10.0).show(ui, |ui| {
                ui.set_width(420.0);
                ui.horizontal(|ui| {
                    let text = format!("Film: frame {done} of {of}{}", left.unwrap_or_default());
                    ui.add(ProgressBar::new(done as f32 / of as f32).desired_width(330.0).text(text));
                    cancel = ui.button("Cancel").on_hover_text("End the film; nothing is left of it").clicked();
                });
            });
        },
    );
    if cancel {
        recording.cancel();
    }
    ui.ctx().request_repaint_after(std::time::Duration::from_millis(200));
}

fn ask(app: &mut HalodiApp, ui: &mut Ui) {
    let Some(mut recipe) = app.dialogs.film.take() else { return };
    let talk = app.talk_to_record();
    let modal = dialogs::frame(ui.ctx(), "record", 16).show(ui.ctx(), |ui| {
        ui.set_width(360.0);
        ui.heading("Record a film");
        let what = match app.talk.scenes.len() {
            0 => "There are no scenes: once around the box as it is on the screen".to_owned(),
            1 => "The scene of this session".to_owned(),
            count => format!("The {count} scenes of this session"),
        };
        ui.label(RichText::new(format!("{what}, {:.0} s, without the interface.", talk.seconds())).weak());
        ui.add_space(6.0);
        ui.horizontal(|ui| {
            for size in SIZES {
                ui.selectable_value(&mut recipe.size, size, format!("{} × {}", size[0], size[1]));
            }
        });
        ui.horizontal(|ui| {
            for rate in RATES {
                ui.selectable_value(&mut recipe.rate, rate, format!("{rate} frames/s"));
            }
        });
        ui.add_space(4.0);
        let frames = recipe.shape(talk.seconds()).count;
        let mp4 = if cfg!(feature = "mp4") { ".mp4, " } else { "" };
        let text = format!(
            "{frames} frames. The ending of its name says what it will be: {mp4}.gif, or none for a folder of PNG files."
        );
        ui.label(RichText::new(text).small().weak());
        ui.add_space(8.0);
        ui.horizontal(|ui| (ui.button("Record…").clicked(), ui.button("Cancel").clicked())).inner
    });
    match modal.inner {
        (true, _) => start(app, recipe),
        (false, cancel) if cancel || modal.should_close() => {}
        _ => app.dialogs.film = Some(recipe),
    }
}

/// Ask where the film shall be, and draw it off the window's thread.
fn start(app: &mut HalodiApp, recipe: Recipe) {
    let progress = Arc::new(FilmProgress::default());
    app.recording = Some(Recording::new(progress.clone()));
    let (gpu, subject, talk) = (app.gpu.clone(), app.subject.clone(), app.talk_to_record());
    let name = if cfg!(feature = "mp4") { "halodi.mp4" } else { "halodi.gif" };
    files::ask(app, "Record the film (.mp4, .gif or a folder)", Wanted::New(name), move |path| {
        let recorded = Recorder::new(&gpu, subject, talk, recipe).record(&path, &progress);
        match recorded {
            Ok(()) => Message::Written(path),
            Err(error) => Message::Failed(error),
        }
    });
}

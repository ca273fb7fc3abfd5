//! The bar of the job: run it, see where it is, scrub through its steps.

use egui::{Button, Panel, ProgressBar, RichText, Slider, Ui};

use crate::field::Layer;
use crate::pipeline::Progress;
use crate::predict::Stage;
use crate::ui::app::HalodiApp;
use crate::ui::commands::{self, Command};
use crate::ui::icons::{self, Icon};
use crate::ui::theme;
use crate::ui::workspace::Part;

/// Room that a thing of the bar needs, points: the names of the stages, the realisations, the steps.
const NAMES_ROOM: f32 = 280.0;
const REALISATIONS_ROOM: f32 = 260.0;
const STEPS_ROOM: f32 = 330.0;
/// Least length of the progress and of the slider of steps.
const LEAST: f32 = 60.0;

const STAGES: [(Stage, &str, &str); 4] = [
    (Stage::Field, "Field", "The snapshot is read and its mass assigned to the grid."),
    (Stage::Halo, "HALO", "Dark matter becomes maps of halo mass."),
    (
        Stage::ConditionalMean,
        "Mean",
        "Halo maps become the 21 cm map that they lead to expect: the conditional mean, where LODI begins.",
    ),
    (
        Stage::Lodi,
        "LODI",
        "A diffusion model paints how 21 cm departs from what is expected, all tiles together, step by step.",
    ),
];

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    if app.subject.opened().is_none() && app.job.is_none() {
        return;
    }
    Panel::bottom("job").frame(super::bar(ui)).exact_size(40.0).show(ui, |ui| {
        app.parts.push((Part::JobBar, ui.max_rect().expand(4.0)));
        ui.horizontal_centered(|ui| {
            buttons(app, ui);
            ui.separator();
            let progress = app.subject.job.progress;
            let progress_shown = progress.filter(|_| app.job.is_some());
            // What stands to the right of the stages and of the progress must not be cut off.
            let mut others = 0.0;
            if app.subject.realisations() > 1 {
                others += REALISATIONS_ROOM;
            }
            if !app.subject.job.steps.is_empty() {
                others += STEPS_ROOM;
            }
            let least = others + if progress_shown.is_some() { 2.0 * LEAST } else { 0.0 };
            let names = ui.available_width() > NAMES_ROOM + least;
            stages(ui, progress, app.job.is_some(), app.subject.outcome.is_some(), names);
            if let Some(progress) = progress_shown {
                bar(ui, &progress, others);
            }
            realisations(app, ui);
            steps(app, ui);
        });
    });
}

fn buttons(app: &mut HalodiApp, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let accent = theme::accent(ui.visuals());
    let on_accent = if ui.visuals().dark_mode { egui::Color32::BLACK } else { egui::Color32::WHITE };
    match &app.job {
        None => {
            let run = Button::new(RichText::new("Run").strong().color(on_accent)).fill(accent);
            let run = run.min_size(egui::vec2(64.0, 26.0));
            if ui.add(run).on_hover_text("Predict 21 cm from this dark matter (Space)").clicked() {
                commands::run(app, &ctx, Command::Run);
            }
            let save = Button::new("Save results…");
            let enabled = app.subject.outcome.is_some();
            let response =
                ui.add_enabled(enabled, save).on_hover_text("Map, spectra, figures and a report, into a folder");
            if response.on_disabled_hover_text("There is no prediction to save yet.").clicked() {
                commands::run(app, &ctx, Command::Save);
            }
        }
        Some(job) => {
            let paused = job.control.is_paused();
            if ui.button(if paused { "Resume" } else { "Pause" }).on_hover_text("Space").clicked() {
                job.control.set_paused(!paused);
            }
            if ui.button("Cancel").on_hover_text("Stop this job; what was there before stays").clicked() {
                job.control.cancel();
            }
        }
    }
}

/// The stages, with the names of all where there is room, or of the current one.
fn stages(ui: &mut Ui, progress: Option<Progress>, running: bool, finished: bool, names: bool) {
    let now = progress.filter(|_| running).map(|p| p.stage);
    for (index, (stage, name, meaning)) in STAGES.into_iter().enumerate() {
        let done = finished || now.is_some_and(|now| now > stage) || (index == 0 && !running);
        let current = now == Some(stage);
        let (accent, weak) = (theme::accent(ui.visuals()), ui.visuals().weak_text_color());
        let (icon, color, text) = match (done, current) {
            (true, _) => (Icon::Done, weak, RichText::new(name)),
            (_, true) => (Icon::Play, accent, RichText::new(name).strong().color(accent)),
            _ => (Icon::Waiting, weak, RichText::new(name).weak()),
        };
        ui.spacing_mut().item_spacing.x = 4.0;
        let sign = icons::sign(ui, icon, color);
        if names || current {
            ui.label(text).on_hover_text(meaning);
            ui.add_space(6.0);
        } else {
            sign.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Label, true, name));
            sign.on_hover_text(format!("{name}: {meaning}"));
        }
    }
    ui.spacing_mut().item_spacing.x = 7.0;
}

/// How far the job is, in as many words as there is room for, less what `others` need.
fn bar(ui: &mut Ui, progress: &Progress, others: f32) {
    let room = ui.available_width() - others - 2.0 * ui.spacing().item_spacing.x;
    let font = egui::TextStyle::Monospace.resolve(ui.style());
    let width = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), theme::INK).size().x;
    let texts = texts(progress);
    let text = texts.iter().find(|text| width(text) + LEAST <= room).unwrap_or(&texts[texts.len() - 1]);
    let bar = ProgressBar::new(fraction(progress))
        .desired_width((room - width(text)).clamp(LEAST, 320.0))
        .desired_height(8.0)
        .fill(theme::accent(ui.visuals()));
    let bar = ui.add(bar);
    for response in [bar, ui.label(RichText::new(text).monospace())] {
        response.on_hover_text(&texts[0]);
    }
}

/// The share of the stage that is done; of LODI, of the realisation.
fn fraction(progress: &Progress) -> f32 {
    if progress.total == 0 {
        return if progress.stage == Stage::Statistics { 1.0 } else { 0.0 };
    }
    let (before, steps) = progress.step.map_or((0, 1), |(step, of)| (step.saturating_sub(1), of.max(1)));
    (before as f32 + progress.done as f32 / progress.total as f32) / steps as f32
}

/// How far the job is in words, ever fewer of them.
fn texts(progress: &Progress) -> Vec<String> {
    let &Progress { stage, done, total, step, realisation, remaining, .. } = progress;
    let left = remaining.map(|left| left.as_secs());
    if total == 0 {
        let doing = if stage == Stage::Statistics { "spectra and comparison" } else { "reading" };
        return vec![doing.to_owned()];
    }
    let join = |parts: &[Option<String>]| parts.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let of = |name: &str, pair: Option<(usize, usize)>| pair.map(|(at, of)| format!("{name} {at} of {of}"));
    let short = |name: &str, pair: Option<(usize, usize)>| pair.map(|(at, of)| format!("{name} {at}/{of}"));
    let tile = Some((done, total));
    let minutes = left.map(|s| if s < 100 { format!("{s} s") } else { format!("{} min", s.div_ceil(60)) });
    let in_full = left.map(|s| format!("{} left", time(s)));
    let steps = short("step", step).or(short("tile", tile));
    vec![
        join(&[of("realisation", realisation), of("step", step), of("tile", tile), in_full]),
        join(&[short("realisation", realisation), short("step", step), short("tile", tile), minutes.clone()]),
        join(&[short("realisation", realisation), steps.clone(), minutes.clone()]),
        join(&[steps, minutes]),
        format!("{:.0} %", 100.0 * fraction(progress)),
    ]
}

fn time(seconds: u64) -> String {
    if seconds < 100 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

/// The realisations of the map, to browse.
fn realisations(app: &mut HalodiApp, ui: &mut Ui) {
    let count = app.subject.realisations();
    if count < 2 {
        return;
    }
    ui.separator();
    let mut at = app.subject.realisation + 1;
    let drag =
        egui::DragValue::new(&mut at).range(1..=count).speed(1.0).prefix("realisation ").suffix(format!(" of {count}"));
    let response = ui
        .add(drag)
        .on_hover_text("Other noise, other maps of the same matter: what all share is known, what differs is not")
        .accessible_name("Realisation");
    if response.changed() {
        app.subject.realisation = at - 1;
        (app.subject.step, app.subject.ensemble) = (None, None);
        app.choose_layer(Layer::BrightnessTemperature);
    }
    for (spread, name, meaning) in [
        (false, "mean", "The mean of all realisations: what is known of the map"),
        (true, "spread", "The standard deviation of the realisations in every voxel, mK: what is not known of it"),
    ] {
        let chosen = app.subject.ensemble == Some(spread);
        if ui.selectable_label(chosen, name).on_hover_text(meaning).clicked() {
            app.subject.ensemble = (!chosen).then_some(spread);
            app.subject.step = None;
            app.choose_layer(Layer::BrightnessTemperature);
        }
    }
}

/// Kept denoising steps, to go back to.
fn steps(app: &mut HalodiApp, ui: &mut Ui) {
    let count = app.subject.job.steps.len();
    if count == 0 {
        return;
    }
    ui.separator();
    let last = count - 1;
    // One beyond the last step is the newest state.
    let mut at = app.subject.step.map_or(count, |s| s.min(last));
    ui.spacing_mut().slider_width = (ui.available_width() - 250.0).clamp(LEAST, 260.0);
    let slider = Slider::new(&mut at, 0..=count).show_value(false);
    let response =
        ui.add(slider).on_hover_text("Go back through the denoising steps; at the right end, the newest state");
    if response.accessible_name("Denoising step").changed() {
        app.subject.step = (at < count).then_some(at);
        app.choose_layer(Layer::BrightnessTemperature);
    }
    let text = match app.subject.step {
        Some(index) => {
            let step = &app.subject.job.steps[index];
            format!("step {}/{}", step.step + 1, step.of)
        }
        None => "newest".to_owned(),
    };
    ui.label(RichText::new(text).monospace());
    ui.selectable_value(&mut app.view.latent, false, "estimate")
        .on_hover_text("The clean map that the network expects from the noisy latent at this step");
    ui.selectable_value(&mut app.view.latent, true, "latent")
        .on_hover_text("The latent itself: noise that becomes the map");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn progress_is_told_in_ever_fewer_words() {
        let painting = Progress {
            stage: Stage::Lodi,
            done: 127,
            total: 216,
            step: Some((12, 20)),
            realisation: Some((2, 4)),
            elapsed: Duration::ZERO,
            remaining: Some(Duration::from_secs(723)),
        };
        let told = texts(&painting);
        assert_eq!(told[0], "realisation 2 of 4, step 12 of 20, tile 127 of 216, 12 min 03 s left");
        assert_eq!(told[3], "step 12/20, 13 min");
        assert!(told.windows(2).all(|two| two[1].len() < two[0].len()), "{told:?}");
        let reading = Progress { stage: Stage::Field, done: 0, total: 0, step: None, realisation: None, ..painting };
        assert_eq!(texts(&reading), ["reading"]);
        assert_eq!(fraction(&Progress { stage: Stage::Statistics, ..reading }), 1.0);
    }
}

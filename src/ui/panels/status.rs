//! The line at the bottom: values where the cursor is, those on show first.

use egui::{Panel, RichText, Sense, Ui};

use super::significant;
use crate::ui::app::HalodiApp;
use crate::ui::reading::Reading;
use crate::ui::workspace::Part;

/// Room for what stands at the right end, points.
const OTHERS: f32 = 245.0;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    Panel::bottom("status").frame(super::bar(ui)).exact_size(24.0).show(ui, |ui| {
        app.parts.push((Part::Status, ui.max_rect().expand(4.0)));
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 10.0;
            if app.subject.opened().is_some() {
                probe(app, ui);
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let text = format!("{:.0} ms a frame", app.frame_time * 1e3);
                ui.label(RichText::new(text).small().weak())
                    .on_hover_ui(|ui| _ = ui.label(frames(app)))
                    .accessible_name("Frame time");
                if let Some(device) = &app.subject.job.device
                    && ui.available_width() > 160.0
                {
                    let name = device.name.split(" (").next().unwrap_or_default();
                    ui.label(RichText::new(name).small().weak())
                        .on_hover_text(format!("The networks run on {}. {}", device.name, device.reason));
                }
            });
        });
    });
}

fn frames(app: &HalodiApp) -> String {
    let now = "How long the window works on a frame.";
    match app.frames.summary() {
        Some(f) => format!(
            "{now} During the last job, from one frame to the next: median {:.0} ms, 99th percentile {:.0} ms.",
            f.median, f.percentile_99
        ),
        None => now.to_owned(),
    }
}

/// The value of `reading` at a place in the unit cube, with its unit.
pub fn with_unit(reading: &Reading, place: [f32; 3]) -> String {
    let value = significant(f64::from(reading.at(place)));
    if reading.unit().is_empty() { value } else { format!("{value} {}", reading.unit()) }
}

/// The probe's place in Mpc/h.
fn place(app: &HalodiApp) -> [f64; 3] {
    let size = app.subject.opened().map_or(1.0, |o| o.box_size);
    app.probe.map(|p| f64::from(p.rem_euclid(1.0)) * size)
}

/// Place and values in one line, for the clipboard.
pub fn probe_text(app: &HalodiApp) -> String {
    let [x, y, z] = place(app);
    let mut text = format!("x = {x:.3}, y = {y:.3}, z = {z:.3} Mpc/h");
    for reading in &app.readable {
        text += &format!("; {} = {}", reading.name(), with_unit(reading, app.probe));
    }
    text
}

fn probe(app: &mut HalodiApp, ui: &mut Ui) {
    let [x, y, z] = place(app);
    let lock = if app.frozen { "held " } else { "" };
    let text = format!("{lock}({x:6.2}, {y:6.2}, {z:6.2}) Mpc/h");
    let response =
        ui.add(egui::Label::new(RichText::new(text).monospace().small()).sense(Sense::click())).on_hover_text(
            "Where the values are read: under the cursor, or at the crosshair. F holds it; a click copies all values.",
        );
    if response.clicked() {
        ui.ctx().copy_text(probe_text(app));
    }
    ui.spacing_mut().item_spacing.x = 4.0;
    for reading in &app.readable {
        let value = RichText::new(with_unit(reading, app.probe)).small().monospace();
        let texts = [RichText::new(reading.short_name()).small().weak(), value];
        let wide: f32 = texts.iter().map(|text| width(ui, text) + 4.0).sum();
        // Nothing is cut off: what has no room is on the clipboard.
        if ui.available_width() < wide + OTHERS {
            break;
        }
        for text in texts {
            ui.label(text).on_hover_text(reading.name());
        }
        ui.add_space(5.0);
    }
}

fn width(ui: &Ui, text: &RichText) -> f32 {
    let wrap = Some(egui::TextWrapMode::Extend);
    egui::WidgetText::from(text.clone()).into_galley(ui, wrap, f32::INFINITY, egui::TextStyle::Body).size().x
}

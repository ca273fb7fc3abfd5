//! The line at the bottom: every layer's value where the cursor is.

use egui::{Panel, RichText, Sense, Ui};

use super::significant;
use crate::field::Layer;
use crate::ui::app::HalodiApp;
use crate::ui::workspace::Part;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    Panel::bottom("status").exact_size(24.0).show(ui, |ui| {
        app.parts.push((Part::Status, ui.max_rect().expand(4.0)));
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 10.0;
            if app.subject.opened().is_some() {
                probe(app, ui);
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let text = format!("{:.0} ms", app.frame_time * 1e3);
                ui.label(RichText::new(text).small().weak()).on_hover_text(frames(app)).accessible_name("Frame time");
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
    match app.frames.summary() {
        Some(f) => format!(
            "Time between frames. During the last job: median {:.0} ms, 99th percentile {:.0} ms.",
            f.median, f.percentile_99
        ),
        None => "Time between frames.".to_owned(),
    }
}

/// The values at the probe: name, value with unit.
pub fn values(app: &HalodiApp) -> Vec<(String, f64, &'static str)> {
    let mut values = Vec::new();
    let mut temperature = [None; 2];
    for (layer, grid) in &app.readable {
        let n = grid.n();
        let voxel = app.probe.map(|p| ((p.rem_euclid(1.0) * n as f32) as usize).min(n - 1));
        let value = f64::from(grid.values[voxel]);
        match *layer {
            Layer::BrightnessTemperature => temperature[0] = Some(value),
            Layer::Reference => temperature[1] = Some(value),
            _ => {}
        }
        let unit = if !matches!(layer, Layer::DarkMatter | Layer::HaloMass(_)) { " mK" } else { "" };
        values.push((super::toolbar::short_name(*layer).0, value, unit));
    }
    if let [Some(prediction), Some(reference)] = temperature {
        values.push(("Δ".to_owned(), prediction - reference, " mK"));
    }
    values
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
    for (name, value, unit) in values(app) {
        text += &format!("; {name} = {}{unit}", significant(value));
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
    for (name, value, unit) in values(app) {
        // Nothing is cut off: what has no room is in the drawer and on the clipboard.
        if ui.available_width() < 190.0 {
            break;
        }
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(RichText::new(name).small().weak());
        ui.label(RichText::new(format!("{}{unit}", significant(value))).small().monospace());
        ui.add_space(5.0);
    }
}

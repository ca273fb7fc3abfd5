//! The panel on the left: what is open, the settings, the job.

use clap::ValueEnum;
use egui::{Button, ComboBox, DragValue, Response, RichText, Ui};

use super::app::{HalodiApp, Message};
use super::theme;
use crate::device::DeviceChoice;
use crate::nn::Sampler;
use crate::pipeline::Source;
use crate::predict::Stage;
use crate::stitch::Overlap;

/// Grids to choose from; a tile divides each.
const GRIDS: [usize; 6] = [32, 64, 96, 128, 192, 256];

pub(super) fn show(app: &mut HalodiApp, ui: &mut Ui) {
    ui.add_space(6.0);
    ui.heading("Halodi");
    ui.label(RichText::new("Dark matter to 21 cm, live").small().weak());
    ui.add_space(6.0);
    // Its bar has room of its own: over the panel it would hide the ends of numbers.
    ui.spacing_mut().scroll.floating_allocated_width = ui.spacing().scroll.bar_width;
    egui::ScrollArea::vertical().show(ui, |ui| {
        open(app, ui);
        ui.separator();
        settings(app, ui);
        ui.separator();
        job(app, ui);
        ui.separator();
        provenance(app, ui);
    });
}

fn open(app: &mut HalodiApp, ui: &mut Ui) {
    ui.horizontal(|ui| {
        if ui.button("Open snapshot…").on_hover_text("Gadget-family HDF5, CAMELS .npy, or drop a file here").clicked()
        {
            app.background(ui.ctx(), || {
                rfd::FileDialog::new().set_title("Open snapshot").pick_file().map(Message::Open)
            });
        }
        if ui.button("Demo").clicked() {
            app.open(Source::Demo);
        }
    });
    let Some(source) = app.scene.source.clone() else {
        ui.label(RichText::new("Nothing open yet.").weak());
        return;
    };
    ui.label(RichText::new(source).strong());
    if let Some(field) = app.scene.fields.values().next() {
        row(ui, "Box", &format!("{:.4} Mpc/h", field.box_size));
        row(ui, "Redshift", &format!("{:.3}", app.scene.redshift));
        row(ui, "Grid", &format!("{}³, {:.3} Mpc/h", field.n(), field.voxel()));
        row(ui, "k Nyquist", &format!("{:.2} h/Mpc", field.k_nyquist()));
    }
    match &app.scene.reference {
        Some(reference) => {
            ui.label(RichText::new(reference).small());
        }
        None => {
            if ui.button("Load reference…").clicked() {
                app.background(ui.ctx(), || {
                    rfd::FileDialog::new().set_title("21 cm reference map").pick_file().map(Message::Reference)
                });
            }
        }
    }
}

fn row(ui: &mut Ui, name: &str, value: &str) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(name).weak());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.monospace(value));
    });
}

fn settings(app: &mut HalodiApp, ui: &mut Ui) {
    ui.add_enabled_ui(app.job.is_none(), |ui| {
        egui::Grid::new("settings").num_columns(2).spacing([12.0, 7.0]).show(ui, |ui| {
            let label = ui.label("Grid");
            let text = app.settings.grid.map_or("automatic".to_owned(), |n| format!("{n}³"));
            let chosen = ComboBox::from_id_salt("grid").selected_text(text).show_ui(ui, |ui| {
                ui.selectable_value(&mut app.settings.grid, None, "automatic");
                for n in GRIDS {
                    ui.selectable_value(&mut app.settings.grid, Some(n), format!("{n}³"));
                }
            });
            chosen.response.labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Steps");
            ui.add(DragValue::new(&mut app.settings.settings.steps).range(1..=1000)).labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Seed");
            ui.add(DragValue::new(&mut app.settings.settings.seed)).labelled_by(label.id);
            ui.end_row();
            let settings = &mut app.settings.settings;
            choice(ui, "Stitching", &mut settings.overlap, &Overlap::ALL, Overlap::name);
            choice(ui, "Sampler", &mut settings.sampler, &Sampler::ALL, Sampler::name);
            let mut chosen = app.device_choice;
            choice(ui, "Networks on", &mut chosen, DeviceChoice::value_variants(), device_name);
            if chosen != app.device_choice {
                app.device_choice = chosen;
            }
        });
    });
}

/// A row of the settings: one of `all`.
fn choice<T: Copy + PartialEq>(
    ui: &mut Ui,
    label: &str,
    value: &mut T,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Response {
    let labelled = ui.label(label);
    let chosen = ComboBox::from_id_salt(label).selected_text(name(*value)).show_ui(ui, |ui| {
        for &one in all {
            ui.selectable_value(value, one, name(one));
        }
    });
    ui.end_row();
    chosen.response.labelled_by(labelled.id)
}

fn device_name(choice: DeviceChoice) -> &'static str {
    match choice {
        DeviceChoice::Auto => "automatic",
        DeviceChoice::Gpu => "GPU",
        DeviceChoice::Cpu => "CPU",
        #[cfg(feature = "cuda")]
        DeviceChoice::Cuda => "CUDA",
    }
}

fn job(app: &mut HalodiApp, ui: &mut Ui) {
    ui.horizontal(|ui| match &app.job {
        None => {
            let run = Button::new(RichText::new("Run").strong().color(egui::Color32::BLACK)).fill(theme::ACCENT);
            if ui.add_enabled(app.scene.source.is_some(), run).on_hover_text("Space").clicked() {
                app.start(Stage::Statistics);
            }
            if ui.add_enabled(app.scene.outcome.is_some(), Button::new("Save results…")).clicked() {
                app.save(ui.ctx());
            }
        }
        Some(job) => {
            let paused = job.control.is_paused();
            if ui.button(if paused { "Resume" } else { "Pause" }).clicked() {
                job.control.set_paused(!paused);
            }
            if ui.button("Cancel").clicked() {
                job.control.cancel();
            }
        }
    });
    if let Some(progress) = &app.scene.progress {
        let fraction = progress.done as f32 / progress.total.max(1) as f32;
        ui.label(progress.stage.name());
        ui.add(
            egui::ProgressBar::new(fraction)
                .fill(theme::ACCENT.gamma_multiply(0.6))
                .text(format!("{} of {} tiles", progress.done, progress.total)),
        );
        ui.horizontal(|ui| {
            if let Some((step, of)) = progress.step {
                ui.monospace(format!("step {step}/{of}"));
            }
            if let Some(left) = progress.remaining {
                ui.monospace(format!("{} s left", left.as_secs()));
            }
        });
    }
    if let Some(frames) = app.frames.summary() {
        ui.label(
            RichText::new(format!(
                "Frames: median {:.0} ms, 99th percentile {:.0} ms",
                frames.median, frames.percentile_99
            ))
            .small()
            .weak(),
        );
    }
    if let Some(folder) = &app.saved {
        ui.label(RichText::new(format!("Results are in {}.", folder.display())).small());
    }
}

fn provenance(app: &HalodiApp, ui: &mut Ui) {
    if let Some(device) = &app.scene.device {
        row(ui, "Networks", "");
        ui.label(RichText::new(&device.name).small());
        ui.label(RichText::new(&device.reason).small().weak());
    }
    if !app.scene.weights.is_empty() {
        ui.add_space(4.0);
        row(ui, "Weights", "");
        for sentence in &app.scene.weights {
            ui.label(RichText::new(sentence).small());
        }
    }
    for note in &app.scene.notes {
        ui.label(RichText::new(note).small().weak());
    }
}

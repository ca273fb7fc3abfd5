//! The drawer: settings of the next run, where results come from, and what was told.

use clap::ValueEnum;
use egui::{CollapsingHeader, ComboBox, DragValue, Panel, Response, RichText, ScrollArea, Ui};

use super::{scenes, significant};
use crate::device::DeviceChoice;
use crate::nn::Sampler;
use crate::stitch::{Overlap, Shared, Window};
use crate::ui::app::{self, HalodiApp};
use crate::ui::icons::{self, Icon};

/// Grids to choose from; a tile divides each.
const GRIDS: [usize; 6] = [32, 64, 96, 128, 192, 256];

/// Show it, where it is open.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let marks = !app.view.pins.is_empty() || app.view.region.is_some() || app.view.line.is_some();
    if !app.workspace.drawer && !marks {
        return;
    }
    Panel::left("drawer").default_size(300.0).size_range(260.0..=460.0).show(ui, |ui| {
        ui.spacing_mut().scroll.floating = false;
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            ui.add_space(6.0);
            measured(app, ui);
            if !app.workspace.drawer {
                return;
            }
            section(ui, "Scenes", |ui| scenes::show(app, ui));
            section(ui, "Settings of the next run", |ui| settings(app, ui));
            section(ui, "Provenance", |ui| provenance(app, ui));
            section(ui, "Log", |ui| app.log.list(ui));
        });
    });
}

fn section(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    CollapsingHeader::new(RichText::new(title).strong()).default_open(true).show_unindented(ui, |ui| {
        ui.add_space(2.0);
        add(ui);
        ui.add_space(8.0);
    });
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
            let label = ui.label("Grid").on_hover_text("Voxels per axis that the dark matter is assigned to");
            let text = app.settings.grid.map_or("automatic".to_owned(), |n| format!("{n}³"));
            let chosen = ComboBox::from_id_salt("grid").selected_text(text).show_ui(ui, |ui| {
                ui.selectable_value(&mut app.settings.grid, None, "automatic");
                for n in GRIDS {
                    ui.selectable_value(&mut app.settings.grid, Some(n), format!("{n}³"));
                }
            });
            chosen.response.labelled_by(label.id);
            ui.end_row();
            let label = ui
                .label("Steps")
                .on_hover_text("Denoising steps of LODI: more are slower and follow the diffusion closer");
            ui.add(DragValue::new(&mut app.settings.settings.steps).range(1..=1000)).labelled_by(label.id);
            ui.end_row();
            let label = ui
                .label("Seed")
                .on_hover_text("Of all noise: the same seed gives the same map, another seed another realisation");
            ui.add(DragValue::new(&mut app.settings.settings.seed)).labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Realisations").on_hover_text("Maps painted of the same matter with other noise");
            ui.add(DragValue::new(&mut app.settings.realisations).range(1..=64)).labelled_by(label.id);
            ui.end_row();
            let settings = &mut app.settings.settings;
            choice(ui, "Stitching", &mut settings.overlap, &Overlap::ALL, Overlap::name)
                .on_hover_text("How tiles are joined while they are denoised");
            if settings.overlap.blends() {
                choice(ui, "Window", &mut settings.blend.window, &Window::ALL, Window::name)
                    .on_hover_text("How much a window counts by the distance to its faces");
                choice(ui, "Shared", &mut settings.blend.shared, &Shared::ALL, Shared::name)
                    .on_hover_text("The part of a window that the next one covers too");
            }
            choice(ui, "Sampler", &mut settings.sampler, &Sampler::ALL, Sampler::name)
                .on_hover_text("How an estimate becomes the next latent");
            choice(ui, "Networks on", &mut app.device_choice, DeviceChoice::value_variants(), device_name);
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

fn provenance(app: &HalodiApp, ui: &mut Ui) {
    if let Some(opened) = app.subject.opened() {
        ui.label(RichText::new(&opened.name).strong());
        row(ui, "Box", &format!("{:.4} Mpc/h", opened.box_size));
        row(ui, "Redshift", &format!("{:.3}", opened.redshift));
        row(ui, "Grid", &format!("{}³, {:.3} Mpc/h", opened.n, opened.box_size / opened.n.max(1) as f64));
        let c = opened.cosmology;
        row(ui, "Ωm, h, σ8", &format!("{:.3}, {:.3}, {:.3}", c.omega_m, c.h, c.sigma_8));
        if let Some(reference) = &opened.reference {
            ui.label(RichText::new(format!("Reference: {reference}.")).small());
        }
    }
    if let Some(device) = &app.subject.job.device {
        ui.add_space(4.0);
        ui.label(RichText::new("Networks").weak());
        ui.label(RichText::new(&device.name).small());
        ui.label(RichText::new(&device.reason).small().weak());
    }
    ui.add_space(4.0);
    ui.label(RichText::new("Picture").weak());
    ui.label(RichText::new(app.gpu.name()).small());
    if !app.subject.job.weights.is_empty() {
        ui.add_space(4.0);
        ui.label(RichText::new("Weights").weak());
        for sentence in app.subject.job.weights.iter() {
            ui.label(RichText::new(sentence).small());
        }
    }
    for note in app.subject.job.warnings.iter() {
        ui.label(RichText::new(note).small().color(ui.visuals().warn_fg_color));
    }
}

/// Pins, the region and the line, with their numbers.
fn measured(app: &mut HalodiApp, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let Some(size) = app.subject.opened().map(|o| o.box_size) else { return };
    let place = |p: [f32; 3]| {
        let [x, y, z] = p.map(|v| f64::from(v) * size);
        format!("({x:.2}, {y:.2}, {z:.2})")
    };
    let fields = app::read_fields(app);
    if !app.view.pins.is_empty() {
        section(ui, "Pins", |ui| {
            let mut gone = None;
            for (index, pin) in app.view.pins.clone().into_iter().enumerate() {
                ui.horizontal(|ui| {
                    ui.label(RichText::new(format!("{}", index + 1)).strong());
                    if ui.link(place(pin)).on_hover_text("Crosshair here").clicked() {
                        app.view.crosshair = pin;
                    }
                    if icons::button(ui, Icon::Close, &format!("Remove pin {}", index + 1), true).clicked() {
                        gone = Some(index);
                    }
                });
                for (layer, grid) in &app.readable {
                    let n = grid.n();
                    let value = grid.values[pin.map(|p| ((p * n as f32) as usize).min(n - 1))];
                    row(ui, &layer.name(), &significant(f64::from(value)));
                }
            }
            if let Some(index) = gone {
                app.view.pins.remove(index);
            }
        });
    }
    if let Some(corners) = app.view.region {
        section(ui, "Region", |ui| {
            ui.label(RichText::new(format!("{} to {} Mpc/h", place(corners[0]), place(corners[1]))).small());
            if let Some(table) = app.analysis.region(&ctx, &fields, corners) {
                let mut csv = String::from("field,voxels,mean,deviation,smallest,median,largest");
                for (name, s) in table.iter() {
                    ui.label(RichText::new(name).weak());
                    row(ui, "mean", &significant(s.mean));
                    row(ui, "deviation", &significant(s.deviation));
                    row(ui, "median", &significant(f64::from(s.median)));
                    let ends = [s.smallest, s.largest].map(|v| significant(f64::from(v)));
                    row(ui, "from, to", &ends.join(", "));
                    csv += &format!(
                        "\n{name},{},{:e},{:e},{:e},{:e},{:e}",
                        s.voxels, s.mean, s.deviation, s.smallest, s.median, s.largest
                    );
                }
                ui.horizontal(|ui| {
                    if ui.button("CSV…").clicked() {
                        app::write_table(app, "Statistics of the region", "region.csv", csv);
                    }
                    if ui.button("Remove region").clicked() {
                        app.view.region = None;
                    }
                });
            }
        });
    }
    if let Some(ends) = app.view.line {
        section(ui, "Profile", |ui| profile(app, ui, &fields, ends));
    }
}

fn profile(app: &mut HalodiApp, ui: &mut Ui, fields: &[crate::ui::subject::Source], ends: [[f32; 3]; 2]) {
    let quantity = app.shown.as_ref().map(|(f, _)| f.quantity);
    let chosen: Vec<_> = fields.iter().filter(|f| Some(f.quantity) == quantity).cloned().collect();
    let Some(table) = app.analysis.profile(&ui.ctx().clone(), &chosen, ends) else { return };
    let positive = table.iter().all(|(_, p)| p.iter().all(|[_, v]| *v >= 0.0));
    let colors = [crate::pipeline::Series::Prediction, crate::pipeline::Series::Reference];
    egui_plot::Plot::new("profile")
        .height(150.0)
        .allow_scroll(false)
        .x_axis_label("Mpc/h")
        .y_axis_formatter(
            move |mark, _| {
                if positive { format!("1e{:.0}", mark.value) } else { significant(mark.value) }
            },
        )
        .show(ui, |plot| {
            for ((name, points), series) in table.iter().zip(colors) {
                let points: Vec<[f64; 2]> =
                    points.iter().map(|[x, y]| [*x, if positive { y.max(1e-4).log10() } else { *y }]).collect();
                let color = crate::ui::theme::series_color(series, &plot.ctx().global_style().visuals);
                plot.line(egui_plot::Line::new(name.clone(), egui_plot::PlotPoints::from(points)).color(color));
            }
        });
    ui.horizontal(|ui| {
        if ui.button("CSV…").clicked() {
            let mut csv = String::from("distance [Mpc/h]");
            table.iter().for_each(|(name, _)| csv += &format!(",{name}"));
            for row in 0..table.first().map_or(0, |(_, p)| p.len()) {
                csv += &format!("\n{:.5}", table[0].1[row][0]);
                table.iter().for_each(|(_, p)| csv += &format!(",{:e}", p[row][1]));
            }
            app::write_table(app, "Profile along the line", "profile.csv", csv);
        }
        if ui.button("Remove line").clicked() {
            app.view.line = None;
        }
    });
}

//! The drawer: settings of the next run, where results come from, and what was told.

use clap::ValueEnum;
use egui::{CollapsingHeader, Color32, ComboBox, DragValue, Panel, Response, RichText, ScrollArea, Ui};

use super::{compact, scenes, significant, status};
use crate::device::DeviceChoice;
use crate::field::Layer;
use crate::io::table::csv;
use crate::nn::Sampler;
use crate::pipeline::Series;
use crate::stats::RegionStatistics;
use crate::stitch::{Overlap, Shared, Window};
use crate::ui::analysis::{Measured, ProfileTable, RegionTable};
use crate::ui::app::{self, HalodiApp};
use crate::ui::icons::{self, Icon};
use crate::ui::reading::Reading;
use crate::ui::subject::FieldId;
use crate::ui::theme;
use crate::ui::view_state::Compare;

/// Grids to choose from; a tile divides each.
const GRIDS: [usize; 6] = [32, 64, 96, 128, 192, 256];

/// Show it, where it is open.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let marks = has_marks(app, ui);
    if !app.workspace.drawer && !marks {
        return;
    }
    Panel::left("drawer").frame(super::bar(ui)).default_size(300.0).size_range(260.0..=460.0).show(ui, |ui| {
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

/// Whether there are marks to tell of. A region or a line that is still being dragged does not open
/// the drawer: the picture would move under the pointer.
fn has_marks(app: &HalodiApp, ui: &Ui) -> bool {
    let id = egui::Id::unique("drawer open for marks");
    let was_open = ui.data(|data| data.get_temp(id)).unwrap_or(false);
    let marks = !app.view.pins.is_empty() || app.view.region.is_some() || app.view.line.is_some();
    let open = marks && (was_open || !ui.input(|input| input.pointer.any_down()));
    ui.data_mut(|data| data.insert_temp(id, open));
    open
}

fn section(ui: &mut Ui, title: &str, add: impl FnOnce(&mut Ui)) {
    CollapsingHeader::new(RichText::new(title).strong()).default_open(true).show_unindented(ui, |ui| {
        ui.add_space(2.0);
        add(ui);
        ui.add_space(8.0);
    });
}

fn row(ui: &mut Ui, name: &str, value: &str) {
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Min), |ui| {
        ui.monospace(value);
        // A long name gives way.
        ui.with_layout(egui::Layout::left_to_right(egui::Align::Min), |ui| {
            ui.add(egui::Label::new(RichText::new(name).weak()).truncate());
        });
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
            ui.add(DragValue::new(&mut app.settings.settings.steps).range(1..=1000).speed(1.0)).labelled_by(label.id);
            ui.end_row();
            let label = ui
                .label("Seed")
                .on_hover_text("Of all noise: the same seed gives the same map, another seed another realisation");
            ui.add(DragValue::new(&mut app.settings.settings.seed).speed(1.0)).labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Realisations").on_hover_text("Maps painted of the same matter with other noise");
            ui.add(DragValue::new(&mut app.settings.realisations).range(1..=64).speed(1.0)).labelled_by(label.id);
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
                for reading in &app.readable {
                    row(ui, &reading.name(), &status::with_unit(reading, pin));
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
            if let Some(table) = app.analysis.region(&ctx, &app.readable, corners) {
                for Measured { name, unit, found: s, .. } in table.iter() {
                    let with_unit = |value: f64| format!("{} {unit}", significant(value));
                    ui.label(RichText::new(name).weak());
                    row(ui, "mean", &with_unit(s.mean));
                    row(ui, "deviation", &with_unit(s.deviation));
                    row(ui, "median", &with_unit(f64::from(s.median)));
                    row(ui, "smallest", &with_unit(f64::from(s.smallest)));
                    row(ui, "largest", &with_unit(f64::from(s.largest)));
                    if s.missing > 0 {
                        row(ui, "voxels without a value", &s.missing.to_string());
                    }
                }
                ui.horizontal(|ui| {
                    if ui.button("CSV…").clicked() {
                        app::write_table(app, "Statistics of the region", "region.csv", region_csv(&table));
                    }
                    if ui.button("Remove region").clicked() {
                        app.view.region = None;
                    }
                });
            }
        });
    }
    if let Some(ends) = app.view.line {
        section(ui, "Profile", |ui| profile(app, ui, ends));
    }
}

/// The table of a region, with units.
fn region_csv(table: &RegionTable) -> String {
    let head = ["field", "unit", "voxels", "missing", "mean", "deviation", "smallest", "median", "largest"];
    let row = |Measured { name, unit, found: s, .. }: &Measured<RegionStatistics>| {
        let mut row = vec![name.clone(), (*unit).to_owned(), s.voxels.to_string(), s.missing.to_string()];
        let values = [s.mean, s.deviation, s.smallest.into(), s.median.into(), s.largest.into()];
        row.extend(values.map(|value: f64| format!("{value:e}")));
        row
    };
    csv(&head.map(str::to_owned), &table.iter().map(row).collect::<Vec<_>>())
}

/// The table of a line: distances, and a column of values per field.
fn profile_csv(table: &ProfileTable) -> String {
    let mut head = vec!["distance [Mpc/h]".to_owned()];
    head.extend(table.iter().map(|column| match column.unit {
        "" => column.name.clone(),
        unit => format!("{} [{unit}]", column.name),
    }));
    let rows = table.iter().map(|column| column.found.len()).min().unwrap_or(0);
    let row = |i: usize| {
        let values = table.iter().map(|column| format!("{:e}", column.found[i][1]));
        std::iter::once(format!("{:.5}", table[0].found[i][0])).chain(values).collect()
    };
    csv(&head, &(0..rows).map(row).collect::<Vec<_>>())
}

/// Profiles of what is on show and of what holds the same.
fn profile(app: &mut HalodiApp, ui: &mut Ui, ends: [[f32; 3]; 2]) {
    let subtracted = app.subject.comparing(&app.view) == Compare::Residual;
    let on_show = app.readable.iter().find(|reading| reading.less.is_some() == subtracted);
    let Some(quantity) = on_show.map(Reading::quantity) else { return };
    let drawn = |reading: &&Reading| reading.quantity() == quantity && reading.less.is_some() == subtracted;
    let chosen: Vec<Reading> = app.readable.iter().filter(drawn).cloned().collect();
    let Some(table) = app.analysis.profile(&ui.ctx().clone(), &chosen, ends) else { return };
    let colors: Vec<Color32> =
        table.iter().enumerate().map(|(index, column)| curve_color(column.id, index, ui.visuals())).collect();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 8.0;
        for (column, &color) in table.iter().zip(&colors) {
            ui.label(RichText::new(&column.name).small().color(color));
        }
    });
    let values = || table.iter().flat_map(|column| column.found.iter().map(|[_, v]| *v)).filter(|v| v.is_finite());
    // Of what is nowhere below zero the logarithm, empty voxels at the bottom.
    let largest = values().fold(0.0, f64::max);
    let positive = largest > 0.0 && values().all(|v| v >= 0.0);
    let bottom = values().filter(|v| *v > 0.0).fold(largest, f64::min).max(1e-7 * largest);
    egui_plot::Plot::new("profile")
        .height(150.0)
        .allow_scroll(false)
        .x_axis_label("Mpc/h")
        .y_axis_label(RichText::new(table.first().map_or("", |column| column.unit)).small())
        .y_axis_formatter(move |mark, _| compact(if positive { 10f64.powf(mark.value) } else { mark.value }))
        .label_formatter(|_| None)
        .show(ui, |plot| {
            for (column, &color) in table.iter().zip(&colors) {
                let height = |v: f64| if positive { v.max(bottom).log10() } else { v };
                let points: Vec<[f64; 2]> = column.found.iter().map(|[x, y]| [*x, height(*y)]).collect();
                plot.line(egui_plot::Line::new(column.name.clone(), egui_plot::PlotPoints::from(points)).color(color));
            }
        });
    ui.horizontal(|ui| {
        if ui.button("CSV…").clicked() {
            app::write_table(app, "Profile along the line", "profile.csv", profile_csv(&table));
        }
        if ui.button("Remove line").clicked() {
            app.view.line = None;
        }
    });
}

/// The colour of a profile, that of the field's spectrum where it has one.
fn curve_color(id: FieldId, index: usize, visuals: &egui::Visuals) -> Color32 {
    let series = match id {
        FieldId::Layer(Layer::DarkMatter) => Series::DarkMatter,
        FieldId::Layer(Layer::HaloMass(bin)) => Series::HaloMass(bin),
        FieldId::Layer(Layer::Reference) | FieldId::Band { compared: true } => Series::Reference,
        _ if index == 0 => Series::Prediction,
        _ => Series::HaloMass(index - 1),
    };
    theme::series_color(series, visuals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_a_name_for_every_column_and_a_unit_for_every_value() {
        let measured = |name: &str, unit| (FieldId::Layer(Layer::Reference), name.to_owned(), unit);
        let columns = |(id, name, unit), found| Measured { id, name, unit, found };
        let line = vec![[0.0, 1.0], [0.5, 2.0]];
        let table = vec![
            columns(measured("Halo mass, bin 1", "(Msun/h)/(Mpc/h)³"), line.clone()),
            columns(measured("Dark matter", ""), line),
        ];
        assert_eq!(
            profile_csv(&table).lines().collect::<Vec<_>>(),
            [
                "distance [Mpc/h],\"Halo mass, bin 1 [(Msun/h)/(Mpc/h)³]\",Dark matter",
                "0.00000,1e0,1e0",
                "0.50000,2e0,2e0"
            ]
        );
        let mut grid = crate::field::Grid::zeros(2, 1.0).map(|_| 3.0);
        grid.values[[0; 3]] = f32::NAN;
        let found = RegionStatistics::new(&grid, [0; 3], [2; 3]).unwrap();
        let (id, name, unit) = measured("21 cm, step 3, \"latent\"", "mK");
        assert_eq!(
            region_csv(&vec![Measured { id, name, unit, found }]).lines().last(),
            Some("\"21 cm, step 3, \"\"latent\"\"\",mK,7,1,3e0,0e0,3e0,3e0,3e0")
        );
    }
}

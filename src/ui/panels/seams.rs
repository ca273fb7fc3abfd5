//! Seams: jumps across planes by their place in the tile, and what they come to.

use egui::{ComboBox, RichText, Ui, Vec2b};
use egui_plot::{FilledArea, HLine, Line, Plot, PlotPoints, Points, VLine};

use super::significant_short;
use crate::stats::{Seams, jump_across, lattices};
use crate::ui::app::HalodiApp;
use crate::ui::commands::{self, Command};
use crate::ui::faces::{self, Faces};
use crate::ui::theme;

const AXES: [&str; 3] = ["x", "y", "z"];
/// Room for a figure with its error and its significance, points.
const NUMBERS: f32 = 190.0;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let margin = egui::Margin { left: 8, right: 6, top: 4, bottom: 4 };
    egui::Frame::new().inner_margin(margin).show(ui, |ui| contents(app, ui));
}

fn contents(app: &mut HalodiApp, ui: &mut Ui) {
    let Some((shown, _)) = app.shown.clone() else { return };
    let n = shown.n();
    let Some(tile) = faces::tile_of(app, n) else {
        ui.centered_and_justified(|ui| ui.weak("A box of so few voxels has no tiles."));
        return;
    };
    if !app.presents() {
        controls(app, ui, n, tile);
    }
    if !shown.complete {
        ui.centered_and_justified(|ui| ui.weak("Seams are looked for once the field is complete."));
        return;
    }
    let ctx = ui.ctx().clone();
    let Some(found) = app.analysis.seams(&ctx, &shown, tile) else {
        ui.centered_and_justified(Ui::spinner);
        return;
    };
    let found = match found.as_ref() {
        Ok(found) => found,
        Err(error) => {
            ui.label(RichText::new(error.to_string()).color(ui.visuals().warn_fg_color));
            return;
        }
    };
    let color = if found.verdict.found { ui.visuals().warn_fg_color } else { theme::accent(ui.visuals()) };
    ui.label(RichText::new(&shown.name).weak().small());
    ui.label(RichText::new(&found.verdict.sentence).color(color));
    let height = (ui.available_height() - 150.0).max(120.0);
    profile(ui, &found.seams, 0.58 * height);
    if let Some(faces) = Faces::of(app)
        && let Some(face) = faces.nearest(app.view.crosshair)
    {
        across(app, ui, &found.scores, &faces, face, 0.42 * height);
    }
    figures(ui, &found.seams);
}

fn controls(app: &mut HalodiApp, ui: &mut Ui, n: usize, tile: usize) {
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(RichText::new("Tiles of").weak());
        let chosen =
            ComboBox::from_id_salt("seam tile").selected_text(format!("{tile} voxels")).width(84.0).show_ui(ui, |ui| {
                for side in lattices(n) {
                    ui.selectable_value(&mut app.view.seam_tile, Some(side), format!("{side} voxels"));
                }
            });
        chosen.response.labelled_by(label.id).on_hover_text("The lattice whose faces are looked at");
        ui.toggle_value(&mut app.view.faces, "Faces").on_hover_text(
            "Light the faces of tiles on slices and in the volume (E): those of the denoising step on show, or of the \
             lattice that begins in the corner of the box",
        );
        for (text, command, meaning) in [
            ("<", Command::Face { forward: false }, "To the face before, across the slice under the cursor (Shift+G)"),
            (">", Command::Face { forward: true }, "To the next face across the slice under the cursor (G)"),
        ] {
            let button = ui.button(text).on_hover_text(meaning);
            button.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Button, true, meaning));
            if button.clicked() {
                commands::run(app, &ui.ctx().clone(), command);
            }
        }
    });
}

/// The excess of the jump by the offset from the face, the face in the middle.
fn profile(ui: &mut Ui, seams: &Seams, height: f32) {
    let half = (seams.tile / 2) as f64;
    let place = |offset: usize| {
        let offset = offset as f64;
        if offset >= half { offset - seams.tile as f64 } else { offset }
    };
    let error = seams.jumps.iter().map(|j| j[0].error).sum::<f64>() / 3.0;
    let grid = ui.visuals().text_color().gamma_multiply(0.5);
    let shade = theme::accent(ui.visuals()).gamma_multiply(0.15);
    // Its legend: inside the plot it would hide the jumps.
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        ui.label(RichText::new("Squared jump across planes, over what surrounds them:").small());
        for (name, color) in AXES.into_iter().zip(theme::AXES) {
            ui.label(RichText::new(format!("across {name}")).small().color(color));
        }
        ui.label(RichText::new("one standard error").small().background_color(shade));
    });
    plot(format!("seam profile {}", seams.tile), height, "voxels from the face").show(ui, |plot| {
        let ends = [-half, half];
        let band = FilledArea::new("one standard error", &ends, &[1.0 - error; 2], &[1.0 + error; 2]);
        plot.add(band.fill_color(shade).stroke(egui::Stroke::NONE).allow_hover(false));
        plot.hline(HLine::new("", 1.0).color(grid).width(1.0));
        for (axis, jumps) in seams.jumps.iter().enumerate() {
            let face = place(seams.offset[axis]);
            plot.vline(VLine::new("", face).color(theme::AXES[axis].gamma_multiply(0.5)).width(1.5));
            let mut points: Vec<[f64; 2]> =
                jumps.iter().enumerate().map(|(offset, j)| [place(offset), 1.0 + j.excess]).collect();
            points.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let name = format!("across {}", AXES[axis]);
            let line = Line::new(name.clone(), PlotPoints::from(points.clone())).color(theme::AXES[axis]);
            plot.line(line.width(1.2));
            plot.points(Points::new(name, PlotPoints::from(points)).color(theme::AXES[axis]).radius(2.2));
        }
    });
}

/// The jump across the face nearest to the crosshair.
fn across(
    app: &HalodiApp,
    ui: &mut Ui,
    scores: &crate::field::Grid,
    faces: &Faces,
    (axis, plane): (usize, usize),
    height: f32,
) {
    let place = app.view.voxel(faces.n);
    let size = app.subject.opened().map_or(1.0, |o| o.box_size);
    let at = plane as f64 * size / faces.n as f64;
    let text =
        format!("Squared jump across the tile's face at {} = {at:.2} Mpc/h, the nearest to the crosshair", AXES[axis]);
    ui.label(RichText::new(text).small());
    let points = jump_across(scores, (axis, plane), faces.tile, place);
    let grid = ui.visuals().text_color().gamma_multiply(0.5);
    plot("across a face".to_owned(), height, "voxels from the face").include_y(0.0).show(ui, |plot| {
        plot.vline(VLine::new("face", 0.0).color(grid).width(1.0));
        plot.line(Line::new("squared jump", PlotPoints::from(points)).color(theme::AXES[axis]).width(1.6));
    });
}

fn plot(id: String, height: f32, x: &'static str) -> Plot<'static> {
    Plot::new(id)
        .height(height)
        .allow_scroll(false)
        .allow_drag(Vec2b::FALSE)
        .allow_zoom(Vec2b::FALSE)
        .allow_boxed_zoom(false)
        .x_axis_label(x)
        .y_axis_min_width(38.0)
}

fn figures(ui: &mut Ui, seams: &Seams) {
    egui::ScrollArea::vertical().auto_shrink([false, true]).show(ui, |ui| {
        let room = (ui.available_width() - NUMBERS).max(60.0);
        egui::Grid::new("seam figures").num_columns(3).striped(true).spacing([10.0, 2.0]).show(ui, |ui| {
            for figure in &seams.figures {
                ui.scope(|ui| {
                    ui.set_max_width(room);
                    ui.add(egui::Label::new(RichText::new(figure.statistic.name()).small()).truncate());
                });
                let [value, error] = [figure.value, figure.error].map(significant_short);
                ui.label(RichText::new(format!("{value} ± {error}")).small().monospace());
                ui.label(RichText::new(format!("{:.1} σ", figure.z)).small().monospace()).on_hover_text(format!(
                    "Half a tile off: {:.1} σ; fictitious lattices scatter by {:.2}; comb test: {:.1} σ",
                    figure.half_a_tile_off, figure.fictitious, figure.comb
                ));
                ui.end_row();
            }
        });
    });
}

//! What the window shows before anything is open: where to begin.

use egui::{Button, RichText, Ui};

use crate::pipeline::Source;
use crate::ui::app::{HalodiApp, Leaving};
use crate::ui::commands::{self, Command};
use crate::ui::theme;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let height = ui.available_height();
    ui.vertical_centered(|ui| {
        ui.set_max_width(520.0);
        ui.add_space((height * 0.22).max(20.0));
        if app.job.is_some() {
            // Nothing that moves: in software, drawing it takes the time that reading needs.
            ui.label("Reading the snapshot…");
            return;
        }
        ui.label(RichText::new("From dark matter to 21 cm").size(26.0).strong());
        ui.add_space(4.0);
        ui.label(RichText::new("Open a snapshot of an N-body simulation, run the networks, and compare what they paint with a reference.").weak());
        ui.add_space(22.0);
        let accent = theme::accent(ui.visuals());
        let on_accent = if ui.visuals().dark_mode { egui::Color32::BLACK } else { egui::Color32::WHITE };
        let size = egui::vec2(260.0, 36.0);
        let demo = Button::new(RichText::new("Open the demo").size(15.0).strong().color(on_accent)).fill(accent).min_size(size);
        if ui.add(demo).on_hover_text("A GADGET-4 snapshot of 64³ particles that comes with Halodi, and a reference made from its haloes").clicked() {
            app.leave(Leaving::For(Source::Demo));
        }
        ui.add_space(4.0);
        let open = Button::new(RichText::new("Open snapshot…").size(15.0)).min_size(size);
        let formats = "Gadget-family HDF5 (GADGET, AREPO, IllustrisTNG, CAMELS, Quijote, SWIFT), CAMELS .npy grids, or Halodi's own maps";
        if ui.add(open).on_hover_text(formats).clicked() {
            commands::run(app, &ctx, Command::Open);
        }
        ui.add_space(4.0);
        let talk = Button::new(RichText::new("See the talk").size(15.0)).min_size(size);
        if ui.add(talk).on_hover_text("Two minutes on the demo, from dark matter to 21 cm; PageDown goes on, Esc leaves").clicked() {
            commands::run(app, &ctx, Command::OpenDemoTalk);
        }
        ui.add_space(10.0);
        ui.label(RichText::new("or drop a file anywhere in this window").weak());
        if !app.recent.is_empty() {
            ui.add_space(22.0);
            ui.label(RichText::new("Recent").weak());
            for path in app.recent.clone() {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                if ui.link(name).on_hover_text(path.display().to_string()).clicked() {
                    app.leave(Leaving::For(Source::File(path)));
                }
            }
        }
        if !app.toured {
            ui.add_space(22.0);
            if ui.link("Five steps through the window, with the demo").clicked() {
                commands::run(app, &ctx, Command::Tour);
            }
        }
    });
}

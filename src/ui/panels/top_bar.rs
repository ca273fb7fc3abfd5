//! The bar at the top: what is open, and the commands that are always at hand.

use egui::{Align, Button, Layout, Panel, RichText, Ui};

use crate::pipeline::Source;
use crate::ui::app::{HalodiApp, Leaving};
use crate::ui::commands::{self, Command};
use crate::ui::icons::{self, Icon};
use crate::ui::workspace::Part;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    Panel::top("top").frame(super::bar(ui)).exact_size(36.0).show(ui, |ui| {
        app.parts.push((Part::TopBar, ui.max_rect().expand(4.0)));
        ui.horizontal_centered(|ui| {
            ui.label(RichText::new("Halodi").heading());
            ui.add_space(4.0);
            open_menu(app, ui);
            what_is_open(app, ui);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| right(app, ui));
        });
    });
}

fn open_menu(app: &mut HalodiApp, ui: &mut Ui) {
    ui.menu_button("File", |ui| {
        ui.set_min_width(230.0);
        for command in [Command::Open, Command::Demo, Command::OpenDemoTalk, Command::Reference] {
            item(app, ui, command);
        }
        if !app.recent.is_empty() {
            ui.separator();
            ui.weak("Recent");
            for path in app.recent.clone() {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                if ui.button(name).on_hover_text(path.display().to_string()).clicked() {
                    app.leave(Leaving::For(Source::File(path)));
                    ui.close();
                }
            }
        }
        ui.separator();
        for command in [
            Command::Save,
            Command::SaveFigure,
            Command::Record,
            Command::SaveSession,
            Command::CopyPicture,
            Command::CopyValues,
            Command::CopySpectra,
            Command::CopyPlots,
        ] {
            item(app, ui, command);
        }
    });
}

/// An item of a menu: its name, its key, grey where it would do nothing.
pub fn item(app: &mut HalodiApp, ui: &mut Ui, command: Command) {
    let Some(entry) = commands::COMMANDS.iter().find(|e| e.command == command) else { return };
    let mut button = Button::new(entry.name);
    if let Some(key) = commands::key_of(ui.ctx(), command) {
        button = button.shortcut_text(key);
    }
    if ui.add_enabled(commands::is_available(app, command), button).clicked() {
        let ctx = ui.ctx().clone();
        commands::run(app, &ctx, command);
        ui.close();
    }
}

fn what_is_open(app: &HalodiApp, ui: &mut Ui) {
    let Some(opened) = app.subject.opened() else {
        if app.job.is_some() {
            ui.weak("Reading…");
        }
        return;
    };
    let facts =
        format!("z = {:.2}   {} Mpc/h   {}³", opened.redshift, super::significant_short(opened.box_size), opened.n);
    let voxel = opened.box_size / opened.n.max(1) as f64;
    let name = egui::Label::new(RichText::new(&opened.name).strong()).truncate();
    // The name gives way where there is little room; what is at the right does not.
    let room = (ui.available_width() - 560.0).clamp(80.0, 420.0);
    ui.scope(|ui| {
        ui.set_max_width(room);
        ui.add(name);
    });
    ui.label(RichText::new(facts).weak()).on_hover_text(format!(
        "Voxels of {voxel:.4} Mpc/h; the grid resolves waves up to k = {:.2} h/Mpc.",
        std::f64::consts::PI / voxel
    ));
    if app.subject.job.job != app.job.as_ref().map_or(app.subject.job.job, crate::pipeline::Job::id) {
        ui.weak("Reading…");
    }
}

fn right(app: &mut HalodiApp, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let hint = |name: &str, command: Command| match commands::key_of(&ctx, command) {
        Some(key) => format!("{name} ({key})"),
        None => name.to_owned(),
    };
    for (text, name, command) in [
        ("Settings", "Settings, provenance and log", Command::Drawer),
        ("?", "Keys and gestures", Command::Help),
        ("Commands…", "Find a command", Command::Palette),
    ] {
        if ui.button(text).on_hover_text(hint(name, command)).clicked() {
            commands::run(app, &ctx, command);
        }
    }
    for (icon, name, command) in [
        (Icon::Theme, "Light or dark", Command::Theme),
        (Icon::Redo, "Redo", Command::Redo),
        (Icon::Undo, "Undo", Command::Undo),
    ] {
        let enabled = commands::is_available(app, command);
        if icons::button(ui, icon, name, enabled).on_hover_text(hint(name, command)).clicked() {
            commands::run(app, &ctx, command);
        }
    }
}

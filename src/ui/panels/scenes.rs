//! The scenes of the talk: a list to add to, to arrange and to edit.

use egui::{Button, ComboBox, DragValue, RichText, TextEdit, Ui};

use super::top_bar::item;
use crate::ui::app::HalodiApp;
use crate::ui::commands::{self, Command};
use crate::ui::talk::{Action, Run, Scene, Sweep};
use crate::ui::workspace::Pane;

/// The panels that a scene can show; colours come with every picture.
const PANES: [Pane; 6] = [Pane::Volume, Pane::Slice(2), Pane::Slice(1), Pane::Slice(0), Pane::Spectra, Pane::Seams];

/// Add a scene of what is on show, behind the chosen one.
pub fn add(app: &mut HalodiApp) {
    let scenes = &mut app.talk.scenes;
    let at = app.chosen_scene.map_or(scenes.len(), |chosen| (chosen + 1).min(scenes.len()));
    // A denoising step that is looked at belongs to what is on show.
    let step = app.subject.step.and_then(|index| app.subject.job.steps.get(index)).map(|step| step.step + 1);
    let scene = Scene {
        name: format!("Scene {}", scenes.len() + 1),
        panes: vec![app.workspace.maximised.filter(|pane| PANES.contains(pane)).unwrap_or(Pane::Volume)],
        view: app.view.clone(),
        action: Action { run: step.map(|step| Run { from: Some(step), pause: Some(step) }), ..Action::default() },
        ..Scene::default()
    };
    scenes.insert(at, scene);
    app.chosen_scene = Some(at);
    app.workspace.drawer = true;
}

/// Show the list and the chosen scene.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let ctx = ui.ctx().clone();
    let count = app.talk.scenes.len();
    app.chosen_scene = app.chosen_scene.filter(|&chosen| chosen < count);
    if count == 0 {
        ui.label(RichText::new("A talk is a list of scenes: look at something, add it, and go on.").small().weak());
    }
    list(app, ui);
    ui.horizontal_wrapped(|ui| {
        let open = commands::is_available(app, Command::AddScene);
        let hint = "A scene of what is on show now (Insert)";
        if ui.add_enabled(open, Button::new("Add scene")).on_hover_text(hint).clicked() {
            add(app);
        }
        let chosen = app.chosen_scene;
        if ui.add_enabled(open && count > 0, Button::new("Give the talk")).on_hover_text("F5; Esc leaves it").clicked()
        {
            commands::run(app, &ctx, Command::Talk);
        }
        ui.menu_button("More", |ui| {
            for command in [Command::TalkFromHere, Command::OpenDemoTalk, Command::SaveSession] {
                item(app, ui, command);
            }
        });
        let Some(index) = chosen else { return };
        ui.end_row();
        if ui.button("Update").on_hover_text("The scene looks as the window does now").clicked() {
            app.talk.scenes[index].view = app.view.clone();
        }
        if ui.add_enabled(index > 0, Button::new("Up")).on_hover_text("Earlier in the talk").clicked() {
            app.talk.scenes.swap(index, index - 1);
            app.chosen_scene = Some(index - 1);
        }
        if ui.add_enabled(index + 1 < count, Button::new("Down")).on_hover_text("Later in the talk").clicked() {
            app.talk.scenes.swap(index, index + 1);
            app.chosen_scene = Some(index + 1);
        }
        if ui.button("Delete").on_hover_text("Undo (Ctrl+Z) brings it back").clicked() {
            app.talk.scenes.remove(index);
            app.chosen_scene = index.checked_sub(1).or((count > 1).then_some(0));
        }
    });
    if let Some(scene) = app.chosen_scene.and_then(|index| app.talk.scenes.get_mut(index)) {
        ui.add_space(4.0);
        edit(scene, ui);
    }
}

fn list(app: &mut HalodiApp, ui: &mut Ui) {
    let mut clicked = None;
    for (index, scene) in app.talk.scenes.iter().enumerate() {
        let name = if scene.name.is_empty() { "unnamed" } else { &scene.name };
        let button = Button::selectable(app.chosen_scene == Some(index), format!("{}  {name}", index + 1))
            .right_text(format!("{} s", scene.seconds))
            .min_size(egui::vec2(ui.available_width() - 8.0, 0.0))
            .truncate();
        let hint = if scene.caption.is_empty() { "No caption" } else { &scene.caption };
        if ui.add(button).on_hover_text(hint).clicked() {
            clicked = Some(index);
        }
    }
    if let Some(index) = clicked {
        app.chosen_scene = Some(index);
        let view = app.talk.scenes[index].view_at(0.0);
        app.choose_layer(view.layer);
        app.view = view;
    }
}

fn edit(scene: &mut Scene, ui: &mut Ui) {
    let name = TextEdit::singleline(&mut scene.name).hint_text("Name in this list").desired_width(f32::INFINITY);
    named(ui.add(name), "Name of the scene");
    let caption = TextEdit::multiline(&mut scene.caption)
        .hint_text("What the audience reads")
        .desired_rows(2)
        .desired_width(f32::INFINITY);
    named(ui.add(caption), "Caption");
    ui.horizontal_wrapped(|ui| {
        for pane in PANES {
            let place = scene.panes.iter().position(|p| *p == pane);
            let shown = ui.selectable_label(place.is_some(), pane.name());
            if shown.on_hover_text("Seen in this scene; several side by side, the first the widest").clicked() {
                match place {
                    Some(place) if scene.panes.len() > 1 => drop(scene.panes.remove(place)),
                    Some(_) => {}
                    None if scene.panes.len() < 4 => scene.panes.push(pane),
                    None => {}
                }
            }
        }
    });
    egui::Grid::new("scene").num_columns(2).spacing([12.0, 5.0]).show(ui, |ui| {
        ui.label("Lasts").on_hover_text("The way from the scene before included");
        let lasts = DragValue::new(&mut scene.seconds).range(0.5..=Scene::LONGEST).speed(0.1).suffix(" s");
        named(ui.add(lasts), "Lasts");
        ui.end_row();
        ui.label("Way there").on_hover_text("How long the view takes from the scene before; 0 cuts");
        let way = DragValue::new(&mut scene.transition).range(0.0..=60.0).speed(0.1).suffix(" s");
        named(ui.add(way), "Way there");
        ui.end_row();
        actions(&mut scene.action, ui);
    });
}

fn actions(action: &mut Action, ui: &mut Ui) {
    ui.label("Orbit").on_hover_text("The camera goes round the box by so much");
    named(ui.add(DragValue::new(&mut action.orbit).range(-3600.0..=3600.0).suffix("°")), "Orbit");
    ui.end_row();
    option(ui, "Swipe", "The line between two fields moves", &mut action.swipe, [0.1, 0.9], |ui, [from, to]| {
        ends(ui, from, to);
    });
    let sweep = Sweep { axis: 2, from: 0.0, to: 1.0 };
    option(ui, "Sweep", "Slices, or a clipped slab, go through the box", &mut action.sweep, sweep, |ui, sweep| {
        let axes = ["x", "y", "z"];
        ComboBox::from_id_salt("sweep").width(36.0).selected_text(axes[sweep.axis.min(2)]).show_ui(ui, |ui| {
            for (axis, name) in axes.into_iter().enumerate() {
                ui.selectable_value(&mut sweep.axis, axis, name);
            }
        });
        ends(ui, &mut sweep.from, &mut sweep.to);
    });
    let meaning = "The denoising steps are played; where there is no prediction yet it is made now";
    option(ui, "Painting", meaning, &mut action.run, Run::default(), |ui, run| {
        let mut hold = run.pause.is_some();
        if ui.checkbox(&mut hold, "held after step").changed() {
            run.pause = hold.then_some(run.from.unwrap_or(1).max(6));
        }
        if let Some(step) = &mut run.pause {
            let first = run.from.map_or(0, |from| from);
            named(ui.add(DragValue::new(step).range(first..=1000)), "Held after step");
        }
    });
}

fn option<T: Clone>(
    ui: &mut Ui,
    name: &str,
    meaning: &str,
    value: &mut Option<T>,
    usual: T,
    edit: impl FnOnce(&mut Ui, &mut T),
) {
    let mut on = value.is_some();
    if ui.checkbox(&mut on, name).on_hover_text(meaning).changed() {
        *value = on.then_some(usual);
    }
    ui.horizontal(|ui| {
        if let Some(value) = value {
            edit(ui, value);
        }
    });
    ui.end_row();
}

fn ends(ui: &mut Ui, from: &mut f32, to: &mut f32) {
    for (value, name) in [(from, "From"), (to, "To")] {
        named(ui.add(DragValue::new(value).range(0.0..=1.0).speed(0.01).fixed_decimals(2)), name);
    }
}

fn named(response: egui::Response, name: &str) {
    response.accessible_name(name);
}

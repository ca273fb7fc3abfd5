//! The bar over the panels: which layer, compared with what.

use egui::{ComboBox, Frame, Margin, RichText, Ui};

use crate::field::Layer;
use crate::ui::app::HalodiApp;
use crate::ui::commands::{self, Command};
use crate::ui::subject::{LAYERS, short_name};
use crate::ui::view_state::{Compare, Partner, THINNEST};
use crate::ui::workspace::Part;

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    Frame::new().inner_margin(Margin::symmetric(8, 4)).show(ui, |ui| {
        let bar = ui.horizontal(|ui| {
            layers(app, ui);
            ui.separator();
            compare(app, ui);
            ui.separator();
            volume_modes(app, ui);
            if let Some([low, high]) = app.view.band {
                ui.separator();
                let text = format!("k {low:.2}–{high:.2}");
                if ui
                    .selectable_label(true, text)
                    .on_hover_text("Fields are filtered to this band of wavenumbers in h/Mpc; click to see them whole")
                    .clicked()
                {
                    app.view.band = None;
                }
            }
        });
        app.parts.push((Part::Toolbar, bar.response.rect.with_max_x(ui.max_rect().right()).expand(4.0)));
    });
}

fn layers(app: &mut HalodiApp, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.x = 3.0;
    for (index, layer) in LAYERS.into_iter().enumerate() {
        let there = app.subject.has(layer);
        // What only some runs make is shown once it is there.
        if !there && matches!(layer, Layer::ConditionalMean | Layer::Latent | Layer::Disagreement) {
            continue;
        }
        let (name, meaning) = short_name(layer);
        let chosen = app.view.layer == layer;
        let key = commands::key_of(ui.ctx(), Command::Layer(index)).unwrap_or_default();
        let missing = match layer {
            Layer::Reference => "There is no reference; File → Load reference…",
            _ => "Run makes this layer.",
        };
        let button = egui::Button::selectable(chosen, name);
        let response = ui
            .add_enabled(there, button)
            .on_hover_text(format!("{}. {meaning} ({key})", layer.name()))
            .on_disabled_hover_text(format!("{meaning} {missing}"));
        if response.accessible_name(layer.name()).clicked() {
            app.choose_layer(layer);
        }
    }
    ui.spacing_mut().item_spacing.x = 7.0;
}

fn compare(app: &mut HalodiApp, ui: &mut Ui) {
    let can = app.subject.can_compare(&app.view);
    ui.add_enabled_ui(can, |ui| {
        let chosen = ComboBox::from_id_salt("compare")
            .selected_text(app.subject.comparing(&app.view).name())
            .width(96.0)
            .show_ui(ui, |ui| {
                for way in Compare::ALL {
                    ui.selectable_value(&mut app.view.compare, way, way.name()).on_hover_text(way.meaning());
                }
            });
        chosen
            .response
            .accessible_name("Compare")
            .on_hover_text("How two fields are compared: B blinks, W swipes, D shows both, R subtracts")
            .on_disabled_hover_text(
                "Predict, or show a 21 cm layer, with a reference or an earlier run to compare with",
            );
    });
    partner(app, ui);
    runs(app, ui);
}

/// What the shown map is compared with, where there is a choice.
fn partner(app: &mut HalodiApp, ui: &mut Ui) {
    let partners = app.subject.partners();
    let in_use = app.subject.partner(&app.view);
    if app.subject.runs.is_empty() && app.subject.realisations() < 2 {
        return;
    }
    let name = |partner: Partner| match partner {
        Partner::Reference => "reference".to_owned(),
        Partner::Realisation(index) => format!("realisation {}", index + 1),
        Partner::Run(number) => format!("run {number}"),
    };
    ui.label(RichText::new("with").weak());
    let chosen = in_use.map_or_else(|| "the prediction".to_owned(), name);
    let chosen = ComboBox::from_id_salt("partner").selected_text(chosen).width(80.0).show_ui(ui, |ui| {
        for partner in partners {
            let run = app.subject.runs.iter().find(|run| Partner::Run(run.number) == partner);
            let text = run.map_or_else(|| name(partner), |run| format!("{}: {}", name(partner), run.settings()));
            ui.selectable_value(&mut app.view.partner, partner, text);
        }
    });
    chosen.response.accessible_name("Compare with");
}

/// Earlier runs, to go back to.
fn runs(app: &mut HalodiApp, ui: &mut Ui) {
    if app.subject.runs.is_empty() {
        return;
    }
    let menu = ui.menu_button("Runs", |ui| {
        ui.set_min_width(260.0);
        let mut wanted = None;
        for run in &app.subject.runs {
            let kept = if run.saved.is_some() { "saved" } else { "not saved" };
            let text = format!("Show run {}: {}, {kept}", run.number, run.settings());
            if ui.add_enabled(app.job.is_none(), egui::Button::new(text)).clicked() {
                wanted = Some(run.number);
            }
        }
        if let Some(number) = wanted {
            app.show_run(number);
            ui.close();
        }
    });
    menu.response.on_hover_text("Earlier runs on this box: look at one again, or save it");
}

fn volume_modes(app: &mut HalodiApp, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.x = 3.0;
    for mode in crate::render::VolumeMode::ALL {
        let response = ui.selectable_label(app.view.mode == mode, mode.name());
        if response.on_hover_text(format!("{} (V: the next)", mode.meaning())).clicked() {
            app.view.mode = mode;
        }
    }
    // A slider in a menu that closes at a click could not be used.
    let behaviour = egui::PopupCloseBehavior::CloseOnClickOutside;
    egui::containers::menu::MenuButton::new("View")
        .config(egui::containers::menu::MenuConfig::new().close_behavior(behaviour))
        .ui(ui, |ui| volume_settings(app, ui))
        .0
        .on_hover_text("Planes, clipping, opacity, and saving the view");
    ui.spacing_mut().item_spacing.x = 7.0;
}

fn volume_settings(app: &mut HalodiApp, ui: &mut Ui) {
    ui.set_min_width(280.0);
    let view = &mut app.view;
    ui.horizontal(|ui| {
        ui.label("Planes");
        for (axis, name) in ["yz", "xz", "xy"].into_iter().enumerate() {
            ui.toggle_value(&mut view.planes[axis], name);
        }
    });
    slider(ui, "Plane opacity", &mut view.plane_opacity, 0.1..=1.0);
    ui.separator();
    ui.label("Shown part of the box");
    for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
        let [low, high] = [view.clip[0][axis], view.clip[1][axis]];
        slider(ui, &format!("{name} from"), &mut view.clip[0][axis], 0.0..=(high - THINNEST).max(0.0));
        slider(ui, &format!("{name} to"), &mut view.clip[1][axis], (low + THINNEST).min(1.0)..=1.0);
    }
    ui.checkbox(&mut view.handles, "Handles on its faces");
    ui.horizontal(|ui| {
        ui.label("Slab about the crosshair across");
        for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
            if ui.button(name).on_hover_text("An eighth of the box").clicked() {
                view.slab(axis);
            }
        }
    });
    ui.separator();
    if let Some((shown, _)) = &app.shown {
        let quantity = shown.quantity;
        let mut opacity = app.view.opacity(quantity);
        let response = ui.add(egui::Slider::new(&mut opacity.gain, 4.0..=4000.0).logarithmic(true).text("Density"));
        if response.on_hover_text("How fast opaque voxels hide what is behind them").changed() {
            app.view.opacities.insert(quantity, opacity);
        }
    }
    ui.checkbox(&mut app.view.camera.orthographic, "Orthographic (O)");
    ui.checkbox(&mut app.view.cross, "Crosshair");
    ui.checkbox(&mut app.view.tiles, "Outline tiles at work (T)");
    ui.checkbox(&mut app.view.faces, "Light the faces of tiles (E)");
    ui.separator();
    for command in [Command::ResetView, Command::SaveFigure, Command::CopyPicture] {
        super::top_bar::item(app, ui, command);
    }
}

fn slider(ui: &mut Ui, name: &str, value: &mut f32, range: std::ops::RangeInclusive<f32>) {
    ui.add(egui::Slider::new(value, range).text(name).fixed_decimals(2));
}

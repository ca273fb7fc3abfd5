//! Colours and type, in one place.

use egui::{Color32, FontId, TextStyle, Theme, Visuals};

use crate::pipeline::Series;

/// Behind pictures, in both themes: colour maps begin at black.
pub const CANVAS: Color32 = Color32::from_rgb(9, 10, 13);
/// Writing over pictures.
pub const INK: Color32 = Color32::from_rgb(222, 224, 230);
/// Writing on paper.
pub const PRINT: Color32 = Color32::from_rgb(30, 30, 34);
/// Over pictures, for what matters less.
pub const FAINT: Color32 = Color32::from_rgb(150, 154, 163);
/// What is being worked on, over pictures.
pub const ACTIVE: Color32 = Color32::from_rgb(90, 210, 245);
/// Axes x, y and z, over pictures.
pub const AXES: [Color32; 3] =
    [Color32::from_rgb(240, 120, 105), Color32::from_rgb(130, 210, 120), Color32::from_rgb(120, 165, 255)];

/// [`CANVAS`] as pictures have it, 0 to 1.
pub fn canvas() -> [f32; 3] {
    [CANVAS.r(), CANVAS.g(), CANVAS.b()].map(|c| f32::from(c) / 255.0)
}

/// What matters now: the primary button, progress, the chosen.
pub fn accent(visuals: &Visuals) -> Color32 {
    if visuals.dark_mode { Color32::from_rgb(70, 185, 225) } else { Color32::from_rgb(0, 110, 160) }
}

/// Quiet, with the picture the brightest thing on screen.
pub fn apply(ctx: &egui::Context) {
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Heading, FontId::proportional(19.0)),
            (TextStyle::Body, FontId::proportional(13.5)),
            (TextStyle::Button, FontId::proportional(13.5)),
            (TextStyle::Small, FontId::proportional(11.5)),
            (TextStyle::Monospace, FontId::monospace(12.5)),
        ]
        .into();
        style.spacing.item_spacing = egui::vec2(7.0, 5.0);
        style.spacing.button_padding = egui::vec2(8.0, 3.5);
        style.spacing.interact_size.y = 24.0;
        style.interaction.tooltip_delay = 0.35;
        style.spacing.scroll.foreground_color = false;
    });
    ctx.style_mut_of(Theme::Dark, |style| {
        let visuals = &mut style.visuals;
        visuals.panel_fill = Color32::from_rgb(23, 25, 30);
        visuals.window_fill = Color32::from_rgb(28, 30, 36);
        visuals.extreme_bg_color = Color32::from_rgb(14, 15, 19);
        visuals.faint_bg_color = Color32::from_rgb(30, 32, 38);
        visuals.selection.bg_fill = Color32::from_rgb(24, 88, 116);
        visuals.selection.stroke.color = Color32::from_rgb(225, 245, 255);
        visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(208);
        visuals.widgets.noninteractive.bg_stroke.color = Color32::from_rgb(48, 51, 59);
        visuals.widgets.inactive.fg_stroke.color = Color32::from_gray(215);
        visuals.widgets.inactive.weak_bg_fill = Color32::from_rgb(41, 44, 52);
        visuals.widgets.inactive.bg_fill = Color32::from_rgb(52, 56, 65);
    });
    ctx.style_mut_of(Theme::Light, |style| {
        let visuals = &mut style.visuals;
        visuals.panel_fill = Color32::from_rgb(245, 246, 248);
        visuals.window_fill = Color32::from_rgb(252, 252, 253);
        visuals.selection.bg_fill = Color32::from_rgb(165, 214, 236);
        visuals.selection.stroke.color = Color32::from_rgb(0, 50, 75);
        visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(45);
        visuals.widgets.noninteractive.bg_stroke.color = Color32::from_rgb(205, 208, 214);
        visuals.widgets.inactive.fg_stroke.color = Color32::from_gray(40);
        visuals.widgets.inactive.weak_bg_fill = Color32::from_rgb(226, 229, 234);
    });
}

/// Colour of a curve: Okabe and Ito's palette, told apart by colour-blind eyes.
pub fn series_color(series: Series, visuals: &Visuals) -> Color32 {
    let dark = visuals.dark_mode;
    match series {
        Series::DarkMatter => Color32::from_gray(if dark { 185 } else { 105 }),
        Series::HaloMass(0) => Color32::from_rgb(86, 180, 233),
        Series::HaloMass(1) => Color32::from_rgb(0, 158, 115),
        Series::HaloMass(2) => Color32::from_rgb(230, 159, 0),
        Series::HaloMass(_) => Color32::from_rgb(204, 121, 167),
        Series::Prediction => Color32::from_rgb(if dark { 255 } else { 213 }, if dark { 120 } else { 80 }, 30),
        Series::Reference => Color32::from_rgb(if dark { 70 } else { 0 }, if dark { 165 } else { 100 }, 255),
    }
}

/// A colour as lines in the volume want it: premultiplied, 0 to 1.
pub fn line_color(color: Color32, opacity: f32) -> [f32; 4] {
    let [r, g, b, a] = color.to_array().map(|c| f32::from(c) / 255.0);
    [r, g, b, a].map(|c| c * opacity)
}

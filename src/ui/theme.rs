//! Colours and type, in one place.

use egui::{Color32, FontId, TextStyle};

use crate::pipeline::Series;

/// What matters now: the active tile, the primary button.
pub const ACCENT: Color32 = Color32::from_rgb(90, 200, 235);

/// Dark, quiet, with the picture the brightest thing on screen.
pub fn apply(ctx: &egui::Context) {
    ctx.set_theme(egui::Theme::Dark);
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Heading, FontId::proportional(20.0)),
            (TextStyle::Body, FontId::proportional(14.0)),
            (TextStyle::Button, FontId::proportional(14.0)),
            (TextStyle::Small, FontId::proportional(12.0)),
            (TextStyle::Monospace, FontId::monospace(13.0)),
        ]
        .into();
        style.spacing.item_spacing = egui::vec2(8.0, 7.0);
        style.spacing.button_padding = egui::vec2(10.0, 5.0);
        style.visuals.panel_fill = Color32::from_rgb(20, 22, 27);
        style.visuals.extreme_bg_color = Color32::from_rgb(12, 13, 17);
        style.visuals.selection.bg_fill = Color32::from_rgb(35, 100, 125);
        style.visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(205);
    });
}

/// Colour of a curve: Okabe and Ito's palette, told apart by colour-blind eyes.
pub fn series_color(series: Series) -> Color32 {
    match series {
        Series::DarkMatter => Color32::from_gray(200),
        Series::HaloMass(0) => Color32::from_rgb(86, 180, 233),
        Series::HaloMass(1) => Color32::from_rgb(0, 158, 115),
        Series::HaloMass(2) => Color32::from_rgb(230, 159, 0),
        Series::HaloMass(_) => Color32::from_rgb(204, 121, 167),
        Series::Prediction => Color32::from_rgb(255, 120, 50),
        Series::Reference => Color32::from_rgb(40, 150, 255),
    }
}

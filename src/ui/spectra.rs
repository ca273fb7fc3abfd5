//! The plot of power spectra.

use egui_plot::{Corner, HLine, Line, Plot, PlotPoints, VLine};

use super::scene::Scene;
use super::theme;
use crate::pipeline::Series;
use crate::stats::PowerSpectrum;

/// What the plot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// `P(k)`.
    #[default]
    Power,
    /// `Δ²(k)`.
    Dimensionless,
    /// Prediction over reference.
    Ratio,
}

/// Draw the spectra of a scene.
pub fn show(ui: &mut egui::Ui, scene: &Scene, quantity: &mut Quantity) {
    ui.horizontal(|ui| {
        ui.strong("Power spectrum");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let reference = scene.spectra.contains_key(&Series::Reference);
            ui.add_enabled_ui(reference, |ui| ui.selectable_value(quantity, Quantity::Ratio, "ratio"))
                .response
                .on_hover_text("Prediction over reference, with the 10 % band");
            ui.selectable_value(quantity, Quantity::Dimensionless, "Δ²(k)");
            ui.selectable_value(quantity, Quantity::Power, "P(k)");
        });
    });
    let curves = curves(scene, *quantity);
    // A legend inside the plot would cover curves.
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = egui::vec2(10.0, 2.0);
        for (series, _) in &curves {
            ui.label(egui::RichText::new(format!("— {}", series.name())).small().color(theme::series_color(*series)));
        }
    });
    let ratio = *quantity == Quantity::Ratio;
    let unit = match quantity {
        Quantity::Power => "P(k)   (Mpc/h)³,  21 cm: mK² (Mpc/h)³",
        Quantity::Dimensionless => "Δ²(k)   21 cm: mK²",
        Quantity::Ratio => "P / P reference",
    };
    let nyquist = scene.spectra.values().next().map(|s| s.k_nyquist);
    let format = move |value: f64| if ratio { format!("{value:.3}") } else { format!("{:.3e}", 10f64.powf(value)) };
    let decade = |value: f64| -> String {
        if (value - value.round()).abs() > 1e-6 {
            return String::new();
        }
        match value.round() as i32 {
            power @ -2..=3 => format!("{}", 10f64.powi(power)),
            power => format!("1e{power}"),
        }
    };
    Plot::new("spectra")
        .x_axis_label("k   h/Mpc")
        .y_axis_label(unit)
        .x_axis_formatter(move |mark, _| decade(mark.value))
        .y_axis_formatter(move |mark, _| if ratio { format!("{:.2}", mark.value) } else { decade(mark.value) })
        .coordinates_formatter(
            Corner::RightTop,
            egui_plot::CoordinatesFormatter::new(move |point, _| {
                format!("k = {:.3} h/Mpc   {}", 10f64.powf(point.x), format(point.y))
            }),
        )
        .label_formatter(|_| None)
        .show(ui, |plot| {
            if let Some(nyquist) = nyquist {
                plot.vline(VLine::new("k Nyquist", nyquist.log10()).color(egui::Color32::from_gray(90)).width(1.0));
            }
            if ratio {
                for (name, y) in [("reference", 1.0), ("+10 %", 1.1), ("−10 %", 0.9)] {
                    plot.hline(HLine::new(name, y).color(egui::Color32::from_gray(110)).width(1.0));
                }
            }
            for (series, points) in curves {
                let width = if matches!(series, Series::Prediction | Series::Reference) { 2.4 } else { 1.3 };
                plot.line(
                    Line::new(series.name(), PlotPoints::from(points)).color(theme::series_color(series)).width(width),
                );
            }
        });
}

/// The points of every curve, in the plot's coordinates.
fn curves(scene: &Scene, quantity: Quantity) -> Vec<(Series, Vec<[f64; 2]>)> {
    let log = |spectrum: &PowerSpectrum, values: &[f64]| -> Vec<[f64; 2]> {
        (0..spectrum.complete_shells())
            .filter(|&i| values[i] > 0.0)
            .map(|i| [spectrum.k[i].log10(), values[i].log10()])
            .collect()
    };
    match quantity {
        Quantity::Power => scene.spectra.iter().map(|(&series, s)| (series, log(s, &s.power))).collect(),
        Quantity::Dimensionless => {
            scene.spectra.iter().map(|(&series, s)| (series, log(s, &s.dimensionless()))).collect()
        }
        Quantity::Ratio => {
            let (Some(prediction), Some(reference)) =
                (scene.spectra.get(&Series::Prediction), scene.spectra.get(&Series::Reference))
            else {
                return Vec::new();
            };
            let points = (0..prediction.complete_shells().min(reference.power.len()))
                .filter(|&i| reference.power[i] > 0.0)
                .map(|i| [prediction.k[i].log10(), prediction.power[i] / reference.power[i]])
                .collect();
            vec![(Series::Prediction, points)]
        }
    }
}

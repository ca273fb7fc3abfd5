//! The figure of a training: its losses, and the power of a validation box.

use std::path::PathBuf;

use plotters::prelude::*;

use super::figure::{
    self, Area, DrawResult, FAINT, FigureFiles, GREEN, INK, SERIES, VERMILION, log_label, style, write_caption,
};
use crate::error::Result;
use crate::train::{CurvePoint, PowerPoint};

const SIZE: (u32, u32) = (1500, 700);
const CAPTION: u32 = 100;

/// Draw the losses of a training (left) and the last look at the power of a
/// validation box (right). Returns what was written.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where the file cannot be written.
pub fn write_training_figure(files: &FigureFiles, curve: &[CurvePoint], power: &[PowerPoint]) -> Result<Vec<PathBuf>> {
    figure::write(files, "Training", (SIZE.0, SIZE.1 + CAPTION), |area| {
        let (plots, foot) = area.split_vertically(SIZE.1);
        write_caption(&foot, &files.caption, 12)?;
        let (left, right) = plots.split_horizontally(SIZE.0 / 2);
        draw_losses(&left, curve)?;
        draw_power(&right, power.last())
    })
}

fn draw_losses(area: &Area, curve: &[CurvePoint]) -> DrawResult {
    let losses = || curve.iter().flat_map(|p| [Some(p.loss), p.validation]).flatten().filter(|l| l.is_finite());
    let (low, high) = losses().fold((f64::MAX, f64::MIN), |(low, high), l| (low.min(l), high.max(l)));
    if curve.is_empty() || low > high {
        return Ok(());
    }
    let room = 0.05 * (high - low).max(1e-3 * high.abs()).max(1e-12);
    let last = curve.last().map_or(1, |p| p.step) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption("Loss", style(32, &INK))
        .margin(20)
        .x_label_area_size(80)
        .y_label_area_size(120)
        .build_cartesian_2d(0.0..1.02 * last, low - room..high + room)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(style(24, &INK))
        .axis_desc_style(style(28, &INK))
        .x_desc("optimiser steps")
        .y_desc("loss")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|loss| format!("{loss:.3}"))
        .draw()?;
    let line = |of: fn(&CurvePoint) -> Option<f64>| -> Vec<(f64, f64)> {
        curve.iter().filter_map(|p| Some((p.step as f64, of(p).filter(|l| l.is_finite())?))).collect()
    };
    for (name, color, of) in [
        ("training boxes", SERIES[0], (|p| Some(p.loss)) as fn(&CurvePoint) -> Option<f64>),
        ("validation boxes", VERMILION, |p| p.validation),
    ] {
        chart
            .draw_series(LineSeries::new(line(of), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 24, SeriesLabelPosition::UpperRight)
}

fn draw_power(area: &Area, look: Option<&PowerPoint>) -> DrawResult {
    let Some(PowerPoint { step, ratios }) = look else {
        area.draw_text("No validation box to look at", &style(28, &FAINT), (60, 60))?;
        return Ok(());
    };
    let k = ratios.iter().flat_map(|r| r.k.iter().copied());
    let (k_low, k_high) = k.fold((f64::MAX, f64::MIN), |(low, high), k| (low.min(k), high.max(k)));
    if k_low > k_high {
        return Ok(());
    }
    let mut chart = ChartBuilder::on(area)
        .caption(format!("Power of a validation box after {step} steps"), style(32, &INK))
        .margin(20)
        .x_label_area_size(80)
        .y_label_area_size(110)
        .build_cartesian_2d((0.8 * k_low..1.2 * k_high).log_scale(), 0.0..2.0)?;
    let band = Rectangle::new([(0.8 * k_low, 0.9), (1.2 * k_high, 1.1)], GREEN.mix(0.18).filled());
    chart.draw_series(std::iter::once(band))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(style(24, &INK))
        .axis_desc_style(style(28, &INK))
        .x_desc("k  [h/Mpc]")
        .y_desc("P / P true")
        .x_label_formatter(&|k| log_label(*k, (k_high / k_low).log10()))
        .y_label_formatter(&|r| format!("{r:.1}"))
        .draw()?;
    for (series, color) in ratios.iter().zip(SERIES.into_iter().cycle()) {
        let line = series.k.iter().zip(&series.ratio).map(|(&k, &r)| (k, r.clamp(0.0, 2.0)));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(&series.series)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 24, SeriesLabelPosition::UpperLeft)
}

//! The figures of an evaluation.

use std::path::PathBuf;

use plotters::prelude::*;

use super::figure::{
    self, Area, BLUE, DrawResult, FAINT, FigureFiles, GREEN, INK, SERIES, VERMILION, log_label, style, write_caption,
};
use crate::error::Result;
use crate::evaluate::{BoxEvaluation, over_boxes};

const SIZE: (u32, u32) = (1200, 800);
const CAPTION: u32 = 100;
const MESH: RGBColor = RGBColor(228, 228, 232);

/// Draw an evaluation into the folder that is the path of `files`: `power_ratio`, `one_point` and,
/// where boxes were predicted several times, `calibration`. Returns what was written.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where a file cannot be written.
pub fn write_evaluation_figures(files: &FigureFiles, boxes: &[BoxEvaluation]) -> Result<Vec<PathBuf>> {
    let draw = |name: &str, title: &str, draw: &dyn Fn(&Area, &[BoxEvaluation]) -> DrawResult| {
        figure::write(&files.named(name), title, (SIZE.0, SIZE.1 + CAPTION), |area| {
            let (plot, foot) = area.split_vertically(SIZE.1);
            write_caption(&foot, &files.caption, 12)?;
            draw(&plot, boxes)
        })
    };
    if boxes.is_empty() {
        return Ok(Vec::new());
    }
    let mut written = draw("power_ratio", "21 cm power over its truth", &power_ratio)?;
    written.extend(draw("one_point", "Distribution of the brightness temperature", &one_point)?);
    if boxes.iter().any(|b| b.ensemble.is_some()) {
        written.extend(draw("calibration", "Rank of the truth among predictions", &calibration)?);
    }
    Ok(written)
}

/// The ratio of powers: every box faintly, their mean with its spread, the
/// baselines, and how far apart two draws of the truth are.
fn power_ratio(area: &Area, boxes: &[BoxEvaluation]) -> DrawResult {
    let k = &boxes[0].k;
    let mean_of = |of: fn(&BoxEvaluation) -> &[f64]| over_boxes(boxes.iter().map(of));
    let (mean, spread) = mean_of(|b| &b.prediction.power_ratio);
    let (of_draws, _) = mean_of(|b| &b.draws.power_ratio);
    let (scatter, _) = mean_of(|b| &b.draws.spread);
    let (conditional_mean, _) = mean_of(|b| &b.conditional_mean.power_ratio);
    let (local, _) = mean_of(|b| &b.local_relation.power_ratio);
    let rescaled = boxes.iter().filter_map(|b| Some(b.rescaled_dark_matter.as_ref()?.power_ratio.as_slice()));
    let (rescaled, _) = over_boxes(rescaled);
    let values = boxes.iter().flat_map(|b| &b.prediction.power_ratio).chain(&local);
    let reach = values.filter(|v| v.is_finite()).map(|v| (v - 1.0).abs()).fold(0.4, f64::max).min(2.0) * 1.1;
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let (k_low, k_high) = (0.8 * k[0], 1.2 * k[k.len() - 1]);

    let mut chart = ChartBuilder::on(area)
        .caption(format!("21 cm power over its truth, {} boxes", boxes.len()), style(34, &INK))
        .margin(24)
        .x_label_area_size(90)
        .y_label_area_size(130)
        .build_cartesian_2d((k_low..k_high).log_scale(), low..high)?;
    let band = Rectangle::new([(k_low, 0.9), (k_high, 1.1)], GREEN.mix(0.18).filled());
    chart.draw_series(std::iter::once(band))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(MESH)
        .axis_style(ShapeStyle::from(&INK).stroke_width(2))
        .label_style(style(28, &INK))
        .axis_desc_style(style(32, &INK))
        .x_desc("k  [h/Mpc]")
        .y_desc("P / P true")
        .x_label_formatter(&|k| log_label(*k, (k_high / k_low).log10()))
        .y_label_formatter(&|r| format!("{r:.2}"))
        .draw()?;
    let line = |values: &[f64]| -> Vec<(f64, f64)> {
        k.iter().zip(values).filter(|(_, v)| v.is_finite()).map(|(&k, &v)| (k, v.clamp(low, high))).collect()
    };
    let one = ShapeStyle::from(&INK).stroke_width(1);
    chart.draw_series(std::iter::once(PathElement::new(vec![(k_low, 1.0), (k_high, 1.0)], one)))?;
    for b in boxes {
        let faint = ShapeStyle::from(&VERMILION.mix(0.3)).stroke_width(1);
        chart.draw_series(LineSeries::new(line(&b.prediction.power_ratio), faint))?;
    }
    for sign in [-1.0, 1.0] {
        let edge: Vec<f64> = scatter.iter().map(|s| 1.0 + sign * s).collect();
        let series = chart.draw_series(DashedLineSeries::new(line(&edge), 8, 8, FAINT.stroke_width(2)))?;
        if sign > 0.0 {
            series
                .label("one σ of the truth's own scatter")
                .legend(|(x, y)| PathElement::new([(x, y), (x + 30, y)], FAINT.stroke_width(2)));
        }
    }
    let bars = k.iter().zip(mean.iter().zip(&spread)).map(|(&k, (&m, &s))| {
        let ends = [m - s, m + s].map(|v| (k, v.clamp(low, high)));
        PathElement::new(ends.to_vec(), VERMILION.mix(0.4).stroke_width(1))
    });
    chart.draw_series(bars)?;
    for (name, values, color, width) in [
        ("dark matter, rescaled", &rescaled, SERIES[2], 2),
        ("local relation", &local, BLUE, 2),
        ("conditional mean", &conditional_mean, SERIES[3], 2),
        ("LODI over the mean of the truth's draws", &of_draws, INK, 2),
        ("LODI, mean and spread over boxes", &mean, VERMILION, 3),
    ] {
        if values.is_empty() {
            continue;
        }
        chart
            .draw_series(LineSeries::new(line(values), color.stroke_width(width)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 24, SeriesLabelPosition::UpperLeft)
}

/// Distributions of the temperature, boxes together.
fn one_point(area: &Area, boxes: &[BoxEvaluation]) -> DrawResult {
    let edges = &boxes[0].one_point.log_temperature;
    let (prediction, _) = over_boxes(boxes.iter().map(|b| b.one_point.prediction.as_slice()));
    let (truth, _) = over_boxes(boxes.iter().map(|b| b.one_point.truth.as_slice()));
    let least = prediction.iter().chain(&truth).copied().filter(|&p| p > 0.0).fold(1.0, f64::min);
    let range = (edges[0], edges[edges.len() - 1] + 0.1);
    let mut chart = ChartBuilder::on(area)
        .caption("Distribution of the brightness temperature", style(34, &INK))
        .margin(24)
        .x_label_area_size(90)
        .y_label_area_size(130)
        .build_cartesian_2d(range.0..range.1, (0.5 * least..1.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(MESH)
        .label_style(style(28, &INK))
        .axis_desc_style(style(32, &INK))
        .x_desc("log10 of the temperature in mK")
        .y_desc("fraction of voxels")
        .x_label_formatter(&|t| format!("{t:.0}"))
        .y_label_formatter(&|p| log_label(*p, 6.0))
        .draw()?;
    for (name, values, color) in [("truth", &truth, BLUE), ("LODI", &prediction, VERMILION)] {
        let line = edges.iter().zip(values).filter(|(_, p)| **p > 0.0).map(|(&t, &p)| (t + 0.05, p));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 28, SeriesLabelPosition::UpperRight)
}

/// Ranks of the truth among predictions, over what chance gives.
fn calibration(area: &Area, boxes: &[BoxEvaluation]) -> DrawResult {
    let ensembles = || boxes.iter().filter_map(|b| b.ensemble.as_ref());
    let ranks = ensembles().map(|e| e.count + 1).min().unwrap_or(1);
    let frequency = |of: fn(&crate::evaluate::Ensemble) -> &[u64]| -> Vec<f64> {
        let counts: Vec<u64> = (0..ranks).map(|rank| ensembles().map(|e| of(e)[rank]).sum()).collect();
        let total = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|&count| count as f64 * ranks as f64 / total).collect()
    };
    let voxels = frequency(|e| &e.voxel_ranks);
    let powers = frequency(|e| &e.power_ranks);
    let high = voxels.iter().chain(&powers).copied().fold(2.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("Rank of the truth among {} predictions", ranks - 1), style(34, &INK))
        .margin(24)
        .x_label_area_size(90)
        .y_label_area_size(130)
        .build_cartesian_2d(-0.5..ranks as f64 - 0.5, 0.0..high)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(MESH)
        .label_style(style(28, &INK))
        .axis_desc_style(style(32, &INK))
        .x_desc("predictions below the truth")
        .y_desc("frequency over chance")
        .x_label_formatter(&|rank| format!("{rank:.0}"))
        .y_label_formatter(&|f| format!("{f:.1}"))
        .draw()?;
    let flat = PathElement::new(vec![(-0.5, 1.0), (ranks as f64 - 0.5, 1.0)], INK.stroke_width(1));
    chart.draw_series(std::iter::once(flat))?;
    for (name, values, color) in
        [("temperature of voxels brighter than 1 mK", &voxels, VERMILION), ("power per shell", &powers, BLUE)]
    {
        let steps = values.iter().enumerate().flat_map(|(i, &v)| [(i as f64 - 0.5, v), (i as f64 + 0.5, v)]);
        chart
            .draw_series(LineSeries::new(steps, color.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 28, SeriesLabelPosition::UpperMiddle)
}

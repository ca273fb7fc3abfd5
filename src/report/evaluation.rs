//! The figure of an evaluation: the ratio of powers of every box.

use std::path::Path;

use plotters::prelude::*;

use super::figure::{self, FAINT, INK, log_label, style};
use crate::error::Result;
use crate::evaluate::{BoxEvaluation, over_boxes};

const SIZE: (u32, u32) = (1200, 800);
const CAPTION: u32 = 70;
/// Colours of Okabe & Ito.
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const GREEN: RGBColor = RGBColor(0, 158, 115);

/// Draw the ratio of predicted to true power to `path`: every box faintly, their
/// mean with its spread, and the local relation beside them.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where the file cannot be written.
pub fn write_evaluation_figure(path: &Path, boxes: &[BoxEvaluation], caption: &str) -> Result<()> {
    let Some(first) = boxes.first() else { return Ok(()) };
    let k = &first.k;
    let (mean, spread) = over_boxes(boxes.iter().map(|b| b.prediction.power_ratio.as_slice()));
    let (baseline, _) = over_boxes(boxes.iter().map(|b| b.local_relation.power_ratio.as_slice()));
    let values = boxes.iter().flat_map(|b| &b.prediction.power_ratio).chain(&baseline);
    let reach = values.filter(|v| v.is_finite()).map(|v| (v - 1.0).abs()).fold(0.25, f64::max).min(3.0) * 1.1;
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let (k_low, k_high) = (0.8 * k[0], 1.2 * k[k.len() - 1]);

    figure::write(path, (SIZE.0, SIZE.1 + CAPTION), caption, |area| {
        let (plot, foot) = area.split_vertically(SIZE.1);
        foot.draw_text(caption, &style(22, &FAINT), (40, 20))?;
        let mut chart = ChartBuilder::on(&plot)
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
            .bold_line_style(RGBColor(228, 228, 232))
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
            chart.draw_series(LineSeries::new(
                line(&b.prediction.power_ratio),
                ShapeStyle::from(&VERMILION.mix(0.35)).stroke_width(1),
            ))?;
        }
        chart
            .draw_series(LineSeries::new(line(&baseline), ShapeStyle::from(&BLUE).stroke_width(2)))?
            .label("local relation, mean")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 30, y)], BLUE.stroke_width(3)));
        let bars = k.iter().zip(mean.iter().zip(&spread)).map(|(&k, (&m, &s))| {
            let ends = [m - s, m + s].map(|v| (k, v.clamp(low, high)));
            PathElement::new(ends.to_vec(), VERMILION.mix(0.5).stroke_width(1))
        });
        chart.draw_series(bars)?;
        chart
            .draw_series(LineSeries::new(line(&mean), ShapeStyle::from(&VERMILION).stroke_width(3)))?
            .label("LODI, mean and spread over boxes")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 30, y)], VERMILION.stroke_width(3)));
        chart
            .configure_series_labels()
            .label_font(style(28, &INK))
            .background_style(WHITE.mix(0.85))
            .border_style(TRANSPARENT)
            .position(SeriesLabelPosition::UpperLeft)
            .draw()?;
        Ok(())
    })
}

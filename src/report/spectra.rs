//! The figure of the power spectra.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::prelude::*;

use super::canvas::Canvas;
use super::figure::{
    self, Area, BLUE, DrawResult, FAINT, FigureFiles, GREEN, INK, SERIES, VERMILION, log_label, style, write_caption,
};
use crate::error::Result;
use crate::pipeline::Series;
use crate::stats::PowerSpectrum;

/// Side of a panel in pixels, and the height of the caption.
const PANEL: (u32, u32) = (1000, 760);
const RATIO_HEIGHT: u32 = 300;
const CAPTION: u32 = 100;

/// Draw the spectra: temperature power of prediction and reference with their ratio below, and the
/// matter and halo fields in a panel of their own, because their power has another unit. Returns
/// what was written.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where the file cannot be written.
pub fn write_spectrum_figure(files: &FigureFiles, spectra: &BTreeMap<Series, PowerSpectrum>) -> Result<Vec<PathBuf>> {
    let is_temperature = |s: &Series| matches!(s, Series::Prediction | Series::Reference);
    // The reference is drawn first, so that the prediction lies on top.
    let mut temperature: Vec<_> = spectra.iter().filter(|(s, _)| is_temperature(s)).collect();
    temperature.reverse();
    let matter: Vec<_> = spectra.iter().filter(|(s, _)| !is_temperature(s)).collect();
    let ratio = spectra.get(&Series::Prediction).zip(spectra.get(&Series::Reference));
    let panels = u32::from(!temperature.is_empty()) + u32::from(!matter.is_empty());
    let height = PANEL.1 + if ratio.is_some() { RATIO_HEIGHT } else { 0 };

    figure::write(files, "Power spectra", (PANEL.0 * panels.max(1), height + CAPTION), |area| {
        let (plots, foot) = area.split_vertically(height);
        let band = if ratio.is_some() { "Shaded: within 10 % of the reference. " } else { "" };
        write_caption(&foot, &format!("{band}{}", files.caption), 12)?;
        let columns = plots.split_evenly((1, panels.max(1) as usize));
        let mut columns = columns.iter();
        if !temperature.is_empty()
            && let Some(column) = columns.next()
        {
            let (upper, lower) = column.split_vertically(PANEL.1);
            let x_label = if ratio.is_some() { "" } else { "k  [h/Mpc]" };
            power_panel(&upper, &temperature, "P(k)  [mK² (Mpc/h)³]", "21 cm brightness temperature", x_label)?;
            if let Some((prediction, reference)) = ratio {
                ratio_panel(&lower, prediction, reference)?;
            }
        }
        if !matter.is_empty()
            && let Some(column) = columns.next()
        {
            power_panel(column, &matter, "P(k)  [(Mpc/h)³]", "Matter and halo overdensity", "k  [h/Mpc]")?;
        }
        Ok(())
    })
}

fn color(series: Series) -> RGBColor {
    match series {
        Series::DarkMatter => INK,
        Series::HaloMass(bin) => SERIES[bin % SERIES.len()],
        Series::Prediction => VERMILION,
        Series::Reference => BLUE,
    }
}

/// Wavenumbers from just below the first shell to just beyond Nyquist.
fn k_range(spectra: &[&PowerSpectrum]) -> (f64, f64) {
    let first = spectra.iter().filter_map(|s| s.k.first()).fold(f64::INFINITY, |a, &b| a.min(b));
    let last = spectra.iter().map(|s| s.k_nyquist).fold(0.0, f64::max);
    if first.is_finite() && last > first { (0.8 * first, 1.25 * last) } else { (0.1, 10.0) }
}

/// The shells worth drawing: complete, with positive power (the logarithm has
/// no place for others).
fn drawn(spectrum: &PowerSpectrum) -> impl Iterator<Item = (f64, f64)> + '_ {
    let pairs = spectrum.k.iter().copied().zip(spectrum.power.iter().copied());
    pairs.take(spectrum.complete_shells()).filter(|&(_, p)| p > 0.0 && p.is_finite())
}

fn power_panel(
    area: &Area,
    curves: &[(&Series, &PowerSpectrum)],
    unit: &str,
    title: &str,
    x_label: &str,
) -> DrawResult {
    let spectra: Vec<&PowerSpectrum> = curves.iter().map(|(_, s)| *s).collect();
    let (k_low, k_high) = k_range(&spectra);
    let values = || spectra.iter().flat_map(|s| drawn(s)).map(|(_, p)| p);
    let (low, high) = values().fold((f64::INFINITY, 0f64), |(lo, hi), p| (lo.min(p), hi.max(p)));
    let (low, high) = if low.is_finite() { (0.5 * low, 3.0 * high) } else { (0.1, 10.0) };

    let mut chart = ChartBuilder::on(area)
        .caption(title, style(34, &INK))
        .margin(24)
        .x_label_area_size(if x_label.is_empty() { 24 } else { 90 })
        .y_label_area_size(130)
        .build_cartesian_2d((k_low..k_high).log_scale(), (low..high).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(228, 228, 232))
        .axis_style(ShapeStyle::from(&INK).stroke_width(2))
        .label_style(style(28, &INK))
        .axis_desc_style(style(32, &INK))
        .x_desc(x_label)
        .y_desc(unit)
        .x_label_formatter(&|k| {
            if x_label.is_empty() { String::new() } else { log_label(*k, (k_high / k_low).log10()) }
        })
        .y_label_formatter(&|p| log_label(*p, (high / low).log10()))
        .draw()?;
    nyquist(&mut chart, spectra[0].k_nyquist, low, high)?;
    for &(series, spectrum) in curves {
        let ink = ShapeStyle::from(&color(*series)).stroke_width(if *series == Series::Reference { 6 } else { 3 });
        chart
            .draw_series(LineSeries::new(drawn(spectrum), ink))?
            .label(series.name())
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 44, y)], ink));
    }
    let (label_x, label_y) = chart.backend_coord(&(spectra[0].k_nyquist, low));
    let (origin_x, origin_y) = area.get_base_pixel();
    area.draw_text("k Nyquist", &style(24, &FAINT), (label_x - origin_x - 104, label_y - origin_y - 34))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .legend_area_size(56)
        .margin(24)
        .label_font(style(28, &INK))
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(200, 200, 205))
        .draw()?;
    Ok(())
}

type LogLog<'a, 'b> = ChartContext<'a, Canvas<'b>, Cartesian2d<LogCoord<f64>, LogCoord<f64>>>;

/// The grid's Nyquist wavenumber as a dashed line.
fn nyquist(chart: &mut LogLog, k: f64, low: f64, high: f64) -> DrawResult {
    chart.draw_series(dashes((low.ln(), high.ln()), 60, |y| (k, y.exp())))?;
    Ok(())
}

/// A dashed line along a curve of one parameter.
fn dashes<P: Clone + 'static>(
    (from, to): (f64, f64),
    count: usize,
    point: impl Fn(f64) -> P,
) -> impl Iterator<Item = PathElement<P>> {
    let step = (to - from) / count as f64;
    (0..count).step_by(2).map(move |i| {
        let start = from + i as f64 * step;
        PathElement::new(vec![point(start), point(start + step)], ShapeStyle::from(&FAINT).stroke_width(2))
    })
}

fn ratio_panel(area: &Area, prediction: &PowerSpectrum, reference: &PowerSpectrum) -> DrawResult {
    let (k_low, k_high) = k_range(&[prediction, reference]);
    let shells = prediction.complete_shells().min(reference.complete_shells());
    let ratio: Vec<(f64, f64)> = (0..shells)
        .map(|i| (prediction.k[i], prediction.power[i] / reference.power[i]))
        .filter(|(_, r)| r.is_finite())
        .collect();
    // At least ±25 %, and as much as the curve needs up to a factor of five.
    let reach = ratio.iter().map(|(_, r)| (r - 1.0).abs()).fold(0.25, f64::max).min(4.0) * 1.1;
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);

    let mut chart = ChartBuilder::on(area)
        .margin_left(24)
        .margin_right(24)
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
        .y_desc("P / P ref")
        .y_labels(5)
        .x_label_formatter(&|k| log_label(*k, (k_high / k_low).log10()))
        .y_label_formatter(&|r| format!("{r:.1}"))
        .draw()?;
    let one = ShapeStyle::from(&INK).stroke_width(1);
    chart.draw_series(std::iter::once(PathElement::new(vec![(k_low, 1.0), (k_high, 1.0)], one)))?;
    chart.draw_series(dashes((low, high), 20, |y| (prediction.k_nyquist, y)))?;
    let ink = ShapeStyle::from(&VERMILION).stroke_width(3);
    chart.draw_series(LineSeries::new(ratio.into_iter().map(|(k, r)| (k, r.clamp(low, high))), ink))?;
    Ok(())
}

//! Ways of stitching side by side: a table and a figure.

use std::fmt::Write;
use std::path::PathBuf;

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use super::figure::{
    self, Area, BLUE, DrawResult, FigureFiles, GREEN, INK, SERIES, VERMILION, log_label, style, write_caption,
};
use crate::error::Result;
use crate::evaluate::{Studied, Variant};
use crate::stats::{Figure, K_MAPS, Statistic};

/// Maps of one way with one number of steps, of several boxes.
struct Way<'a> {
    variant: Variant,
    steps: usize,
    maps: Vec<&'a Studied>,
}

/// The maps by way and steps, in the order in which they were first made.
fn ways(studied: &[Studied]) -> Vec<Way<'_>> {
    let mut ways: Vec<Way> = Vec::new();
    for map in studied {
        match ways.iter_mut().find(|w| w.variant == map.variant && w.steps == map.steps) {
            Some(way) => way.maps.push(map),
            None => ways.push(Way { variant: map.variant, steps: map.steps, maps: vec![map] }),
        }
    }
    ways
}

impl Way<'_> {
    fn mean(&self, of: impl Fn(&Studied) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.maps.iter().filter_map(|m| of(m)).filter(|v| v.is_finite()).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Mean value of a figure over boxes, its error and its significance.
    fn figure(&self, of: impl Fn(&Studied) -> Option<Figure>) -> Option<[f64; 3]> {
        let figures: Vec<Figure> = self.maps.iter().filter_map(|m| of(m)).collect();
        let count = figures.len() as f64;
        (count > 0.0).then(|| {
            let value = figures.iter().map(|f| f.value).sum::<f64>() / count;
            let error = figures.iter().map(|f| f.error.powi(2)).sum::<f64>().sqrt() / count;
            [value, error, figures.iter().map(|f| f.z).sum::<f64>() / count.sqrt()]
        })
    }

    /// Largest departure of the power from that of the whole box for k ≤ [`K_MAPS`], mean of boxes.
    fn power(&self) -> Option<f64> {
        self.mean(|m| {
            let against = m.against_whole.as_ref()?;
            let shells = against.k.partition_point(|&k| k <= K_MAPS);
            Some(against.power_ratio[..shells].iter().map(|r| (r - 1.0).abs()).fold(0.0, f64::max))
        })
    }

    fn correlation(&self, k: f64) -> Option<f64> {
        self.mean(|m| {
            let against = m.against_whole.as_ref()?;
            against.correlation.get(against.k.partition_point(|&v| v < k)).copied()
        })
    }
}

/// Ways of stitching as a Markdown table.
pub fn stitching_table(studied: &[Studied]) -> String {
    let mut out = String::from(
        "| way | steps | boxes | squared jump across faces | step from tile to tile | variance near faces | residual near faces | \
         P/P_whole − 1, largest | r with whole at k = 1, 5, 10 | seconds | memory |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    for way in ways(studied) {
        let seams = |statistic: Statistic| {
            let figure = way.figure(|m| m.seams.figure(statistic).copied());
            or_dash(figure.map(|[value, error, z]| format!("{value:.3} ± {error:.3} ({z:.1} σ)")))
        };
        let residual = way.figure(|m| Some(m.against_whole.as_ref()?.residual));
        let residual = or_dash(residual.map(|[value, error, z]| format!("{value:.2} ± {error:.2} ({z:.1} σ)")));
        let power = or_dash(way.power().map(|p| format!("{:.1} %", 100.0 * p)));
        let r: Option<Vec<String>> =
            [1.0, 5.0, 10.0].into_iter().map(|k| way.correlation(k).map(|r| format!("{r:.3}"))).collect();
        let r = or_dash(r.map(|r| r.join(", ")));
        let memory = way.mean(|m| m.memory.map(|bytes| bytes as f64 / 1e9));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {residual} | {power} | {r} | {:.0} | {} |",
            way.variant.name(),
            way.steps,
            way.maps.len(),
            seams(Statistic::Jump),
            seams(Statistic::TileStep),
            seams(Statistic::Variance),
            way.mean(|m| Some(m.seconds)).unwrap_or(f64::NAN),
            or_dash(memory.map(|gb| format!("{gb:.1} GB"))),
        );
    }
    out
}

const PANEL: (u32, u32) = (1000, 720);
const CAPTION: u32 = 100;
const COLORS: [RGBColor; 8] =
    [VERMILION, BLUE, GREEN, SERIES[0], SERIES[2], SERIES[3], RGBColor(120, 94, 30), RGBColor(60, 60, 66)];

/// Draw the jump across faces by way, and the power of each over that of the whole box. Returns what
/// was written.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where the file cannot be written.
pub fn write_stitching_figure(files: &FigureFiles, studied: &[Studied]) -> Result<Vec<PathBuf>> {
    let ways = ways(studied);
    figure::write(files, "Ways of stitching", (2 * PANEL.0, PANEL.1 + CAPTION), |area| {
        let (plots, foot) = area.split_vertically(PANEL.1);
        write_caption(&foot, &files.caption, 12)?;
        let panels = plots.split_evenly((1, 2));
        jumps(&panels[0], &ways)?;
        power(&panels[1], &ways)
    })
}

fn label(way: &Way) -> String {
    format!("{}, {} steps", way.variant.name().replace(" (baseline)", ""), way.steps)
}

fn jumps(area: &Area, ways: &[Way]) -> DrawResult {
    let points: Vec<Option<[f64; 3]>> =
        ways.iter().map(|w| w.figure(|m| m.seams.figure(Statistic::Jump).copied())).collect();
    let ends = points.iter().flatten().flat_map(|[v, e, _]| [v - e, v + e]);
    let (low, high) = ends.fold((0.9, 1.1), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let room = 0.1 * (high - low);
    let rows = ways.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption("Squared jump across faces, over that elsewhere", style(32, &INK))
        .margin(24)
        .x_label_area_size(70)
        .y_label_area_size(20)
        .build_cartesian_2d(low - room - 0.9 * (high - low)..high + room, -rows + 0.2..0.8)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(228, 228, 232))
        .label_style(style(26, &INK))
        .y_labels(0)
        .x_label_formatter(&|v| format!("{v:.2}"))
        .draw()?;
    chart.draw_series(std::iter::once(PathElement::new([(1.0, -rows + 0.2), (1.0, 0.8)], INK.stroke_width(1))))?;
    for (row, (way, point)) in ways.iter().zip(&points).enumerate() {
        let (Some([value, error, _]), y) = (point, -(row as f64)) else { continue };
        let color = COLORS[row % COLORS.len()];
        chart.draw_series(std::iter::once(PathElement::new(
            [(value - error, y), (value + error, y)],
            color.stroke_width(3),
        )))?;
        chart.draw_series(std::iter::once(Circle::new((*value, y), 7, color.filled())))?;
        chart.draw_series(std::iter::once(Text::new(
            label(way),
            (low - room - 0.88 * (high - low), y + 0.16),
            style(22, &INK),
        )))?;
    }
    Ok(())
}

/// A row of the figure, its label and its points.
type Curve = (usize, String, Vec<(f64, f64)>);

fn power(area: &Area, ways: &[Way]) -> DrawResult {
    let curves: Vec<Curve> = ways
        .iter()
        .enumerate()
        .filter_map(|(row, way)| {
            let k = &way.maps.iter().find_map(|m| m.against_whole.as_ref())?.k;
            let points = (0..k.len()).filter_map(|i| {
                let mean = way.mean(|m| m.against_whole.as_ref()?.power_ratio.get(i).copied());
                mean.map(|r| (k[i], r))
            });
            Some((row, label(way), points.filter(|p| p.0 <= 1.2 * K_MAPS).collect()))
        })
        .collect();
    let values = curves.iter().flat_map(|(.., points)| points.iter().map(|p| p.1)).filter(|v| v.is_finite());
    let (low, high) = values.fold((0.95, 1.05), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let ks = || curves.iter().flat_map(|(.., points)| points.iter().map(|p| p.0));
    let (left, right) = ks().fold((1.0, 10.0), |(left, right): (f64, f64), k| (left.min(0.8 * k), right.max(1.2 * k)));
    let room = 0.05 * (high - low);
    let mut chart = ChartBuilder::on(area)
        .caption("Power over that of the whole box in one window", style(32, &INK))
        .margin(24)
        .x_label_area_size(84)
        .y_label_area_size(110)
        .build_cartesian_2d((left..right).log_scale(), low - room..high + room)?;
    let band = Rectangle::new([(left, 0.98), (right, 1.02)], GREEN.mix(0.18).filled());
    chart.draw_series(std::iter::once(band))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(228, 228, 232))
        .label_style(style(26, &INK))
        .axis_desc_style(style(28, &INK))
        .x_desc("k  [h/Mpc]")
        .x_label_formatter(&|k| log_label(*k, (right / left).log10()))
        .y_label_formatter(&|r| format!("{r:.2}"))
        .draw()?;
    for (row, name, points) in curves {
        let color = COLORS[row % COLORS.len()];
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 20, SeriesLabelPosition::LowerLeft)
}

//! The seams of a map: table, CSV and figure.

use std::fmt::Write;
use std::path::PathBuf;

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;
use serde::Serialize;

use super::figure::{
    self, Area, BLUE, DrawResult, FAINT, FigureFiles, Frame, GREEN, INK, VERMILION, log_label, style, write_caption,
};
use crate::error::Result;
use crate::stats::{Against, Seams, Verdict};

const PANEL: (u32, u32) = (1000, 700);
const CAPTION: u32 = 150;
const AXES: [(&str, RGBColor); 3] = [("x", VERMILION), ("y", BLUE), ("z", GREEN)];

/// What was measured of one map.
#[derive(Debug, Clone, Serialize)]
pub struct SeamsReport {
    /// The map.
    pub map: String,
    /// What it was compared with.
    pub reference: Option<String>,
    /// What the figures come to.
    pub verdict: Verdict,
    /// The seams.
    pub seams: Seams,
    /// The map against the reference.
    pub against: Option<Against>,
}

impl SeamsReport {
    /// The figures as text in columns.
    pub fn table(&self) -> String {
        let Seams { n, box_size, tile, figures, search, smallest_step, periodic, .. } = &self.seams;
        let mut out = format!("{}: {n}³ voxels in {box_size} Mpc/h, tiles of {tile} voxels\n", self.map);
        let _ = writeln!(
            out,
            "{:46} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>10} {:>10} {:>7} {:>9}",
            "figure at faces",
            "value",
            "error",
            "σ",
            "σ of x",
            "of y",
            "of z",
            "half a tile",
            "fictitious",
            "comb",
            "comb of ½"
        );
        for figure in figures.iter().chain(self.against.as_ref().map(|a| &a.residual)) {
            let name = match figure.within {
                0 => figure.statistic.name().to_owned(),
                within => format!("{} ({within})", figure.statistic.name()),
            };
            let [x, y, z] = figure.axes;
            let _ = writeln!(
                out,
                "{name:46} {:>9.4} {:>9.4} {:>7.1} {x:>7.1} {y:>7.1} {z:>7.1} {:>10.1} {:>10.2} {:>7.1} {:>9.1}",
                figure.value,
                figure.error,
                figure.z,
                figure.half_a_tile_off,
                figure.fictitious,
                figure.comb,
                figure.comb_of_half
            );
        }
        let axis = AXES[search.axis].0;
        let _ = writeln!(
            out,
            "Of all places along each axis, faces {} voxels from the corner along {axis} stand out most: {:.1} σ, \
             {:.1} σ after all trials.",
            search.offset, search.z, search.after_trials
        );
        let in_units = self.seams.in_logarithm(*smallest_step).map(|change| 100.0 * change.exp_m1());
        let _ = writeln!(
            out,
            "A step of {smallest_step:.4} deviations from tile to tile would show at 3 σ{}.",
            in_units.map(|percent| format!(": {percent:.1} % of the map's value")).unwrap_or_default()
        );
        if !periodic {
            let _ = writeln!(out, "The box is not periodic: its own faces were left out.");
        }
        if let (Some(against), Some(reference)) = (&self.against, &self.reference) {
            let _ = writeln!(out, "\nAgainst {reference}:");
            let _ = writeln!(out, "{:>10} {:>10} {:>8}", "k [h/Mpc]", "P/P_ref", "r");
            let shells = against.k.len();
            for i in (0..shells).step_by((shells / 8).max(1)) {
                let [k, ratio, r] = [&against.k, &against.power_ratio, &against.correlation].map(|values| values[i]);
                let _ = writeln!(out, "{k:>10.3} {ratio:>10.4} {r:>8.4}");
            }
            let _ = writeln!(out, "Spectra by voxels from the nearest face, over those of nine fictitious lattices:");
            let _ = writeln!(out, "{:>10} {:>10} {:>8} {:>8}", "voxels", "residual", "σ", "σ of r");
            for shell in &against.near_faces {
                let [from, below] = shell.distance;
                let finite = shell.residual.iter().filter(|v| v.is_finite());
                let mean = finite.clone().sum::<f64>() / finite.count().max(1) as f64;
                let _ = writeln!(
                    out,
                    "{:>10} {mean:>10.3} {:>8.1} {:>8.1}",
                    format!("{from} to {below}"),
                    shell.z,
                    shell.z_correlation
                );
            }
        }
        out
    }

    /// The jump profile and the figures as CSV.
    pub fn csv(&self) -> String {
        let mut out = format!("# {}\n# {}\n", self.map, self.verdict.sentence);
        out += "# mean squared jump of normal scores across planes, by their offset from the corner of the box modulo \
                the tile, over that of all planes;\n# excess: beyond the surrounding planes\n";
        out += "offset_voxels";
        for (axis, _) in AXES {
            let _ = write!(out, ",ratio_{axis},scatter_{axis},excess_{axis},error_{axis}");
        }
        out.push('\n');
        for offset in 0..self.seams.tile {
            let _ = write!(out, "{offset}");
            for jumps in &self.seams.jumps {
                let at = jumps[offset];
                let _ = write!(out, ",{:.6e},{:.6e},{:.6e},{:.6e}", at.ratio, at.scatter, at.excess, at.error);
            }
            out.push('\n');
        }
        out
    }
}

/// Draw the jump profile, the comb, mean and variance by distance to a face, and, where the map was
/// compared with another, their spectra. Returns what was written.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where the file cannot be written.
pub fn write_seams_figure(files: &FigureFiles, report: &SeamsReport) -> Result<Vec<PathBuf>> {
    let rows = if report.against.is_some() { 3 } else { 2 };
    let size = (2 * PANEL.0, rows * PANEL.1 + CAPTION);
    figure::write(files, &format!("Seams of {}", report.map), size, |area| {
        let (plots, foot) = area.split_vertically(rows * PANEL.1);
        foot.draw_text(&report.verdict.sentence, &style(30, &INK), (40, 14))?;
        write_caption(&foot, &files.caption, 62)?;
        let panels = plots.split_evenly((rows as usize, 2));
        jumps(&panels[0], &report.seams)?;
        comb(&panels[1], &report.seams)?;
        distances(&panels[2], &report.seams, false)?;
        distances(&panels[3], &report.seams, true)?;
        if let Some(against) = &report.against {
            spectra(&panels[4], against)?;
            near_faces(&panels[5], against)?;
        }
        Ok(())
    })
}

/// `value` with as many decimals as tell it from others between `low` and `high`.
fn plain(value: f64, (low, high): (f64, f64)) -> String {
    let decimals = (1.0 - (high - low).log10()).ceil().clamp(0.0, 4.0) as usize;
    format!("{value:.decimals$}")
}

/// A range that holds all values, with room above and below.
fn around(values: impl Iterator<Item = f64>, least: f64, middle: f64) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((middle - least, middle + least), |(low, high), v| (low.min(v), high.max(v)));
    let room = 0.08 * (high - low);
    (low - room, high + room)
}

/// A point with an upright error.
fn with_error<'a>(x: f64, y: f64, error: f64, color: RGBColor) -> impl Iterator<Item = PathElement<(f64, f64)>> + 'a {
    let bar = PathElement::new(vec![(x, y - error), (x, y + error)], color.stroke_width(2));
    std::iter::once(bar)
}

fn jumps(area: &Area, seams: &Seams) -> DrawResult {
    let values = seams.jumps.iter().flatten().flat_map(|j| [1.0 + j.excess + j.error, 1.0 + j.excess - j.error]);
    let (low, high) = around(values, 0.02, 1.0);
    let frame = Frame {
        title: "Squared jump across planes, beyond their surroundings",
        x: "offset modulo the tile  [voxels]",
        y: "over the mean",
        x_label: &|v| format!("{v:.0}"),
        y_label: &|v| plain(*v, (low, high)),
    };
    // The face in the middle: half a tile on either side.
    let half = (seams.tile / 2) as f64;
    let mut chart = figure::chart(area, &frame, -half - 0.7..half + 0.7, low..high)?;
    let scatter = seams.jumps.iter().map(|j| j[0].error).sum::<f64>() / 3.0;
    let band = Rectangle::new([(-half - 0.7, 1.0 - scatter), (half + 0.7, 1.0 + scatter)], FAINT.mix(0.18).filled());
    chart.draw_series(std::iter::once(band))?;
    for (axis, (name, color)) in AXES.into_iter().enumerate() {
        let offset = seams.offset[axis];
        let face = if offset as f64 >= half { offset as f64 - 2.0 * half } else { offset as f64 };
        chart.draw_series(std::iter::once(PathElement::new(
            [(face, low), (face, high)],
            color.mix(0.35).stroke_width(3),
        )))?;
        let place = |o: usize| if o as f64 >= half { o as f64 - seams.tile as f64 } else { o as f64 };
        let mut points: Vec<(f64, f64, f64)> = seams.jumps[axis]
            .iter()
            .enumerate()
            .map(|(o, j)| (place(o) + 0.12 * (axis as f64 - 1.0), 1.0 + j.excess, j.error))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        chart
            .draw_series(LineSeries::new(points.iter().map(|p| (p.0, p.1)), color.stroke_width(2)))?
            .label(format!("across {name}"))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
        for &(x, y, error) in &points {
            chart.draw_series(with_error(x, y, error, color))?;
            chart.draw_series(std::iter::once(Circle::new((x, y), 5, color.filled())))?;
        }
    }
    figure::legend(&mut chart, 26, SeriesLabelPosition::UpperRight)
}

fn comb(area: &Area, seams: &Seams) -> DrawResult {
    let values = || seams.modes.iter().flat_map(|m| [m.jump, m.map]).filter(|v| *v > 0.0);
    let (low, high) = values().fold((0.1, 10.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
    let (low, high) = (low.max(1e-3) * 0.8, high * 2.0);
    let (left, right) = (0.8 * seams.modes[0].k, 1.2 * seams.modes[seams.modes.len() - 1].k);
    let frame = Frame {
        title: "Axis-aligned modes, over what modes between have",
        x: "k along the axis  [h/Mpc]",
        y: "power over expectation",
        x_label: &|k| log_label(*k, (right / left).log10()),
        y_label: &|p| log_label(*p, (high / low).log10()),
    };
    let mut chart = figure::chart(area, &frame, (left..right).log_scale(), (low..high).log_scale())?;
    chart.draw_series(std::iter::once(PathElement::new([(left, 1.0), (right, 1.0)], INK.stroke_width(1))))?;
    // Three axes: three complex modes each.
    let of = |map: bool| seams.modes.iter().map(move |m| (m.k, if map { m.map } else { m.jump }, m.of_the_lattice));
    for (name, map, color) in [("of squared jumps", false, VERMILION), ("of the map", true, BLUE)] {
        let between = of(map).filter(|m| !m.2).map(|m| Circle::new((m.0, m.1.max(low)), 3, color.mix(0.45).filled()));
        chart.draw_series(between)?;
        chart
            .draw_series(of(map).filter(|m| m.2).map(|m| Circle::new((m.0, m.1.max(low)), 8, color.filled())))?
            .label(format!("{name}; large: multiples of 2π/tile"))
            .legend(move |(x, y)| Circle::new((x + 15, y), 7, color.filled()));
    }
    figure::legend(&mut chart, 26, SeriesLabelPosition::UpperRight)
}

fn distances(area: &Area, seams: &Seams, variance: bool) -> DrawResult {
    let point = |d: &crate::stats::AtDistance| match variance {
        true => (d.voxels, d.variance, d.errors[1]),
        false => (d.voxels, d.mean, d.errors[0]),
    };
    let points: Vec<(f64, f64, f64)> = seams.distances.iter().map(point).collect();
    let middle = if variance { 1.0 } else { 0.0 };
    let (low, high) = around(points.iter().flat_map(|p| [p.1 - p.2, p.1 + p.2]), 0.02, middle);
    let frame = Frame {
        title: if variance { "Variance by distance to a face" } else { "Mean by distance to a face" },
        x: "distance of voxels to the face of an axis  [voxels]",
        y: if variance { "over that of the box" } else { "deviations" },
        x_label: &|v| format!("{v:.0}"),
        y_label: &|v| plain(*v, (low, high)),
    };
    let end = seams.tile as f64 / 2.0;
    let mut chart = figure::chart(area, &frame, 0.0..end, low..high)?;
    chart.draw_series(std::iter::once(PathElement::new([(0.0, middle), (end, middle)], INK.stroke_width(1))))?;
    chart.draw_series(LineSeries::new(points.iter().map(|p| (p.0, p.1)), VERMILION.stroke_width(3)))?;
    for (x, y, error) in points {
        chart.draw_series(with_error(x, y, error, VERMILION))?;
        chart.draw_series(std::iter::once(Circle::new((x, y), 5, VERMILION.filled())))?;
    }
    Ok(())
}

fn spectra(area: &Area, against: &Against) -> DrawResult {
    let both = || against.power_ratio.iter().chain(&against.correlation).copied();
    let (left, right) = (0.8 * against.k[0], 1.2 * against.k[against.k.len() - 1]);
    let (low, high) = around(both(), 0.1, 1.0);
    let frame = Frame {
        title: "Against the reference",
        x: "k  [h/Mpc]",
        y: "",
        x_label: &|k| log_label(*k, (right / left).log10()),
        y_label: &|v| format!("{v:.2}"),
    };
    let mut chart = figure::chart(area, &frame, (left..right).log_scale(), low..high)?;
    chart.draw_series(std::iter::once(PathElement::new([(left, 1.0), (right, 1.0)], INK.stroke_width(1))))?;
    for (name, values, color) in [("P / P ref", &against.power_ratio, VERMILION), ("r(k)", &against.correlation, BLUE)]
    {
        chart
            .draw_series(LineSeries::new(against.k.iter().copied().zip(values.iter().copied()), color.stroke_width(3)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 26, SeriesLabelPosition::LowerLeft)
}

fn near_faces(area: &Area, against: &Against) -> DrawResult {
    let (left, right) = (0.8 * against.k[0], 1.2 * against.k[against.k.len() - 1]);
    let values = against.near_faces.iter().flat_map(|s| s.residual.iter().copied());
    let (low, high) = around(values, 0.2, 1.0);
    let frame = Frame {
        title: "Power of the residual by distance to the nearest face",
        x: "k  [h/Mpc]",
        y: "over fictitious lattices",
        x_label: &|k| log_label(*k, (right / left).log10()),
        y_label: &|v| format!("{v:.1}"),
    };
    let mut chart = figure::chart(area, &frame, (left..right).log_scale(), low..high)?;
    let colors = [VERMILION, figure::SERIES[2], GREEN, BLUE];
    if let Some(nearest) = against.near_faces.first() {
        let upper = against.k.iter().zip(&nearest.scatter).map(|(&k, &s)| (k, 1.0 + s));
        let lower = against.k.iter().zip(&nearest.scatter).map(|(&k, &s)| (k, 1.0 - s)).rev();
        let corners: Vec<(f64, f64)> = upper.chain(lower).map(|(k, v)| (k, v.clamp(low, high))).collect();
        chart.draw_series(std::iter::once(Polygon::new(corners, FAINT.mix(0.18).filled())))?;
    }
    for (shell, color) in against.near_faces.iter().zip(colors) {
        let [from, below] = shell.distance;
        chart
            .draw_series(LineSeries::new(
                against.k.iter().copied().zip(shell.residual.iter().copied()),
                color.stroke_width(3),
            ))?
            .label(format!("{from} to {below} voxels: {:.1} σ", shell.z))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 30, y)], color.stroke_width(3)));
    }
    figure::legend(&mut chart, 26, SeriesLabelPosition::UpperRight)
}

//! The figure of the maps: thin projections through the middle of the box.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use colorous::Gradient;
use plotters::element::BitMapElement;
use plotters::prelude::*;

use super::figure::{self, Area, DrawResult, FigureFiles, INK, decade, step_label, style, write_caption};
use crate::error::Result;
use crate::field::Grid;
use crate::field::Layer;

/// Side of a map in pixels, the room around it, and the height of the caption.
const MAP: u32 = 640;
const TITLE: u32 = 64;
const MARGIN: u32 = 20;
const X_LABELS: u32 = 84;
const Y_LABELS: u32 = 100;
const BAR: u32 = 170;
const PANEL: (u32, u32) = (2 * MARGIN + Y_LABELS + MAP + BAR, TITLE + MAP + X_LABELS + MARGIN);
const CAPTION: u32 = 100;
/// The slab that is averaged, as a fraction of the box: thick enough to show
/// filaments, thin enough not to pile them up.
const SLAB: usize = 16;
/// Decades a colour bar spans at most below its top.
const MOST_DECADES: f64 = 5.0;

/// A panel's projection and how it is shown.
struct Panel {
    title: String,
    unit: String,
    gradient: Gradient,
    /// Mean over the slab, `[x, y]` in C order.
    values: Vec<f64>,
    n: usize,
    box_size: f64,
    /// Colour range, decimal logarithm.
    range: (f64, f64),
}

/// Draw the middle of the box, one panel per field (dark matter, halo
/// mass summed over its bins, prediction, reference), all averaged over the same
/// slab along z and on logarithmic colours; prediction and reference share
/// theirs. Returns what was written.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where the file cannot be written.
pub fn write_slices_figure(files: &FigureFiles, fields: &BTreeMap<Layer, Arc<Grid>>) -> Result<Vec<PathBuf>> {
    let mut panels = Vec::new();
    if let Some(grid) = fields.get(&Layer::DarkMatter) {
        panels.push(Panel::new("Dark matter", Layer::DarkMatter.unit(), colorous::INFERNO, &[grid]));
    }
    let halos: Vec<&Arc<Grid>> =
        fields.iter().filter(|(l, _)| matches!(l, Layer::HaloMass(_))).map(|(_, g)| g).collect();
    if !halos.is_empty() {
        panels.push(Panel::new("Halo mass, all bins", Layer::HaloMass(0).unit(), colorous::VIRIDIS, &halos));
    }
    let mut temperatures = Vec::new();
    for (layer, title) in [(Layer::BrightnessTemperature, "21 cm prediction"), (Layer::Reference, "21 cm reference")] {
        if let Some(grid) = fields.get(&layer) {
            temperatures.push(Panel::new(title, layer.unit(), colorous::MAGMA, &[grid]));
        }
    }
    // The reference, where there is one, sets the colours of both.
    if let Some(range) = temperatures.last().map(|p| p.range) {
        temperatures.iter_mut().for_each(|p| p.range = range);
    }
    panels.extend(temperatures);

    let columns = if panels.len() > 3 { 2 } else { panels.len().max(1) };
    let rows = panels.len().div_ceil(columns).max(1);
    let size = (PANEL.0 * columns as u32, PANEL.1 * rows as u32 + CAPTION);
    figure::write(files, "Slices through the middle of the box", size, |area| {
        let (plots, foot) = area.split_vertically(PANEL.1 * rows as u32);
        for (panel, area) in panels.iter().zip(plots.split_evenly((rows, columns))) {
            panel.draw(&area)?;
        }
        let slab = panels.first().map_or(String::new(), |p| {
            let (voxels, thickness) = (slab(p.n), slab(p.n) as f64 * p.box_size / p.n as f64);
            format!("Mean over a slab of {thickness:.2} Mpc/h ({voxels} voxels) along z at the middle of the box. ")
        });
        write_caption(&foot, &(slab + &files.caption), 12)?;
        Ok(())
    })
}

/// Voxels in the slab of an `n³` grid.
fn slab(n: usize) -> usize {
    (n / SLAB).max(1)
}

impl Panel {
    fn new(title: &str, unit: &str, gradient: Gradient, grids: &[&Arc<Grid>]) -> Self {
        let (n, box_size) = (grids[0].n(), grids[0].box_size);
        let depth = slab(n);
        let first = n / 2 - depth / 2;
        let mut values = vec![0f64; n * n];
        for grid in grids {
            for ((x, y, z), &v) in grid.values.indexed_iter() {
                if (first..first + depth).contains(&z) {
                    values[x * n + y] += f64::from(v) / depth as f64;
                }
            }
        }
        let range = color_range(&values);
        Self { title: title.to_owned(), unit: unit.to_owned(), gradient, values, n, box_size, range }
    }

    fn color(&self, value: f64) -> [u8; 3] {
        let (low, high) = self.range;
        let t = ((value.max(0.0).log10() - low) / (high - low)).clamp(0.0, 1.0);
        let c = self.gradient.eval_continuous(t);
        [c.r, c.g, c.b]
    }

    fn draw(&self, area: &Area) -> DrawResult {
        let (map, bar) = area.split_horizontally(PANEL.0 - BAR);
        let mut chart = ChartBuilder::on(&map)
            .margin(MARGIN)
            .margin_top(TITLE)
            .x_label_area_size(X_LABELS)
            .y_label_area_size(Y_LABELS)
            .build_cartesian_2d(0.0..self.box_size, 0.0..self.box_size)?;
        let (width, height) = chart.plotting_area().dim_in_pixel();
        let pixels: Vec<u8> = (0..height)
            .flat_map(|row| (0..width).map(move |column| (row, column)))
            .flat_map(|(row, column)| {
                let x = column as usize * self.n / width as usize;
                let y = (height - 1 - row) as usize * self.n / height as usize;
                self.color(self.values[x * self.n + y])
            })
            .collect();
        if let Some(image) = BitMapElement::with_owned_buffer((0.0, self.box_size), (width, height), pixels) {
            chart.draw_series(std::iter::once(image))?;
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(ShapeStyle::from(&INK).stroke_width(2))
            .label_style(style(28, &INK))
            .axis_desc_style(style(32, &INK))
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|v| format!("{v:.3}").trim_end_matches('0').trim_end_matches('.').to_owned())
            .y_label_formatter(&|v| format!("{v:.3}").trim_end_matches('0').trim_end_matches('.').to_owned())
            .x_desc("x  [Mpc/h]")
            .y_desc("y  [Mpc/h]")
            .draw()?;
        map.draw_text(&self.title, &style(34, &INK), ((MARGIN + Y_LABELS) as i32, 16))?;
        let (_, top) = chart.backend_coord(&(0.0, self.box_size));
        let (_, origin) = area.get_base_pixel();
        self.draw_bar(&bar, top - origin, height)
    }

    /// The colour bar, beside the map from `top` down over `height` pixels.
    fn draw_bar(&self, area: &Area, top: i32, height: u32) -> DrawResult {
        const LEFT: i32 = 6;
        const WIDTH: i32 = 34;
        let (low, high) = self.range;
        let row = |row: u32| {
            let exponent = high - (high - low) * f64::from(row) / f64::from(height - 1);
            [self.color(10f64.powf(exponent)); WIDTH as usize]
        };
        let pixels: Vec<u8> = (0..height).flat_map(row).flatten().collect();
        if let Some(colors) = BitMapElement::with_owned_buffer((LEFT, top), (WIDTH as u32, height), pixels) {
            area.draw(&colors)?;
        }
        let frame = [(LEFT, top), (LEFT + WIDTH, top + height as i32)];
        area.draw(&Rectangle::new(frame, ShapeStyle::from(&INK).stroke_width(2)))?;
        let y_of = |exponent: f64| top + ((high - exponent) / (high - low) * f64::from(height)).round() as i32;
        // Decades, or their thirds (2 and 5) where a bar has less than two.
        let steps: &[i32] = if high - low < 2.0 { &[1, 2, 5] } else { &[1] };
        for power in low.floor() as i32..=high.ceil() as i32 {
            for &step in steps {
                let exponent = f64::from(power) + f64::from(step).log10();
                if !(low..=high).contains(&exponent) {
                    continue;
                }
                let y = y_of(exponent);
                area.draw(&PathElement::new(
                    vec![(LEFT + WIDTH, y), (LEFT + WIDTH + 8, y)],
                    ShapeStyle::from(&INK).stroke_width(2),
                ))?;
                let label = if step == 1 { decade(power) } else { step_label(step, power) };
                area.draw_text(&label, &style(26, &INK), (LEFT + WIDTH + 14, y - 14))?;
            }
        }
        let centre = top + height as i32 / 2;
        let turned = style(28, &INK).transform(FontTransform::Rotate270).pos(plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Top,
        ));
        area.draw_text(&self.unit, &turned, (LEFT + WIDTH + 84, centre))?;
        Ok(())
    }
}

/// Colour range in decades: the top 0.1 % of the pixels saturate, and the bottom
/// is the fifth percentile of what is not empty.
fn color_range(values: &[f64]) -> (f64, f64) {
    let mut positive: Vec<f64> = values.iter().copied().filter(|&v| v > 0.0 && v.is_finite()).collect();
    if positive.is_empty() {
        return (-1.0, 1.0);
    }
    positive.sort_by(f64::total_cmp);
    let at = |q: f64| positive[((positive.len() - 1) as f64 * q) as usize].log10();
    let high = at(0.999);
    let low = at(0.05).max(high - MOST_DECADES);
    if high - low < 0.1 { (low - 0.5, high + 0.5) } else { (low, high) }
}

//! Figures for a paper, a slide or the clipboard. What is on the screen is drawn again: a panel on
//! white and for the width of a journal's columns, or all panels as they are, in more pixels.

use std::path::Path;
use std::sync::Arc;

use egui::epaint::ClippedShape;
use egui::{Color32, Rect, Theme, Ui, UiBuilder, Vec2};
use serde_json::json;

use super::app::{HalodiApp, Message};
use super::files::{self, Wanted};
use super::panels::{axes, slice};
use super::theme;
use super::workspace::{self, Pane, Part};
use crate::error::Result;
use crate::figure::{DOTS_PER_INCH, Format, INCH, PROGRAM, Pixels, Provenance, encode_png};
use crate::io::atomic;
use crate::render::{Canvas, FORMAT, March, PresentPass, drawing, pictures};
use crate::report;

/// Points of the window a millimetre: type of 7 to 9 points of a printer.
const POINTS: f32 = 4.5;
/// Room for a colour bar with its values, points.
const BAR: f32 = 92.0;
/// Room for the lengths at the left of a slice and below it, points.
const LENGTHS: [f32; 2] = [56.0, 44.0];

/// How wide a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Width {
    /// A column of a journal of two.
    #[default]
    Column,
    /// Both columns.
    Page,
}

impl Width {
    /// Both widths.
    pub const ALL: [Self; 2] = [Self::Column, Self::Page];

    /// In millimetres.
    pub fn millimetres(self) -> f32 {
        match self {
            Self::Column => 88.0,
            Self::Page => 180.0,
        }
    }

    /// Name for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Column => "One column, 88 mm",
            Self::Page => "Two columns, 180 mm",
        }
    }
}

/// A figure that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureAsked {
    /// A panel, so wide.
    Panel(Pane, Width),
    /// All panels as they are, with so many times the pixels that they have across and down.
    View(u32),
}

/// The panels that can be made figures: those on the screen.
pub fn panes(app: &HalodiApp) -> Vec<Pane> {
    let on_screen = |pane: &Pane| app.parts.iter().any(|(part, _)| *part == Part::Pane(*pane));
    Pane::ALL.into_iter().filter(on_screen).collect()
}

/// How many times the pixels of the screen a figure of all panels can have, and what it has then
/// across and down: up to four times, and no more than the device draws.
pub fn enlargements(app: &HalodiApp) -> Vec<(u32, [u32; 2])> {
    let size = part(app, Part::Panels) * app.ctx.pixels_per_point();
    let limits = app.gpu.device.limits();
    let fits = |[width, height]: [u32; 2]| {
        width.max(height) <= limits.max_texture_dimension_2d
            && 4 * u64::from(width) * u64::from(height) <= limits.max_buffer_size
    };
    let pixels = |times: u32| [size.x, size.y].map(|v| (v * times as f32).round() as u32);
    (1..=4).map(|times| (times, pixels(times))).filter(|(_, pixels)| fits(*pixels)).collect()
}

/// Size of a part of the window, points.
fn part(app: &HalodiApp, part: Part) -> Vec2 {
    app.parts.iter().find(|(found, _)| *found == part).map_or(Vec2::new(4.0, 3.0), |(_, rect)| rect.size())
}

/// A figure that was laid out; it is drawn when it is known what for, off the window's thread.
pub struct Figure {
    canvas: Canvas,
    /// Dots of its pictures a point.
    dots: f32,
    shapes: Vec<ClippedShape>,
    marches: Vec<March>,
    size: Vec2,
    provenance: Provenance,
}

impl Figure {
    /// Its pixels.
    ///
    /// # Errors
    /// Where the graphics device was lost.
    pub fn pixels(mut self) -> Result<Pixels> {
        self.canvas.pixels(self.shapes, &self.marches)
    }

    /// Write it to `path`, whose ending says the format.
    ///
    /// # Errors
    /// For another ending, where the file cannot be written, and where the graphics device was lost.
    pub fn write(mut self, path: &Path) -> Result<()> {
        let format = Format::of(path)?;
        if format == Format::Png {
            let provenance = std::mem::take(&mut self.provenance);
            return atomic::write(path, &encode_png(&self.pixels()?, DOTS_PER_INCH, &provenance));
        }
        let pictures = pictures(&self.shapes);
        let pixels = if pictures.is_empty() { None } else { Some(self.canvas.pixels(pictures, &self.marches)?) };
        let unit = f64::from(1.0 / POINTS);
        let drawing = drawing(&self.shapes, self.size, unit, pixels.as_ref().map(|pixels| (pixels, self.dots)));
        match format {
            Format::Svg => atomic::write(path, drawing.svg(&self.provenance).as_bytes()),
            _ => atomic::write(path, &drawing.pdf(&self.provenance)),
        }
    }
}

/// Lay out a figure.
pub fn figure(app: &mut HalodiApp, asked: FigureAsked) -> Figure {
    let (page, dots, theme) = match asked {
        FigureAsked::Panel(pane, width) => {
            let page = Page::new(pane, POINTS * width.millimetres(), part(app, Part::Pane(pane)));
            (page, (DOTS_PER_INCH / INCH) as f32 / POINTS, Theme::Light)
        }
        FigureAsked::View(times) => {
            (Page::of_all(part(app, Part::Panels)), times as f32 * app.ctx.pixels_per_point(), app.ctx.theme())
        }
    };
    let parts = std::mem::take(&mut app.parts);
    let canvases = std::mem::take(&mut app.canvases);
    let mut canvas = Canvas::new(&app.gpu, page.size, dots);
    canvas.style(&app.ctx, theme);
    if page.pane.is_some() {
        canvas.ctx().style_mut_of(theme, |style| {
            style.visuals.panel_fill = Color32::WHITE;
            style.visuals.extreme_bg_color = Color32::WHITE;
        });
    }
    // Pictures that leave the window have their own format.
    let present =
        std::mem::replace(&mut app.drawing.present, PresentPass::new(app.gpu.clone(), FORMAT, theme::canvas()));
    app.on_paper = true;
    let mut shapes = Vec::new();
    // The second frame knows the sizes that the first one found.
    for frame in 0..2 {
        app.drawing.take_planned();
        shapes = canvas.frame(f64::from(frame), |ui| page.show(app, ui));
    }
    app.on_paper = false;
    app.drawing.present = present;
    (app.parts, app.canvases) = (parts, canvases);
    let marches = app.drawing.take_planned();
    // The figure is of this moment, whenever it is drawn.
    app.drawing.part_with_pictures();
    Figure { canvas, dots, shapes, marches, size: page.size, provenance: provenance(app, page.pane) }
}

/// A figure's sheet, and where things are on it.
struct Page {
    /// The panel; all of them where there is none.
    pane: Option<Pane>,
    size: Vec2,
    /// Where panels are.
    inner: Rect,
}

impl Page {
    /// A sheet of `width` points for a panel that has the proportions of `on_screen`.
    fn new(pane: Pane, width: f32, on_screen: Vec2) -> Self {
        let tall = (on_screen.y / on_screen.x.max(1.0)).clamp(0.2, 2.5);
        let [left, right, below] = match pane {
            Pane::Volume => [0.0, BAR, 0.0],
            Pane::Slice(_) => [LENGTHS[0], BAR, LENGTHS[1]],
            _ => [0.0; 3],
        };
        let inner = width - left - right;
        let top = if below > 0.0 { 8.0 } else { 0.0 };
        let inner = Rect::from_min_size(egui::pos2(left, top), egui::vec2(inner, (inner * tall).round()));
        Self { pane: Some(pane), size: egui::vec2(width, inner.bottom() + below), inner }
    }

    /// A sheet of `size` for all panels.
    fn of_all(size: Vec2) -> Self {
        Self { pane: None, size, inner: Rect::from_min_size(egui::Pos2::ZERO, size) }
    }

    fn show(&self, app: &mut HalodiApp, ui: &mut Ui) {
        let Some(pane) = self.pane else {
            ui.painter().rect_filled(self.inner, 0.0, ui.visuals().panel_fill);
            let mut own = ui.new_child(UiBuilder::new().max_rect(self.inner).id_salt("view"));
            return workspace::show(app, &mut own);
        };
        ui.painter().rect_filled(Rect::from_min_size(egui::Pos2::ZERO, self.size), 0.0, Color32::WHITE);
        let mut own = ui.new_child(UiBuilder::new().max_rect(self.inner).id_salt("figure"));
        own.set_clip_rect(self.inner);
        workspace::pane_ui(app, &mut own, pane);
        if let Pane::Slice(axis) = pane {
            let size = app.subject.opened().map_or(1.0, |o| o.box_size);
            axes::lengths(ui.painter(), &slice::frames(app, axis, self.inner), axis, size);
        }
        if let (Pane::Volume | Pane::Slice(_), Some((shown, _))) = (pane, &app.shown) {
            let room = Rect::from_min_max(self.inner.right_top(), egui::pos2(self.size.x, self.inner.bottom()));
            let bar = Rect::from_center_size(room.center(), egui::vec2(BAR - 16.0, (0.8 * room.height()).min(330.0)));
            axes::color_bar(ui.painter(), bar, &app.view.scale(shown.quantity), shown.unit(), theme::PRINT);
        }
    }
}

/// What the figure of a panel, or of all, is made from.
fn provenance(app: &HalodiApp, pane: Option<Pane>) -> Provenance {
    let made = made_from(app);
    Provenance { title: pane.map_or(made.title.clone(), |pane| format!("{}: {}", pane.name(), made.title)), ..made }
}

/// What the window shows and how it was made; the title is the name of the field.
pub fn made_from(app: &HalodiApp) -> Provenance {
    let shown = app.shown.as_ref().map_or("nothing", |(shown, _)| &shown.name);
    let compared = app.shown.as_ref().and_then(|(_, compared)| Some(&compared.as_ref()?.name));
    let opened = app.subject.opened();
    let description = match (&app.subject.outcome, opened) {
        (Some(outcome), _) => report::provenance_line(outcome),
        (None, Some(o)) => format!("{PROGRAM}: {}, z = {:.3}, {}³ in {} Mpc/h.", o.name, o.redshift, o.n, o.box_size),
        (None, None) => PROGRAM.to_owned(),
    };
    let details = json!({
        "program": PROGRAM,
        "shown": shown,
        "compared": compared,
        "made": app.subject.outcome.as_ref().map(|outcome| report::details(outcome)),
        "reference": opened.and_then(|o| o.reference.as_ref()),
        "view": app.view,
    });
    Provenance { title: shown.to_owned(), description, details }
}

/// Save a figure under a name of the user's choice, whose ending says the format.
pub fn save(app: &mut HalodiApp, asked: FigureAsked) {
    let figure = figure(app, asked);
    let name = match asked {
        FigureAsked::View(_) => "halodi.png",
        FigureAsked::Panel(Pane::Volume, _) => "halodi_volume.png",
        FigureAsked::Panel(Pane::Slice(2), _) => "halodi_xy.png",
        FigureAsked::Panel(Pane::Slice(1), _) => "halodi_xz.png",
        FigureAsked::Panel(Pane::Slice(_), _) => "halodi_yz.png",
        FigureAsked::Panel(Pane::Colors, _) => "halodi_histogram.pdf",
        FigureAsked::Panel(Pane::Spectra, _) => "halodi_spectra.pdf",
        FigureAsked::Panel(Pane::Seams, _) => "halodi_seams.pdf",
    };
    files::ask(app, "Save the figure (.png, .svg or .pdf)", Wanted::New(name), move |path| match figure.write(&path) {
        Ok(()) => Message::Written(path),
        Err(error) => Message::Failed(error),
    });
}

/// Copy a figure to the clipboard.
pub fn copy(app: &mut HalodiApp, asked: FigureAsked) {
    let figure = figure(app, asked);
    app.background(move || {
        Some(match figure.pixels() {
            Ok(Pixels { size, rgb }) => {
                let pixels = rgb.as_chunks::<3>().0.iter().map(|[r, g, b]| Color32::from_rgb(*r, *g, *b)).collect();
                Message::Picture(Arc::new(egui::ColorImage::new(size.map(|v| v as usize), pixels)))
            }
            Err(error) => Message::Failed(error),
        })
    });
}

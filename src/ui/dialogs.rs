//! What opens over the window: the palette, the keys, questions, the tour.

use std::path::PathBuf;

use egui::{Align2, Area, Frame, Id, Key, Modal, Order, RichText, ScrollArea, TextEdit, Ui};

use super::app::{HalodiApp, Leaving, Losing};
use super::commands::{self, COMMANDS, GESTURES};
use super::export::{self, FigureAsked, Width};
use super::files::{self, PathAsked};
use super::panels::film;
use super::recorder::Recipe;
use super::session::{Session, autosave, window as sessions};
use super::theme;
use super::workspace::{Pane, Part};
use crate::error::Error;
use crate::pipeline::{JobConfig, Source};

/// A question that waits for an answer.
pub enum Asked {
    /// A file was dropped while something was open.
    Dropped(PathBuf),
    /// All that is open is to be left with something to lose.
    Leave {
        /// What comes instead.
        to: Leaving,
    },
    /// A file that a session names is not there.
    Missing {
        /// The session.
        session: Box<Session>,
        /// The file or folder.
        lost: PathBuf,
    },
    /// A window was not closed; its session is in this file.
    Restore(PathBuf),
    /// A snapshot is not all of the matter: which types of particles stand for it?
    Species {
        /// What was found, and what was expected.
        text: String,
        /// What was to be opened.
        config: Box<JobConfig>,
        /// The sensible answers.
        choices: Vec<Vec<usize>>,
    },
}

impl Asked {
    /// The question that an [`Error::Consent`] asks, whose particles would be of `types`.
    pub fn species(error: &Error, types: &[usize], config: JobConfig) -> Self {
        let text = match error {
            Error::Consent { path, found, expected, .. } => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                format!("{name}: {found}. Expected was {expected}.")
            }
            other => other.to_string(),
        };
        // All of them, and each by itself.
        let mut choices = vec![types.to_vec()];
        if types.len() > 1 {
            choices.extend(types.iter().map(|&t| vec![t]));
        }
        Self::Species { text, config: Box::new(config), choices }
    }
}

/// Types of particles, as the answer to that question calls them.
fn names(types: &[usize]) -> String {
    let names: Vec<String> = types.iter().map(|t| format!("PartType{t}")).collect();
    names.join(" and ")
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// What the palette was given so far.
#[derive(Default)]
pub struct Palette {
    text: String,
    chosen: usize,
}

/// What is open.
#[derive(Default)]
pub struct Dialogs {
    /// The palette.
    pub palette: Option<Palette>,
    /// The keys.
    pub help: bool,
    /// A film that is to be recorded.
    pub film: Option<Recipe>,
    /// A figure that is to be saved.
    pub figure: Option<FigureAsked>,
    /// A question.
    pub asked: Option<Asked>,
    /// A path that is to be written.
    pub path: Option<PathAsked>,
    /// The tour, and where it is.
    pub tour: Option<usize>,
}

impl Dialogs {
    /// Whether any is open.
    pub fn are_open(&self) -> bool {
        self.have_the_keyboard() || self.tour.is_some()
    }

    /// Whether any is open over the window; the tour lies beside what it is about.
    pub fn have_the_keyboard(&self) -> bool {
        let Self { palette, help, film, figure, asked, path, tour: _ } = self;
        palette.is_some() || *help || film.is_some() || figure.is_some() || asked.is_some() || path.is_some()
    }

    /// Close the innermost; says whether there was any.
    pub fn close_one(&mut self) -> bool {
        self.path.take().is_some()
            || self.asked.take().is_some()
            || self.palette.take().is_some()
            || self.figure.take().is_some()
            || self.film.take().is_some()
            || std::mem::take(&mut self.help)
            || self.tour.take().is_some()
    }
}

/// What a dialog is shown in, with a margin of so many points.
pub(super) fn frame(ctx: &egui::Context, name: &str, margin: i8) -> Modal {
    Modal::new(Id::unique(name)).frame(Frame::popup(&ctx.global_style()).inner_margin(margin))
}

/// Show what is open.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    palette(app, ui);
    help(app, ui);
    question(app, ui);
    figure(app, ui);
    film::show(app, ui);
    tour(app, ui);
    files::show(app, ui);
}

/// Whether the letters of `wanted` come in `text` in their order; the fewer lie between
/// them, the better (smaller).
fn match_of(text: &str, wanted: &str) -> Option<usize> {
    let text = text.to_lowercase();
    let mut rest = text.char_indices();
    let (mut first, mut last) = (None, 0);
    for letter in wanted.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let (at, _) = rest.by_ref().find(|(_, c)| *c == letter)?;
        first.get_or_insert(at);
        last = at;
    }
    Some(last - first.unwrap_or(0) + first.unwrap_or(0) / 4)
}

fn palette(app: &mut HalodiApp, ui: &mut Ui) {
    let Some(mut palette) = app.dialogs.palette.take() else { return };
    let ctx = ui.ctx().clone();
    let mut found: Vec<(usize, &commands::Entry)> =
        COMMANDS.iter().filter_map(|e| Some((match_of(e.name, &palette.text)?, e))).collect();
    found.sort_by_key(|(distance, e)| (!commands::is_available(app, e.command), *distance));
    palette.chosen = palette.chosen.min(found.len().saturating_sub(1));
    let mut run = None;
    let modal = frame(&ctx, "palette", 8).show(&ctx, |ui| {
        ui.set_width(440.0);
        let (down, up, enter) = ui.input_mut(|i| {
            let none = egui::Modifiers::NONE;
            (i.consume_key(none, Key::ArrowDown), i.consume_key(none, Key::ArrowUp), i.key_pressed(Key::Enter))
        });
        palette.chosen = (palette.chosen + usize::from(down)).saturating_sub(usize::from(up));
        let edit =
            TextEdit::singleline(&mut palette.text).hint_text("What do you want to do?").desired_width(f32::INFINITY);
        let response = ui.add(edit);
        response.request_focus();
        if response.changed() {
            palette.chosen = 0;
        }
        ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            for (index, (_, entry)) in found.iter().enumerate() {
                let enabled = commands::is_available(app, entry.command);
                let mut button =
                    egui::Button::selectable(index == palette.chosen, entry.name).min_size(egui::vec2(424.0, 0.0));
                if let Some(key) = commands::key_of(ui.ctx(), entry.command) {
                    button = button.shortcut_text(key);
                }
                let response = ui.add_enabled(enabled, button);
                if index == palette.chosen && (down || up) {
                    response.scroll_to_me(None);
                }
                if response.clicked() || (enter && index == palette.chosen && enabled) {
                    run = Some(entry.command);
                }
            }
        });
    });
    if let Some(command) = run {
        commands::run(app, &ctx, command);
    } else if !modal.should_close() {
        app.dialogs.palette = Some(palette);
    }
}

fn help(app: &mut HalodiApp, ui: &mut Ui) {
    if !app.dialogs.help {
        return;
    }
    let height = ui.ctx().content_rect().height();
    let modal = frame(ui.ctx(), "help", 16).show(ui.ctx(), |ui| {
        let width = 1060.0f32.min(ui.ctx().content_rect().width() - 60.0);
        ui.set_width(width);
        ui.heading("Keys and gestures");
        ui.add_space(4.0);
        ui.spacing_mut().interact_size.y = 17.0;
        ui.spacing_mut().item_spacing.y = 3.0;
        let tall = height - 170.0;
        ScrollArea::vertical().max_height(tall).min_scrolled_height(tall).show(ui, |ui| {
            ui.columns(3, |columns| {
                let mut group = "";
                for entry in COMMANDS.iter().filter(|e| e.key.is_some()) {
                    // Files to layers at the left, the rest at the right.
                    let column = usize::from(matches!(entry.group, "View" | "Measure" | "Window"));
                    let ui = &mut columns[column];
                    if entry.group != group {
                        group = entry.group;
                        ui.add_space(5.0);
                        ui.strong(group);
                    }
                    ui.horizontal(|ui| {
                        let key = entry.key.map(|k| commands::key_name(ui.ctx(), &k)).unwrap_or_default();
                        let (cell, _) = ui.allocate_exact_size(egui::vec2(92.0, 16.0), egui::Sense::hover());
                        let color = ui.visuals().strong_text_color();
                        let font = egui::TextStyle::Small.resolve(ui.style());
                        ui.painter().text(cell.left_center(), Align2::LEFT_CENTER, key, font, color);
                        ui.add(egui::Label::new(RichText::new(entry.name).small()).wrap());
                    });
                }
                let ui = &mut columns[2];
                ui.add_space(5.0);
                ui.strong("Mouse");
                for (gesture, effect) in GESTURES {
                    ui.add(egui::Label::new(RichText::new(*gesture).small().strong()).wrap());
                    ui.add(egui::Label::new(RichText::new(*effect).small()).wrap());
                    ui.add_space(3.0);
                }
            });
        });
        ui.add_space(6.0);
        ui.button("Close").clicked()
    });
    if modal.inner || modal.should_close() {
        app.dialogs.help = false;
    }
}

fn question(app: &mut HalodiApp, ui: &mut Ui) {
    let Some(asked) = &app.dialogs.asked else { return };
    let losing = match asked {
        Asked::Leave { to } => app.losing(to),
        _ => None,
    };
    let ctx = ui.ctx().clone();
    let answers = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (title, text, answers): (&str, String, Vec<String>) = match asked {
        Asked::Dropped(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            (
                "Open or compare?",
                format!("{name} can replace what is open, or be the 21 cm map that the prediction is compared with."),
                answers(&["Open", "Compare", "Neither"]),
            )
        }
        Asked::Leave { to } => {
            // A job that ran when it was asked may have ended.
            let Some(losing) = losing else {
                app.dialogs.asked = None;
                return;
            };
            let (leaving, close) = match to {
                Leaving::Close => ("Closing the window", "close"),
                Leaving::For(_) | Leaving::ForTheTalk => ("Opening something else", "open"),
                Leaving::ForARun => ("Another grid or other particles are another box: running on it", "run"),
            };
            let (title, loses, save) = match (losing, app.subject.unsaved().len()) {
                (Losing::Job, 0) => {
                    ("A job is running", "ends it, and what it has made so far is lost".to_owned(), None)
                }
                (Losing::Job, _) => (
                    "A job is running",
                    "ends it, and what it has made so far is lost, and so are results that are not saved".to_owned(),
                    None,
                ),
                (Losing::Film, _) => {
                    ("A film is being recorded", "ends it, and what there is of it is lost".to_owned(), None)
                }
                (Losing::Results, 0 | 1) => ("The prediction is not saved", "loses it".to_owned(), Some("Save")),
                (Losing::Results, unsaved) => {
                    ("Predictions are not saved", format!("loses those of {unsaved} runs"), Some("Save"))
                }
                (Losing::Scenes, _) => {
                    ("Scenes are not saved", "loses the scenes of the talk".to_owned(), Some("Save the session"))
                }
            };
            let answers = save.map(|save| format!("{save} and {close}…")).into_iter();
            let answers = answers.chain([format!("{} anyway", capitalised(close)), "Stay".to_owned()]);
            (title, format!("{leaving} {loses}."), answers.collect())
        }
        Asked::Missing { lost, .. } => {
            let name = lost.file_name().unwrap_or(lost.as_os_str()).to_string_lossy();
            let folder = lost.parent().unwrap_or(lost).display();
            (
                "Something of the session is missing",
                format!("The session names {name}, which is not in {folder}."),
                answers(&["Locate…", "Go on without it", "Cancel"]),
            )
        }
        Asked::Restore(_) => (
            "Restore the session from before?",
            "Halodi was not closed the last time. What was open then can be opened again, with its view and its scenes."
                .to_owned(),
            answers(&["Restore", "Discard it"]),
        ),
        Asked::Species { text, choices, .. } => (
            "Not all of the matter",
            format!(
                "{text} You can go on with the particles below as if they were the dark matter; their density is \
                 then taken over its own mean."
            ),
            choices.iter().map(|types| format!("Go on with {}", names(types))).chain(["Cancel".to_owned()]).collect(),
        ),
    };
    let upright = matches!(asked, Asked::Species { .. });
    // The answer that loses nothing has the keyboard, until Tab gives it to another.
    let safe = if matches!(asked, Asked::Restore(_)) { 0 } else { answers.len() - 1 };
    let modal = frame(&ctx, "question", 16).show(&ctx, |ui| {
        ui.set_width(if upright { 440.0 } else { 400.0 });
        ui.heading(title);
        ui.add_space(4.0);
        ui.label(text);
        ui.add_space(10.0);
        let mut answer = None;
        let mut buttons = |ui: &mut Ui| {
            for (index, text) in answers.iter().enumerate() {
                let button = ui.button(text);
                if index == safe && ui.memory(|memory| memory.focused().is_none()) {
                    button.request_focus();
                }
                if button.clicked() {
                    answer = Some(index);
                }
            }
        };
        if upright {
            ui.vertical(&mut buttons);
        } else {
            ui.horizontal(&mut buttons);
        }
        answer
    });
    let Some(answer) = modal.inner else {
        if modal.should_close() {
            app.dialogs.asked = None;
        }
        return;
    };
    match (app.dialogs.asked.take(), answer) {
        (Some(Asked::Dropped(path)), 0) => app.leave(Leaving::For(Source::File(path))),
        (Some(Asked::Dropped(path)), 1) => app.open_reference(path),
        (Some(Asked::Leave { to }), answer) => match (losing, answer) {
            (Some(Losing::Results | Losing::Scenes), 0) => app.save_and_leave(to),
            (Some(Losing::Job | Losing::Film), 0) | (Some(Losing::Results | Losing::Scenes), 1) => app.left(to),
            _ => {}
        },
        (Some(Asked::Missing { session, lost }), 0) => sessions::locate(app, session, lost),
        (Some(Asked::Missing { mut session, lost }), 1) => {
            session.forget(&lost);
            sessions::complete(app, *session);
        }
        (Some(Asked::Restore(path)), answer) => {
            if answer == 0 {
                sessions::restore_left_behind(app, &path);
            }
            autosave::forget(&path);
        }
        (Some(Asked::Species { config, mut choices, .. }), index) if index < choices.len() => {
            app.open_with_species(*config, choices.swap_remove(index));
        }
        _ => {}
    }
}

/// Say what becomes of a file that is held over the window.
pub fn drop_here(app: &HalodiApp, ctx: &egui::Context) {
    let text = match app.subject.opened() {
        Some(_) => "Drop it to open it, or to compare with it",
        None => "Drop it to open it",
    };
    let painter = ctx.layer_painter(egui::LayerId::new(Order::Foreground, Id::unique("drop here")));
    let window = ctx.content_rect();
    painter.rect_filled(window, 0.0, egui::Color32::from_black_alpha(150));
    painter.text(window.center(), Align2::CENTER_CENTER, text, egui::FontId::proportional(26.0), theme::INK);
}

/// Ask for a figure of a panel: the one that fills the window, or the volume.
pub fn ask_figure(app: &mut HalodiApp) {
    let pane = app.workspace.maximised.unwrap_or(Pane::Volume);
    app.dialogs.figure = Some(FigureAsked::Panel(pane, Width::default()));
}

fn figure(app: &mut HalodiApp, ui: &mut Ui) {
    let Some(mut asked) = app.dialogs.figure.take() else { return };
    let panes = export::panes(app);
    let Some(&first) = panes.first() else { return };
    if let FigureAsked::Panel(pane, _) = &mut asked
        && !panes.contains(pane)
    {
        *pane = first;
    }
    let modal = frame(ui.ctx(), "figure", 16).show(ui.ctx(), |ui| {
        ui.set_width(390.0);
        ui.heading("Save a figure");
        let what = match asked {
            FigureAsked::Panel(..) => "A panel as it is on the screen, on white; what it was made from is in the file.",
            FigureAsked::View(_) => "All panels as they are on the screen; what they were made from is in the file.",
        };
        ui.label(RichText::new(what).weak());
        ui.add_space(6.0);
        ui.horizontal_wrapped(|ui| {
            for pane in panes {
                let chosen = matches!(asked, FigureAsked::Panel(now, _) if now == pane);
                if ui.selectable_label(chosen, pane.name()).clicked() && !chosen {
                    asked = FigureAsked::Panel(pane, Width::default());
                }
            }
            let chosen = matches!(asked, FigureAsked::View(_));
            if ui.selectable_label(chosen, "All panels").clicked() && !chosen {
                asked = FigureAsked::View(1);
            }
        });
        ui.add_space(4.0);
        // As tall for a panel as for all, so that no button moves.
        let row = ui.spacing().interact_size.y + ui.spacing().item_spacing.y;
        ui.vertical(|ui| {
            ui.set_min_height(4.0 * row);
            match &mut asked {
                FigureAsked::Panel(_, now) => {
                    for width in Width::ALL {
                        ui.radio_value(now, width, width.name());
                    }
                }
                FigureAsked::View(now) => {
                    for (times, [width, height]) in export::enlargements(app) {
                        ui.radio_value(now, times, format!("{times}×: {width} × {height} pixels"));
                    }
                }
            }
        });
        ui.add_space(4.0);
        let endings = match asked {
            FigureAsked::Panel(..) => {
                "The ending of its name says what it will be: .png (300 dots an inch), .svg or .pdf."
            }
            FigureAsked::View(_) => "The ending of its name says what it will be: .png, .svg or .pdf.",
        };
        ui.label(RichText::new(endings).small().weak());
        ui.add_space(8.0);
        ui.horizontal(|ui| (ui.button("Save…").clicked(), ui.button("Cancel").clicked())).inner
    });
    match modal.inner {
        (true, _) => export::save(app, asked),
        (false, cancel) if cancel || modal.should_close() => {}
        _ => app.dialogs.figure = Some(asked),
    }
}

/// A step of the tour: title, text, and the parts of the window that it is about.
const TOUR: [(&str, &str, &[Part]); 5] = [
    (
        "The picture",
        "The volume at the left and three flat views beside it share one crosshair and one colour range. Drag to orbit, scroll to zoom; click a flat view to move the crosshair.",
        &[Part::Pane(Pane::Volume), Part::Pane(Pane::Slice(0)), Part::Pane(Pane::Slice(1)), Part::Pane(Pane::Slice(2))],
    ),
    (
        "Run",
        "Run predicts 21 cm from the dark matter that is open. Tiles are outlined while they are made, and the newest layer comes to the front.",
        &[Part::JobBar],
    ),
    (
        "Compare",
        "With a reference, B blinks, W swipes, D shows both and R subtracts. Prediction and reference always have the same colours.",
        &[Part::Toolbar, Part::Pane(Pane::Spectra)],
    ),
    (
        "Read",
        "The line at the bottom reads every layer under the cursor. The histogram is the colour bar: drag its limits. P pins a value; Ctrl+drag on a flat view measures a region.",
        &[Part::Pane(Pane::Colors), Part::Status],
    ),
    (
        "Keep",
        "Save results writes maps, spectra and a report; Ctrl+S saves the view. Ctrl+P finds any command, and ? lists the keys.",
        &[Part::TopBar],
    ),
];

fn tour(app: &mut HalodiApp, ui: &mut Ui) {
    let Some(step) = app.dialogs.tour else { return };
    let (title, text, parts) = TOUR[step.min(TOUR.len() - 1)];
    let accent = theme::accent(ui.visuals());
    let painter = ui.ctx().layer_painter(egui::LayerId::new(Order::Foreground, Id::unique("tour parts")));
    for rect in app.parts.iter().filter(|(part, _)| parts.contains(part)).map(|(_, rect)| *rect) {
        painter.rect_stroke(rect, 3.0, egui::Stroke::new(2.0, accent), egui::StrokeKind::Inside);
    }
    // Within the volume, where it hides nothing that it is about.
    let volume = app.parts.iter().find(|(part, _)| *part == Part::Pane(Pane::Volume)).map(|(_, rect)| *rect);
    let corner = volume.unwrap_or(ui.ctx().content_rect()).left_bottom() + egui::vec2(16.0, -16.0);
    Area::new(Id::unique("tour")).order(Order::Tooltip).pivot(Align2::LEFT_BOTTOM).fixed_pos(corner).show(
        ui.ctx(),
        |ui| {
            let stroke = egui::Stroke::new(1.5, theme::accent(ui.visuals()));
            Frame::popup(ui.style()).stroke(stroke).inner_margin(14.0).show(ui, |ui| {
                ui.set_width(340.0);
                ui.horizontal(|ui| {
                    ui.heading(title);
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        ui.weak(format!("{} of {}", step + 1, TOUR.len()));
                    });
                });
                ui.label(text);
                ui.add_space(6.0);
                ui.horizontal(|ui| {
                    let last = step + 1 == TOUR.len();
                    if ui.button(if last { "Done" } else { "Next" }).clicked() {
                        app.dialogs.tour = (!last).then_some(step + 1);
                        app.toured = true;
                    }
                    if !last && ui.button("Skip").clicked() {
                        app.dialogs.tour = None;
                        app.toured = true;
                    }
                });
            });
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_find_a_command_and_close_ones_find_it_first() {
        assert!(match_of("Save results…", "svr").is_some());
        assert!(match_of("Save results…", "xyz").is_none());
        assert!(match_of("Swipe between them", "swipe") < match_of("Settings, provenance, weights, wipe", "swipe"));
    }
}

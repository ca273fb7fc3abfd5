//! What the user was told: notices that appear and go, and the list of all of them.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Frame, Id, Order, RichText, Ui};

use super::theme;

/// How long a notice stays that asks for nothing.
const STAY: Duration = Duration::from_secs(6);
/// Most that are shown at once.
const MOST: usize = 4;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something to keep in mind.
    Warning,
    /// Something did not work; stays until dismissed.
    Error,
}

/// One notice.
#[derive(Debug, Clone)]
pub struct Notice {
    /// How much it matters.
    pub level: Level,
    /// A sentence.
    pub text: String,
    since: Instant,
    dismissed: bool,
}

/// All notices, oldest first.
#[derive(Debug, Default)]
pub struct Log {
    notices: Vec<Notice>,
}

impl Log {
    /// Tell the user something.
    pub fn say(&mut self, level: Level, text: impl Into<String>) {
        let text = text.into();
        // The same again is no news.
        self.notices.retain(|n| n.dismissed || n.text != text);
        self.notices.push(Notice { level, text, since: Instant::now(), dismissed: false });
    }

    /// Error messages on screen.
    pub fn errors(&self) -> Vec<&str> {
        let open = self.notices.iter().filter(|n| n.level == Level::Error && !n.dismissed);
        open.map(|n| n.text.as_str()).collect()
    }

    /// The whole list, in a panel.
    pub fn list(&self, ui: &mut Ui) {
        if self.notices.is_empty() {
            ui.weak("Nothing so far.");
        }
        for notice in self.notices.iter().rev() {
            ui.horizontal_top(|ui| {
                ui.label(RichText::new(mark(notice.level)).color(color(ui, notice.level)));
                ui.add(egui::Label::new(RichText::new(&notice.text).small()).wrap());
            });
        }
    }

    /// What appeared lately, at the bottom right above `bottom` points of bars.
    pub fn toasts(&mut self, ui: &Ui, bottom: f32) {
        let now = Instant::now();
        let fresh = |n: &Notice| !n.dismissed && (n.level == Level::Error || now - n.since < STAY);
        let shown: Vec<usize> = (0..self.notices.len()).rev().filter(|&i| fresh(&self.notices[i])).take(MOST).collect();
        if shown.is_empty() {
            return;
        }
        ui.ctx().request_repaint_after(Duration::from_millis(500));
        let width = 420f32.min(ui.ctx().content_rect().width() - 40.0);
        Area::new(Id::unique("notices"))
            .order(Order::Foreground)
            .anchor(Align2::RIGHT_BOTTOM, egui::vec2(-14.0, -bottom - 10.0))
            .show(ui.ctx(), |ui| {
                ui.set_width(width);
                for &index in shown.iter().rev() {
                    let notice = &mut self.notices[index];
                    let stroke = egui::Stroke::new(1.0, color(ui, notice.level));
                    // A name of its own: the ones above it come and go.
                    let scope = egui::UiBuilder::new().id_salt(index);
                    ui.scope_builder(scope, |ui| {
                        Frame::popup(ui.style()).stroke(stroke).show(ui, |ui| {
                            ui.set_width(width - 16.0);
                            ui.horizontal_top(|ui| {
                                ui.label(RichText::new(mark(notice.level)).color(color(ui, notice.level)));
                                ui.vertical(|ui| {
                                    ui.set_width(width - 130.0);
                                    ui.add(egui::Label::new(&notice.text).wrap());
                                });
                                if ui.button("Dismiss").clicked() {
                                    notice.dismissed = true;
                                }
                            });
                        })
                    });
                }
            });
    }
}

fn mark(level: Level) -> &'static str {
    match level {
        Level::Info => "i",
        Level::Warning => "!",
        Level::Error => "!",
    }
}

fn color(ui: &Ui, level: Level) -> egui::Color32 {
    match level {
        Level::Info => theme::accent(ui.visuals()),
        Level::Warning => ui.visuals().warn_fg_color,
        Level::Error => ui.visuals().error_fg_color,
    }
}

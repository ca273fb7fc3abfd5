//! What an audience sees: the panels of a scene and its caption, and nothing of the interface.

use egui::{Color32, Label, Rect, RichText, Ui, UiBuilder};

use super::presentation::Seen;
use crate::ui::app::HalodiApp;
use crate::ui::panels::axes;
use crate::ui::theme;
use crate::ui::workspace::{self, Pane};

/// Room for the caption, points: three lines.
const CAPTION: f32 = 112.0;
/// Size of its type, points.
const TYPE: f32 = 26.0;
/// Room for the colour bar with its values.
const BAR: f32 = 92.0;
/// Between panels.
const GAP: f32 = 10.0;
/// Around plots and captions.
const MARGIN: f32 = 24.0;

/// Show what is seen now in the whole window.
pub(in crate::ui) fn show(app: &mut HalodiApp, ui: &mut Ui, seen: &Seen) {
    let whole = ui.max_rect();
    ui.painter().rect_filled(whole, 0.0, theme::CANVAS);
    // Plots are drawn on the colour that is behind pictures.
    ui.visuals_mut().panel_fill = theme::CANVAS;
    let pictures = if seen.captions { whole.with_max_y(whole.bottom() - CAPTION) } else { whole };
    let (mut bar, mut bar_in) = (true, None);
    for (pane, rect) in seen.panes.iter().zip(side_by_side(pictures, seen.panes.len())) {
        let picture = matches!(pane, Pane::Volume | Pane::Slice(_));
        let rect = match picture {
            // One bar: all pictures have its colours.
            true if std::mem::take(&mut bar) => {
                bar_in = Some(rect.with_min_x(rect.right() - BAR));
                rect.with_max_x(rect.right() - BAR)
            }
            true => rect,
            false => rect.shrink(MARGIN),
        };
        let mut own = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(pane.name()));
        own.set_clip_rect(rect);
        workspace::pane_ui(app, &mut own, *pane);
    }
    // Over the pictures: a unit may be longer than the bar has room.
    if let Some(room) = bar_in {
        color_bar(app, ui, room);
    }
    if seen.light < 1.0 {
        ui.painter().rect_filled(pictures, 0.0, theme::CANVAS.gamma_multiply(1.0 - seen.light));
    }
    if !seen.caption.is_empty() {
        let room = whole.with_min_y(pictures.bottom()).shrink2(egui::vec2(MARGIN, 6.0));
        caption(ui, room, &seen.caption, seen.caption_light);
    }
}

fn caption(ui: &mut Ui, room: Rect, text: &str, light: f32) {
    let mut own = ui.new_child(UiBuilder::new().max_rect(room).id_salt("caption"));
    let color = Color32::WHITE.gamma_multiply(light.clamp(0.0, 1.0));
    // Smaller where it would not fit.
    let lines = |size: f32| {
        let font = egui::FontId::proportional(size);
        own.painter().layout(text.to_owned(), font, color, room.width()).size().y
    };
    let size = [TYPE, 22.0, 18.0].into_iter().find(|size| lines(*size) <= room.height()).unwrap_or(15.0);
    own.add(Label::new(RichText::new(text).size(size).color(color)).wrap().selectable(false));
}

fn color_bar(app: &HalodiApp, ui: &Ui, room: Rect) {
    let Some((shown, _)) = &app.shown else { return };
    let tall = (0.72 * room.height()).min(460.0);
    let bar = Rect::from_center_size(room.center(), egui::vec2(room.width() - 12.0, tall));
    axes::color_bar(ui.painter(), bar, &app.view.scale(shown.quantity), "", theme::INK);
    // Units are longer than the bar is wide: to the left, where the picture is empty.
    let at = egui::pos2(bar.right(), bar.top());
    ui.painter().text(at, egui::Align2::RIGHT_TOP, shown.unit(), egui::FontId::proportional(13.0), theme::INK);
}

/// Places for so many panels, the first the widest.
fn side_by_side(whole: Rect, count: usize) -> Vec<Rect> {
    let first = [1.0, 0.6, 0.46, 0.4][count.clamp(1, 4) - 1];
    let rest = (1.0 - first) / (count.max(2) - 1) as f32;
    let mut left = whole.left();
    (0..count)
        .map(|index| {
            let width = whole.width() * if index == 0 { first } else { rest };
            let rect = Rect::from_min_max(
                egui::pos2(left + if index == 0 { 0.0 } else { GAP }, whole.top()),
                egui::pos2(left + width, whole.bottom()),
            );
            left += width;
            rect
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_fill_the_width_without_overlap() {
        let whole = Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1200.0, 600.0));
        for count in 1..=4 {
            let places = side_by_side(whole, count);
            assert_eq!(places.len(), count);
            assert!((places[count - 1].right() - whole.right()).abs() < 0.1);
            assert!(places.windows(2).all(|two| two[0].right() < two[1].left() && two[1].width() > 150.0));
        }
    }
}

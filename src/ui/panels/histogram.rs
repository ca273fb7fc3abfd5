//! The colour bar, which is the histogram: limits are dragged where voxels are.

use egui::{
    Align2, ComboBox, CursorIcon, Event, FontId, Key, Mesh, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, WidgetInfo,
};

use super::{canvas, significant};
use crate::render::{ColorMap, ColorScale, Opacity, Stretch};
use crate::ui::analysis::Facts;
use crate::ui::app::HalodiApp;
use crate::ui::theme;
use crate::ui::view_state::Quantity;

/// Shares of the voxels that presets keep within the range.
const PRESETS: [(&str, f64); 3] = [("90 %", 0.90), ("99 %", 0.99), ("99.9 %", 0.999)];

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let Some((shown, _)) = app.shown.clone() else { return };
    let quantity = shown.quantity;
    let scale = app.view.scale(quantity);
    let ctx = ui.ctx().clone();
    // The axis of the histogram stays while limits are dragged.
    let axis_scale = axis_of(ui, &scale, quantity);
    let facts = app.analysis.facts(&ctx, &shown, axis_scale);
    ui.add_space(3.0);
    if !app.presents() {
        ui.horizontal(|ui| {
            ui.add_space(6.0);
            controls(app, ui, quantity, scale, facts.as_deref());
        });
    }
    let rect = ui.available_rect_before_wrap().shrink2(egui::vec2(14.0, 3.0));
    if rect.height() < 30.0 {
        return;
    }
    ui.allocate_rect(rect, Sense::hover());
    let axis = facts.as_ref().map_or(axis_scale, |f| f.axis);
    let scale = app.view.scale(quantity);
    let labels = 15.0;
    let bar = Rect::from_min_max(
        Pos2::new(rect.left(), rect.bottom() - labels - 13.0),
        Pos2::new(rect.right(), rect.bottom() - labels),
    );
    let hist = Rect::from_min_max(rect.min, Pos2::new(rect.right(), bar.top() - 1.0));
    let x_of = |value: f32| rect.left() + axis.place(value).clamp(0.0, 1.0) * rect.width();
    paint(ui, hist, bar, &axis, &scale, app.view.opacity(quantity), facts.as_deref());
    ticks(ui, rect, bar, &axis);
    let [low, high] = [scale.low, scale.high].map(x_of);
    limits(app, ui, quantity, hist, [low, high], &axis);
    opacity(app, ui, quantity, bar, &axis);
}

/// The range that the histogram spans: wide about the limits, and the same while they are
/// dragged.
fn axis_of(ui: &Ui, scale: &ColorScale, quantity: Quantity) -> ColorScale {
    let id = ui.scope_id().with(("axis", quantity, scale.stretch));
    let dragging = ui.input(|i| i.pointer.any_down());
    if dragging && let Some(axis) = ui.data(|d| d.get_temp::<ColorScale>(id)) {
        return ColorScale { map: scale.map, reversed: scale.reversed, ..axis };
    }
    let axis = scale.with_ends(scale.value(-0.15), scale.value(1.15));
    ui.data_mut(|d| d.insert_temp(id, axis));
    axis
}

fn controls(app: &mut HalodiApp, ui: &mut Ui, quantity: Quantity, scale: ColorScale, facts: Option<&Facts>) {
    ui.spacing_mut().item_spacing.x = 4.0;
    let mut new = scale;
    let maps: &[ColorMap] = if scale.map.is_diverging() { &ColorMap::DIVERGING } else { &ColorMap::SEQUENTIAL };
    let chosen = ComboBox::from_id_salt("map").selected_text(scale.map.name()).width(92.0).show_ui(ui, |ui| {
        for &map in maps {
            ui.horizontal(|ui| {
                swatch(ui, map);
                ui.selectable_value(&mut new.map, map, map.name());
            });
        }
        ui.separator();
        ui.checkbox(&mut new.reversed, "Reversed");
    });
    chosen.response.accessible_name("Colour map");
    let chosen = ComboBox::from_id_salt("stretch").selected_text(scale.stretch.name()).width(56.0).show_ui(ui, |ui| {
        for stretch in Stretch::ALL {
            if stretch == Stretch::Log && scale.map.is_diverging() {
                continue;
            }
            if ui.selectable_label(scale.stretch == stretch, stretch.name()).clicked() {
                new = scale.with_stretch(stretch);
            }
        }
    });
    chosen
        .response
        .accessible_name("Stretch")
        .on_hover_text("How values between the limits are spread over the colours");
    if let Some(facts) = facts {
        for (name, share) in PRESETS {
            if ui.small_button(name).on_hover_text(format!("Limits that keep {name} of the voxels")).clicked() {
                let [low, high] = facts.clip(share);
                new = if scale.map.is_diverging() {
                    let most = low.abs().max(high.abs());
                    scale.with_ends(-most, most)
                } else {
                    scale.with_ends(low, high)
                };
            }
        }
    }
    if ui.small_button("Fit").on_hover_text("Limits that suit this field (C); they then stay as they are").clicked() {
        app.fit_range();
        return;
    }
    if new != scale {
        app.view.scales.insert(quantity, new);
    }
    if let Some(facts) = facts {
        let [below, above] = facts.histogram.clipped(facts.axis.place(scale.low), facts.axis.place(scale.high));
        let mut text = format!("{} below, {} above", percent(below), percent(above));
        let missing = facts.histogram.missing_share();
        if missing > 0.0 {
            text = format!("{} without a value, {text}", percent(missing));
        }
        let meaning = format!("{text}: voxels that are no number, and those beyond the limits of the colours");
        let shown = if ui.available_width() > 170.0 { text } else { "…".to_owned() };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add_space(8.0);
            let label = egui::Label::new(egui::RichText::new(shown).small().weak());
            ui.add(label.truncate().show_tooltip_when_elided(false)).on_hover_text(meaning);
        });
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => "<0.01 %".to_owned(),
        p if p < 10.0 => format!("{p:.2} %"),
        p => format!("{p:.0} %"),
    }
}

fn swatch(ui: &mut Ui, map: ColorMap) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(54.0, 12.0), Sense::hover());
    for i in 0..27 {
        let [r, g, b] = map.color(i as f32 / 26.0);
        let band = Rect::from_min_size(rect.min + egui::vec2(2.0 * i as f32, 0.0), egui::vec2(2.2, 12.0));
        ui.painter().rect_filled(band, 0.0, egui::Color32::from_rgb(r, g, b));
    }
}

fn paint(
    ui: &Ui,
    hist: Rect,
    bar: Rect,
    axis: &ColorScale,
    scale: &ColorScale,
    opacity: Opacity,
    facts: Option<&Facts>,
) {
    let painter = ui.painter();
    painter.rect_filled(hist, 2.0, ui.visuals().extreme_bg_color);
    let color_at = |place: f32| {
        let t = scale.place(axis.value(place)).clamp(0.0, 1.0);
        let [r, g, b] = scale.map.color(if scale.reversed { 1.0 - t } else { t });
        (t, egui::Color32::from_rgb(r, g, b))
    };
    if let Some(facts) = facts {
        let counts = &facts.histogram.counts;
        // Logarithmic counts: most voxels are empty, and the few that are not matter.
        let most = counts.iter().copied().max().unwrap_or(1).max(2) as f32;
        let width = hist.width() / counts.len() as f32;
        let mut mesh = Mesh::default();
        for (i, &count) in counts.iter().enumerate() {
            if count == 0 {
                continue;
            }
            let place = (i as f32 + 0.5) / counts.len() as f32;
            let height = (count as f32 + 1.0).ln() / (most + 1.0).ln() * (hist.height() - 3.0);
            let left = hist.left() + i as f32 * width;
            let rect = Rect::from_min_max(
                Pos2::new(left, hist.bottom() - height),
                Pos2::new(left + width + 0.5, hist.bottom()),
            );
            let value = axis.value(place);
            let inside = (scale.low..=scale.high).contains(&value);
            let grey = ui.visuals().weak_text_color().gamma_multiply(0.7);
            let (_, color) = color_at(place);
            // Dark colours would vanish in front of dark.
            let color = if inside { lifted(color, ui.visuals().dark_mode) } else { grey };
            mesh.add_colored_rect(rect, color);
        }
        painter.add(Shape::mesh(mesh));
    }
    let mut mesh = Mesh::default();
    let steps = 256;
    for i in 0..steps {
        let left = bar.left() + bar.width() * i as f32 / steps as f32;
        let (_, color) = color_at((i as f32 + 0.5) / steps as f32);
        let rect = Rect::from_min_max(
            Pos2::new(left, bar.top()),
            Pos2::new(left + bar.width() / steps as f32 + 0.5, bar.bottom()),
        );
        mesh.add_colored_rect(rect, color);
    }
    painter.add(Shape::mesh(mesh));
    painter.rect_stroke(bar, 0.0, ui.visuals().widgets.noninteractive.bg_stroke, egui::StrokeKind::Outside);
    // How opaque the volume is, over the histogram.
    let diverging = scale.map.is_diverging();
    let points: Vec<Pos2> = (0..=128)
        .map(|i| {
            let place = i as f32 / 128.0;
            let (t, _) = color_at(place);
            let share = opacity.share(t, diverging);
            Pos2::new(hist.left() + place * hist.width(), hist.bottom() - share * (hist.height() - 3.0))
        })
        .collect();
    painter.add(Shape::line(points, Stroke::new(1.2, ui.visuals().text_color().gamma_multiply(0.55))));
}

fn lifted(color: egui::Color32, dark: bool) -> egui::Color32 {
    let mix = |c: u8| if dark { c.max(46) } else { c };
    egui::Color32::from_rgb(mix(color.r()), mix(color.g()), mix(color.b()))
}

fn ticks(ui: &Ui, rect: Rect, bar: Rect, axis: &ColorScale) {
    let color = ui.visuals().weak_text_color();
    let most = (rect.width() / 70.0) as usize;
    let mut last = f32::MIN;
    for tick in axis.ticks(most.max(2)) {
        let x = rect.left() + tick.at * rect.width();
        ui.painter().vline(x, bar.bottom()..=bar.bottom() + 3.0, Stroke::new(1.0, color));
        let galley = ui.painter().layout_no_wrap(tick.label, FontId::proportional(11.0), color);
        let at = Align2::CENTER_TOP.anchor_size(Pos2::new(x, bar.bottom() + 3.0), galley.size());
        if at.left() > last + 6.0 && at.right() < rect.right() + 10.0 {
            last = at.right();
            ui.painter().galley(at.min, galley, color);
        }
    }
}

/// How far arrow keys move the handle that has the focus: one to the right, minus one to the left.
fn arrows(ui: &Ui, handle: &Response) -> f32 {
    if handle.clicked() || handle.drag_started() {
        handle.request_focus();
    }
    canvas::keep_arrows(ui, handle);
    if !handle.has_focus() {
        return 0.0;
    }
    ui.input(|i| i.num_presses(Key::ArrowRight) as f32 - i.num_presses(Key::ArrowLeft) as f32)
}

/// `scale` with one of its limits (0 the lower) at `value`; colours that diverge stay symmetric.
fn with_limit(scale: ColorScale, index: usize, value: f32) -> ColorScale {
    if scale.map.is_diverging() {
        let most = value.abs().max(1e-9);
        scale.with_ends(-most, most)
    } else if index == 0 {
        scale.with_ends(value.min(scale.high), scale.high)
    } else {
        scale.with_ends(scale.low, value.max(scale.low))
    }
}

fn limits(app: &mut HalodiApp, ui: &mut Ui, quantity: Quantity, hist: Rect, at: [f32; 2], axis: &ColorScale) {
    let scale = app.view.scale(quantity);
    for (index, name) in ["Lower limit", "Upper limit"].into_iter().enumerate() {
        let x = at[index];
        let grip = Rect::from_x_y_ranges(x - 6.0..=x + 6.0, hist.y_range());
        let response = ui.interact(grip, ui.scope_id().with((quantity, name)), Sense::click_and_drag());
        let value = [scale.low, scale.high][index];
        response.widget_info(|| WidgetInfo::slider(true, f64::from(value), name));
        let keys = arrows(ui, &response);
        let moved = match response.interact_pointer_pos() {
            Some(p) if response.dragged() => Some(axis.value((p.x - hist.left()) / hist.width())),
            _ => (keys != 0.0).then(|| axis.value(axis.place(value) + 0.01 * keys)),
        };
        let active = response.hovered() || response.dragged() || response.has_focus();
        let color = if active { theme::accent(ui.visuals()) } else { ui.visuals().text_color() };
        ui.painter().vline(x, hist.y_range(), Stroke::new(if active { 2.0 } else { 1.3 }, color));
        let tag = Rect::from_center_size(Pos2::new(x, hist.top() + 5.0), egui::vec2(8.0, 10.0));
        ui.painter().rect_filled(tag, 2.0, color);
        let typed = number(ui, &response, index, value, quantity.unit(), hist, at);
        if let Some(value) = typed.or(moved) {
            app.view.scales.insert(quantity, with_limit(scale, index, value));
        }
        response
            .on_hover_cursor(CursorIcon::ResizeHorizontal)
            .on_hover_text(format!("{name} of the colours: drag, arrow keys, or a double-click to type it"));
    }
}

/// The value of a limit beside its `handle`, on the side where there is room; after a double-click
/// on either, or the Enter key, it is typed. What was typed, once that is done.
fn number(
    ui: &mut Ui,
    handle: &Response,
    index: usize,
    value: f32,
    unit: &str,
    hist: Rect,
    at: [f32; 2],
) -> Option<f32> {
    let id = handle.id.with("typed");
    let align = if index == 0 { Align2::LEFT_TOP } else { Align2::RIGHT_TOP };
    let corner = Pos2::new(at[index] + if index == 0 { 8.0 } else { -8.0 }, hist.top() + 1.0);
    if let Some(mut text) = ui.data(|data| data.get_temp::<String>(id)) {
        let size = egui::vec2(90.0, 20.0);
        // Inside the panel, wherever the handle is.
        let left = align.anchor_size(corner, size).left().clamp(hist.left(), (hist.right() - size.x).max(hist.left()));
        let line = egui::TextEdit::singleline(&mut text).id(id.with("line"));
        let line = ui.put(Rect::from_min_size(Pos2::new(left, corner.y), size), line);
        let line = line.accessible_name("Limit of the colours");
        if line.lost_focus() {
            ui.data_mut(|data| data.remove::<String>(id));
            // The window takes that key out of the events before.
            let escape = |event: &Event| matches!(event, Event::Key { key: Key::Escape, pressed: true, .. });
            let given_up = ui.input(|input| input.raw.events.iter().any(escape));
            return parsed(&text).filter(|_| !given_up);
        }
        if !line.has_focus() {
            line.request_focus();
        }
        ui.data_mut(|data| data.insert_temp(id, text));
        return None;
    }
    let mut asked = handle.double_clicked();
    asked |= handle.has_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if hist.height() > 34.0 && (at[1] - at[0]) > 130.0 {
        let text = format!("{} {unit}", significant(f64::from(value)));
        let galley = ui.painter().layout_no_wrap(text, FontId::proportional(11.0), ui.visuals().text_color());
        let place = align.anchor_size(corner, galley.size());
        asked |= ui.interact(place, id.with("number"), Sense::CLICK).double_clicked();
        // Legible on bars of any colour.
        let behind = ui.visuals().extreme_bg_color.gamma_multiply(0.8);
        ui.painter().rect_filled(place.expand2(egui::vec2(3.0, 0.0)), 2.0, behind);
        ui.painter().galley(place.min, galley, ui.visuals().text_color());
    }
    if asked {
        ui.data_mut(|data| data.insert_temp(id, typeable(value)));
    }
    None
}

/// A value as it is typed, to its last digit.
fn typeable(value: f32) -> String {
    let size = value.abs();
    if size == 0.0 || (1e-4..1e6).contains(&size) { format!("{value}") } else { format!("{value:e}") }
}

/// The finite number that was typed, perhaps with a unit behind it.
fn parsed(text: &str) -> Option<f32> {
    let number = text.split_whitespace().next()?.replace('−', "-");
    number.parse().ok().filter(|value: &f32| value.is_finite())
}

/// The handles of opacity, on the colour bar itself and under the curve that they shape.
fn opacity(app: &mut HalodiApp, ui: &Ui, quantity: Quantity, bar: Rect, axis: &ColorScale) {
    let mut opacity = app.view.opacity(quantity);
    let scale = app.view.scale(quantity);
    for (index, name) in ["Opaque from", "Fully opaque at"].into_iter().enumerate() {
        let value = [opacity.low, opacity.high][index];
        let x = bar.left() + place_of(value, &scale, axis) * bar.width();
        let grip = Rect::from_center_size(Pos2::new(x, bar.center().y), egui::vec2(11.0, bar.height() + 4.0));
        let response = ui.interact(grip, ui.scope_id().with((quantity, name)), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::slider(true, f64::from(value), name));
        let keys = arrows(ui, &response);
        let moved = match response.interact_pointer_pos() {
            Some(p) if response.dragged() => Some(strength_at((p.x - bar.left()) / bar.width(), &scale, axis)),
            _ => (keys != 0.0).then(|| (value + 0.01 * keys).clamp(0.0, 1.0)),
        };
        if let Some(strength) = moved {
            match index {
                0 => opacity.low = strength.min(opacity.high - 0.02).max(0.0),
                _ => opacity.high = strength.max(opacity.low + 0.02).min(1.0),
            }
            app.view.opacities.insert(quantity, opacity);
        }
        let active = response.hovered() || response.dragged() || response.has_focus();
        let fill = if active { theme::accent(ui.visuals()) } else { egui::Color32::WHITE };
        ui.painter().circle(Pos2::new(x, bar.center().y), 5.0, fill, Stroke::new(1.5, egui::Color32::BLACK));
        let what = match index {
            0 => "Where the volume begins to be opaque; the level of the surface",
            _ => "Where the volume is fully opaque",
        };
        response.on_hover_cursor(CursorIcon::ResizeHorizontal).on_hover_text(format!("{what}: drag, or arrow keys"));
    }
}

/// Where a strength of the colours of `scale`, 0 to 1, lies along `axis`; for colours that diverge in
/// their upper half.
fn place_of(strength: f32, scale: &ColorScale, axis: &ColorScale) -> f32 {
    let place = if scale.map.is_diverging() { 0.5 + 0.5 * strength } else { strength };
    axis.place(scale.value(place)).clamp(0.0, 1.0)
}

/// The strength there.
fn strength_at(place: f32, scale: &ColorScale, axis: &ColorScale) -> f32 {
    let place = scale.place(axis.value(place));
    (if scale.map.is_diverging() { 2.0 * place - 1.0 } else { place }).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_of_opacity_lie_where_the_curve_bends() {
        for stretch in Stretch::ALL {
            let scale = ColorScale { stretch, ..ColorScale::log(0.02, 30.0, ColorMap::Inferno) };
            let axis = scale.with_ends(0.01, 500.0);
            for strength in [0.05, 0.3, 0.8] {
                let place = place_of(strength, &scale, &axis);
                assert!((strength_at(place, &scale, &axis) - strength).abs() < 2e-2, "{stretch:?} at {strength}");
                // What is drawn as the curve's strength there.
                assert!((scale.place(axis.value(place)) - strength).abs() < 2e-2, "{stretch:?} at {strength}");
            }
        }
        let (scale, axis) = (ColorScale::symmetric(2.0), ColorScale::symmetric(9.0));
        let place = place_of(0.4, &scale, &axis);
        assert!(place > 0.5 && (strength_at(place, &scale, &axis) - 0.4).abs() < 1e-3);
    }

    #[test]
    fn limits_are_typed_with_and_without_a_unit() {
        for value in [0.02, -3.5, 0.0, 4.2e-9, 1e13] {
            assert_eq!(parsed(&typeable(value)), Some(value));
        }
        assert_eq!(parsed("−1.5e3 mK"), Some(-1500.0));
        assert_eq!([parsed("much"), parsed(""), parsed("inf")], [None; 3]);
        let scale = ColorScale::log(0.02, 30.0, ColorMap::Inferno);
        assert_eq!(with_limit(scale, 1, 7.0).high, 7.0);
        assert_eq!([with_limit(ColorScale::symmetric(2.0), 0, 3.0).low, with_limit(scale, 0, 0.1).low], [-3.0, 0.1]);
    }
}

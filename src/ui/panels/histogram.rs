//! The colour bar, which is the histogram: limits are dragged where voxels are.

use egui::{Align2, ComboBox, CursorIcon, FontId, Mesh, Pos2, Rect, Sense, Shape, Stroke, Ui, WidgetInfo};

use super::significant;
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
    opacity(app, ui, quantity, bar, [low, high]);
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
            text += &format!(", {} without a value", percent(missing));
        }
        let room = ui.available_width();
        if room > 170.0 {
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.add_space(8.0);
                ui.add(egui::Label::new(egui::RichText::new(text).small().weak()).truncate())
                    .on_hover_text("Voxels beyond the limits of the colours, and voxels that are no number");
            });
        }
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

fn limits(app: &mut HalodiApp, ui: &Ui, quantity: Quantity, hist: Rect, at: [f32; 2], axis: &ColorScale) {
    let scale = app.view.scale(quantity);
    let unit = app.shown.as_ref().map_or("", |(s, _)| s.unit());
    for (index, name) in ["Lower limit", "Upper limit"].into_iter().enumerate() {
        let x = at[index];
        let grip = Rect::from_x_y_ranges(x - 6.0..=x + 6.0, hist.y_range());
        let response = ui.interact(grip, ui.scope_id().with((quantity, name)), Sense::click_and_drag());
        let value = [scale.low, scale.high][index];
        response.widget_info(|| WidgetInfo::slider(true, f64::from(value), name));
        let keys = if response.has_focus() {
            ui.input(|i| i.num_presses(egui::Key::ArrowRight) as f32 - i.num_presses(egui::Key::ArrowLeft) as f32)
        } else {
            0.0
        };
        if response.dragged() || keys != 0.0 {
            let place = match response.interact_pointer_pos() {
                Some(p) if response.dragged() => (p.x - hist.left()) / hist.width(),
                _ => axis.place(value) + 0.01 * keys,
            };
            let value = axis.value(place);
            let new = if scale.map.is_diverging() {
                scale.with_ends(-value.abs().max(1e-9), value.abs().max(1e-9))
            } else if index == 0 {
                scale.with_ends(value.min(scale.high), scale.high)
            } else {
                scale.with_ends(scale.low, value.max(scale.low))
            };
            app.view.scales.insert(quantity, new);
        }
        let active = response.hovered() || response.dragged() || response.has_focus();
        let color = if active { theme::accent(ui.visuals()) } else { ui.visuals().text_color() };
        ui.painter().vline(x, hist.y_range(), Stroke::new(if active { 2.0 } else { 1.3 }, color));
        let tag = Rect::from_center_size(Pos2::new(x, hist.top() + 5.0), egui::vec2(8.0, 10.0));
        ui.painter().rect_filled(tag, 2.0, color);
        // The value beside its handle, on the side where there is room.
        let align = if index == 0 { Align2::LEFT_TOP } else { Align2::RIGHT_TOP };
        let side = if index == 0 { 8.0 } else { -8.0 };
        let text = format!("{} {unit}", significant(f64::from(value)));
        if hist.height() > 34.0 && (at[1] - at[0]) > 130.0 {
            let galley = ui.painter().layout_no_wrap(text, FontId::proportional(11.0), ui.visuals().text_color());
            let place = align.anchor_size(Pos2::new(x + side, hist.top() + 1.0), galley.size());
            // Legible on bars of any colour.
            ui.painter().rect_filled(
                place.expand2(egui::vec2(3.0, 0.0)),
                2.0,
                ui.visuals().extreme_bg_color.gamma_multiply(0.8),
            );
            ui.painter().galley(place.min, galley, ui.visuals().text_color());
        }
        response
            .on_hover_cursor(CursorIcon::ResizeHorizontal)
            .on_hover_text(format!("{name} of the colours: drag, or arrow keys"));
    }
}

/// The handles of opacity, on the colour bar itself.
fn opacity(app: &mut HalodiApp, ui: &Ui, quantity: Quantity, bar: Rect, [low, high]: [f32; 2]) {
    let mut opacity = app.view.opacity(quantity);
    let diverging = app.view.scale(quantity).map.is_diverging();
    // Of colours that diverge, the upper half.
    let start = if diverging { 0.5 * (low + high) } else { low };
    let width = (high - start).max(1.0);
    for (index, name) in ["Opaque from", "Fully opaque at"].into_iter().enumerate() {
        let value = [opacity.low, opacity.high][index];
        let x = start + value * width;
        let grip = Rect::from_center_size(Pos2::new(x, bar.center().y), egui::vec2(11.0, bar.height() + 4.0));
        let response = ui.interact(grip, ui.scope_id().with((quantity, name)), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::slider(true, f64::from(value), name));
        if response.dragged()
            && let Some(p) = response.interact_pointer_pos()
        {
            let place = ((p.x - start) / width).clamp(0.0, 1.0);
            if index == 0 {
                opacity.low = place.min(opacity.high - 0.02).max(0.0);
            } else {
                opacity.high = place.max(opacity.low + 0.02);
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
        response.on_hover_cursor(CursorIcon::ResizeHorizontal).on_hover_text(what);
    }
}

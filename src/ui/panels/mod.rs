//! The panels and bars of the window, one file each.

pub mod axes;
pub mod canvas;
pub mod drawer;
pub mod empty;
pub mod film;
pub mod histogram;
pub mod job_bar;
pub mod marks;
pub mod scenes;
pub mod seams;
pub mod slice;
pub mod spectra;
pub mod status;
pub mod toolbar;
pub mod top_bar;
pub mod volume;

/// The frame of a bar, which fills nothing: the screen was cleared with the colour of panels.
pub fn bar(ui: &egui::Ui) -> egui::Frame {
    egui::Frame::side_top_panel(ui.style()).fill(egui::Color32::TRANSPARENT)
}

/// A value with four significant digits, in powers of ten where it needs them.
pub fn significant(value: f64) -> String {
    let size = value.abs();
    let text = if value.is_nan() {
        "no value".to_owned()
    } else if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.digits$}")
    } else {
        format!("{value:.3e}")
    };
    text.replace('-', "−")
}

/// A value with three significant digits, without the zeros at their end.
pub fn compact(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() {
        return significant(value);
    }
    let (text, power) = match (1e-3..1e5).contains(&size) {
        true => (format!("{value:.0$}", (2 - size.log10().floor() as i32).clamp(0, 6) as usize), String::new()),
        false => {
            let text = format!("{value:.2e}");
            let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
            (digits.to_owned(), format!("e{power}"))
        }
    };
    let digits = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{digits}{power}").replace('-', "−")
}

/// A value of about one, to a thousandth.
pub fn significant_short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').replace('-', "−")
}

/// Writing over a picture, with a shade behind it that keeps it legible on any colour.
pub fn ink(
    painter: &egui::Painter,
    at: egui::Pos2,
    align: egui::Align2,
    text: impl ToString,
    size: f32,
    color: egui::Color32,
) -> egui::Rect {
    // Inside the picture, whatever was asked for.
    let room = painter.clip_rect().shrink(3.0);
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_string(), egui::FontId::proportional(size), color);
    job.wrap = egui::text::TextWrapping::truncate_at_width((room.width() - 6.0).max(1.0));
    let galley = painter.layout_job(job);
    let rect = align.anchor_size(at, galley.size());
    let inside = egui::vec2(
        (room.left() - rect.left()).max(0.0) - (rect.right() - room.right()).max(0.0),
        (room.top() - rect.top()).max(0.0) - (rect.bottom() - room.bottom()).max(0.0),
    );
    let rect = rect.translate(inside);
    painter.rect_filled(rect.expand2(egui::vec2(3.0, 1.0)), 3.0, egui::Color32::from_black_alpha(140));
    painter.galley(rect.min, galley, color);
    rect
}

#[cfg(test)]
mod tests {
    use super::{compact, significant};

    #[test]
    fn ticks_of_logarithms_are_the_values_that_they_stand_for() {
        let shown = [-1.0, 0.0, 0.3, 0.5, 2.0, 4.5, 10.0, 10.5, -5.0].map(|power| compact(10f64.powf(power)));
        assert_eq!(shown, ["0.1", "1", "2", "3.16", "100", "31623", "1e10", "3.16e10", "1e−5"]);
    }

    #[test]
    fn four_digits_are_shown_of_any_value() {
        let shown = [0.0, 1.0, 3.74159, 512.34, -0.25, 99_999.4, 2.5e12, 4.2e-6, f64::NAN].map(significant);
        assert_eq!(shown, ["0", "1.000", "3.742", "512.3", "−0.2500", "99999", "2.500e12", "4.200e−6", "no value"]);
    }
}

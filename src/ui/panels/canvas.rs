//! Where pictures lie on a canvas, and which of them the mouse and the keys reach.

use egui::{Event, EventFilter, Key, Modifiers, Pos2, Rect, Response, Ui};
use glam::{Vec2, Vec3};

use crate::render::OrbitCamera;
use crate::ui::app::HalodiApp;
use crate::ui::view_state::{Compare, SliceView};

/// Most copies of the periodic box that are marked along an axis of a canvas.
const COPIES: usize = 100;

/// The pictures on a canvas: one, or two side by side.
pub fn pictures(app: &HalodiApp, rect: Rect) -> Vec<Rect> {
    if app.subject.comparing(&app.view) != Compare::SideBySide {
        return vec![rect];
    }
    let (left, right) = rect.split_left_right_at_fraction(0.5);
    let gap = (0.5 * left.width()).clamp(0.0, 1.0);
    vec![left.with_max_x(left.right() - gap), right.with_min_x(right.left() + gap)]
}

/// Whether the picture `index` shows what is compared with, and nothing else.
pub fn shows_second(app: &HalodiApp, index: usize) -> bool {
    match app.subject.comparing(&app.view) {
        Compare::SideBySide => index == 1,
        Compare::Blink => app.flipped,
        _ => false,
    }
}

/// Where the picture `index` turns from the shown to the compared field, as a fraction of its width.
pub fn turns(app: &HalodiApp, index: usize) -> f32 {
    match app.subject.comparing(&app.view) {
        Compare::Swipe => app.view.swipe,
        _ if shows_second(app, index) => -1.0,
        _ => 2.0,
    }
}

/// The number of the picture under the pointer, or where the pointer was pressed: what is dragged
/// over from one picture to the other stays in the first.
pub fn steered(ui: &Ui, pictures: &[Rect], response: &Response) -> usize {
    let pressed = ui.input(|i| i.pointer.press_origin()).filter(|_| response.is_pointer_button_down_on());
    let at = pressed.or(response.interact_pointer_pos()).or(response.hover_pos());
    at.map_or(0, |at| nearest(pictures, at))
}

fn nearest(pictures: &[Rect], at: Pos2) -> usize {
    let far = |index: &usize| pictures[*index].distance_sq_to_pos(at);
    (0..pictures.len()).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap_or(0)
}

/// Where a point of the unit cube appears in a picture; `None` behind the camera.
pub fn place(camera: &OrbitCamera, rect: Rect, point: Vec3) -> Option<Pos2> {
    let Vec2 { x, y } = camera.project(point, rect.width() / rect.height())?;
    Some(rect.min + egui::vec2(x * rect.width(), y * rect.height()))
}

/// Whether keys are meant for a canvas: it has the focus, or nothing has and the cursor is on it.
pub fn takes_keys(ui: &Ui, response: &Response) -> bool {
    response.has_focus() || (response.hovered() && ui.memory(|m| m.focused()).is_none())
}

/// Leave the arrow keys to what has the focus, where they would move the focus otherwise.
pub fn keep_arrows(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|m| m.set_focus_lock_filter(response.id, filter));
        // It holds from the next frame on, and nobody presses a key before that.
        if response.gained_focus() {
            ui.ctx().request_repaint();
        }
    }
}

/// How often arrow keys were pressed in this frame, to the right and up, with these modifiers.
pub fn arrows(ui: &Ui, with: Modifiers) -> [i64; 2] {
    let pressed = |wanted| presses(ui, wanted, |modifiers| modifiers.matches_exact(with));
    [pressed(Key::ArrowRight) - pressed(Key::ArrowLeft), pressed(Key::ArrowUp) - pressed(Key::ArrowDown)]
}

/// How often a key was pressed that makes a picture larger, less those that make it smaller.
pub fn enlarged(ui: &Ui) -> i64 {
    // Some keyboards have a plus with Shift alone.
    let pressed = |wanted| presses(ui, wanted, |modifiers| !modifiers.command && !modifiers.alt);
    pressed(Key::Plus) + pressed(Key::Equals) - pressed(Key::Minus)
}

fn presses(ui: &Ui, wanted: Key, with: impl Fn(&Modifiers) -> bool) -> i64 {
    let is_press = |event: &&Event| matches!(event, Event::Key { key, pressed: true, modifiers, .. } if *key == wanted && with(modifiers));
    ui.input(|i| i.events.iter().filter(is_press).count() as i64)
}

/// By how many presses of arrow keys a grip with the focus is moved; right and up are forwards.
pub fn nudged(ui: &Ui, grip: &Response) -> f32 {
    keep_arrows(ui, grip);
    if !grip.has_focus() {
        return 0.0;
    }
    let [right, up] = arrows(ui, Modifiers::NONE);
    (right + up) as f32
}

/// Whether the pointer was moved in this frame.
pub fn pointer_moved(ui: &Ui) -> bool {
    ui.input(|i| i.events.iter().any(|event| matches!(event, Event::PointerMoved(_))))
}

/// From a slice's picture to the box and back.
#[derive(Clone, Copy)]
pub struct Frame {
    /// The picture on the screen.
    pub rect: Rect,
    /// Left, bottom, right, top of it in box sides.
    pub extent: [f32; 4],
}

impl Frame {
    /// Of a picture in `rect`.
    pub fn new(rect: Rect, view: SliceView) -> Self {
        let side = rect.width().min(rect.height()).max(1.0);
        let half = [rect.width(), rect.height()].map(|v| 0.5 * v / side / view.zoom);
        let [x, y] = view.middle;
        Self { rect, extent: [x - half[0], y - half[1], x + half[0], y + half[1]] }
    }

    /// The place in box sides, to the right and up, under a point of the screen.
    pub fn to_box(self, p: Pos2) -> [f32; 2] {
        let [left, bottom, right, top] = self.extent;
        let t = (p - self.rect.min) / self.rect.size();
        [left + t.x * (right - left), top + t.y * (bottom - top)]
    }

    /// Where a place in box sides is on the screen.
    pub fn to_screen(self, [x, y]: [f32; 2]) -> Pos2 {
        let [left, bottom, right, top] = self.extent;
        let t = egui::vec2((x - left) / (right - left), (y - top) / (bottom - top));
        self.rect.min + t * self.rect.size()
    }

    /// Points a box side.
    pub fn scale(self) -> f32 {
        self.rect.width() / (self.extent[2] - self.extent[0])
    }

    /// By how many boxes what reaches from `low` to `high` along one side of the picture (0 across,
    /// 1 up) is to be moved so that it shows, for each of its periodic copies.
    pub fn copies_along(self, side: usize, low: f32, high: f32) -> impl Iterator<Item = f32> {
        // What ends where the picture does shows nothing of itself there; a place does.
        let touch = (0.5 * (high - low)).min(1e-4);
        let first = (self.extent[side] - high + touch).ceil() as i32;
        let last = (self.extent[2 + side] - low - touch).floor() as i32;
        (first..=last).take(COPIES).map(|boxes| boxes as f32)
    }

    /// The same for what reaches from one corner to the other.
    pub fn copies(self, low: [f32; 2], high: [f32; 2]) -> impl Iterator<Item = [f32; 2]> {
        self.copies_along(0, low[0], high[0])
            .flat_map(move |x| self.copies_along(1, low[1], high[1]).map(move |y| [x, y]))
    }

    /// How far a point of the screen is from the nearest copy of a place, points across and up.
    pub fn away(self, p: Pos2, [x, y]: [f32; 2]) -> [f32; 2] {
        let here = self.to_box(p);
        [here[0] - x, here[1] - y].map(|far| (far - far.round()).abs() * self.scale())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_and_box_are_inverse_and_up_is_up() {
        let rect = Rect::from_min_size(Pos2::new(10.0, 20.0), egui::vec2(300.0, 200.0));
        let frame = Frame::new(rect, SliceView { middle: [0.3, 0.6], zoom: 2.0 });
        for p in [[0.3, 0.6], [0.1, 0.9], [0.55, 0.45]] {
            let back = frame.to_box(frame.to_screen(p));
            assert!((back[0] - p[0]).abs() < 1e-5 && (back[1] - p[1]).abs() < 1e-5);
        }
        assert_eq!(frame.to_screen([0.3, 0.6]), rect.center());
        assert!(frame.to_screen([0.3, 0.7]).y < rect.center().y);
        assert!((frame.scale() - 400.0).abs() < 1e-3);
    }

    #[test]
    fn every_periodic_copy_that_shows_is_marked() {
        let rect = Rect::from_min_size(Pos2::ZERO, egui::vec2(250.0, 100.0));
        // From −0.75 to 1.75 across, from 0 to 1 up.
        let frame = Frame::new(rect, SliceView::default());
        assert_eq!(frame.copies_along(0, 0.5, 0.5).collect::<Vec<_>>(), [-1.0, 0.0, 1.0]);
        assert_eq!(frame.copies_along(0, 0.2, 0.2).collect::<Vec<_>>(), [0.0, 1.0]);
        // What goes on over the far face also shows at the near one.
        assert_eq!(frame.copies_along(1, 0.9, 1.1).collect::<Vec<_>>(), [-1.0, 0.0]);
        assert_eq!(frame.copies([0.5, 0.9], [0.5, 1.1]).count(), 6);
        // Its neighbours end where the box does; a place on its face is on both.
        assert_eq!(frame.copies_along(1, 0.0, 1.0).collect::<Vec<_>>(), [0.0]);
        assert_eq!(frame.copies_along(1, 0.0, 0.0).collect::<Vec<_>>(), [0.0, 1.0]);
    }

    #[test]
    fn a_copy_is_as_near_as_the_place_itself() {
        let rect = Rect::from_min_size(Pos2::ZERO, egui::vec2(300.0, 100.0));
        let frame = Frame::new(rect, SliceView { middle: [0.9, 0.9], zoom: 1.0 });
        for shift in [0.0, -1.0, 1.0] {
            let p = frame.to_screen([0.1 + shift, 0.2]) + egui::vec2(3.0, 4.0);
            let [x, y] = frame.away(p, [0.1, 0.2]);
            assert!((x - 3.0).abs() < 1e-2 && (y - 4.0).abs() < 1e-2, "{x}, {y}");
        }
    }

    #[test]
    fn a_pointer_between_pictures_steers_the_nearer_one() {
        let whole = Rect::from_min_size(Pos2::ZERO, egui::vec2(200.0, 100.0));
        let (left, right) = whole.split_left_right_at_fraction(0.5);
        let halves = [left.with_max_x(99.0), right.with_min_x(101.0)];
        assert_eq!([20.0, 99.5, 100.5, 180.0, 400.0].map(|x| nearest(&halves, Pos2::new(x, 50.0))), [0, 0, 1, 1, 1]);
    }
}

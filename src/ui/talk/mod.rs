//! A talk: scenes in their order, and what is seen at any moment of it.
//!
//! [`Talk::at`] is a pure function of time. The window plays it from the clock, and a recording
//! draws its frame `k` at `k / fps` from the same: both show the same pictures. [`presentation`] is a
//! talk that is being given, [`frame`] what the audience sees of it.

mod between;
pub(super) mod frame;
pub(super) mod presentation;
mod scene;

use serde::{Deserialize, Serialize};

use self::between::{between, cuts, eased};
pub use self::scene::{Action, Run, Scene, Sweep};
use super::view_state::ViewState;
use super::workspace::Pane;

/// Scenes, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Talk {
    /// The scenes.
    pub scenes: Vec<Scene>,
}

/// What is seen at one moment of a talk.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment<'a> {
    /// The scene that it belongs to.
    pub scene: usize,
    /// How the pictures are looked at.
    pub view: ViewState,
    /// The panels, side by side, the first the widest.
    pub panes: &'a [Pane],
    /// What is written at the lower left.
    pub caption: &'a str,
    /// How visible the pictures are, 0 to 1: they fade where what is seen next has nothing in
    /// common with what was seen before.
    pub light: f32,
    /// How visible the caption is, 0 to 1.
    pub caption_light: f32,
    /// The denoising step that is looked at; `None` for the map as it is.
    pub playing: Option<Playing>,
    /// Whether nothing moves from here to the end of the scene.
    pub at_rest: bool,
}

/// How far denoising steps were played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Playing {
    /// Which steps.
    pub run: Run,
    /// From the first (0) to the end of the last (1).
    pub share: f32,
}

impl Playing {
    /// The place of the step on show among `steps` that were kept (their numbers, 1 the first, in
    /// order); `None` for the finished map.
    pub fn step(&self, steps: &[usize]) -> Option<usize> {
        let last = *steps.last()?;
        let first = self.run.from.unwrap_or(1).min(last);
        let end = self.run.pause.unwrap_or(last).min(last);
        let number = first + (self.share * (end + 1 - first) as f32) as usize;
        if number > end && self.run.pause.is_none() {
            return None;
        }
        // The newest that was kept up to then.
        Some(steps.iter().rposition(|&s| s <= number.min(end)).unwrap_or(0))
    }
}

impl Talk {
    /// How long it takes, seconds.
    pub fn seconds(&self) -> f64 {
        self.scenes.iter().map(|scene| f64::from(scene.seconds)).sum()
    }

    /// When a scene begins, seconds.
    pub fn start_of(&self, scene: usize) -> f64 {
        self.scenes.iter().take(scene).map(|scene| f64::from(scene.seconds)).sum()
    }

    /// What is seen `seconds` after the beginning; `None` for a talk without scenes. Before its
    /// beginning and after its end that is what is seen then.
    pub fn at(&self, seconds: f64) -> Option<Moment<'_>> {
        let mut into = seconds.max(0.0);
        let mut index = 0;
        while index + 1 < self.scenes.len() && into >= f64::from(self.scenes[index].seconds) {
            into -= f64::from(self.scenes[index].seconds);
            index += 1;
        }
        match index.checked_sub(1) {
            Some(before) => self.moment(index, into, Some((before, &self.scenes[before].view_at(1.0)))),
            None => self.moment(index, into, None),
        }
    }

    /// What is seen `seconds` after a scene was called, coming `from` another and how it was looked
    /// at just then; `None` where there is no such scene.
    pub fn moment(&self, index: usize, seconds: f64, from: Option<(usize, &ViewState)>) -> Option<Moment<'_>> {
        let scene = self.scenes.get(index)?;
        let seconds = seconds as f32;
        let before = from.and_then(|(before, view)| Some((self.scenes.get(before)?, view)));
        let way_in = if before.is_some() { scene.way_in() } else { 0.0 };
        let length = scene.seconds - way_in;
        let share = if length > 0.0 { ((seconds - way_in) / length).clamp(0.0, 1.0) } else { 1.0 };
        let reached = Moment {
            scene: index,
            view: scene.view_at(share),
            panes: &scene.panes,
            caption: &scene.caption,
            light: 1.0,
            caption_light: 1.0,
            playing: scene.action.run.map(|run| Playing { run, share }),
            at_rest: seconds >= scene.seconds || (seconds >= way_in && scene.action == Action::default()),
        };
        let Some((before, view)) = before.filter(|_| seconds < way_in) else { return Some(reached) };
        let way = eased(seconds / way_in);
        let beginning = scene.view_at(0.0);
        let played = before.action.run.map(|run| Playing { run, share: 1.0 });
        let other = before.panes != scene.panes || played != reached.playing || cuts(view, &beginning);
        // Dark half way, where one picture takes the place of the other.
        let faded = (2.0 * way - 1.0).abs();
        let first_half = way < 0.5;
        Some(Moment {
            view: between(view, &beginning, way),
            panes: if first_half { &before.panes } else { &scene.panes },
            caption: if first_half { &before.caption } else { &scene.caption },
            playing: if first_half { played } else { reached.playing },
            light: if other { faded } else { 1.0 },
            caption_light: if before.caption != scene.caption { faded } else { 1.0 },
            at_rest: false,
            ..reached
        })
    }

    /// Whether every scene is one that the window can have made.
    pub fn is_sound(&self) -> bool {
        self.scenes.len() <= 1000 && self.scenes.iter().all(Scene::is_sound)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::field::Layer;
    use crate::render::{ColorMap, ColorScale};
    use crate::ui::view_state::{Compare, Quantity};

    fn scene() -> impl Strategy<Value = Scene> {
        let camera = (-7.0f32..7.0, -1.5f32..1.5, 0.3f32..8.0);
        let look = (0usize..2, 0.0f32..0.4, 0.6f32..1.0, any::<bool>(), 1.0f32..2.0);
        let action = (-360.0f32..360.0, any::<bool>(), any::<bool>(), any::<bool>());
        (camera, look, action, 0.5f32..12.0, 0.0f32..3.0).prop_map(|(camera, look, action, seconds, transition)| {
            let mut view = ViewState::default();
            (view.camera.yaw, view.camera.pitch, view.camera.distance) = camera;
            let (layer, low, high, swipes, range) = look;
            view.layer = [Layer::DarkMatter, Layer::Reference][layer];
            (view.clip[0][2], view.clip[1][2]) = (low, high);
            view.scales.insert(Quantity::Matter, ColorScale::log(0.1 * range, 100.0 * range, ColorMap::Magma));
            if swipes {
                view.compare = Compare::Swipe;
            }
            let action = Action {
                orbit: action.0,
                swipe: action.1.then_some([0.1, 0.9]),
                sweep: action.2.then_some(Sweep { axis: 2, from: 0.2, to: 0.8 }),
                run: action.3.then(Run::default),
            };
            Scene { seconds, transition, view, action, ..Scene::default() }
        })
    }

    /// How far two views are apart in what moves.
    fn apart(a: &ViewState, b: &ViewState) -> f32 {
        let turn = (a.camera.yaw - b.camera.yaw + 3.0).rem_euclid(std::f32::consts::TAU) - 3.0;
        let scale = |view: &ViewState| view.scale(Quantity::Matter).low;
        [
            turn,
            a.camera.pitch - b.camera.pitch,
            (a.camera.distance / b.camera.distance).ln(),
            a.crosshair[2] - b.crosshair[2],
            a.clip[0][2] - b.clip[0][2],
            a.clip[1][2] - b.clip[1][2],
            a.swipe - b.swipe,
            (scale(a) / scale(b)).ln(),
        ]
        .into_iter()
        .fold(0.0, |most, v| most.max(v.abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_scene_is_reached_exactly_and_nothing_jumps(scenes in prop::collection::vec(scene(), 2..5)) {
            let talk = Talk { scenes };
            prop_assert!(talk.is_sound());
            for (index, scene) in talk.scenes.iter().enumerate() {
                let (start, end) = (talk.start_of(index), talk.start_of(index + 1));
                // When its way in is over it is what was captured, with its action at its beginning.
                let reached = start + if index > 0 { f64::from(scene.way_in()) } else { 0.0 };
                let at = |t: f64| talk.at(t).unwrap();
                prop_assert!(apart(&at(reached).view, &scene.view_at(0.0)) < 1e-3);
                prop_assert!(apart(&at(end - 1e-6).view, &scene.view_at(1.0)) < 1e-3);
                if index > 0 && scene.way_in() > 0.0 {
                    // It begins as the scene before ended, to the last bit.
                    prop_assert_eq!(&at(start).view, &talk.scenes[index - 1].view_at(1.0));
                    prop_assert_eq!(at(start).light, 1.0);
                }
            }
            let ended = talk.at(talk.seconds() + 5.0).unwrap();
            prop_assert_eq!(&ended.view, &talk.scenes.last().unwrap().view_at(1.0));
            prop_assert!(ended.at_rest);
            // A thousandth of a second moves nothing by more than what a cut (no way in) may.
            let frame = 1e-3;
            let mut last = talk.at(0.0).unwrap();
            for k in 1..(talk.seconds() / frame) as usize {
                let now = talk.at(k as f64 * frame).unwrap();
                let cut = now.scene != last.scene && talk.scenes[now.scene].way_in() < 0.05;
                let fast = talk.scenes[now.scene].way_in() < 0.5 || talk.scenes[now.scene].seconds < 1.0;
                if !cut && !fast {
                    prop_assert!(apart(&last.view, &now.view) < 0.04, "{:?} to {:?}", last.view, now.view);
                    prop_assert!((last.light - now.light).abs() < 0.02);
                }
                // Pictures change in the dark.
                if last.scene == now.scene && !cut && (last.view.layer, last.view.compare) != (now.view.layer, now.view.compare) {
                    prop_assert!(last.light.min(now.light) < 0.02 || fast);
                }
                last = now;
            }
        }
    }

    #[test]
    fn kept_steps_are_played_to_the_map_or_to_where_they_are_held() {
        let steps: Vec<usize> = (1..=12).collect();
        let at = |run: Run, share: f32| Playing { run, share }.step(&steps).map(|i| steps[i]);
        let whole = Run::default();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|s| at(whole, s)), [Some(1), Some(7), Some(12), None]);
        let held = Run { from: Some(3), pause: Some(5) };
        assert_eq!([0.0, 0.5, 1.0].map(|s| at(held, s)), [Some(3), Some(4), Some(5)]);
        // Every second step was kept; more were asked for than there are.
        let kept = Playing { run: Run { from: None, pause: Some(40) }, share: 1.0 };
        assert_eq!(kept.step(&[1, 3, 5]), Some(2));
        assert_eq!(kept.step(&[]), None);
    }
}

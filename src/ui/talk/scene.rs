//! A scene of a talk: what is seen, what is said of it, and what moves meanwhile.

use serde::{Deserialize, Serialize};

use super::between::steady;
use crate::ui::view_state::ViewState;
use crate::ui::workspace::Pane;

/// A scene: a view, how long it is looked at, and what happens in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scene {
    /// Name in the list of scenes.
    pub name: String,
    /// What the audience reads, at the lower left; lines are kept.
    pub caption: String,
    /// How long it lasts, the way from the scene before included, seconds.
    pub seconds: f32,
    /// How long the way from the scene before takes, seconds; 0 cuts.
    pub transition: f32,
    /// The panels that are seen, side by side, the first the widest.
    pub panes: Vec<Pane>,
    /// How they are looked at when nothing moves yet.
    pub view: ViewState,
    /// What moves once the scene is reached.
    pub action: Action,
}

/// What moves in a scene, from when it is reached to its end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Action {
    /// The camera goes round the box by so many degrees.
    pub orbit: f32,
    /// The line between two fields goes from here to there, 0 to 1.
    pub swipe: Option<[f32; 2]>,
    /// The crosshair goes through the box, and a clipped slab with it.
    pub sweep: Option<Sweep>,
    /// The networks run, or the steps that they were seen at are played.
    pub run: Option<Run>,
}

/// A way of the crosshair along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The axis: 0, 1 or 2 for x, y or z.
    pub axis: usize,
    /// Where it begins, in box sides.
    pub from: f32,
    /// Where it ends.
    pub to: f32,
}

/// Denoising steps that are played over a scene. Where the prediction was not made yet it is made
/// now, at the speed of the machine, and held after the last of these steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The first step, 1 or higher.
    pub from: Option<usize>,
    /// The last step, 0 to hold before the first; `None` goes on to the map.
    pub pause: Option<usize>,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            name: String::new(),
            caption: String::new(),
            seconds: 8.0,
            transition: 1.5,
            panes: vec![Pane::Volume],
            view: ViewState::default(),
            action: Action::default(),
        }
    }
}

impl Scene {
    /// Longest scene, seconds.
    pub const LONGEST: f32 = 3600.0;

    /// The view `share` of the way through the action, 0 to 1.
    pub fn view_at(&self, share: f32) -> ViewState {
        let mut view = self.view.clone();
        let way = steady(share);
        if self.action.orbit != 0.0 {
            view.camera.yaw += self.action.orbit.to_radians() * way;
        }
        if let Some([from, to]) = self.action.swipe {
            view.swipe = from + (to - from) * way;
        }
        if let Some(Sweep { axis, from, to }) = self.action.sweep {
            let at = from + (to - from) * way;
            let [low, high] = [view.clip[0][axis], view.clip[1][axis]];
            if [low, high] != [0.0, 1.0] {
                let half = 0.5 * (high - low);
                let middle = at.clamp(half, 1.0 - half);
                (view.clip[0][axis], view.clip[1][axis]) = ((middle - half).max(0.0), (middle + half).min(1.0));
            }
            view.crosshair[axis] = at;
        }
        view
    }

    /// The way from the scene before, seconds: at most half of the scene, so that its action has
    /// the rest.
    pub fn way_in(&self) -> f32 {
        self.transition.min(0.5 * self.seconds)
    }

    /// Whether every number is one that the window can have made; what was read from a file may
    /// hold any.
    pub fn is_sound(&self) -> bool {
        let Action { orbit, swipe, sweep, run } = &self.action;
        let in_box = |v: &f32| (0.0..=1.0).contains(v);
        self.view.is_sound()
            && (0.0..=Self::LONGEST).contains(&self.seconds)
            && (0.0..=60.0).contains(&self.transition)
            && (1..=4).contains(&self.panes.len())
            && self.panes.iter().all(|pane| Pane::ALL.contains(pane))
            && orbit.abs() <= 36_000.0
            && swipe.iter().flatten().all(in_box)
            && sweep.is_none_or(|s| s.axis < 3 && in_box(&s.from) && in_box(&s.to))
            && run.is_none_or(|run| run.from != Some(0) && run.pause.is_none_or(|p| p >= run.from.unwrap_or(0)))
    }
}

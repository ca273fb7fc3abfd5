//! A talk that is being given: which scene, since when, and who steers.

use egui::{Context, CursorIcon, Key, Modifiers, Theme, ViewportCommand};

use super::{Moment, Scene, Talk};
use crate::field::Layer;
use crate::pipeline::Job;
use crate::predict::Stage;
use crate::ui::app::HalodiApp;
use crate::ui::view_state::ViewState;
use crate::ui::workspace::Pane;

/// Height of the window in points while a talk is given: with that of a 1080-line screen in pixels,
/// type is 1.6 times as large as it is otherwise.
pub const HEIGHT: f32 = 1080.0 / 1.6;
/// How long the cursor rests before it hides, seconds.
const CURSOR: f32 = 1.5;
/// What is shown where a scene's layer is not made yet, the nearest to it first.
const INSTEAD: [Layer; 4] =
    [Layer::BrightnessTemperature, Layer::ConditionalMean, Layer::HaloMass(1), Layer::DarkMatter];

/// What is seen beside pictures: the part of a [`Moment`] that is no view.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::ui) struct Seen {
    pub panes: Vec<Pane>,
    pub caption: String,
    pub light: f32,
    pub caption_light: f32,
    /// Whether the talk has captions: there is room for them in every scene then.
    pub captions: bool,
}

/// A talk that is being given.
pub(in crate::ui) struct Presentation {
    /// What is on the screen now.
    pub seen: Seen,
    /// What moves it; `None` for a moment that stays until another one is asked for.
    live: Option<Box<Live>>,
    before: Before,
}

/// A talk that the clock and the speaker move.
struct Live {
    scene: usize,
    /// When it was called; `None` in the frame that calls it.
    since: Option<f64>,
    /// The scene before, and how it was looked at when this one was called.
    from: Option<(usize, ViewState)>,
    /// Whether scenes follow each other by themselves.
    goes_on: bool,
    /// The view as the talk left it: another one means that the speaker has taken over.
    left: Option<ViewState>,
    /// A talk of one scene, where there are no others.
    own: Option<Talk>,
    /// Whether the scene has started the networks: once is enough, also where they fail.
    started: bool,
    /// Whether they ran while the scene was seen: what they made is not played again in it.
    ran: bool,
}

/// How the window was, to be so again.
struct Before {
    theme: Theme,
    zoom: f32,
    fullscreen: bool,
    step: Option<usize>,
}

impl Before {
    fn of(app: &HalodiApp, ctx: &Context) -> Self {
        Self {
            theme: ctx.theme(),
            zoom: ctx.zoom_factor(),
            fullscreen: ctx.input(|i| i.viewport().fullscreen.unwrap_or(false)),
            step: app.subject.step,
        }
    }
}

impl Presentation {
    /// The theme of the window when no talk is given.
    pub fn theme(&self) -> Theme {
        self.before.theme
    }

    /// Whether it is one moment, for which pictures are drawn in full quality, however long that
    /// takes.
    pub fn is_held(&self) -> bool {
        self.live.is_none()
    }

    /// Whether scenes say what is seen, and not the window.
    pub fn is_scripted(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.own.is_none())
    }

    /// The number of the scene, where the clock runs.
    pub fn scene(&self) -> Option<usize> {
        self.live.as_ref().map(|live| live.scene)
    }
}

/// Give the talk from a scene on, in full screen; without scenes, show what is on show and nothing
/// else.
pub(in crate::ui) fn start(app: &mut HalodiApp, ctx: &Context, scene: usize) {
    let own = app.talk.scenes.is_empty().then(|| {
        let panes = vec![app.workspace.maximised.unwrap_or(Pane::Volume)];
        Talk { scenes: vec![Scene { panes, view: app.view.clone(), ..Scene::default() }] }
    });
    let last = app.talk.scenes.len().saturating_sub(1);
    let live = Live {
        scene: scene.min(last),
        since: None,
        from: None,
        goes_on: false,
        left: None,
        own,
        started: false,
        ran: false,
    };
    let before = Before::of(app, ctx);
    app.presentation = Some(Presentation { seen: Seen::default(), live: Some(Box::new(live)), before });
    ctx.memory_mut(|memory| memory.stop_text_input());
    ctx.set_theme(Theme::Dark);
    ctx.send_viewport_cmd(ViewportCommand::Fullscreen(true));
    app.playing = None;
}

/// Back to the window. The view stays that of the scene; undo brings back the one before.
pub(in crate::ui) fn leave(app: &mut HalodiApp, ctx: &Context) {
    let Some(presentation) = app.presentation.take() else { return };
    let Before { theme, zoom, fullscreen, step } = presentation.before;
    ctx.set_theme(theme);
    ctx.set_zoom_factor(zoom);
    ctx.send_viewport_cmd(ViewportCommand::Fullscreen(fullscreen));
    app.subject.step = step.filter(|&step| step < app.subject.job.steps.len());
    if let Some(job) = &app.job {
        job.control.set_paused(false);
    }
}

/// Show one moment, and nothing else until another one is asked for.
pub(in crate::ui) fn hold(app: &mut HalodiApp, ctx: &Context, moment: &Moment<'_>, captions: bool) {
    let before = match app.presentation.take() {
        Some(presentation) => presentation.before,
        None => Before::of(app, ctx),
    };
    ctx.set_theme(Theme::Dark);
    let seen = Seen { captions, ..seen(moment) };
    show(app, moment, true);
    app.presentation = Some(Presentation { seen, live: None, before });
}

/// The keys of a talk, before any other sees them.
pub(in crate::ui) fn keys(app: &mut HalodiApp, ctx: &Context) {
    let scenes = app.talk.scenes.len();
    if app.dialogs.are_open() || ctx.text_edit_focused() {
        return;
    }
    let Some(Presentation { live: Some(live), .. }) = &mut app.presentation else { return };
    let mut to = None;
    ctx.input_mut(|input| {
        // A key that is held is one step.
        input.events.retain(|event| !matches!(event, egui::Event::Key { repeat: true, .. }));
        let mut pressed = |keys: &[Key]| keys.iter().any(|key| input.consume_key(Modifiers::NONE, *key));
        if pressed(&[Key::PageDown, Key::ArrowRight, Key::Space, Key::Enter]) {
            to = Some(live.scene + 1);
        } else if pressed(&[Key::PageUp, Key::ArrowLeft, Key::Backspace]) {
            to = live.scene.checked_sub(1);
        } else if pressed(&[Key::Home]) {
            to = Some(0);
        } else if pressed(&[Key::End]) {
            to = scenes.checked_sub(1);
        } else if pressed(&[Key::K]) {
            live.goes_on = !live.goes_on;
        }
    });
    if let Some(scene) = to.filter(|&scene| scene < scenes && scene != live.scene) {
        live.call(scene, &app.view);
    }
}

impl Live {
    fn call(&mut self, scene: usize, view: &ViewState) {
        (self.from, self.scene, self.since, self.left) = (Some((self.scene, view.clone())), scene, None, None);
        (self.started, self.ran) = (false, false);
    }
}

/// Let the talk go on to the present.
pub(in crate::ui) fn advance(app: &mut HalodiApp, ctx: &Context) {
    let Some(mut presentation) = app.presentation.take() else { return };
    enlarge(ctx);
    if let Some(live) = &mut presentation.live {
        let now = ctx.input(|i| i.time);
        let talk = live.own.clone().unwrap_or_else(|| app.talk.clone());
        live.scene = live.scene.min(talk.scenes.len().saturating_sub(1));
        let length = talk.scenes.get(live.scene).map_or(0.0, |scene| f64::from(scene.seconds));
        let over = live.since.is_some_and(|since| now - since >= length);
        if over && live.goes_on && live.scene + 1 < talk.scenes.len() {
            live.call(live.scene + 1, &app.view);
        }
        let into = now - *live.since.get_or_insert(now);
        let from = live.from.as_ref().map(|(scene, view)| (*scene, view));
        let Some(moment) = talk.moment(live.scene, into, from) else {
            app.presentation = Some(presentation);
            return leave(app, ctx);
        };
        presentation.seen =
            Seen { captions: talk.scenes.iter().any(|scene| !scene.caption.is_empty()), ..seen(&moment) };
        let taken_over = live.left.as_ref().is_some_and(|left| *left != app.view);
        compute(app, &moment, &mut live.started);
        live.ran |= app.job.is_some();
        if !taken_over {
            show(app, &moment, !live.ran);
            live.left = Some(app.view.clone());
        }
        if !moment.at_rest || live.goes_on {
            ctx.request_repaint_after(std::time::Duration::from_millis(16));
        }
    }
    app.presentation = Some(presentation);
}

fn seen(moment: &Moment<'_>) -> Seen {
    Seen {
        panes: moment.panes.to_vec(),
        caption: moment.caption.to_owned(),
        light: moment.light,
        caption_light: moment.caption_light,
        captions: false,
    }
}

/// Look as a moment does, as far as there is anything to look at; `play` kept denoising steps, or
/// show the newest state.
fn show(app: &mut HalodiApp, moment: &Moment<'_>, play: bool) {
    app.view = moment.view.clone();
    let there = |layer: &Layer| app.subject.has(*layer);
    if !there(&app.view.layer)
        && let Some(layer) = INSTEAD.into_iter().find(there)
    {
        app.view.layer = layer;
    }
    let steps: Vec<usize> = app.subject.job.steps.iter().map(|step| step.step + 1).collect();
    let played = moment.playing.filter(|_| play && app.subject.outcome.is_some());
    app.subject.step = played.and_then(|playing| playing.step(&steps));
}

/// Start the networks where a scene asks for them, and hold them where it does.
fn compute(app: &mut HalodiApp, moment: &Moment<'_>, started: &mut bool) {
    let run = moment.playing.map(|playing| playing.run);
    let wanted = run.is_some() && app.subject.outcome.is_none() && app.subject.opened().is_some();
    if wanted && app.job.is_none() && !std::mem::replace(started, true) {
        app.start(Stage::Statistics);
    }
    let Some(job) = &app.job else { return };
    let done = app.subject.job.steps.len();
    let painting = app.subject.job.progress.is_some_and(|p| p.stage == Stage::Lodi);
    let hold = painting && run.and_then(|run| run.pause).is_some_and(|last| done >= last);
    if job_is_on_show(app, job) && hold != job.control.is_paused() {
        job.control.set_paused(hold);
    }
}

fn job_is_on_show(app: &HalodiApp, job: &Job) -> bool {
    job.id() == app.subject.job.job
}

/// As many pixels a point as the height of the window asks for.
fn enlarge(ctx: &Context) {
    let wanted = ctx.content_rect().height() * ctx.pixels_per_point() / HEIGHT;
    if (ctx.pixels_per_point() / wanted - 1.0).abs() > 0.02 && wanted > 0.1 {
        ctx.set_pixels_per_point(wanted);
    }
}

/// Hide the cursor once it rests.
pub(in crate::ui) fn hide_cursor(ctx: &Context) {
    let (rests, dragging) = ctx.input(|i| (i.pointer.time_since_last_movement(), i.pointer.any_down()));
    if dragging {
        return;
    }
    if rests > CURSOR {
        ctx.set_cursor_icon(CursorIcon::None);
    } else {
        ctx.request_repaint_after_secs(CURSOR - rests + 0.01);
    }
}

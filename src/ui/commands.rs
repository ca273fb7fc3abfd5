//! Everything that a key, the palette or a menu can ask for, as data.

use egui::{Context, Event, Key, KeyboardShortcut, Modifiers};

use super::app::{HalodiApp, Leaving};
use super::dialogs;
use super::export::{self, FigureAsked, Width};
use super::log::Level;
use super::subject::LAYERS;
use super::talk::presentation;
use super::view_state::{Compare, SliceView};
use super::workspace::Pane;
use crate::render::{OrbitCamera, VolumeMode};

/// A thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Choose a snapshot.
    Open,
    /// Open the snapshot that comes with Halodi.
    Demo,
    /// Choose a reference map.
    Reference,
    /// Start, pause or resume.
    Run,
    /// Stop the job.
    Cancel,
    /// Write results.
    Save,
    /// Write a panel as a figure.
    SaveFigure,
    /// Record the scenes, or a turn around the box, as a film.
    Record,
    /// Copy the picture.
    CopyPicture,
    /// Copy the values at the probe.
    CopyValues,
    /// Copy the spectra as a table.
    CopySpectra,
    /// Copy the plots of the spectra.
    CopyPlots,
    /// Show a layer.
    Layer(usize),
    /// Compare this way (again: stop comparing).
    Compare(Compare),
    /// Take the suggested colour range.
    AutoRange,
    /// The next way to look at the volume.
    NextMode,
    /// With perspective or without.
    Perspective,
    /// Whole box, as at the start.
    ResetView,
    /// Move the slice under the cursor.
    Step(i64),
    /// Play through slices.
    Play,
    /// Keep a probe where the cursor is.
    Pin,
    /// Profile along an axis through the crosshair.
    Profile(usize),
    /// A region about the crosshair.
    Region,
    /// Crosshair to the strongest voxel.
    Brightest,
    /// Show a slab about the crosshair, across an axis.
    Slab(usize),
    /// The crosshair in the volume.
    Cross,
    /// Forget pins, region, line and band.
    ClearMarks,
    /// Hold the probe where it is.
    Freeze,
    /// Outline tiles.
    Tiles,
    /// Light the faces of tiles.
    Faces,
    /// To the next face, or the one before.
    Face {
        /// The next.
        forward: bool,
    },
    /// Interpolate slices.
    Smooth,
    /// Undo a change of the view.
    Undo,
    /// Redo it.
    Redo,
    /// Find a command.
    Palette,
    /// Show the keys.
    Help,
    /// Open the drawer.
    Drawer,
    /// Panels as they were at first.
    ResetLayout,
    /// Maximise a panel, or bring the others back.
    Maximise(Pane),
    /// Give the talk, or show nothing but the picture.
    Talk,
    /// The same, from the scene that was chosen.
    TalkFromHere,
    /// Add a scene of what is on show.
    AddScene,
    /// Give the talk that comes with Halodi.
    OpenDemoTalk,
    /// Write what is open into a file.
    SaveSession,
    /// The whole screen.
    Fullscreen,
    /// Light or dark.
    Theme,
    /// The tour.
    Tour,
    /// Back.
    Escape,
}

/// A command as the user meets it.
pub struct Entry {
    /// What it does.
    pub command: Command,
    /// Its name.
    pub name: &'static str,
    /// Its key.
    pub key: Option<KeyboardShortcut>,
    /// Where it belongs.
    pub group: &'static str,
}

const fn entry(group: &'static str, command: Command, name: &'static str, key: Key) -> Entry {
    Entry { command, name, key: Some(KeyboardShortcut::new(Modifiers::NONE, key)), group }
}

const fn ctrl(group: &'static str, command: Command, name: &'static str, key: Key) -> Entry {
    Entry { command, name, key: Some(KeyboardShortcut::new(Modifiers::COMMAND, key)), group }
}

const fn shift(group: &'static str, command: Command, name: &'static str, key: Key) -> Entry {
    Entry { command, name, key: Some(KeyboardShortcut::new(Modifiers::SHIFT, key)), group }
}

const fn bare(group: &'static str, command: Command, name: &'static str) -> Entry {
    Entry { command, name, key: None, group }
}

const FILE: &str = "Files";
const JOB: &str = "Job";
const LAYERS_GROUP: &str = "Layers";
const LOOK: &str = "View";
const MEASURE: &str = "Measure";
const TALK: &str = "Talk";
const WINDOW: &str = "Window";

/// Every command, as the `?` sheet lists them.
pub const COMMANDS: &[Entry] = &[
    ctrl(FILE, Command::Open, "Open snapshot or session…", Key::O),
    bare(FILE, Command::Demo, "Open the demo"),
    bare(FILE, Command::Reference, "Load reference…"),
    Entry {
        command: Command::SaveSession,
        name: "Save the session…",
        key: Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::S)),
        group: FILE,
    },
    ctrl(FILE, Command::Save, "Save results…", Key::R),
    ctrl(FILE, Command::SaveFigure, "Save a figure…", Key::S),
    entry(FILE, Command::Record, "Record a film…", Key::F9),
    bare(FILE, Command::CopyPicture, "Copy the picture"),
    Entry {
        command: Command::CopyValues,
        name: "Copy the values at the probe",
        key: Some(KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::C)),
        group: FILE,
    },
    bare(FILE, Command::CopySpectra, "Copy the spectra as a table"),
    bare(FILE, Command::CopyPlots, "Copy the spectra as a picture"),
    entry(JOB, Command::Run, "Run, pause or resume", Key::Space),
    bare(JOB, Command::Cancel, "Cancel the job"),
    entry(LAYERS_GROUP, Command::Layer(0), "Dark matter", Key::Num1),
    entry(LAYERS_GROUP, Command::Layer(1), "Haloes, bin 1", Key::Num2),
    entry(LAYERS_GROUP, Command::Layer(2), "Haloes, bin 2", Key::Num3),
    entry(LAYERS_GROUP, Command::Layer(3), "Haloes, bin 3", Key::Num4),
    entry(LAYERS_GROUP, Command::Layer(4), "Haloes, bin 4", Key::Num5),
    entry(LAYERS_GROUP, Command::Layer(5), "21 cm prediction", Key::Num6),
    entry(LAYERS_GROUP, Command::Layer(6), "21 cm reference", Key::Num7),
    entry(LAYERS_GROUP, Command::Layer(7), "21 cm conditional mean", Key::Num8),
    entry(LAYERS_GROUP, Command::Layer(8), "21 cm latent", Key::Num9),
    entry(LAYERS_GROUP, Command::Layer(9), "Disagreement of windows", Key::Num0),
    entry(LAYERS_GROUP, Command::Compare(Compare::Blink), "Blink between prediction and reference", Key::B),
    entry(LAYERS_GROUP, Command::Compare(Compare::Swipe), "Swipe between them", Key::W),
    entry(LAYERS_GROUP, Command::Compare(Compare::SideBySide), "Side by side", Key::D),
    entry(LAYERS_GROUP, Command::Compare(Compare::Residual), "Residual", Key::R),
    entry(LOOK, Command::NextMode, "Next way to look at the volume", Key::V),
    entry(LOOK, Command::Perspective, "Perspective or orthographic", Key::O),
    entry(LOOK, Command::AutoRange, "Fit the colour range once", Key::C),
    entry(LOOK, Command::ResetView, "Whole box", Key::Home),
    entry(LOOK, Command::Tiles, "Outline tiles", Key::T),
    entry(LOOK, Command::Faces, "Light the faces of tiles", Key::E),
    entry(LOOK, Command::Face { forward: true }, "To the next face of a tile", Key::G),
    shift(LOOK, Command::Face { forward: false }, "To the face before", Key::G),
    entry(LOOK, Command::Smooth, "Interpolate slices", Key::I),
    bare(LOOK, Command::Cross, "Show the crosshair in the volume"),
    bare(LOOK, Command::Slab(0), "Slab about the crosshair across x"),
    bare(LOOK, Command::Slab(1), "Slab about the crosshair across y"),
    bare(LOOK, Command::Slab(2), "Slab about the crosshair across z"),
    entry(LOOK, Command::Step(1), "Next slice", Key::PageUp),
    entry(LOOK, Command::Step(-1), "Slice before", Key::PageDown),
    shift(LOOK, Command::Step(10), "Ten slices on", Key::PageUp),
    shift(LOOK, Command::Step(-10), "Ten slices back", Key::PageDown),
    entry(LOOK, Command::Play, "Play through slices", Key::K),
    entry(MEASURE, Command::Freeze, "Hold the probe where it is", Key::F),
    entry(MEASURE, Command::Pin, "Pin a probe under the cursor", Key::P),
    entry(MEASURE, Command::Profile(0), "Profile along x through the crosshair", Key::L),
    bare(MEASURE, Command::Profile(1), "Profile along y through the crosshair"),
    bare(MEASURE, Command::Profile(2), "Profile along z through the crosshair"),
    bare(MEASURE, Command::Region, "Region about the crosshair"),
    bare(MEASURE, Command::Brightest, "Crosshair to the brightest voxel that is shown"),
    entry(MEASURE, Command::ClearMarks, "Clear pins, region, line and band", Key::Delete),
    ctrl(WINDOW, Command::Undo, "Undo a change of the view", Key::Z),
    ctrl(WINDOW, Command::Redo, "Redo it", Key::Y),
    ctrl(WINDOW, Command::Palette, "Find a command", Key::P),
    shift(WINDOW, Command::Help, "Keys and gestures", Key::Questionmark),
    entry(WINDOW, Command::Drawer, "Settings, provenance and log", Key::F2),
    entry(WINDOW, Command::Maximise(Pane::Volume), "Maximise the volume", Key::M),
    bare(WINDOW, Command::Maximise(Pane::Slice(2)), "Maximise the slice xy"),
    bare(WINDOW, Command::Maximise(Pane::Slice(1)), "Maximise the slice xz"),
    bare(WINDOW, Command::Maximise(Pane::Slice(0)), "Maximise the slice yz"),
    bare(WINDOW, Command::Maximise(Pane::Colors), "Maximise the colours"),
    bare(WINDOW, Command::Maximise(Pane::Spectra), "Maximise the spectra"),
    bare(WINDOW, Command::Maximise(Pane::Seams), "Maximise the seams"),
    bare(WINDOW, Command::ResetLayout, "Panels as they were at first"),
    entry(TALK, Command::Talk, "Give the talk; without scenes: Nothing but the picture", Key::F5),
    shift(TALK, Command::TalkFromHere, "Give the talk from the chosen scene on", Key::F5),
    bare(TALK, Command::OpenDemoTalk, "Give the talk that comes with Halodi"),
    entry(TALK, Command::AddScene, "Add a scene of what is on show", Key::Insert),
    entry(WINDOW, Command::Fullscreen, "Whole screen", Key::F11),
    bare(WINDOW, Command::Theme, "Light or dark"),
    bare(WINDOW, Command::Tour, "Tour of the window"),
    entry(WINDOW, Command::Escape, "Back", Key::Escape),
];

/// What the mouse does, for the `?` sheet.
pub const GESTURES: &[(&str, &str)] = &[
    ("Drag the volume", "orbit; with Shift or the middle button: move"),
    ("Drag the knob of a plane in the volume", "move the plane along its normal"),
    ("Hold B", "see the second field while the key is down"),
    ("Wheel over the volume", "zoom towards the cursor"),
    ("Right-click the volume", "crosshair to the brightest voxel on the line of sight"),
    ("Wheel over a slice", "next slice; with Shift ten; with Ctrl zoom"),
    ("Click a slice", "crosshair there; drag to move the slice, drag a line of the crosshair to move it"),
    ("Shift over a slice", "the crosshair follows the cursor"),
    ("Ctrl+drag on a slice", "a region and its statistics"),
    ("Alt+drag on a slice", "a line and its profile"),
    ("Double-click a picture", "maximise the panel, or restore"),
    ("Drag a limit of the colour bar", "colour range; the lower handles: opacity"),
    ("Drag across a spectrum", "show the fields in that band of wavenumbers; a click ends it"),
    ("Arrow keys over a picture", "orbit the volume, or move the crosshair by a voxel; with Shift: move the picture"),
    ("Plus, minus over a picture", "larger, smaller"),
    ("Tab", "to the next picture, handle or button; arrow keys move a handle"),
    ("Drop a file, or paste its path", "open it, or compare with it"),
    ("PageDown, PageUp in a talk", "next scene, scene before; K: by themselves; Esc: back to the window"),
];

/// The key of a command, for the screen.
pub fn key_of(ctx: &Context, command: Command) -> Option<String> {
    let entry = COMMANDS.iter().find(|e| e.command == command)?;
    entry.key.map(|key| key_name(ctx, &key))
}

/// What is written on a key, and those that are held with it.
pub fn key_name(ctx: &Context, key: &KeyboardShortcut) -> String {
    match key.logical_key {
        // Whichever keys make it.
        Key::Questionmark => "?".to_owned(),
        _ => ctx.format_shortcut(key),
    }
}

/// Run the commands whose keys were pressed.
pub fn keys(app: &mut HalodiApp, ctx: &Context) {
    if ctx.text_edit_focused() {
        return;
    }
    // What is open over the window has the keyboard to itself; the tour lies beside what it is about.
    if app.dialogs.have_the_keyboard() {
        let escape = ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        let help = app.dialogs.help && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Questionmark));
        if escape || help {
            app.dialogs.close_one();
        }
        return;
    }
    // Who gives up typing wants nothing else.
    if app.typing && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
        return;
    }
    // A button that the keyboard reached is pressed with Space; a picture is not.
    let focused = ctx.memory(|memory| memory.focused());
    let space = focused.is_none_or(|id| app.canvases.contains(&id));
    // More modifiers first: Ctrl+R is not R.
    let mut pressed = Vec::new();
    ctx.input_mut(|input| {
        // A key that is held is pressed once, but for those that step.
        let steps = |key: Key| {
            COMMANDS
                .iter()
                .any(|e| matches!(e.command, Command::Step(_)) && e.key.is_some_and(|k| k.logical_key == key))
        };
        input.events.retain(|event| {
            let Event::Key { key, repeat: true, .. } = event else { return true };
            steps(*key) || !COMMANDS.iter().any(|e| e.key.is_some_and(|k| k.logical_key == *key))
        });
        for with_modifiers in [true, false] {
            for entry in COMMANDS {
                let Some(key) = entry.key else { continue };
                if key.logical_key == Key::Space && !space {
                    continue;
                }
                if (key.modifiers != Modifiers::NONE) == with_modifiers && input.consume_shortcut(&key) {
                    pressed.push(entry.command);
                }
            }
        }
        // Some keyboards type a question mark with no Shift that egui sees.
        if input.consume_key(Modifiers::NONE, Key::Questionmark) {
            pressed.push(Command::Help);
        }
        let shifted = KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z);
        if input.consume_shortcut(&shifted) {
            pressed.push(Command::Redo);
        }
    });
    for command in pressed {
        if command == Command::Compare(Compare::Blink) {
            app.blink_pressed(ctx);
        }
        run(app, ctx, command);
    }
}

/// Whether a command would do anything now.
pub fn is_available(app: &HalodiApp, command: Command) -> bool {
    let open = app.subject.opened().is_some();
    match command {
        Command::Reference => open,
        Command::Run => open || app.job.is_some(),
        Command::Cancel => app.job.is_some(),
        Command::Save => app.subject.outcome.is_some(),
        Command::Layer(index) => LAYERS.get(index).is_some_and(|layer| app.subject.has(*layer)),
        Command::Compare(_) => app.subject.can_compare(&app.view),
        Command::Record => open && app.recording.is_none(),
        Command::SaveFigure
        | Command::CopyPicture
        | Command::CopyValues
        | Command::AutoRange
        | Command::Step(_)
        | Command::Face { .. }
        | Command::Play
        | Command::Pin
        | Command::Profile(_)
        | Command::Region
        | Command::Slab(_)
        | Command::Maximise(_)
        | Command::TalkFromHere
        | Command::SaveSession
        | Command::AddScene
        | Command::Talk => open,
        Command::Brightest => app.shown.is_some(),
        Command::CopySpectra | Command::CopyPlots => !app.subject.job.spectra.is_empty(),
        Command::Undo => app.undoer.has_undo(&app.edited()),
        Command::Redo => app.undoer.has_redo(&app.edited()),
        _ => true,
    }
}

/// Move the crosshair along an axis by whole voxels of the `n³` on show. The probe goes with it, where
/// it is neither held nor under the cursor.
pub fn step(app: &mut HalodiApp, axis: usize, voxels: i64, n: usize) {
    app.view.step(axis, voxels, n);
    if !app.frozen {
        app.probe = app.view.crosshair;
    }
}

/// Do it, if it can be done.
pub fn run(app: &mut HalodiApp, ctx: &Context, command: Command) {
    if !is_available(app, command) {
        return;
    }
    match command {
        Command::Open => app.choose_snapshot(),
        Command::Demo => app.leave(Leaving::For(crate::pipeline::Source::Demo)),
        Command::Reference => app.choose_reference(),
        Command::Run => match &app.job {
            Some(job) => job.control.set_paused(!job.control.is_paused()),
            None => app.run_networks(),
        },
        Command::Cancel => {
            if let Some(job) = &app.job {
                job.control.cancel();
            }
        }
        Command::Save => app.save_results(),
        Command::SaveFigure => dialogs::ask_figure(app),
        Command::Record => app.dialogs.film = Some(Default::default()),
        Command::CopyPicture => {
            let pictured = |pane: &Pane| matches!(pane, Pane::Volume | Pane::Slice(_));
            let pane = app.workspace.maximised.filter(pictured).unwrap_or(Pane::Volume);
            export::copy(app, FigureAsked::Panel(pane, Width::Page));
        }
        Command::CopyValues => {
            ctx.copy_text(super::panels::status::probe_text(app));
            app.log.say(Level::Info, "The values are on the clipboard.");
        }
        Command::CopySpectra => app.copy_spectra(ctx),
        Command::CopyPlots => export::copy(app, FigureAsked::Panel(Pane::Spectra, Width::Column)),
        Command::Layer(index) => app.choose_layer(LAYERS[index]),
        Command::Compare(compare) => {
            app.view.compare = if app.view.compare == compare { Compare::Off } else { compare };
        }
        Command::AutoRange => app.fit_range(),
        Command::NextMode => {
            let index = VolumeMode::ALL.iter().position(|m| *m == app.view.mode).unwrap_or(0);
            app.view.mode = VolumeMode::ALL[(index + 1) % VolumeMode::ALL.len()];
        }
        Command::Perspective => app.view.camera.orthographic = !app.view.camera.orthographic,
        Command::ResetView => {
            app.view.camera = OrbitCamera { orthographic: app.view.camera.orthographic, ..OrbitCamera::default() };
            app.view.slices = [SliceView::default(); 3];
            app.view.clip = [[0.0; 3], [1.0; 3]];
        }
        Command::Step(voxels) => {
            if let Some(n) = app.shown_n() {
                step(app, app.slice_axis, voxels, n);
            }
        }
        Command::Play => app.playing = app.playing.is_none().then_some(app.slice_axis),
        Command::Pin => {
            let place = app.probe;
            app.view.pins.push(place);
        }
        Command::Profile(axis) => {
            let mut ends = [app.view.crosshair; 2];
            (ends[0][axis], ends[1][axis]) = (0.0, 0.9999);
            app.view.line = Some(ends);
        }
        Command::Region => {
            // An eighth of the box along each axis, over its faces where need be.
            let low = app.view.crosshair.map(|at| (at - 1.0 / 16.0).rem_euclid(1.0));
            app.view.region = Some([low, low.map(|at| at + 0.125)]);
        }
        Command::Brightest => {
            if let Some((shown, _)) = &app.shown {
                app.look_for_brightest(shown, None);
            }
        }
        Command::Slab(axis) => app.view.slab(axis),
        Command::Cross => app.view.cross = !app.view.cross,
        Command::ClearMarks => {
            app.view.pins.clear();
            (app.view.region, app.view.line, app.view.band) = (None, None, None);
        }
        Command::Freeze => app.frozen = !app.frozen,
        Command::Tiles => app.view.tiles = !app.view.tiles,
        Command::Faces => app.view.faces = !app.view.faces,
        Command::Face { forward } => super::faces::go(app, forward),
        Command::Smooth => app.view.smooth = !app.view.smooth,
        Command::Undo => {
            let before = app.undoer.undo(&app.edited()).cloned();
            app.put_back(before);
        }
        Command::Redo => {
            let after = app.undoer.redo(&app.edited()).cloned();
            app.put_back(after);
        }
        Command::Palette => app.dialogs.palette = Some(Default::default()),
        Command::Help => app.dialogs.help = !app.dialogs.help,
        Command::Drawer => app.workspace.drawer = !app.workspace.drawer,
        Command::ResetLayout => app.workspace.reset(),
        Command::Maximise(pane) => app.workspace.toggle_maximised(pane),
        Command::Talk if app.presents() => presentation::leave(app, ctx),
        Command::Talk => presentation::start(app, ctx, 0),
        Command::TalkFromHere => presentation::start(app, ctx, app.chosen_scene.unwrap_or(0)),
        Command::OpenDemoTalk => app.leave(Leaving::ForTheTalk),
        Command::SaveSession => super::session::window::save(app, None),
        Command::AddScene => super::panels::scenes::add(app),
        Command::Fullscreen => {
            let on = ctx.input(|input| input.viewport().fullscreen.unwrap_or(false));
            ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!on));
        }
        Command::Theme => {
            let other = if ctx.theme() == egui::Theme::Dark { egui::Theme::Light } else { egui::Theme::Dark };
            ctx.set_theme(other);
        }
        Command::Tour => {
            // There has to be something to look at.
            if app.subject.opened().is_none() && app.job.is_none() {
                app.open(crate::pipeline::Source::Demo);
            }
            app.dialogs.tour = Some(0);
        }
        Command::Escape => app.back(ctx),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_commands_share_a_key_or_a_name() {
        for (i, a) in COMMANDS.iter().enumerate() {
            for b in &COMMANDS[i + 1..] {
                assert_ne!(a.name, b.name);
                assert!(a.key.is_none() || a.key != b.key, "{} and {}", a.name, b.name);
            }
        }
    }
}

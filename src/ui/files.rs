//! Paths that the user chooses: in the system's dialog, or written into a line where the
//! system has none.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use egui::{Key, RichText, TextEdit, Ui};

use super::app::{HalodiApp, Message};

/// A dialog of the system that is over so soon was none: nobody is that fast.
const NO_DIALOG: Duration = Duration::from_millis(250);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A file that is there.
    Existing,
    /// A file to be written, and how it is called unless the user says otherwise.
    New(&'static str),
    /// A folder.
    Folder,
}

type Then = Box<dyn FnOnce(PathBuf) -> Message + Send>;

/// A path that is asked for.
pub struct PathAsked {
    title: &'static str,
    wanted: Wanted,
    then: Then,
    text: String,
}

/// Ask for a path, and do `then` with it off the window's thread.
pub fn ask(
    app: &mut HalodiApp,
    title: &'static str,
    wanted: Wanted,
    then: impl FnOnce(PathBuf) -> Message + Send + 'static,
) {
    let text = match wanted {
        Wanted::New(name) => std::env::current_dir().unwrap_or_default().join(name).to_string_lossy().into_owned(),
        _ => String::new(),
    };
    let asked = PathAsked { title, wanted, then: Box::new(then), text };
    if app.writes_paths || !has_dialogs() {
        app.dialogs.path = Some(asked);
        return;
    }
    app.background(move || {
        let began = Instant::now();
        let dialog = rfd::FileDialog::new().set_title(title);
        let chosen = match wanted {
            Wanted::Existing => dialog.pick_file(),
            Wanted::New(name) => dialog.set_file_name(name).save_file(),
            Wanted::Folder => dialog.pick_folder(),
        };
        match chosen {
            Some(path) => Some((asked.then)(path)),
            None if began.elapsed() < NO_DIALOG => Some(Message::NoDialog(asked)),
            None => None,
        }
    });
}

/// Whether the system can have a dialog at all: on Linux it is asked for over the session's
/// bus, or of a program of its own.
fn has_dialogs() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let bus = var("DBUS_SESSION_BUS_ADDRESS").is_some()
        || var("XDG_RUNTIME_DIR").is_some_and(|folder| PathBuf::from(folder).join("bus").exists());
    let program = || var("PATH").is_some_and(|path| std::env::split_paths(&path).any(|p| p.join("zenity").is_file()));
    bus || program()
}

/// A path as it was written, dropped or copied: quotes and the scheme of a file manager's
/// addresses left out, the home folder put in.
pub fn path_of(text: &str) -> Option<PathBuf> {
    let text = text.trim().trim_matches(['"', '\'']);
    let text = text.strip_prefix("file://").map_or_else(|| text.to_owned(), decoded);
    if text.is_empty() || text.contains('\n') {
        return None;
    }
    match (text.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(rest), Ok(home)) => Some(home.join(rest)),
        _ => Some(text.into()),
    }
}

/// An address with its `%20` and the like as the characters they stand for.
fn decoded(address: &str) -> String {
    let bytes = address.as_bytes();
    let mut out = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        let code = address.get(i + 1..i + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[i], code) {
            (b'%', Some(byte)) => {
                out.push(byte);
                i += 3;
            }
            (byte, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The line for a path, where one is asked for.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    let Some(mut asked) = app.dialogs.path.take() else { return };
    let modal = super::dialogs::frame(ui.ctx(), "path", 16).show(ui.ctx(), |ui| {
        ui.set_width(520.0);
        ui.heading(asked.title);
        ui.add_space(4.0);
        let edit = TextEdit::singleline(&mut asked.text).hint_text("/path/to/it").desired_width(f32::INFINITY);
        let response = ui.add(edit);
        response.widget_info(|| {
            let mut info = egui::WidgetInfo::text_edit(true, "", &asked.text, "");
            info.label = Some("Path".to_owned());
            info
        });
        if !response.has_focus() && !response.lost_focus() {
            response.request_focus();
        }
        let path = path_of(&asked.text);
        let (can, remark) = remark(asked.wanted, path.as_deref());
        ui.label(RichText::new(remark).small().weak());
        ui.add_space(8.0);
        let enter = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        let name = if asked.wanted == Wanted::Existing { "Open" } else { "Save" };
        let (mut go, mut cancel) = (enter && can, false);
        ui.horizontal(|ui| {
            go |= ui.add_enabled(can, egui::Button::new(name)).clicked();
            cancel = ui.button("Cancel").clicked();
        });
        (path.filter(|_| go), cancel)
    });
    let closed = modal.should_close();
    match modal.inner {
        (Some(path), _) => app.background(move || Some((asked.then)(path))),
        (None, true) => {}
        (None, false) if closed => {}
        (None, false) => app.dialogs.path = Some(asked),
    }
}

/// Whether a path will do, and what is to be said of it.
fn remark(wanted: Wanted, path: Option<&std::path::Path>) -> (bool, &'static str) {
    let Some(path) = path else { return (false, "Write or paste a path.") };
    let folder = path.parent().is_none_or(|p| p.as_os_str().is_empty() || p.is_dir());
    match wanted {
        // A grid in a file may be named behind the path: whether it is there, opening says.
        Wanted::Existing => (true, ""),
        Wanted::New(_) if path.is_dir() => (false, "This is a folder; add the name of a file."),
        Wanted::New(_) if !folder => (false, "There is no such folder."),
        Wanted::New(_) if path.exists() => (true, "This file is there already and will be replaced."),
        Wanted::New(_) => (true, ""),
        Wanted::Folder if path.is_file() => (false, "This is a file; a folder is asked for."),
        Wanted::Folder if !path.exists() => (true, "The folder will be made."),
        Wanted::Folder => (true, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_people_paste_them() {
        let read = |text| path_of(text).map(|p| p.to_string_lossy().into_owned());
        assert_eq!(read(" '/data/a b.hdf5'\n").as_deref(), Some("/data/a b.hdf5"));
        assert_eq!(read("file:///data/a%20b%.hdf5").as_deref(), Some("/data/a b%.hdf5"));
        assert_eq!(read("\n"), None);
        assert_eq!(read("one\ntwo"), None);
        assert!(!read("~/x.hdf5").unwrap_or_default().starts_with('~'));
    }
}

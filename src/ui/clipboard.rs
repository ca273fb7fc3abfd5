//! The system's clipboard, for text and pictures that the window copies.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, channel};

use egui::{Context, Event, Key, OutputCommand, RawInput};

/// The clipboard, opened when something is copied first.
#[derive(Default)]
pub struct Clipboard {
    system: Option<arboard::Clipboard>,
    /// What became of a picture that is on its way.
    picture: Option<Receiver<Result<(), arboard::Error>>>,
}

impl Clipboard {
    /// Put what this frame copied on the clipboard; whether a picture has got there since, or the reason why
    /// something did not.
    pub fn take(&mut self, ctx: &Context) -> Result<bool, String> {
        let copied = ctx.output(|output| {
            let copies = |c: &&OutputCommand| matches!(c, OutputCommand::CopyText(_) | OutputCommand::CopyImage(_));
            output.commands.iter().filter(copies).cloned().collect::<Vec<_>>()
        });
        for command in copied {
            let clipboard = self.system()?;
            match command {
                OutputCommand::CopyText(text) => clipboard.set_text(text).map_err(|e| e.to_string())?,
                OutputCommand::CopyImage(image) => self.picture = Some(copy(image, ctx.clone())),
                _ => {}
            }
        }
        match self.picture.as_ref().and_then(|picture| picture.try_recv().ok()) {
            Some(copied) => {
                self.picture = None;
                copied.map(|()| true).map_err(|e| e.to_string())
            }
            None => Ok(false),
        }
    }

    /// Put the system's text into `input` where its keys ask for it. The window system's own
    /// answer knows only what was copied in this window.
    pub fn paste(&mut self, input: &mut RawInput) {
        // The press of Ctrl+V was taken for that answer; the release is still told.
        let asked = input.events.iter().any(|event| match event {
            Event::Key { key: Key::V, pressed: false, modifiers, .. } => modifiers.command_only(),
            Event::Key { key: Key::Insert, pressed: true, modifiers, .. } => modifiers.shift_only(),
            _ => false,
        });
        let own = input.events.iter().any(|event| matches!(event, Event::Paste(_)));
        if !asked && !own {
            return;
        }
        let Ok(text) = self.system().and_then(|clipboard| clipboard.get_text().map_err(|e| e.to_string())) else {
            return;
        };
        input.events.retain(|event| !matches!(event, Event::Paste(_)));
        if asked && !text.is_empty() {
            input.events.push(Event::Paste(text.replace("\r\n", "\n")));
        }
    }

    fn system(&mut self) -> Result<&mut arboard::Clipboard, String> {
        match &mut self.system {
            Some(clipboard) => Ok(clipboard),
            none => Ok(none.insert(arboard::Clipboard::new().map_err(|e| e.to_string())?)),
        }
    }
}

/// Copy a picture, which is compressed meanwhile: off the window's thread. The clipboard that the window has open keeps
/// it.
fn copy(image: egui::ColorImage, ctx: Context) -> Receiver<Result<(), arboard::Error>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let data =
            arboard::ImageData { width: image.width(), height: image.height(), bytes: Cow::Borrowed(image.as_raw()) };
        let _ = sender.send(arboard::Clipboard::new().and_then(|mut clipboard| clipboard.set_image(data)));
        ctx.request_repaint();
    });
    receiver
}

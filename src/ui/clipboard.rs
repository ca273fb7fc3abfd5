//! The system's clipboard, for text and pictures that the window copies.

use std::borrow::Cow;

use egui::{Context, OutputCommand};

/// The clipboard, opened when something is copied first.
#[derive(Default)]
pub struct Clipboard {
    system: Option<arboard::Clipboard>,
}

impl Clipboard {
    /// Put what this frame copied on the clipboard; the reason where that fails.
    pub fn take(&mut self, ctx: &Context) -> Result<(), String> {
        let copied = ctx.output(|output| {
            let copies = |c: &&OutputCommand| matches!(c, OutputCommand::CopyText(_) | OutputCommand::CopyImage(_));
            output.commands.iter().filter(copies).cloned().collect::<Vec<_>>()
        });
        for command in copied {
            let clipboard = match &mut self.system {
                Some(clipboard) => clipboard,
                none => none.insert(arboard::Clipboard::new().map_err(|e| e.to_string())?),
            };
            match command {
                OutputCommand::CopyText(text) => clipboard.set_text(text),
                OutputCommand::CopyImage(image) => clipboard.set_image(arboard::ImageData {
                    width: image.width(),
                    height: image.height(),
                    bytes: Cow::Borrowed(image.as_raw()),
                }),
                _ => Ok(()),
            }
            .map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

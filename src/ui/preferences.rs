//! What every window begins with, whatever is open: how the last one was left. Plain text in the
//! user's folder of settings. What was open is a [`Session`](super::Session)'s.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::view_state::ViewState;
use crate::error::Result;

/// Preferences as they are written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// How things were looked at.
    pub view: ViewState,
    /// Where the panels were.
    pub layout: Layout,
    /// The theme that was chosen, if one was.
    pub dark: Option<bool>,
    /// Files that were open, newest first.
    pub recent: Vec<PathBuf>,
    /// Whether the tour was seen.
    pub toured: bool,
    /// Size of the window in points.
    pub size: Option<[f32; 2]>,
}

impl Preferences {
    /// The file that they are kept in; `None` where the system has no place for it.
    pub fn path() -> Option<PathBuf> {
        use etcetera::BaseStrategy;
        let folders = etcetera::choose_base_strategy().ok()?;
        Some(folders.config_dir().join("halodi").join("preferences.json"))
    }

    /// Read them; what cannot be read is from another version, and new ones begin. Numbers
    /// that no window has made are left out.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut preferences: Self = serde_json::from_str(&text).unwrap_or_default();
        if !preferences.view.is_sound() {
            preferences.view = ViewState::default();
        }
        preferences.size = preferences.size.filter(|size| size.iter().all(|side| (1.0..32_768.0).contains(side)));
        preferences
    }

    /// Write them.
    ///
    /// # Errors
    /// [`Error::Output`](crate::Error::Output) where that is not possible.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).expect("preferences have nothing that JSON has not");
        crate::io::atomic::write(path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::layout::Arrangement;
    use crate::ui::view_state::Quantity;

    #[test]
    fn preferences_survive_being_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("preferences.json");
        let layout = Layout { arrangement: Some(Arrangement::default()), drawer: true, ..Layout::default() };
        let mut preferences = Preferences { recent: vec!["a.hdf5".into()], layout, ..Preferences::default() };
        preferences.view.scales.insert(Quantity::HaloMass(2), Quantity::HaloMass(2).default_scale());
        preferences.view.crosshair = [0.1, 0.2, 0.3];
        preferences.write(&path).unwrap();
        assert_eq!(Preferences::read(&path), preferences);
        std::fs::write(&path, "{ \"view\": 3 }").unwrap();
        assert_eq!(Preferences::read(&path), Preferences::default());
        assert_eq!(Preferences::read(&folder.path().join("none")), Preferences::default());
    }
}

//! The window: state that follows a job, panels and plots. No science lives here.
//!
//! A frame takes the job's newest view ([`subject`]), decides what is on show ([`view_state`],
//! [`analysis`]), brings it to the GPU ([`drawing`]) and lays out the panels ([`workspace`],
//! [`panels`]).

mod analysis;
mod app;
mod clipboard;
mod commands;
mod derived;
mod dialogs;
mod drawing;
mod export;
mod faces;
mod files;
mod frame_clock;
mod host;
mod icons;
mod layout;
mod log;
mod panels;
mod preferences;
mod priority;
mod reading;
mod recorder;
mod session;
mod subject;
mod talk;
mod theme;
mod view_state;
mod workspace;

pub use app::HalodiApp;
pub use host::{Begin, run};
pub use layout::{Arrangement, Layout};
pub use preferences::Preferences;
pub use priority::lower_the_pool;
pub use recorder::{FilmProgress, Recipe, Recorder};
pub use session::{ComparedRun, FileRecord, Session};
pub use subject::{FieldId, Subject};
pub use talk::presentation::HEIGHT as TALK_HEIGHT;
pub use talk::{Action, Moment, Playing, Run, Scene, Sweep, Talk};
pub use view_state::{Compare, Partner, Quantity, ViewState};
pub use workspace::Pane;

//! The window: state that follows a job, panels and plots. No science lives here.
//!
//! A frame takes the job's newest view ([`scene`]), decides what is on show ([`view_state`],
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
mod log;
mod panels;
mod scene;
mod session;
mod theme;
mod view_state;
mod workspace;

pub use app::HalodiApp;
pub use host::run;
pub use scene::{FieldId, Scene};
pub use session::{Arrangement, Session};
pub use view_state::{Compare, Quantity, ViewState};

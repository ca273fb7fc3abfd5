//! A prediction as a job: configuration in, a stream of events out.
//!
//! The job runs on a thread of its own. It reports [`Event`]s through a channel
//! and paints what it makes on a [`Canvas`] while it makes it. The window and
//! the command line are two listeners; neither holds any of the science.

mod config;
mod event;
mod job;
mod source;
mod stages;

pub use config::{DeviceChoice, JobConfig, MapPower, Source};
pub use event::{Canvas, Control, Event, HALO_MASS_BINS, Layer, NoCanvas, Progress, Series, Stage, TileBox};
pub use job::{FrameTimes, Job, Outcome, Told, spawn};

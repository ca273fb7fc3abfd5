//! A prediction as a job: it reads its files, runs [`crate::predict`] on a thread of its own,
//! and keeps a picture of itself ([`JobView`]) that the window and the command line read.

mod clock;
mod config;
mod feed;
mod job;
mod layers;
mod results;
mod source;

pub use config::{JobConfig, Source};
pub use feed::{Control, DeviceInfo, Ended, JobId, JobView, Opened, Progress, Series, StepRecord, Watch};
pub use job::{FrameTimes, Job, Outcome, again, spawn};
pub use layers::{Changed, FieldValues, LayerView};
pub use results::{map_of, write_steps};

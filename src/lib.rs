//! Halodi: from a dark-matter snapshot to a stitched 21 cm map, live.
//!
//! Data flows one way, and the modules lie along it:
//!
//! ```text
//! io ─► field ─► nn (HALO, LODI) + stitch ─► stats ─► ui / cli
//!                 │
//!        sim ─► dataset ─► train              render (WGSL)
//! ```
//!
//! [`pipeline`] runs the chain as a job that reports events; the window and the
//! command line ([`cli`]) are two listeners of the same job.

pub mod cli;
pub mod dataset;
pub mod error;
pub mod evaluate;
pub mod field;
pub mod io;
pub mod memory;
pub mod nn;
pub mod pipeline;
pub mod render;
pub mod report;
pub mod sim;
pub mod stats;
pub mod stitch;
pub mod train;
pub mod ui;

pub use error::{Error, Result};

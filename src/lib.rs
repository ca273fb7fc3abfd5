//! Halodi: from a dark-matter snapshot to a stitched 21 cm map, live.
//!
//! Data flows one way, and the modules lie along it; none uses one that comes later:
//!
//! ```text
//! device, field ─► stats ─► io ─► sim ─► dataset
//!                                    │
//!        nn (HALO, LODI) ─► stitch ─► predict ─► train, evaluate ─► pipeline ─► report ─► render ─► ui, cli
//! ```
//!
//! [`predict`] is the chain itself, from `1 + δ` to a 21 cm map; [`pipeline`] runs it as a job
//! that the window ([`ui`]) and the command line ([`cli`]) follow. In a few lines:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use halodi::device::{DeviceChoice, compute_device};
//! use halodi::dataset::Fields;
//! use halodi::predict::{Models, NoObserver, Settings, predict};
//! use halodi::stats::power_spectrum;
//!
//! # fn main() -> halodi::Result<()> {
//! let truth = Fields::read(Path::new("data/test/box_000/fields.hdf5"))?;
//! let models = Models::load(None, compute_device(DeviceChoice::Auto)?)?;
//! let made = predict(&truth.dark_matter, &models, &Settings::default(), &mut NoObserver)?;
//! let (p, p_true) = (power_spectrum(&made.brightness_temperature, None), power_spectrum(&truth.brightness_temperature, None));
//! println!("P/P_true = {:.2} at k = {:.2} h/Mpc", p.power[3] / p_true.power[3], p.k[3]);
//! # Ok(())
//! # }
//! ```

pub mod cli;
pub mod dataset;
pub mod device;
pub mod error;
pub mod evaluate;
pub mod field;
pub mod figure;
pub mod film;
pub mod io;
pub mod memory;
pub mod nn;
pub mod pipeline;
pub mod predict;
pub mod render;
pub mod report;
pub mod sim;
pub mod stats;
pub mod stitch;
pub mod train;
pub mod ui;

pub use error::{Error, Result};

//! How smoothly the window runs while a job does.

use std::time::Instant;

use crate::pipeline::FrameTimes;

/// Times between frames since a job began.
#[derive(Debug, Default)]
pub struct FrameClock {
    last: Option<Instant>,
    milliseconds: Vec<f64>,
}

impl FrameClock {
    /// Begin anew.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// A frame begins while a job runs.
    pub fn frame(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.milliseconds.push((now - last).as_secs_f64() * 1e3);
        }
    }

    /// The job is over or paused: the next interval is no frame time.
    pub fn stop(&mut self) {
        self.last = None;
    }

    /// What was measured; `None` before two frames.
    pub fn summary(&self) -> Option<FrameTimes> {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |q: f64| sorted.get(((sorted.len() as f64 - 1.0) * q).round() as usize).copied();
        Some(FrameTimes { frames: sorted.len(), median: at(0.5)?, percentile_99: at(0.99)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        assert!(FrameClock::default().summary().is_none());
        let clock = FrameClock { last: None, milliseconds: (1..=101).rev().map(f64::from).collect() };
        let summary = clock.summary().unwrap();
        assert_eq!((summary.frames, summary.median, summary.percentile_99), (101, 51.0, 100.0));
    }
}

//! How long a job takes, and when it will end.

use std::time::{Duration, Instant};

use super::Progress;
use crate::predict::Stage;

/// Times the stages of a job.
pub(super) struct Clock {
    began: Instant,
    paused: Duration,
    /// Every stage so far, the last one running.
    stages: Vec<StageTime>,
    /// Realisations that LODI will paint; 0 where it will not run.
    pub paintings: usize,
}

/// A stage that has begun.
struct StageTime {
    stage: Stage,
    /// When it began, pauses left out, and how long it has taken once it is over.
    began: Duration,
    took: Option<Duration>,
    /// Tiles done, over all steps; tiles of a step; steps; the present step.
    done: usize,
    tiles: usize,
    steps: usize,
    step: usize,
}

/// What a tile of a stage costs compared with one of HALO, roughly, on any device: enough to
/// tell a user how long it will take before LODI has begun.
fn cost(stage: Stage) -> f64 {
    match stage {
        Stage::Halo => 1.0,
        Stage::ConditionalMean => 0.2,
        Stage::Lodi => 0.2,
        Stage::Field | Stage::Statistics => 0.0,
    }
}

/// Denoising steps that are expected before LODI has told its number.
const TYPICAL_STEPS: usize = 12;

impl Clock {
    pub fn new() -> Self {
        Self { began: Instant::now(), paused: Duration::ZERO, stages: Vec::new(), paintings: 0 }
    }

    /// Leave a pause out.
    pub fn paused(&mut self, pause: Duration) {
        self.paused += pause;
    }

    /// Time since the job began, pauses left out.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.paused)
    }

    /// Begin a stage, ending the one before.
    pub fn begin(&mut self, stage: Stage, tiles: usize, steps: usize) {
        self.end();
        let began = self.elapsed();
        self.stages.push(StageTime { stage, began, took: None, done: 0, tiles, steps, step: 0 });
    }

    fn end(&mut self) {
        let elapsed = self.elapsed();
        if let Some(last) = self.stages.last_mut() {
            last.took.get_or_insert(elapsed.saturating_sub(last.began));
        }
    }

    /// A tile is done.
    pub fn tile(&mut self) {
        if let Some(last) = self.stages.last_mut() {
            last.done += 1;
        }
    }

    /// A denoising step is over.
    pub fn step(&mut self) {
        if let Some(last) = self.stages.last_mut() {
            last.step += 1;
        }
    }

    /// Seconds per stage, in order; stages of the same name are one.
    pub fn seconds(mut self) -> Vec<(Stage, f64)> {
        self.end();
        let mut seconds: Vec<(Stage, f64)> = Vec::new();
        for StageTime { stage, took, .. } in &self.stages {
            let took = took.unwrap_or_default().as_secs_f64();
            match seconds.iter_mut().find(|(of, _)| of == stage) {
                Some((_, sum)) => *sum += took,
                None => seconds.push((*stage, took)),
            }
        }
        seconds
    }

    /// How far the job is.
    pub fn progress(&self) -> Option<Progress> {
        let &StageTime { stage, done, tiles, steps, step, .. } = self.stages.last()?;
        let painting = stage == Stage::Lodi;
        Some(Progress {
            stage,
            done: done.saturating_sub(step * tiles).min(tiles),
            total: tiles,
            step: painting.then(|| ((step + 1).min(steps), steps)),
            realisation: (painting && self.paintings > 1).then(|| (self.painted(), self.paintings)),
            elapsed: self.elapsed(),
            remaining: self.remaining(),
        })
    }

    /// Realisations so far, the one that is being painted among them.
    fn painted(&self) -> usize {
        self.stages.iter().filter(|t| t.stage == Stage::Lodi).count()
    }

    /// Time to the end, once a network has made a tile.
    fn remaining(&self) -> Option<Duration> {
        let last = self.stages.last()?;
        let seconds_of = |t: &StageTime| t.took.unwrap_or(self.elapsed().saturating_sub(t.began)).as_secs_f64();
        let work = |t: &StageTime| t.done as f64 * cost(t.stage);
        let (spent, worked) = self
            .stages
            .iter()
            .fold((0.0, 0.0), |(s, w), t| if work(t) > 0.0 { (s + seconds_of(t), w + work(t)) } else { (s, w) });
        if worked == 0.0 {
            return None;
        }
        // The stage itself knows best what its tiles take.
        let rate = if work(last) > 0.0 { seconds_of(last) / work(last) } else { spent / worked };
        let left = (last.tiles * last.steps).saturating_sub(last.done) as f64 * cost(last.stage);
        let painted = self.painted();
        let a_painting = match last.stage {
            Stage::Lodi => last.tiles * last.steps,
            _ => last.tiles * TYPICAL_STEPS,
        };
        let mut later = self.paintings.saturating_sub(painted) as f64 * a_painting as f64 * cost(Stage::Lodi);
        if last.stage == Stage::Halo {
            later += last.tiles as f64 * cost(Stage::ConditionalMean);
        }
        Some(Duration::from_secs_f64(left * rate + later * spent / worked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_tiles_of_the_present_step_and_the_end_is_known_from_the_first_tile_on() {
        let mut clock = Clock::new();
        clock.paintings = 2;
        clock.begin(Stage::Field, 0, 1);
        assert!(clock.progress().unwrap().remaining.is_none());
        clock.begin(Stage::Halo, 8, 1);
        std::thread::sleep(Duration::from_millis(2));
        clock.tile();
        assert!(clock.progress().unwrap().remaining.unwrap() > Duration::from_millis(14));
        clock.begin(Stage::Lodi, 8, 3);
        (0..8).for_each(|_| clock.tile());
        clock.step();
        (0..3).for_each(|_| clock.tile());
        let progress = clock.progress().unwrap();
        assert_eq!((progress.done, progress.total, progress.step), (3, 8, Some((2, 3))));
        assert_eq!(progress.realisation, Some((1, 2)));
        clock.paused(Duration::from_secs(1000));
        clock.begin(Stage::Lodi, 8, 3);
        assert_eq!(clock.progress().unwrap().realisation, Some((2, 2)));
        let seconds = clock.seconds();
        assert_eq!(
            seconds.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(),
            [Stage::Field, Stage::Halo, Stage::Lodi]
        );
        assert!(seconds.iter().all(|(_, s)| *s < 1.0));
    }
}

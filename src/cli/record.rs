//! `halodi record`: the talk of a session as a film, without a window.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::predict::follow;
use crate::device::{DeviceChoice, GpuContext};
use crate::error::{Error, Result};
use crate::film;
use crate::pipeline::{self, JobConfig, Outcome};
use crate::predict::Stage;
use crate::ui::{FilmProgress, Recipe, Recorder, Session, Subject};

/// How often the progress bar looks.
const LOOK: Duration = Duration::from_millis(200);

/// Record the talk of a session as a film
///
/// Frame by frame, as the window shows it to an audience: the pictures, plots and captions of its scenes.
#[derive(Debug, clap::Args)]
pub struct Record {
    /// Session with the scenes [default: the talk that comes with Halodi]
    session: Option<PathBuf>,
    /// The film: NAME.mp4, NAME.gif, or a name without ending for a folder of PNG frames
    #[arg(long)]
    out: PathBuf,
    /// Pixels across and down
    #[arg(long, value_name = "WxH", default_value = "1920x1080", value_parser = size)]
    size: [u32; 2],
    /// Frames a second
    #[arg(long, default_value_t = 30)]
    fps: u32,
    /// From when in the talk, seconds
    #[arg(long, default_value_t = 0.0)]
    from: f64,
    /// Until when [default: its end]
    #[arg(long)]
    to: Option<f64>,
    /// Where the networks run, where the session's prediction is not on disk
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
}

fn size(text: &str) -> std::result::Result<[u32; 2], String> {
    let sides = text.split_once(['x', '×']).and_then(|(w, h)| Some([w.trim().parse().ok()?, h.trim().parse().ok()?]));
    sides.ok_or_else(|| format!("'{text}' is no size; expected was one like 1920x1080"))
}

impl Record {
    /// Draw every frame and write the film.
    ///
    /// # Errors
    /// Those of reading the session, of the job and of writing.
    pub fn run(&self) -> Result<()> {
        let session = match &self.session {
            Some(path) => Session::read(path)?,
            None => Session::demo_talk(false)?,
        };
        let name = self.session.as_ref().map_or_else(|| "The talk".to_owned(), |path| path.display().to_string());
        let recipe = Recipe { size: self.size, rate: self.fps, span: [self.from, self.to.unwrap_or(f64::INFINITY)] };
        // Before the work, not after it.
        recipe.shape(session.talk.seconds()).check(film::Format::of(&self.out)?)?;
        let problem = |found: &str, expected: &str, action: &str| Err(Error::input(&name, found, expected, action));
        if session.talk.scenes.is_empty() {
            return problem("a session without scenes", "at least one scene", "Add scenes to it in the window");
        }
        let bounds = [self.from, self.to.unwrap_or(f64::MAX)];
        if !(bounds[0] >= 0.0 && bounds[0] < bounds[1] && bounds[0] < session.talk.seconds()) {
            return Err(Error::setting(
                format!("a film from {} s on", self.from),
                format!("a part of the talk's {:.1} s", session.talk.seconds()),
                "Choose --from and --to within it",
            ));
        }
        if let Some(lost) = session.missing().first() {
            return Err(Error::input(
                lost,
                "it is not there",
                format!("a file that {name} was made with"),
                "Open the session in the window, which asks where it is, and save it again",
            ));
        }
        let Some(job) = session.job.clone() else {
            return problem(
                "nothing is open in it",
                "a snapshot",
                "Open one in the window, and save the session again",
            );
        };
        let networks = session.talk.scenes.iter().any(|scene| scene.action.run.is_some())
            || job.results.is_some()
            || job.until == Stage::Statistics;
        let until = if networks { Stage::Statistics } else { Stage::Field };
        let interrupted = super::on_interrupt();
        let mut subject = Subject::default();
        // The film shows what was made, and how: steps are kept for whoever looks.
        let (_, view) = self.make(JobConfig { until, ..job }, &interrupted)?;
        subject.follow(view);
        for run in &session.runs {
            let (outcome, _) = self.make(JobConfig { until: Stage::Statistics, ..run.job.clone() }, &interrupted)?;
            subject.keep(run.number, &outcome, run.job.results.clone());
        }
        let gpu = GpuContext::shared()?;
        let (talk, path, progress) = (session.talk, self.out.as_path(), FilmProgress::default());
        std::thread::scope(|scope| {
            let film = scope.spawn(|| Recorder::new(&gpu, subject, talk, recipe).record(path, &progress));
            let style =
                ProgressStyle::with_template("{prefix:24} {bar:32} {pos}/{len}  {msg}").expect("a valid template");
            let bar = ProgressBar::new(1).with_style(style).with_prefix("Drawing frames");
            while !film.is_finished() {
                if interrupted.load(Ordering::Relaxed) {
                    progress.cancelled.store(true, Ordering::Release);
                }
                bar.set_length(progress.of.load(Ordering::Acquire).max(1));
                bar.set_position(progress.done.load(Ordering::Acquire));
                let left = bar.eta().as_secs();
                bar.set_message(if left > 0 { format!("{left} s left") } else { String::new() });
                std::thread::sleep(LOOK);
            }
            bar.finish_and_clear();
            film.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        super::print(&format!("{}\n", path.display()))
    }

    /// Run a job to its end, or read its results.
    fn make(&self, config: JobConfig, interrupted: &AtomicBool) -> Result<(Arc<Outcome>, pipeline::JobView)> {
        let job = pipeline::spawn(config, self.device, || ());
        job.look_at(pipeline::Watch { fields: true, spectra: false });
        let outcome = follow(&job, interrupted)?;
        Ok((outcome, job.view()))
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_is_two_numbers() {
        assert_eq!(size("1920x1080"), Ok([1920, 1080]));
        assert_eq!(size("160×90"), Ok([160, 90]));
        assert!(size("1080p").unwrap_err().contains("1080p"));
    }
}

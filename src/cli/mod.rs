//! The command line: one module per command, each a thin layer over the library.
//!
//! A command is a `clap::Args` struct with a method `run(&self) -> Result<()>`.
//! Results go to standard output through [`print()`], everything else (progress,
//! notices) to standard error. Errors are printed here and nowhere else.

mod dataset;
mod evaluate;
mod inspect;
mod predict;
mod record;
mod reference;
mod seams;
mod settings;
mod simulate;
mod spectrum;
mod study;
mod train;
mod view;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use crate::error::{Error, Result};

/// From a dark-matter snapshot to a stitched 21 cm map, live.
#[derive(Debug, Parser)]
#[command(name = "halodi", version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dataset(dataset::Dataset),
    Evaluate(evaluate::Evaluate),
    Inspect(inspect::Inspect),
    Predict(predict::Predict),
    Record(record::Record),
    Reference(reference::Reference),
    Seams(seams::Seams),
    Simulate(simulate::Simulate),
    Spectrum(spectrum::Spectrum),
    Study(study::Study),
    Train(train::Train),
    View(view::View),
}

impl Command {
    fn run(&self) -> Result<()> {
        match self {
            Self::Dataset(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Inspect(command) => command.run(),
            Self::Predict(command) => command.run(),
            Self::Record(command) => command.run(),
            Self::Reference(command) => command.run(),
            Self::Seams(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Spectrum(command) => command.run(),
            Self::Study(command) => command.run(),
            Self::Train(command) => command.run(),
            Self::View(command) => command.run(),
        }
    }

    /// What this command's own options can do about an error: the end of its
    /// sentence.
    fn advice(&self, error: &Error) -> String {
        let writes = !matches!(self, Self::Inspect(_) | Self::Spectrum(_) | Self::View(_));
        let reads = matches!(self, Self::Predict(_) | Self::Reference(_) | Self::Spectrum(_));
        match error {
            Error::Output { path, .. } if writes && path != Path::new(STANDARD_OUTPUT) => " with --out".to_owned(),
            Error::Consent { types, .. } if reads => {
                let types: Vec<String> = types.iter().map(ToString::to_string).collect();
                format!(" (--species {})", types.join(","))
            }
            _ => String::new(),
        }
    }
}

/// What standard output is called in errors.
const STANDARD_OUTPUT: &str = "standard output";

/// Run the program with the arguments of the process; the exit code: 0 for
/// success, otherwise [`Error::exit_code`].
pub fn run() -> i32 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are "errors" to clap, with code 0. A closed pipe
            // is none of the user's concern.
            let _ = error.print();
            return error.exit_code();
        }
    };
    // Without a command the window opens, as a desktop user expects.
    let command = cli.command.unwrap_or_else(|| Command::View(view::View::default()));
    match command.run() {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "halodi: {error}{}", command.advice(&error));
            error.exit_code()
        }
    }
}

/// Print `text` to standard output. A reader that has gone away (`| head`) has
/// seen enough: that is no error.
///
/// # Errors
/// [`Error::Output`] where standard output cannot be written for another reason.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::output(STANDARD_OUTPUT, error)),
        _ => Ok(()),
    }
}

/// Print what had to be inferred of a file to standard error.
fn print_notes(notes: &[String]) {
    let mut out = std::io::stderr().lock();
    for note in notes {
        let _ = writeln!(out, "Note: {}.", note.trim_end_matches('.'));
    }
}

/// A flag that Ctrl-C raises, for long work to end in an orderly way.
fn on_interrupt() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    // Only the first call of a process can claim the handler; without it Ctrl-C
    // ends the process, which is no worse.
    let _ = ctrlc::set_handler(move || raised.store(true, Ordering::Relaxed));
    flag
}

/// The names of files without their endings, with as much of their folders as it takes to
/// tell them apart: most snapshots are called snapshot_000.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let name = |path: &Path, folders: usize| {
        let path = path.with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts[parts.len().saturating_sub(folders + 1)..].join("/")
    };
    let named = |folders: usize| paths.iter().map(|path| name(path, folders)).collect::<Vec<_>>();
    let deepest = paths.iter().map(|path| path.iter().count()).max().unwrap_or(0);
    let distinct = |names: &Vec<String>| names.iter().collect::<BTreeSet<_>>().len() == paths.len();
    (0..deepest).map(named).find(distinct).unwrap_or_else(|| named(deepest))
}

/// `value` as indented JSON with a final newline.
fn to_json(value: &impl serde::Serialize) -> String {
    // Our own structs have string keys and no fallible serialisers.
    serde_json::to_string_pretty(value).expect("plain structs serialise") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_of_one_name_are_told_apart() {
        let names = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/snapshot_000.hdf5"]), ["snapshot_000"]);
        assert_eq!(names(&["a/one.hdf5", "b/two.hdf5"]), ["one", "two"]);
        assert_eq!(names(&["a/x/s.hdf5", "b/x/s.hdf5", "b/x/t.hdf5"]), ["a/x/s", "b/x/s", "b/x/t"]);
        // One snapshot twice is one snapshot.
        assert_eq!(names(&["a/s.hdf5", "a/s.hdf5"]), ["a/s", "a/s"]);
        assert!(names(&[]).is_empty());
    }
}

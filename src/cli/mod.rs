//! The command line: one module per command, each a thin layer over the library.
//!
//! A command is a `clap::Args` struct with a method `run(&self) -> Result<()>`.
//! Results go to standard output through [`print()`], everything else (progress,
//! notices) to standard error. Errors are printed here and nowhere else.

mod dataset;
mod evaluate;
mod inspect;
mod predict;
mod reference;
mod settings;
mod simulate;
mod spectrum;
mod train;
mod view;

use std::io::{ErrorKind, Write};
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
    Reference(reference::Reference),
    Simulate(simulate::Simulate),
    Spectrum(spectrum::Spectrum),
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
            Self::Reference(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Spectrum(command) => command.run(),
            Self::Train(command) => command.run(),
            Self::View(command) => command.run(),
        }
    }
}

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
    match cli.command.unwrap_or_else(|| Command::View(view::View::default())).run() {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "halodi: {error}");
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
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::output("standard output", error)),
        _ => Ok(()),
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

/// `value` as indented JSON with a final newline.
fn to_json(value: &impl serde::Serialize) -> String {
    // Our own structs have string keys and no fallible serialisers.
    serde_json::to_string_pretty(value).expect("plain structs serialise") + "\n"
}

//! The command line: one file a subcommand, and the one place that prints
//! errors.

mod predict;
mod train;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use crate::error::Result;

/// From a dark-matter snapshot to a stitched 21 cm map, live
#[derive(Debug, Parser)]
#[command(name = "halodi", version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Predict(predict::Args),
    Train(train::Args),
}

/// Parse the command line, do what it says, report what went wrong, and return
/// the process's exit code.
pub fn main() -> i32 {
    match run(Cli::parse()) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("halodi: {error}");
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Some(Command::Predict(args)) => args.run(),
        Some(Command::Train(args)) => args.run(),
        None => Ok(()),
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

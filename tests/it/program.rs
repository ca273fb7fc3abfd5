//! Starting the program under test.

use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// HDF5 locks the files it writes, and a program that is started meanwhile by
/// another test inherits the lock: writing and starting take turns.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Start the program, its output piped.
pub fn start(arguments: &[&str]) -> Child {
    let _turn = alone();
    Command::new(env!("CARGO_BIN_EXE_halodi"))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Run it to its end.
pub fn halodi(arguments: &[&str]) -> Output {
    start(arguments).wait_with_output().expect("the program ends")
}

/// Standard output of a run that must succeed.
pub fn succeed(arguments: &[&str]) -> String {
    let output = halodi(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Output as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

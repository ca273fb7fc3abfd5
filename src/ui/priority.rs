//! Threads that compute yield to the one that draws, so that a job on the CPU does not make the window stutter. Where
//! the system will not have it, nothing is lost but smoothness.

use std::cell::Cell;

/// Lower the priority of the threads that share the computations of this process; only before the first of them.
pub fn lower_the_pool() {
    // Only the first call of a process can shape the pool.
    let _ = rayon::ThreadPoolBuilder::new().start_handler(|_| lower_this_thread()).build_global();
}

/// Lower the priority of this thread.
pub(super) fn lower_this_thread() {
    thread_local!(static LOWERED: Cell<bool> = const { Cell::new(false) });
    if LOWERED.replace(true) {
        return;
    }
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call; on Linux it concerns the calling thread alone.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 10);
    }
}

//! The program: everything is in the library.

fn main() {
    keep_freed_memory();
    no_search_for_a_compositor();
    std::process::exit(halodi::cli::run());
}

/// Tell the allocator to keep what is freed. The CPU networks allocate and free
/// tensors of tens of megabytes at every layer; given back to the system each
/// time, their pages cost a third of a training step.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets tunables, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

/// Keep Mesa from asking a Wayland compositor for its graphics card where there
/// can be none: without XDG_RUNTIME_DIR libwayland prints an error for every
/// device that is listed, though nothing is wrong.
fn no_search_for_a_compositor() {
    #[cfg(target_os = "linux")]
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

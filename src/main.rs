//! The program: everything is in the library.

fn main() {
    keep_freed_memory();
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

//! How much memory there is, asked before it is needed.
//!
//! A failed allocation ends the program, and one that the system grants and
//! cannot keep ends it too, without a word. So what a file or a setting asks for
//! is compared with what is free before it is allocated.

use crate::error::{Error, Result};

/// What is left to the rest of the program and of the system.
const SPARE: u64 = 256 << 20;

/// Bytes of `count` items of `size` bytes; `u64::MAX` where that is more.
pub fn bytes(count: u64, size: u64) -> u64 {
    count.saturating_mul(size)
}

/// Bytes of `fields` fields of `n³` voxels of four bytes.
pub fn of_fields(n: u64, fields: u64) -> u64 {
    bytes(bytes(bytes(n, n), n), bytes(4, fields))
}

/// See that `bytes` are free for `what`.
///
/// # Errors
/// [`Error::Setting`] where they are not; `action` says what to do.
pub fn check(bytes: u64, what: impl std::fmt::Display, action: impl Into<String>) -> Result<()> {
    match available() {
        Some(free) if bytes.saturating_add(SPARE.min(free / 8)) > free => Err(Error::setting(
            format!("{what} needs {} of memory", in_words(bytes)),
            format!("no more than the {} that are free", in_words(free)),
            action,
        )),
        _ => Ok(()),
    }
}

/// A number of bytes for the screen.
pub fn in_words(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e15 => format!("{:.3e} bytes", b),
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b => format!("{:.0} MB", (b / 1e6).max(1.0)),
    }
}

/// Bytes that can be allocated now; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub fn available() -> Option<u64> {
    let kib = |text: &str| Some(text.split_whitespace().next()?.parse::<u64>().ok()? << 10);
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| info.lines().find_map(|line| kib(line.strip_prefix(name)?));
    let free = field("MemAvailable:")?;
    let limits = [control_group(), address_space()];
    Some(limits.into_iter().flatten().fold(free, u64::min))
}

/// Bytes that can be allocated now; `None` where the system does not say.
#[cfg(not(target_os = "linux"))]
pub fn available() -> Option<u64> {
    None
}

/// Forget the largest amount of memory that this program has held; see [`peak`].
pub fn forget_peak() {
    // Where the system will not, the largest so far is told.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The largest amount of memory that this program has held since [`forget_peak`], bytes; `None` where
/// the system does not say.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// What the control group (a container, a batch job) still grants.
#[cfg(target_os = "linux")]
fn control_group() -> Option<u64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = std::path::Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let number = |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    // Pages of files that were read count as used, and are given back.
    let reclaimable = std::fs::read_to_string(folder.join("memory.stat"))
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok()));
    let used = number("memory.current")?.saturating_sub(reclaimable.unwrap_or(0));
    Some(number("memory.max")?.saturating_sub(used))
}

/// What `ulimit -v` still grants.
#[cfg(target_os = "linux")]
fn address_space() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit only writes the struct it is given.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    if !known || limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().next()?.parse().ok()?;
    // SAFETY: sysconf takes no pointers.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    Some(limit.rlim_cur.saturating_sub(pages.saturating_mul(page)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_granted_and_what_does_not_is_refused_in_words() {
        check(1 << 20, "a megabyte", "").unwrap();
        if available().is_some() {
            let error = check(of_fields(1 << 20, 3), "a grid of 1048576³ voxels", "Choose fewer voxels").unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains("bytes of memory"), "{error}");
        }
        assert_eq!(of_fields(u64::MAX, 7), u64::MAX);
    }
}

//! What a process takes of the machine, as the system tells it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

/// What one process takes at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vitals {
    /// Resident memory, in KiB.
    pub resident_kib: u64,
    /// Open file descriptors; `None` where the system does not tell.
    pub descriptors: Option<usize>,
    /// Threads; `None` where the system does not tell.
    pub threads: Option<usize>,
}

/// Looks at a process; `None` if it is gone.
pub fn of(pid: i32) -> Option<Vitals> {
    system::of(pid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn this_process_takes_memory_and_nothing_is_known_of_one_that_is_not_there() {
        let own = of(std::process::id().cast_signed()).unwrap();
        assert!(own.resident_kib > 100, "{own:?}");
        assert!(own.threads.is_none_or(|threads| threads > 0), "{own:?}");
        assert!(own.descriptors.is_none_or(|descriptors| descriptors > 2), "{own:?}");
        assert_eq!(of(i32::MAX), None);
    }
}

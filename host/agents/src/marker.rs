//! The two variables that tell which run a process belongs to.

use std::ffi::OsString;

/// Names the run in the environment of everything that works on it.
pub const RUN_VARIABLE: &str = "HOSTLER_RUN";

/// Names the attempt, counted from 1.
pub const ATTEMPT_VARIABLE: &str = "HOSTLER_ATTEMPT";

/// One attempt of one run, as its processes carry it in their environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub run: String,
    pub attempt: u32,
}

impl Marker {
    pub(crate) fn new(run: &str, attempt: u32) -> Self {
        Self { run: run.to_owned(), attempt }
    }

    /// The entries for a child's environment.
    pub(crate) fn entries(&self) -> [(OsString, OsString); 2] {
        [
            (RUN_VARIABLE.into(), self.run.clone().into()),
            (ATTEMPT_VARIABLE.into(), self.attempt.to_string().into()),
        ]
    }

    /// Whether an environment, its entries ended by NUL, carries exactly this.
    pub(crate) fn is_in(&self, environ: &[u8]) -> bool {
        let run = format!("{RUN_VARIABLE}={}", self.run);
        let attempt = format!("{ATTEMPT_VARIABLE}={}", self.attempt);
        let carries = |entry: &str| environ.split(|byte| *byte == 0).any(|found| found == entry.as_bytes());
        carries(&run) && carries(&attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_run_and_attempt_match() {
        let marker = Marker::new("r-1", 2);
        assert!(marker.is_in(b"A=1\0HOSTLER_ATTEMPT=2\0HOSTLER_RUN=r-1\0"));
        assert!(!marker.is_in(b"HOSTLER_RUN=r-1\0HOSTLER_ATTEMPT=22\0"));
        assert!(!marker.is_in(b"HOSTLER_RUN=r-11\0HOSTLER_ATTEMPT=2\0"));
        assert!(!marker.is_in(b"XHOSTLER_RUN=r-1\0HOSTLER_ATTEMPT=2\0"));
        assert!(!marker.is_in(b"HOSTLER_RUN=r-1\0"));
        assert!(!marker.is_in(b""));
    }
}

//! macOS decides by itself where a process runs.

use std::io;

#[derive(Clone, Debug)]
pub(in super::super) struct Processors;

/// There is nothing to choose from.
pub(in super::super) fn allowed() -> Option<Vec<usize>> {
    None
}

impl Processors {
    pub(in super::super) fn of(_numbers: &[usize]) -> Self {
        Self
    }

    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "the twin for Linux needs both")]
    pub(in super::super) fn stay_on(&self) -> io::Result<()> {
        Ok(())
    }
}

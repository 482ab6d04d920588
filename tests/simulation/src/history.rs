//! What happened, in lines for people, and what must never happen.

use std::fmt::Write as _;

use hostler_engine::time::Timestamp;

use crate::scenario::BEGINNING;

/// Lines that are kept: enough for the story of a minimised scenario.
const KEPT: usize = 4000;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which, as numbered in the architecture, or `liveness`.
    pub invariant: &'static str,
    /// One sentence.
    pub message: String,
}

/// The story of one simulation.
#[derive(Debug, Default)]
pub struct History {
    recording: bool,
    lines: Vec<(Timestamp, String)>,
}

impl History {
    /// A history; without `recording` it keeps nothing, which is faster.
    pub const fn new(recording: bool) -> Self {
        Self { recording, lines: Vec::new() }
    }

    /// Adds a line, made only if somebody wants it.
    pub fn note(&mut self, at: Timestamp, line: impl FnOnce() -> String) {
        if self.recording && self.lines.len() < KEPT {
            self.lines.push((at, line()));
        }
    }

    /// The last lines, each with its time since the beginning.
    pub fn tell(&self, last: usize) -> String {
        let mut told = String::new();
        let skipped = self.lines.len().saturating_sub(last);
        if skipped > 0 {
            let _ = writeln!(told, "  … {skipped} earlier lines …");
        }
        for (at, line) in &self.lines[skipped..] {
            let since = at.since(BEGINNING).0;
            let _ = writeln!(told, "  {:>7}.{:03}  {line}", since / 1000, since % 1000);
        }
        told
    }
}

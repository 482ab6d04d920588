//! A host's journal: entries in order, of which the first so many are on the disk.

use hostler_engine::run::Run;
use hostler_engine::task::RunId;
use hostler_engine::time::{Millis, Timestamp};
use hostler_engine::{Effect, Engine, Input};

use crate::history::Violation;

/// Entries between two snapshots; far fewer than in the daemon, so that short
/// simulations start from snapshots as well.
const SNAPSHOT_EVERY: usize = 24;

/// What must never go backwards, for one run (I3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Attempts that are over.
    pub attempts: usize,
    /// Tokens of all attempts.
    pub tokens: u64,
    /// The longest pause.
    pub pause: Millis,
}

impl Standing {
    /// That of a run.
    pub fn of(run: &Run) -> Self {
        Self { attempts: run.attempts.len(), tokens: run.spent().tokens(), pause: run.last_pause }
    }

    /// Whether nothing is less than it was.
    pub fn reaches(&self, before: &Self) -> bool {
        self.attempts >= before.attempts && self.tokens >= before.tokens && self.pause >= before.pause
    }
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The host's time.
    pub at: Timestamp,
    /// The input as the journal has it.
    pub input: String,
    /// What is to be done once it is durable.
    pub effects: Vec<(Effect, Run)>,
    /// How the runs it is about stood then.
    pub standings: Vec<(RunId, Standing)>,
    /// A run whose end was wished, and its first attempt that must not start.
    pub stopped: Option<(RunId, u32)>,
}

/// A journal.
#[derive(Debug, Default)]
pub struct Disk {
    entries: Vec<Entry>,
    durable: usize,
    snapshot: Option<(usize, String)>,
    /// When the last write will be done: writes keep their order.
    pub busy_until: Timestamp,
}

impl Disk {
    /// Hands an entry over; gives how many there are then.
    pub fn append(&mut self, entry: Entry, engine: &Engine) -> usize {
        self.entries.push(entry);
        if self.entries.len().is_multiple_of(SNAPSHOT_EVERY) {
            // A snapshot counts only once its entry is durable, see `replay`.
            let text = serde_json::to_string(engine).unwrap_or_default();
            if self.snapshot.as_ref().is_none_or(|(at, _)| *at <= self.durable) {
                self.snapshot = Some((self.entries.len(), text));
            }
        }
        self.entries.len()
    }

    /// The first `entries` are on the disk; gives those that are new there.
    pub fn sync(&mut self, entries: usize) -> &[Entry] {
        let before = self.durable.min(entries);
        self.durable = self.durable.max(entries);
        self.entries.get(before..entries).unwrap_or_default()
    }

    /// How many are not on the disk yet.
    pub fn pending(&self) -> usize {
        self.entries.len() - self.durable
    }

    /// The host is gone: of the entries under way, `kept` more reached the disk.
    pub fn cut(&mut self, kept: usize) -> &[Entry] {
        let before = self.durable;
        self.durable += kept.min(self.pending());
        self.entries.truncate(self.durable);
        self.snapshot.take_if(|(at, _)| *at > self.entries.len());
        &self.entries[before..]
    }

    /// The time of the last entry: a clock must not start before it.
    pub fn last(&self) -> Timestamp {
        self.entries.last().map_or(Timestamp::default(), |entry| entry.at)
    }

    /// The engine as the record has it.
    pub fn replay(&self) -> Result<Engine, Violation> {
        let unreadable = |error: serde_json::Error| Violation {
            invariant: "I8",
            message: format!("the record cannot be read again: {error}"),
        };
        let (from, mut engine) = match &self.snapshot {
            Some((at, text)) => (*at, serde_json::from_str(text).map_err(unreadable)?),
            None => (0, Engine::default()),
        };
        for entry in &self.entries[from..] {
            let input: Input = serde_json::from_str(&entry.input).map_err(unreadable)?;
            engine.apply(entry.at, input);
        }
        Ok(engine)
    }
}

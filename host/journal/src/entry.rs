//! What the daemon hands over to be written.

use std::fmt;

use crate::audit::Head;

/// Place of an entry in the record: counts from 1, only grows, is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(i64);

impl Seq {
    /// Before the first entry.
    pub const START: Self = Self(0);

    /// The place with this number, for paging through a history.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One applied input with everything that must become durable together with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// When the input was taken, in milliseconds since 1970.
    pub at_ms: i64,
    /// The input, as JSON; replayed on start.
    pub input: String,
    /// The run it is about, if it is about one; its history is found by this.
    pub run: Option<String>,
    /// The effects it led to, as JSON; kept to explain, never replayed.
    pub effects: String,
    /// Runs that changed, as they are now.
    pub runs: Vec<RunRow>,
    /// What changed in the outbox. A report needs its run in `runs`, here or in
    /// an earlier entry.
    pub outbox: Vec<OutboxChange>,
    /// The state after this input, as JSON. Replaces the snapshot before it.
    pub snapshot: Option<String>,
    /// The last entry of the audit log that is on the disk, if it is a new one.
    pub audit: Option<Head>,
}

impl Entry {
    /// Bytes of text in this entry, as counted against the limits.
    pub fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.input.len()
            + self.effects.len()
            + length(&self.run)
            + length(&self.snapshot)
            + self.runs.iter().map(RunRow::bytes).sum::<usize>()
            + self.outbox.iter().map(OutboxChange::bytes).sum::<usize>()
    }
}

/// One run as it is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRow {
    /// The host's id of the run.
    pub id: String,
    /// The human key of its task.
    pub task_key: String,
    /// Title of its task.
    pub title: String,
    /// Name of the tracker connection it came from.
    pub tracker: String,
    /// Name of the provider that works on it.
    pub provider: String,
    /// Name of its state.
    pub state: String,
    /// Since when it is in that state, in milliseconds since 1970.
    pub state_since_ms: i64,
    /// When it was claimed, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it changed last, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Nothing more happens to it.
    pub closed: bool,
    /// Everything else about it, as JSON.
    pub body: String,
}

impl RunRow {
    fn bytes(&self) -> usize {
        let Self { id, task_key, title, tracker, provider, state, body, .. } = self;
        [id, task_key, title, tracker, provider, state, body].iter().map(|text| text.len()).sum()
    }
}

/// A change to the reports that trackers are owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxChange {
    /// The report as it now waits: new, or after one more try. Takes a parked
    /// report up again; changes nothing once it was accepted.
    Put {
        /// The run reported on.
        run: String,
        /// The report, as JSON.
        report: String,
        /// Since when it waits, in milliseconds since 1970.
        since_ms: i64,
        /// How often it was tried.
        tries: u32,
        /// When to try next, in milliseconds since 1970.
        next_try_ms: i64,
        /// What went wrong last.
        last_problem: Option<String>,
    },
    /// The tracker has it. Final.
    Accepted {
        /// The run reported on.
        run: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// It is not tried any more and waits for a person. Changes nothing once it
    /// was accepted.
    Parked {
        /// The run reported on.
        run: String,
        /// Why, in a sentence for people.
        reason: String,
    },
}

impl OutboxChange {
    fn bytes(&self) -> usize {
        match self {
            Self::Put { run, report, last_problem, .. } => {
                run.len() + report.len() + last_problem.as_ref().map_or(0, String::len)
            }
            Self::Accepted { run, .. } => run.len(),
            Self::Parked { run, reason } => run.len() + reason.len(),
        }
    }
}

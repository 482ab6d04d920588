//! The durable record of one host: what came in, what it led to, and what is
//! still owed to a tracker.
//!
//! The daemon hands over one [`Entry`] for every input its engine has applied,
//! and carries out the effects only after [`Receipt::durable`] has answered:
//! then the input, the rows made from it, and the outbox have reached the disk
//! together. On start, [`Journal::open`] gives back the last snapshot and the
//! inputs after it; what was finished before costs nothing.
//!
//! # What it never does
//!
//! - It never looks inside: inputs, effects, snapshots and reports are text
//!   whose meaning belongs to the daemon.
//! - It never answers before the commit, and never goes on after a failed one:
//!   the first append that fails stops the journal, so that the record has no
//!   gaps.
//! - It never reads a clock: times come in as milliseconds since 1970 (UTC).
//! - It never removes what is open or undelivered.
//!
//! # Main types
//!
//! [`Journal`] writes (one thread, group commit), [`Recovered`] is what a start
//! begins with, [`Reader`] answers questions (also from another process), and
//! [`JournalError`] says what is wrong and what to do.

mod append;
pub mod audit;
mod copy;
mod entry;
mod error;
mod file;
mod journal;
mod prune;
mod reader;
mod recovery;
mod schema;
mod span;
mod writer;

pub use copy::{copy_of, make_copy};
pub use entry::{Entry, OutboxChange, RunRow, Seq};
pub use error::JournalError;
pub use journal::{Journal, Receipt};
pub use prune::Pruned;
pub use reader::{
    DEFAULT_LIMIT, Delivery, ListPlace, MAX_LIMIT, OutboxRow, Reader, RecordedEntry, RunFilter,
};
pub use recovery::{RecordedInput, Recovered, Snapshot};
pub use schema::SchemaVersion;
pub use span::Span;
pub use writer::{MAX_ENTRY_BYTES, QUEUE_ENTRIES, Tally};

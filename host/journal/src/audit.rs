//! The audit log: what was allowed, refused, started and let out of this machine, each
//! entry chained to the one before it.
//!
//! One entry is one line of JSON whose last field is the SHA-256 of all that stands
//! before it, and whose field before that is the hash of the entry before. So nothing in
//! the middle can be changed, removed, added or moved unnoticed; what is cut off at the
//! end is noticed by the *head* (number and hash of the last entry), which is kept in
//! three places, and best in a fourth that a person chooses.
//!
//! It uses no database, so that it can be read and checked with ordinary tools: the hash
//! of a line is that of the line without `,"hash":"…"`.

mod chain;
mod collect;
mod damage;
mod entry;
mod error;
mod hash;
mod log;
mod resume;
mod segments;

#[doc(hidden)]
pub use chain::walk;
pub use chain::{Fault, Verified};
pub use collect::Old;
pub use damage::{Damage, Place};
pub use entry::{By, Entry, Event, MAX_LINE_BYTES};
pub use error::{AuditError, VerifyError};
pub use hash::{Head, HeadError, LineHash};
pub use log::{AuditLog, Settle};

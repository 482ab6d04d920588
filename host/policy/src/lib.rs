//! The organisation's ceiling: what may be granted and done on this machine at most,
//! whatever its users allow.
//!
//! A policy can only cut down. All policies of a machine apply together; one that
//! cannot be used allows nothing. Every decision is a pure function of what was read
//! and of facts about the thing in question, and names the line that made it. It never
//! grants anything, and never acts on what it decides: that is up to whoever asks.
//!
//! Main types: [`Places`] (where policies stand; the only part that touches the disk),
//! [`Policies`] (what they say together), [`Verdict`] and [`Bound`] (the answers),
//! [`PolicyError`] (why one cannot be used).

mod document;
mod error;
mod facts;
mod line;
mod origins;
mod plugins;
mod policies;
mod policy;
mod programs;
mod read;
mod repositories;
mod verdict;

pub use error::PolicyError;
pub use facts::{FileFacts, FileKind, Trust};
pub use line::Line;
pub use plugins::{PluginFacts, Signatures};
pub use policies::{Member, Policies};
pub use policy::Policy;
pub use programs::Program;
pub use read::{POLICY_BYTES, Places, SYSTEM_POLICY, Stamp};
pub use repositories::RepositoryFacts;
pub use verdict::{Bound, Verdict};

/// A whole policy, with a comment at every line.
pub const EXAMPLE: &str = include_str!("example.toml");

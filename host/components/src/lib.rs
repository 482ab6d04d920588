//! Loads plugins and calls them, so that whatever a plugin does costs one call and
//! never the host (invariant I10).
//!
//! A plugin is a WebAssembly component that imports nothing: it gets values and
//! answers values. This crate checks the file ([`inspect()`], [`Runtime::load`]),
//! compiles it, makes instances with limits on time, memory and answers
//! ([`limits`]), and translates between the contract's types and the engine's
//! vocabulary.
//!
//! It never carries out what a plugin asks for, never decides what a plugin may
//! do, and hands it no clock, no randomness, no file and no network.
//!
//! - [`Runtime`] loads; one per host.
//! - [`Plugin`] is a loaded file; it answers single questions in a fresh instance.
//! - [`Session`] reads one attempt's output; [`Connection`] speaks with one
//!   tracker. Each has an instance of its own, dropped with the first failure.
//! - [`Manifest`] is what a plugin says about itself.
//! - [`Signature`] tells who vouches for a file, [`Difference`] what another build of it
//!   asks for, [`Fingerprint`] what is written down of it when it is installed.

mod admission;
mod bindings;
mod cache;
mod call_error;
mod connection;
mod contract;
mod convert;
mod deadline;
mod difference;
mod digest;
mod fingerprint;
mod guard;
mod guest_text;
mod inspect;
pub mod job;
pub mod limits;
mod log_budget;
pub mod manifest;
mod manifest_rules;
pub mod operation;
mod plugin;
mod refusal;
mod runtime;
mod sandbox;
mod session;
pub mod signature;
mod signing_key;
mod surface;
mod ticker;

pub use admission::read_file;
pub use cache::CacheError;
pub use call_error::{CallError, Fault};
pub use connection::Connection;
pub use contract::{CONTRACT, Kind};
pub use difference::{Change, Difference};
pub use digest::{Digest, NoDigest};
pub use fingerprint::Fingerprint;
pub use inspect::{Inspection, inspect};
pub use limits::{CallLimits, Limits};
pub use manifest::Manifest;
pub use plugin::{Answer, Plugin};
pub use refusal::{LoadError, Refusal};
pub use runtime::{Runtime, RuntimeError, Settings};
pub use session::Session;
pub use signature::{PublicKey, Signature};
pub use signing_key::{SigningKey, SigningKeyError};

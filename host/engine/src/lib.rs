//! The pure core of Hostler: what happens to a task, from offer to report.
//!
//! [`Engine::apply`] takes an [`Input`] and returns [`Effect`]s. Time, ids and
//! everything the world says come in as values; nothing here does I/O, waits,
//! reads a clock or draws a random number. Replaying the same inputs gives the
//! same state (invariant I8), which is how the host recovers from a crash.
//!
//! It also holds the vocabulary that the rooms above share: [`task`], [`plan`],
//! [`event`], [`outcome`], [`report`], [`request`], [`rights`].
//!
//! Start reading at [`run`]: the life of a run.

pub mod command;
pub mod effect;
pub mod engine;
pub mod event;
pub mod explain;
pub mod follow_up;
pub mod input;
pub mod landing;
pub mod mutation;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod problem;
pub mod prompt;
pub mod redaction;
pub mod report;
pub mod request;
pub mod rights;
pub mod run;
pub mod sandbox;
pub mod step;
pub mod task;
pub mod time;
pub mod verdict;

pub use effect::{Action, Effect};
pub use engine::Engine;
pub use input::Input;

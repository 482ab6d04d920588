//! Starts coding agents, reads what they say, ends them, and leaves nothing of
//! them behind.
//!
//! Each attempt runs under a supervisor process of its own, the *shim*
//! ([`shim_main`]). It adopts whatever the agent's processes leave behind, so
//! that ending an attempt ends its whole tree and nothing else; it writes the
//! logs, and needs no host: the agent outlives the host that started it, and the
//! next one adopts it.
//!
//! This crate never decides why or when an agent ends, never looks into a
//! workspace, and never understands what an agent says: lines of text go out,
//! bytes go in.
//!
//! - [`Agents`] starts a [`Launch`], walled in by a [`Sandbox`]; after a restart it
//!   adopts or reaps.
//! - [`Agent`] gives [`Output`] after `Output`, at last an [`Exit`] with a
//!   [`TreeProof`]; an [`AgentHandle`] ends it, keeps it or writes to it.
//! - [`Transcript`] reads the logs, also long after.
//! - [`agent_environment`], [`find_program`] and [`version`] prepare a start.

mod adopt;
mod agent;
mod agents;
mod byte_text;
mod connection;
mod containment;
mod control;
mod control_group;
mod environment;
mod exit;
mod folder;
mod handle;
mod limits;
mod lines;
mod marker;
mod passing;
mod probe;
mod process;
mod program;
mod reap;
mod removal;
mod sandbox;
mod shim;
mod start_error;
mod stdin;
mod stream;
mod transcript;
mod version;
mod warning;

pub use adopt::Adopted;
pub use agent::{Agent, DEFAULT_GRACE, Output};
pub use agents::{Agents, Launch};
pub use containment::{ContainedBy, Containment};
#[doc(hidden)]
pub use control::reread;
pub use environment::{agent_environment, is_always_seen};
pub use exit::{Cause, Ending, Exit, Survivor, TreeProof};
pub use folder::{AgentRecord, EXIT_FILE, RECORD_FILE, STDERR_FILE, STDOUT_FILE};
pub use handle::AgentHandle;
pub use limits::{CpuLimiter, LimitedBy, Limits, MemoryLimiter};
pub use lines::{LINE_LIMIT, Line, LineSplitter};
pub use marker::{ATTEMPT_VARIABLE, RUN_VARIABLE};
pub use probe::Probed;
pub use process::ProcessId;
pub use program::{ProgramError, find_program};
pub use reap::{ReapError, Reaped};
pub use removal::remove_tree;
pub use sandbox::{Access, HomePath, Network, Sandbox, Walls, WallsError};
pub use shim::{LOG_LIMIT, shim_main};
pub use start_error::StartError;
pub use stdin::{Stdin, StdinClosed};
pub use stream::Stream;
pub use transcript::Transcript;
pub use version::{VERSION_LIMIT, VERSION_OUTPUT_LIMIT, VersionError, version};
pub use warning::Warning;

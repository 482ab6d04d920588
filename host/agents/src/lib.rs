//! Starts coding agents, reads what they say, ends them, and leaves nothing of
//! them behind.
//!
//! Each attempt runs under a supervisor process of its own, the *shim*
//! ([`shim_main`]). It adopts whatever the agent's processes leave behind, so
//! that ending an attempt ends its whole tree and nothing else; and it notices
//! when the host dies, because the socket between them closes.
//!
//! This crate never decides why or when an agent ends, never looks into a
//! workspace, and never understands what an agent says: lines of text go out,
//! bytes go in.
//!
//! - [`Agents`] starts a [`Launch`] and, after a crash, reaps what is left of it.
//! - [`Agent`] gives [`Output`] after `Output`, at last an [`Exit`] with a
//!   [`TreeProof`]; an [`AgentHandle`] ends it or writes to it.
//! - [`agent_environment`], [`find_program`] and [`version`] prepare a start.

mod agent;
mod agents;
mod control;
mod environment;
mod exit;
mod folder;
mod lines;
mod marker;
mod output_stream;
mod process;
mod program;
mod raw_log;
mod reap;
mod shim;
mod start_error;
mod stdin;
mod version;

pub use agent::{Agent, AgentHandle, DEFAULT_GRACE, Output, Stream};
pub use agents::{Agents, Launch};
pub use environment::agent_environment;
pub use exit::{Cause, Ending, Exit, Survivor, TreeProof};
pub use folder::{AgentRecord, EXIT_FILE, RECORD_FILE, STDERR_FILE, STDOUT_FILE};
pub use lines::{LINE_LIMIT, Line, LineSplitter};
pub use marker::{ATTEMPT_VARIABLE, RUN_VARIABLE};
pub use process::ProcessId;
pub use program::{ProgramError, find_program};
pub use raw_log::{LOG_LIMIT, Warning};
pub use reap::{ReapError, Reaped};
pub use shim::shim_main;
pub use start_error::StartError;
pub use stdin::{Stdin, StdinClosed};
pub use version::{VERSION_LIMIT, VERSION_OUTPUT_LIMIT, VersionError, version};

//! Stand-ins and tools for testing Hostler from the outside.
//!
//! For everything the host touches there is something here that behaves like it
//! and can be told to misbehave: agents ([`scripted_agent`]), a model service for
//! the real Claude Code CLI ([`model_server`], [`real_cli`]), repositories
//! ([`scratch_repository`]), and a machine to run `host` on ([`host_sandbox`]).
//!
//! Nothing here is part of the product, reaches further than the loopback
//! interface (except [`real_cli`], which may install a CLI from its registry), or
//! looks inside the host: tests see what a user sees.

pub mod built;
pub mod control_socket;
pub mod host_clock;
pub mod host_process;
pub mod host_sandbox;
pub mod model_server;
pub mod processes;
pub mod real_cli;
pub mod scratch_repository;
pub mod scripted_agent;
pub mod soak;
pub mod waiting;

pub use host_process::HostProcess;
pub use host_sandbox::{HostSandbox, Output};
pub use model_server::{ModelServer, Scenario};
pub use scratch_repository::ScratchRepository;
pub use waiting::{PATIENCE, wait_until};

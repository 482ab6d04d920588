//! Runs OpenCode on a task: starts `opencode run --format json` with the prompt
//! on standard input and reads its events.
//!
//! It never waits for a closing event, because the CLI has none: the end is the
//! exit of the process after a step that stopped by itself. See [`session`].
//!
//! Main types: [`OpenCode`] and [`session::OpenCodeSession`].

mod events;
mod failure;
pub mod session;

use hostler_sdk::provider::{Capabilities, Invocation, Job};
use hostler_sdk::{Problem, Provider};

/// The provider.
pub struct OpenCode;

hostler_sdk::provider!(OpenCode);

impl Provider for OpenCode {
    type Session = session::OpenCodeSession;

    fn detect(version_output: &str) -> Capabilities {
        Capabilities::new(version_output, &["json-output", "resume", "cost", "mcp"])
    }

    fn launch(job: &Job) -> Result<Invocation, Problem> {
        let command = match (&job.session, job.permission.as_str()) {
            (None, "full-auto") => "start-auto",
            (None, _) => "start",
            (Some(_), "full-auto") => "resume-auto",
            (Some(_), _) => "resume",
        };
        Ok(Invocation::new(command)
            .slot_if("session", job.session.as_deref())
            .slot_if("model", job.model.as_deref())
            .stdin(job.prompt.as_bytes()))
    }
}

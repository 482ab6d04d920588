//! Runs Cursor on a task: starts `cursor-agent -p` with the prompt on standard input
//! and reads its `stream-json` output.
//!
//! It never waits for the process after the CLI said that it is finished: print mode
//! is known to stay open. See [`session`] for what counts as success.
//!
//! Main types: [`Cursor`] and [`session::CursorSession`].

mod events;
mod failure;
pub mod session;

use hostler_sdk::provider::{Capabilities, Invocation, Job};
use hostler_sdk::{Problem, Provider};

/// The provider.
pub struct Cursor;

hostler_sdk::provider!(Cursor);

impl Provider for Cursor {
    type Session = session::CursorSession;

    fn detect(version_output: &str) -> Capabilities {
        Capabilities::new(version_output, &["json-output", "resume", "mcp"])
    }

    fn launch(job: &Job) -> Result<Invocation, Problem> {
        let command = match (&job.session, job.permission.as_str()) {
            (None, "full-auto") => "start-force",
            (None, _) => "start",
            (Some(_), "full-auto") => "resume-force",
            (Some(_), _) => "resume",
        };
        Ok(Invocation::new(command)
            .slot_if("session", job.session.as_deref())
            .slot_if("model", job.model.as_deref())
            .stdin(job.prompt.as_bytes()))
    }
}

//! Runs Codex on a task: starts `codex exec --json` with the prompt on
//! standard input and reads its events.
//!
//! It never takes an `error` line for the end: the CLI prints one for each try
//! to reconnect. See [`session`] for what counts.
//!
//! Main types: [`Codex`] and [`session::CodexSession`].

mod events;
mod failure;
pub mod session;

use hostler_sdk::provider::{Capabilities, Invocation, Job};
use hostler_sdk::{Problem, Provider};

/// The provider.
pub struct Codex;

hostler_sdk::provider!(Codex);

impl Provider for Codex {
    type Session = session::CodexSession;

    fn detect(version_output: &str) -> Capabilities {
        Capabilities::new(version_output, &["json-output", "resume", "mcp"])
    }

    fn launch(job: &Job) -> Result<Invocation, Problem> {
        let invocation = match &job.session {
            Some(session) => Invocation::new("resume").slot("session", session),
            None => Invocation::new("start"),
        };
        let sandbox = match job.permission.as_str() {
            "auto-edits" => "workspace-write",
            "full-auto" => "danger-full-access",
            _ => "read-only",
        };
        Ok(invocation
            .slot("sandbox", sandbox)
            .slot_if("model", job.model.as_deref())
            .stdin(job.prompt.as_bytes()))
    }
}

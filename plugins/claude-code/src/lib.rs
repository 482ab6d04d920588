//! Runs Claude Code on a task: starts `claude -p` with the prompt on standard
//! input and reads its `stream-json` output.
//!
//! It never believes a single sign of success: the CLI ends API failures with
//! `subtype:"success"` and denied permissions with exit code 0. See
//! [`session`] for what counts.
//!
//! Main types: [`ClaudeCode`] and [`session::ClaudeSession`].

mod events;
mod failure;
pub mod session;

use hostler_sdk::provider::{Capabilities, Invocation, Job};
use hostler_sdk::{Problem, Provider};

/// The provider.
pub struct ClaudeCode;

hostler_sdk::provider!(ClaudeCode);

impl Provider for ClaudeCode {
    type Session = session::ClaudeSession;

    fn detect(version_output: &str) -> Capabilities {
        Capabilities::new(version_output, &["json-output", "resume", "cost", "mcp"])
    }

    fn launch(job: &Job) -> Result<Invocation, Problem> {
        let invocation = match &job.session {
            Some(session) => Invocation::new("resume").slot("session", session),
            None => Invocation::new("start"),
        };
        let permission = match job.permission.as_str() {
            "auto-edits" => Some("acceptEdits"),
            "full-auto" => Some("bypassPermissions"),
            _ => None,
        };
        Ok(invocation
            .slot_if("permission", permission)
            .slot_if("model", job.model.as_deref())
            .stdin(job.prompt.as_bytes()))
    }
}

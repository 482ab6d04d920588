//! The stand-in as a runner sees it: over a socket.

#![allow(clippy::unwrap_used)]

mod admin;
mod client;
mod endpoints;
mod faults;

use serde_json::{Value, json};
use standin_trakkar::board::{Agent, NewTask};
use standin_trakkar::{Options, Standin};

const RUNNER: &str = "6f3a8f0e-0000-4000-8000-000000000001";

/// A stand-in with one delegated task; also the ids of task and run.
fn delegated() -> (Standin, String, String) {
    let agent =
        Agent { verify_command: Some("npm test".into()), max_concurrency: Some(4), ..Agent::default() };
    let standin = Standin::start(Options { agent, ..Options::default() }).unwrap();
    let (task, run) = standin.delegate(NewTask::titled("Add CSV export"));
    (standin, task, run)
}

fn claim_body(slots: u32) -> Value {
    json!({ "runner_id": RUNNER, "slots": slots, "provider": "claude_code" })
}

fn progress_body(seq: u64) -> Value {
    json!({ "seq": seq, "events": [{ "type": "status", "text": "Reading", "at": "2026-01-01T00:00:00Z" }] })
}

fn finish_body(outcome: &str) -> Value {
    json!({
        "outcome": outcome, "summary": "Done.", "session_ref": "s1", "workspace_kept": true, "error": null,
        "usage": { "input_tokens": 1, "output_tokens": 1, "cost_usd": 0.0 }
    })
}

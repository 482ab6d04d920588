//! The stand-in as a daemon sees it: over a socket.

#![allow(clippy::unwrap_used)]

mod admin;
mod client;
mod endpoints;
mod faults;

use serde_json::json;
use standin_tale::board::{Agent, NewTask, RunId, TaskId};
use standin_tale::{Options, Standin};

const DAEMON: &str = "daemon_6f3a8f0e-0000-4000-8000-000000000001";

/// A stand-in with one task, dispatched to an agent on Claude Code.
fn dispatched() -> (Standin, TaskId, RunId) {
    let standin = Standin::start(Options::default()).unwrap();
    standin.put_agent(Agent::bound("coder", "claude_code").variable("MODE", "test-value"));
    let task = standin.create_task(NewTask::titled("Fix the login"));
    let run = standin.assign(&task, "coder").unwrap();
    (standin, task, run)
}

fn claim_body() -> serde_json::Value {
    json!({ "daemonId": DAEMON, "adapterTypes": ["claude_code"] })
}

fn complete_body() -> serde_json::Value {
    json!({ "daemonId": DAEMON, "summary": "Done." })
}

fn status(standin: &Standin, run: &RunId) -> &'static str {
    standin.run(run).unwrap().state.name()
}

//! One delegation of a task to an agent.

use serde::Serialize;

use super::{Event, Finish};
use crate::limits;
use crate::time::Time;

/// What a reply continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Continuation {
    /// The reply.
    pub message: String,
    /// The run before.
    pub previous_run_id: String,
    /// As that run's end told it.
    pub session_ref: Option<String>,
}

/// An opened pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PullRequest {
    /// At the forge.
    pub url: String,
    /// At the forge.
    pub number: u64,
    /// With the work.
    pub branch: String,
    /// One line.
    pub title: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ending {
    /// What the runner said.
    #[serde(flatten)]
    pub finish: Finish,
    /// When.
    pub at: Time,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// For a runner.
    Waiting,
    /// A runner has it.
    Held {
        /// Which one.
        runner: String,
        /// When it was claimed, or last named in a sign of life.
        seen: Time,
    },
    /// It was given back, for this reason; another run waits in its place.
    Released(String),
    /// Nobody works on it any more: it was stopped while it waited, or its runner
    /// vanished and another run took its place.
    Superseded,
    /// It is over.
    Finished(Ending),
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// `run_1`, ….
    pub id: String,
    /// Of the task.
    pub task: String,
    /// Of the agent.
    pub agent: String,
    /// For a reply.
    pub continuation: Option<Continuation>,
    /// Where it stands.
    pub state: RunState,
    /// The verify command, as it was told with the claim.
    pub verify_command: Option<String>,
    /// What it showed, oldest first.
    pub events: Vec<Event>,
    /// Numbers of the batches that were taken, as they came.
    pub seqs: Vec<u64>,
    /// How many batches came again.
    pub repeated: u64,
    /// A person pressed Stop.
    pub stop: bool,
    /// For the agent; told with the next answer to progress.
    pub messages: Vec<String>,
    /// What it opened.
    pub pr: Option<PullRequest>,
}

impl Run {
    /// Who holds it.
    pub fn holder(&self) -> Option<&str> {
        match &self.state {
            RunState::Held { runner, .. } => Some(runner),
            _ => None,
        }
    }

    /// How it ended, if it did.
    pub fn ending(&self) -> Option<&Finish> {
        match &self.state {
            RunState::Finished(ending) => Some(&ending.finish),
            _ => None,
        }
    }

    /// Whether its runner shows no sign of life any more.
    pub fn is_disconnected(&self, now: Time) -> bool {
        matches!(self.state, RunState::Held { seen, .. } if now.since(seen) >= limits::DISCONNECTED)
    }

    /// Whether somebody works on it, or will.
    pub fn is_open(&self) -> bool {
        matches!(self.state, RunState::Waiting | RunState::Held { .. })
    }

    /// For people: `waiting`, `claimed`, `running`, `disconnected`, `released`,
    /// `superseded`, or the outcome.
    pub fn status(&self, now: Time) -> &'static str {
        match &self.state {
            RunState::Waiting => "waiting",
            RunState::Held { .. } if self.is_disconnected(now) => "disconnected",
            RunState::Held { .. } if self.events.is_empty() => "claimed",
            RunState::Held { .. } => "running",
            RunState::Released(_) => "released",
            RunState::Superseded => "superseded",
            RunState::Finished(ending) => ending.finish.outcome,
        }
    }
}

//! The board: everything a Tale server knows, as a state machine without I/O.
//! Time comes in with every call, ids from a seed; the same calls give the same board.

mod agent;
mod audit;
mod cancel;
mod claim;
mod dispatch;
mod ending;
mod guard;
mod ids;
mod metrics;
mod organization;
mod prompt;
mod report;
mod run;
mod runtime;
mod sweep;
mod task;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use agent::{Agent, Binding, Budget, PermissionMode};
pub use cancel::Cancelled;
pub use dispatch::{Refusal, Trigger};
pub use ending::FailureEvent;
pub(crate) use ids::Random;
pub use ids::{RunId, TaskId};
pub use metrics::{Metrics, MetricsStatus};
pub use organization::{Denied, Organization, User};
pub use report::{EventAnswer, EventType, NotAccepted};
pub use run::{Completion, FailReason, Hold, Kind, Run, RunState, Usage, Work};
pub use runtime::{Adapter, Heartbeat, Registration, Runtime, RuntimeStatus};
pub use task::{Activity, Author, Comment, NewTask, Project, Subtask, Task, TaskStatus};

use crate::time::Time;
use ids::Ids;

/// What becomes of a run whose daemon reports that it was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelAck {
    /// Failed, with a comment: what the server's code does.
    #[default]
    Failed,
    /// Cancelled, silently: what the comments in its schema say.
    Cancelled,
}

/// Where versions of the server differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// See [`CancelAck`].
    pub cancel_ack: CancelAck,
}

/// Everything the server knows. Serialised, it is what `/standin/board` shows; keys
/// and values of environments are left out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// Where versions of the server differ.
    pub rules: Rules,
    pub(crate) organizations: Vec<Organization>,
    #[serde(skip)]
    pub(crate) users: Vec<User>,
    pub(crate) projects: Vec<Project>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) runs: Vec<Run>,
    pub(crate) runtimes: Vec<Runtime>,
    pub(crate) metrics: Vec<Metrics>,
    pub(crate) events: Vec<FailureEvent>,
    /// When to look for overdue runs of which organisation.
    #[serde(skip)]
    pub(crate) sweeps: BTreeSet<(Time, String)>,
    #[serde(skip)]
    pub(crate) ids: Ids,
}

impl Board {
    /// An empty board. The seed decides the ids.
    pub fn new(seed: u64, rules: Rules) -> Self {
        Self {
            rules,
            organizations: Vec::new(),
            users: Vec::new(),
            projects: Vec::new(),
            agents: Vec::new(),
            tasks: Vec::new(),
            runs: Vec::new(),
            runtimes: Vec::new(),
            metrics: Vec::new(),
            events: Vec::new(),
            sweeps: BTreeSet::new(),
            ids: Ids::new(seed),
        }
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// All runtimes.
    pub fn runtimes(&self) -> &[Runtime] {
        &self.runtimes
    }

    /// A row per attempt, oldest first.
    pub fn metrics(&self) -> &[Metrics] {
        &self.metrics
    }

    /// The failure events that workflows would hear, oldest first.
    pub fn events(&self) -> &[FailureEvent] {
        &self.events
    }

    /// Where things go that name no organisation.
    fn first_organization(&self) -> String {
        self.organizations.first().map(|organization| organization.slug.clone()).unwrap_or_default()
    }
}

//! The record of one run: what it is to do, and where it stands.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Board, PermissionMode, RunId, TaskId};
use crate::limits;
use crate::time::Time;

/// What a run continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A task from its start.
    Initial,
    /// A result that a person wants changed.
    Revision,
}

/// Why a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailReason {
    /// Nobody claimed it in time.
    RuntimeOffline,
    /// The daemon said so.
    Error,
    /// The daemon fell silent.
    LeaseExpired,
    /// It took longer than a run may.
    Timeout,
}

impl FailReason {
    /// As it stands on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::RuntimeOffline => "runtime_offline",
            Self::Error => "error",
            Self::LeaseExpired => "lease_expired",
            Self::Timeout => "timeout",
        }
    }
}

/// A daemon's hold on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Who claimed it.
    pub daemon_id: String,
    /// When; the run time-out counts from here.
    pub claimed_at: Time,
    /// Until when the daemon need not show a sign of life.
    pub lease_until: Time,
    /// A person wants it ended.
    pub cancel_requested: bool,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum RunState {
    /// Waits for a daemon until the deadline.
    Queued {
        /// Then nobody will claim it any more.
        deadline: Time,
    },
    /// A daemon has it but has not started its agent.
    Claimed(Hold),
    /// The agent works.
    Running(Hold),
    /// The result is a comment on the task.
    Completed {
        /// When it ended.
        ended_at: Time,
        /// Who reported it.
        daemon_id: String,
    },
    /// The task went back to To do.
    Failed {
        /// When it ended.
        ended_at: Time,
        /// Why.
        reason: FailReason,
        /// Who had it, if anybody.
        daemon_id: Option<String>,
    },
    /// Ended because a person wanted it.
    Cancelled {
        /// When it ended.
        ended_at: Time,
        /// Who had it, if anybody.
        daemon_id: Option<String>,
    },
}

impl RunState {
    /// As it stands in the database.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Claimed(_) => "claimed",
            Self::Running(_) => "running",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The hold of a daemon, while one has it.
    pub fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Claimed(hold) | Self::Running(hold) => Some(hold),
            _ => None,
        }
    }

    pub(crate) fn hold_mut(&mut self) -> Option<&mut Hold> {
        match self {
            Self::Claimed(hold) | Self::Running(hold) => Some(hold),
            _ => None,
        }
    }

    /// Who has the run, or had it when it ended. Nobody has a queued one.
    pub fn daemon(&self) -> Option<&str> {
        match self {
            Self::Queued { .. } => None,
            Self::Claimed(hold) | Self::Running(hold) => Some(&hold.daemon_id),
            Self::Completed { daemon_id, .. } => Some(daemon_id),
            Self::Failed { daemon_id, .. } | Self::Cancelled { daemon_id, .. } => daemon_id.as_deref(),
        }
    }

    /// Whether nothing will change any more.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled { .. })
    }
}

/// What a run spent, as the daemon says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Whole cents.
    pub cost_cents: u64,
}

/// What a daemon says at the end of a run that went well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// Not empty.
    pub summary: String,
    /// What changed.
    pub diff_stat: Option<String>,
    /// The CLI's session, to be resumed by a revision.
    pub session_ref: Option<String>,
    /// What it spent.
    pub usage: Usage,
}

/// One run of one task.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// `externalRunId` on the wire.
    pub id: RunId,
    /// Slug of its organisation.
    pub organization: String,
    /// The task it is for.
    pub task: TaskId,
    /// Slug of the agent.
    pub agent: String,
    /// Which CLI.
    pub adapter_type: String,
    /// Only this daemon may claim it.
    pub pinned_to: Option<String>,
    /// Which of the daemon's workspaces.
    pub workspace_key: Option<String>,
    /// The server's half of the double opt-in.
    pub permission_mode: PermissionMode,
    /// Initial or revision.
    pub kind: Kind,
    /// A session to resume.
    pub resume_session_ref: Option<String>,
    /// Frozen at enqueue.
    pub prompt: String,
    /// When it was enqueued.
    pub enqueued_at: Time,
    /// How often it was claimed.
    pub attempts: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub state: RunState,
    /// Of a completed run.
    pub summary: Option<String>,
    /// Of a completed run.
    pub diff_stat: Option<String>,
    /// Of a completed run.
    pub session_ref: Option<String>,
    /// What it spent.
    pub usage: Usage,
    /// What the daemon last said went wrong.
    pub error: Option<String>,
}

/// A run as a claim hands it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// Opaque.
    pub external_run_id: RunId,
    /// Opaque.
    pub task_id: TaskId,
    /// Which agent.
    pub agent_slug: String,
    /// Which CLI.
    pub adapter_type: String,
    /// The server's half of the double opt-in.
    pub permission_mode: PermissionMode,
    /// Which workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_key: Option<String>,
    /// Initial or revision.
    pub kind: Kind,
    /// A session to resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_session_ref: Option<String>,
    /// What to do.
    pub prompt: String,
    /// How long it may take.
    pub timeout_ms: u64,
    /// Variables of the agent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

impl Run {
    /// As a claim hands it out.
    pub(crate) fn work(&self, env: BTreeMap<String, String>) -> Work {
        Work {
            external_run_id: self.id.clone(),
            task_id: self.task.clone(),
            agent_slug: self.agent.clone(),
            adapter_type: self.adapter_type.clone(),
            permission_mode: self.permission_mode,
            workspace_key: self.workspace_key.clone(),
            kind: self.kind,
            resume_session_ref: self.resume_session_ref.clone(),
            prompt: self.prompt.clone(),
            timeout_ms: u64::try_from(limits::RUN_TIMEOUT.as_millis()).unwrap_or(u64::MAX),
            env,
        }
    }
}

impl Board {
    /// A run by its id.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == *id)
    }

    /// The runs of a task, oldest first.
    pub fn runs_of<'a>(&'a self, task: &'a TaskId) -> impl DoubleEndedIterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.task == *task)
    }

    /// The one run of a task that is not over, if there is one.
    pub fn live_run(&self, task: &TaskId) -> Option<&Run> {
        self.runs.iter().find(|run| run.task == *task && !run.state.is_over())
    }

    pub(crate) fn run_mut(&mut self, id: &RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == *id)
    }
}

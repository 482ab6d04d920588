//! One row per attempt, for whoever adds up what agents cost.

use serde::Serialize;

use super::{Board, RunId, Usage};
use crate::limits::{self, clip};
use crate::time::Time;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricsStatus {
    /// Not yet.
    Running,
    /// With a result.
    Completed,
    /// With an error.
    Failed,
    /// With silence, or too late.
    TimedOut,
    /// Because a person wanted it.
    Cancelled,
}

/// One attempt.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Slug of its organisation.
    pub organization: String,
    /// The run it belongs to.
    pub run: RunId,
    /// Slug of the agent.
    pub agent: String,
    /// Which CLI.
    pub adapter_type: String,
    /// Counts from 1.
    pub attempt: u32,
    /// When it was claimed.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// How it ended.
    pub status: MetricsStatus,
    /// What it spent.
    #[serde(flatten)]
    pub usage: Usage,
    /// At most 500 characters.
    pub error: Option<String>,
}

impl Board {
    /// Opens the row of an attempt.
    pub(super) fn open_metrics(&mut self, id: &RunId, now: Time) {
        let Some(run) = self.run(id) else { return };
        let row = Metrics {
            organization: run.organization.clone(),
            run: id.clone(),
            agent: run.agent.clone(),
            adapter_type: run.adapter_type.clone(),
            attempt: run.attempts,
            started_at: now,
            ended_at: None,
            status: MetricsStatus::Running,
            usage: Usage::default(),
            error: None,
        };
        self.metrics.push(row);
    }

    /// Closes the open row of a run, if it has one.
    pub(super) fn close_metrics(
        &mut self,
        id: &RunId,
        status: MetricsStatus,
        usage: Usage,
        error: Option<&str>,
        now: Time,
    ) {
        let open = self.metrics.iter_mut().find(|row| row.run == *id && row.ended_at.is_none());
        if let Some(row) = open {
            row.ended_at = Some(now);
            row.status = status;
            row.usage = usage;
            row.error = error.map(|error| clip(error, limits::METRICS_ERROR).to_owned());
        }
    }

    /// What an agent spent in the month of a moment, in cents.
    pub fn spent_cents(&self, organization: &str, agent: &str, now: Time) -> u64 {
        let own = self.metrics.iter().filter(|row| row.organization == organization && row.agent == agent);
        own.filter(|row| row.ended_at.is_some_and(|ended| ended.month() == now.month()))
            .map(|row| row.usage.cost_cents)
            .sum()
    }
}

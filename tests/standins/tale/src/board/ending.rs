//! The ends of a run, and the way back into the queue: what they do to the task, the
//! metrics and the workflows. Each run passes one end, once.

use serde::Serialize;

use super::{
    Author, Board, Completion, FailReason, MetricsStatus, Run, RunId, RunState, TaskId, TaskStatus, Usage,
};
use crate::limits::{self, clip};
use crate::time::Time;

/// What a workflow hears about a failed run: `task.external_run_failed`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureEvent {
    /// When it happened.
    pub at: Time,
    /// Its name.
    pub event: &'static str,
    /// The task that went back to To do.
    pub task_id: TaskId,
    /// Key of its project, if it has one.
    pub project_id: Option<String>,
    /// Slug of the agent.
    pub agent_slug: String,
    /// Which CLI.
    pub adapter_type: String,
    /// Why.
    pub reason: FailReason,
}

impl Board {
    /// The result becomes a comment, and a person is to look at it.
    pub(super) fn end_completed(&mut self, id: &RunId, completion: Completion, now: Time) {
        let Some(run) = self.run_mut(id) else { return };
        let Some(daemon_id) = run.state.daemon().map(str::to_owned) else { return };
        run.state = RunState::Completed { ended_at: now, daemon_id };
        run.summary = Some(clip(&completion.summary, limits::SUMMARY).to_owned());
        run.diff_stat = completion.diff_stat.as_deref().map(|stat| clip(stat, limits::DIFF_STAT).to_owned());
        run.session_ref = completion.session_ref;
        run.usage = completion.usage;
        let run = run.clone();
        self.close_metrics(id, MetricsStatus::Completed, run.usage, None, now);
        self.add_comment(
            &run.task,
            Author::Agent(run.agent.clone()),
            &result(&run),
            Some(run.id.clone()),
            now,
        );
        self.put_back(&run, TaskStatus::InReview, "completed", now);
    }

    /// The task goes back to To do, with a comment that says why.
    pub(super) fn end_failed(&mut self, id: &RunId, reason: FailReason, error: Option<&str>, now: Time) {
        let Some(run) = self.run_mut(id) else { return };
        let daemon_id = run.state.daemon().map(str::to_owned);
        run.state = RunState::Failed { ended_at: now, reason, daemon_id };
        run.error = error.map(|error| clip(error, limits::METRICS_ERROR).to_owned());
        let run = run.clone();
        self.close_metrics(id, metrics_status(reason), Usage::default(), error, now);
        let text = failure(&run, reason, error.unwrap_or_default());
        self.add_comment(&run.task, Author::Automation, &text, Some(run.id.clone()), now);
        self.put_back(&run, TaskStatus::Todo, reason.name(), now);
        let project_id = self.task(&run.task).and_then(|task| task.project.clone());
        self.events.push(FailureEvent {
            at: now,
            event: "task.external_run_failed",
            task_id: run.task,
            project_id,
            agent_slug: run.agent,
            adapter_type: run.adapter_type,
            reason,
        });
    }

    /// The run ends without a comment; an open task goes back to To do.
    pub(super) fn end_cancelled(&mut self, id: &RunId, now: Time) {
        let Some(run) = self.run_mut(id) else { return };
        let daemon_id = run.state.daemon().map(str::to_owned);
        run.state = RunState::Cancelled { ended_at: now, daemon_id };
        let run = run.clone();
        self.close_metrics(id, MetricsStatus::Cancelled, Usage::default(), None, now);
        self.put_back(&run, TaskStatus::Todo, "cancelled", now);
    }

    /// The attempt is over, the run is not: same id, prompt, kind and session.
    pub(super) fn queue_again(&mut self, id: &RunId, reason: FailReason, error: &str, now: Time) {
        let Some(run) = self.run_mut(id) else { return };
        run.state = RunState::Queued { deadline: now.plus(limits::DISPATCH_DEADLINE) };
        run.error = Some(clip(error, limits::METRICS_ERROR).to_owned());
        let (task, organization, attempts) = (run.task.clone(), run.organization.clone(), run.attempts);
        self.close_metrics(id, metrics_status(reason), Usage::default(), Some(error), now);
        if let Some(task) = self.task_mut(&task) {
            task.note(now, "run_retried", format!("attempt {attempts} ended: {}", reason.name()));
        }
        self.schedule_sweep(&organization, now.plus(limits::SWEEP_AFTER_ENQUEUE));
    }

    /// Tells the timeline, and moves a task that nobody has closed meanwhile.
    fn put_back(&mut self, run: &Run, status: TaskStatus, how: &str, now: Time) {
        if let Some(task) = self.task_mut(&run.task) {
            task.note(now, "run_ended", format!("{} {how}", run.id));
            if task.is_open() {
                task.move_to(status, now);
            }
        }
    }
}

fn metrics_status(reason: FailReason) -> MetricsStatus {
    match reason {
        FailReason::Timeout | FailReason::LeaseExpired => MetricsStatus::TimedOut,
        FailReason::Error | FailReason::RuntimeOffline => MetricsStatus::Failed,
    }
}

/// The agent's comment: its summary, and what changed. The summary gives way where
/// both are too long together, so that the fence is always closed.
fn result(run: &Run) -> String {
    let summary = run.summary.as_deref().unwrap_or_default();
    let Some(diff_stat) = run.diff_stat.as_deref().filter(|stat| !stat.is_empty()) else {
        return summary.to_owned();
    };
    let mut fence = "```".to_owned();
    while diff_stat.contains(&fence) {
        fence.push('`');
    }
    let block = format!("\n\n{fence}\n{diff_stat}\n{fence}");
    let room = limits::COMMENT - block.encode_utf16().count().min(limits::COMMENT);
    format!("{}{block}", clip(summary, room))
}

fn failure(run: &Run, reason: FailReason, error: &str) -> String {
    let what = format!("The run of {} on {} failed: {}.", run.agent, run.adapter_type, reason.name());
    let error = clip(error, limits::COMMENT_ERROR);
    let quoted =
        if error.is_empty() { String::new() } else { format!("\n\n> {}", error.replace('\n', "\n> ")) };
    format!("{what} The task was returned to To do.{quoted}")
}

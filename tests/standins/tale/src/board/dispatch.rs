//! How a task becomes a queued run.

use serde::Serialize;
use thiserror::Error;

use super::guard::BudgetState;
use super::{Author, Board, Comment, Kind, Run, RunId, RunState, TaskId, TaskStatus, Usage};
use crate::limits::{self, clip};
use crate::time::Time;

/// What made the server dispatch a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The task was assigned to the agent.
    Assignment,
    /// A person wants the result changed.
    Revision,
    /// A comment names the agent.
    Mention,
}

/// Why a task was not dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no such task.
    #[error("TASK_NOT_FOUND")]
    NoTask,
    /// The task is done, cancelled or archived.
    #[error("TASK_CLOSED")]
    TaskClosed,
    /// The task has no agent, or one that does not exist.
    #[error("AGENT_NOT_FOUND")]
    NoAgent,
    /// The agent is switched off.
    #[error("AGENT_DISABLED")]
    AgentDisabled,
    /// The agent works in Tale's own model loop.
    #[error("AGENT_NOT_BOUND")]
    NotBound,
    /// The organisation has automation off.
    #[error("AUTOMATION_OFF")]
    AutomationOff,
    /// The agent's monthly budget is spent.
    #[error("BUDGET_PAUSED")]
    BudgetPaused,
    /// The task was dispatched too often within the hour.
    #[error("BREAKER_OPEN")]
    BreakerOpen,
    /// The task has a run that is not over.
    #[error("ALREADY_DISPATCHED")]
    AlreadyDispatched,
    /// The task was never assigned, so there is nothing to revise.
    #[error("NOT_ASSIGNED")]
    NotAssigned,
}

impl Board {
    /// A person assigns a task to an agent, which dispatches it.
    pub fn assign(&mut self, task: &TaskId, agent: &str, now: Time) -> Result<RunId, Refusal> {
        let assigned = self.task_mut(task).ok_or(Refusal::NoTask)?;
        assigned.assignee = Some(agent.to_owned());
        self.dispatch(task, agent, Trigger::Assignment, now)
    }

    /// A person says what is to be changed, which dispatches the task again.
    pub fn request_revision(
        &mut self,
        task: &TaskId,
        user: &str,
        wish: &str,
        now: Time,
    ) -> Result<RunId, Refusal> {
        self.add_comment(task, Author::User(user.to_owned()), wish, None, now);
        let revised = self.task(task).ok_or(Refusal::NoTask)?;
        let agent = revised.assignee.clone().ok_or(Refusal::NotAssigned)?;
        self.dispatch(task, &agent, Trigger::Revision, now)
    }

    /// A person comments on a task. A mention such as `@coder` dispatches it to that agent.
    pub fn comment(
        &mut self,
        task: &TaskId,
        user: &str,
        body: &str,
        now: Time,
    ) -> Option<Result<RunId, Refusal>> {
        self.add_comment(task, Author::User(user.to_owned()), body, None, now);
        let organization = &self.task(task)?.organization;
        let word = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_');
        let mut mentions = body.split('@').skip(1).filter_map(|after| after.split(word).next());
        let agent = mentions.find(|slug| self.agent(organization, slug).is_some())?.to_owned();
        Some(self.dispatch(task, &agent, Trigger::Mention, now))
    }

    pub(super) fn add_comment(
        &mut self,
        task: &TaskId,
        author: Author,
        body: &str,
        run: Option<RunId>,
        now: Time,
    ) {
        if let Some(task) = self.task_mut(task) {
            let body = clip(body, limits::COMMENT).to_owned();
            task.comments.push(Comment { at: now, author, body, run });
        }
    }

    /// Puts a run of the task into the queue, with the prompt frozen as it is now.
    fn dispatch(&mut self, id: &TaskId, slug: &str, trigger: Trigger, now: Time) -> Result<RunId, Refusal> {
        self.check_dispatch(id, slug, now)?;
        let task = self.task(id).ok_or(Refusal::NoTask)?;
        let agent = self.agent(&task.organization, slug).ok_or(Refusal::NoAgent)?;
        let runtime = agent.runtime.as_ref().ok_or(Refusal::NotBound)?;
        let kind = if trigger == Trigger::Revision { Kind::Revision } else { Kind::Initial };
        let resume_session_ref = match kind {
            Kind::Revision => self.last_session(id, slug, &runtime.adapter_type),
            Kind::Initial => None,
        };
        let mut run = Run {
            id: RunId(String::new()),
            organization: task.organization.clone(),
            task: id.clone(),
            agent: slug.to_owned(),
            adapter_type: runtime.adapter_type.clone(),
            pinned_to: runtime.daemon_id.clone(),
            workspace_key: runtime.workspace_key.clone(),
            permission_mode: runtime.permission_mode,
            kind,
            resume_session_ref,
            prompt: self.prompt(task, agent, trigger, now),
            enqueued_at: now,
            attempts: 0,
            state: RunState::Queued { deadline: now.plus(limits::DISPATCH_DEADLINE) },
            summary: None,
            diff_stat: None,
            session_ref: None,
            usage: Usage::default(),
            error: None,
        };
        run.id = RunId(self.ids.next());
        let (run_id, organization) = (run.id.clone(), run.organization.clone());
        self.runs.push(run);
        self.schedule_sweep(&organization, now.plus(limits::SWEEP_AFTER_ENQUEUE));
        if let Some(task) = self.task_mut(id) {
            task.note(now, "run_enqueued", format!("{slug} is asked to work ({run_id})"));
            task.move_to(TaskStatus::InProgress, now);
        }
        Ok(run_id)
    }

    fn check_dispatch(&self, id: &TaskId, slug: &str, now: Time) -> Result<(), Refusal> {
        let task = self.task(id).ok_or(Refusal::NoTask)?;
        let agent = self.agent(&task.organization, slug).ok_or(Refusal::NoAgent)?;
        let automation = self.organization(&task.organization).is_some_and(|own| own.automation);
        let refusals = [
            (!task.is_open(), Refusal::TaskClosed),
            (!automation, Refusal::AutomationOff),
            (!agent.enabled, Refusal::AgentDisabled),
            (agent.runtime.is_none(), Refusal::NotBound),
            (self.live_run(id).is_some(), Refusal::AlreadyDispatched),
            (self.budget_state(agent, now) == BudgetState::Paused, Refusal::BudgetPaused),
            (self.breaker_is_open(task, now), Refusal::BreakerOpen),
        ];
        match refusals.into_iter().find(|(applies, _)| *applies) {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }

    /// The session of the latest completed run of the same task, agent and adapter.
    fn last_session(&self, task: &TaskId, agent: &str, adapter: &str) -> Option<String> {
        let mut completed = self.runs_of(task).rev().filter(|run| {
            run.agent == agent
                && run.adapter_type == adapter
                && matches!(run.state, RunState::Completed { .. })
        });
        completed.next()?.session_ref.clone()
    }
}

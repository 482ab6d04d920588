//! What people do: delegate, stop, reply, delete.

use serde::Serialize;
use thiserror::Error;

use super::{Board, Comment, Continuation, Run, RunState};
use crate::time::Time;

/// Why something that a person wishes cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nor was there ever one, or it was deleted.
    #[error("there is no such task")]
    NoTask,
    /// Nor was there ever one.
    #[error("there is no such agent")]
    NoAgent,
    /// A task has one open run at most.
    #[error("a run of this task is open already; stop it first")]
    RunOpen,
    /// Nothing to stop.
    #[error("no run of this task is open")]
    NoOpenRun,
    /// The workspace is gone with it.
    #[error("the task has a pull request; a reply has nothing to go on from")]
    PullRequestOpen,
    /// Nothing to reply to.
    #[error("the task was never delegated")]
    NeverDelegated,
}

/// What became of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replied {
    /// The agent that works hears it.
    Message,
    /// A run that continues; its id.
    Continue(String),
}

impl Board {
    /// Hands a task to an agent: a run waits for its runner. A run whose runner has
    /// vanished gives way.
    pub fn delegate(&mut self, task: &str, agent: &str, now: Time) -> Result<String, Refusal> {
        self.task(task).ok_or(Refusal::NoTask)?;
        if !self.agents.iter().any(|known| known.id == agent) {
            return Err(Refusal::NoAgent);
        }
        self.supersede(task, now)?;
        Ok(self.enqueue(task, agent, None))
    }

    /// Presses Stop. A run that nobody has claimed is gone at once.
    pub fn stop(&mut self, task: &str) -> Result<(), Refusal> {
        self.task(task).ok_or(Refusal::NoTask)?;
        let open = self.runs.iter_mut().find(|run| run.task == task && run.is_open());
        let run = open.ok_or(Refusal::NoOpenRun)?;
        run.stop = true;
        if run.state == RunState::Waiting {
            run.state = RunState::Superseded;
        }
        Ok(())
    }

    /// Says something in the task's chat. While an agent works it is a message to it;
    /// afterwards it continues the work, unless that is in a pull request.
    pub fn reply(&mut self, task: &str, author: &str, body: &str, now: Time) -> Result<Replied, Refusal> {
        self.task(task).ok_or(Refusal::NoTask)?;
        let last = self.runs.iter_mut().rfind(|run| run.task == task);
        let last = last.ok_or(Refusal::NeverDelegated)?;
        if last.ending().is_some_and(|ending| ending.outcome == "pr_opened") {
            return Err(Refusal::PullRequestOpen);
        }
        let (agent, previous_run_id) = (last.agent.clone(), last.id.clone());
        let session_ref = last.ending().and_then(|ending| ending.session_ref.clone());
        let works = last.is_open() && !last.is_disconnected(now);
        if works {
            last.messages.push(body.to_owned());
        }
        self.comment(task, author, body, now);
        if works {
            return Ok(Replied::Message);
        }
        self.supersede(task, now)?;
        let continuation = Continuation { message: body.to_owned(), previous_run_id, session_ref };
        Ok(Replied::Continue(self.enqueue(task, &agent, Some(continuation))))
    }

    /// Adds a comment.
    pub fn comment(&mut self, task: &str, author: &str, body: &str, now: Time) {
        if let Some(task) = self.tasks.iter_mut().find(|known| known.id == task) {
            task.comments.push(Comment { author: author.to_owned(), body: body.to_owned(), created_at: now });
        }
    }

    /// Deletes a task; whoever works on it is answered 410.
    pub fn delete_task(&mut self, task: &str) -> Result<(), Refusal> {
        let task = self.tasks.iter_mut().find(|known| known.id == task && !known.deleted);
        task.ok_or(Refusal::NoTask)?.deleted = true;
        Ok(())
    }

    fn supersede(&mut self, task: &str, now: Time) -> Result<(), Refusal> {
        for run in self.runs.iter_mut().filter(|run| run.task == task && run.is_open()) {
            if !run.is_disconnected(now) {
                return Err(Refusal::RunOpen);
            }
            run.state = RunState::Superseded;
        }
        Ok(())
    }

    pub(super) fn enqueue(&mut self, task: &str, agent: &str, continuation: Option<Continuation>) -> String {
        let id = self.next_id("run");
        self.runs.push(Run {
            id: id.clone(),
            task: task.to_owned(),
            agent: agent.to_owned(),
            continuation,
            state: RunState::Waiting,
            verify_command: None,
            events: Vec::new(),
            seqs: Vec::new(),
            repeated: 0,
            stop: false,
            messages: Vec::new(),
            pr: None,
        });
        id
    }
}

//! The board: everything a Trakkar server knows, as a state machine without I/O. Time
//! comes in with every call, ids are counted; the same calls give the same board.

mod agent;
mod audit;
mod claim;
mod continuing;
mod ending;
mod keeping;
mod person;
mod run;
mod task;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use thiserror::Error;

pub use agent::Agent;
pub use ending::{Finish, OUTCOMES};
pub use keeping::{Control, Event, Progress};
pub use person::{Refusal, Replied};
pub use run::{Continuation, Ending, PullRequest, Run, RunState};
pub use task::{Comment, NewTask, Task};

use crate::time::Time;

/// Why a runner's request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotDone {
    /// 401
    #[error("the agent token is missing or wrong")]
    InvalidToken,
    /// 403
    #[error("the agent is disabled")]
    AgentDisabled,
    /// 404
    #[error("there is no such task or run for this agent")]
    NotFound,
    /// 409
    #[error("the run belongs to another runner")]
    NotOwner,
    /// 409
    #[error("the run is finished already")]
    AlreadyFinished,
    /// 409
    #[error("a run of this task is open already")]
    RunOpen,
    /// 410
    #[error("the task was deleted")]
    TaskGone,
}

/// A runner that has shown a sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Runner {
    /// A UUID of its own.
    pub id: String,
    /// Whose token it has.
    pub agent: String,
    /// When it last showed a sign of life.
    pub seen: Time,
    /// As it says.
    pub free_slots: u64,
}

/// Everything the server knows. Serialised, it is what `/standin/board` shows; tokens
/// are left out.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Board {
    agents: Vec<Agent>,
    tasks: Vec<Task>,
    runs: Vec<Run>,
    runners: Vec<Runner>,
    /// What no sound runner does, in words.
    complaints: Vec<String>,
    /// Runs that runners asked for, by their keys.
    continued: BTreeMap<String, String>,
    #[serde(skip)]
    made: u64,
}

impl Board {
    /// All agents, oldest first.
    pub fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// All tasks, oldest first.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// All runners that ever showed a sign of life.
    pub fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// A task, if it was not deleted.
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id && !task.deleted)
    }

    /// A run.
    pub fn run(&self, id: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The runs of a task, oldest first.
    pub fn runs_of<'a>(&'a self, task: &'a str) -> impl DoubleEndedIterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.task == task)
    }

    /// Whose token this is, if the agent may work.
    pub fn authorize(&self, authorization: Option<&str>) -> Result<&Agent, NotDone> {
        let token = authorization.and_then(|header| header.strip_prefix("Bearer "));
        let agent = self.agents.iter().find(|agent| Some(agent.token.as_str()) == token);
        let agent = agent.ok_or(NotDone::InvalidToken)?;
        if agent.enabled { Ok(agent) } else { Err(NotDone::AgentDisabled) }
    }

    fn next_id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{}", self.made)
    }

    /// A run of this agent that this runner holds.
    fn held(&mut self, agent: &str, runner: &str, id: &str) -> Result<&mut Run, NotDone> {
        let run = self.runs.iter_mut().find(|run| run.id == id && run.agent == agent);
        let run = run.ok_or(NotDone::NotFound)?;
        if self.tasks.iter().any(|task| task.id == run.task && task.deleted) {
            return Err(NotDone::TaskGone);
        }
        match &run.state {
            RunState::Held { runner: holder, .. } if holder == runner => Ok(run),
            RunState::Held { .. } => Err(NotDone::NotOwner),
            RunState::Finished(_) => Err(NotDone::AlreadyFinished),
            RunState::Waiting | RunState::Released(_) | RunState::Superseded => Err(NotDone::NotFound),
        }
    }
}

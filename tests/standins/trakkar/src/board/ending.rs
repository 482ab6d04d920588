//! How runs end.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Board, Ending, NotDone, PullRequest, RunState};
use crate::time::Time;

/// Every outcome a runner may report.
pub const OUTCOMES: [&str; 7] =
    ["pr_opened", "no_changes", "verify_failed", "failed", "stopped", "dry_run", "runner_closed"];

/// What a runner says at the end of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finish {
    /// One of [`OUTCOMES`].
    #[serde(skip_deserializing)]
    pub outcome: &'static str,
    /// Markdown.
    pub summary: String,
    /// The CLI's session.
    pub session_ref: Option<String>,
    /// Whether a reply can go on in the same folder.
    pub workspace_kept: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// Tokens and cost, as the runner says.
    pub usage: Value,
}

impl Board {
    /// A pull request is open.
    pub fn pull_request(
        &mut self,
        agent: &str,
        runner: &str,
        run: &str,
        request: PullRequest,
    ) -> Result<(), NotDone> {
        let run = self.held(agent, runner, run)?;
        let other = run.pr.as_ref().is_some_and(|known| *known != request);
        let complaint = other.then(|| format!("{} told of two pull requests", run.id));
        run.pr = Some(request.clone());
        let task = run.task.clone();
        self.complaints.extend(complaint);
        if let Some(task) = self.tasks.iter_mut().find(|known| known.id == task) {
            task.pr_url = Some(request.url);
        }
        Ok(())
    }

    /// A run is over.
    pub fn finish(
        &mut self,
        agent: &str,
        runner: &str,
        run: &str,
        finish: Finish,
        now: Time,
    ) -> Result<(), NotDone> {
        let run = self.held(agent, runner, run)?;
        let mut complaints = Vec::new();
        if finish.outcome == "pr_opened" && run.pr.is_none() {
            complaints.push(format!("{} ended with a pull request that nobody told of", run.id));
        }
        if finish.outcome == "stopped" && !run.stop && finish.error.is_none() {
            complaints.push(format!("{} says it was stopped, but nobody pressed Stop", run.id));
        }
        run.state = RunState::Finished(Ending { finish, at: now });
        self.complaints.extend(complaints);
        Ok(())
    }

    /// A run is given back: the task waits again, as a new run.
    pub fn release(&mut self, agent: &str, runner: &str, run: &str, reason: &str) -> Result<String, NotDone> {
        let run = self.held(agent, runner, run)?;
        run.state = RunState::Released(reason.to_owned());
        let (task, continuation) = (run.task.clone(), run.continuation.clone());
        Ok(self.enqueue(&task, agent, continuation))
    }
}

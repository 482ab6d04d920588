//! Tasks on their way to a runner.

use serde_json::{Value, json};

use super::{Board, Comment, NotDone, Run, RunState, Task};
use crate::time::Time;

impl Board {
    /// Hands out the agent's waiting tasks, the oldest delegation first: each to one
    /// runner only.
    pub fn claim(&mut self, agent: &str, runner: &str, slots: usize, now: Time) -> Vec<Value> {
        let verify = self.agents.iter().find(|known| known.id == agent);
        let verify = verify.and_then(|agent| agent.verify_command.clone());
        let mut claimed = Vec::new();
        for run in &mut self.runs {
            let task = self.tasks.iter().find(|task| task.id == run.task && !task.deleted);
            let (Some(task), true) = (task, run.agent == agent && run.state == RunState::Waiting) else {
                continue;
            };
            if claimed.len() == slots {
                break;
            }
            run.state = RunState::Held { runner: runner.to_owned(), seen: now };
            run.verify_command.clone_from(&verify);
            claimed.push(payload(task, run));
        }
        claimed
    }

    /// A task as its agent may read it at any time: with its last run.
    pub fn read(&self, agent: &str, task: &str, now: Time) -> Result<Value, NotDone> {
        let deleted = self.tasks.iter().any(|known| known.id == task && known.deleted);
        let run = self.runs_of(task).rfind(|run| run.agent == agent).ok_or(NotDone::NotFound)?;
        let known = self.task(task).ok_or(if deleted { NotDone::TaskGone } else { NotDone::NotFound })?;
        let mut read = payload(known, run);
        read["status"] = json!(run.status(now));
        read["pr_url"] = json!(known.pr_url);
        Ok(read)
    }
}

fn payload(task: &Task, run: &Run) -> Value {
    let comment = |comment: &Comment| json!({ "author": comment.author, "body": comment.body, "created_at": comment.created_at.iso() });
    json!({
        "id": task.id,
        "run_id": run.id,
        "kind": if run.continuation.is_some() { "continue" } else { "new" },
        "title": task.text.title,
        "description": task.text.description,
        "acceptance": task.text.acceptance,
        "comments": task.comments.iter().map(comment).collect::<Vec<_>>(),
        "labels": task.text.labels,
        "repo_hint": task.text.repo_hint,
        "verify_command": run.verify_command,
        "branch_hint": task.text.branch_hint,
        "continuation": run.continuation,
    })
}

//! What must be true of every board, whatever was done to it.

use super::{Author, Board, MetricsStatus, Run, RunState, Task};
use crate::limits;

impl Board {
    /// What is wrong with the board, in words; empty if it is sound.
    pub fn violations(&self) -> Vec<String> {
        let tasks = self.tasks.iter().flat_map(|task| self.task_violations(task));
        tasks.chain(self.runs.iter().flat_map(|run| self.run_violations(run))).collect()
    }

    /// What keeps every dispatched task from having ended exactly once, in words:
    /// runs that are not over, and everything that is wrong with the board. A run of
    /// a deleted task has no comments to count.
    pub fn unended(&self) -> Vec<String> {
        let open = self.runs.iter().filter(|run| !run.state.is_over());
        let open =
            open.map(|run| format!("run {} of task {} is still {}", run.id, run.task, run.state.name()));
        open.chain(self.violations()).collect()
    }

    fn task_violations(&self, task: &Task) -> Vec<String> {
        let live = self.runs_of(&task.id).filter(|run| !run.state.is_over()).count();
        let longest = task.comments.iter().map(|comment| comment.body.encode_utf16().count()).max();
        let rules = [
            (live > 1, format!("task {} has {live} live runs", task.key())),
            (
                longest.unwrap_or_default() > limits::COMMENT,
                format!("task {} has a comment that is too long", task.key()),
            ),
        ];
        broken(rules)
    }

    fn run_violations(&self, run: &Run) -> Vec<String> {
        let rows = self.metrics.iter().filter(|row| row.run == run.id);
        let open_rows = rows.clone().filter(|row| row.status == MetricsStatus::Running).count();
        let rows = rows.count();
        let expected_open = usize::from(run.state.hold().is_some());
        let rules = [
            (
                run.attempts > limits::MAX_ATTEMPTS,
                format!("run {} was claimed {} times", run.id, run.attempts),
            ),
            (
                run.state.hold().is_some() && run.attempts == 0,
                format!("run {} is held but was never claimed", run.id),
            ),
            (
                rows != usize::try_from(run.attempts).unwrap_or(usize::MAX),
                format!("run {} has {rows} metrics rows for {} attempts", run.id, run.attempts),
            ),
            (
                open_rows != expected_open,
                format!("run {} is {} with {open_rows} open metrics rows", run.id, run.state.name()),
            ),
        ];
        let mut found = broken(rules);
        found.extend(self.report_violation(run));
        found
    }

    /// A run that completed or failed has one comment that says so; any other has none.
    fn report_violation(&self, run: &Run) -> Option<String> {
        let task = self.task(&run.task)?;
        let told: Vec<_> =
            task.comments.iter().filter(|comment| comment.run.as_ref() == Some(&run.id)).collect();
        let sound = match run.state {
            RunState::Completed { .. } => told.len() == 1 && matches!(told[0].author, Author::Agent(_)),
            RunState::Failed { .. } => told.len() == 1 && told[0].author == Author::Automation,
            _ => told.is_empty(),
        };
        let name = run.state.name();
        (!sound).then(|| format!("run {} is {name} with {} comments on its end", run.id, told.len()))
    }
}

fn broken<const N: usize>(rules: [(bool, String); N]) -> Vec<String> {
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, what)| what).collect()
}

//! What must be true of every board, whatever runners did.

use super::{Board, Run, Task};
use crate::limits;

impl Board {
    /// What is wrong with the board, in words; empty if it is sound.
    pub fn violations(&self) -> Vec<String> {
        let tasks = self.tasks.iter().filter_map(|task| self.task_violation(task));
        self.complaints
            .iter()
            .cloned()
            .chain(tasks)
            .chain(self.runs.iter().flat_map(run_violations))
            .collect()
    }

    /// What keeps every delegated task from having ended exactly once, in words: open
    /// runs, and everything that is wrong with the board.
    pub fn unended(&self) -> Vec<String> {
        let open = self.runs.iter().filter(|run| run.is_open());
        let open = open.map(|run| format!("{} of {} is open: {:?}", run.id, run.task, run.state));
        open.chain(self.violations()).collect()
    }

    fn task_violation(&self, task: &Task) -> Option<String> {
        let open = self.runs_of(&task.id).filter(|run| run.is_open()).count();
        (open > 1).then(|| format!("{} has {open} open runs", task.id))
    }
}

fn run_violations(run: &Run) -> Vec<String> {
    let rising = run.seqs.windows(2).all(|pair| pair[0] < pair[1]);
    let longest = run.events.iter().map(|event| event.text.chars().count()).max().unwrap_or_default();
    let rules = [
        (!rising, format!("{} took its batches in the order {:?}", run.id, run.seqs)),
        (longest > limits::EVENT, format!("{} has an event of {longest} characters", run.id)),
    ];
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, what)| what).collect()
}

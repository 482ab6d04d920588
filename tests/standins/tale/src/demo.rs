//! A board to try things out on: a project, an agent, a few small tasks.

use crate::board::{Agent, NewTask, PermissionMode, Refusal, RunId, Subtask, Task};
use crate::standin::Standin;

/// Slug of the agent that the tasks are assigned to.
pub const AGENT: &str = "coder";

/// Fills a board. The tasks wait in To do for [`assign_next`].
pub fn fill(standin: &Standin) {
    standin.put_agent(Agent::bound(AGENT, "claude_code").permission(PermissionMode::AutoEdits));
    let readme = NewTask::titled("Add a section on installation to the README").described(
        "Say in a few lines how to build and start the program. Create the file if it is missing.",
    );
    let hello = NewTask {
        priority: Some("high".to_owned()),
        labels: vec!["good first task".to_owned()],
        ..NewTask::titled("Write hello.txt").described("A file `hello.txt` with one friendly line in it.")
    };
    let step = |title: &str| Subtask { title: title.to_owned(), status: "todo".to_owned(), assignee: None };
    let changes = NewTask {
        subtasks: vec![step("Start CHANGES.md"), step("One line for each of the last three commits")],
        ..NewTask::titled("Start a list of changes")
    };
    for task in [hello, readme, changes] {
        standin.create_task(task);
    }
}

/// Assigns the next task once a host has registered and works on nothing. A queued
/// run waits two minutes at most, so a task that is assigned while the host is busy
/// with another one would fail before anybody could take it.
pub fn assign_next(standin: &Standin) -> Option<Result<RunId, Refusal>> {
    let next = standin.board(|board| {
        let idle = board.runs().iter().all(|run| run.state.is_over());
        let fresh = |task: &&Task| task.is_open() && board.runs_of(&task.id).next().is_none();
        let next = board.tasks().iter().find(fresh).map(|task| task.id.clone());
        next.filter(|_| idle && !board.runtimes().is_empty())
    })?;
    Some(standin.assign(&next, AGENT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::board::{Adapter, Registration};
    use crate::standin::{ORGANIZATION, Options};

    #[test]
    fn tasks_are_assigned_one_after_the_other_once_a_host_is_there() {
        let standin = Standin::start(Options::default()).unwrap();
        fill(&standin);
        assert_eq!(assign_next(&standin), None, "nobody is there");
        let adapter =
            Adapter { adapter_type: "claude_code".to_owned(), version: None, capabilities: Vec::new() };
        let registration = Registration {
            daemon_id: "daemon_1".to_owned(),
            name: None,
            adapters: vec![adapter],
            workspace_keys: Vec::new(),
        };
        standin.change(|board, now| board.register(ORGANIZATION, registration, now));
        for _ in 0..3 {
            let run = assign_next(&standin).unwrap().unwrap();
            assert_eq!(assign_next(&standin), None, "the host is busy");
            standin.cancel(&run);
        }
        assert_eq!(assign_next(&standin), None, "all are done");
    }
}

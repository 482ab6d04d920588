//! A board to try things out on: a project, an agent, a few small tasks.

use crate::board::{Agent, NewTask, PermissionMode, Refusal, Subtask};
use crate::standin::Standin;

/// Slug of the agent that the tasks are assigned to.
pub const AGENT: &str = "coder";

/// Fills a board. The tasks wait in To do: [`assign`] starts their two minutes.
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

/// Assigns every task of the board to the agent.
pub fn assign(standin: &Standin) -> Result<(), Refusal> {
    let tasks: Vec<_> = standin.board(|board| board.tasks().iter().map(|task| task.id.clone()).collect());
    for task in tasks {
        standin.assign(&task, AGENT)?;
    }
    Ok(())
}

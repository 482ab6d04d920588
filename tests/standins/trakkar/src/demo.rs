//! A board to try things out on: a few small tasks, delegated to the agent.

use crate::board::NewTask;
use crate::standin::Standin;

/// Delegates the tasks. A delegated task waits for its runner as long as it takes.
pub fn fill(standin: &Standin) {
    let hello = NewTask {
        description: "A file `hello.txt` with one friendly line in it.".to_owned(),
        acceptance: vec!["The file ends with a line break.".to_owned()],
        labels: vec!["good first task".to_owned()],
        ..NewTask::titled("Write hello.txt")
    };
    let readme = NewTask {
        description:
            "Say in a few lines how to build and start the program. Create the file if it is missing."
                .to_owned(),
        ..NewTask::titled("Add a section on installation to the README")
    };
    let changes = NewTask {
        acceptance: vec!["One line for each of the last three commits.".to_owned()],
        ..NewTask::titled("Start CHANGES.md")
    };
    for task in [hello, readme, changes] {
        standin.delegate(task);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::standin::Options;

    #[test]
    fn three_tasks_wait_for_a_runner() {
        let standin = Standin::start(Options::default()).unwrap();
        fill(&standin);
        let waiting = standin.change(|board, now| board.claim(standin.agent(), "r", 10, now));
        assert_eq!(waiting.len(), 3);
    }
}

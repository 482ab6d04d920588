//! One story per test, told at the board itself.

#![allow(clippy::unwrap_used)]

mod dispatch;
mod life;
mod runtimes;
mod texts;

use std::time::Duration;

use super::*;
use crate::limits;
use crate::time::Clock;

const ORG: &str = "studio";
const DAEMON: &str = "daemon_1";

/// A board with one agent, a task assigned to it, and a clock.
struct Scene {
    board: Board,
    now: Time,
    task: TaskId,
    run: RunId,
}

impl Scene {
    fn new() -> Self {
        Self::with(Agent::bound("coder", "claude_code"), Rules::default())
    }

    fn with(agent: Agent, rules: Rules) -> Self {
        let now = Clock::fake().now();
        let mut board = Board::new(1, rules);
        board.put_organization(Organization::new(ORG));
        board.put_project("APP", "App", "An app.");
        board.put_agent(agent);
        let task = board.create_task(NewTask::titled("Fix the login"), now);
        let run = board.assign(&task, "coder", now).unwrap();
        Self { board, now, task, run }
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
        self.board.sweep_until(self.now);
    }

    fn claim_as(&mut self, daemon: &str) -> Option<Work> {
        self.board.claim(ORG, daemon, &["claude_code".to_owned()], self.now)
    }

    fn claim(&mut self) -> Option<Work> {
        self.claim_as(DAEMON)
    }

    fn complete(&mut self, completion: Completion) -> Result<(), NotAccepted> {
        self.board.complete(ORG, &self.run, DAEMON, completion, self.now)
    }

    fn fail(&mut self, retryable: bool) -> Result<(), NotAccepted> {
        self.board.fail(ORG, &self.run, DAEMON, "it broke", retryable, self.now)
    }

    fn status(&self) -> &'static str {
        self.board.run(&self.run).unwrap().state.name()
    }

    fn task(&self) -> &Task {
        self.board.task(&self.task).unwrap()
    }

    fn reason(&self) -> Option<FailReason> {
        match self.board.run(&self.run).unwrap().state {
            RunState::Failed { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.board.violations(), Vec::<String>::new());
        }
    }
}

fn done(summary: &str) -> Completion {
    Completion { summary: summary.to_owned(), ..Completion::default() }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

//! Whatever people, daemons and time do, in whatever order, the board stays sound.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use standin_tale::board::{
    Agent, CancelAck, Completion, EventType, NewTask, Organization, Rules, RunId, RunState, TaskId,
    TaskStatus,
};
use standin_tale::{Board, Clock, Time};

const ORG: &str = "studio";
const ADAPTER: &str = "claude_code";

/// Longer than any chain of deadlines, leases and time-outs of two attempts.
const QUIET: Duration = Duration::from_hours(2);

/// One thing that happens. Numbers pick one of what there is.
#[derive(Debug, Clone)]
enum Step {
    Create,
    Assign(usize),
    Revise(usize),
    Close(usize),
    Delete(usize),
    Claim { daemon: u8 },
    Heartbeat { daemon: u8 },
    Started { daemon: u8, run: usize },
    Complete { daemon: u8, run: usize },
    Fail { daemon: u8, run: usize, retryable: bool },
    Cancel(usize),
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (pick, daemon) = (0..100_usize, 0..3_u8);
    prop_oneof![
        2 => Just(Step::Create),
        4 => pick.clone().prop_map(Step::Assign),
        2 => pick.clone().prop_map(Step::Revise),
        1 => pick.clone().prop_map(Step::Close),
        1 => pick.clone().prop_map(Step::Delete),
        6 => daemon.clone().prop_map(|daemon| Step::Claim { daemon }),
        3 => daemon.clone().prop_map(|daemon| Step::Heartbeat { daemon }),
        3 => (daemon.clone(), pick.clone()).prop_map(|(daemon, run)| Step::Started { daemon, run }),
        4 => (daemon.clone(), pick.clone()).prop_map(|(daemon, run)| Step::Complete { daemon, run }),
        4 => (daemon, pick.clone(), any::<bool>())
            .prop_map(|(daemon, run, retryable)| Step::Fail { daemon, run, retryable }),
        2 => pick.prop_map(Step::Cancel),
        4 => (0..200_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// A board, a clock, and what the reports said.
struct Play {
    board: Board,
    now: Time,
    /// How many terminal reports were accepted for a run.
    accepted: BTreeMap<RunId, u32>,
}

impl Play {
    fn new(cancel_ack: CancelAck) -> Self {
        let mut board = Board::new(1, Rules { cancel_ack });
        board.put_organization(Organization::new(ORG));
        board.put_agent(Agent::bound("coder", ADAPTER).at_most(2));
        Self { board, now: Clock::fake().now(), accepted: BTreeMap::new() }
    }

    fn task(&self, pick: usize) -> Option<TaskId> {
        let tasks = self.board.tasks();
        tasks.get(pick.checked_rem(tasks.len())?).map(|task| task.id.clone())
    }

    fn run(&self, pick: usize) -> Option<RunId> {
        let runs = self.board.runs();
        runs.get(pick.checked_rem(runs.len())?).map(|run| run.id.clone())
    }

    /// Does a step; one that picks from nothing does nothing.
    fn take(&mut self, step: &Step) -> Option<()> {
        let (board, now) = (&mut self.board, self.now);
        match *step {
            Step::Create => drop(board.create_task(NewTask::titled("t"), now)),
            Step::Claim { daemon } => drop(board.claim(ORG, &name(daemon), &[ADAPTER.to_owned()], now)),
            Step::Heartbeat { daemon } => drop(board.heartbeat(ORG, &name(daemon), now)),
            Step::Pass { seconds } => self.pass(Duration::from_secs(seconds)),
            Step::Assign(task) => {
                let task = self.task(task)?;
                let _ = self.board.assign(&task, "coder", now);
            }
            Step::Revise(task) => {
                let task = self.task(task)?;
                let _ = self.board.request_revision(&task, "ada", "more", now);
            }
            Step::Close(task) => {
                let task = self.task(task)?;
                self.board.move_task(&task, TaskStatus::Done, now);
            }
            Step::Delete(task) => {
                let task = self.task(task)?;
                self.board.delete_task(&task);
            }
            Step::Cancel(run) => {
                let run = self.run(run)?;
                self.board.cancel(&run, now);
            }
            Step::Started { daemon, run } => {
                let run = self.run(run)?;
                self.board.event(ORG, &run, &name(daemon), EventType::Started, now);
            }
            Step::Complete { daemon, run } => {
                let run = self.run(run)?;
                let completion = Completion { summary: "done".to_owned(), ..Completion::default() };
                let answer = self.board.complete(ORG, &run, &name(daemon), completion, now);
                self.reported(run, answer.is_ok());
            }
            Step::Fail { daemon, run, retryable } => {
                let run = self.run(run)?;
                let answer = self.board.fail(ORG, &run, &name(daemon), "error", retryable, now);
                self.reported(run, answer.is_ok());
            }
        }
        Some(())
    }

    fn reported(&mut self, run: RunId, accepted: bool) {
        if accepted && self.board.run(&run).unwrap().state.is_over() {
            *self.accepted.entry(run).or_default() += 1;
        }
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
        self.board.sweep_until(self.now);
    }

    /// What may never change: ends, prompts, and attempts backwards.
    fn history(&self) -> BTreeMap<RunId, (RunState, String, u32)> {
        let runs = self.board.runs().iter();
        runs.map(|run| (run.id.clone(), (run.state.clone(), run.prompt.clone(), run.attempts))).collect()
    }
}

fn name(daemon: u8) -> String {
    format!("daemon_{daemon}")
}

proptest! {
    #[test]
    fn the_board_stays_sound_and_every_run_ends_once(
        steps in prop::collection::vec(step(), 1..120),
        cancelled in any::<bool>(),
    ) {
        let mut play = Play::new(if cancelled { CancelAck::Cancelled } else { CancelAck::Failed });
        for step in &steps {
            let before = play.history();
            play.take(step);
            prop_assert_eq!(play.board.violations(), Vec::<String>::new(), "after {:?}", step);
            let after = play.history();
            for (id, (state, prompt, attempts)) in before {
                let (new_state, new_prompt, new_attempts) = &after[&id];
                prop_assert!(!state.is_over() || state == *new_state, "{} changed its end", id);
                prop_assert_eq!(&prompt, new_prompt);
                prop_assert!(attempts <= *new_attempts);
            }
        }
        prop_assert!(play.accepted.values().all(|reports| *reports == 1), "{:?}", play.accepted);
        play.pass(QUIET);
        prop_assert_eq!(play.board.unended(), Vec::<String>::new());
    }

    #[test]
    fn the_same_steps_make_the_same_board(steps in prop::collection::vec(step(), 1..60)) {
        let played = || {
            let mut play = Play::new(CancelAck::Failed);
            for step in &steps {
                play.take(step);
            }
            serde_json::to_string(&play.board).unwrap()
        };
        prop_assert_eq!(played(), played());
    }
}

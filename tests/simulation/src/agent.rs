//! Agents: processes with a supervisor that live on when their host dies.

use hostler_engine::outcome::{Class, Outcome, OutcomeState, Usage};
use hostler_engine::task::RunId;
use hostler_engine::time::{Millis, Timestamp};

use crate::random::Random;

/// How often an agent that works says something.
pub const SPEAKS_EVERY: Millis = Millis::seconds(5);

/// The supervisor kills an agent so long after the switch has asked it to end.
pub const SWITCH_GRACE: Millis = Millis::seconds(5);

/// A host kills an agent so long after it has asked it to end.
pub const END_GRACE: Millis = Millis::seconds(10);

/// How an agent ends if nobody ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It does what it was asked.
    Succeeds,
    /// It fails; another may not.
    Fails,
    /// It fails for good.
    Refuses,
    /// Its account's allowance is used up for so long.
    Quota(Millis),
    /// It falls silent and never ends.
    Hangs,
    /// It talks on and never ends.
    Babbles,
    /// It says that it is done, and stays.
    Lingers,
}

/// What an agent will do: drawn from the seed, the task and how many there were.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    /// Until it is done.
    pub works: Millis,
    /// How it ends by itself.
    pub ending: Ending,
    /// How long it takes to end when asked, at most [`END_GRACE`].
    pub obeys: Millis,
    /// Tokens each time it speaks.
    pub tokens: u64,
    /// Whether it changes files.
    pub changes: bool,
}

impl Habit {
    /// The habit of the `nth` agent of a task.
    pub fn of(seed: u64, task: usize, nth: usize) -> Self {
        let mut random = Random::of(seed, &[2, task as u64, nth as u64]);
        let ending = match random.below(16) {
            0..=6 => Ending::Succeeds,
            7..=10 => Ending::Fails,
            11 => Ending::Refuses,
            12 => Ending::Quota(random.seconds(10, 500)),
            13 => Ending::Hangs,
            14 => Ending::Babbles,
            _ => Ending::Lingers,
        };
        Self {
            works: random.millis(200, 90_000),
            ending,
            obeys: if random.one_in(3) { random.millis(5000, END_GRACE.0) } else { random.millis(10, 800) },
            tokens: random.between(1, 200),
            changes: random.one_in(2),
        }
    }
}

/// Why an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By itself.
    Itself,
    /// Its host ended it.
    Host,
    /// Its supervisor ended it: nobody renewed its lease.
    LeaseOver,
    /// Its supervisor ended it: its time was up.
    TimeOver,
    /// Its machine went down; no record of its end.
    Machine,
}

/// One agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// On which machine.
    pub host: usize,
    /// For which run.
    pub run: RunId,
    /// Which attempt.
    pub attempt: u32,
    /// Index of the task at the tracker.
    pub task: usize,
    /// Index of the claim at the tracker.
    pub claim: Option<usize>,
    /// Where it works.
    pub folder: String,
    /// What it will do.
    pub habit: Habit,
    /// When it began.
    pub started: Timestamp,
    /// What it used so far.
    pub tokens: u64,
    /// Being ended, for this reason.
    pub ending: Option<Cause>,
    /// Ended, when and why.
    pub dead: Option<(Timestamp, Cause)>,
    /// When its supervisor ends it unless told otherwise.
    pub switch: Option<Timestamp>,
    /// When its supervisor ends it in any case.
    pub time_over: Option<Timestamp>,
    /// Whether somebody ever asked it to end.
    pub asked: bool,
}

impl Agent {
    /// Whether it lives.
    pub const fn lives(&self) -> bool {
        self.dead.is_none()
    }

    /// Whether it is the agent of this attempt.
    pub fn is(&self, host: usize, run: &RunId, attempt: u32) -> bool {
        self.host == host && self.run == *run && self.attempt == attempt
    }

    /// What its output says about how it ended.
    pub fn outcome(&self, now: Timestamp) -> Outcome {
        let said = match self.dead.map(|(_, cause)| cause) {
            Some(Cause::Itself) => self.own_outcome(now),
            Some(Cause::Host) => Outcome::failed("no-result", Class::Retryable, "Ended without a result."),
            Some(Cause::TimeOver) => Outcome::failed("timed-out", Class::Retryable, "Its time was up."),
            Some(Cause::LeaseOver | Cause::Machine) | None => interrupted("It was interrupted."),
        };
        let usage = Usage { output_tokens: self.tokens, ..Usage::default() };
        Outcome { usage, session: Some("session".to_owned()), ..said }
    }

    fn own_outcome(&self, now: Timestamp) -> Outcome {
        match self.habit.ending {
            Ending::Fails => Outcome::failed("crashed", Class::Retryable, "It crashed."),
            Ending::Refuses => Outcome::failed("refused", Class::Permanent, "It refused."),
            Ending::Quota(rest) => Outcome {
                resets_at: Some(now + rest),
                ..Outcome::failed("quota", Class::Quota, "The allowance is used up.")
            },
            Ending::Succeeds | Ending::Lingers | Ending::Hangs | Ending::Babbles => {
                Outcome { state: OutcomeState::Succeeded, ..Outcome::failed("", Class::Retryable, "") }
            }
        }
    }

    /// Whether it failed by itself, in a way that counts against the attempts.
    pub fn counts_as_failure(&self) -> bool {
        let by_itself = self.dead.is_some_and(|(_, cause)| cause == Cause::Itself);
        by_itself && !self.asked && self.habit.ending == Ending::Fails
    }
}

/// The outcome of an attempt that nobody is to blame for.
pub fn interrupted(message: &str) -> Outcome {
    Outcome::failed("interrupted", Class::Interrupted, message)
}

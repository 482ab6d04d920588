//! One pull request that is watched: what is new of what the forge shows, and when the
//! task goes on because of it. Pure: time comes in, and looks at the forge drive it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::words::{message, shortened};
use super::{Brought, CheckState, FollowUp, Seen, Standing, Told, Voice};
use crate::landing::Landed;
use crate::problem::{Problem, ProblemKind};
use crate::run::Run;
use crate::task::RunRef;
use crate::time::{Millis, Timestamp};

/// Automatic continuations of one pull request: a loop between a check that never passes
/// and an agent costs money.
pub const MAX_CONTINUATIONS: u32 = 5;

/// Nothing new for so long, and what came back is told: comments come in bursts.
pub const QUIET: Millis = Millis::seconds(60);

/// What came back is told after so long even if a check has not ended: some never do.
pub const GATHERED_AT_MOST: Millis = Millis::minutes(30);

/// What comes back after the tracker was told is told again after so long, if no run has
/// taken it up: the first word may have come to nothing.
pub const TELL_AGAIN: Millis = Millis::minutes(10);

/// So many checks and comments of one pull request are counted: each is remembered, and
/// a conversation that is longer than this is not one that an agent should answer alone.
pub const MAX_COUNTED: usize = 2_000;

/// So many findings are given to an agent at once; more would not fit into its prompt.
pub const MAX_FINDINGS: usize = 100;

/// So many commits are remembered as ours: one for each run that landed there.
pub const MAX_HEADS: usize = 50;

/// What is being done about a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "stage")]
pub enum Stage {
    /// It is looked at now and then.
    Watching,
    /// The tracker is being told that something came back.
    Telling {
        /// What it is told.
        told: Told,
        /// Not again before; `None` while an answer is awaited.
        next_try: Option<Timestamp>,
    },
    /// The tracker has been told; a run of the task is awaited.
    Told {
        /// When.
        at: Timestamp,
    },
    /// It is not looked at any more until a run lands there again; why.
    Stopped {
        /// One sentence.
        why: String,
    },
}

/// What a decision leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Nothing for now.
    Wait,
    /// Tell the tracker.
    Tell(Told),
    /// Tell the person at the host.
    Say(String),
    /// Watching is over; nothing is to be remembered.
    Forget,
}

/// A pull request that a run opened or brought up to date.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Name of the tracker's connection.
    pub tracker: String,
    /// The task's last run, whose report the tracker has.
    pub run: RunRef,
    /// Key of the repository.
    pub repository: String,
    /// What the workspaces room needs to find the remote; opaque here.
    pub record: String,
    /// Of the pull request.
    pub number: u32,
    /// Its page.
    pub url: String,
    /// Commits that runs pushed, oldest first.
    pub heads: Vec<String>,
    /// When a run last landed there.
    pub landed: Timestamp,
    /// Ids of checks and remarks that were counted.
    pub counted: BTreeSet<String>,
    /// What came back since an agent last heard of it.
    pub brought: Brought,
    /// When the first of it was seen.
    pub first: Timestamp,
    /// When the last of it was seen.
    pub last: Timestamp,
    /// Whether every check had ended at the last look.
    pub complete: bool,
    /// How often the tracker took a word.
    pub continuations: u32,
    /// How many different words there were.
    pub words: u32,
    /// What is being done.
    pub stage: Stage,
}

impl Watched {
    /// A pull request in which the work of a run has landed; `None` if it has not.
    pub fn of(run: &Run, now: Timestamp) -> Option<Self> {
        let (landed, plan) = (run.landed.as_ref()?, run.plan.as_ref()?);
        let (number, head) = pull_request(landed)?;
        Some(Self {
            repository: plan.repository.clone(),
            record: run.workspace.as_ref()?.record.clone(),
            url: landed.url.clone().unwrap_or_default(),
            heads: vec![head],
            ..Self::new(&run.tracker, run.reference(), number, now)
        })
    }

    /// A pull request of which nothing is known but its number.
    pub fn new(tracker: &str, run: RunRef, number: u32, now: Timestamp) -> Self {
        Self {
            tracker: tracker.to_owned(),
            run,
            repository: String::new(),
            record: String::new(),
            number,
            url: String::new(),
            heads: Vec::new(),
            landed: now,
            counted: BTreeSet::new(),
            brought: Brought::default(),
            first: now,
            last: now,
            complete: false,
            continuations: 0,
            words: 0,
            stage: Stage::Watching,
        }
    }

    /// A later run of the task has been reported.
    pub fn went_on(&mut self, run: &Run, now: Timestamp) {
        self.stage = Stage::Watching;
        match Self::of(run, now) {
            Some(again) if again.number == self.number => {
                self.heads.retain(|head| !again.heads.contains(head));
                self.heads.extend(again.heads);
                let too_many = self.heads.len().saturating_sub(MAX_HEADS);
                self.heads.drain(..too_many);
                (self.run, self.record, self.landed) = (again.run, again.record, now);
                self.complete = false;
            }
            Some(another) => *self = another,
            // It changed nothing: the pull request is as it was.
            None => self.run = run.reference(),
        }
    }

    /// What of `seen` the machine must hear of, so that only that is written down;
    /// `None` if it would change nothing now.
    pub fn news(&self, seen: &Seen, follow_up: FollowUp, now: Timestamp) -> Option<Seen> {
        let news = self.new_of(seen, follow_up);
        let over = seen.standing != Standing::Open || !self.heads.contains(&seen.head);
        if !over && !self.is_newest(&seen.head) {
            return None;
        }
        let other = seen.is_complete() != self.complete;
        let learned = over || other || news.checks.iter().any(|check| check.state == CheckState::Failed);
        let due = self.is_due(follow_up, now);
        (learned || due || !news.remarks.is_empty()).then_some(news)
    }

    /// Takes a look at the forge in.
    pub fn take_in(&mut self, seen: &Seen, follow_up: FollowUp, now: Timestamp) -> Decided {
        if matches!(self.stage, Stage::Stopped { .. }) {
            return Decided::Wait;
        }
        if seen.standing != Standing::Open {
            return Decided::Forget;
        }
        if !self.heads.contains(&seen.head) {
            return self.stop(format!(
                "Somebody else pushed to pull request #{} of {}: it is not followed up any more until a run of \
                 the task lands there again.",
                self.number, self.run.task.key
            ));
        }
        if !self.is_newest(&seen.head) {
            // The forge has not noticed yet what was pushed.
            return Decided::Wait;
        }
        self.complete = seen.is_complete();
        self.gather(&self.new_of(seen, follow_up), now);
        if self.counted.len() > MAX_COUNTED {
            return self.stop(format!(
                "Pull request #{} of {} has more than {MAX_COUNTED} checks and comments: it is not followed up \
                 any more.",
                self.number, self.run.task.key
            ));
        }
        Decided::Wait
    }

    /// What is to be done now, as far as the pull request itself is concerned.
    pub fn decide(&mut self, follow_up: FollowUp, now: Timestamp) -> Decided {
        if !self.is_due(follow_up, now) {
            return Decided::Wait;
        }
        let told = match &self.stage {
            Stage::Telling { told, .. } => told.clone(),
            _ if self.continuations >= MAX_CONTINUATIONS => {
                return self.stop(format!(
                    "{} was taken up {MAX_CONTINUATIONS} times because of what came back from pull request #{}: \
                     it goes on only if you say so. {}",
                    self.run.task.key,
                    self.number,
                    message(&self.brought)
                ));
            }
            _ => {
                self.words = self.words.saturating_add(1);
                Told { number: self.words, message: message(&self.brought) }
            }
        };
        self.stage = Stage::Telling { told: told.clone(), next_try: None };
        Decided::Tell(told)
    }

    /// The tracker's answer to a word.
    pub fn answered(&mut self, number: u32, answer: Result<(), Problem>, now: Timestamp) -> Decided {
        let Stage::Telling { told, .. } = &self.stage else { return Decided::Wait };
        if told.number != number {
            return Decided::Wait;
        }
        let (told, key) = (told.clone(), &self.run.task.key);
        let problem = match answer {
            Ok(()) => {
                self.continuations = self.continuations.saturating_add(1);
                self.stage = Stage::Told { at: now };
                return Decided::Wait;
            }
            Err(problem) => problem,
        };
        let said = match problem.kind {
            kind if kind.may_pass() => {
                let pause = problem.retry_after.unwrap_or_default().max(QUIET);
                self.stage = Stage::Telling { told, next_try: Some(now + pause) };
                return Decided::Wait;
            }
            ProblemKind::Gone => return Decided::Forget,
            ProblemKind::Unsupported => format!(
                "{} cannot take {key} up by itself: reply in the task to go on. {}",
                self.tracker, told.message
            ),
            _ => format!(
                "{key} was not taken up again ({}): reply in the task to go on. {}",
                problem.message.trim_end_matches('.'),
                told.message
            ),
        };
        self.stage = Stage::Told { at: now };
        Decided::Say(said)
    }

    /// What came back, for the agent that starts now. It is not given again.
    pub fn hand_over(&mut self) -> Brought {
        let with = Brought { number: self.number, url: self.url.clone(), ..Brought::default() };
        std::mem::replace(&mut self.brought, with)
    }

    /// Whether the forge is to be asked.
    pub const fn is_watched(&self) -> bool {
        !matches!(self.stage, Stage::Stopped { .. })
    }

    /// Whether something came back that was not dealt with.
    pub const fn is_waiting(&self) -> bool {
        !self.brought.is_empty()
    }

    fn is_newest(&self, head: &str) -> bool {
        self.heads.last().is_some_and(|newest| newest == head)
    }

    fn is_due(&self, follow_up: FollowUp, now: Timestamp) -> bool {
        let settled = self.complete || !follow_up.checks() || now >= self.first + GATHERED_AT_MOST;
        match &self.stage {
            _ if self.brought.is_empty() => false,
            Stage::Watching => settled && now >= self.last + QUIET,
            Stage::Telling { next_try, .. } => next_try.is_some_and(|at| at <= now),
            Stage::Told { at } => settled && self.last > *at && now >= *at + TELL_AGAIN,
            Stage::Stopped { .. } => false,
        }
    }

    /// Of the checks those that failed, once all have ended, and one that has not, as a
    /// sign that there is one; of the remarks those of members. Nothing twice.
    fn new_of(&self, seen: &Seen, follow_up: FollowUp) -> Seen {
        let is_new = |id: &String| !self.counted.contains(id);
        let complete = seen.is_complete();
        let pending = seen.checks.iter().filter(|check| check.state == CheckState::Pending).take(1);
        let failed = seen.checks.iter().filter(|check| {
            complete && follow_up.checks() && check.state == CheckState::Failed && is_new(&check.id)
        });
        let remarks = seen
            .remarks
            .iter()
            .filter(|remark| follow_up.reviews() && remark.voice == Voice::Member && is_new(&remark.id));
        let checks = pending.chain(failed).take(MAX_FINDINGS).cloned().map(shortened_check).collect();
        let remarks = remarks.take(MAX_FINDINGS).cloned().map(shortened_remark).collect();
        Seen { standing: seen.standing, head: seen.head.clone(), checks, remarks }
    }

    fn gather(&mut self, news: &Seen, now: Timestamp) {
        let failed: Vec<_> =
            news.checks.iter().filter(|check| check.state == CheckState::Failed).cloned().collect();
        if failed.is_empty() && news.remarks.is_empty() {
            return;
        }
        if self.brought.is_empty() {
            self.first = now;
        }
        self.last = now;
        self.counted.extend(failed.iter().map(|check| check.id.clone()));
        self.counted.extend(news.remarks.iter().map(|remark| remark.id.clone()));
        let (number, url) = (self.number, self.url.clone());
        self.brought.extend(Brought { number, url, checks: failed, remarks: news.remarks.clone() });
        self.brought.checks.truncate(MAX_FINDINGS);
        self.brought.remarks.truncate(MAX_FINDINGS);
    }

    fn stop(&mut self, why: String) -> Decided {
        self.stage = Stage::Stopped { why: why.clone() };
        Decided::Say(why)
    }
}

/// Number of the pull request in which work has landed, and the commit it is on.
fn pull_request(landed: &Landed) -> Option<(u32, String)> {
    let is_one = landed.kind == "pull-request";
    landed.number.zip(landed.head.clone()).filter(|_| is_one)
}

fn shortened_check(mut check: super::Check) -> super::Check {
    shortened(&mut check.name, super::MAX_NAME_CHARS);
    shortened(&mut check.conclusion, super::MAX_NAME_CHARS);
    super::words::cut(&mut check.summary, super::MAX_TEXT_BYTES);
    check
}

fn shortened_remark(mut remark: super::Remark) -> super::Remark {
    shortened(&mut remark.author, super::MAX_NAME_CHARS);
    shortened(&mut remark.place, super::MAX_NAME_CHARS);
    super::words::cut(&mut remark.body, super::MAX_TEXT_BYTES);
    remark
}

#[cfg(test)]
mod tests;

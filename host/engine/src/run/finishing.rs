//! What happens to work that an agent has finished: a command judges it, and it
//! lands where the plan says.

use super::{Attempt, Run, State};
use crate::effect::{Action, Effect};
use crate::landing::{Landed, Landing, Verification};
use crate::outcome::EndReason;
use crate::problem::Problem;
use crate::time::{Millis, Timestamp};

/// How often a landing is tried before the run fails: a remote that is away for
/// longer is not back in a minute, and the work is kept.
pub const LANDING_TRIES: u32 = 4;

/// Pause before the second try of a landing; each later one waits four times as long.
pub const FIRST_LANDING_PAUSE: Millis = Millis::seconds(3);

impl Run {
    /// The agent says that it is done, and what changed is known.
    pub(super) fn judge(&mut self, now: Timestamp) -> Option<Effect> {
        let verify = self.plan.as_ref().and_then(|plan| plan.verify.clone());
        match verify.filter(|_| self.has_work()) {
            Some(verify) => self.go(now, State::Verifying { paused: false }, Action::Verify { verify }),
            None => self.land(now),
        }
    }

    /// Whether the run has changed anything.
    pub fn has_work(&self) -> bool {
        !self.changes.files.is_empty() || self.changes.commits > 0
    }

    /// The command has judged. One that could not be run has proven nothing, so the
    /// work does not stand.
    pub fn verified(&mut self, now: Timestamp, found: Result<Verification, Problem>) -> Option<Effect> {
        match self.stop.as_ref().map(|stop| stop.why) {
            // The host is stopping: the question is asked again at the next start.
            Some(EndReason::Stopping) => {
                self.enter(now, State::Verifying { paused: true });
                return None;
            }
            Some(_) => return self.finish(now),
            None => {}
        }
        let found = found.unwrap_or_else(|problem| Verification {
            passed: false,
            summary: problem.message,
            tail: String::new(),
        });
        let passed = found.passed;
        if let Some(last) = self.attempts.last_mut() {
            last.verified = Some(found);
        }
        if passed {
            return self.land(now);
        }
        if self.failed_verifications() > self.feed_back() {
            return self.finish(now);
        }
        self.fresh = false;
        self.enter(now, State::Waiting { until: now });
        None
    }

    /// The command is being ended; its answer is waited for, because nothing may work
    /// in the workspace when the run goes on.
    pub(super) fn end_verification(&self, why: EndReason) -> Effect {
        let attempt = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        Effect { at: self.at(), action: Action::End { attempt, why } }
    }

    fn feed_back(&self) -> usize {
        let verify = self.plan.as_ref().and_then(|plan| plan.verify.as_ref());
        verify.map_or(0, |verify| usize::try_from(verify.feed_back).unwrap_or(usize::MAX))
    }

    fn failed_verifications(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.failed_verification().is_some()).count()
    }

    fn land(&mut self, now: Timestamp) -> Option<Effect> {
        let Some(plan) = self.plan.as_ref().filter(|_| self.has_work()) else { return self.finish(now) };
        if let Some(denied) = plan.landing_denied {
            self.landed = Some(Landed {
                kind: "branch".to_owned(),
                url: None,
                number: None,
                head: self.changes.head.clone(),
                note: format!(
                    "The work stays on its branch: the tracker wished `{denied}`, which is not allowed here."
                ),
            });
        }
        if plan.landing == Landing::Leave {
            return self.finish(now);
        }
        self.go(now, State::Landing { tries: 1, next_try: None }, Action::Land)
    }

    /// The work has landed, or could not.
    pub fn landed(&mut self, now: Timestamp, landed: Result<Landed, Problem>) -> Option<Effect> {
        let State::Landing { tries, .. } = self.state else { return None };
        let stopping = self.stop.as_ref().is_some_and(|stop| stop.why == EndReason::Stopping);
        let problem = match landed {
            Ok(landed) => {
                self.stop.take_if(|_| stopping);
                self.landed = Some(landed);
                return self.finish(now);
            }
            Err(problem) => problem,
        };
        if stopping {
            // The next start of the host lands it.
            self.enter(now, State::Landing { tries, next_try: Some(now) });
            return None;
        }
        if problem.kind.may_pass() && tries < LANDING_TRIES && self.stop.is_none() {
            let pause = landing_pause(tries).max(problem.retry_after.unwrap_or_default());
            self.enter(now, State::Landing { tries, next_try: Some(now + pause) });
            return None;
        }
        if self.stop.is_some() {
            return self.finish(now);
        }
        self.fail(now, "landing", format!("The work is kept, but did not land: {}", problem.message))
    }

    /// Tries to land again.
    pub(super) fn land_again(&mut self, now: Timestamp) -> Option<Effect> {
        let State::Landing { tries, .. } = self.state else { return None };
        self.go(now, State::Landing { tries: tries.saturating_add(1), next_try: None }, Action::Land)
    }
}

/// Pause before try `tries + 1` of a landing, or of a workspace.
pub(super) fn landing_pause(tries: u32) -> Millis {
    Millis(FIRST_LANDING_PAUSE.0.saturating_mul(4_u64.saturating_pow(tries.saturating_sub(1))))
}

impl Attempt {
    /// What the verification found, if it was against the work.
    pub fn failed_verification(&self) -> Option<&Verification> {
        self.verified.as_ref().filter(|found| !found.passed)
    }

    /// Whether the agent succeeded, and nothing speaks against its work.
    pub fn stands(&self) -> bool {
        self.outcome.succeeded() && self.failed_verification().is_none()
    }
}

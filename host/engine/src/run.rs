//! The life of a run, from claim to report.
//!
//! ```text
//!                                                adopting
//!                                                   ▲ │ the host was restarted
//!                                                   │ ▼
//! claiming ─▶ planning ─▶ preparing ─▶ starting ─▶ running ─▶ (ending) ─▶ collecting ─▶ (verifying) ─▶ (landing)
//!                             ▲                                               │                            │
//!                             │                                       failure │                            ▼
//!                          waiting ◀── retry ── advising ◀────────────────────┤
//!                                                  │                          ▼
//!                                                  └──── finish ────────▶ reporting ─▶ closed
//! ```
//!
//! Each method here is one arrow; `run/` holds the states, the way to a workspace, what
//! time does, how a run ends, and what a restart does. An arrow takes what happened, changes the state and returns
//! what is to be done next. A wish to stop is kept in [`Run::stop`] and obeyed at
//! the next arrow, because an answer that is under way cannot be called back.

mod deadlines;
mod ending;
mod finishing;
mod preparing;
mod recovery;
mod state;

use serde::{Deserialize, Serialize};

pub use self::deadlines::{LEASE_MARGIN, lease_deadline};
pub use self::ending::{FIRST_REPORT_PAUSE, MAX_REPORT_PAUSE};
pub use self::finishing::{FIRST_LANDING_PAUSE, LANDING_TRIES};
pub use self::preparing::PREPARING_TRIES;
pub use self::state::{Attempt, Closing, HeldLease, State, Stop, Workspace};
use crate::effect::{Action, Effect};
use crate::follow_up::Brought;
use crate::landing::Landed;
use crate::mutation::Mutation;
use crate::outcome::{Class, EndReason, Outcome, Usage};
use crate::plan::{Plan, Refusal, Wish};
use crate::policy::Policy;
use crate::problem::Problem;
use crate::report::Changes;
use crate::step::Step;
use crate::task::{Fence, Lease, RunId, RunRef, Task};
use crate::time::{Millis, Timestamp};
use crate::verdict::{Decision, Facts, Verdict};

/// This host's work on one claimed task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Unique for ever.
    pub id: RunId,
    /// Name of the tracker's connection.
    pub tracker: String,
    /// What is to be done.
    pub task: Task,
    /// Of the lease; zero without one.
    pub fence: Fence,
    /// If the tracker takes tasks back.
    pub lease: Option<HeldLease>,
    /// Names of the environment variables that the tracker gave for its agents.
    #[serde(default)]
    pub environment: Vec<String>,
    /// When it was offered or given.
    pub created: Timestamp,
    /// Once it is known.
    pub plan: Option<Plan>,
    /// Once it is made.
    pub workspace: Option<Workspace>,
    /// Those that are over.
    pub attempts: Vec<Attempt>,
    /// Of the attempt that is under way.
    pub current: Usage,
    /// When the attempt under way was started.
    pub attempt_started: Timestamp,
    /// What the run changed, as of the last look.
    pub changes: Changes,
    /// Where its finished work is, once it has landed.
    #[serde(default)]
    pub landed: Option<Landed>,
    /// What came back from the pull request of an earlier run, for the agents of this one.
    #[serde(default)]
    pub brought: Brought,
    /// Whether the next attempt starts in a clean workspace.
    pub fresh: bool,
    /// The longest pause so far.
    pub last_pause: Millis,
    /// A wish that it ends.
    pub stop: Option<Stop>,
    /// What it is doing.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Grows with every change of state.
    pub step: u32,
}

impl Run {
    /// A run in its first state.
    pub fn new(id: RunId, tracker: String, task: Task, state: State, now: Timestamp) -> Self {
        Self {
            id,
            tracker,
            task,
            fence: Fence::default(),
            lease: None,
            environment: Vec::new(),
            created: now,
            plan: None,
            workspace: None,
            attempts: Vec::new(),
            current: Usage::default(),
            attempt_started: now,
            changes: Changes::default(),
            landed: None,
            brought: Brought::default(),
            fresh: true,
            last_pause: Millis::default(),
            stop: None,
            state,
            since: now,
            step: 0,
        }
    }

    /// What all attempts used so far, the one under way included.
    pub fn spent(&self) -> Usage {
        self.attempts.iter().fold(self.current, |sum, attempt| sum.plus(attempt.outcome.usage))
    }

    /// Number of the attempt that is under way or comes next.
    pub fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// How the run is named towards the tracker plugin.
    pub fn reference(&self) -> RunRef {
        RunRef { run: self.id.clone(), task: self.task.clone(), fence: self.fence }
    }

    /// Whether it is over.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Names the step it is at.
    pub fn at(&self) -> Step {
        Step { run: self.id.clone(), number: self.step }
    }

    fn enter(&mut self, now: Timestamp, state: State) {
        self.state = state;
        self.since = now;
        self.step += 1;
    }

    fn go(&mut self, now: Timestamp, state: State, action: Action) -> Option<Effect> {
        self.enter(now, state);
        Some(Effect { at: self.at(), action })
    }

    // ── the arrows ──────────────────────────────────────────────────────────

    /// The task is ours.
    pub fn claimed(&mut self, now: Timestamp, sent: Timestamp, lease: Option<Lease>) -> Option<Effect> {
        self.hold(sent, lease);
        if self.stop.is_some() {
            return self.go(now, State::Releasing, Action::Release);
        }
        self.go(now, State::Planning, Action::Plan)
    }

    /// Records a lease; it counts from when it was asked for.
    pub fn hold(&mut self, sent: Timestamp, lease: Option<Lease>) {
        self.fence = lease.map_or(Fence::default(), |lease| lease.fence);
        self.lease = lease.map(|lease| HeldLease {
            deadline: lease_deadline(sent, lease.ttl),
            ttl: lease.ttl,
            renew_every: lease.renew_every,
            confirmed: true,
        });
    }

    /// The claim did not work. Nothing was promised to anybody, so it just closes.
    pub fn claim_refused(&mut self, now: Timestamp, problem: &Problem) -> Option<Effect> {
        self.close(now, Closing::NotOurs(problem.message.clone()))
    }

    /// It is known what the run should look like.
    pub fn planned(
        &mut self,
        now: Timestamp,
        wish: Result<Wish, Problem>,
        policy: &Policy,
    ) -> Option<Effect> {
        if self.stop.is_some() {
            return self.finish(now);
        }
        let plan = wish.map_err(|problem| ("plugin", problem.message)).and_then(|wish| {
            Plan::cut(&wish, &self.task, &self.id, policy)
                .map_err(|refusal: Refusal| ("refused", format!("Not done here: {refusal}.")))
        });
        match plan {
            Ok(plan) => {
                self.plan = Some(plan);
                self.prepare(now)
            }
            Err((reason, message)) => self.fail(now, reason, message),
        }
    }

    /// The session goes with the workspace: a clean workspace never resumes one, and
    /// a session the CLI has refused is not tried again.
    fn session_to_resume(&self) -> Option<String> {
        let Some(last) = self.attempts.last() else {
            return self.plan.as_ref().and_then(|plan| plan.session.clone());
        };
        if self.fresh || last.outcome.reason == "session-refused" {
            return None;
        }
        last.outcome.session.clone()
    }

    /// The process runs.
    pub fn started(&mut self, now: Timestamp, attempt: u32, process: String) -> Option<Effect> {
        self.works(now, State::Running { attempt, process, heard: now, finished: None })
    }

    /// An agent works. A wish to stop that came before it did is obeyed now.
    fn works(&mut self, now: Timestamp, running: State) -> Option<Effect> {
        self.enter(now, running);
        let why = self.stop.as_ref()?.why;
        self.end(now, why)
    }

    /// The agent was heard of.
    pub fn heard(&mut self, now: Timestamp, usage: Usage) -> Option<Effect> {
        self.current = if Mutation::UsageReplaced.is_on() { usage } else { self.current.at_least(usage) };
        if let State::Running { heard, .. } = &mut self.state {
            *heard = now;
        }
        if self.over_budget() { self.end(now, EndReason::Budget) } else { None }
    }

    fn over_budget(&self) -> bool {
        let Some(limits) = self.plan.as_ref().map(|plan| &plan.limits) else { return false };
        let spent = self.spent();
        limits.tokens.is_some_and(|limit| spent.tokens() > limit)
            || matches!((limits.cost_usd, spent.cost_usd), (Some(limit), Some(cost)) if cost > limit)
    }

    /// The CLI said it was finished.
    pub fn agent_finished(&mut self, now: Timestamp) {
        if let State::Running { finished, heard, .. } = &mut self.state {
            *heard = now;
            finished.get_or_insert(now);
        }
    }

    /// Ends the agent, if one runs.
    pub fn end(&mut self, now: Timestamp, why: EndReason) -> Option<Effect> {
        let State::Running { attempt, .. } = self.state else { return None };
        if why == EndReason::Stalled && Mutation::UnprovenEnd.is_on() {
            let outcome = Outcome::failed("stalled", Class::Retryable, "");
            return self.attempt_ended(now, attempt, outcome);
        }
        self.go(now, State::Ending { attempt, why: Some(why) }, Action::End { attempt, why })
    }

    /// The attempt is over, and nothing of it lives.
    pub fn attempt_ended(&mut self, now: Timestamp, attempt: u32, outcome: Outcome) -> Option<Effect> {
        let outcome = match self.state {
            State::Ending { why: Some(why), .. } if !(outcome.succeeded() && why.spares_success()) => {
                outcome.ended_by_host(why)
            }
            _ => outcome,
        };
        let usage = self.current.at_least(outcome.usage);
        self.current = Usage::default();
        self.attempts.push(Attempt {
            number: attempt,
            started: self.attempt_started,
            ended: now,
            branch: self.workspace.as_ref().map(|workspace| workspace.branch.clone()).unwrap_or_default(),
            outcome: Outcome { usage, ..outcome },
            verified: None,
        });
        if self.stop.as_ref().is_some_and(|stop| stop.why == EndReason::Stopping) {
            self.stop = None;
        }
        self.go(now, State::Collecting, Action::Collect)
    }

    /// It is known what changed. A failed look changes nothing that was known, and work
    /// that nobody can see is not done, whatever the agent says.
    pub fn collected(
        &mut self,
        now: Timestamp,
        changes: Result<Changes, Problem>,
        policy: &Policy,
    ) -> Option<Effect> {
        let unseen = match changes {
            Ok(changes) => {
                self.changes = changes;
                None
            }
            Err(problem) => Some(problem),
        };
        let succeeded = self.attempts.last().is_some_and(|attempt| attempt.outcome.succeeded());
        if self.stop.is_some() {
            return self.finish(now);
        }
        match unseen {
            Some(problem) if succeeded => {
                let message = format!("The work is kept, but what it is is not known: {}", problem.message);
                return self.fail(now, "collecting", message);
            }
            None if succeeded => return self.judge(now),
            _ => {}
        }
        match self.facts(now, policy).and_then(|facts| facts.settled()) {
            Some(decision) => self.decide(now, decision),
            None => self.go(now, State::Advising, Action::Advise),
        }
    }

    fn facts<'a>(&'a self, now: Timestamp, policy: &'a Policy) -> Option<Facts<'a>> {
        let plan = self.plan.as_ref()?;
        let last = self.attempts.last()?;
        let interrupted =
            |attempt: &&Attempt| matches!(attempt.outcome.class, Class::Interrupted | Class::Quota);
        let interruptions = self.attempts.iter().filter(interrupted).count();
        Some(Facts {
            outcome: &last.outcome,
            failures: if Mutation::EndlessAttempts.is_on() {
                0
            } else {
                u32::try_from(self.attempts.len() - interruptions).unwrap_or(u32::MAX)
            },
            interruptions: u32::try_from(interruptions).unwrap_or(u32::MAX),
            last_pause: self.last_pause,
            limits: &plan.limits,
            policy,
            now,
        })
    }

    /// The plugin's advice is there.
    pub fn advised(&mut self, now: Timestamp, advice: Option<Verdict>, policy: &Policy) -> Option<Effect> {
        if self.stop.is_some() {
            return self.finish(now);
        }
        let decision = self
            .facts(now, policy)
            .map_or(Decision::Finish, |facts| facts.bounded(advice.unwrap_or_else(|| facts.unadvised())));
        self.decide(now, decision)
    }

    fn decide(&mut self, now: Timestamp, decision: Decision) -> Option<Effect> {
        match decision {
            Decision::Finish => self.finish(now),
            Decision::Park(reason) => {
                self.enter(now, State::Parked { reason, report: None });
                None
            }
            Decision::Retry { at, fresh } => {
                self.fresh = fresh;
                if self.attempts.last().is_some_and(|attempt| attempt.outcome.class == Class::Retryable) {
                    self.last_pause = self.last_pause.max(at.since(now));
                }
                self.enter(now, State::Waiting { until: at });
                None
            }
        }
    }

    /// The pause is over and there is a slot.
    pub fn resume(&mut self, now: Timestamp) -> Option<Effect> {
        self.prepare(now)
    }

    /// Waits until nobody else works in the folder it needs.
    pub fn wait_for_folder(&mut self, now: Timestamp) {
        self.enter(now, State::Waiting { until: now });
    }

    /// Whether the next attempt may start now, as far as the run itself is concerned.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let lease_stands = self.lease.is_none_or(|lease| lease.confirmed);
        matches!(self.state, State::Waiting { until } if until <= now) && lease_stands
    }

    /// Somebody wants the run to end.
    pub fn stop(&mut self, now: Timestamp, stop: Stop) -> Option<Effect> {
        // A host that is stopping takes the run up again later; a wish for its end lasts.
        if self.stop.as_ref().is_none_or(|earlier| earlier.why == EndReason::Stopping) {
            self.stop = Some(stop);
        }
        let why = self.stop.as_ref().map_or(EndReason::Cancelled, |stop| stop.why);
        match self.state {
            State::Running { .. } => self.end(now, why),
            State::Verifying { paused: false } => Some(self.end_verification(why)),
            State::Parked { report: Some(_), .. } if why == EndReason::Cancelled => {
                self.close(now, Closing::NotOurs("the report was given up by the operator".to_owned()))
            }
            State::Waiting { .. }
            | State::Parked { .. }
            | State::Preparing { next_try: Some(_), .. }
            | State::Verifying { paused: true }
            | State::Landing { next_try: Some(_), .. } => self.finish(now),
            _ => None,
        }
    }

    /// The run that stood in the way is closed, its agent proven dead.
    pub fn unblocked(&mut self, now: Timestamp) -> Option<Effect> {
        if self.stop.is_some() {
            return self.finish(now);
        }
        self.go(now, State::Planning, Action::Plan)
    }

    /// The task went to somebody else: nothing more is said to the tracker. But a report
    /// that is on its way may have counted already, and be why; its answer tells.
    pub fn lost(&mut self, now: Timestamp, message: String) -> Option<Effect> {
        match self.state {
            State::Reporting { .. } => None,
            State::Planning | State::Releasing => self.close(now, Closing::Lost(message)),
            State::Running { .. } if Mutation::ClosedAlive.is_on() => self.close(now, Closing::Lost(message)),
            _ => self.stop(now, Stop { why: EndReason::LeaseLost, message }),
        }
    }
}

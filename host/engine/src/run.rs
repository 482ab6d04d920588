//! The life of a run, from claim to report.
//!
//! ```text
//! claiming ─▶ planning ─▶ preparing ─▶ starting ─▶ running ─▶ (ending) ─▶ collecting
//!                             ▲                                               │
//!                             │                                       success │ failure
//!                          waiting ◀── retry ── advising ◀────────────────────┤
//!                                                  │                          ▼
//!                                                  └──── finish ────────▶ reporting ─▶ closed
//! ```
//!
//! Each method is one arrow: it takes what happened, changes the state and returns
//! what is to be done next. A wish to stop is kept in [`Run::stop`] and obeyed at
//! the next arrow, because an answer that is under way cannot be called back.

use serde::{Deserialize, Serialize};

use crate::effect::{Action, Effect, WorkspaceOrder};
use crate::input::Step;
use crate::outcome::{Class, EndReason, Outcome, Usage};
use crate::plan::{Plan, Refusal, Wish, folder_of};
use crate::policy::{LINGER, Policy};
use crate::problem::{Problem, ProblemKind};
use crate::report::{Changes, Report, ReportState};
use crate::task::{Fence, Lease, RunId, RunRef, Task};
use crate::time::{Millis, Timestamp};
use crate::verdict::{Decision, Facts, Verdict};

/// A lease counts as over this long before it is: an agent gets ten seconds to
/// end, and a little for the proof.
pub const LEASE_MARGIN: Millis = Millis::seconds(12);

/// First pause after a report was not delivered; doubles up to [`MAX_REPORT_PAUSE`].
pub const FIRST_REPORT_PAUSE: Millis = Millis::seconds(2);

/// Longest pause between two tries to deliver a report.
pub const MAX_REPORT_PAUSE: Millis = Millis::minutes(5);

/// Where an attempt works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Absolute.
    pub path: String,
    /// Checked out there.
    pub branch: String,
    /// Object id it started from.
    pub base: String,
    /// Number of the attempt that first worked in it.
    pub number: u32,
    /// What the workspaces room needs to find it again; opaque here.
    pub record: String,
}

/// The lease as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// The agent must be ended by then.
    pub deadline: Timestamp,
    /// How long a renewal lasts.
    pub ttl: Millis,
    /// How often to renew.
    pub renew_every: Millis,
    /// `false` after a restart, until the tracker has confirmed it.
    pub confirmed: bool,
}

/// One attempt that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the process was asked for.
    pub started: Timestamp,
    /// When its end was proven.
    pub ended: Timestamp,
    /// Branch it worked on.
    pub branch: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// A wish that the run ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// For the record.
    pub why: EndReason,
    /// For people.
    pub message: String,
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Another run of the same task must be proven dead first.
    Blocked {
        /// Which one.
        by: RunId,
    },
    /// Making the task ours.
    Claiming,
    /// Asking what it should look like.
    Planning,
    /// Making the workspace.
    Preparing,
    /// Starting the process.
    Starting {
        /// Which attempt.
        attempt: u32,
    },
    /// The agent works.
    Running {
        /// Which attempt.
        attempt: u32,
        /// To find the process again; opaque here.
        process: String,
        /// When the agent was last heard of.
        heard: Timestamp,
        /// When the CLI said it was finished.
        finished: Option<Timestamp>,
    },
    /// The agent is being ended; waiting for the proof.
    Ending {
        /// Which attempt.
        attempt: u32,
        /// Why; `None` after a restart, when only the proof is missing.
        why: Option<EndReason>,
    },
    /// Seeing what changed.
    Collecting,
    /// Asking what to do about a failure.
    Advising,
    /// Until the next attempt.
    Waiting {
        /// Not before.
        until: Timestamp,
    },
    /// Telling the tracker.
    Reporting {
        /// What it is told.
        report: Box<Report>,
        /// How often it was tried.
        tries: u32,
        /// When it is tried again; `None` while a try is under way.
        next_try: Option<Timestamp>,
        /// Why the last try did not work.
        last_problem: Option<Problem>,
    },
    /// Giving the task back untouched.
    Releasing,
    /// Waiting for a person.
    Parked {
        /// Why.
        reason: String,
        /// The report that could not be delivered, if that is why.
        report: Option<Box<Report>>,
    },
    /// Over.
    Closed {
        /// How.
        how: Closing,
        /// What the tracker was told, if anything.
        report: Option<Box<Report>>,
    },
}

/// How a run was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// The tracker has the report.
    Reported,
    /// The task went to somebody else; the reason.
    Lost(String),
    /// It was never ours, or given back; the reason.
    NotOurs(String),
}

impl State {
    /// Name for listings; stable.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Blocked { .. } => "blocked",
            Self::Claiming => "claiming",
            Self::Planning => "planning",
            Self::Preparing => "preparing",
            Self::Starting { .. } => "starting",
            Self::Running { .. } => "running",
            Self::Ending { .. } => "ending",
            Self::Collecting => "collecting",
            Self::Advising => "advising",
            Self::Waiting { .. } => "waiting",
            Self::Reporting { .. } => "reporting",
            Self::Releasing => "releasing",
            Self::Parked { .. } => "parked",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether it takes one of the host's slots.
    pub const fn occupies_slot(&self) -> bool {
        !matches!(
            self,
            Self::Blocked { .. }
                | Self::Waiting { .. }
                | Self::Reporting { .. }
                | Self::Releasing
                | Self::Parked { .. }
                | Self::Closed { .. }
        )
    }

    /// Whether a process of this run may live.
    pub const fn may_have_agent(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running { .. } | Self::Ending { .. })
    }
}

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
            created: now,
            plan: None,
            workspace: None,
            attempts: Vec::new(),
            current: Usage::default(),
            attempt_started: now,
            changes: Changes::default(),
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

    /// Makes the workspace of the next attempt, or opens the last one again.
    fn prepare(&mut self, now: Timestamp) -> Option<Effect> {
        let order = self.workspace_order()?;
        self.go(now, State::Preparing, Action::Prepare { order })
    }

    fn workspace_order(&self) -> Option<WorkspaceOrder> {
        let plan = self.plan.as_ref()?;
        let number = match &self.workspace {
            Some(workspace) if !self.fresh => workspace.number,
            _ => self.next_attempt(),
        };
        Some(WorkspaceOrder {
            repository: plan.repository.clone(),
            base: plan.base.clone(),
            start: self.workspace.as_ref().map(|workspace| workspace.base.clone()),
            branch: plan.branch_of(number),
            folder: folder_of(&self.task, &self.id, number),
            number,
        })
    }

    /// The workspace is there.
    pub fn prepared(&mut self, now: Timestamp, workspace: Result<Workspace, Problem>) -> Option<Effect> {
        match workspace {
            Ok(workspace) => self.workspace = Some(workspace),
            Err(problem) if self.stop.is_none() => return self.fail(now, "workspace", problem.message),
            Err(_) => {}
        }
        if self.stop.is_some() {
            return self.finish(now);
        }
        let attempt = self.next_attempt();
        let session = self.session_to_resume();
        self.attempt_started = now;
        self.go(now, State::Starting { attempt }, Action::Start { attempt, session })
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
        self.enter(now, State::Running { attempt, process, heard: now, finished: None });
        let why = self.stop.as_ref()?.why;
        self.end(now, why)
    }

    /// The agent was heard of.
    pub fn heard(&mut self, now: Timestamp, usage: Usage) -> Option<Effect> {
        self.current = self.current.at_least(usage);
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
        self.go(now, State::Ending { attempt, why: Some(why) }, Action::End { attempt, why })
    }

    /// The attempt is over, and nothing of it lives.
    pub fn attempt_ended(&mut self, now: Timestamp, attempt: u32, outcome: Outcome) -> Option<Effect> {
        let outcome = match self.state {
            State::Ending { why: Some(why), .. } if !(outcome.succeeded() && spares_success(why)) => {
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
        });
        if self.stop.as_ref().is_some_and(|stop| stop.why == EndReason::Stopping) {
            self.stop = None;
        }
        self.go(now, State::Collecting, Action::Collect)
    }

    /// It is known what changed. A failed look changes nothing that was known.
    pub fn collected(
        &mut self,
        now: Timestamp,
        changes: Result<Changes, Problem>,
        policy: &Policy,
    ) -> Option<Effect> {
        if let Ok(changes) = changes {
            self.changes = changes;
        }
        let succeeded = self.attempts.last().is_some_and(|attempt| attempt.outcome.succeeded());
        if succeeded || self.stop.is_some() {
            return self.finish(now);
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
            failures: u32::try_from(self.attempts.len() - interruptions).unwrap_or(u32::MAX),
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

    /// Whether the next attempt may start now, as far as the run itself is concerned.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let lease_stands = self.lease.is_none_or(|lease| lease.confirmed);
        matches!(self.state, State::Waiting { until } if until <= now) && lease_stands
    }

    /// Somebody wants the run to end.
    pub fn stop(&mut self, now: Timestamp, stop: Stop) -> Option<Effect> {
        if self.stop.is_none() {
            self.stop = Some(stop);
        }
        let why = self.stop.as_ref().map_or(EndReason::Cancelled, |stop| stop.why);
        match self.state {
            State::Running { .. } => self.end(now, why),
            State::Parked { report: Some(_), .. } if why == EndReason::Cancelled => {
                self.close(now, Closing::NotOurs("the report was given up by the operator".to_owned()))
            }
            State::Waiting { .. } | State::Parked { .. } => self.finish(now),
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

    /// The task went to somebody else: nothing more is said to the tracker.
    pub fn lost(&mut self, now: Timestamp, message: String) -> Option<Effect> {
        match self.state {
            State::Reporting { .. } | State::Planning | State::Releasing => {
                self.close(now, Closing::Lost(message))
            }
            _ => self.stop(now, Stop { why: EndReason::LeaseLost, message }),
        }
    }

    /// No further attempt: tell the tracker, or close where there is nobody to tell.
    fn finish(&mut self, now: Timestamp) -> Option<Effect> {
        if let Some(Stop { why: EndReason::LeaseLost, message }) = &self.stop {
            let message = message.clone();
            return self.close(now, Closing::Lost(message));
        }
        let report = self.report(now);
        self.tell(now, report)
    }

    /// A failure outside of any attempt.
    fn fail(&mut self, now: Timestamp, reason: &str, message: String) -> Option<Effect> {
        let mut report = self.report(now);
        report.state = ReportState::Failed;
        reason.clone_into(&mut report.reason);
        report.message = message;
        report.retryable = reason == "workspace";
        self.tell(now, report)
    }

    fn tell(&mut self, now: Timestamp, report: Report) -> Option<Effect> {
        let report = Box::new(report);
        let state = State::Reporting { report: report.clone(), tries: 1, next_try: None, last_problem: None };
        self.go(now, state, Action::Report { report })
    }

    fn report(&self, now: Timestamp) -> Report {
        let last = self.attempts.last().map(|attempt| &attempt.outcome);
        let cancelled = self.stop.as_ref();
        let succeeded = cancelled.is_none() && last.is_some_and(Outcome::succeeded);
        let (state, reason, message) = match (cancelled, last) {
            (Some(stop), _) => (ReportState::Cancelled, stop.why.name().to_owned(), stop.message.clone()),
            (None, Some(_)) if succeeded => (ReportState::Succeeded, String::new(), String::new()),
            (None, Some(outcome)) => (ReportState::Failed, outcome.reason.clone(), outcome.message.clone()),
            (None, None) => (ReportState::Failed, "refused".to_owned(), String::new()),
        };
        let workspace = self.workspace.as_ref();
        Report {
            state,
            reason,
            retryable: !succeeded && last.is_some_and(|outcome| outcome.class == Class::Retryable),
            message,
            summary: last.map(|outcome| outcome.summary.clone()).unwrap_or_default(),
            branch: workspace.map(|workspace| workspace.branch.clone()),
            base: workspace.map(|workspace| workspace.base.clone()),
            head: self.changes.head.clone(),
            files: self.changes.files.clone(),
            attempts: u32::try_from(self.attempts.len()).unwrap_or(u32::MAX),
            usage: self.spent(),
            elapsed: now.since(self.created),
            session: last.and_then(|outcome| outcome.session.clone()),
            provider: self.plan.as_ref().map(|plan| plan.provider.clone()).unwrap_or_default(),
        }
    }

    /// The tracker answered the report.
    pub fn reported(&mut self, now: Timestamp, answer: Result<(), Problem>) -> Option<Effect> {
        let State::Reporting { report, tries, .. } = &self.state else { return None };
        let (report, tries) = (report.clone(), *tries);
        let Err(problem) = answer else {
            return self.go(
                now,
                State::Closed { how: Closing::Reported, report: Some(report) },
                Action::Tidy,
            );
        };
        match problem.kind {
            ProblemKind::Gone => self.close(now, Closing::Lost(problem.message)),
            ProblemKind::Transient | ProblemKind::RateLimited => {
                let next_try = Some(now + report_pause(tries).max(problem.retry_after.unwrap_or_default()));
                let state = State::Reporting { report, tries, next_try, last_problem: Some(problem) };
                self.enter(now, state);
                None
            }
            _ => {
                let reason = format!("The tracker did not take the report: {}", problem.message);
                self.enter(now, State::Parked { reason, report: Some(report) });
                None
            }
        }
    }

    /// Tries to deliver the report again.
    pub fn tell_again(&mut self, now: Timestamp) -> Option<Effect> {
        let (report, tries, last_problem) = match &self.state {
            State::Reporting { report, tries, last_problem, .. } => {
                (report.clone(), tries.saturating_add(1), last_problem.clone())
            }
            State::Parked { report: Some(report), .. } => (report.clone(), 1, None),
            _ => return None,
        };
        let state = State::Reporting { report: report.clone(), tries, next_try: None, last_problem };
        self.go(now, state, Action::Report { report })
    }

    /// The task was given back, or could not be: either way it is not worked on.
    pub fn released(&mut self, now: Timestamp) -> Option<Effect> {
        self.close(now, Closing::NotOurs("given back untouched".to_owned()))
    }

    fn close(&mut self, now: Timestamp, how: Closing) -> Option<Effect> {
        let report = match &self.state {
            State::Reporting { report, .. } | State::Parked { report: Some(report), .. } => {
                Some(report.clone())
            }
            _ if self.attempts.is_empty() => None,
            _ => Some(Box::new(self.report(now))),
        };
        self.go(now, State::Closed { how, report }, Action::Tidy)
    }

    // ── time ────────────────────────────────────────────────────────────────

    /// When something is due if nothing is heard before.
    pub fn deadline(&self) -> Option<Timestamp> {
        let lease = self.lease.filter(|_| self.lease_matters()).map(|lease| lease.deadline);
        let own = match &self.state {
            State::Running { heard, finished, .. } => {
                self.running_deadlines(*heard, *finished).into_iter().map(|(at, _)| at).min()
            }
            State::Waiting { until } => Some(*until),
            State::Reporting { next_try, .. } => *next_try,
            _ => None,
        };
        lease.into_iter().chain(own).min()
    }

    /// A lease that runs out matters until the agent is being ended; a report is
    /// sent in any case, and the tracker decides.
    const fn lease_matters(&self) -> bool {
        self.stop.is_none()
            && !matches!(
                self.state,
                State::Reporting { .. }
                    | State::Parked { .. }
                    | State::Closed { .. }
                    | State::Releasing
                    | State::Ending { .. }
            )
    }

    fn running_deadlines(
        &self,
        heard: Timestamp,
        finished: Option<Timestamp>,
    ) -> Vec<(Timestamp, EndReason)> {
        let limits = self.plan.as_ref().map(|plan| plan.limits);
        let time = limits.and_then(|limits| limits.time).map(|time| self.attempt_started + time);
        let stall = limits.and_then(|limits| limits.stall).map(|stall| heard + stall);
        let linger = finished.map(|finished| finished + LINGER);
        [
            linger.map(|at| (at, EndReason::Finished)),
            time.map(|at| (at, EndReason::TimedOut)),
            stall.map(|at| (at, EndReason::Stalled)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Acts on a deadline that has passed.
    pub fn tick(&mut self, now: Timestamp) -> Option<Effect> {
        if self.lease.is_some_and(|lease| lease.deadline <= now) && self.lease_matters() {
            let message = "The lease ran out before it could be renewed.".to_owned();
            return self.lost(now, message);
        }
        match &self.state {
            State::Running { heard, finished, .. } => {
                let (_, why) =
                    self.running_deadlines(*heard, *finished).into_iter().find(|(at, _)| *at <= now)?;
                self.end(now, why)
            }
            State::Reporting { next_try: Some(at), .. } if *at <= now => self.tell_again(now),
            _ => None,
        }
    }

    // ── after a restart ─────────────────────────────────────────────────────

    /// The host has started again. Whatever was under way is asked for again; an
    /// agent that may live is ended with proof before anything else (I1).
    pub fn recover(&mut self, now: Timestamp) -> Option<Effect> {
        if let Some(lease) = &mut self.lease {
            lease.confirmed = false;
            lease.deadline = lease_deadline(now, lease.ttl);
        }
        if self.stop.as_ref().is_some_and(|stop| stop.why == EndReason::Stopping) {
            self.stop = None;
        }
        let action = match &self.state {
            State::Claiming => Action::Claim,
            State::Planning => Action::Plan,
            State::Preparing => Action::Prepare { order: self.workspace_order()? },
            State::Starting { attempt } | State::Running { attempt, .. } => {
                let attempt = *attempt;
                return self.go(now, State::Ending { attempt, why: None }, Action::Reap { attempt });
            }
            State::Ending { attempt, why } => {
                let (attempt, why) = (*attempt, *why);
                return self.go(now, State::Ending { attempt, why }, Action::Reap { attempt });
            }
            State::Collecting => Action::Collect,
            State::Advising => Action::Advise,
            State::Releasing => Action::Release,
            State::Reporting { .. } | State::Parked { report: Some(_), .. } => return self.tell_again(now),
            State::Closed { .. } => Action::Tidy,
            State::Waiting { .. } | State::Blocked { .. } | State::Parked { .. } => return None,
        };
        let state = self.state.clone();
        self.go(now, state, action)
    }
}

/// A success that was complete before the host ended the process stays one, unless
/// somebody no longer wants it.
const fn spares_success(why: EndReason) -> bool {
    !matches!(why, EndReason::Cancelled | EndReason::LeaseLost)
}

/// When the agent must be ended so that the lease is not outlived. Short leases
/// keep half of their time.
pub fn lease_deadline(sent: Timestamp, ttl: Millis) -> Timestamp {
    sent + Millis(ttl.0.saturating_sub(LEASE_MARGIN.0).max(ttl.0 / 2))
}

/// Pause before try `tries + 1` of a report.
fn report_pause(tries: u32) -> Millis {
    let doublings = tries.saturating_sub(1).min(16);
    Millis((FIRST_REPORT_PAUSE.0 << doublings).min(MAX_REPORT_PAUSE.0))
}

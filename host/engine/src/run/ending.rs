//! How a run ends: the report, its delivery, and closing.

use super::{Attempt, Closing, Run, State, Stop};
use crate::effect::{Action, Effect};
use crate::mutation::Mutation;
use crate::outcome::{Class, EndReason};
use crate::problem::{Problem, ProblemKind};
use crate::report::{Report, ReportState};
use crate::time::{Millis, Timestamp};

/// First pause after a report was not delivered; doubles up to [`MAX_REPORT_PAUSE`].
pub const FIRST_REPORT_PAUSE: Millis = Millis::seconds(2);

/// Longest pause between two tries to deliver a report.
pub const MAX_REPORT_PAUSE: Millis = Millis::minutes(5);

impl Run {
    /// No further attempt: tell the tracker, or close where there is nobody to tell.
    pub(super) fn finish(&mut self, now: Timestamp) -> Option<Effect> {
        if let Some(Stop { why: EndReason::LeaseLost, message }) = &self.stop {
            let message = message.clone();
            return self.close(now, Closing::Lost(message));
        }
        let report = self.report(now);
        self.tell(now, report)
    }

    /// A failure outside of any attempt.
    pub(super) fn fail(&mut self, now: Timestamp, reason: &str, message: String) -> Option<Effect> {
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
        let unverified = self.attempts.last().and_then(Attempt::failed_verification);
        let succeeded = cancelled.is_none() && self.attempts.last().is_some_and(Attempt::stands);
        let (state, reason, message) = match (cancelled, last) {
            (Some(stop), _) => (ReportState::Cancelled, stop.why.name().to_owned(), stop.message.clone()),
            (None, Some(_)) if succeeded => (ReportState::Succeeded, String::new(), String::new()),
            (None, Some(_)) if unverified.is_some() => {
                let message = unverified.map(|found| found.summary.clone()).unwrap_or_default();
                (ReportState::Failed, "verify-failed".to_owned(), message)
            }
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
            branch: workspace.map(|workspace| workspace.branch.clone()).filter(|branch| !branch.is_empty()),
            base: workspace.map(|workspace| workspace.base.clone()).filter(|base| !base.is_empty()),
            head: self.changes.head.clone(),
            files: self.changes.files.clone(),
            attempts: u32::try_from(self.attempts.len()).unwrap_or(u32::MAX),
            usage: self.spent(),
            elapsed: now.since(self.created),
            session: last.and_then(|outcome| outcome.session.clone()),
            provider: self.plan.as_ref().map(|plan| plan.provider.clone()).unwrap_or_default(),
            verified: self.attempts.last().and_then(|attempt| attempt.verified.clone()),
            landed: self.landed.clone(),
        }
    }

    /// The tracker answered the report.
    pub fn reported(&mut self, now: Timestamp, answer: Result<(), Problem>) -> Option<Effect> {
        let State::Reporting { report, tries, .. } = &self.state else { return None };
        let (report, tries) = (report.clone(), *tries);
        let answer = if Mutation::UnrepeatedReport.is_on() { Ok(()) } else { answer };
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
        let report = if Mutation::RemadeReport.is_on() { Box::new(self.report(now)) } else { report };
        let state = State::Reporting { report: report.clone(), tries, next_try: None, last_problem };
        self.go(now, state, Action::Report { report })
    }

    /// The task was given back, or could not be: either way it is not worked on.
    pub fn released(&mut self, now: Timestamp) -> Option<Effect> {
        self.close(now, Closing::NotOurs("given back untouched".to_owned()))
    }

    pub(super) fn close(&mut self, now: Timestamp, how: Closing) -> Option<Effect> {
        let report = match &self.state {
            State::Reporting { report, .. } | State::Parked { report: Some(report), .. } => {
                Some(report.clone())
            }
            _ if self.attempts.is_empty() => None,
            _ => Some(Box::new(self.report(now))),
        };
        self.go(now, State::Closed { how, report }, Action::Tidy)
    }
}

/// Pause before try `tries + 1` of a report.
fn report_pause(tries: u32) -> Millis {
    let doublings = tries.saturating_sub(1).min(16);
    Millis((FIRST_REPORT_PAUSE.0 << doublings).min(MAX_REPORT_PAUSE.0))
}

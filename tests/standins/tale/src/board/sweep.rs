//! The watchdog: finds runs that nobody claimed, whose daemon fell silent, or that
//! take too long.

use super::{Board, FailReason, Run, RunId, RunState, Task};
use crate::limits;
use crate::time::Time;

/// What is to be done about an overdue run.
enum Overdue {
    /// Nobody waits for it any more.
    Forget,
    /// Try again.
    QueueAgain,
    /// It failed.
    Fail(FailReason),
}

impl Board {
    /// Looks for overdue runs of an organisation, and deals with the oldest ones.
    pub fn sweep(&mut self, organization: &str, now: Time) {
        let own = self.runs.iter().filter(|run| run.organization == organization);
        let overdue: Vec<(RunId, Overdue)> = own
            .filter_map(|run| Some((run.id.clone(), self.overdue(run, now)?)))
            .take(limits::RUNS_PER_SWEEP)
            .collect();
        for (id, overdue) in overdue {
            match overdue {
                Overdue::Forget => self.end_cancelled(&id, now),
                Overdue::QueueAgain => {
                    self.queue_again(&id, FailReason::LeaseExpired, "the daemon fell silent", now);
                }
                Overdue::Fail(reason) => self.end_failed(&id, reason, None, now),
            }
        }
    }

    /// Looks for overdue runs of every organisation.
    pub fn sweep_all(&mut self, now: Time) {
        let all: Vec<String> = self.organizations.iter().map(|own| own.slug.clone()).collect();
        for organization in all {
            self.sweep(&organization, now);
        }
    }

    fn overdue(&self, run: &Run, now: Time) -> Option<Overdue> {
        match &run.state {
            RunState::Queued { deadline } if *deadline <= now => {
                let wanted = self.task(&run.task).is_some_and(Task::is_open);
                Some(if wanted { Overdue::Fail(FailReason::RuntimeOffline) } else { Overdue::Forget })
            }
            RunState::Claimed(hold) | RunState::Running(hold) => {
                let silent = hold.lease_until <= now;
                if silent && hold.cancel_requested {
                    Some(Overdue::Forget)
                } else if hold.claimed_at.plus(limits::RUN_TIMEOUT) <= now {
                    Some(Overdue::Fail(FailReason::Timeout))
                } else if silent && run.attempts < limits::MAX_ATTEMPTS {
                    Some(Overdue::QueueAgain)
                } else {
                    silent.then_some(Overdue::Fail(FailReason::LeaseExpired))
                }
            }
            _ => None,
        }
    }

    pub(super) fn schedule_sweep(&mut self, organization: &str, at: Time) {
        self.sweeps.insert((at, organization.to_owned()));
    }

    /// Does all scheduled sweeps up to a moment, each at its own.
    pub fn sweep_until(&mut self, now: Time) {
        while self.sweeps.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((at, organization)) = self.sweeps.pop_first() {
                self.sweep(&organization, at);
            }
        }
    }
}

//! What happens to a run when time passes: limits, stalls, leases, repeated reports.

use super::{Run, State};
use crate::effect::Effect;
use crate::mutation::Mutation;
use crate::outcome::EndReason;
use crate::policy::LINGER;
use crate::time::{Millis, Timestamp};

/// A lease counts as over this long before it is: an agent gets ten seconds to
/// end, and a little for the proof.
pub const LEASE_MARGIN: Millis = Millis::seconds(12);

impl Run {
    /// When something is due if nothing is heard before.
    pub fn deadline(&self) -> Option<Timestamp> {
        let lease = self.lease.filter(|_| self.lease_matters()).map(|lease| lease.deadline);
        let own = match &self.state {
            State::Running { heard, finished, .. } => {
                self.running_deadlines(*heard, *finished).into_iter().map(|(at, _)| at).min()
            }
            State::Waiting { until } => Some(*until),
            State::Reporting { next_try, .. } => *next_try,
            // What a stopping host has called off waits for the next start.
            State::Preparing { next_try, .. } | State::Landing { next_try, .. } => {
                next_try.filter(|_| self.stop.is_none())
            }
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

    /// The machine has slept. The agent slept, too: that is no silence of its own, and
    /// its process had no time to end. Leases and time limits count sleep, because the
    /// world outside did not sleep.
    pub fn woke(&mut self, now: Timestamp, slept: Millis) {
        if let State::Running { heard, finished, .. } = &mut self.state {
            *heard = (*heard + slept).min(now);
            *finished = finished.map(|finished| (finished + slept).min(now));
        }
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
            State::Preparing { next_try: Some(at), .. } if *at <= now && self.stop.is_none() => {
                self.prepare_again(now)
            }
            State::Landing { next_try: Some(at), .. } if *at <= now && self.stop.is_none() => {
                self.land_again(now)
            }
            _ => None,
        }
    }
}

/// When the agent must be ended so that the lease is not outlived. Short leases
/// keep half of their time.
pub fn lease_deadline(sent: Timestamp, ttl: Millis) -> Timestamp {
    if Mutation::NoLeaseMargin.is_on() {
        return sent + ttl;
    }
    sent + Millis(ttl.0.saturating_sub(LEASE_MARGIN.0).max(ttl.0 / 2))
}

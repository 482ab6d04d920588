//! The dead man's switch: until when an agent may go on if no host comes back.

use hostler_agents::AgentHandle;
use hostler_engine::run::{HeldLease, LEASE_MARGIN, Run};
use hostler_engine::time::{Millis, Timestamp};

use crate::clock::Clock;

/// Until when an agent may work without a word from a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// While the lease lasts; `None` without one.
    lease: Option<Timestamp>,
    /// The attempt's time limit.
    time: Option<Timestamp>,
}

impl Leave {
    /// The leave of a run's agent. `None` while a host that has just started does not
    /// know whether the lease still stands: what the host before gave stays in force.
    pub fn of(run: &Run) -> Option<Self> {
        if run.lease.is_some_and(|lease| !lease.confirmed) {
            return None;
        }
        let limit = run.plan.as_ref().and_then(|plan| plan.limits.time);
        Some(Self {
            lease: run.lease.map(|lease| last_moment(&lease)),
            time: limit.map(|limit| run.attempt_started + limit),
        })
    }

    /// Tells the agent's supervisor.
    pub async fn give(self, agent: &AgentHandle, clock: &Clock) {
        let rest = |at: Timestamp| clock.until(at).duration();
        agent.keep(self.lease.map(rest), self.time.map(rest)).await;
    }
}

/// The host ends an agent at the lease's deadline; its supervisor does so half of the
/// margin later, so that it only acts where no host does, and before the lease is over.
fn last_moment(lease: &HeldLease) -> Timestamp {
    let margin = LEASE_MARGIN.min(Millis(lease.ttl.0 / 2));
    lease.deadline + Millis(margin.0 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_engine::run::lease_deadline;

    #[test]
    fn the_switch_acts_after_the_host_would_and_before_the_lease_is_over() {
        for ttl in [Millis::seconds(2), Millis::seconds(8), Millis::seconds(24), Millis::minutes(5)] {
            let sent = Timestamp(1_000);
            let deadline = lease_deadline(sent, ttl);
            let lease = HeldLease { deadline, ttl, renew_every: Millis(ttl.0 / 4), confirmed: true };
            let last = last_moment(&lease);
            assert!(deadline < last && last < sent + ttl, "{ttl:?}: {deadline:?} {last:?}");
        }
    }
}

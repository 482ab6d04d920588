//! When the shim signals the tree. Decides only; time comes in as a value.

use std::time::{Duration, Instant};

use hostler_engine::outcome::EndReason;

use crate::exit::Cause;

/// How long processes that outlive the agent may finish by themselves. A pipe's
/// last reader needs an instant; a server left behind would stay for ever.
pub(super) const DRAIN: Duration = Duration::from_millis(500);

/// How long they have after SIGTERM: enough for git to remove its lock files.
pub(super) const STRAGGLER_GRACE: Duration = Duration::from_millis(500);

/// How long the tree is killed before what is left counts as a survivor. Nothing
/// that can be killed takes so long.
pub(super) const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How often a tree that is ending is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How often while killing: what forks quickly must be met quickly.
const KILL_LOOK: Duration = Duration::from_millis(1);

/// How often while the agent works, to reap orphans; everything else wakes us.
#[cfg(target_os = "linux")]
const WATCH: Duration = Duration::from_secs(1);
#[cfg(not(target_os = "linux"))]
const WATCH: Duration = Duration::from_millis(100);

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing; look again after this long, or when something happens.
    Wait(Duration),
    /// SIGTERM to every process, then ask again.
    Terminate,
    /// SIGKILL to every process, then look again after this long.
    Kill(Duration),
    /// What is left cannot be killed.
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    /// The agent has ended by itself, others have not.
    Draining {
        until: Instant,
    },
    Asked {
        told: bool,
        until: Instant,
    },
    Killing {
        until: Instant,
    },
}

/// One attempt, from its start until its tree is empty.
#[derive(Debug)]
pub(super) struct Ending {
    phase: Phase,
    cause: Cause,
    agent_ended: bool,
}

impl Ending {
    pub(super) fn new() -> Self {
        Self { phase: Phase::Working, cause: Cause::Itself, agent_ended: false }
    }

    pub(super) fn cause(&self) -> Cause {
        self.cause
    }

    /// The host wants the tree ended. Asked again, the shorter time counts and
    /// the first reason stays.
    pub(super) fn asked(&mut self, reason: EndReason, grace: Duration, now: Instant) {
        self.blame(Cause::Host(reason));
        let until = now + grace;
        self.phase = match self.phase {
            Phase::Working => Phase::Asked { told: false, until },
            Phase::Draining { until: before } => Phase::Draining { until: before.min(until) },
            Phase::Asked { told, until: before } => Phase::Asked { told, until: before.min(until) },
            Phase::Killing { until } => Phase::Killing { until },
        };
    }

    /// It ends without any grace.
    pub(super) fn kill(&mut self, cause: Cause, now: Instant) {
        self.blame(cause);
        if !matches!(self.phase, Phase::Killing { .. }) {
            self.phase = Phase::Killing { until: now + KILL_LIMIT };
        }
    }

    /// The agent's main process has ended; others may still run.
    pub(super) fn agent_ended(&mut self, now: Instant) {
        self.agent_ended = true;
        self.phase = match self.phase {
            Phase::Working => Phase::Draining { until: now + DRAIN },
            Phase::Asked { told, until } => Phase::Asked { told, until: until.min(now + STRAGGLER_GRACE) },
            other => other,
        };
    }

    /// What to do at `now`. Each step is asked for once; killing every time.
    pub(super) fn act(&mut self, now: Instant) -> Act {
        loop {
            match self.phase {
                Phase::Working => return Act::Wait(WATCH),
                Phase::Draining { until } if now < until => return Act::Wait(LOOK),
                Phase::Draining { .. } => {
                    self.phase = Phase::Asked { told: false, until: now + STRAGGLER_GRACE }
                }
                Phase::Asked { told: false, until } => {
                    self.phase = Phase::Asked { told: true, until };
                    return Act::Terminate;
                }
                Phase::Asked { until, .. } if now < until => return Act::Wait(LOOK.min(until - now)),
                Phase::Asked { .. } => self.phase = Phase::Killing { until: now + KILL_LIMIT },
                Phase::Killing { until } if now < until => return Act::Kill(KILL_LOOK),
                Phase::Killing { .. } => return Act::GiveUp,
            }
        }
    }

    /// An end that has already come has its cause.
    fn blame(&mut self, cause: Cause) {
        if !self.agent_ended && self.cause == Cause::Itself {
            self.cause = cause;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(10);
    const MOMENT: Duration = Duration::from_millis(1);

    fn just_before(end: Duration) -> Duration {
        end.saturating_sub(MOMENT)
    }

    #[test]
    fn asked_it_terminates_once_waits_its_grace_and_kills() {
        let start = Instant::now();
        let mut ending = Ending::new();
        assert_eq!(ending.act(start), Act::Wait(WATCH));
        ending.asked(EndReason::Cancelled, GRACE, start);
        assert_eq!(ending.act(start), Act::Terminate);
        assert_eq!(ending.act(start), Act::Wait(LOOK));
        assert_eq!(ending.act(start + just_before(GRACE)), Act::Wait(MOMENT));
        assert_eq!(ending.act(start + GRACE), Act::Kill(KILL_LOOK));
        assert_eq!(ending.cause(), Cause::Host(EndReason::Cancelled));
    }

    #[test]
    fn killing_stops_at_its_limit() {
        let start = Instant::now();
        let mut ending = Ending::new();
        ending.kill(Cause::LeaseOver, start);
        assert_eq!(ending.act(start + just_before(KILL_LIMIT)), Act::Kill(KILL_LOOK));
        assert_eq!(ending.act(start + KILL_LIMIT), Act::GiveUp);
    }

    #[test]
    fn a_lease_that_is_over_allows_no_grace_even_in_the_middle_of_one() {
        let start = Instant::now();
        let mut ending = Ending::new();
        ending.asked(EndReason::Stopping, GRACE, start);
        assert_eq!(ending.act(start), Act::Terminate);
        ending.kill(Cause::LeaseOver, start + MOMENT);
        assert_eq!(ending.act(start + MOMENT), Act::Kill(KILL_LOOK));
        assert_eq!(ending.cause(), Cause::Host(EndReason::Stopping));
    }

    #[test]
    fn stragglers_may_finish_then_are_asked_then_killed() {
        let start = Instant::now();
        let mut ending = Ending::new();
        ending.agent_ended(start);
        assert_eq!(ending.act(start + just_before(DRAIN)), Act::Wait(LOOK));
        assert_eq!(ending.act(start + DRAIN), Act::Terminate);
        assert_eq!(ending.act(start + DRAIN + STRAGGLER_GRACE), Act::Kill(KILL_LOOK));
        assert_eq!(ending.cause(), Cause::Itself);
    }

    #[test]
    fn an_end_asked_for_too_late_is_not_the_cause() {
        let start = Instant::now();
        let mut ending = Ending::new();
        ending.agent_ended(start);
        ending.asked(EndReason::TimedOut, GRACE, start);
        ending.kill(Cause::LeaseOver, start);
        assert_eq!(ending.cause(), Cause::Itself);
    }

    #[test]
    fn asked_twice_the_shorter_grace_and_the_first_reason_count() {
        let start = Instant::now();
        let mut ending = Ending::new();
        ending.asked(EndReason::Cancelled, GRACE, start);
        assert_eq!(ending.act(start), Act::Terminate);
        ending.asked(EndReason::Stopping, Duration::ZERO, start);
        assert_eq!(ending.act(start), Act::Kill(KILL_LOOK));
        assert_eq!(ending.cause(), Cause::Host(EndReason::Cancelled));
    }

    #[test]
    fn stragglers_do_not_get_the_grace_of_the_agent() {
        let start = Instant::now();
        let mut ending = Ending::new();
        ending.asked(EndReason::Finished, GRACE, start);
        assert_eq!(ending.act(start), Act::Terminate);
        ending.agent_ended(start);
        assert_eq!(ending.act(start + STRAGGLER_GRACE), Act::Kill(KILL_LOOK));
    }
}

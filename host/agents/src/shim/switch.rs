//! The dead man's switch: when an agent ends because nobody said that it may go
//! on. Decides only; time comes in as a value, counted from the start of the
//! machine and through its sleep.

use std::time::Duration;

/// How long an agent may go on without a host that ever said how long it may: a
/// host that starts an agent says so at once, so one that did not died on the way.
pub(super) const UNKEPT_LIMIT: Duration = Duration::from_mins(1);

/// What has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Nobody may be told any more that this host works on the task.
    Lease,
    /// The attempt's time.
    Time,
}

#[derive(Debug, Default)]
pub(super) struct Switch {
    kept: bool,
    lease: Option<Duration>,
    time: Option<Duration>,
}

impl Switch {
    /// The host says how long from `now` the agent may go on.
    pub(super) fn keep(&mut self, lease: Option<Duration>, time: Option<Duration>, now: Duration) {
        let from_now = |rest: Duration| now.saturating_add(rest);
        *self = Self { kept: true, lease: lease.map(from_now), time: time.map(from_now) };
    }

    /// The host is gone; the agent works on as long as was said.
    pub(super) fn host_gone(&mut self, now: Duration) {
        if !self.kept {
            self.keep(Some(UNKEPT_LIMIT), None, now);
        }
    }

    pub(super) fn over(&self, now: Duration) -> Option<Over> {
        let passed = |end: Option<Duration>| end.is_some_and(|end| now >= end);
        if passed(self.lease) {
            Some(Over::Lease)
        } else if passed(self.time) {
            Some(Over::Time)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn just_before(end: Duration) -> Duration {
        end.saturating_sub(Duration::from_nanos(1))
    }

    #[test]
    fn without_an_end_nothing_runs_out() {
        let mut switch = Switch::default();
        assert_eq!(switch.over(Duration::MAX), None);
        switch.keep(None, None, SECOND);
        switch.host_gone(SECOND);
        assert_eq!(switch.over(Duration::MAX), None);
    }

    #[test]
    fn a_lease_runs_out_unless_it_is_renewed() {
        let mut switch = Switch::default();
        switch.keep(Some(SECOND), None, SECOND);
        assert_eq!(switch.over(just_before(2 * SECOND)), None);
        assert_eq!(switch.over(2 * SECOND), Some(Over::Lease));
        switch.keep(Some(SECOND), None, 2 * SECOND);
        assert_eq!(switch.over(just_before(3 * SECOND)), None);
        assert_eq!(switch.over(3 * SECOND), Some(Over::Lease));
    }

    #[test]
    fn the_lease_is_the_graver_of_both() {
        let mut switch = Switch::default();
        switch.keep(Some(2 * SECOND), Some(SECOND), SECOND);
        assert_eq!(switch.over(2 * SECOND), Some(Over::Time));
        assert_eq!(switch.over(3 * SECOND), Some(Over::Lease));
        switch.keep(Some(Duration::MAX), None, SECOND);
        assert_eq!(switch.over(3 * SECOND), None);
    }

    #[test]
    fn an_agent_that_nobody_ever_kept_outlives_its_host_by_a_minute() {
        let mut switch = Switch::default();
        switch.host_gone(SECOND);
        assert_eq!(switch.over(just_before(SECOND + UNKEPT_LIMIT)), None);
        assert_eq!(switch.over(SECOND + UNKEPT_LIMIT), Some(Over::Lease));
    }
}

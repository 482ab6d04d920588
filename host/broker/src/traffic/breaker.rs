//! Leaves an origin alone for a while when connections to it fail. Pure.

use hostler_engine::time::{Millis, Timestamp};

/// Connections that fail one after the other before an origin is left alone: more
/// than a restarting server costs one run.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// How long it is then left alone: short beside a lease, long beside a failed attempt.
pub const LEFT_ALONE: Millis = Millis::seconds(3);

/// Whether an origin is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// It is; so many attempts failed since one worked.
    Closed { failures: u32 },
    /// It is not, until then.
    Open { until: Timestamp },
    /// One request is trying it; the others wait for what comes of it.
    Probing,
}

impl Breaker {
    /// Whether a request may go, or how long it is to stay away.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Millis> {
        match self {
            Self::Open { until } if now < *until => Err(until.since(now)),
            Self::Probing => Err(LEFT_ALONE),
            Self::Open { .. } | Self::Closed { .. } => Ok(()),
        }
    }

    /// A request goes that `check` let pass; says whether it is the probe.
    pub(crate) fn begin(&mut self) -> bool {
        let probe = matches!(self, Self::Open { .. });
        if probe {
            *self = Self::Probing;
        }
        probe
    }

    /// A server answered, whatever it said.
    pub(crate) fn answered(&mut self) {
        *self = Self::Closed { failures: 0 };
    }

    /// A connection could not be made or broke.
    pub(crate) fn broke(&mut self, now: Timestamp) {
        *self = match *self {
            Self::Closed { failures } if failures + 1 < FAILURES_IN_A_ROW => {
                Self::Closed { failures: failures + 1 }
            }
            // One that set out before it opened says nothing new.
            Self::Open { until } => Self::Open { until },
            Self::Closed { .. } | Self::Probing => Self::Open { until: now + LEFT_ALONE },
        };
    }

    /// The probe was given up without a result: the next request is one.
    pub(crate) fn probe_given_up(&mut self, now: Timestamp) {
        if matches!(self, Self::Probing) {
            *self = Self::Open { until: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn open() -> Breaker {
        let mut breaker = Breaker::Closed { failures: 0 };
        for _ in 0..FAILURES_IN_A_ROW {
            assert_eq!(breaker.check(START), Ok(()));
            assert!(!breaker.begin());
            breaker.broke(START);
        }
        breaker
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_not_one_earlier() {
        let mut breaker = open();
        assert_eq!(breaker.check(START), Err(LEFT_ALONE));
        breaker.broke(START + Millis(1));
        assert_eq!(breaker, Breaker::Open { until: START + LEFT_ALONE }, "a latecomer prolongs nothing");
    }

    #[test]
    fn an_answer_in_between_begins_the_count_anew() {
        let mut breaker = Breaker::Closed { failures: FAILURES_IN_A_ROW - 1 };
        breaker.answered();
        breaker.broke(START);
        assert_eq!(breaker, Breaker::Closed { failures: 1 });
    }

    #[test]
    fn after_the_pause_one_request_probes_and_decides_for_all() {
        let later = START + LEFT_ALONE;
        for works in [true, false] {
            let mut breaker = open();
            assert_eq!(breaker.check(later), Ok(()));
            assert!(breaker.begin(), "the first is the probe");
            assert!(breaker.check(later).is_err(), "no second one beside it");
            if works {
                breaker.answered();
            } else {
                breaker.broke(later);
            }
            assert_eq!(breaker.check(later).is_ok(), works);
        }
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let later = START + LEFT_ALONE;
        let mut breaker = open();
        assert!(breaker.begin());
        breaker.probe_given_up(later);
        assert_eq!(breaker.check(later), Ok(()));
        assert!(breaker.begin());
    }
}

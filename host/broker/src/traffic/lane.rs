//! Whether one more request may go to an origin, by all that is known of it. Pure.

use hostler_engine::time::{Millis, Timestamp};

use super::Urgency;
use super::breaker::Breaker;
use super::bucket::Bucket;

/// What is known of one origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    bucket: Bucket,
    breaker: Breaker,
    paused_until: Timestamp,
    used: Timestamp,
}

/// What one more request is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Go, perhaps as the one that finds out whether the origin is back.
    Go { probe: bool },
    /// Ask again after this much time: its turn comes.
    Wait(Millis),
    /// Give up: the server asked to be left alone for so long.
    Paused(Millis),
    /// Give up: the origin is not reached, and is tried again after so long.
    Broken(Millis),
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server answered, and asked for a pause if one is given.
    Answered { pause: Option<Millis> },
    /// The connection could not be made or broke.
    Broke,
    /// It was given up before either.
    GivenUp { probe: bool },
}

impl Lane {
    /// Of an origin of which nothing is known yet.
    pub(crate) const fn new(now: Timestamp) -> Self {
        let breaker = Breaker::Closed { failures: 0 };
        Self { bucket: Bucket::full(now), breaker, paused_until: now, used: now }
    }

    /// A request asks to go.
    pub(crate) fn ask(&mut self, urgency: Urgency, now: Timestamp) -> Signal {
        self.used = now;
        if now < self.paused_until {
            return Signal::Paused(self.paused_until.since(now));
        }
        if let Err(wait) = self.breaker.check(now) {
            return Signal::Broken(wait);
        }
        if let Err(wait) = self.bucket.take(urgency, now) {
            return Signal::Wait(wait);
        }
        Signal::Go { probe: self.breaker.begin() }
    }

    /// A request that went has ended.
    pub(crate) fn tell(&mut self, end: End, now: Timestamp) {
        match end {
            End::Answered { pause } => {
                self.breaker.answered();
                self.paused_until = self.paused_until.max(now + pause.unwrap_or_default());
            }
            End::Broke => self.breaker.broke(now),
            End::GivenUp { probe: true } => self.breaker.probe_given_up(now),
            End::GivenUp { probe: false } => {}
        }
    }

    /// When it was last asked.
    pub(crate) const fn used(&self) -> Timestamp {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FAILURES_IN_A_ROW, LEFT_ALONE};
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);
    const GO: Signal = Signal::Go { probe: false };

    #[test]
    fn a_pause_holds_for_every_request_and_a_shorter_one_does_not_end_it() {
        let mut lane = Lane::new(START);
        assert_eq!(lane.ask(Urgency::Ordinary, START), GO);
        lane.tell(End::Answered { pause: Some(Millis::seconds(7)) }, START);
        lane.tell(End::Answered { pause: Some(Millis::seconds(1)) }, START);
        lane.tell(End::Answered { pause: None }, START);
        for urgency in [Urgency::Ordinary, Urgency::Lease] {
            assert_eq!(lane.ask(urgency, START + Millis(6999)), Signal::Paused(Millis(1)));
            assert_eq!(lane.ask(urgency, START + Millis(7000)), GO);
        }
    }

    #[test]
    fn a_broken_origin_is_left_alone_then_probed_by_one() {
        let mut lane = Lane::new(START);
        for _ in 0..FAILURES_IN_A_ROW {
            assert_eq!(lane.ask(Urgency::Ordinary, START), GO);
            lane.tell(End::Broke, START);
        }
        assert_eq!(lane.ask(Urgency::Lease, START), Signal::Broken(LEFT_ALONE));
        let later = START + LEFT_ALONE;
        assert_eq!(lane.ask(Urgency::Ordinary, later), Signal::Go { probe: true });
        lane.tell(End::GivenUp { probe: false }, later);
        assert!(matches!(lane.ask(Urgency::Ordinary, later), Signal::Broken(_)), "that was another one");
        lane.tell(End::GivenUp { probe: true }, later);
        assert_eq!(lane.ask(Urgency::Ordinary, later), Signal::Go { probe: true });
        lane.tell(End::Answered { pause: None }, later);
        assert_eq!(lane.ask(Urgency::Ordinary, later), GO);
    }

    #[test]
    fn a_request_that_waits_for_its_turn_is_not_the_probe() {
        let mut lane = Lane::new(START);
        while lane.ask(Urgency::Lease, START) == GO {}
        for _ in 0..FAILURES_IN_A_ROW {
            lane.tell(End::Broke, START);
        }
        let mut emptied = lane;
        emptied.breaker = Breaker::Open { until: START };
        assert!(matches!(emptied.ask(Urgency::Lease, START), Signal::Wait(_)));
        assert_eq!(emptied.breaker, Breaker::Open { until: START });
    }
}

//! What all gates of a host know of each origin together: how much it gets, whether it
//! asked to be left alone, whether it is reached at all.

mod breaker;
mod bucket;
mod lane;
mod pause;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::HttpResponse;
use hostler_engine::rights::Origin;
use hostler_engine::time::{Millis, Timestamp};

pub use breaker::{FAILURES_IN_A_ROW, LEFT_ALONE};
pub use bucket::{BURST, REQUESTS_PER_SECOND, RESERVED};
use lane::{End, Lane, Signal};
pub use pause::LONGEST_PAUSE;

/// Origins that something is known of: more than the plugins of a host are granted.
/// The one not used for longest makes room.
pub const ORIGINS: usize = 1024;
/// How long a request waits for its turn, or for the end of a pause, before it is sent
/// back: what a full burst and its reserve need to come again.
pub const WAIT_FOR_TURN: Millis = Millis::seconds(5);

/// How much a request matters when an origin gets too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// It can wait.
    #[default]
    Ordinary,
    /// A lease runs out without it.
    Lease,
}

/// The state of every origin that the host talks to. One per host, shared by all gates.
pub struct Traffic {
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    patience: Millis,
    lanes: Mutex<BTreeMap<Origin, Lane>>,
}

/// By a clock of its own, which stands while the machine sleeps.
impl Default for Traffic {
    fn default() -> Self {
        let started = Instant::now();
        Self::new(move || {
            let passed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Timestamp(0) + Millis(passed)
        })
    }
}

impl std::fmt::Debug for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traffic").field("lanes", &self.lanes).finish_non_exhaustive()
    }
}

/// A request's way to its origin. To be told how it ended; dropped, it was given up.
#[derive(Debug)]
pub(crate) struct Turn {
    traffic: Arc<Traffic>,
    origin: Origin,
    probe: bool,
    ended: bool,
}

impl Traffic {
    /// Nothing is known of any origin yet. Pauses end by this clock, which should be the
    /// one the host waits by.
    pub fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Box::new(clock), patience: WAIT_FOR_TURN, lanes: Mutex::default() }
    }

    /// Waits for a turn, or says why there is none.
    pub(crate) async fn enter(self: &Arc<Self>, origin: &Origin, urgency: Urgency) -> Result<Turn, Problem> {
        let begun = self.now();
        loop {
            let now = self.now();
            match self.lane(origin, now, |lane| lane.ask(urgency, now)) {
                Signal::Go { probe } => {
                    let (traffic, origin) = (Arc::clone(self), origin.clone());
                    return Ok(Turn { traffic, origin, probe, ended: false });
                }
                // A moment is waited: sent back, a report would come again much later.
                Signal::Wait(wait) | Signal::Paused(wait)
                    if now.since(begun).0 + wait.0 <= self.patience.0 =>
                {
                    tokio::time::sleep(wait.duration()).await;
                }
                Signal::Wait(wait) => return Err(crowded(origin, wait)),
                Signal::Paused(left) => return Err(paused(origin, left)),
                Signal::Broken(left) => return Err(broken(origin, left)),
            }
        }
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn lane<T>(&self, origin: &Origin, now: Timestamp, act: impl FnOnce(&mut Lane) -> T) -> T {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if !lanes.contains_key(origin) && lanes.len() >= ORIGINS {
            let oldest = lanes.iter().min_by_key(|(_, lane)| lane.used()).map(|(origin, _)| origin.clone());
            oldest.and_then(|oldest| lanes.remove(&oldest));
        }
        act(lanes.entry(origin.clone()).or_insert_with(|| Lane::new(now)))
    }
}

impl Turn {
    /// The request has ended: a problem that may pass is a connection that did not
    /// work, any other is about an answer.
    pub(crate) fn end(mut self, answer: Result<&HttpResponse, &Problem>) {
        self.tell(match answer {
            Ok(answer) => End::Answered { pause: pause::asked(answer.status, &answer.headers) },
            Err(problem) if problem.kind.may_pass() => End::Broke,
            Err(_) => End::Answered { pause: None },
        });
    }

    fn tell(&mut self, end: End) {
        self.ended = true;
        let now = self.traffic.now();
        self.traffic.lane(&self.origin, now, |lane| lane.tell(end, now));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(End::GivenUp { probe: self.probe });
        }
    }
}

fn crowded(origin: &Origin, wait: Millis) -> Problem {
    let message = format!(
        "requests to {origin} come faster than {REQUESTS_PER_SECOND} in a second: send fewer, or the same later"
    );
    limited(ProblemKind::RateLimited, message, wait)
}

fn paused(origin: &Origin, left: Millis) -> Problem {
    let message = format!("{origin} asked to be left alone for another {left}: try again then");
    limited(ProblemKind::RateLimited, message, left)
}

fn broken(origin: &Origin, left: Millis) -> Problem {
    let message = format!(
        "{origin} was not reached {FAILURES_IN_A_ROW} times in a row and is left alone for a moment: \
         check that it is up and reachable"
    );
    limited(ProblemKind::Transient, message, left)
}

fn limited(kind: ProblemKind, message: String, after: Millis) -> Problem {
    Problem { retry_after: Some(after), ..Problem::new(kind, message) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn origin(number: usize) -> Origin {
        Origin::of(&format!("https://a{number}.example")).unwrap()
    }

    #[tokio::test]
    async fn the_origin_unused_for_longest_makes_room() {
        let traffic = Arc::new(Traffic::default());
        for number in 0..ORIGINS {
            let now = Timestamp(i64::try_from(number).unwrap());
            traffic.lane(&origin(number), now, |lane| lane.ask(Urgency::Ordinary, now));
        }
        let known = |number| traffic.lanes.lock().unwrap().contains_key(&origin(number));
        assert!(known(0) && known(ORIGINS - 1));
        traffic.lane(&origin(ORIGINS), Timestamp(i64::MAX), |_| ());
        assert!(!known(0) && known(1) && known(ORIGINS));
        assert_eq!(traffic.lanes.lock().unwrap().len(), ORIGINS);
    }

    #[tokio::test]
    async fn a_request_waits_for_its_turn_as_long_as_it_may_and_is_then_sent_back_with_the_time() {
        for (patience, passes) in [(WAIT_FOR_TURN, true), (Millis(0), false)] {
            let traffic = Arc::new(Traffic { patience, ..Traffic::default() });
            let now = traffic.now();
            let ask = |lane: &mut Lane| lane.ask(Urgency::Lease, now);
            while matches!(traffic.lane(&origin(0), now, ask), Signal::Go { .. }) {}
            assert!(traffic.enter(&origin(1), Urgency::Ordinary).await.is_ok(), "another origin has its own");
            match traffic.enter(&origin(0), Urgency::Lease).await {
                Ok(_) => assert!(passes),
                Err(problem) => {
                    assert!(!passes, "{problem}");
                    assert_eq!(problem.kind, ProblemKind::RateLimited);
                    assert!(problem.retry_after.is_some_and(|after| after.0 <= 50), "{problem:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_failing_probe_that_is_dropped_does_not_close_the_way_for_ever() {
        let traffic = Arc::new(Traffic::default());
        for _ in 0..FAILURES_IN_A_ROW {
            let turn = traffic.enter(&origin(0), Urgency::Ordinary).await.unwrap();
            turn.end(Err(&Problem::transient("the connection broke")));
        }
        let problem = traffic.enter(&origin(0), Urgency::Ordinary).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Transient);
        assert!(problem.retry_after.is_some_and(|after| after <= LEFT_ALONE), "{problem}");
        let after = traffic.now() + LEFT_ALONE;
        let probe = traffic.lane(&origin(0), after, |lane| lane.ask(Urgency::Ordinary, after));
        assert_eq!(probe, Signal::Go { probe: true });
        drop(Turn { traffic: Arc::clone(&traffic), origin: origin(0), probe: true, ended: false });
        traffic.enter(&origin(0), Urgency::Ordinary).await.unwrap();
    }
}

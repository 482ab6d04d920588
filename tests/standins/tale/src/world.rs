//! The server without its sockets: the board, the clock, the faults, the record.

use std::time::Duration;

use serde_json::Value;

use crate::api::{self, Answer, Call, RateLimits};
use crate::board::Board;
use crate::fault::{Fault, Faults, Harm, Moment};
use crate::record::{Answered, Record, RecordedRequest, Ticket};
use crate::time::{Clock, Time};

/// A page as a proxy sends it in the place of the server's answer.
pub(crate) const PROXY_PAGE: &str = "<!doctype html><title>Sign in</title><p>Please sign in to continue.";

/// Everything behind the sockets.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) board: Board,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    /// Keys that were ever valid here: what the record masks.
    pub(crate) keys: Vec<String>,
    rate_limits: Option<RateLimits>,
}

/// What the sockets are to do with a request once it was served.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reaction {
    /// Send this.
    Reply(Answer),
    /// Send 200 with [`PROXY_PAGE`].
    ProxyPage,
    /// Close the connection.
    Cut,
    /// Close all connections and refuse new ones for so long.
    GoDown(Duration),
}

/// A request that has come but was not served yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived {
    ticket: Ticket,
    fault: Option<Fault>,
}

impl Arrived {
    /// How long to wait before it is served.
    pub(crate) fn delay_before(&self) -> Duration {
        self.delay(Moment::BeforeCommit)
    }

    /// How long to wait before it is answered.
    pub(crate) fn delay_after(&self) -> Duration {
        self.delay(Moment::AfterCommit)
    }

    fn delay(&self, moment: Moment) -> Duration {
        match self.fault {
            Some(Fault { harm: Harm::Slow { millis }, moment: own, .. }) if own == moment => {
                Duration::from_millis(millis)
            }
            _ => Duration::ZERO,
        }
    }
}

impl World {
    pub(crate) fn new(board: Board, clock: Clock, fault_seed: u64) -> Self {
        Self {
            board,
            clock,
            faults: Faults::new(fault_seed),
            record: Record::default(),
            keys: Vec::new(),
            rate_limits: None,
        }
    }

    /// Switches the limits per client on or off; they start from zero.
    pub(crate) fn limit_rates(&mut self, on: bool) {
        self.rate_limits = on.then(RateLimits::default);
    }

    /// What the clock shows, after the sweeps that are due by now.
    pub(crate) fn now(&mut self) -> Time {
        let now = self.clock.now();
        self.board.sweep_until(now);
        now
    }

    /// Moves the clock forward; sweeps happen at their own moments on the way.
    pub(crate) fn advance(&mut self, by: Duration) -> Time {
        self.clock.advance(by);
        self.now()
    }

    /// Writes a request down, and throws the dice over it.
    pub(crate) fn arrive(&mut self, mut request: RecordedRequest) -> Arrived {
        let fault = request.endpoint.and_then(|endpoint| self.faults.strike(endpoint));
        request.fault = fault;
        Arrived { ticket: self.record.begin(request), fault }
    }

    /// Carries a request out, unless its fault keeps it from that.
    pub(crate) fn serve(&mut self, arrived: Arrived, call: &Call) -> Reaction {
        let now = self.now();
        let reaction = match arrived.fault {
            Some(Fault { harm: Harm::Duplicate, .. }) => {
                self.answer(call, now);
                Reaction::Reply(self.answer(call, now))
            }
            Some(Fault { harm, moment: Moment::BeforeCommit, .. }) => {
                harmed(harm).unwrap_or_else(|| Reaction::Reply(self.answer(call, now)))
            }
            Some(Fault { harm, moment: Moment::AfterCommit, .. }) => {
                let answer = self.answer(call, now);
                harmed(harm).unwrap_or(Reaction::Reply(answer))
            }
            None => Reaction::Reply(self.answer(call, now)),
        };
        self.record.end(arrived.ticket, told(&reaction));
        reaction
    }

    fn answer(&mut self, call: &Call, now: Time) -> Answer {
        api::answer(&mut self.board, self.rate_limits.as_mut(), call, now)
    }
}

/// What becomes of a request in the place of its answer; `None` for harms that let
/// the answer through.
fn harmed(harm: Harm) -> Option<Reaction> {
    match harm {
        Harm::Unauthorized => Some(Reaction::Reply(Answer::error(401, "Invalid API key"))),
        Harm::TooManyRequests { retry_after } => {
            Some(Reaction::Reply(Answer::too_many_requests(retry_after)))
        }
        Harm::ServerError => Some(Reaction::Reply(Answer::error(500, "Internal server error"))),
        Harm::NotJson => Some(Reaction::ProxyPage),
        Harm::Cut => Some(Reaction::Cut),
        Harm::GoDown { millis } => Some(Reaction::GoDown(Duration::from_millis(millis))),
        Harm::Slow { .. } | Harm::Duplicate => None,
    }
}

fn told(reaction: &Reaction) -> Answered {
    match reaction {
        Reaction::Reply(answer) => Answered::reply(answer),
        Reaction::ProxyPage => Answered::Reply { status: 200, body: Value::from(PROXY_PAGE) },
        Reaction::Cut | Reaction::GoDown(_) => Answered::Cut,
    }
}

//! The server without its sockets: the board, the clock, the faults, the record.

use std::time::Duration;

use serde_json::Value;

use crate::api::{self, Answer, Call};
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
    /// All requests of runners are cut.
    pub(crate) is_down: bool,
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
}

/// A request that has come but was not served yet.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    ticket: Ticket,
    fault: Option<Fault>,
}

impl Arrived {
    /// How long to wait before it is served, or before it is answered.
    pub(crate) fn delay(&self, at: Moment) -> Duration {
        match &self.fault {
            Some(Fault { harm: Harm::Slow { millis }, moment, .. }) if *moment == at => {
                Duration::from_millis(*millis)
            }
            _ => Duration::ZERO,
        }
    }
}

impl World {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            board: Board::default(),
            clock,
            faults: Faults::default(),
            record: Record::default(),
            is_down: false,
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// Writes a request down, and looks which fault strikes it.
    pub(crate) fn arrive(&mut self, mut request: RecordedRequest, raw_body: &str) -> Arrived {
        let fault = match request.endpoint {
            Some(_) if self.is_down => Some(Fault::cut()),
            Some(endpoint) => self.faults.strike(endpoint),
            None => None,
        };
        request.fault.clone_from(&fault);
        Arrived { ticket: self.record.begin(request, raw_body), fault }
    }

    /// Carries a request out, unless its fault keeps it from that.
    pub(crate) fn serve(&mut self, arrived: &Arrived, call: &Call) -> Reaction {
        let now = self.now();
        let mut answer = || Reaction::Reply(api::answer(&mut self.board, call, now));
        let reaction = match &arrived.fault {
            Some(Fault { harm: Harm::Duplicate, .. }) => {
                answer();
                answer()
            }
            Some(Fault { harm, moment: Moment::BeforeCommit, .. }) => harmed(harm).unwrap_or_else(answer),
            Some(Fault { harm, moment: Moment::AfterCommit, .. }) => {
                let answered = answer();
                harmed(harm).unwrap_or(answered)
            }
            None => answer(),
        };
        self.record.end(arrived.ticket, told(&reaction));
        reaction
    }
}

/// What becomes of a request in the place of its answer; `None` for harms that let
/// the answer through.
fn harmed(harm: &Harm) -> Option<Reaction> {
    match harm {
        Harm::Refuse { status, code } => {
            Some(Reaction::Reply(Answer::error(*status, code, "refused on purpose")))
        }
        Harm::TooManyRequests { retry_after } => {
            Some(Reaction::Reply(Answer::too_many_requests(*retry_after)))
        }
        Harm::NotJson => Some(Reaction::ProxyPage),
        Harm::Cut => Some(Reaction::Cut),
        Harm::Slow { .. } | Harm::Duplicate => None,
    }
}

fn told(reaction: &Reaction) -> Answered {
    match reaction {
        Reaction::Reply(answer) => Answered::Reply { status: answer.status, body: answer.body.clone() },
        Reaction::ProxyPage => Answered::Reply { status: 200, body: Value::from(PROXY_PAGE) },
        Reaction::Cut => Answered::Cut,
    }
}

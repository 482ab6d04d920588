//! What clients sent and what they were answered. Keys are masked before anything is
//! kept, and so are the values of an agent's environment.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::api::{Answer, Endpoint};
use crate::fault::Fault;
use crate::limits;
use crate::time::Time;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// A request as the server got it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordedRequest {
    /// When it came, on the stand-in's clock.
    pub at: Time,
    /// `POST`, ….
    pub method: String,
    /// With its query.
    pub path: String,
    /// Which call it was, if it was one.
    pub endpoint: Option<Endpoint>,
    /// Names in lower case; keys are masked.
    pub headers: BTreeMap<String, String>,
    /// As JSON, or as text if it is none.
    pub body: Value,
    /// What struck it.
    pub fault: Option<Fault>,
    /// What was sent back.
    pub answer: Answered,
}

/// What was sent back.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answered {
    /// Not yet anything, or the client did not wait for it.
    Pending,
    /// This.
    Reply {
        /// HTTP status.
        status: u16,
        /// As JSON, or as text if it is none.
        body: Value,
    },
    /// The connection was closed instead.
    Cut,
}

/// The latest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Record {
    kept: VecDeque<RecordedRequest>,
    forgotten: u64,
    unanswered: usize,
}

/// How busy the clients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that have come since the start.
    pub requests: u64,
    /// Those of them that have no answer yet; also ones whose client did not wait for it.
    pub unanswered: usize,
}

/// Names a request in the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Record {
    pub(crate) fn begin(&mut self, request: RecordedRequest) -> Ticket {
        self.kept.push_back(request);
        if self.kept.len() > limits::KEPT_REQUESTS {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.unanswered += 1;
        Ticket(self.traffic().requests - 1)
    }

    /// Notes the answer to a request; to be told once of each.
    pub(crate) fn end(&mut self, ticket: Ticket, answer: Answered) {
        self.unanswered = self.unanswered.saturating_sub(1);
        let place = ticket.0.checked_sub(self.forgotten).and_then(|place| usize::try_from(place).ok());
        if let Some(request) = place.and_then(|place| self.kept.get_mut(place)) {
            request.answer = answer;
        }
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic { requests: self.forgotten + self.kept.len() as u64, unanswered: self.unanswered }
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &RecordedRequest> {
        self.kept.iter()
    }
}

impl Answered {
    /// An answer, without the values of the environment it hands out.
    pub(crate) fn reply(answer: &Answer) -> Self {
        let mut body = answer.body.clone();
        if let Some(env) = body.pointer_mut("/run/env").and_then(Value::as_object_mut) {
            env.values_mut().for_each(|value| *value = Value::from(MASK));
        }
        Self::Reply { status: answer.status, body }
    }
}

/// A header's value without the key in it.
pub(crate) fn masked_header(name: &str, value: &str, keys: &[String]) -> String {
    match (name, value.split_once(' ')) {
        ("authorization", Some((scheme, _))) => format!("{scheme} {MASK}"),
        ("authorization", None) => MASK.to_owned(),
        _ => masked(value, keys),
    }
}

/// A text without keys.
pub(crate) fn masked(text: &str, keys: &[String]) -> String {
    keys.iter().fold(text.to_owned(), |text, key| text.replace(key.as_str(), MASK))
}

/// A body without keys.
pub(crate) fn masked_body(body: &[u8], keys: &[String]) -> Value {
    let text = masked(&String::from_utf8_lossy(body), keys);
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::time::Clock;

    fn request(path: usize) -> RecordedRequest {
        RecordedRequest {
            at: Clock::fake().now(),
            method: "POST".to_owned(),
            path: path.to_string(),
            endpoint: None,
            headers: BTreeMap::new(),
            body: Value::Null,
            fault: None,
            answer: Answered::Pending,
        }
    }

    #[test]
    fn the_latest_requests_are_kept_and_an_answer_finds_its_own() {
        let mut record = Record::default();
        let first = record.begin(request(0));
        for path in 1..limits::KEPT_REQUESTS {
            record.begin(request(path));
        }
        assert_eq!(record.list().count(), limits::KEPT_REQUESTS);
        let last = record.begin(request(limits::KEPT_REQUESTS));
        assert_eq!(record.list().count(), limits::KEPT_REQUESTS);
        assert_eq!(record.list().next().unwrap().path, "1");
        let requests = limits::KEPT_REQUESTS as u64 + 1;
        assert_eq!(record.traffic(), Traffic { requests, unanswered: limits::KEPT_REQUESTS + 1 });
        record.end(first, Answered::Cut);
        record.end(last, Answered::Cut);
        assert_eq!(record.traffic(), Traffic { requests, unanswered: limits::KEPT_REQUESTS - 1 });
        let cut: Vec<_> = record.list().filter(|request| request.answer == Answered::Cut).collect();
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].path, limits::KEPT_REQUESTS.to_string());
    }

    #[test]
    fn a_key_is_masked_wherever_it_stands() {
        let keys = ["secret".to_owned()];
        assert_eq!(masked_header("authorization", "Bearer other", &keys), "Bearer ***");
        assert_eq!(masked_header("authorization", "secret", &keys), "***");
        assert_eq!(masked_header("x-note", "my secret", &keys), "my ***");
        assert_eq!(masked_body(br#"{"a":"secret"}"#, &keys), json!({ "a": "***" }));
        assert_eq!(masked_body(b"no json: secret", &keys), json!("no json: ***"));
    }

    #[test]
    fn the_values_of_an_environment_are_masked() {
        let answer = Answer::ok(json!({ "run": { "env": { "TOKEN": "hidden" } } }));
        let body = json!({ "run": { "env": { "TOKEN": "***" } } });
        assert_eq!(Answered::reply(&answer), Answered::Reply { status: 200, body });
    }
}

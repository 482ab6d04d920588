//! What clients sent and what they were answered, and whether any of it should never
//! have left their machine. Tokens are masked before anything is kept.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use crate::endpoint::Endpoint;
use crate::fault::Fault;
use crate::limits;
use crate::time::Time;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// Signs of a diff, as they stand in the JSON of a body.
const DIFF_SIGNS: [&str; 4] = ["diff --git ", "@@ -", "\\n+++ b/", "\\n--- a/"];

/// A request as the server got it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedRequest {
    /// When it came, on the stand-in's clock.
    pub at: Time,
    /// `POST`, ….
    pub method: String,
    /// With its query.
    pub path: String,
    /// Which call it was, if it was one.
    pub endpoint: Option<Endpoint>,
    /// Names in lower case; tokens are masked.
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

/// The latest requests, oldest first, and what leaked.
#[derive(Debug, Default)]
pub(crate) struct Record {
    kept: VecDeque<RecordedRequest>,
    forgotten: u64,
    forbidden: Vec<String>,
    leaks: Vec<String>,
}

/// Names a request in the record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

impl Record {
    pub(crate) fn begin(&mut self, request: RecordedRequest, raw_body: &str) -> Ticket {
        self.look_for_leaks(&request, raw_body);
        self.kept.push_back(request);
        if self.kept.len() > limits::KEPT_REQUESTS {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        Ticket(self.forgotten + self.kept.len() as u64 - 1)
    }

    pub(crate) fn end(&mut self, ticket: Ticket, answer: Answered) {
        let place = ticket.0.checked_sub(self.forgotten).and_then(|place| usize::try_from(place).ok());
        if let Some(request) = place.and_then(|place| self.kept.get_mut(place)) {
            request.answer = answer;
        }
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &RecordedRequest> {
        self.kept.iter()
    }

    /// A text that must never arrive, from now on.
    pub(crate) fn forbid(&mut self, text: &str) {
        self.forbidden.push(text.to_owned());
    }

    /// What arrived that should not have, in words.
    pub(crate) fn leaks(&self) -> &[String] {
        &self.leaks
    }

    fn look_for_leaks(&mut self, request: &RecordedRequest, raw_body: &str) {
        // In JSON a text stands escaped; forbidden texts are compared with what it says.
        let said = spoken(&request.body);
        let heads: String = request.headers.values().map(String::as_str).collect::<Vec<_>>().join("\n");
        let place = format!("{} {}", request.method, request.path);
        for text in &self.forbidden {
            if said.contains(text) || heads.contains(text) || request.path.contains(text.as_str()) {
                self.leaks.push(format!("{place} brought the forbidden text {text:?}"));
            }
        }
        for sign in DIFF_SIGNS.iter().filter(|sign| raw_body.contains(**sign)) {
            self.leaks.push(format!("{place} brought a diff ({sign:?})"));
        }
    }
}

/// All texts in a body.
fn spoken(body: &Value) -> String {
    match body {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(spoken).collect::<Vec<_>>().join("\n"),
        Value::Object(fields) => fields.values().map(spoken).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// A header's value without the token in it.
pub(crate) fn masked_header(name: &str, value: &str) -> String {
    match (name, value.split_once(' ')) {
        ("authorization", Some((scheme, _))) => format!("{scheme} {MASK}"),
        ("authorization", None) => MASK.to_owned(),
        _ => value.to_owned(),
    }
}

/// A text as JSON, or as it is.
pub(crate) fn as_json(text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::time::Clock;

    fn request(path: &str, body: Value) -> RecordedRequest {
        RecordedRequest {
            at: Clock::fake().now(),
            method: "POST".to_owned(),
            path: path.to_owned(),
            endpoint: None,
            headers: BTreeMap::from([("x-runner-id".to_owned(), "runner".to_owned())]),
            body,
            fault: None,
            answer: Answered::Pending,
        }
    }

    #[test]
    fn the_latest_requests_are_kept_and_an_answer_finds_its_own() {
        let mut record = Record::default();
        let first = record.begin(request("0", Value::Null), "");
        for path in 1..limits::KEPT_REQUESTS {
            record.begin(request(&path.to_string(), Value::Null), "");
        }
        assert_eq!(record.list().count(), limits::KEPT_REQUESTS);
        let last = record.begin(request("last", Value::Null), "");
        assert_eq!(record.list().count(), limits::KEPT_REQUESTS);
        record.end(first, Answered::Cut);
        record.end(last, Answered::Cut);
        let cut: Vec<&str> = record
            .list()
            .filter(|request| request.answer == Answered::Cut)
            .map(|request| request.path.as_str())
            .collect();
        assert_eq!(cut, ["last"]);
    }

    #[test]
    fn forbidden_texts_are_found_wherever_they_stand_and_diffs_without_being_named() {
        let leaks = |path: &str, body: Value| {
            let mut record = Record::default();
            record.forbid("let x = \"1\";\n");
            record.forbid("runner");
            let raw = body.to_string();
            record.begin(request(path, body), &raw);
            record.leaks().len()
        };
        assert_eq!(leaks("/", json!({})), 1, "the header");
        assert_eq!(leaks("/runner", json!({})), 1);
        assert_eq!(leaks("/", json!({ "a": [{ "b": "so: let x = \"1\";\n!" }] })), 2);
        assert_eq!(leaks("/", json!({ "text": "see\n@@ -1 +1 @@" })), 2);
        assert_eq!(leaks("/", json!({ "text": "a --- b, c +++ d" })), 1);
    }

    #[test]
    fn a_token_is_masked() {
        assert_eq!(masked_header("authorization", "Bearer trk_agent_x"), "Bearer ***");
        assert_eq!(masked_header("authorization", "trk_agent_x"), "***");
        assert_eq!(masked_header("x-runner-id", "r"), "r");
    }
}

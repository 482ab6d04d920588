//! A server in memory: answers as it is told, else as Tale does when all is well.

use std::collections::VecDeque;

use hostler_sdk::Problem;
use hostler_sdk::http::{HttpRequest, HttpResponse};
use hostler_sdk::tracker::{Effect, Reply};
use serde_json::{Value, json};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: f64,
    /// Below `/api/v1/`.
    pub path: String,
    pub body: Value,
    pub request: HttpRequest,
}

/// What to answer instead of the usual.
#[derive(Clone, Debug)]
pub enum Answer {
    Json(u16, Value),
    Text(u16, &'static str),
    Limited(Option<&'static str>),
    /// The connection breaks.
    Cut,
    /// The host refuses the effect.
    Denied,
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    pub fn error(status: u16, error: &str) -> Self {
        Self::Json(status, json!({ "error": error }))
    }
}

#[derive(Default)]
pub struct FakeTale {
    pub now: f64,
    pub seen: Vec<Seen>,
    /// What to answer: the end of a path, and the answer.
    told: VecDeque<(String, Answer)>,
}

impl FakeTale {
    /// The next request whose path ends like this is answered with that.
    pub fn next(&mut self, end: &str, answer: Answer) {
        self.told.push_back((end.to_owned(), answer));
    }

    /// The bodies sent to paths that end like this.
    pub fn bodies(&self, end: &str) -> Vec<Value> {
        self.seen.iter().filter(|seen| seen.path.ends_with(end)).map(|seen| seen.body.clone()).collect()
    }

    /// When requests were sent to paths that end like this.
    pub fn times(&self, end: &str) -> Vec<f64> {
        self.seen.iter().filter(|seen| seen.path.ends_with(end)).map(|seen| seen.at).collect()
    }

    pub fn answer(&mut self, effect: &Effect) -> Result<Reply, Problem> {
        if let Effect::Wake(_) = effect {
            return Ok(Reply::Done);
        }
        let Effect::Http(request) = effect else { panic!("Tale is spoken to over HTTP only: {effect:?}") };
        let path = request.url.strip_prefix("https://tale.example.com/api/v1/").unwrap().to_owned();
        let body = serde_json::from_slice(&request.body).unwrap();
        let told = self.told.iter().position(|(end, _)| path.ends_with(end.as_str()));
        let answer =
            told.and_then(|index| self.told.remove(index)).map_or_else(|| usual(&path), |(_, answer)| answer);
        self.seen.push(Seen { at: self.now, path, body, request: request.clone() });
        let (status, body, headers) = match answer {
            Answer::Json(status, body) => (status, body.to_string(), Vec::new()),
            Answer::Text(status, text) => (status, text.to_owned(), Vec::new()),
            Answer::Limited(after) => {
                let header = after.map(|after| ("retry-after".to_owned(), after.to_owned()));
                (429, r#"{"error":"Rate limit exceeded"}"#.to_owned(), header.into_iter().collect())
            }
            Answer::Cut => return Err(Problem::transient("the connection broke")),
            Answer::Denied => return Err(Problem::new("denied", "no grant covers it")),
        };
        Ok(Reply::Http(HttpResponse { status, headers, body: body.into_bytes() }))
    }
}

fn usual(path: &str) -> Answer {
    Answer::ok(match path.rsplit('/').next().unwrap() {
        "register" => json!({ "registered": 1 }),
        "heartbeat" => json!({ "known": true, "cancel": [] }),
        "claim" => json!({ "run": null, "retryAfterMs": 15_000 }),
        "events" => json!({ "ok": true, "cancelRequested": false }),
        "complete" | "fail" => json!({ "ok": true }),
        other => panic!("Tale has no {other}"),
    })
}

/// The answer to a claim that hands out a run.
pub fn handed_out(id: &str) -> Answer {
    Answer::ok(json!({ "run": run(id), "retryAfterMs": 3_000 }))
}

/// A run of the task `task-of-<id>`.
pub fn run(id: &str) -> Value {
    json!({
        "externalRunId": id, "taskId": format!("task-of-{id}"), "agentSlug": "coder",
        "adapterType": "claude_code", "permissionMode": "auto_edits", "workspaceKey": "app",
        "kind": "initial", "prompt": "[APP-1] Fix it", "timeoutMs": 1_800_000,
        "env": {"API_BASE": "hunter2"}
    })
}

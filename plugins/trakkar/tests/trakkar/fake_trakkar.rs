//! A server in memory: answers as it is told, else as Trakkar does when all is well.

use std::collections::VecDeque;

use hostler_sdk::Problem;
use hostler_sdk::http::{HttpRequest, HttpResponse};
use hostler_sdk::tracker::{Effect, Reply};
use serde_json::{Value, json};

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: f64,
    /// Method and path below `/v1/agent/`.
    pub call: String,
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

    pub fn error(status: u16, code: &str) -> Self {
        Self::Json(status, json!({ "error": { "code": code, "message": format!("it is {code}") } }))
    }
}

#[derive(Default)]
pub struct FakeTrakkar {
    pub now: f64,
    pub seen: Vec<Seen>,
    /// What to answer: the end of a path, and the answer.
    told: VecDeque<(String, Answer)>,
    /// Everything is cut.
    pub is_down: bool,
}

impl FakeTrakkar {
    /// The next request whose path ends like this is answered with that.
    pub fn next(&mut self, end: &str, answer: Answer) {
        self.told.push_back((end.to_owned(), answer));
    }

    /// The bodies sent to paths that end like this.
    pub fn bodies(&self, end: &str) -> Vec<Value> {
        self.seen.iter().filter(|seen| seen.call.ends_with(end)).map(|seen| seen.body.clone()).collect()
    }

    /// When requests were sent to paths that end like this.
    pub fn times(&self, end: &str) -> Vec<f64> {
        self.seen.iter().filter(|seen| seen.call.ends_with(end)).map(|seen| seen.at).collect()
    }

    pub fn answer(&mut self, effect: &Effect) -> Result<Reply, Problem> {
        if let Effect::Wake(_) = effect {
            return Ok(Reply::Done);
        }
        let Effect::Http(request) = effect else { panic!("Trakkar is spoken to over HTTP only: {effect:?}") };
        let path = request.url.strip_prefix("https://api.trakkar.in/v1/agent/").unwrap().to_owned();
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        let call = format!("{} {path}", request.method);
        let told = self.told.iter().position(|(end, _)| path.ends_with(end.as_str()));
        let told = told.and_then(|index| self.told.remove(index)).map(|(_, answer)| answer);
        let answer = if self.is_down { Answer::Cut } else { told.unwrap_or_else(|| usual(&call)) };
        self.seen.push(Seen { at: self.now, call, body, request: request.clone() });
        let (status, body, headers) = match answer {
            Answer::Json(status, body) => (status, body.to_string(), Vec::new()),
            Answer::Text(status, text) => (status, text.to_owned(), Vec::new()),
            Answer::Limited(after) => {
                let header = after.map(|after| ("retry-after".to_owned(), after.to_owned()));
                (429, String::new(), header.into_iter().collect())
            }
            Answer::Cut => return Err(Problem::transient("the connection broke")),
            Answer::Denied => return Err(Problem::new("denied", "no grant covers it")),
        };
        Ok(Reply::Http(HttpResponse { status, headers, body: body.into_bytes() }))
    }
}

fn usual(call: &str) -> Answer {
    Answer::ok(match call.rsplit('/').next().unwrap() {
        "GET me" => me(&json!(4)),
        "claim" => json!({ "tasks": [] }),
        "progress" => json!({ "ok": true, "control": { "stop": false, "messages": [] } }),
        "control" => json!({ "stop": false, "stop_reason": null }),
        "pr" | "finish" | "release" | "POST heartbeat" => json!({ "ok": true }),
        "continue" => return Answer::Json(201, json!({ "run_id": "run_next" })),
        _ if call.starts_with("GET tasks/") => task("read"),
        other => panic!("Trakkar has no {other}"),
    })
}

/// The answer to `me`.
pub fn me(max_concurrency: &Value) -> Value {
    json!({
        "agent": {
            "id": "ag_1", "name": "Claude on api", "provider": "claude_code",
            "max_concurrency": max_concurrency, "verify_command": "npm test", "base_branch": null,
            "workspace_id": "ws_1"
        },
        "server_time": "2026-02-01T09:00:00Z"
    })
}

/// The answer to a claim that hands these tasks out.
pub fn handed_out(ids: &[&str]) -> Answer {
    Answer::ok(json!({ "tasks": ids.iter().map(|id| task(id)).collect::<Vec<_>>() }))
}

/// The task `t_<id>`, handed out as the run `run_<id>`.
pub fn task(id: &str) -> Value {
    json!({
        "id": format!("t_{id}"), "run_id": format!("run_{id}"), "kind": "new", "title": "Add CSV export",
        "description": "As a user I want it.", "acceptance": ["A button"], "comments": [], "labels": [],
        "repo_hint": "acme/api", "verify_command": "npm test", "branch_hint": null, "continuation": null
    })
}

//! The endpoints, without a socket: a request and a board in, an answer out.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::board::{Agent, Board, Finish, NotDone, OUTCOMES, Progress, PullRequest};
use crate::endpoint::{Endpoint, Route};
use crate::limits;
use crate::time::Time;

/// Kinds of events that the page knows.
const EVENT_TYPES: [&str; 5] = ["status", "message", "tool", "verify", "error"];

/// A request, as far as the endpoints care.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) route: Option<Route>,
    pub(crate) authorization: Option<String>,
    pub(crate) runner: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// What the server says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whole seconds.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, retry_after: None, body }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({ "error": { "code": code, "message": message } });
        Self { status, retry_after: None, body }
    }

    pub(crate) fn too_many_requests(retry_after: Option<u64>) -> Self {
        Self { retry_after, ..Self::error(429, "rate_limited", "too many requests") }
    }
}

impl From<NotDone> for Answer {
    fn from(reason: NotDone) -> Self {
        let (status, code) = match reason {
            NotDone::InvalidToken => (401, "invalid_token"),
            NotDone::AgentDisabled => (403, "agent_disabled"),
            NotDone::NotFound => (404, "not_found"),
            NotDone::NotOwner => (409, "not_owner"),
            NotDone::AlreadyFinished => (409, "already_finished"),
            NotDone::RunOpen => (409, "run_open"),
            NotDone::TaskGone => (410, "task_gone"),
        };
        Self::error(status, code, &reason.to_string())
    }
}

/// Answers a request: token, then the endpoint.
pub(crate) fn answer(board: &mut Board, call: &Call, now: Time) -> Answer {
    let agent = match board.authorize(call.authorization.as_deref()) {
        Ok(agent) => agent.clone(),
        Err(reason) => return reason.into(),
    };
    let Some(route) = &call.route else { return Answer::error(404, "not_found", "no such endpoint") };
    let answered = handle(board, &agent, route, call, now);
    let done = |body| match route.endpoint {
        Endpoint::Continue => Answer { status: 201, ..Answer::ok(body) },
        _ => Answer::ok(body),
    };
    answered.map_or_else(|refusal| refusal, done)
}

fn handle(board: &mut Board, agent: &Agent, route: &Route, call: &Call, now: Time) -> Result<Value, Answer> {
    let (id, run) = (&agent.id, &route.id);
    let runner = || call.runner.as_deref().ok_or_else(|| bad("the header X-Runner-Id is missing"));
    let ok = json!({ "ok": true });
    Ok(match route.endpoint {
        Endpoint::Me => me(agent, now),
        Endpoint::Claim => {
            let wish: Claim = body(call)?;
            same_runner(runner()?, &wish.runner_id)?;
            json!({ "tasks": board.claim(id, &wish.runner_id, wish.slots, now) })
        }
        Endpoint::Task => board.read(id, run, now)?,
        Endpoint::Continue => {
            let GoOn { previous_run_id, message, idempotency_key } = body(call)?;
            let made = board.go_on(id, run, &previous_run_id, &message, &idempotency_key)?;
            json!({ "run_id": made })
        }
        Endpoint::Progress => {
            let control = board.progress(id, runner()?, run, checked(body(call)?)?)?;
            json!({ "ok": true, "control": control })
        }
        Endpoint::Control => {
            let stop = board.control(id, runner()?, run)?;
            json!({ "stop": stop, "stop_reason": stop.then_some("user") })
        }
        Endpoint::Pr => {
            let Opened { url, number, branch, title } = body(call)?;
            board.pull_request(id, runner()?, run, PullRequest { url, number, branch, title })?;
            ok
        }
        Endpoint::Finish => {
            board.finish(id, runner()?, run, finish(call)?, now)?;
            ok
        }
        Endpoint::Release => {
            let Release { reason } = body(call)?;
            if !matches!(reason.as_str(), "dry_run" | "shutdown") {
                return Err(bad("reason must be dry_run or shutdown"));
            }
            board.release(id, runner()?, run, &reason)?;
            ok
        }
        Endpoint::Heartbeat => {
            let life: Life = body(call)?;
            same_runner(runner()?, &life.runner_id)?;
            board.heartbeat(id, &life.runner_id, &life.running, life.free_slots, now);
            ok
        }
    })
}

#[derive(Deserialize)]
struct Claim {
    runner_id: String,
    slots: usize,
    #[serde(rename = "provider")]
    _provider: String,
}

#[derive(Deserialize)]
struct GoOn {
    previous_run_id: String,
    message: String,
    idempotency_key: String,
}

#[derive(Deserialize)]
struct Opened {
    url: String,
    number: u64,
    branch: String,
    title: String,
}

#[derive(Deserialize)]
struct Release {
    reason: String,
}

#[derive(Deserialize)]
struct Life {
    runner_id: String,
    running: Vec<String>,
    free_slots: u64,
}

fn me(agent: &Agent, now: Time) -> Value {
    json!({
        "agent": {
            "id": agent.id, "name": agent.name, "provider": agent.provider,
            "max_concurrency": agent.max_concurrency, "verify_command": agent.verify_command,
            "base_branch": agent.base_branch, "workspace_id": "ws_1"
        },
        "server_time": now.iso()
    })
}

/// A field that is missing or of a wrong type is refused rather than ignored, so that
/// a client's mistake is seen; unknown fields are ignored.
fn body<T: DeserializeOwned>(call: &Call) -> Result<T, Answer> {
    serde_json::from_slice(&call.body).map_err(|error| bad(&error.to_string()))
}

fn bad(message: &str) -> Answer {
    Answer::error(400, "bad_request", message)
}

fn same_runner(header: &str, body: &str) -> Result<(), Answer> {
    if header == body { Ok(()) } else { Err(bad("runner_id and X-Runner-Id differ")) }
}

fn checked(batch: Progress) -> Result<Progress, Answer> {
    if batch.seq == 0 || batch.events.len() > limits::EVENTS {
        return Err(bad(&format!("seq begins with 1, and a batch has {} events at most", limits::EVENTS)));
    }
    for event in &batch.events {
        if !EVENT_TYPES.contains(&event.kind.as_str()) || event.text.chars().count() > limits::EVENT {
            return Err(bad(&format!(
                "an event is one of {EVENT_TYPES:?} and has {} characters at most",
                limits::EVENT
            )));
        }
    }
    Ok(batch)
}

fn finish(call: &Call) -> Result<Finish, Answer> {
    #[derive(Deserialize)]
    struct Named {
        outcome: String,
        #[serde(flatten)]
        rest: Finish,
    }
    let Named { outcome, rest } = body(call)?;
    let known = OUTCOMES.into_iter().find(|known| *known == outcome);
    let outcome = known.ok_or_else(|| bad(&format!("outcome must be one of {OUTCOMES:?}")))?;
    if rest.summary.chars().count() > limits::SUMMARY {
        return Err(bad(&format!("a summary has {} characters at most", limits::SUMMARY)));
    }
    Ok(Finish { outcome, ..rest })
}

//! The six endpoints, without a socket: a request and a board in, an answer out.

mod endpoint;
mod fields;
mod rate_limits;

use std::net::IpAddr;

use serde_json::{Value, json};

pub use endpoint::Endpoint;
pub(crate) use endpoint::Route;
use fields::{BadRequest, Fields};
pub(crate) use rate_limits::{Group, RateLimits};

use crate::board::{Adapter, Board, Completion, Denied, EventType, NotAccepted, Registration, RunId, Usage};
use crate::limits;
use crate::time::Time;

/// A request, as far as the endpoints care.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) authorization: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) address: IpAddr,
}

/// What the server says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whole seconds.
    pub(crate) retry_after: Option<u64>,
    /// Null for an answer without a body.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, retry_after: None, body }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self { status, retry_after: None, body: json!({ "error": message }) }
    }

    pub(crate) fn too_many_requests(retry_after: Option<u64>) -> Self {
        Self { retry_after, ..Self::error(429, "Rate limit exceeded") }
    }
}

/// Answers a request: limit, key, organisation, then the endpoint.
pub(crate) fn answer(
    board: &mut Board,
    rate_limits: Option<&mut RateLimits>,
    call: &Call,
    now: Time,
) -> Answer {
    if call.route == Route::Preflight {
        return Answer { status: 204, retry_after: None, body: Value::Null };
    }
    if let (Some(limits), Some(group)) = (rate_limits, Group::of(&call.route))
        && let Err(wait) = limits.take(group, call.address, now)
    {
        return Answer::too_many_requests(Some(wait));
    }
    if call.route == Route::Unknown {
        return Answer::error(404, "Not found");
    }
    let organization = match board.authorize(call.authorization.as_deref(), call.organization.as_deref()) {
        Ok(organization) => organization,
        Err(denied) => return Answer::error(denied_status(&denied), &denied.to_string()),
    };
    handle(board, &organization, call, now).unwrap_or_else(|refusal| match refusal {
        Refused::Bad(bad) => Answer::error(400, &bad.to_string()),
        Refused::NotAccepted(reason) => Answer::error(409, &reason.to_string()),
    })
}

fn denied_status(denied: &Denied) -> u16 {
    match denied {
        Denied::NoKey | Denied::WrongKey => 401,
        Denied::UnknownOrganization(_) | Denied::OrganizationRequired => 400,
        Denied::NotAMember => 403,
    }
}

enum Refused {
    Bad(BadRequest),
    NotAccepted(NotAccepted),
}

impl From<BadRequest> for Refused {
    fn from(bad: BadRequest) -> Self {
        Self::Bad(bad)
    }
}

impl From<NotAccepted> for Refused {
    fn from(reason: NotAccepted) -> Self {
        Self::NotAccepted(reason)
    }
}

fn handle(board: &mut Board, organization: &str, call: &Call, now: Time) -> Result<Answer, Refused> {
    match &call.route {
        Route::Plain(endpoint) => {
            let fields = Fields::parse(&call.body)?;
            let daemon = fields.required("daemonId")?;
            Ok(Answer::ok(match endpoint {
                Endpoint::Register => {
                    let registered = board.register(organization, registration(daemon, &fields)?, now);
                    json!({ "registered": registered })
                }
                Endpoint::Heartbeat => json!(board.heartbeat(organization, &daemon, now)),
                _ => claim(board, organization, &daemon, &fields, now)?,
            }))
        }
        Route::OfRun(endpoint, id) => {
            let id = RunId::parse(id).ok_or(BadRequest::RunId)?;
            let fields = Fields::parse(&call.body)?;
            let daemon = fields.required("daemonId")?;
            Ok(Answer::ok(of_run(board, organization, *endpoint, &id, &daemon, &fields, now)?))
        }
        _ => Ok(Answer::error(404, "Not found")),
    }
}

fn claim(
    board: &mut Board,
    organization: &str,
    daemon: &str,
    fields: &Fields,
    now: Time,
) -> Result<Value, BadRequest> {
    let adapters = fields.texts("adapterTypes")?.unwrap_or_default();
    let adapters: Vec<String> = adapters.into_iter().filter(|adapter| !adapter.is_empty()).collect();
    if adapters.is_empty() {
        return Err(BadRequest::Missing("adapterTypes"));
    }
    let run = board.claim(organization, daemon, &adapters, now);
    let pace = if run.is_some() { limits::POLL_BUSY } else { limits::POLL_IDLE };
    Ok(json!({ "run": run, "retryAfterMs": u64::try_from(pace.as_millis()).unwrap_or(u64::MAX) }))
}

fn of_run(
    board: &mut Board,
    organization: &str,
    endpoint: Endpoint,
    id: &RunId,
    daemon: &str,
    fields: &Fields,
    now: Time,
) -> Result<Value, Refused> {
    match endpoint {
        Endpoint::Events => {
            let event = event(fields)?;
            return Ok(json!(board.event(organization, id, daemon, event, now)));
        }
        Endpoint::Complete => board.complete(organization, id, daemon, completion(fields)?, now)?,
        _ => {
            let error = fields.required("error")?;
            let retryable = fields.flag("retryable")?.unwrap_or_default();
            board.fail(organization, id, daemon, &error, retryable, now)?;
        }
    }
    Ok(json!({ "ok": true }))
}

fn registration(daemon_id: String, fields: &Fields) -> Result<Registration, BadRequest> {
    let mut adapters = Vec::new();
    for adapter in fields.objects("adapters")?.unwrap_or_default() {
        let Some(adapter_type) = adapter.text("adapterType")?.filter(|name| !name.is_empty()) else {
            continue;
        };
        adapters.push(Adapter {
            adapter_type,
            version: adapter.text("version")?,
            capabilities: adapter.object("capabilities")?.set_flags("capabilities")?,
        });
    }
    if adapters.is_empty() {
        return Err(BadRequest::Missing("adapters"));
    }
    let workspace_keys = fields.texts("workspaceKeys")?.unwrap_or_default();
    Ok(Registration { daemon_id, name: fields.text("name")?, adapters, workspace_keys })
}

fn event(fields: &Fields) -> Result<EventType, BadRequest> {
    match fields.required("type")?.as_str() {
        "started" => Ok(EventType::Started),
        "progress" => Ok(EventType::Progress(fields.text("message")?)),
        "heartbeat" => Ok(EventType::Heartbeat),
        other => Err(BadRequest::UnknownEvent(other.to_owned())),
    }
}

fn completion(fields: &Fields) -> Result<Completion, BadRequest> {
    let usage = fields.object("usage")?;
    Ok(Completion {
        summary: fields.required("summary")?,
        diff_stat: fields.text("diffStat")?,
        session_ref: fields.text("sessionRef")?,
        usage: Usage {
            input_tokens: usage.count("inputTokens")?.unwrap_or_default(),
            output_tokens: usage.count("outputTokens")?.unwrap_or_default(),
            cost_cents: usage.count("costCents")?.unwrap_or_default(),
        },
    })
}

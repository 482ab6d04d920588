//! The admin interface below `/standin`: what people do on Trakkar's own pages, and what
//! only a stand-in can do. JSON in, JSON out, no token: it is for the user of this
//! machine, so requests from web pages elsewhere are refused.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use crate::board::{Agent, NewTask, Refusal};
use crate::fault::Fault;

/// Who replies if nobody is named.
const SOMEBODY: &str = "you";

type App = State<Arc<Shared>>;

/// An admin request that cannot be carried out.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::NoTask | Refusal::NoAgent => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        Self(status, refusal.to_string())
    }
}

type Outcome = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/board", get(board))
        .route("/requests", get(requests))
        .route("/agents", post(add_agent))
        .route("/agents/{agent}", post(change_agent))
        .route("/tasks", post(create_task))
        .route("/tasks/{task}", delete(delete_task))
        .route("/tasks/{task}/delegate", post(delegate))
        .route("/tasks/{task}/stop", post(stop))
        .route("/tasks/{task}/reply", post(reply))
        .route("/faults", get(faults).post(set_fault).delete(clear_faults))
        .route("/forbidden", post(forbid))
        .route("/clock/advance", post(advance))
        .route("/down", post(down))
}

/// Lets in what was typed on this machine. A page from elsewhere that a browser here
/// shows could otherwise delegate tasks, and an agent would work on them.
pub(super) async fn only_from_here(request: Request, next: Next) -> Response {
    if is_from_here(request.headers()) {
        next.run(request).await
    } else {
        Problem(StatusCode::FORBIDDEN, "only for requests from this machine".to_owned()).into_response()
    }
}

fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let own_origin = text(header::ORIGIN).is_none_or(|origin| origin == format!("http://{host}"));
    matches!(name, "127.0.0.1" | "localhost") && own_origin
}

async fn board(State(shared): App) -> Json<Value> {
    let world = shared.world();
    let mut board = json!(world.board);
    board["now"] = json!(world.now());
    board["violations"] = json!(world.board.violations());
    board["leaks"] = json!(world.record.leaks());
    Json(board)
}

async fn requests(State(shared): App) -> Json<Value> {
    let world = shared.world();
    Json(json!(world.record.list().collect::<Vec<_>>()))
}

/// The only time the token is shown.
async fn add_agent(State(shared): App, Json(agent): Json<Agent>) -> Json<Value> {
    let (id, token) = shared.world().board.add_agent(agent);
    Json(json!({ "id": id, "token": token }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    enabled: Option<bool>,
    max_concurrency: Option<u32>,
    verify_command: Option<String>,
}

async fn change_agent(State(shared): App, Path(agent): Path<String>, Json(new): Json<Settings>) -> Outcome {
    let changed = shared.world().board.change_agent(&agent, |agent| {
        agent.enabled = new.enabled.unwrap_or(agent.enabled);
        agent.max_concurrency = new.max_concurrency.or(agent.max_concurrency);
        agent.verify_command = new.verify_command.or(agent.verify_command.take());
    });
    if changed { Ok(Json(json!({}))) } else { Err(Refusal::NoAgent.into()) }
}

#[derive(Deserialize)]
struct Creation {
    #[serde(flatten)]
    task: NewTask,
    /// Id of the agent to delegate it to at once.
    delegate: Option<String>,
}

async fn create_task(State(shared): App, Json(creation): Json<Creation>) -> Outcome {
    let mut world = shared.world();
    let now = world.now();
    let id = world.board.create_task(creation.task);
    let run = creation.delegate.map(|agent| world.board.delegate(&id, &agent, now)).transpose()?;
    Ok(Json(json!({ "id": id, "run": run })))
}

#[derive(Deserialize)]
struct Delegation {
    agent: String,
}

async fn delegate(State(shared): App, Path(task): Path<String>, Json(to): Json<Delegation>) -> Outcome {
    let mut world = shared.world();
    let now = world.now();
    Ok(Json(json!({ "run": world.board.delegate(&task, &to.agent, now)? })))
}

async fn stop(State(shared): App, Path(task): Path<String>) -> Outcome {
    shared.world().board.stop(&task)?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Words {
    author: Option<String>,
    body: String,
}

async fn reply(State(shared): App, Path(task): Path<String>, Json(words): Json<Words>) -> Outcome {
    let mut world = shared.world();
    let now = world.now();
    let author = words.author.as_deref().unwrap_or(SOMEBODY);
    Ok(Json(json!({ "became": world.board.reply(&task, author, &words.body, now)? })))
}

async fn delete_task(State(shared): App, Path(task): Path<String>) -> Outcome {
    shared.world().board.delete_task(&task)?;
    Ok(Json(json!({})))
}

async fn faults(State(shared): App) -> Json<Value> {
    Json(json!(shared.world().faults.list()))
}

async fn set_fault(State(shared): App, Json(fault): Json<Fault>) -> Json<Value> {
    shared.world().faults.set(fault);
    Json(json!({}))
}

async fn clear_faults(State(shared): App) -> Json<Value> {
    shared.world().faults.clear();
    Json(json!({}))
}

#[derive(Deserialize)]
struct Forbidden {
    text: String,
}

async fn forbid(State(shared): App, Json(forbidden): Json<Forbidden>) -> Json<Value> {
    shared.world().record.forbid(&forbidden.text);
    Json(json!({}))
}

#[derive(Deserialize)]
struct Advance {
    millis: u64,
}

async fn advance(State(shared): App, Json(by): Json<Advance>) -> Json<Value> {
    let mut world = shared.world();
    world.clock.advance(Duration::from_millis(by.millis));
    Json(json!({ "now": world.now() }))
}

#[derive(Deserialize)]
struct Down {
    down: bool,
}

async fn down(State(shared): App, Json(wish): Json<Down>) -> Json<Value> {
    shared.world().is_down = wish.down;
    Json(json!({}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn headers(host: &'static str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_requests_to_this_machine_from_no_foreign_page_are_let_in() {
        assert!(is_from_here(&headers("127.0.0.1:4020", None)));
        assert!(is_from_here(&headers("localhost:4020", Some("http://localhost:4020"))));
        assert!(!is_from_here(&headers("evil.example:4020", None)), "a name that was pointed here");
        assert!(!is_from_here(&headers("localhost:4020", Some("https://evil.example"))));
        assert!(!is_from_here(&headers("localhost:4020", Some("null"))));
        assert!(!is_from_here(&HeaderMap::new()));
    }
}

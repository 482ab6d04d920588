//! The admin interface below `/standin`: what people and the server's own page would
//! do in a real Tale, and what only a stand-in can do. JSON in, JSON out, no key: it
//! is for the user of this machine, so requests from web pages elsewhere are refused.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use crate::board::{Agent, CancelAck, NewTask, Refusal, RunId, RunState, TaskId, TaskStatus};
use crate::fault::Fault;
use crate::time::Time;
use crate::world::World;

/// Who comments if nobody is named.
const SOMEBODY: &str = "you";

type App = State<Arc<Shared>>;

/// An admin request that cannot be carried out.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

type Outcome = Result<Json<Value>, Problem>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/board", get(board))
        .route("/requests", get(requests))
        .route("/agents", post(put_agent))
        .route("/projects", post(put_project))
        .route("/tasks", post(create_task))
        .route("/tasks/{task}", axum::routing::delete(delete_task))
        .route("/tasks/{task}/assign", post(assign))
        .route("/tasks/{task}/revision", post(request_revision))
        .route("/tasks/{task}/comment", post(comment))
        .route("/tasks/{task}/move", post(move_task))
        .route("/tasks/{task}/archive", post(archive))
        .route("/tasks/{task}/cancel", post(cancel_task))
        .route("/runs/{run}/cancel", post(cancel_run))
        .route("/faults", get(faults).post(set_fault).delete(clear_faults))
        .route("/clock/advance", post(advance))
        .route("/sweep", post(sweep))
        .route("/settings", post(settings))
        .route("/restart", post(restart))
}

/// Lets in what was typed on this machine. A page from elsewhere that a browser here
/// shows could otherwise create tasks, and an agent would work on them.
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
    let mut world = shared.world();
    let now = world.now();
    let status = world.board.runtimes().iter().map(|row| row.status(now)).collect::<Vec<_>>();
    let mut board = json!(world.board);
    for (row, status) in board["runtimes"].as_array_mut().into_iter().flatten().zip(status) {
        row["status"] = json!(status);
    }
    board["now"] = json!(now);
    Json(board)
}

async fn requests(State(shared): App) -> Json<Value> {
    let world = shared.world();
    Json(json!(world.record.list().collect::<Vec<_>>()))
}

async fn put_agent(State(shared): App, Json(agent): Json<Agent>) -> Json<Value> {
    shared.world().board.put_agent(agent);
    Json(json!({}))
}

#[derive(Deserialize)]
struct NewProject {
    key: String,
    name: String,
    #[serde(default)]
    description: String,
}

async fn put_project(State(shared): App, Json(new): Json<NewProject>) -> Json<Value> {
    shared.world().board.put_project(&new.key, &new.name, &new.description);
    Json(json!({}))
}

#[derive(Deserialize)]
struct Creation {
    #[serde(flatten)]
    task: NewTask,
    /// Slug of the agent to assign it to at once.
    assign: Option<String>,
}

async fn create_task(State(shared): App, Json(creation): Json<Creation>) -> Outcome {
    let mut world = shared.world();
    let now = world.now();
    let id = world.board.create_task(creation.task, now);
    let run = creation.assign.map(|agent| world.board.assign(&id, &agent, now)).transpose();
    let key = world.board.task(&id).map(crate::board::Task::key);
    let run = run.map_err(refused)?;
    Ok(Json(json!({ "id": id, "key": key, "run": run })))
}

/// Does something to the task that a path names.
fn with_task<T>(
    shared: &Shared,
    name: &str,
    act: impl FnOnce(&mut World, TaskId, Time) -> T,
) -> Result<T, Problem> {
    let mut world = shared.world();
    let now = world.now();
    let id = world.board.find_task(name);
    let id = id.ok_or_else(|| Problem(StatusCode::NOT_FOUND, format!("no task '{name}'")))?;
    Ok(act(&mut world, id, now))
}

fn refused(refusal: Refusal) -> Problem {
    Problem(StatusCode::CONFLICT, refusal.to_string())
}

fn dispatched(run: Result<RunId, Refusal>) -> Outcome {
    run.map(|run| Json(json!({ "run": run }))).map_err(refused)
}

#[derive(Deserialize)]
struct Assignment {
    agent: String,
}

async fn assign(State(shared): App, Path(task): Path<String>, Json(body): Json<Assignment>) -> Outcome {
    dispatched(with_task(&shared, &task, |world, id, now| world.board.assign(&id, &body.agent, now))?)
}

#[derive(Deserialize)]
struct Words {
    user: Option<String>,
    body: String,
}

async fn request_revision(State(shared): App, Path(task): Path<String>, Json(words): Json<Words>) -> Outcome {
    let user = words.user.as_deref().unwrap_or(SOMEBODY);
    dispatched(with_task(&shared, &task, |world, id, now| {
        world.board.request_revision(&id, user, &words.body, now)
    })?)
}

async fn comment(State(shared): App, Path(task): Path<String>, Json(words): Json<Words>) -> Outcome {
    let user = words.user.as_deref().unwrap_or(SOMEBODY);
    let mentioned =
        with_task(&shared, &task, |world, id, now| world.board.comment(&id, user, &words.body, now))?;
    mentioned.map_or_else(|| Ok(Json(json!({}))), dispatched)
}

#[derive(Deserialize)]
struct Move {
    status: TaskStatus,
}

async fn move_task(State(shared): App, Path(task): Path<String>, Json(to): Json<Move>) -> Outcome {
    with_task(&shared, &task, |world, id, now| world.board.move_task(&id, to.status, now))?;
    Ok(Json(json!({})))
}

async fn archive(State(shared): App, Path(task): Path<String>) -> Outcome {
    with_task(&shared, &task, |world, id, _| world.board.archive_task(&id))?;
    Ok(Json(json!({})))
}

async fn delete_task(State(shared): App, Path(task): Path<String>) -> Outcome {
    with_task(&shared, &task, |world, id, _| world.board.delete_task(&id))?;
    Ok(Json(json!({})))
}

async fn cancel_task(State(shared): App, Path(task): Path<String>) -> Outcome {
    let cancelled = with_task(&shared, &task, |world, id, now| {
        let live = world.board.live_run(&id).map(|run| run.id.clone())?;
        Some(world.board.cancel(&live, now))
    })?;
    let missing = || Problem(StatusCode::CONFLICT, format!("task '{task}' has no live run"));
    Ok(Json(json!({ "cancelled": cancelled.ok_or_else(missing)? })))
}

async fn cancel_run(State(shared): App, Path(run): Path<String>) -> Json<Value> {
    let mut world = shared.world();
    let now = world.now();
    Json(json!({ "cancelled": world.board.cancel(&RunId(run), now) }))
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
struct Advance {
    millis: u64,
}

async fn advance(State(shared): App, Json(by): Json<Advance>) -> Json<Value> {
    let now = shared.world().advance(Duration::from_millis(by.millis));
    Json(json!({ "now": now }))
}

async fn sweep(State(shared): App) -> Json<Value> {
    let mut world = shared.world();
    let now = world.now();
    world.board.sweep_all(now);
    let open = world.board.runs().iter().filter(|run| !run.state.is_over());
    let open = open.map(|run| (&run.id, RunState::name(&run.state))).collect::<Vec<_>>();
    Json(json!({ "open": open }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    cancel_ack: Option<CancelAck>,
    rate_limits: Option<bool>,
    /// Of the board's first organisation.
    automation: Option<bool>,
    /// Of the board's first organisation.
    max_concurrent_runs: Option<usize>,
}

async fn settings(State(shared): App, Json(settings): Json<Settings>) -> Json<Value> {
    let mut world = shared.world();
    if let Some(cancel_ack) = settings.cancel_ack {
        world.board.rules.cancel_ack = cancel_ack;
    }
    if let Some(on) = settings.rate_limits {
        world.limit_rates(on);
    }
    if let Some(organization) = world.board.organizations.first_mut() {
        organization.automation = settings.automation.unwrap_or(organization.automation);
        organization.max_concurrent_runs = settings.max_concurrent_runs.or(organization.max_concurrent_runs);
    }
    Json(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restart {
    #[serde(default)]
    down_millis: u64,
    #[serde(default)]
    forget_runtimes: bool,
}

/// The reply is lost with all other connections.
async fn restart(State(shared): App, Json(restart): Json<Restart>) -> Json<Value> {
    if restart.forget_runtimes {
        shared.world().board.forget_runtimes();
    }
    shared.go_down(Duration::from_millis(restart.down_millis)).await;
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
        assert!(is_from_here(&headers("127.0.0.1:4010", None)));
        assert!(is_from_here(&headers("localhost:4010", Some("http://localhost:4010"))));
        assert!(!is_from_here(&headers("evil.example:4010", None)), "a name that was pointed here");
        assert!(!is_from_here(&headers("localhost:4010", Some("https://evil.example"))));
        assert!(!is_from_here(&headers("localhost:4010", Some("null"))));
        assert!(!is_from_here(&HeaderMap::new()));
    }
}

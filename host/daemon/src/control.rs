//! The control socket: HTTP over a Unix socket that only its owner can reach.
//! `host status`, `host stop` and `host message` are clients of it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use hostler_engine::Input;
use hostler_engine::task::RunId;
use hostler_engine::time::Millis;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;
use tokio::sync::{oneshot, watch};

use crate::attempt::word::{NotHeard, Word};
use crate::core::Situation;
use crate::failure::Failure;
use crate::home::Home;
use crate::message::Message;
use crate::record::history::{History, find};
use crate::rooms::Rooms;
use crate::tracker::poll::Contact;
use crate::view::{HostView, RunView};

/// What the server needs to answer.
pub struct Desk {
    /// The host's rooms.
    pub rooms: Arc<Rooms>,
    /// What the engine is up to.
    pub situation: watch::Receiver<Situation>,
    /// How the tracker is.
    pub contact: watch::Receiver<Contact>,
    /// When the host was started.
    pub started: i64,
    /// Runs at once.
    pub slots: u32,
    /// Whether the clock may be moved forward, as tests do.
    pub test_clock: bool,
}

/// A refusal, for programs and people.
#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    error: String,
}

/// Opens the socket, readable by its owner only. A socket left by a host that was
/// killed is replaced: the state's lock proves that nobody listens on it.
pub fn listen(home: &Home) -> Result<UnixListener, Failure> {
    use std::os::unix::fs::PermissionsExt;
    let path = home.socket();
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(Failure::Socket { path, source: error });
    }
    let listener =
        UnixListener::bind(&path).map_err(|source| Failure::Socket { path: path.clone(), source })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .map_err(|source| Failure::Socket { path, source })?;
    Ok(listener)
}

/// Serves until the engine's loop ends, and the answers under way are given.
pub async fn serve(listener: UnixListener, desk: Desk) {
    let routes = axum::Router::new()
        .route("/v1/status", get(status))
        .route("/v1/runs/{run}/stop", post(stop))
        .route("/v1/runs/{run}/message", post(message))
        .route("/v1/detach", post(detach));
    let routes = if desk.test_clock { routes.route("/v1/test/clock", post(advance_clock)) } else { routes };
    let mut situation = desk.situation.clone();
    let over = async move { while situation.changed().await.is_ok() {} };
    let serving = axum::serve(listener, routes.with_state(Arc::new(desk))).with_graceful_shutdown(over);
    if let Err(error) = serving.await {
        tracing::warn!("the control socket is closed: {error}");
    }
}

async fn status(State(desk): State<Arc<Desk>>) -> Response {
    let Some(runs) = runs(&desk.rooms).await else { return ending() };
    let now = desk.situation.borrow().clone();
    let contact = desk.contact.borrow().clone();
    let rooms = &desk.rooms;
    Json(HostView {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: desk.started,
        mode: now.mode,
        slots: desk.slots,
        free_slots: now.free_slots,
        tracker: rooms.tracker.name().to_owned(),
        tracker_heard: contact.heard,
        tracker_problem: contact.problem,
        providers: rooms.providers.values().map(|provider| provider.view.clone()).collect(),
        repositories: rooms.places.keys().cloned().collect(),
        undelivered_reports: now.undelivered,
        denied: rooms.denied(),
        observed: rooms.observed(),
        runs,
    })
    .into_response()
}

async fn stop(State(desk): State<Arc<Desk>>, Path(name): Path<String>) -> Response {
    match open_run(&desk.rooms, &name, "there is nothing to stop").await {
        Ok(run) => {
            desk.rooms.tell(Input::StopAsked { run: RunId(run.id.clone()) }).await;
            Json(run).into_response()
        }
        Err(refused) => refused,
    }
}

/// A text for the agent of a run.
#[derive(Debug, Serialize, Deserialize)]
struct Spoken {
    text: String,
    #[serde(default)]
    id: Option<String>,
}

/// Answers when the agent's attempt has written the text down: then it is heard once.
async fn message(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    Json(spoken): Json<Spoken>,
) -> Response {
    let run = match open_run(&desk.rooms, &name, "nobody would hear it").await {
        Ok(run) => run,
        Err(refused) => return refused,
    };
    match say(&desk.rooms, &RunId(run.id.clone()), spoken).await {
        Ok(()) => Json(run).into_response(),
        Err(error) => refused(StatusCode::CONFLICT, format!("{} did not hear it: {error}", run.task_key)),
    }
}

async fn say(rooms: &Rooms, run: &RunId, spoken: Spoken) -> Result<(), NotHeard> {
    let word = Word::new(spoken.text, spoken.id)?;
    rooms.attempts.of(run).ok_or(NotHeard::NoAgent)?.say(word)?.over().await
}

/// The open run that a person means, or the answer that there is none; for one that is
/// over, `so` says what follows.
async fn open_run(rooms: &Rooms, name: &str, so: &str) -> Result<RunView, Response> {
    let mut runs = runs(rooms).await.ok_or_else(ending)?;
    runs.reverse();
    let error = match find(&runs, name) {
        Ok(run) if !run.closed => return Ok(run.clone()),
        Ok(run) => over(run, so),
        Err(error) => over_already(rooms, name, so).await.unwrap_or(error.to_string()),
    };
    Err(refused(StatusCode::NOT_FOUND, error))
}

/// How far the clock is to be moved forward.
#[derive(Debug, Deserialize)]
struct Jump {
    advance_ms: u64,
}

/// Moves the host's clock forward, as a machine finds it that wakes from sleep.
/// Answers when the engine has acted on all that is due by then.
async fn advance_clock(State(desk): State<Arc<Desk>>, Json(jump): Json<Jump>) -> Response {
    desk.rooms.clock.advance(Millis(jump.advance_ms));
    desk.rooms.tell(Input::Tick).await;
    // The engine takes one thing after the other: this answer comes after the tick.
    if runs(&desk.rooms).await.is_none() {
        return ending();
    }
    Json(serde_json::json!({ "now": desk.rooms.clock.now() })).into_response()
}

/// Agents that a host left at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// How many.
    pub working: u32,
}

/// Ends the host and leaves the agents at work.
async fn detach(State(desk): State<Arc<Desk>>) -> Response {
    let (ask, answer) = oneshot::channel();
    if desk.rooms.inbox.send(Message::Detach(Some(ask))).await.is_err() {
        return ending();
    }
    match answer.await {
        Ok(working) => Json(Left { working }).into_response(),
        Err(_) => ending(),
    }
}

/// A run that is not open may be over: then that is the answer.
async fn over_already(rooms: &Rooms, name: &str, so: &str) -> Option<String> {
    let (home, name) = (rooms.home.clone(), name.to_owned());
    let found = crate::blocking::run(move || History::open(&home).ok()??.run(&name).ok()).await.ok()??;
    Some(over(&found, so))
}

fn over(run: &RunView, so: &str) -> String {
    let how = run.result.as_ref().unwrap_or(&run.state);
    format!("{} is over already ({how}): {so}", run.task_key)
}

async fn runs(rooms: &Rooms) -> Option<Vec<RunView>> {
    let (ask, answer) = oneshot::channel();
    rooms.inbox.send(Message::Runs(ask)).await.ok()?;
    answer.await.ok()
}

fn ending() -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, "the host is just ending".to_owned())
}

fn refused(status: StatusCode, error: String) -> Response {
    (status, Json(Refused { error })).into_response()
}

/// Whether a host runs on this state folder.
pub fn is_running(home: &Home) -> bool {
    std::os::unix::net::UnixStream::connect(home.socket()).is_ok()
}

/// Why a running host could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no host runs here ({}): start one with `host run`", socket.display())]
    NotRunning {
        /// Where it would listen.
        socket: std::path::PathBuf,
    },
    /// The host refused.
    #[error("{0}")]
    Refused(String),
    /// The agent did not hear what was said to it.
    #[error("{0}")]
    NotHeard(String),
    /// The host did not answer as it should.
    #[error("the running host did not answer ({0}): look at its log")]
    Failed(String),
}

/// Asks a running host.
pub struct Client {
    http: reqwest::Client,
}

impl Client {
    /// Connects to the host of this state folder.
    pub fn connect(home: &Home) -> Result<Self, ClientError> {
        let socket = home.socket();
        if std::os::unix::net::UnixStream::connect(&socket).is_err() {
            return Err(ClientError::NotRunning { socket });
        }
        let http = reqwest::Client::builder().unix_socket(socket).no_proxy().build();
        Ok(Self { http: http.map_err(|error| ClientError::Failed(error.to_string()))? })
    }

    /// What the host says of itself.
    pub async fn status(&self) -> Result<HostView, ClientError> {
        self.ask(self.http.get("http://host/v1/status")).await
    }

    /// Ends a run, named by id, part of it, or task key.
    pub async fn stop(&self, run: &str) -> Result<RunView, ClientError> {
        self.ask(self.http.post(address(run, "stop")?)).await
    }

    /// Says something to the agent of a run. Said again under the same `id`, an attempt
    /// hears it once.
    pub async fn message(&self, run: &str, text: &str, id: &str) -> Result<RunView, ClientError> {
        let spoken = Spoken { text: text.to_owned(), id: Some(id.to_owned()) };
        self.ask(self.http.post(address(run, "message")?).json(&spoken)).await
    }

    /// Ends the host and leaves the agents at work.
    pub async fn detach(&self) -> Result<Left, ClientError> {
        self.ask(self.http.post("http://host/v1/detach")).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ClientError> {
        let failed = |error: reqwest::Error| ClientError::Failed(error.to_string());
        let answer = request.send().await.map_err(failed)?;
        if answer.status().is_success() {
            return answer.json().await.map_err(failed);
        }
        let status = answer.status();
        let Refused { error } = answer.json().await.map_err(failed)?;
        Err(match status {
            StatusCode::CONFLICT => ClientError::NotHeard(error),
            _ => ClientError::Refused(error),
        })
    }
}

/// Where to ask about a run; its name may hold anything.
fn address(run: &str, what: &str) -> Result<url::Url, ClientError> {
    let mut url =
        url::Url::parse("http://host/v1/runs").map_err(|error| ClientError::Failed(error.to_string()))?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(run).push(what);
    }
    Ok(url)
}

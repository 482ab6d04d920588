//! The sockets: bytes in, a [`Reaction`] out. Decides nothing.

mod admin;
mod door;
mod page;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::api::{Answer, Call, Route};
use crate::limits;
use crate::record::{Answered, RecordedRequest, masked, masked_body, masked_header};
use crate::time::Clock;
use crate::world::{PROXY_PAGE, Reaction, World};
use door::{Door, Gate, Line};

/// How often a server with a real clock looks whether a sweep is due.
const SWEEP_TICK: Duration = Duration::from_millis(200);

/// What the server's thread and its owner both hold.
#[derive(Debug)]
pub(crate) struct Shared {
    world: Mutex<World>,
    gate: Arc<Gate>,
}

impl Shared {
    pub(crate) fn new(world: World) -> Arc<Self> {
        Arc::new(Self { world: Mutex::new(world), gate: Arc::default() })
    }

    /// A panic inside a test's closure must not hide what the test wanted to say.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Shuts the door, and opens it again later. Returns once it is shut; goes on by
    /// itself, because the request that asked for this loses its connection here.
    pub(crate) async fn go_down(self: Arc<Self>, during: Duration) {
        let (tell, is_shut) = oneshot::channel();
        tokio::spawn(async move {
            // Waiting for the door blocks, and the door is moved by this very thread.
            let gate = Arc::clone(&self.gate);
            let shut = tokio::task::spawn_blocking(move || gate.shut()).await;
            // Nobody waits for this if the request is gone already.
            let _ = tell.send(());
            if shut.is_ok() {
                tokio::time::sleep(during).await;
                // Fails only when the server ends, and the door with it.
                let _ = tokio::task::spawn_blocking(move || self.gate.open()).await;
            }
        });
        let _ = is_shut.await;
    }
}

/// Serves until told to stop. Sends the address, or why there is none, once.
pub(crate) fn run(
    port: u16,
    shared: &Arc<Shared>,
    ready: &std::sync::mpsc::Sender<io::Result<SocketAddr>>,
    stop: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let door = Door::open(port, Arc::clone(&shared.gate))?;
            // The owner may have gone already; then `stop` says so as well.
            let _ = ready.send(Ok(door.address()));
            let app = router(Arc::clone(shared)).into_make_service_with_connect_info::<Line>();
            tokio::select! {
                served = axum::serve(door, app) => served,
                () = sweep_in_real_time(shared) => Ok(()),
                _ = stop => Ok(()),
            }
        })
    });
    if let Err(error) = outcome {
        let _ = ready.send(Err(error));
    }
}

async fn sweep_in_real_time(shared: &Shared) {
    let mut tick = tokio::time::interval(SWEEP_TICK);
    loop {
        tick.tick().await;
        let mut world = shared.world();
        if matches!(world.clock, Clock::Real(_)) {
            world.now();
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", axum::routing::get(page::show))
        .nest("/standin", admin::routes())
        .layer(axum::middleware::from_fn(admin::only_from_here))
        .fallback(serve)
        .with_state(shared)
}

/// Everything a daemon asks.
async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, limits::BODY_BYTES).await else {
        return reply(&Answer::error(413, "Body too large"));
    };
    let text = |name: &str| head.headers.get(name).map(value_text);
    let call = Call {
        route: Route::of(head.method.as_str(), head.uri.path()),
        authorization: text("authorization"),
        organization: text("x-organization-slug"),
        body: body.to_vec(),
        address: line.address.ip(),
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let arrived = {
        let mut world = shared.world();
        let recorded = recorded(&world, &call, head.method.as_str(), path, &head.headers);
        world.arrive(recorded)
    };
    pause(arrived.delay_before()).await;
    let reaction = shared.world().serve(arrived, &call);
    pause(arrived.delay_after()).await;
    match reaction {
        Reaction::Reply(answer) => reply(&answer),
        Reaction::ProxyPage => axum::response::Html(PROXY_PAGE).into_response(),
        Reaction::Cut => {
            line.cut();
            lost()
        }
        Reaction::GoDown(during) => {
            shared.go_down(during).await;
            lost()
        }
    }
}

fn recorded(world: &World, call: &Call, method: &str, path: &str, headers: &HeaderMap) -> RecordedRequest {
    let header = |(name, value): (&header::HeaderName, &HeaderValue)| {
        let name = name.as_str().to_owned();
        let value = masked_header(&name, &value_text(value), &world.keys);
        (name, value)
    };
    RecordedRequest {
        at: world.clock.now(),
        method: method.to_owned(),
        path: masked(path, &world.keys),
        endpoint: call.route.endpoint(),
        headers: headers.iter().map(header).collect::<BTreeMap<_, _>>(),
        body: masked_body(&call.body, &world.keys),
        fault: None,
        answer: Answered::Pending,
    }
}

fn value_text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

/// An answer as it goes over the wire, with the headers that browsers ask for.
fn reply(answer: &Answer) -> Response {
    let body = if answer.body == Value::Null { Body::empty() } else { Body::from(answer.body.to_string()) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, X-Organization-Slug"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What is written to a connection that was cut: nobody gets it.
fn lost() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use super::*;
    use crate::board::{Agent, Board, NewTask, Organization, Rules, RunState};

    #[test]
    fn on_a_real_clock_an_overdue_run_is_found_without_anybody_asking() {
        let clock = Clock::real();
        let mut board = Board::new(1, Rules::default());
        board.put_organization(Organization::new("studio"));
        board.put_agent(Agent::bound("coder", "codex"));
        let task = board.create_task(NewTask::titled("t"), clock.now());
        board.assign(&task, "coder", clock.now()).unwrap();
        let shared = Shared::new(World::new(board, clock, 1));
        let (ready, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let server = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || run(0, &shared, &ready, stopped))
        };
        told.recv().unwrap().unwrap();
        let is_over = || shared.world().board.runs().iter().any(|run| RunState::is_over(&run.state));
        assert!(!is_over());
        shared.world().clock.advance(limits::SWEEP_AFTER_ENQUEUE);
        let start = Instant::now();
        while !is_over() {
            assert!(start.elapsed() < Duration::from_secs(10), "nobody looks");
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.send(()).unwrap();
        server.join().unwrap();
    }
}

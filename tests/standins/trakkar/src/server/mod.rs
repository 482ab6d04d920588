//! The sockets: bytes in, a [`Reaction`] out. Decides nothing.

mod admin;
mod line;
mod page;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use tokio::sync::oneshot;

use crate::api::{Answer, Call};
use crate::endpoint::Route;
use crate::fault::Moment;
use crate::limits;
use crate::record::{Answered, RecordedRequest, as_json, masked_header};
use crate::world::{PROXY_PAGE, Reaction, World};
use line::{Door, Line};

/// What the server's thread and its owner both hold.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<World>);

impl Shared {
    pub(crate) fn new(world: World) -> Arc<Self> {
        Arc::new(Self(Mutex::new(world)))
    }

    /// A panic inside a test's closure must not hide what the test wanted to say.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            let door = Door::open(port).await?;
            // The owner may have gone already; then `stop` says so as well.
            let _ = ready.send(Ok(door.address()));
            let app = router(Arc::clone(shared)).into_make_service_with_connect_info::<Line>();
            tokio::select! {
                served = axum::serve(door, app) => served,
                _ = stop => Ok(()),
            }
        })
    });
    if let Err(error) = outcome {
        let _ = ready.send(Err(error));
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

/// Everything a runner asks.
async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, limits::BODY_BYTES).await else {
        return reply(&Answer::error(413, "too_large", "the body is too large"));
    };
    let text = |name: &str| head.headers.get(name).map(value_text);
    let call = Call {
        route: Route::of(head.method.as_str(), head.uri.path()),
        authorization: text("authorization"),
        runner: text("x-runner-id"),
        body: body.to_vec(),
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let raw_body = String::from_utf8_lossy(&call.body).into_owned();
    let arrived = {
        let mut world = shared.world();
        let recorded = RecordedRequest {
            at: world.now(),
            method: head.method.as_str().to_owned(),
            path: path.to_owned(),
            endpoint: call.route.as_ref().map(|route| route.endpoint),
            headers: recorded(&head.headers),
            body: as_json(&raw_body),
            fault: None,
            answer: Answered::Pending,
        };
        world.arrive(recorded, &raw_body)
    };
    pause(arrived.delay(Moment::BeforeCommit)).await;
    let reaction = shared.world().serve(&arrived, &call);
    pause(arrived.delay(Moment::AfterCommit)).await;
    match reaction {
        Reaction::Reply(answer) => reply(&answer),
        Reaction::ProxyPage => Html(PROXY_PAGE).into_response(),
        Reaction::Cut => {
            line.cut();
            // Nobody gets this.
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn recorded(headers: &HeaderMap) -> std::collections::BTreeMap<String, String> {
    let header = |(name, value): (&header::HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), masked_header(name.as_str(), &value_text(value)))
    };
    headers.iter().map(header).collect()
}

fn value_text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

fn reply(answer: &Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body.to_string()));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

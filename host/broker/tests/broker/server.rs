//! Servers on the loopback interface: one that records what reaches it, and one
//! that sends raw bytes and then holds or drops the connection.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    /// All values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(header, _)| header == name);
        same.map(|(_, value)| value.as_str()).collect()
    }
}

/// Records requests and answers them; ends when dropped.
pub struct Server {
    pub origin: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers every request by this function.
    pub async fn start(answer: impl Fn(&Seen) -> Response + Clone + Send + Sync + 'static) -> Self {
        let (listener, origin) = listen().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let app = Router::new().fallback(move |request: Request| {
            let (record, answer) = (Arc::clone(&record), answer.clone());
            async move {
                let arrived = arrived(request).await;
                let response = answer(&arrived);
                record.lock().unwrap().push(arrived);
                response
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { origin, seen, task }
    }

    /// Answers everything with 200 and `ok`.
    pub async fn ok() -> Self {
        Self::start(|_| Response::new("ok".into())).await
    }

    /// An address below what the tests grant.
    pub fn url(&self, rest: &str) -> String {
        format!("{}/api/{rest}", self.origin)
    }

    /// Everything that arrived so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn arrived(request: Request) -> Seen {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    Seen {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
    }
}

/// How a TLS client begins.
const TLS_HANDSHAKE: &[u8] = &[22, 3];

/// What a raw server does after its bytes.
#[derive(Clone, Copy)]
pub enum Then {
    /// Says nothing more, but keeps the connection.
    Hold,
    /// Closes it.
    Close,
}

/// Sends `bytes` to whoever has sent a request's head, or begins to speak TLS.
/// Gives its origin.
pub async fn raw(bytes: impl Into<Vec<u8>>, then: Then) -> String {
    let (listener, origin) = listen().await;
    let bytes: Vec<u8> = bytes.into();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move { converse(stream, &bytes, then).await });
        }
    });
    origin
}

async fn converse(mut stream: TcpStream, bytes: &[u8], then: Then) {
    let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
    while !head.starts_with(TLS_HANDSHAKE) && !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&chunk[..read]),
        }
    }
    // The client may hang up first: that is what some tests are about.
    let _ = stream.write_all(bytes).await;
    if matches!(then, Then::Hold) {
        while matches!(stream.read(&mut chunk).await, Ok(read) if read > 0) {}
    }
}

/// Takes connections and never answers; passes on each as it arrives.
pub async fn silent() -> (String, UnboundedReceiver<TcpStream>) {
    let (listener, origin) = listen().await;
    let (arrived, arrivals) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if arrived.send(stream).is_err() {
                return;
            }
        }
    });
    (origin, arrivals)
}

/// A port nobody listens on.
pub async fn nobody() -> String {
    listen().await.1
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    (listener, origin)
}

/// The origin of a server under a name instead of its address.
pub fn named(origin: &str, name: &str) -> String {
    origin.replace("127.0.0.1", name)
}

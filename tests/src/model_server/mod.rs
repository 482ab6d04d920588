//! A stand-in for the model service behind Claude Code, on the loopback
//! interface: enough of the Anthropic Messages interface to drive the real CLI
//! through one tool call to its end, and through the failures of the service.
//!
//! Each request names its [`Scenario`] in its path, so one server serves many
//! tests at once.

mod anthropic;
mod http;
mod scenario;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anthropic::Turn;
pub use scenario::{Fault, Scenario, ScenarioError};

/// How often a hanging reply looks whether it may end.
const HANG_TICK: Duration = Duration::from_millis(20);

/// A running model service; ends when dropped.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// A request as the server got it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceivedRequest {
    /// `GET`, `POST`, ….
    pub method: String,
    /// The path after the scenario, without the query.
    pub path: String,
    /// The scenario, as it stood in the path.
    pub scenario: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// Null if it was no JSON.
    pub body: serde_json::Value,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    requests: Mutex<Vec<ReceivedRequest>>,
    /// Turns seen so far, by scenario.
    turns: Mutex<HashMap<String, u32>>,
}

impl ModelServer {
    /// Starts a server on a free port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&listener, &shared))
        };
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// The base URL under which the service plays a scenario.
    pub fn base_url(&self, scenario: &Scenario) -> String {
        format!("http://{}/s/{scenario}", self.address)
    }

    /// Requests received so far for a scenario, in order.
    pub fn requests(&self, scenario: &Scenario) -> Vec<ReceivedRequest> {
        let wanted = scenario.to_string();
        let requests = lock(&self.shared.requests);
        let matching = requests.iter().filter(|request| request.scenario == wanted);
        matching.cloned().collect()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is to stop.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.accepting.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // A client that goes away in the middle is no problem of the server.
        std::thread::spawn(move || serve(stream, &shared).ok());
    }
}

/// One request per connection keeps a cut reply and a closed connection the same thing.
fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let Some(request) = http::read_request(&mut stream)? else {
        return Ok(());
    };
    let (scenario_text, path) = scenario::split_path(&request.path);
    let body = serde_json::from_slice(&request.body).unwrap_or(serde_json::Value::Null);
    lock(&shared.requests).push(ReceivedRequest {
        method: request.method.clone(),
        path: path.to_owned(),
        scenario: scenario_text.to_owned(),
        headers: request.headers,
        body: body.clone(),
    });
    let scenario: Scenario = match scenario_text.parse() {
        Ok(scenario) => scenario,
        Err(error) => {
            let error = anthropic::error("invalid_request_error", &format!("{error}"));
            return http::reply_json(&mut stream, 400, &[], &error);
        }
    };
    match (request.method.as_str(), path) {
        ("HEAD", _) => http::reply_json(&mut stream, 200, &[], &serde_json::Value::Null),
        ("POST", "/v1/messages/count_tokens") => {
            let tokens = serde_json::json!({ "input_tokens": request.body.len() / 4 + 1 });
            http::reply_json(&mut stream, 200, &[], &tokens)
        }
        ("POST", "/v1/messages") => {
            let turn = Turn::new(&body, &scenario);
            let fault = shared.fault_for(scenario_text, &scenario, &turn);
            reply(&mut stream, shared, &scenario, fault, &turn)
        }
        (method, path) => {
            let problem = format!("no such route: {method} {path}");
            let error = anthropic::error("not_found_error", &problem);
            http::reply_json(&mut stream, 404, &[], &error)
        }
    }
}

impl Shared {
    /// Counts the turn and says what goes wrong with it. Requests without tools
    /// (titles, summaries) are not the task's turns: they are neither counted nor hurt.
    fn fault_for(&self, key: &str, scenario: &Scenario, turn: &Turn) -> Option<Fault> {
        if turn.is_aside() {
            return None;
        }
        let mut turns = lock(&self.turns);
        let seen = turns.entry(key.to_owned()).or_default();
        let number = *seen;
        *seen += 1;
        scenario.fault_at(number)
    }
}

fn reply(
    stream: &mut TcpStream,
    shared: &Shared,
    scenario: &Scenario,
    fault: Option<Fault>,
    turn: &Turn,
) -> io::Result<()> {
    match fault {
        None => turn.reply(stream, false),
        Some(Fault::Cut) => turn.reply(stream, true),
        Some(Fault::Hang) => hang(stream, shared),
        Some(Fault::Refused(refusal)) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let now = now.map_or(0, |age| age.as_secs());
            let (status, headers, body) = anthropic::refuse(refusal, scenario, now);
            http::reply_json(stream, status, &headers, &body)
        }
    }
}

/// Says nothing until the client goes away or the server ends.
fn hang(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(HANG_TICK))?;
    while !shared.stopping.load(Ordering::SeqCst) {
        match stream.peek(&mut [0]) {
            Ok(0) => break,
            Ok(_) => std::thread::sleep(HANG_TICK),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What a thread that panicked left is still what was received.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};

    use serde_json::{Value, json};

    use super::*;

    fn post(server: &ModelServer, scenario: &Scenario, body: &Value) -> (u16, String) {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let body = body.to_string();
        write!(
            stream,
            "POST /s/{scenario}/v1/messages?beta=true HTTP/1.1\r\nX-Api-Key: sk-test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let status = reply.split(' ').nth(1).unwrap().parse().unwrap();
        (status, reply)
    }

    fn question(stream: bool) -> Value {
        json!({
            "model": "m", "stream": stream, "tools": [{ "name": "Write" }, { "name": "Bash" }],
            "messages": [{ "role": "user", "content": "go" }]
        })
    }

    #[test]
    fn the_first_turn_calls_the_write_tool_and_the_second_one_ends() {
        let server = ModelServer::start().unwrap();
        let scenario = Scenario::success().folder("/w/a b");
        let (status, reply) = post(&server, &scenario, &question(false));
        assert_eq!(status, 200);
        assert!(reply.contains(r#""file_path":"/w/a b/hello.txt""#), "{reply}");
        let mut second = question(true);
        second["messages"].as_array_mut().unwrap().push(json!({
            "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t", "content": "ok" }]
        }));
        let (_, reply) = post(&server, &scenario, &second);
        assert!(reply.contains("end_turn") && reply.contains("message_stop"), "{reply}");
        let requests = server.requests(&scenario);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].path, "/v1/messages");
        assert_eq!(requests[0].headers["x-api-key"], "sk-test");
    }

    #[test]
    fn a_fault_with_times_hits_so_many_turns_and_no_more() {
        let server = ModelServer::start().unwrap();
        let scenario = Scenario::named("429").unwrap().times(2).retry(5);
        let statuses = [0; 3].map(|_| post(&server, &scenario, &question(true)).0);
        assert_eq!(statuses, [429, 429, 200]);
    }

    #[test]
    fn a_fault_with_after_spares_the_first_turns() {
        let server = ModelServer::start().unwrap();
        let scenario = Scenario::named("500").unwrap().after(1);
        let statuses = [0; 2].map(|_| post(&server, &scenario, &question(true)).0);
        assert_eq!(statuses, [200, 500]);
    }

    #[test]
    fn two_ids_of_one_scenario_count_apart() {
        let server = ModelServer::start().unwrap();
        let one = Scenario::named("401").unwrap().times(1).id("1");
        let two = Scenario::named("401").unwrap().times(1).id("2");
        assert_eq!(post(&server, &one, &question(true)).0, 401);
        assert_eq!(post(&server, &two, &question(true)).0, 401);
        assert_eq!(post(&server, &one, &question(true)).0, 200);
    }

    #[test]
    fn a_request_without_tools_is_answered_even_while_turns_fail() {
        let server = ModelServer::start().unwrap();
        let scenario = Scenario::named("500").unwrap();
        let aside = json!({ "messages": [{ "role": "user", "content": "title?" }] });
        assert_eq!(post(&server, &scenario, &aside).0, 200);
        assert_eq!(post(&server, &scenario, &question(true)).0, 500);
    }

    #[test]
    fn a_cut_reply_ends_before_its_last_event() {
        let server = ModelServer::start().unwrap();
        let (status, reply) = post(&server, &Scenario::named("cut").unwrap(), &question(true));
        assert_eq!(status, 200);
        assert!(reply.contains("message_start") && !reply.contains("message_stop"), "{reply}");
    }

    #[test]
    fn a_hanging_reply_ends_with_the_server() {
        let server = ModelServer::start().unwrap();
        let scenario = Scenario::named("hang").unwrap();
        let address = server.address;
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            let body = question(true).to_string();
            let length = body.len();
            write!(stream, "POST /s/hang/v1/messages HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{body}")
                .unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).unwrap();
            reply
        });
        crate::wait_until(crate::PATIENCE, "the request is there", || {
            match server.requests(&scenario).len() {
                1 => Ok(()),
                other => Err(other),
            }
        });
        drop(server);
        assert_eq!(client.join().unwrap(), b"");
    }
}

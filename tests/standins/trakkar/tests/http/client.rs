//! A client that shows exactly what came over the wire. Written by hand, because real
//! ones hide cut connections and try again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use standin_trakkar::Standin;

use crate::RUNNER;

/// No answer takes this long; a test that waits for one fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub head: String,
    pub text: String,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Status and code of an error.
    pub fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// Sends a request on a connection of its own. `None` if that was closed without an answer.
pub fn send(
    standin: &Standin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Reply> {
    let host = standin.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let first = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    let head = headers.iter().fold(first, |head, (name, value)| format!("{head}{name}: {value}\r\n"));
    let length = body.len();
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
    let mut reply = String::new();
    match stream.read_to_string(&mut reply) {
        Ok(0) => return None,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
        Err(error) => panic!("{error}"),
    }
    let (head, text) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Some(Reply { status, head: head.to_lowercase(), text: text.to_owned() })
}

/// A runner's call with the right token.
pub fn try_call(standin: &Standin, runner: &str, call: &str, body: &Value) -> Option<Reply> {
    let (method, path) = call.split_once(' ').unwrap();
    let token = format!("Bearer {}", standin.token());
    let headers =
        [("authorization", token.as_str()), ("content-type", "application/json"), ("x-runner-id", runner)];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(standin, method, &format!("/v1/agent/{path}"), &headers, &body)
}

/// A runner's call that is answered.
#[track_caller]
pub fn call(standin: &Standin, call: &str, body: &Value) -> Reply {
    try_call(standin, RUNNER, call, body).unwrap()
}

/// An admin request that is answered.
#[track_caller]
pub fn admin(standin: &Standin, method: &str, path: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json")];
    send(standin, method, &format!("/standin/{path}"), &headers, &body.to_string()).unwrap()
}

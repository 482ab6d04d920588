//! A client that shows exactly what came over the wire. Written by hand, because real
//! ones hide cut connections and try again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use standin_tale::Standin;

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

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn connect(standin: &Standin) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(standin.url().trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a request on a connection of its own. `None` if that was closed without an answer.
pub fn send(
    standin: &Standin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Reply> {
    let mut stream = connect(standin).unwrap();
    let host = standin.url().trim_start_matches("http://").to_owned();
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

/// A daemon's call with the right key.
pub fn try_call(standin: &Standin, path: &str, body: &Value) -> Option<Reply> {
    let key = format!("Bearer {}", standin.key());
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    send(standin, "POST", &format!("/api/v1/{path}"), &headers, &body.to_string())
}

/// A daemon's call that is answered.
#[track_caller]
pub fn call(standin: &Standin, path: &str, body: &Value) -> Reply {
    try_call(standin, path, body).unwrap()
}

/// An admin request that is answered.
#[track_caller]
pub fn admin(standin: &Standin, method: &str, path: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json")];
    send(standin, method, &format!("/standin/{path}"), &headers, &body.to_string()).unwrap()
}

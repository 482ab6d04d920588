//! One request to the control socket of a running host.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::waiting::PATIENCE;

/// Sends one request with a body of JSON, and gives all of the answer, head and body.
/// A host that does not answer within [`PATIENCE`] is stuck.
pub fn exchange(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: host\r\nconnection: close");
    let length = body.len();
    let about = format!("content-type: application/json\r\ncontent-length: {length}");
    stream.write_all(format!("{head}\r\n{about}\r\n\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

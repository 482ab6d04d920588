//! Moves a running host's clock forward, over its control socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::host_sandbox::HostSandbox;
use crate::waiting::PATIENCE;

/// With this variable set to 1 a host lets its clock be moved.
pub const TEST_CLOCK: &str = "HOSTLER_TEST_CLOCK";

/// Moves the clock of the sandbox's host forward, as if the machine had slept. Gives
/// the head of the answer, which comes when the host has acted on what is due.
pub fn advance(sandbox: &HostSandbox, by: Duration) -> io::Result<String> {
    let mut stream = UnixStream::connect(sandbox.state_folder().join("host.sock"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let body = format!("{{\"advance_ms\":{}}}", by.as_millis());
    write!(
        stream,
        "POST /v1/test/clock HTTP/1.1\r\nhost: host\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

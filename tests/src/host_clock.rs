//! Moves a running host's clock forward, over its control socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::control_socket::exchange;
use crate::host_sandbox::HostSandbox;

/// With this variable set to 1 a host lets its clock be moved.
pub const TEST_CLOCK: &str = "HOSTLER_TEST_CLOCK";

/// Where its clock is moved.
pub const PATH: &str = "/v1/test/clock";

/// Moves the clock of the sandbox's host forward, as if the machine had slept. Gives
/// the head of the answer, which comes when the host has acted on what is due.
pub fn advance(sandbox: &HostSandbox, by: Duration) -> io::Result<String> {
    let answer = advance_at(&sandbox.state_folder().join("host.sock"), by)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// Moves the clock of the host on this socket forward. Gives all of the answer.
pub fn advance_at(socket: &Path, by: Duration) -> io::Result<String> {
    exchange(socket, "POST", PATH, &format!("{{\"advance_ms\":{}}}", by.as_millis()))
}

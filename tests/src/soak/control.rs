//! The control socket of a running host, as far as a soak speaks with it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::control_socket::exchange;
use crate::host_clock;

/// Why the host could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The socket does not work.
    #[error("the host does not answer on {}: {source}", socket.display())]
    Io {
        /// Where it was asked.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It answered with something else.
    #[error("the host answers {path} with {answer:?}")]
    Unexpected {
        /// What was asked.
        path: String,
        /// All of it.
        answer: String,
    },
}

/// What the host says of itself, as far as a soak wants to know.
#[derive(Debug, Clone, Deserialize)]
pub struct Status {
    /// Reports the tracker does not have yet.
    pub undelivered_reports: u32,
    /// Effects that were refused, by kind.
    pub denied: BTreeMap<String, u64>,
    /// Runs it still thinks about.
    pub runs: Vec<OpenRun>,
}

/// A run of a living host.
#[derive(Debug, Clone, Deserialize)]
pub struct OpenRun {
    /// The board's id of the task.
    pub task_id: String,
    /// What it is doing.
    pub state: String,
    /// Whether it is over.
    pub closed: bool,
}

/// What the host says of itself.
pub fn status(socket: &Path) -> Result<Status, ControlError> {
    let path = "/v1/status";
    let body = body_of(socket, path, exchange(socket, "GET", path, ""))?;
    serde_json::from_str(&body).map_err(|_| ControlError::Unexpected { path: path.to_owned(), answer: body })
}

/// Moves the host's clock forward. It must have been started with [`host_clock::TEST_CLOCK`].
pub fn advance(socket: &Path, by: Duration) -> Result<(), ControlError> {
    body_of(socket, host_clock::PATH, host_clock::advance_at(socket, by)).map(|_| ())
}

/// The body of a good answer.
fn body_of(socket: &Path, path: &str, answer: io::Result<String>) -> Result<String, ControlError> {
    let answer = answer.map_err(|source| ControlError::Io { socket: socket.to_owned(), source })?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    match body {
        Some(body) if answer.starts_with("HTTP/1.1 2") => Ok(body),
        _ => Err(ControlError::Unexpected { path: path.to_owned(), answer }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Answers one request, and gives its first line.
    fn answering(answer: &'static str) -> (tempfile::TempDir, PathBuf, std::thread::JoinHandle<String>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("host.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            line
        });
        (folder, socket, asked)
    }

    #[test]
    fn the_clock_is_moved_by_a_post_and_a_host_without_one_is_an_error() {
        let (_folder, socket, asked) = answering("HTTP/1.1 204 No Content\r\n\r\n");
        advance(&socket, Duration::from_secs(1)).unwrap();
        assert_eq!(asked.join().unwrap(), "POST /v1/test/clock HTTP/1.1\r\n");
        let (_folder, socket, _asked) = answering("HTTP/1.1 404 Not Found\r\n\r\n");
        let error = advance(&socket, Duration::from_secs(1)).unwrap_err().to_string();
        assert!(error.contains("404"), "{error}");
    }

    #[test]
    fn the_status_is_the_body_of_the_answer() {
        let answer = "HTTP/1.1 200 OK\r\nx: y\r\n\r\n{\"undelivered_reports\":2,\"denied\":{},\"runs\":[{\"task_id\":\"t\",\"state\":\"running\",\"closed\":false}]}";
        let (_folder, socket, _asked) = answering(answer);
        let status = status(&socket).unwrap();
        assert_eq!((status.undelivered_reports, status.runs[0].task_id.as_str()), (2, "t"));
    }
}

//! Serving a bare repository by `git http-backend` (CGI).

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::http::{Answer, Request};

/// Runs the backend for one request.
pub(crate) fn serve(root: &Path, request: &Request) -> Answer {
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("REMOTE_USER", "standin")
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(encoding) = request.header("content-encoding") {
        command.env("HTTP_CONTENT_ENCODING", encoding);
    }
    if let Some(protocol) = request.header("git-protocol") {
        command.env("GIT_PROTOCOL", protocol);
    }
    match run(command, &request.body) {
        Ok(output) => parse(&output),
        Err(error) => Answer::text(500, format!("git http-backend: {error}")),
    }
}

/// The commit that a branch of a repository is on; empty if there is no such branch.
pub(crate) fn tip(root: &Path, repository: &str, branch: &str) -> String {
    let folder = root.join(format!("{repository}.git"));
    let name = format!("refs/heads/{branch}");
    let output =
        Command::new("git").args(["rev-parse", "--verify", "--quiet", &name]).current_dir(folder).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn run(mut command: Command, body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut child = command.spawn()?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // A backend that stops reading says why in its answer.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(body)));
        child.wait_with_output().map(|output| output.stdout)
    })
}

/// Reads a CGI answer: headers, an empty line, the body.
fn parse(output: &[u8]) -> Answer {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let mut answer = Answer { status: 200, headers: Vec::new(), body: Vec::new() };
    for line in String::from_utf8_lossy(&output[..end]).lines() {
        match line.split_once(':') {
            Some(("Status", value)) => {
                let code = value.split_whitespace().next().and_then(|code| code.parse().ok());
                answer.status = code.unwrap_or(500);
            }
            Some((name, value)) => answer.headers.push((name.to_owned(), value.trim().to_owned())),
            None => {}
        }
    }
    answer.body = output.get(end + 4..).unwrap_or_default().to_vec();
    answer
}

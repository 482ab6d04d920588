//! The sockets: bytes in, an answer out, unless a fault strikes.

use std::io::{self, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::fault::{Faults, Harm, part_of};
use crate::http::{Answer, Request};
use crate::pulls::Pulls;
use crate::{api, gh, git_backend};

/// What a client sent and what it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// Decoded.
    pub path: String,
    /// As sent.
    pub query: String,
    /// Text of the REST interface and of `gh`; empty for git.
    pub body: String,
    /// There was an `Authorization` header. What was in it is not kept.
    pub authorized: bool,
    /// The status of the answer; `None` if the line was cut.
    pub status: Option<u16>,
}

/// What all lines share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: PathBuf,
    pub(crate) origin: String,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) pulls: Pulls,
    pub(crate) faults: Faults,
    pub(crate) calls: Vec<Call>,
    /// The value the `Authorization` header must have.
    pub(crate) authorization: Option<String>,
    pub(crate) gh_signed_in: bool,
    pub(crate) stopping: bool,
    hanging: u32,
}

impl Shared {
    pub(crate) fn new(root: PathBuf, origin: String) -> Self {
        let state = State { gh_signed_in: true, ..State::default() };
        Self { root, origin, state: Mutex::new(state), ended: Condvar::new() }
    }

    /// A panic in a test's closure must not hide what the test wanted to say.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.ended.notify_all();
    }

    /// Waits until a request hangs.
    pub(crate) fn wait_until_hanging(&self) {
        let state = self.state();
        drop(self.ended.wait_while(state, |state| state.hanging == 0 && !state.stopping));
    }

    fn hang(&self) {
        let mut state = self.state();
        state.hanging += 1;
        self.ended.notify_all();
        drop(self.ended.wait_while(state, |state| !state.stopping));
    }
}

/// Serves until told to stop; each line has a thread.
pub(crate) fn run(listener: &TcpListener, shared: &Arc<Shared>) {
    for line in listener.incoming() {
        if shared.state().stopping {
            return;
        }
        let Ok(line) = line else { continue };
        let shared = Arc::clone(shared);
        // A client that goes away in the middle is nobody's trouble.
        std::thread::spawn(move || serve(&line, &shared));
    }
}

fn serve(line: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(line);
    let mut request = Request::read_head(&mut reader)?;
    let harm = shared.state().faults.strike(part_of(&request.method, &request.path));
    if let Some(Harm::CutRequest(bytes)) = harm {
        request.read_body(&mut reader, Some(bytes))?;
        record(shared, &request, None);
        return line.shutdown(Shutdown::Both);
    }
    request.read_body(&mut reader, None)?;
    if harm == Some(Harm::Hang) {
        record(shared, &request, None);
        shared.hang();
        return line.shutdown(Shutdown::Both);
    }
    let answer = match harm {
        Some(Harm::Status(status)) => Answer::text(status, "injected"),
        _ => answer(shared, &request),
    };
    if harm == Some(Harm::CutAnswer) {
        record(shared, &request, None);
        return line.shutdown(Shutdown::Both);
    }
    record(shared, &request, Some(answer.status));
    if let Some(Harm::HangAnswer(bytes)) = harm {
        answer.write_start(&mut &*line, bytes)?;
        shared.hang();
        return line.shutdown(Shutdown::Both);
    }
    answer.write(&mut &*line)
}

fn answer(shared: &Shared, request: &Request) -> Answer {
    if request.path == "/standin/gh" {
        let mut state = shared.state();
        let signed_in = state.gh_signed_in;
        let sent = String::from_utf8_lossy(&request.body);
        if let Some(asked) = gh::asked(&sent).filter(|_| signed_in) {
            let answer = match state.faults.strike(part_of(&asked.method, &asked.path)) {
                Some(Harm::Status(status)) => Answer::text(status, "injected"),
                Some(_) => Answer::text(502, "injected"),
                None => api::answer(&mut state.pulls, &shared.origin, &shared.root, &asked),
            };
            return gh::printed(&answer);
        }
        return gh::answer(&mut state.pulls, &shared.origin, signed_in, &sent);
    }
    let wanted = shared.state().authorization.clone();
    if wanted.is_some() && request.header("authorization") != wanted.as_deref() {
        let mut refusal = Answer::json(401, &serde_json::json!({"message": "Bad credentials"}));
        refusal.headers.push(("WWW-Authenticate".to_owned(), "Basic realm=\"standin\"".to_owned()));
        return refusal;
    }
    if request.path.starts_with("/api/") {
        return api::answer(&mut shared.state().pulls, &shared.origin, &shared.root, request);
    }
    git_backend::serve(&shared.root, request)
}

fn record(shared: &Shared, request: &Request, status: Option<u16>) {
    let is_text = request.path.starts_with("/api/") || request.path.starts_with("/standin/");
    let body = if is_text { String::from_utf8_lossy(&request.body).into_owned() } else { String::new() };
    shared.state().calls.push(Call {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        body,
        authorized: request.header("authorization").is_some(),
        status,
    });
}

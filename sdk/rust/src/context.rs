//! What a tracker's operations do the world's work with.

use std::rc::Rc;

use crate::bindings::tracker::exports::hostler::plugin::tracker::{Effect, Output, Reply};
use crate::bindings::tracker::hostler::plugin::effects::{Frame, SocketOpen};
use crate::files::Directory;
use crate::http::Request;
use crate::steps::{EffectCall, Shared};
use crate::tracker::{Claim, Control, Task};
use crate::{Instant, Milliseconds, Problem};

/// The host, as one connection sees it. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    shared: Rc<Shared>,
}

impl Context {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self { shared }
    }

    /// The host's clock at this step.
    pub fn now(&self) -> Instant {
        self.shared.now()
    }

    /// A `GET` request.
    pub fn get(&self, url: impl Into<String>) -> Request {
        self.request("GET", url)
    }

    /// A `POST` request.
    pub fn post(&self, url: impl Into<String>) -> Request {
        self.request("POST", url)
    }

    /// A request with any method, in capitals.
    pub fn request(&self, method: &str, url: impl Into<String>) -> Request {
        Request::new(self.clone(), method, url.into())
    }

    /// One of the granted directories, by its handle in the manifest.
    pub fn files(&self, handle: &str) -> Directory {
        Directory::new(self.clone(), handle)
    }

    /// Goes on after this much time.
    pub async fn sleep(&self, time: Milliseconds) -> Result<(), Problem> {
        self.effect(Effect::Wake(time)).await.map(|_| ())
    }

    /// Opens a WebSocket; its frames arrive at [`Tracker::receive`](crate::Tracker::receive).
    pub async fn open_socket(&self, socket: SocketOpen) -> Result<(), Problem> {
        self.effect(Effect::Socket(socket)).await.map(|_| ())
    }

    /// Sends a frame on an open socket.
    pub async fn send_frame(&self, frame: Frame) -> Result<(), Problem> {
        self.effect(Effect::Send(frame)).await.map(|_| ())
    }

    /// Any effect of the contract, and its raw reply.
    pub async fn effect(&self, effect: Effect) -> Result<Reply, Problem> {
        EffectCall::new(Rc::clone(&self.shared), effect).await
    }

    /// Shows tasks that can be claimed.
    pub fn offer(&self, tasks: Vec<Task>) {
        self.shared.emit(Output::Offered(tasks));
    }

    /// Tells of tasks that are ours now.
    pub fn claimed(&self, claims: Vec<Claim>) {
        self.shared.emit(Output::Claimed(claims));
    }

    /// Passes a word from the tracker about a run on to the host.
    pub fn control(&self, run: &str, control: Control) {
        self.shared.emit(Output::Control((run.to_owned(), control)));
    }

    /// Asks to be polled this often.
    pub fn pace(&self, every: Milliseconds) {
        self.shared.emit(Output::Pace(every));
    }

    /// While registering: how many runs the tracker would have this host do at once.
    /// The operator's own word wins.
    pub fn slots(&self, count: u32) {
        self.shared.emit(Output::Other(("slots".to_owned(), count.to_string())));
    }

    /// While polling: one sentence that the person at the host is to see, whatever is
    /// logged.
    pub fn notice(&self, sentence: &str) {
        self.shared.emit(Output::Other(("notice".to_owned(), serde_json::Value::from(sentence).to_string())));
    }

    /// A line for the host's log: `debug`, `info`, `warn` or `error`.
    pub fn log(&self, level: &str, message: impl Into<String>) {
        self.shared.log(level, message.into());
    }
}

/// For a reply that does not answer what was asked.
pub(crate) fn wrong_reply(to: &str) -> Problem {
    Problem::permanent(format!(
        "The host answered {to} with something else; host and plugin do not fit together, update both."
    ))
}

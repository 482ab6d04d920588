//! A tracker that asks for what its settings say, whatever it was granted, and tells how
//! it was answered. For tests of what a plugin can do.

use std::cell::Cell;

use hostler_sdk::files::{FilePath, FileRequest, FileWrite};
use hostler_sdk::http::HttpRequest;
use hostler_sdk::tracker::{
    Claim, Effect, Frame, Landing, Payload, Polled, Reply, Report, RunPlan, RunRef, SocketOpen, Task, Verify,
};
use hostler_sdk::{Config, Context, Problem, Tracker};
use serde::Deserialize;

/// Asks once, and takes one task.
pub struct Asker {
    asks: Vec<Ask>,
    offers: Option<Offer>,
    asked: Cell<bool>,
}

/// One effect, as the settings say it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ask {
    /// Method, address, credential; where it is sent elsewhere, it asks there.
    Http(String, String, Option<String>),
    /// Folder and path.
    List(String, String),
    Read(String, String),
    Write(String, String),
    Socket(String),
    Send(String),
    /// In milliseconds.
    Wake(u32),
    Other(String),
}

/// What the plugin wishes for its task.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Offer {
    push: bool,
    verify: Option<String>,
    environment: Vec<(String, String)>,
}

fn json<'a, T: Deserialize<'a>>(config: &'a Config, field: &str) -> Result<T, Problem> {
    let text = config.text(field).unwrap_or("null");
    serde_json::from_str(text)
        .map_err(|error| Problem::permanent(format!("`{field}` is not understood: {error}.")))
}

fn effect(ask: Ask) -> Effect {
    let at = |directory, path| FilePath { directory, path };
    match ask {
        Ask::Http(method, url, credential) => Effect::Http(HttpRequest {
            method,
            url,
            headers: Vec::new(),
            body: Vec::new(),
            credential,
            timeout: None,
        }),
        Ask::List(directory, path) => Effect::File(FileRequest::List(at(directory, path))),
        Ask::Read(directory, path) => Effect::File(FileRequest::Read(at(directory, path))),
        Ask::Write(directory, path) => {
            let write = FileWrite { at: at(directory, path), content: b"asked".to_vec(), expect: None };
            Effect::File(FileRequest::Write(write))
        }
        Ask::Socket(url) => Effect::Socket(SocketOpen {
            socket: "one".to_owned(),
            url,
            headers: Vec::new(),
            credential: None,
        }),
        Ask::Send(text) => Effect::Send(Frame { socket: "one".to_owned(), payload: Payload::Text(text) }),
        Ask::Wake(after) => Effect::Wake(after),
        Ask::Other(name) => Effect::Other((name, "null".to_owned())),
    }
}

/// Follows one redirect by hand, which the host never does.
async fn ask(cx: &Context, ask: Ask) -> Result<(), Problem> {
    let Reply::Http(answer) = cx.effect(effect(ask.clone())).await? else { return Ok(()) };
    let moved = answer.headers.into_iter().find(|(name, _)| name == "location");
    if let (Ask::Http(method, _, credential), Some((_, to))) = (ask, moved) {
        cx.effect(effect(Ask::Http(method, to, credential))).await?;
    }
    Ok(())
}

impl Tracker for Asker {
    fn open(config: Config, _saved: Option<Vec<u8>>) -> Result<Self, Problem> {
        let (asks, offers) = (json(&config, "asks")?, json(&config, "offers")?);
        Ok(Self { asks, offers, asked: Cell::new(false) })
    }

    async fn poll(&self, cx: &Context, _limit: u32) -> Result<Polled, Problem> {
        if self.asked.replace(true) {
            return Ok(Polled::default());
        }
        for (number, one) in self.asks.iter().enumerate() {
            let answer = match ask(cx, one.clone()).await {
                Ok(()) => "done".to_owned(),
                Err(problem) => format!("{}: {}", problem.kind, problem.message),
            };
            cx.notice(&format!("asked {number}: {answer}"));
        }
        let task = |_| Task {
            id: "one".to_owned(),
            key: "one".to_owned(),
            title: "Whatever".to_owned(),
            sections: Vec::new(),
            priority: 0,
            data: "null".to_owned(),
        };
        Ok(Polled { offered: self.offers.iter().map(task).collect(), ..Polled::default() })
    }

    async fn claim(&self, _cx: &Context, run: RunRef) -> Result<Claim, Problem> {
        let environment = self.offers.clone().unwrap_or_default().environment;
        Ok(Claim { task: run.task, lease: None, environment })
    }

    async fn report(&self, _cx: &Context, _run: RunRef, _report: Report) -> Result<(), Problem> {
        Ok(())
    }

    fn plan(config: &Config, _task: &Task) -> Result<RunPlan, Problem> {
        let Offer { push, verify, .. } = json::<Option<Offer>>(config, "offers")?.unwrap_or_default();
        let verify = verify.map(|command| Verify { command, time: None, feed_back: 0 });
        let landing = if push { Landing::Push } else { Landing::Leave };
        Ok(RunPlan { landing, verify, ..RunPlan::default() })
    }
}

hostler_sdk::tracker!(Asker);

//! The way out of a contained agent, while this host runs: what it may reach, and what
//! it asked for.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_agents::Agent;
use hostler_broker::Ceiling;
use hostler_broker::egress::{Allowed, EgressError, EgressRules, ModelRoute, Open, Passage, Passed, Way};
use hostler_engine::redaction::{Redaction, RedactionError};
use hostler_engine::run::Run;
use hostler_engine::sandbox::SandboxNeeds;
use hostler_engine::time::Timestamp;
use hostler_journal::audit::Event;
use serde::Serialize;
use tokio::sync::mpsc;

use super::Outside;
use crate::record::json_lines::JsonLines;
use crate::rooms::Rooms;
use crate::view::Notice;

/// Where it is, on the agent's own loopback.
pub const PORT: u16 = 3128;

/// File in an attempt's folder with what its agent asked for, one JSON object a line.
pub const NETWORK_FILE: &str = "network.jsonl";

/// Places that an agent is refused and that are told on the screen; the rest is in the
/// file.
const TOLD: usize = 20;

/// What one agent may reach.
pub fn rules(needs: &SandboxNeeds, outside: &Outside, models: Vec<ModelRoute>) -> EgressRules {
    let allowed = needs.network.iter().chain(&outside.network);
    let allow = allowed.map(|to| Allowed { to: to.clone(), addresses: outside.addresses.clone() });
    let models = models.into_iter().map(|model| ModelRoute { addresses: outside.addresses.clone(), ..model });
    EgressRules {
        allow: allow.collect(),
        deny: outside.network_deny.clone(),
        models: models.collect(),
        ..EgressRules::default()
    }
}

/// What every program needs to know to find the way out.
pub fn variables() -> impl Iterator<Item = (&'static str, String)> {
    let proxy = format!("http://127.0.0.1:{PORT}");
    let to_proxy = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"];
    let local = ["NO_PROXY", "no_proxy"].map(|name| (name, "127.0.0.1,localhost".to_owned()));
    // Node.js takes no notice of the others without it.
    let node = ("NODE_USE_ENV_PROXY", "1".to_owned());
    to_proxy.map(|name| (name, proxy.clone())).into_iter().chain(local).chain([node])
}

/// Opens the way out of whoever works for a run, by these rules, until what is returned
/// is dropped. One that cannot be opened stays closed, and people are told. `who` is what
/// they call it, such as "the agent".
pub async fn let_out(
    rooms: &Arc<Rooms>,
    agent: &Agent,
    rules: EgressRules,
    run: &Run,
    folder: &Path,
    who: &str,
) -> Option<Open> {
    let listener = agent.listener().await.map_err(|error| error.to_string());
    let opened = listener.and_then(|listener| {
        let listener = listener.ok_or("its network has no way out")?;
        let masks = Masks::of(&rooms.secrets_of(&run.id)).map_err(|error| error.to_string())?;
        let book =
            Book { who: run.task.key.clone(), file: folder.join(NETWORK_FILE), masks, told: BTreeSet::new() };
        open(rooms, listener, rules, book).map_err(|error| error.to_string())
    });
    let tell = |why: &String| {
        let message = format!("{}: {who} reaches no network: {why}.", run.task.key);
        rooms.show(Notice::Host { message, warning: true });
    };
    opened.inspect_err(tell).ok()
}

/// Serves an agent until what is returned is dropped; what it asks for is written to
/// its book.
fn open(
    rooms: &Arc<Rooms>,
    listener: std::net::TcpListener,
    rules: EgressRules,
    book: Book,
) -> Result<Open, EgressError> {
    let rules = EgressRules { ceiling: Arc::clone(&rooms.organisation) as Arc<dyn Ceiling>, ..rules };
    let (tell, passages) = mpsc::unbounded_channel();
    tokio::spawn(book.keep(Arc::clone(rooms), passages));
    rooms.sandboxes.egress.serve(listener, Arc::new(rules), move |passage| {
        // The book is kept as long as anybody can tell it something.
        let _ = tell.send(passage);
    })
}

/// What an agent asked for, written down as it happens.
struct Book {
    /// The agent's task, for people.
    who: String,
    file: PathBuf,
    masks: Masks,
    /// Refused places that were told.
    told: BTreeSet<String>,
}

/// One line of the file.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    at: Timestamp,
    way: String,
    to: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    up: u64,
    down: u64,
    ms: u64,
}

impl Book {
    async fn keep(mut self, rooms: Arc<Rooms>, mut passages: mpsc::UnboundedReceiver<Passage>) {
        let mut lines = None;
        while let Some(passage) = passages.recv().await {
            let line = line(rooms.clock.now(), &passage, &self.masks);
            if let Passed::Denied { reason, .. } = &passage.outcome
                && self.told.len() < TOLD
                && self.told.insert(line.to.clone())
            {
                let message = format!("{}: {}", self.who, line.why);
                rooms.show(Notice::Host { message, warning: true });
                rooms.audit.note(denied(&self.who, reason)).await;
            }
            let lines = lines.get_or_insert_with(|| JsonLines::open(&self.file));
            let written = match lines {
                Ok(lines) => lines.append(&[line]).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = written {
                tracing::warn!("{} cannot be written: {error}", self.file.display());
            }
        }
    }
}

fn denied(who: &str, reason: &str) -> Event {
    Event::Denied {
        plugin: format!("the agent of {who}"),
        effect: "egress".to_owned(),
        reason: reason.to_owned(),
        times: 1,
    }
}

/// Finds secrets in what an agent asks for. Whoever wants one to leave the machine may
/// ask for a host of that name, and names of hosts are in lower case.
struct Masks([Redaction; 2]);

impl Masks {
    fn of(secrets: &[OsString]) -> Result<Self, RedactionError> {
        let small = secrets.iter().map(|secret| secret.as_bytes().to_ascii_lowercase());
        let as_they_are = secrets.iter().map(|secret| secret.as_bytes());
        Ok(Self([Redaction::of(as_they_are)?, Redaction::of(small)?]))
    }

    fn text(&self, mut text: String) -> String {
        self.0.iter().for_each(|redaction| redaction.text(&mut text));
        text
    }
}

fn line(at: Timestamp, passage: &Passage, masks: &Masks) -> Line {
    let (outcome, why) = match &passage.outcome {
        Passed::Allowed { .. } => ("allowed", String::new()),
        Passed::Denied { told, .. } => ("denied", told.clone()),
        Passed::Failed { told } => ("failed", told.clone()),
    };
    let way = match &passage.way {
        Way::Tunnel => "tunnel".to_owned(),
        Way::Plain => "plain".to_owned(),
        Way::Model(name) => format!("model {name}"),
        Way::Unclear => "unclear".to_owned(),
    };
    let to = passage.to.as_ref().map(ToString::to_string).unwrap_or_default();
    let [way, to, why] = [way, to, why].map(|text| masks.text(text));
    Line { at, way, to, outcome, why, up: passage.up, down: passage.down, ms: passage.took.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_engine::sandbox::Endpoint;
    use hostler_engine::time::Millis;

    #[test]
    fn what_the_provider_needs_and_the_operator_adds_is_open_and_nothing_else() {
        let needs =
            SandboxNeeds { network: vec!["a.example:443".parse().unwrap()], ..SandboxNeeds::default() };
        let outside = Outside { network: vec!["b.example:80".parse().unwrap()], ..Outside::default() };
        let rules = rules(&needs, &outside, Vec::new());
        let opens = |host: &str, port| {
            let to = Endpoint::new(host, port).unwrap();
            rules.allow.iter().any(|allowed| allowed.to.covers(&to))
        };
        assert!(opens("a.example", 443) && opens("b.example", 80));
        assert!(!opens("a.example", 80) && !opens("c.example", 443));
    }

    #[test]
    fn a_refusal_is_written_down_with_its_reason() {
        let passage = Passage {
            way: Way::Tunnel,
            to: Endpoint::new("evil.example", 443),
            outcome: Passed::Denied { reason: "egress-unlisted", told: "agents may not".to_owned() },
            up: 1,
            down: 2,
            took: Millis(3),
        };
        assert_eq!(
            serde_json::to_string(&line(Timestamp(7), &passage, &Masks::of(&[]).unwrap())).unwrap(),
            r#"{"at":7,"way":"tunnel","to":"evil.example:443","outcome":"denied","why":"agents may not","up":1,"down":2,"ms":3}"#
        );
    }
    #[test]
    fn a_secret_that_an_agent_asks_the_network_for_is_not_written_down() {
        let passage = |host: &str| Passage {
            way: Way::Model("sk-Secret".to_owned()),
            to: Endpoint::new(host, 443),
            outcome: Passed::Failed { told: format!("the host could not look up {host}") },
            up: 0,
            down: 0,
            took: Millis(0),
        };
        let masks = Masks::of(&["sk-Secret".into()]).unwrap();
        let line = line(Timestamp(7), &passage("sk-Secret.evil.example"), &masks);
        assert_eq!((&*line.way, &*line.to), ("model *********", "*********.evil.example:443"));
        assert_eq!(line.why, "the host could not look up *********.evil.example");
    }
}

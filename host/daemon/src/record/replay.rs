//! Asks again everything that was decided about a run, from its record, and compares:
//! plugins and engine are pure, so that every answer must be the same, byte for byte.
//!
//! [`calls`] are single questions to plugins, [`sessions`] the reading of what agents
//! printed, [`decisions`] what the engine made of it all.

mod calls;
mod decisions;
mod sessions;

use std::path::Path;

use hostler_engine::redaction::SHORTEST_SECRET;
use hostler_engine::task::RunId;
use serde::Serialize;

use crate::failure::Failure;
use crate::home::Home;
use crate::plugins::runtime;
use crate::plugins::store::Build;
use crate::record::history::History;
use crate::view::RunView;

pub(crate) use self::decisions::last_of;

/// What a replay found.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// Id of the run.
    pub run: String,
    /// One line per kind of decision.
    pub parts: Vec<Part>,
}

impl Replay {
    /// Whether something came out differently.
    pub fn differs(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.result, Compared::Differs(_)))
    }
}

/// Decisions of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// What was decided.
    pub what: String,
    /// By which plugin; by the engine if absent.
    pub plugin: Option<Build>,
    /// How many decisions were compared.
    pub count: usize,
    /// How they compare.
    pub result: Compared,
}

/// How decisions compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compared {
    /// Byte for byte.
    Equal,
    /// Not; this is the first that differs.
    Differs(Difference),
    /// The record does not say enough any more.
    Impossible(String),
}

/// A decision that came out differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which one.
    pub place: String,
    /// As it is recorded, as JSON.
    pub recorded: String,
    /// As it came out now, as JSON.
    pub replayed: String,
}

/// A question that another version of a plugin was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What was asked.
    pub what: String,
    /// Whether the answer is the same.
    pub same: bool,
    /// As it is recorded, as JSON.
    pub old: String,
    /// What the other version says, as JSON.
    pub new: String,
}

/// Replays a run with the builds and the engine that decided. Needs no host and
/// disturbs none.
pub async fn replay(home: &Home, history: &History, run: &RunView) -> Result<Replay, Failure> {
    let id = RunId(run.id.clone());
    let runtime = runtime(home)?;
    let span = history.span(&id)?;
    let (folder, loader) = (home.run(&id), calls::Loader::new(home, runtime));
    let mut parts = {
        let (folder, loader) = (folder.clone(), loader.clone());
        crate::blocking::run(move || calls::replay(&loader, &folder)).await??
    };
    parts.extend(sessions::replay(&loader, home, run, span.as_ref()).await?);
    parts.push(decisions::replay(span.as_ref()));
    Ok(Replay { run: run.id.clone(), parts })
}

/// Asks another version of a plugin everything that the run asked one of its kind.
pub async fn compare(home: &Home, run: &RunView, file: &Path) -> Result<Vec<Comparison>, Failure> {
    let id = RunId(run.id.clone());
    let (runtime, path) = (runtime(home)?, file.to_owned());
    let plugin = crate::blocking::run(move || runtime.load(&path)).await??;
    let (folder, other) = (home.run(&id), std::sync::Arc::clone(&plugin));
    let mut compared = crate::blocking::run(move || calls::compare(&other, &folder)).await??;
    compared.extend(sessions::compare(&plugin, home, run).await?);
    Ok(compared)
}

/// Whether two pieces of JSON are the same, where the recorded one may have had secrets
/// taken out: what stood there then is not known any more.
fn same(recorded: &str, replayed: &str) -> bool {
    let pieces = around_secrets(recorded);
    let ends = (pieces.first(), pieces.last());
    let (Some(first), Some(last)) = ends else { return false };
    let Some(mut rest) = replayed.strip_prefix(first) else { return false };
    let mut open = false;
    for piece in &pieces[1..] {
        open = true;
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.is_empty() || (open && replayed.ends_with(last))
}

/// What stands around the secrets that were taken out.
fn around_secrets(text: &str) -> Vec<&str> {
    let mask = "*".repeat(SHORTEST_SECRET);
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once(&mask) {
        pieces.push(before);
        rest = after.trim_start_matches('*');
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_a_secret_was_taken_out_may_something_else_stand() {
        assert!(same("{\"a\":1}", "{\"a\":1}"));
        assert!(!same("{\"a\":1}", "{\"a\":1} "));
        assert!(!same("{\"a\":1}", "{\"a\":12}"));
        assert!(same("key *******, twice *******.", "key hunter2, twice hunter2."));
        assert!(!same("key *******, twice.", "key hunter2, once."));
        assert!(same("*******", "anything"));
        assert!(same("say ab*******ab", "say abXabYab"));
        assert!(same("*****", "*****") && !same("*****", "secre"), "too short to have been a secret");
    }
}

//! Why a run is in its state: what the engine says of it, and what led here.

use hostler_engine::Input;
use hostler_engine::explain::{Explanation, explain};
use hostler_engine::run::Run;
use hostler_engine::task::RunId;
use hostler_engine::time::Timestamp;
use serde::Serialize;

use crate::failure::Failure;
use crate::follow_up::standing::Standing;
use crate::record::history::History;
use crate::record::replay;
use crate::record::told::told;
use crate::view::RunView;

/// Happenings that are told unless more are asked for: those one remembers.
pub const LAST: usize = 12;

/// Why a run is in its state.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// How it looks.
    pub run: RunView,
    /// In words.
    pub explanation: Explanation,
    /// What happened, oldest first.
    pub happened: Vec<Happening>,
    /// Happenings before those.
    pub earlier: usize,
    /// How its pull request stood when it was last looked at.
    pub pull_request: Option<Standing>,
}

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happening {
    /// Place in the record.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// In plain words.
    pub what: String,
}

/// Explains a run at `now` from the record, whether or not a host runs. Blocks.
pub fn explained(history: &History, run: RunView, now: Timestamp) -> Result<Explained, Failure> {
    let id = RunId(run.id.clone());
    let explanation = match state_of(history, &id, run.closed)? {
        Some(state) => explain(&state, now),
        None => from_view(&run),
    };
    let mut happened = happenings(history, &id)?;
    let earlier = happened.len().saturating_sub(LAST);
    happened.drain(..earlier);
    Ok(Explained { run, explanation, happened, earlier, pull_request: None })
}

/// The run as the engine has it, or had it last.
fn state_of(history: &History, id: &RunId, closed: bool) -> Result<Option<Run>, Failure> {
    if !closed {
        let engine = crate::record::recovery::recover(&history.recovered()?, history.path())?;
        return Ok(engine.run(id).cloned());
    }
    Ok(history.span(id)?.and_then(|span| replay::last_of(&span, id)))
}

/// What is left to say of a run whose part of the record is not whole any more.
fn from_view(run: &RunView) -> Explanation {
    Explanation {
        state: run.state.clone(),
        since: Timestamp(run.since),
        why: run.why.clone(),
        waits_for: None,
        until: run.until.map(Timestamp),
        next: if run.closed { "Nothing: it is over." } else { "The host goes on with it." }.to_owned(),
    }
}

/// Everything that happened to the run itself, in words.
fn happenings(history: &History, id: &RunId) -> Result<Vec<Happening>, Failure> {
    let mut happened = Vec::new();
    for entry in history.entries(id)? {
        let Ok(input) = serde_json::from_str::<Input>(&entry.input) else { continue };
        if let Some(what) = told(&input, id) {
            happened.push(Happening { seq: entry.seq.get(), at: Timestamp(entry.at_ms), what });
        }
    }
    Ok(happened)
}

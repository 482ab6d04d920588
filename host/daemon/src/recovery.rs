//! What a start begins with: the engine as the record has it.

use std::path::Path;

use hostler_engine::time::Timestamp;
use hostler_engine::{Engine, Input};
use hostler_journal::{Journal, Recovered};

use crate::failure::Failure;

/// Replays the record: the last snapshot and the inputs after it. The effects were
/// carried out, or will be asked for again by `Restarted`.
pub fn recover(recovered: &Recovered, journal: &Path) -> Result<Engine, Failure> {
    let foreign = |seq: String, problem: String| Failure::Entry { seq, path: journal.to_owned(), problem };
    let mut engine: Engine = match &recovered.snapshot {
        Some(snapshot) => serde_json::from_str(&snapshot.body)
            .map_err(|error| foreign(snapshot.seq.to_string(), error.to_string()))?,
        None => Engine::default(),
    };
    for recorded in &recovered.inputs {
        let input: Input = serde_json::from_str(&recorded.body)
            .map_err(|error| foreign(recorded.seq.to_string(), error.to_string()))?;
        engine.apply(Timestamp(recorded.at_ms), input);
    }
    Ok(engine)
}

/// Opens the journal at `path` and replays it. Also gives the time of the last
/// entry: the clock must not start before it.
pub fn open(path: &Path) -> Result<(Journal, Engine, Timestamp), Failure> {
    let (journal, recovered) = Journal::open(path)?;
    let engine = recover(&recovered, path)?;
    let last = recovered
        .inputs
        .last()
        .map(|input| input.at_ms)
        .or_else(|| recovered.snapshot.as_ref().map(|snapshot| snapshot.at_ms));
    Ok((journal, engine, Timestamp(last.unwrap_or_default())))
}

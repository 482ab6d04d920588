//! What a start begins with: the engine as the record has it.

use std::path::Path;

use hostler_engine::time::Timestamp;
use hostler_engine::{Engine, Input};
use hostler_journal::audit::Head;
use hostler_journal::{Journal, Recovered};

use crate::failure::Failure;

/// Replays the record: the last snapshot and the inputs after it. The effects were
/// carried out, or will be asked for again by `Restarted`.
pub fn recover(recovered: &Recovered, journal: &Path) -> Result<Engine, Failure> {
    let foreign = |seq: String, problem: String| Failure::Entry {
        seq,
        path: journal.to_owned(),
        problem,
        remedy: remedy(journal),
    };
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

/// What can be done with a record that cannot be understood.
fn remedy(journal: &Path) -> String {
    let copy = hostler_journal::copy_of(journal);
    if copy.is_file() {
        format!("move the file away and put the verified copy {} in its place", copy.display())
    } else {
        "move the file away".to_owned()
    }
}

/// What a host goes on with.
pub struct Found {
    /// The open journal.
    pub journal: Journal,
    /// The engine as it was.
    pub engine: Engine,
    /// Time of the last entry: the clock must not start before it.
    pub last: Timestamp,
    /// What the journal knows of the audit log.
    pub audit: Option<Head>,
}

/// Opens the journal at `path` and replays it.
pub fn open(path: &Path) -> Result<Found, Failure> {
    let (journal, recovered) = Journal::open(path)?;
    let engine = recover(&recovered, path)?;
    let last = recovered
        .inputs
        .last()
        .map(|input| input.at_ms)
        .or_else(|| recovered.snapshot.as_ref().map(|snapshot| snapshot.at_ms));
    let last = Timestamp(last.unwrap_or_default());
    Ok(Found { journal, engine, last, audit: recovered.audit })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_journal::{SchemaVersion, Seq, Snapshot};

    #[test]
    fn a_state_that_cannot_be_read_is_refused_in_one_sentence_that_names_the_copy() {
        let place = tempfile::tempdir().unwrap();
        let journal = place.path().join("journal.db");
        let snapshot = Snapshot { seq: Seq::new(7), at_ms: 1, body: "{\"policy\":".to_owned() };
        let schema = SchemaVersion { found: 3, now: 3 };
        let recovered = Recovered { snapshot: Some(snapshot), inputs: Vec::new(), audit: None, schema };
        let said = recover(&recovered, &journal).unwrap_err().to_string();
        assert!(said.starts_with("entry 7 of ") && said.ends_with("or move the file away"), "{said}");
        std::fs::write(place.path().join("journal.db.copy"), "").unwrap();
        let said = recover(&recovered, &journal).unwrap_err().to_string();
        assert!(said.contains("put the verified copy") && said.contains("journal.db.copy"), "{said}");
    }
}

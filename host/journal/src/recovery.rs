//! What a start begins with: the last snapshot and the inputs after it.

use rusqlite::{Connection, OptionalExtension};

use crate::audit::Head;
use crate::entry::Seq;
use crate::schema::SchemaVersion;

/// Everything the daemon needs to be where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last snapshot, if one was ever taken.
    pub snapshot: Option<Snapshot>,
    /// The inputs after it, in order; all of them if there is none.
    pub inputs: Vec<RecordedInput>,
    /// The last entry of the audit log that was known to be on the disk.
    pub audit: Option<Head>,
    /// Which schema the file had and has.
    pub schema: SchemaVersion,
}

/// A state as the daemon wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The entry it stands after.
    pub seq: Seq,
    /// Time of that entry, in milliseconds since 1970.
    pub at_ms: i64,
    /// The state, as JSON.
    pub body: String,
}

/// An input to be applied again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedInput {
    /// Its place in the record.
    pub seq: Seq,
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: i64,
    /// The input, as JSON.
    pub body: String,
}

/// Seeks by primary key, so that what lies before the snapshot is not touched.
pub(crate) const INPUTS_AFTER: &str = "SELECT seq, at_ms, input FROM entries WHERE seq > ? ORDER BY seq";

/// Reads the last snapshot and the inputs after it.
pub(crate) fn recover(connection: &Connection, schema: SchemaVersion) -> rusqlite::Result<Recovered> {
    let snapshot = connection
        .query_one("SELECT seq, at_ms, body FROM snapshot", [], |row| {
            Ok(Snapshot { seq: Seq::new(row.get(0)?), at_ms: row.get(1)?, body: row.get(2)? })
        })
        .optional()?;
    let after = snapshot.as_ref().map_or(Seq::START, |snapshot| snapshot.seq);
    let inputs = connection
        .prepare(INPUTS_AFTER)?
        .query_map([after.get()], |row| {
            Ok(RecordedInput { seq: Seq::new(row.get(0)?), at_ms: row.get(1)?, body: row.get(2)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Recovered { snapshot, inputs, audit: audit_head(connection)?, schema })
}

/// What is known here of the audit log; a text that is no hash says nothing.
pub(crate) fn audit_head(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let known: Option<(i64, String)> = connection
        .query_one("SELECT n, hash FROM audit_head", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(known.and_then(|(n, hash)| Some(Head { n: u64::try_from(n).ok()?, hash: hash.parse().ok()? })))
}

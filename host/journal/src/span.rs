//! The part of the record in which a run lived, with the state before it: what a
//! replay of the run needs.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::entry::Seq;
use crate::error::JournalError;
use crate::reader::{Reader, RecordedEntry};
use crate::recovery::{Recovered, Snapshot, recover};
use crate::schema::SchemaVersion;

/// Everything from a known state up to the last entry of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The state to begin with; `None`: the very beginning of the record.
    pub before: Option<Snapshot>,
    /// Place of the run's first entry.
    pub first: Seq,
    /// Every entry after `before`, of all runs and of none, up to the run's last.
    pub entries: Vec<RecordedEntry>,
    /// Nothing of it has been pruned. Otherwise it cannot be replayed.
    pub whole: bool,
}

impl Reader {
    /// The part of the record in which a run lived; `None` if it has no entries.
    pub fn span(&self, run: &str) -> Result<Option<Span>, JournalError> {
        self.answer(|connection| span(connection, run))
    }

    /// What a start would begin with now: the state as it is known at this moment.
    pub fn recovered(&self) -> Result<Recovered, JournalError> {
        let now = crate::schema::current();
        // Both questions must see the same moment.
        self.answer(|connection| {
            let moment = connection.unchecked_transaction()?;
            let recovered = recover(&moment, SchemaVersion { found: now, now })?;
            moment.finish()?;
            Ok(recovered)
        })
    }
}

fn span(connection: &Connection, run: &str) -> rusqlite::Result<Option<Span>> {
    let moment = connection.unchecked_transaction()?;
    let ends = moment
        .prepare_cached("SELECT min(seq), max(seq) FROM entries WHERE run = ?")?
        .query_one([run], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?)))?;
    let Some((first, last)) = ends else { return Ok(None) };
    let first = first_offer(&moment, run, first)?;
    let before = moment
        .prepare_cached("SELECT seq, at_ms, body FROM checkpoints WHERE seq < ? ORDER BY seq DESC LIMIT 1")?
        .query_one([first], |row| {
            Ok(Snapshot { seq: Seq::new(row.get(0)?), at_ms: row.get(1)?, body: row.get(2)? })
        })
        .optional()?;
    let after = before.as_ref().map_or(Seq::START, |snapshot| snapshot.seq);
    let entries: Vec<RecordedEntry> = moment
        .prepare_cached(
            "SELECT seq, at_ms, input, effects FROM entries WHERE seq > ? AND seq <= ? ORDER BY seq",
        )?
        .query_map(params![after.get(), last], entry)?
        .collect::<rusqlite::Result<_>>()?;
    moment.finish()?;
    let whole = entries.iter().zip(after.get() + 1..).all(|(entry, expected)| entry.seq.get() == expected);
    Ok(Some(Span { before, first: Seq::new(first), entries, whole }))
}

/// A run that was offered first stands in an entry about many runs, which is not found
/// by its id: the nearest entry of no run that names it.
fn first_offer(connection: &Connection, run: &str, first: i64) -> rusqlite::Result<i64> {
    let offered: Option<i64> = connection
        .prepare_cached(
            "SELECT max(seq) FROM entries WHERE seq < ?1 AND seq > ?1 - ?2
             AND run IS NULL AND instr(input, ?3) > 0",
        )?
        .query_one(params![first, OFFERED_BEFORE, run], |row| row.get(0))?;
    Ok(offered.unwrap_or(first))
}

/// An offer that leads to a run comes right before it, apart from what other runs do
/// at the same moment.
const OFFERED_BEFORE: i64 = 10_000;

fn entry(row: &Row<'_>) -> rusqlite::Result<RecordedEntry> {
    Ok(RecordedEntry {
        seq: Seq::new(row.get(0)?),
        at_ms: row.get(1)?,
        input: row.get(2)?,
        effects: row.get(3)?,
    })
}

//! Removes what is finished, delivered and older than the operator wants to keep.

use rusqlite::{Connection, params};

use crate::error::Fault;

/// Runs removed in one transaction: appends wait no longer than for this.
const RUNS_AT_ONCE: u32 = 100;
/// Entries of no run removed in one transaction, for the same reason.
const ENTRIES_AT_ONCE: u32 = 1000;

/// How much was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Closed runs, each with its whole history and its report.
    pub runs: usize,
    /// Entries, those of the removed runs included.
    pub entries: usize,
}

impl Pruned {
    /// Nothing was left to remove.
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { runs: self.runs + other.runs, entries: self.entries + other.entries }
    }
}

/// What may go.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    /// Only what is older, in milliseconds since 1970.
    pub(crate) before_ms: i64,
    /// Runs that stay all the same, as [`kept`] writes them.
    pub(crate) keep: String,
}

/// Ids of runs as the statements take them.
pub(crate) fn kept(runs: &[String]) -> String {
    serde_json::Value::from(runs.to_vec()).to_string()
}

/// Removes one portion of what is older than the limit, inside a transaction
/// that the writer holds.
///
/// A run goes with its whole history or not at all: it must be closed, its report
/// accepted (if there is one), and the last snapshot must stand after all of it.
pub(crate) fn prune(connection: &Connection, limit: &Limit) -> Result<Pruned, Fault> {
    let snapshot = last_snapshot(connection)?;
    let mut pruned = Pruned::default();
    for run in finished_runs(connection, limit.before_ms, &limit.keep, snapshot, RUNS_AT_ONCE)? {
        pruned = pruned.plus(remove_run(connection, &run)?);
    }
    pruned.entries += remove_entries_of_no_run(connection, limit.before_ms, snapshot)?;
    remove_checkpoints(connection)?;
    Ok(pruned)
}

/// How much pruning would remove.
pub(crate) fn count(connection: &Connection, before_ms: i64, keep: &str) -> rusqlite::Result<Pruned> {
    let snapshot = last_snapshot(connection)?;
    let runs = finished_runs(connection, before_ms, keep, snapshot, u32::MAX)?;
    let mut entries: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM entries WHERE {ENTRIES_OF_NO_RUN}"))?
        .query_one(params![before_ms, snapshot], |row| row.get(0))?;
    let mut of_run = connection.prepare_cached("SELECT count(*) FROM entries WHERE run = ?")?;
    for run in &runs {
        entries += of_run.query_one([run], |row| row.get::<_, i64>(0))?;
    }
    Ok(Pruned { runs: runs.len(), entries: usize::try_from(entries).unwrap_or(usize::MAX) })
}

fn last_snapshot(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM snapshot")?.query_one([], |row| row.get(0))
}

fn finished_runs(
    connection: &Connection,
    before_ms: i64,
    keep: &str,
    snapshot: i64,
    limit: u32,
) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT id FROM runs
             WHERE closed = 1 AND updated_ms < ?1
               AND id NOT IN (SELECT value FROM json_each(?2))
               AND NOT EXISTS (SELECT 1 FROM outbox
                               WHERE run = runs.id AND accepted_ms IS NULL)
               AND NOT EXISTS (SELECT 1 FROM entries WHERE run = runs.id AND seq > ?3)
             ORDER BY updated_ms LIMIT ?4",
        )?
        .query_map(params![before_ms, keep, snapshot, limit], |row| row.get(0))?
        .collect()
}

fn remove_run(connection: &Connection, run: &str) -> rusqlite::Result<Pruned> {
    let entries = connection.prepare_cached("DELETE FROM entries WHERE run = ?")?.execute([run])?;
    connection.prepare_cached("DELETE FROM outbox WHERE run = ?")?.execute([run])?;
    let runs = connection.prepare_cached("DELETE FROM runs WHERE id = ?")?.execute([run])?;
    Ok(Pruned { runs, entries })
}

/// Polls, ticks, and claims that never became a run of ours.
const ENTRIES_OF_NO_RUN: &str = "at_ms < ?1 AND seq <= ?2
    AND (run IS NULL OR NOT EXISTS (SELECT 1 FROM runs WHERE id = entries.run))";

fn remove_entries_of_no_run(
    connection: &Connection,
    before_ms: i64,
    snapshot: i64,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(&format!(
            "DELETE FROM entries WHERE seq IN (
                 SELECT seq FROM entries WHERE {ENTRIES_OF_NO_RUN} ORDER BY at_ms LIMIT ?3)"
        ))?
        .execute(params![before_ms, snapshot, ENTRIES_AT_ONCE])
}

/// Earlier states from which nothing is left to be replayed: all but the last one
/// before the oldest entry, and those after it.
fn remove_checkpoints(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM checkpoints WHERE seq < (
                 SELECT max(seq) FROM checkpoints
                 WHERE seq < (SELECT coalesce(min(seq), 0) FROM entries))",
        )?
        .execute([])
        .map(drop)
}

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

/// Removes one portion of what is older than `before_ms`, inside a transaction
/// that the writer holds.
///
/// A run goes with its whole history or not at all: it must be closed, its report
/// accepted (if there is one), and the last snapshot must stand after all of it.
pub(crate) fn prune(connection: &Connection, before_ms: i64) -> Result<Pruned, Fault> {
    let snapshot: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM snapshot")?
        .query_one([], |row| row.get(0))?;
    let mut pruned = Pruned::default();
    for run in finished_runs(connection, before_ms, snapshot)? {
        pruned = pruned.plus(remove_run(connection, &run)?);
    }
    pruned.entries += remove_entries_of_no_run(connection, before_ms, snapshot)?;
    Ok(pruned)
}

fn finished_runs(connection: &Connection, before_ms: i64, snapshot: i64) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT id FROM runs
             WHERE closed = 1 AND updated_ms < ?1
               AND NOT EXISTS (SELECT 1 FROM outbox
                               WHERE run = runs.id AND accepted_ms IS NULL)
               AND NOT EXISTS (SELECT 1 FROM entries WHERE run = runs.id AND seq > ?2)
             ORDER BY updated_ms LIMIT ?3",
        )?
        .query_map(params![before_ms, snapshot, RUNS_AT_ONCE], |row| row.get(0))?
        .collect()
}

fn remove_run(connection: &Connection, run: &str) -> rusqlite::Result<Pruned> {
    let entries = connection.prepare_cached("DELETE FROM entries WHERE run = ?")?.execute([run])?;
    connection.prepare_cached("DELETE FROM outbox WHERE run = ?")?.execute([run])?;
    let runs = connection.prepare_cached("DELETE FROM runs WHERE id = ?")?.execute([run])?;
    Ok(Pruned { runs, entries })
}

/// Polls, ticks, and claims that never became a run of ours.
fn remove_entries_of_no_run(
    connection: &Connection,
    before_ms: i64,
    snapshot: i64,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM entries WHERE seq IN (
                 SELECT seq FROM entries
                 WHERE at_ms < ?1 AND seq <= ?2
                   AND (run IS NULL OR NOT EXISTS (SELECT 1 FROM runs WHERE id = entries.run))
                 ORDER BY at_ms LIMIT ?3)",
        )?
        .execute(params![before_ms, snapshot, ENTRIES_AT_ONCE])
}

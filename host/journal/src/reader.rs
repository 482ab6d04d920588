//! Answers questions about the record without ever changing it.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::audit::Head;
use crate::entry::{RunRow, Seq};
use crate::error::JournalError;
use crate::prune::{Pruned, kept};
use crate::recovery::audit_head;
use crate::{file, schema};

/// Rows of a list when nothing else is asked for: a screen or two.
pub const DEFAULT_LIMIT: u32 = 100;
/// Rows of one answer at most, so that no question fills the memory; page for more.
pub const MAX_LIMIT: u32 = 1000;
/// Runs named when the beginning of an id fits several.
const CANDIDATES: u32 = 5;

const RUN_COLUMNS: &str = "id, task_key, title, tracker, provider, state, \
                           state_since_ms, created_ms, updated_ms, closed, body";
const OUTBOX_COLUMNS: &str = "run, report, since_ms, tries, next_try_ms, last_problem, \
                              parked_reason, accepted_ms";

/// A connection that only reads. It sees what is durable at the moment of each
/// question, also while another process writes. Its functions block.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilter {
    /// Leave out closed runs.
    pub open_only: bool,
    /// Only runs in this state.
    pub state: Option<String>,
    /// Only runs of this tracker connection.
    pub tracker: Option<String>,
    /// Only runs of this provider.
    pub provider: Option<String>,
    /// Only runs of the task with this human key.
    pub task_key: Option<String>,
    /// Only runs that come after this one in the list, to go on with a longer list.
    pub after: Option<ListPlace>,
    /// Rows at most; [`MAX_LIMIT`] bounds it.
    pub limit: u32,
}

/// Where a run stands in the list of all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPlace {
    created_ms: i64,
    id: String,
}

impl ListPlace {
    /// The place of this run.
    pub fn of(run: &RunRow) -> Self {
        Self { created_ms: run.created_ms, id: run.id.clone() }
    }
}

impl Default for RunFilter {
    fn default() -> Self {
        Self {
            open_only: false,
            state: None,
            tracker: None,
            provider: None,
            task_key: None,
            after: None,
            limit: DEFAULT_LIMIT,
        }
    }
}

impl RunFilter {
    /// The statement and the values for its places.
    fn query(&self) -> (String, Vec<Value>) {
        let mut conditions = vec!["1"];
        let mut values = Vec::new();
        if self.open_only {
            conditions.push("closed = 0");
        }
        for (condition, value) in [
            ("state = ?", &self.state),
            ("tracker = ?", &self.tracker),
            ("provider = ?", &self.provider),
            ("task_key = ?", &self.task_key),
        ] {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(Value::from(value.clone()));
            }
        }
        if let Some(ListPlace { created_ms, id }) = &self.after {
            conditions.push("(created_ms, id) < (?, ?)");
            values.extend([Value::from(*created_ms), Value::from(id.clone())]);
        }
        values.push(Value::from(self.limit.min(MAX_LIMIT)));
        let conditions = conditions.join(" AND ");
        let query = format!(
            "SELECT {RUN_COLUMNS} FROM runs WHERE {conditions}
             ORDER BY created_ms DESC, id DESC LIMIT ?"
        );
        (query, values)
    }
}

/// One entry of a run's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Its place in the record.
    pub seq: Seq,
    /// When the input was taken, in milliseconds since 1970.
    pub at_ms: i64,
    /// The input, as JSON.
    pub input: String,
    /// The effects it led to, as JSON.
    pub effects: String,
}

/// A report and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The run reported on.
    pub run: String,
    /// The report, as JSON.
    pub report: String,
    /// Since when it waits, in milliseconds since 1970.
    pub since_ms: i64,
    /// How often it was tried.
    pub tries: u32,
    /// What went wrong last.
    pub last_problem: Option<String>,
    /// How far it got.
    pub delivery: Delivery,
}

/// How far a report got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// It is tried again.
    Waiting {
        /// When, in milliseconds since 1970.
        next_try_ms: i64,
    },
    /// It waits for a person.
    Parked {
        /// Why, in a sentence for people.
        reason: String,
    },
    /// The tracker has it.
    Accepted {
        /// Since when, in milliseconds since 1970.
        at_ms: i64,
    },
}

impl Reader {
    /// Opens an existing journal, whether or not a host is running on it.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let connection = file::open_for_reading(path)?;
        schema::require_current(&connection, path)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Gives all runs that are asked for, newest first, in pages of [`MAX_LIMIT`] rows at
    /// most; `limit` bounds all of them together.
    pub fn pages(
        &self,
        mut filter: RunFilter,
        mut take: impl FnMut(Vec<RunRow>),
    ) -> Result<(), JournalError> {
        while filter.limit > 0 {
            let rows = self.runs(&filter)?;
            let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let whole = count == filter.limit.min(MAX_LIMIT);
            filter.limit = filter.limit.saturating_sub(count);
            filter.after = rows.last().map(ListPlace::of);
            take(rows);
            if !whole {
                break;
            }
        }
        Ok(())
    }

    /// Lists runs, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        let (query, values) = filter.query();
        self.answer(|connection| {
            connection.prepare_cached(&query)?.query_map(params_from_iter(values), run_row)?.collect()
        })
    }

    /// The run with this id, or the only one whose id begins like this.
    pub fn run(&self, id_or_prefix: &str) -> Result<Option<RunRow>, JournalError> {
        if let Some(run) = self.run_with_id(id_or_prefix)? {
            return Ok(Some(run));
        }
        let mut runs = self.runs_beginning_with(id_or_prefix)?;
        if runs.len() > 1 {
            return Err(JournalError::AmbiguousRun {
                prefix: id_or_prefix.to_owned(),
                candidates: runs.into_iter().map(|run| run.id).collect(),
            });
        }
        Ok(runs.pop())
    }

    /// The entries of a run after a place, in order, at most `limit`
    /// ([`MAX_LIMIT`] bounds it). Begin with [`Seq::START`]; go on with the last
    /// place until nothing comes back.
    pub fn history(&self, run: &str, after: Seq, limit: u32) -> Result<Vec<RecordedEntry>, JournalError> {
        self.answer(|connection| {
            connection
                .prepare_cached(
                    "SELECT seq, at_ms, input, effects FROM entries
                     WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?",
                )?
                .query_map(params![run, after.get(), limit.min(MAX_LIMIT)], |row| {
                    Ok(RecordedEntry {
                        seq: Seq::new(row.get(0)?),
                        at_ms: row.get(1)?,
                        input: row.get(2)?,
                        effects: row.get(3)?,
                    })
                })?
                .collect()
        })
    }

    /// The reports no tracker has accepted yet, waiting or parked, oldest first.
    pub fn outbox(&self) -> Result<Vec<OutboxRow>, JournalError> {
        let query =
            format!("SELECT {OUTBOX_COLUMNS} FROM outbox WHERE accepted_ms IS NULL ORDER BY since_ms, run");
        self.answer(|connection| connection.prepare_cached(&query)?.query_map([], outbox_row)?.collect())
    }

    /// The report on a run, accepted or not.
    pub fn report(&self, run: &str) -> Result<Option<OutboxRow>, JournalError> {
        let query = format!("SELECT {OUTBOX_COLUMNS} FROM outbox WHERE run = ?");
        self.answer(|connection| connection.prepare_cached(&query)?.query_one([run], outbox_row).optional())
    }

    /// The place of the last entry; [`Seq::START`] if there is none.
    pub fn last(&self) -> Result<Seq, JournalError> {
        self.answer(|connection| {
            connection
                .prepare_cached("SELECT coalesce(max(seq), 0) FROM entries")?
                .query_one([], |row| row.get(0).map(Seq::new))
        })
    }

    /// Reads the whole file and fails with what is wrong with it. Takes as long
    /// as the file is large.
    pub fn verify(&self) -> Result<(), JournalError> {
        let detail: String = self
            .answer(|connection| connection.query_one("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
        if detail == "ok" {
            return Ok(());
        }
        Err(JournalError::corrupt(&self.path, detail))
    }

    /// The last entry of the audit log that was known to be on the disk.
    pub fn audit_head(&self) -> Result<Option<Head>, JournalError> {
        self.answer(audit_head)
    }

    /// How much [`Journal::prune_except`](crate::Journal::prune_except) would remove
    /// now, counted the same way.
    pub fn prunable(&self, before_ms: i64, keep: &[String]) -> Result<Pruned, JournalError> {
        let keep = kept(keep);
        self.answer(|connection| crate::prune::count(connection, before_ms, &keep))
    }

    fn run_with_id(&self, id: &str) -> Result<Option<RunRow>, JournalError> {
        let query = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?");
        self.answer(|connection| connection.prepare_cached(&query)?.query_one([id], run_row).optional())
    }

    fn runs_beginning_with(&self, prefix: &str) -> Result<Vec<RunRow>, JournalError> {
        let query = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3");
        // Ids are compared by their bytes, and no character has greater ones.
        let end = format!("{prefix}{}", char::MAX);
        self.answer(|connection| {
            connection.prepare_cached(&query)?.query_map(params![prefix, end, CANDIDATES], run_row)?.collect()
        })
    }

    pub(crate) fn answer<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        question(&self.connection)
            .map_err(|error| JournalError::from_sqlite(&self.path, Some(&self.connection), &error))
    }
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get(0)?,
        task_key: row.get(1)?,
        title: row.get(2)?,
        tracker: row.get(3)?,
        provider: row.get(4)?,
        state: row.get(5)?,
        state_since_ms: row.get(6)?,
        created_ms: row.get(7)?,
        updated_ms: row.get(8)?,
        closed: row.get(9)?,
        body: row.get(10)?,
    })
}

fn outbox_row(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    let next_try_ms = row.get(4)?;
    let parked: Option<String> = row.get(6)?;
    let accepted: Option<i64> = row.get(7)?;
    let delivery = match (accepted, parked) {
        (Some(at_ms), _) => Delivery::Accepted { at_ms },
        (None, Some(reason)) => Delivery::Parked { reason },
        (None, None) => Delivery::Waiting { next_try_ms },
    };
    Ok(OutboxRow {
        run: row.get(0)?,
        report: row.get(1)?,
        since_ms: row.get(2)?,
        tries: row.get(3)?,
        last_problem: row.get(5)?,
        delivery,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Journal;

    #[test]
    fn open_runs_are_listed_without_touching_closed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let (journal, _) = Journal::open(&path).unwrap();
        let reader = journal.reader().unwrap();
        let (query, values) = RunFilter { open_only: true, ..RunFilter::default() }.query();
        let plan: String = reader
            .connection
            .query_one(&format!("EXPLAIN QUERY PLAN {query}"), params_from_iter(values), |row| row.get(3))
            .unwrap();
        assert_eq!(plan, "SCAN runs USING INDEX runs_open");
    }

    #[test]
    fn a_list_goes_on_where_a_page_ended_without_reading_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(&folder.path().join("journal.db")).unwrap();
        let reader = journal.reader().unwrap();
        let after = Some(ListPlace { created_ms: 1, id: "r".to_owned() });
        let (query, values) = RunFilter { after, ..RunFilter::default() }.query();
        let query = format!("EXPLAIN QUERY PLAN {query}");
        let plan: String =
            reader.connection.query_one(&query, params_from_iter(values), |row| row.get(3)).unwrap();
        assert_eq!(plan, "SEARCH runs USING INDEX runs_by_time ((created_ms,id)<(?,?))");
    }
}

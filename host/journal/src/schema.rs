//! Versions of the tables, and how a file is brought from one to the next.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::JournalError;

/// Marks the file as ours in its header: `Host` in ASCII.
const APPLICATION_ID: i32 = 0x486f_7374;

/// The statements that lead from one version to the next.
pub(crate) type Migration = &'static str;

/// Every step since the first version; the step at index 0 makes version 1.
/// A released step is never changed: a new one is added.
pub(crate) const MIGRATIONS: &[Migration] =
    &[include_str!("schema/v1.sql"), include_str!("schema/v2.sql"), include_str!("schema/v3.sql")];

/// Which schema a journal had and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersion {
    /// Before it was opened; 0 if it was new.
    pub found: u32,
    /// Now.
    pub now: u32,
}

/// Brings the file forward to the last version, each step in one transaction.
pub(crate) fn bring_forward(
    connection: &mut Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<SchemaVersion, JournalError> {
    let found = version(connection, path)?;
    let known = count(migrations);
    if found > known {
        return Err(newer(path, found, known));
    }
    for (step, target) in migrations.iter().zip(1..).skip(found as usize) {
        migrate(connection, step, target)
            .map_err(|error| JournalError::from_sqlite(path, Some(connection), &error))?;
    }
    Ok(SchemaVersion { found, now: known })
}

/// Fails unless the file has exactly the version that this program reads.
pub(crate) fn require_current(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let known = count(MIGRATIONS);
    match version(connection, path)? {
        found if found > known => Err(newer(path, found, known)),
        found if found < known => Err(JournalError::Older { path: path.to_owned(), found, known }),
        _ => Ok(()),
    }
}

fn migrate(connection: &mut Connection, step: Migration, target: u32) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(step)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", target)?;
    transaction.commit()
}

/// The version of the file; 0 if nothing is in it yet.
fn version(connection: &Connection, path: &Path) -> Result<u32, JournalError> {
    let read = || -> rusqlite::Result<(i32, u32, i64)> {
        Ok((
            connection.pragma_query_one(None, "application_id")?,
            connection.pragma_query_one(None, "user_version")?,
            connection.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
        ))
    };
    let (application, version, objects) =
        read().map_err(|error| JournalError::from_sqlite(path, Some(connection), &error))?;
    let fresh = application == 0 && version == 0 && objects == 0;
    if fresh || application == APPLICATION_ID {
        return Ok(version);
    }
    Err(JournalError::NotAJournal {
        path: path.to_owned(),
        detail: format!("it is the database of another program, application id {application:#x}"),
    })
}

fn newer(path: &Path, found: u32, known: u32) -> JournalError {
    JournalError::Newer { path: path.to_owned(), found, known }
}

/// The version that this program writes.
pub(crate) fn current() -> u32 {
    count(MIGRATIONS)
}

fn count(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;

    use super::*;
    use crate::file::open_for_writing;

    const NEXT: Migration = "ALTER TABLE runs ADD COLUMN cost REAL NOT NULL DEFAULT 0";
    const BROKEN: Migration = "DELETE FROM outbox; CREATE TABLE runs (again)";

    /// A journal as version 1 left it, with something in every table.
    fn first_version() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut connection = open_for_writing(&path).unwrap();
        bring_forward(&mut connection, &path, &MIGRATIONS[..1]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO entries (at_ms, run, input, effects) VALUES (1, 'r', 'in', 'out');
             INSERT INTO snapshot VALUES (1, 1, 1, 'state');
             INSERT INTO runs VALUES ('r', 'KEY-1', 'Title', 'tale', 'codex', 'running', 1, 1, 1, 0, '{}');
             INSERT INTO outbox VALUES ('r', 'report', 1, 0, 1, NULL, NULL, NULL);",
            )
            .unwrap();
        (folder, path)
    }

    fn rows(connection: &Connection) -> [i64; 4] {
        ["entries", "snapshot", "runs", "outbox"].map(|table| {
            connection.query_one(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        })
    }

    #[test]
    fn a_journal_of_version_1_is_brought_forward_with_its_data() {
        let (_folder, path) = first_version();
        let mut connection = open_for_writing(&path).unwrap();
        let schema = bring_forward(&mut connection, &path, &[MIGRATIONS[0], NEXT]).unwrap();
        assert_eq!(schema, SchemaVersion { found: 1, now: 2 });
        assert_eq!(rows(&connection), [1; 4]);
        let row: (String, f64) = connection
            .query_one("SELECT title, cost FROM runs", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("Title".to_owned(), 0.0));
        drop(connection);

        let mut again = open_for_writing(&path).unwrap();
        let schema = bring_forward(&mut again, &path, &[MIGRATIONS[0], NEXT]).unwrap();
        assert_eq!(schema, SchemaVersion { found: 2, now: 2 });
    }

    #[test]
    fn a_journal_of_version_1_can_hold_earlier_states_after_it_was_opened() {
        let (_folder, path) = first_version();
        let mut connection = open_for_writing(&path).unwrap();
        let schema = bring_forward(&mut connection, &path, MIGRATIONS).unwrap();
        assert_eq!(schema, SchemaVersion { found: 1, now: 3 });
        assert_eq!(rows(&connection), [1; 4]);
        connection.execute_batch("INSERT INTO checkpoints VALUES (1, 1, 'state')").unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_journal_at_the_version_before_it() {
        let (_folder, path) = first_version();
        let mut connection = open_for_writing(&path).unwrap();
        let steps = [MIGRATIONS[0], NEXT, BROKEN];
        let error = bring_forward(&mut connection, &path, &steps).unwrap_err();
        assert!(error.to_string().contains("already exists"), "{error}");
        drop(connection);

        let mut connection = open_for_writing(&path).unwrap();
        let schema = bring_forward(&mut connection, &path, &steps[..2]).unwrap();
        assert_eq!(schema, SchemaVersion { found: 2, now: 2 });
        assert_eq!(rows(&connection), [1; 4]);
    }

    #[test]
    fn every_commit_waits_for_the_disk_and_the_log_keeps_its_size() {
        let (_folder, path) = first_version();
        let connection = open_for_writing(&path).unwrap();
        let setting = |name| connection.pragma_query_one::<i64>(None, name).unwrap();
        let full = 2;
        assert_eq!(setting("synchronous"), full);
        assert_eq!(setting("fullfsync"), 1);
        assert_eq!(setting("foreign_keys"), 1);
        assert_eq!(setting("journal_size_limit"), -1);
        assert_eq!(setting("wal_autocheckpoint"), 1000);
        let mode: String = connection.pragma_query_one(None, "journal_mode").unwrap();
        assert_eq!(mode, "wal");
    }
}

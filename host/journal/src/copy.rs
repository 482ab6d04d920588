//! A verified copy beside the journal, for the day on which the journal is damaged.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::JournalError;
use crate::file;

/// Where the copy of a journal lies.
pub fn copy_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".copy");
    path.with_file_name(name)
}

/// Makes the copy anew from what is durable now, also while a host writes. The old
/// copy stays until the new one has been read through without finding damage. Blocks
/// for as long as the journal is large.
pub fn make_copy(path: &Path) -> Result<PathBuf, JournalError> {
    let copy = copy_of(path);
    let mut name = copy.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let fresh = copy.with_file_name(name);
    let made = write_copy(path, &fresh)
        .and_then(|()| fs::rename(&fresh, &copy).map_err(|error| JournalError::from_io(&copy, &error)));
    if made.is_err() {
        // The failure that matters is the first one; a leftover is replaced next time.
        let _ = fs::remove_file(&fresh);
    }
    made.map(|()| copy)
}

fn write_copy(path: &Path, fresh: &Path) -> Result<(), JournalError> {
    match fs::remove_file(fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(JournalError::from_io(fresh, &error));
        }
        _ => {}
    }
    // Private from its first moment: the database takes over the mode it finds.
    file::create_private(fresh).map_err(|error| JournalError::from_io(fresh, &error))?;
    let source = file::open_for_reading(path)?;
    source
        .execute("VACUUM INTO ?", [fresh.to_string_lossy()])
        .map_err(|error| JournalError::from_sqlite(path, Some(&source), &error))?;
    verify(fresh)?;
    let settle = || {
        File::open(fresh)?.sync_all()?;
        fresh.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    settle().map_err(|error| JournalError::from_io(fresh, &error))
}

fn verify(path: &Path) -> Result<(), JournalError> {
    let connection = file::open_for_reading(path)?;
    let wrong = |error| JournalError::from_sqlite(path, Some(&connection), &error);
    let detail: String =
        connection.query_one("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(wrong)?;
    if detail == "ok" { Ok(()) } else { Err(JournalError::corrupt(path, detail)) }
}

/// The copy of a damaged journal, if there is one that can be opened.
pub(crate) fn usable_copy(path: &Path) -> Option<PathBuf> {
    let copy = copy_of(path);
    let opens = |connection: Connection| {
        connection.query_one("SELECT count(*) FROM entries", [], |row| row.get::<_, i64>(0)).is_ok()
    };
    (copy.is_file() && file::open_for_reading(&copy).is_ok_and(opens)).then_some(copy)
}

//! Opens the file with the rights and settings that durability rests on.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::JournalError;

/// Only this user reads or writes what the host knows.
const FILE_MODE: u32 = 0o600;
/// Only this user enters the folder of the journal.
const FOLDER_MODE: u32 = 0o700;
/// Long enough for another process to finish recovering the write-ahead log.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages in the write-ahead log before it is copied back and used again from its
/// start: 4 MiB, small enough for the cache, large enough to be rare.
const CHECKPOINT_PAGES: u32 = 1000;

/// Opens for writing; makes the file and its folder if they are missing.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, JournalError> {
    create(path).map_err(|error| JournalError::from_io(path, &error))?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    configure(&connection).map_err(|error| JournalError::from_sqlite(path, Some(&connection), &error))?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| JournalError::from_sqlite(path, Some(&connection), &error))?;
    if mode == "wal" { Ok(connection) } else { Err(JournalError::Unshareable { path: path.to_owned() }) }
}

/// Opens an existing file for reading only.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, JournalError> {
    match fs::metadata(path) {
        Ok(_) => connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(JournalError::Missing { path: path.to_owned() })
        }
        Err(error) => Err(JournalError::from_io(path, &error)),
    }
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, JournalError> {
    // Each connection stays in one thread at a time, so SQLite needs no lock of its own.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| JournalError::from_sqlite(path, None, &error))?;
    let guard = || -> rusqlite::Result<()> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "cell_size_check", true)
    };
    guard().map_err(|error| JournalError::from_sqlite(path, Some(&connection), &error))?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Every commit waits for the disk; on macOS also for the disk's own cache.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // Writing again over a log of full size syncs twice as fast as growing one.
    connection.pragma_update(None, "journal_size_limit", -1)
}

/// Makes the file, durably, before `SQLite` sees it: so it is private from its
/// first moment, and the files `SQLite` puts beside it take over its mode.
fn create(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    create_private(path)?;
    File::open(folder)?.sync_all()
}

/// Makes a file that only its owner can read, or closes it to others.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != FILE_MODE {
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    }
    Ok(())
}

/// A folder that is already there keeps its mode: it may be anyone's.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

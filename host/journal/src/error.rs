//! What can go wrong, told by cause and remedy.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, ffi};
use thiserror::Error;

/// Why the journal could not be opened, written or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JournalError {
    /// The disk, the quota or the file size limit is used up.
    #[error(
        "no room left to write the journal {} ({detail}); free disk space or raise the quota, then start `host run` again", path.display()
    )]
    DiskFull {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The file, its folder or its file system does not take writes.
    #[error(
        "the journal {} cannot be written ({detail}); give this user the right to write to it and to its folder", path.display()
    )]
    ReadOnly {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The content contradicts itself.
    #[error(
        "the journal {} is damaged ({detail}); stop the host, {}", path.display(), restore(path, copy.as_deref())
    )]
    Corrupt {
        /// The journal.
        path: PathBuf,
        /// What was found.
        detail: String,
        /// A verified copy from an earlier time, if there is one.
        copy: Option<PathBuf>,
    },
    /// Something else stands where the journal should be.
    #[error(
        "{} is not a journal of Hostler ({detail}); move the file away or choose another state directory", path.display()
    )]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        detail: String,
    },
    /// There is nothing to read yet.
    #[error(
        "there is no journal at {}; start `host run` once, or choose another state directory", path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A later version of Hostler wrote it.
    #[error(
        "the journal {} has schema {found}, and this version of Hostler knows {known} at most; install the newer version again", path.display()
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The highest version known here.
        known: u32,
    },
    /// An earlier version of Hostler wrote it, and reading must not change it.
    #[error(
        "the journal {} still has schema {found} and {known} is needed; start `host run` once to bring it forward", path.display()
    )]
    Older {
        /// The journal.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The version needed.
        known: u32,
    },
    /// The file system cannot share memory between processes.
    #[error(
        "the journal {} is on a file system without shared memory maps, such as a network drive; choose a state directory on a local disk", path.display()
    )]
    Unshareable {
        /// The journal.
        path: PathBuf,
    },
    /// Another process holds it.
    #[error(
        "the journal {} is locked by another process; end that process first", path.display()
    )]
    Busy {
        /// The journal.
        path: PathBuf,
    },
    /// The system failed to read or write.
    #[error(
        "the journal {} could not be read or written ({detail}); check the disk and the system's log", path.display()
    )]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Anything else that `SQLite` reports.
    #[error(
        "the journal {} failed unexpectedly ({detail}); please report this", path.display()
    )]
    Other {
        /// The journal.
        path: PathBuf,
        /// What `SQLite` said.
        detail: String,
    },
    /// An entry does not fit to what is recorded.
    #[error(
        "an entry contradicts the journal {} ({detail}); this is a bug in Hostler, please report it", path.display()
    )]
    Contradiction {
        /// The journal.
        path: PathBuf,
        /// What contradicts.
        detail: String,
    },
    /// An entry is larger than anything sound can be.
    #[error(
        "an entry of {bytes} bytes was refused, {limit} are allowed; something in the host grows without bound, please report it"
    )]
    TooLarge {
        /// Bytes of text in the entry.
        bytes: usize,
        /// The most an entry may have.
        limit: usize,
    },
    /// An earlier append failed, so nothing more is taken.
    #[error("the journal takes nothing more since an earlier write failed: {first}")]
    Stopped {
        /// The failure that stopped it.
        first: Box<JournalError>,
    },
    /// The writer has ended.
    #[error("the journal is closed; start `host run` again")]
    Closed,
    /// More than one run begins like this.
    #[error("`{prefix}` is the beginning of more than one run ({}); give more of its id", candidates.join(", "))]
    AmbiguousRun {
        /// What was asked for.
        prefix: String,
        /// Some of the runs that begin like it.
        candidates: Vec<String>,
    },
}

impl JournalError {
    /// An error of the system while it worked on this file.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path, detail }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, detail }
            }
            _ => Self::Io { path, detail },
        }
    }

    /// Damage, with the way out of it that there is.
    pub(crate) fn corrupt(path: &Path, detail: String) -> Self {
        Self::Corrupt { path: path.to_owned(), detail, copy: crate::copy::usable_copy(path) }
    }

    /// An error of `SQLite`. With the connection it happened on, the system's own
    /// error number tells a full quota from a broken disk.
    pub(crate) fn from_sqlite(path: &Path, connection: Option<&Connection>, error: &rusqlite::Error) -> Self {
        let detail = error.to_string();
        let Some(code) = error.sqlite_error_code() else {
            return Self::Other { path: path.to_owned(), detail };
        };
        let path = path.to_owned();
        match code {
            ErrorCode::DiskFull => Self::DiskFull { path, detail },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly { path, detail },
            ErrorCode::DatabaseCorrupt => Self::corrupt(&path, detail),
            ErrorCode::NotADatabase => Self::NotAJournal { path, detail },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { path },
            ErrorCode::ConstraintViolation => Self::Contradiction { path, detail },
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => match connection.and_then(system_error) {
                Some(error) => Self::from_io(&path, &error),
                None => Self::Io { path, detail },
            },
            _ => Self::Other { path, detail },
        }
    }
}

/// How to get on with a damaged journal.
fn restore(path: &Path, copy: Option<&Path>) -> String {
    match copy {
        Some(copy) => format!(
            "move the file away with those that begin with its name and end in -wal and -shm, and put the \
             verified copy {} in its place (what happened after it was made is missing there)",
            copy.display()
        ),
        None => format!(
            "keep the file, move it away, and restore {} from a backup; without one, a new start begins \
             with an empty record",
            path.display()
        ),
    }
}

/// The system's error behind the last failed read, write or open, if there is one.
fn system_error(connection: &Connection) -> Option<io::Error> {
    // SAFETY: the handle comes from a live connection that is borrowed for the
    // whole call, and the function only reads a number from it.
    let number = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    (number != 0).then(|| io::Error::from_raw_os_error(number))
}

/// Why a step failed, before it is known on which file.
#[derive(Debug)]
pub(crate) enum Fault {
    /// `SQLite` said no.
    Sqlite(rusqlite::Error),
    /// The entry does not fit to what is recorded.
    Contradiction(String),
    /// The entry is too large.
    TooLarge {
        /// Bytes of text in the entry.
        bytes: usize,
        /// The most an entry may have.
        limit: usize,
    },
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Fault {
    /// Names the file it happened on.
    pub(crate) fn on(self, path: &Path, connection: &Connection) -> JournalError {
        match self {
            Self::Sqlite(error) => JournalError::from_sqlite(path, Some(connection), &error),
            Self::Contradiction(detail) => JournalError::Contradiction { path: path.to_owned(), detail },
            Self::TooLarge { bytes, limit } => JournalError::TooLarge { bytes, limit },
        }
    }
}

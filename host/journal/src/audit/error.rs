//! What can go wrong with the audit log, told by cause and remedy.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::damage::Damage;

/// Why something could not be written down, or the log not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuditError {
    /// The disk, the quota or the file size limit is used up.
    #[error("no room left to write the audit log {} ({detail}); free disk space or raise the quota: until then no agent starts, no work lands and no plugin is allowed", path.display())]
    DiskFull {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The file, its folder or its file system does not take writes.
    #[error("the audit log {} cannot be written ({detail}); give this user the right to write there: until then no agent starts, no work lands and no plugin is allowed", path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// Another process holds the lock and does not let go of it.
    #[error("the audit log {} is locked by another process that does not let go of it; end that process", path.display())]
    Busy {
        /// The file or folder.
        path: PathBuf,
    },
    /// The system failed to read or write.
    #[error("the audit log {} could not be read or written ({detail}); check the disk and the system's log", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The host ends.
    #[error("nothing more is written to the audit log, because the host ends")]
    Closed,
    /// An entry is larger than anything sound can be.
    #[error(
        "an entry of {bytes} bytes for the audit log was refused, {limit} are allowed; ask for fewer rights at once, or report this"
    )]
    TooLarge {
        /// Bytes of the line.
        bytes: usize,
        /// The most that a line may have.
        limit: usize,
    },
}

impl AuditError {
    /// Makes an error of the system into one about this file.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| {
            let detail = error.to_string();
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
    }
}

/// Why a log is not proven to be whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// It is not.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// It could not be read.
    #[error(transparent)]
    Unread(#[from] AuditError),
}

//! Removes the oldest files of a log, if the operator wants none to be kept for ever.

use std::fs;
use std::path::PathBuf;

use super::entry::{Entry, Event};
use super::error::AuditError;
use super::hash::Head;
use super::log::{AuditLog, Settle};

/// A file of the log all of whose entries are old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Old {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its last entry.
    pub through: Head,
}

impl AuditLog {
    /// The files whose last entry was written before this moment, in milliseconds since
    /// 1970, oldest first. Only what stands before everything that stays; never the file
    /// that is written to.
    pub fn older_than(&self, before: i64) -> Result<Vec<Old>, AuditError> {
        let mut segments = self.segments()?;
        segments.pop();
        let mut old = Vec::new();
        for path in segments {
            let content = fs::read_to_string(&path).map_err(AuditError::at(&path))?;
            let last = content.lines().last().and_then(|line| serde_json::from_str::<Entry>(line).ok());
            let Some(last) = last.filter(|last| last.at < before) else { break };
            let through = Head { n: last.n, hash: last.hash };
            old.push(Old { path, bytes: content.len() as u64, through });
        }
        Ok(old)
    }

    /// Removes these files, after an entry that says so; `at` is the time of that entry.
    pub fn collect(&self, at: i64, old: &[Old]) -> Result<(), AuditError> {
        let Some(last) = old.last() else { return Ok(()) };
        self.append(at, &Event::Collected { through: last.through }, Settle::Now)?;
        for Old { path, .. } in old {
            fs::remove_file(path).map_err(AuditError::at(path))?;
        }
        Ok(())
    }
}

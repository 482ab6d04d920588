//! The agent's output as it came, byte for byte, in a file.

use std::fs::File;
use std::io::{self, Write};

use crate::agent::Stream;

/// What one stream may write to disk: an agent that runs away must not fill it.
/// Its lines are still read and passed on.
pub const LOG_LIMIT: u64 = 1024 * 1024 * 1024;

/// Something that went wrong beside the agent; the agent goes on.
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// The log is not complete from here on.
    #[error(
        "the agent's {stream} is no longer written to its log: {source}; free some space, the agent goes on"
    )]
    LogFailed {
        /// Which log.
        stream: Stream,
        /// What the system said.
        source: io::Error,
    },
    /// The log has reached its limit.
    #[error(
        "the log of the agent's {stream} has reached its limit of {limit} bytes and ends here; the agent goes on"
    )]
    LogFull {
        /// Which log.
        stream: Stream,
        /// See [`LOG_LIMIT`].
        limit: u64,
    },
}

/// Appends to one log until the first failure, which is told once.
#[derive(Debug)]
pub(crate) struct RawLog {
    stream: Stream,
    /// `None` once it has failed or is full.
    file: Option<File>,
    room: u64,
    limit: u64,
}

impl RawLog {
    pub(crate) fn new(stream: Stream, file: File) -> Self {
        Self::with_limit(stream, file, LOG_LIMIT)
    }

    fn with_limit(stream: Stream, file: File, limit: u64) -> Self {
        Self { stream, file: Some(file), room: limit, limit }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Option<Warning> {
        let file = self.file.as_mut()?;
        let fits = usize::try_from(self.room).unwrap_or(usize::MAX).min(bytes.len());
        let warning = match file.write_all(&bytes[..fits]) {
            Err(source) => Some(Warning::LogFailed { stream: self.stream, source }),
            Ok(()) if fits < bytes.len() => Some(Warning::LogFull { stream: self.stream, limit: self.limit }),
            Ok(()) => None,
        };
        self.room -= fits as u64;
        if warning.is_some() {
            self.file = None;
        }
        warning
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_once() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = RawLog::new(Stream::Stderr, full);
        let warning = log.append(b"x").unwrap();
        assert!(
            matches!(&warning, Warning::LogFailed { source, .. } if source.kind() == io::ErrorKind::StorageFull)
        );
        assert!(warning.to_string().starts_with("the agent's stderr is no longer written"));
        assert!(log.append(b"x").is_none());
    }

    #[test]
    fn a_log_takes_its_limit_and_not_one_byte_more() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let mut log = RawLog::with_limit(Stream::Stdout, File::create(&path).unwrap(), 4);
        assert!(log.append(b"1234").is_none());
        assert!(matches!(log.append(b"5"), Some(Warning::LogFull { limit: 4, .. })));
        assert!(log.append(b"6").is_none());
        assert_eq!(fs::read(path).unwrap(), b"1234");
    }
}

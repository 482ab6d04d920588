//! One of the agent's two output streams: read, logged, split into lines.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use tokio::net::unix::pipe::Receiver;

use crate::agent::Stream;
use crate::lines::{Line, LineSplitter};
use crate::raw_log::{RawLog, Warning};

/// What is read at once: the usual capacity of a pipe.
const CHUNK: usize = 64 * 1024;

/// How much is read after the agents are gone. All they wrote is in the pipe by
/// then, and a pipe holds at most 1 MiB unless the administrator allows more;
/// only a stranger who was handed the pipe can go on writing.
const DRAIN_LIMIT: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct OutputStream {
    /// `None` once it has ended.
    pipe: Option<Receiver>,
    splitter: LineSplitter,
    log: RawLog,
    buffer: Vec<u8>,
    drain_left: usize,
}

/// What one read gave.
#[derive(Debug)]
pub(crate) struct Batch {
    pub lines: Vec<Line>,
    pub warning: Option<Warning>,
}

impl OutputStream {
    pub(crate) fn new(pipe: OwnedFd, log: RawLog) -> io::Result<Self> {
        Ok(Self {
            pipe: Some(Receiver::from_owned_fd(pipe)?),
            splitter: LineSplitter::default(),
            log,
            buffer: vec![0; CHUNK],
            drain_left: DRAIN_LIMIT,
        })
    }

    /// Waits until [`Self::read`] has something to do; for ever once it has ended.
    pub(crate) async fn ready(&self) {
        match &self.pipe {
            // An error is met again by the read, which ends the stream.
            Some(pipe) => drop(pipe.readable().await),
            None => pending().await,
        }
    }

    /// Reads once, without waiting.
    pub(crate) fn read(&mut self) -> Batch {
        let Some(pipe) = &self.pipe else { return Batch { lines: Vec::new(), warning: None } };
        match pipe.try_read(&mut self.buffer) {
            Ok(0) => self.end(),
            Ok(count) => self.take(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Batch { lines: Vec::new(), warning: None }
            }
            Err(_) => self.end(),
        }
    }

    /// After the agents are gone: reads what is still in the pipe, without
    /// waiting for strangers who hold it open. `None` when all has been given.
    pub(crate) fn drain(&mut self) -> Option<Batch> {
        let pipe = self.pipe.as_ref()?;
        let most = self.drain_left.min(CHUNK);
        // Past the runtime, which may not have heard yet that there is more.
        Some(match rustix::io::read(pipe.as_fd(), &mut self.buffer[..most]) {
            Ok(0) => self.end(),
            Ok(count) => {
                self.drain_left -= count;
                self.take(count)
            }
            Err(Errno::INTR) => Batch { lines: Vec::new(), warning: None },
            Err(_) => self.end(),
        })
    }

    fn take(&mut self, count: usize) -> Batch {
        let bytes = &self.buffer[..count];
        Batch { warning: self.log.append(bytes), lines: self.splitter.push(bytes) }
    }

    fn end(&mut self) -> Batch {
        self.pipe = None;
        Batch { lines: self.splitter.finish().into_iter().collect(), warning: None }
    }
}

impl Stream {
    /// The name of the stream's log in the attempt's folder.
    pub(crate) fn log_name(self) -> &'static str {
        match self {
            Self::Stdout => crate::folder::STDOUT_FILE,
            Self::Stderr => crate::folder::STDERR_FILE,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    /// A stream whose other end the test keeps open.
    fn stream(home: &std::path::Path) -> (io::PipeWriter, OutputStream) {
        let (read, write) = io::pipe().unwrap();
        let log = RawLog::new(Stream::Stdout, std::fs::File::create(home.join("log")).unwrap());
        (write, OutputStream::new(read.into(), log).unwrap())
    }

    #[tokio::test]
    async fn draining_does_not_wait_for_who_holds_the_pipe_open() {
        let home = tempfile::tempdir().unwrap();
        let (mut write, mut stream) = stream(home.path());
        write.write_all(b"one\ntwo").unwrap();
        let mut lines = Vec::new();
        while let Some(batch) = stream.drain() {
            lines.extend(batch.lines.into_iter().map(|line| line.text));
        }
        assert_eq!(lines, ["one", "two"]);
    }

    #[tokio::test]
    async fn draining_stops_at_its_limit() {
        let home = tempfile::tempdir().unwrap();
        for (sent, expected) in [(b"1234".as_slice(), 4), (b"12345", 4)] {
            let (mut write, mut stream) = stream(home.path());
            stream.drain_left = 4;
            write.write_all(sent).unwrap();
            let mut length = 0;
            while let Some(batch) = stream.drain() {
                length += batch.lines.iter().map(|line| line.text.len()).sum::<usize>();
            }
            assert_eq!(length, expected);
        }
    }
}

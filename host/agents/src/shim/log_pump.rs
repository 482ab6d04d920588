//! From one of the agent's output pipes to its log, without secrets.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use hostler_engine::redaction::{Redaction, Redactor};
use rustix::io::Errno;

use crate::control::{Reached, Trouble};

/// What one stream may write to disk: an agent that runs away must not fill it.
pub const LOG_LIMIT: u64 = 1024 * 1024 * 1024;

/// What is read at once: the usual capacity of a pipe.
const CHUNK: usize = 64 * 1024;

/// How much is read after the agents are gone. All they wrote is in the pipe by
/// then, and a pipe holds at most 1 MiB unless the administrator allows more;
/// only a stranger who was handed the pipe can go on writing.
const DRAIN_LIMIT: u64 = 16 * 1024 * 1024;

/// How often a log that could not be written is tried again: room is made by
/// people.
const RETRY: Duration = Duration::from_secs(1);

/// Reads no further than it can write: while the log cannot be written, the
/// agent waits on its full pipe, and nothing is lost. The same before it knows
/// what to hide.
#[derive(Debug)]
pub(super) struct LogPump {
    /// `None` until it knows what to hide.
    redactor: Option<Redactor>,
    /// `None` once it has ended.
    pipe: Option<OwnedFd>,
    log: File,
    limit: u64,
    written: u64,
    /// Where the pipe is read to.
    chunk: Box<[u8]>,
    /// What was read and not written yet.
    pending: Vec<u8>,
    trouble: Option<Trouble>,
    retry: Option<Instant>,
    drain_left: u64,
}

impl LogPump {
    /// The pipe must not wait when it is empty.
    pub(super) fn new(pipe: OwnedFd, log: File) -> Self {
        Self::with_limit(pipe, log, LOG_LIMIT)
    }

    fn with_limit(pipe: OwnedFd, log: File, limit: u64) -> Self {
        Self {
            redactor: None,
            pipe: Some(pipe),
            log,
            limit,
            written: 0,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            pending: Vec::new(),
            trouble: None,
            retry: None,
            drain_left: DRAIN_LIMIT,
        }
    }

    /// Takes these secrets out of all that the agent says. Said once, before the
    /// first byte is read.
    pub(super) fn hide(&mut self, redaction: &Redaction) {
        self.redactor.get_or_insert_with(|| redaction.stream());
    }

    /// Whether it knows what to hide.
    pub(super) const fn hides(&self) -> bool {
        self.redactor.is_some()
    }

    pub(super) fn reached(&self) -> Reached {
        let ended = self.pipe.is_none() && self.pending.is_empty();
        Reached { bytes: self.written, ended, trouble: self.trouble }
    }

    /// Whether the log lacks something that the agent wrote.
    pub(super) fn is_truncated(&self) -> bool {
        self.trouble == Some(Trouble::Full) || !self.pending.is_empty() || !self.hides()
    }

    /// What to wait for; nothing while the log cannot be written.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| self.pending.is_empty() && self.hides()).map(AsFd::as_fd)
    }

    /// Moves what there is, at most one chunk, without waiting.
    pub(super) fn pump(&mut self, now: Instant) {
        self.write(now);
        if self.pending.is_empty() {
            self.read(CHUNK);
            self.write(now);
        }
    }

    /// After the agents are gone: moves what is still in the pipe, without
    /// waiting for strangers who hold it open. `true` once all of it is written.
    pub(super) fn drain(&mut self, now: Instant) -> bool {
        self.write(now);
        while self.hides() && self.pipe.is_some() && self.pending.is_empty() {
            let most = usize::try_from(self.drain_left).unwrap_or(CHUNK).min(CHUNK);
            let count = self.read(most);
            if count == 0 {
                self.close();
            }
            self.drain_left -= count as u64;
            self.write(now);
        }
        self.pipe.is_none() && self.pending.is_empty()
    }

    /// The log is complete on disk, also over a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.log.sync_all()
    }

    fn read(&mut self, most: usize) -> usize {
        let (Some(pipe), Some(redactor)) = (&self.pipe, &mut self.redactor) else { return 0 };
        match rustix::io::read(pipe, &mut self.chunk[..most]) {
            Ok(0) if most > 0 => self.close(),
            Ok(count) => {
                redactor.push(&self.chunk[..count], &mut self.pending);
                return count;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.close(),
        }
        0
    }

    /// Nothing more comes, so what looked like the beginning of a secret is none.
    fn close(&mut self) {
        self.pipe = None;
        if let Some(redactor) = &mut self.redactor {
            redactor.finish(&mut self.pending);
        }
    }

    fn write(&mut self, now: Instant) {
        if self.pending.is_empty() || self.retry.is_some_and(|retry| now < retry) {
            return;
        }
        let room = usize::try_from(self.limit - self.written).unwrap_or(usize::MAX);
        let mut fits = self.pending.len().min(room);
        while fits > 0 {
            match self.log.write(&self.pending[..fits]) {
                Ok(count) => {
                    self.pending.drain(..count);
                    fits -= count;
                    self.written += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.trouble = Some(Trouble::Failed { errno: error.raw_os_error().unwrap_or(0) });
                    self.retry = Some(now + RETRY);
                    return;
                }
            }
        }
        let full = !self.pending.is_empty() || self.trouble == Some(Trouble::Full);
        self.trouble = full.then_some(Trouble::Full);
        self.retry = None;
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::super::descriptors::do_not_wait;
    use super::*;

    fn hiding(secrets: &[&str], mut pump: LogPump) -> LogPump {
        pump.hide(&Redaction::of(secrets).unwrap());
        pump
    }

    fn pipe() -> (OwnedFd, File) {
        let (read, write) = io::pipe().unwrap();
        do_not_wait(&read).unwrap();
        (read.into(), File::from(OwnedFd::from(write)))
    }

    #[test]
    fn a_log_takes_its_limit_and_not_one_byte_more() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let (read, mut agent) = pipe();
        let mut pump = hiding(&[], LogPump::with_limit(read, File::create(&path).unwrap(), 4));
        agent.write_all(b"1234").unwrap();
        pump.pump(Instant::now());
        assert_eq!((pump.reached().bytes, pump.is_truncated()), (4, false));
        agent.write_all(b"5").unwrap();
        pump.pump(Instant::now());
        assert_eq!(pump.reached().trouble, Some(Trouble::Full));
        agent.write_all(b"6").unwrap();
        pump.pump(Instant::now());
        assert!(pump.source().is_some(), "it reads on and drops");
        drop(agent);
        pump.pump(Instant::now());
        assert_eq!(pump.reached(), Reached { bytes: 4, ended: true, trouble: Some(Trouble::Full) });
        assert!(pump.is_truncated());
        assert_eq!(fs::read(path).unwrap(), b"1234");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_log_that_cannot_be_written_is_tried_again_and_nothing_more_is_read() {
        let home = tempfile::tempdir().unwrap();
        let (read, mut agent) = pipe();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut pump = hiding(&[], LogPump::new(read, full));
        let start = Instant::now();
        agent.write_all(b"one").unwrap();
        pump.pump(start);
        let failed = Trouble::Failed { errno: Errno::NOSPC.raw_os_error() };
        assert_eq!(pump.reached(), Reached { bytes: 0, ended: false, trouble: Some(failed) });
        assert!(pump.source().is_none());
        assert!(!pump.drain(start));

        agent.write_all(b"two").unwrap();
        drop(agent);
        let path = home.path().join("log");
        pump.log = File::create(&path).unwrap();
        pump.pump(start + RETRY.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(pump.reached().bytes, 0, "not before its time");
        assert!(pump.drain(start + RETRY));
        assert_eq!(pump.reached(), Reached { bytes: 6, ended: true, trouble: None });
        assert_eq!(fs::read(path).unwrap(), b"onetwo");
    }

    #[test]
    fn draining_does_not_wait_for_who_holds_the_pipe_open() {
        let (read, mut stranger) = pipe();
        let mut pump = hiding(&[], LogPump::new(read, tempfile::tempfile().unwrap()));
        stranger.write_all(b"one\ntwo").unwrap();
        assert!(pump.drain(Instant::now()));
        assert_eq!(pump.reached(), Reached { bytes: 7, ended: true, trouble: None });
    }

    #[test]
    fn draining_stops_at_its_limit() {
        for (sent, expected) in [(b"1234".as_slice(), 4), (b"12345", 4)] {
            let (read, mut stranger) = pipe();
            let mut pump = hiding(&[], LogPump::new(read, tempfile::tempfile().unwrap()));
            pump.drain_left = 4;
            stranger.write_all(sent).unwrap();
            assert!(pump.drain(Instant::now()));
            assert_eq!(pump.reached().bytes, expected);
        }
    }

    #[test]
    fn nothing_is_read_before_it_is_known_what_to_hide() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let (read, mut agent) = pipe();
        let mut pump = LogPump::new(read, File::create(&path).unwrap());
        agent.write_all(b"the s3cr3t\n").unwrap();
        drop(agent);
        pump.pump(Instant::now());
        assert!(pump.source().is_none() && pump.is_truncated() && !pump.drain(Instant::now()));
        assert_eq!(fs::read(&path).unwrap(), b"");
        let mut pump = hiding(&["s3cr3t"], pump);
        assert!(pump.drain(Instant::now()));
        assert_eq!(fs::read(&path).unwrap(), b"the ******\n");
    }

    #[test]
    fn a_secret_in_two_writes_is_hidden_and_a_line_before_it_does_not_wait() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        let (read, mut agent) = pipe();
        let mut pump = hiding(&["s3cr3t"], LogPump::new(read, File::create(&path).unwrap()));
        agent.write_all(b"a line\nkey s3c").unwrap();
        pump.pump(Instant::now());
        assert_eq!(fs::read(&path).unwrap(), b"a line\nkey ");
        agent.write_all(b"r3t, s3cr").unwrap();
        pump.pump(Instant::now());
        assert_eq!(fs::read(&path).unwrap(), b"a line\nkey ******, ");
        drop(agent);
        pump.pump(Instant::now());
        assert_eq!(pump.reached(), Reached { bytes: 23, ended: true, trouble: None });
        assert_eq!(fs::read(&path).unwrap(), b"a line\nkey ******, s3cr");
    }
}

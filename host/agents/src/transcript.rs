//! The two logs of an attempt, read as lines.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::lines::{Line, LineSplitter};
use crate::stream::{Both, Stream};

/// What is read from a log at once.
const CHUNK: u64 = 64 * 1024;

/// Where a reader of an attempt's logs stands. Pure reading: the same steps give
/// the same lines, while the agent works and long after.
#[derive(Debug)]
pub struct Transcript(Both<Log>);

#[derive(Debug)]
struct Log {
    path: PathBuf,
    /// `None` while there is none to read.
    file: Option<File>,
    offset: u64,
    splitter: LineSplitter,
}

impl Transcript {
    /// At the beginning of both logs. A log that is not there is empty.
    pub fn open(folder: &Path) -> Self {
        let log = |stream: Stream| Log {
            path: folder.join(stream.log_name()),
            file: None,
            offset: 0,
            splitter: LineSplitter::default(),
        };
        Self(Both { stdout: log(Stream::Stdout), stderr: log(Stream::Stderr) })
    }

    /// The lines that are completed by the bytes up to `end`, an offset in the
    /// log; those after the last line end are kept for later. Beyond the end of
    /// the log is up to there. All lines are in memory at once, so a reader of
    /// long logs goes by steps.
    pub fn read_to(&mut self, source: Stream, end: u64) -> io::Result<Vec<Line>> {
        self.0.of_mut(source).read_to(end)
    }

    /// The stream has ended: what came after its last line end, if anything.
    pub fn finish(&mut self, source: Stream) -> Option<Line> {
        self.0.of_mut(source).splitter.finish()
    }

    /// So many bytes of the log were read.
    pub fn offset(&self, source: Stream) -> u64 {
        self.0.of(source).offset
    }

    /// So many bytes lie in the log now.
    pub fn length(&self, source: Stream) -> io::Result<u64> {
        match self.0.of(source).path.metadata() {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }
}

impl Log {
    fn read_to(&mut self, end: u64) -> io::Result<Vec<Line>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
        }
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        let mut lines = Vec::new();
        let mut buffer = Vec::new();
        while self.offset < end {
            let most = usize::try_from((end - self.offset).min(CHUNK)).unwrap_or_default();
            buffer.resize(most, 0);
            let count = match file.read_at(&mut buffer, self.offset) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.offset += count as u64;
            lines.extend(self.splitter.push(&buffer[..count]));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;
    use crate::folder::STDOUT_FILE;

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_come_with_the_bytes_that_complete_them() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(STDOUT_FILE), "one\ntwo\nthr").unwrap();
        let mut transcript = Transcript::open(home.path());
        assert_eq!(texts(transcript.read_to(Stream::Stdout, 6).unwrap()), ["one"]);
        assert_eq!(transcript.offset(Stream::Stdout), 6);
        assert_eq!(texts(transcript.read_to(Stream::Stdout, 6).unwrap()), [""; 0]);
        assert_eq!(texts(transcript.read_to(Stream::Stdout, u64::MAX).unwrap()), ["two"]);
        assert_eq!(transcript.offset(Stream::Stdout), transcript.length(Stream::Stdout).unwrap());
        assert_eq!(transcript.finish(Stream::Stdout).unwrap().text, "thr");
        assert_eq!(transcript.finish(Stream::Stdout), None);
    }

    #[test]
    fn a_log_that_is_not_there_is_empty_until_it_is() {
        let home = tempfile::tempdir().unwrap();
        let mut transcript = Transcript::open(home.path());
        assert_eq!(transcript.read_to(Stream::Stdout, 10).unwrap(), []);
        assert_eq!(transcript.length(Stream::Stdout).unwrap(), 0);
        fs::write(home.path().join(STDOUT_FILE), "now\n").unwrap();
        assert_eq!(texts(transcript.read_to(Stream::Stdout, 10).unwrap()), ["now"]);
        assert_eq!(transcript.offset(Stream::Stdout), 4);
    }

    #[test]
    fn the_streams_are_read_apart() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(STDOUT_FILE), "out\n").unwrap();
        let mut transcript = Transcript::open(home.path());
        assert_eq!(transcript.read_to(Stream::Stderr, 4).unwrap(), []);
        assert_eq!(texts(transcript.read_to(Stream::Stdout, 4).unwrap()), ["out"]);
    }
}

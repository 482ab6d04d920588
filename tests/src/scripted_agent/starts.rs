//! The log of starts: one JSON line per happening, so that an agent killed in
//! the middle still leaves what came before.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::script::Counting;
use super::step::ChildKind;

/// One start of the agent, as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Counts all starts of this agent, from 1.
    pub number: usize,
    /// Which attempt was played, from 1; differs from `number` when folders count apart.
    pub attempt: usize,
    /// Process id.
    pub pid: i32,
    /// Arguments, with the program's name in front.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Working folder.
    pub cwd: PathBuf,
    /// Milliseconds since 1970.
    pub started_ms: u64,
    /// What was read from standard input; `None` if it was never read.
    pub stdin: Option<String>,
    /// Processes it left behind, with their first process id.
    pub children: Vec<(ChildKind, i32)>,
    /// Absent while it runs, and if something else ended it.
    pub ended: Option<Ended>,
}

/// How an agent ended by its own doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// `exit 0`, `signal KILL`, or what was wrong with the script.
    pub how: String,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartsError {
    /// Reading or writing failed.
    #[error("cannot use the log of starts {}: {source}", path.display())]
    Io {
        /// The log.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line is not one of ours.
    #[error("line {line} of the log of starts {} is not understood: {source}", path.display())]
    NotUnderstood {
        /// The log.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Why not.
        source: serde_json::Error,
    },
}

/// What a new process knows about itself.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub cwd: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
enum Entry {
    Started {
        number: usize,
        attempt: usize,
        pid: i32,
        argv: Vec<String>,
        env: BTreeMap<String, String>,
        cwd: PathBuf,
        at_ms: u64,
    },
    Stdin {
        number: usize,
        text: String,
    },
    Child {
        number: usize,
        kind: ChildKind,
        pid: i32,
    },
    Ended {
        number: usize,
        #[serde(flatten)]
        ended: Ended,
    },
    Asked {
        argv: Vec<String>,
        at_ms: u64,
    },
}

/// Reads all starts recorded so far, in order. A log that does not exist yet has none.
pub fn read_starts(log: &Path) -> Result<Vec<Start>, StartsError> {
    let text = match std::fs::read_to_string(log) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io_error(log, source)),
    };
    starts_in(log, &text)
}

fn starts_in(log: &Path, text: &str) -> Result<Vec<Start>, StartsError> {
    let mut starts: Vec<Start> = Vec::new();
    // A line without its end is still being written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (index, line) in whole.lines().enumerate() {
        let entry = serde_json::from_str(line).map_err(|source| StartsError::NotUnderstood {
            path: log.to_owned(),
            line: index + 1,
            source,
        })?;
        take(&mut starts, entry);
    }
    Ok(starts)
}

fn take(starts: &mut Vec<Start>, entry: Entry) {
    match entry {
        Entry::Started { number, attempt, pid, argv, env, cwd, at_ms } => starts.push(Start {
            number,
            attempt,
            pid,
            argv,
            env,
            cwd,
            started_ms: at_ms,
            stdin: None,
            children: Vec::new(),
            ended: None,
        }),
        Entry::Stdin { number, text } => {
            if let Some(start) = numbered(starts, number) {
                start.stdin.get_or_insert_default().push_str(&text);
            }
        }
        Entry::Child { number, kind, pid } => {
            if let Some(start) = numbered(starts, number) {
                start.children.push((kind, pid));
            }
        }
        Entry::Ended { number, ended } => {
            if let Some(start) = numbered(starts, number) {
                start.ended = Some(ended);
            }
        }
        Entry::Asked { .. } => {}
    }
}

fn numbered(starts: &mut [Start], number: usize) -> Option<&mut Start> {
    starts.iter_mut().find(|start| start.number == number)
}

/// The log as a running agent writes it.
#[derive(Debug, Clone)]
pub(super) struct StartLog {
    path: PathBuf,
    number: usize,
}

impl StartLog {
    /// Records a start and finds its numbers, safe against other starts at the same time.
    pub fn arrive(path: &Path, counting: Counting, arrival: &Arrival) -> Result<(Self, usize), StartsError> {
        let failed = |source| io_error(path, source);
        let mut file = open(path).map_err(failed)?;
        file.lock().map_err(failed)?;
        let mut text = String::new();
        file.rewind().map_err(failed)?;
        file.read_to_string(&mut text).map_err(failed)?;
        let earlier = starts_in(path, &text)?;
        let counted = |start: &&Start| match counting {
            Counting::Everywhere => true,
            Counting::PerFolder => start.cwd == arrival.cwd,
        };
        let number = earlier.len() + 1;
        let attempt = earlier.iter().filter(counted).count() + 1;
        let entry = Entry::Started {
            number,
            attempt,
            pid: std::process::id().cast_signed(),
            argv: arrival.argv.clone(),
            env: arrival.env.clone(),
            cwd: arrival.cwd.clone(),
            at_ms: now_ms(),
        };
        append(&mut file, &entry).map_err(failed)?;
        let path = path.to_owned();
        Ok((Self { path, number }, attempt))
    }

    /// The log of a start that has arrived already; children write into it.
    pub fn of(path: PathBuf, number: usize) -> Self {
        Self { path, number }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn number(&self) -> usize {
        self.number
    }

    /// Records what was read from standard input.
    pub fn stdin(&self, text: String) -> Result<(), StartsError> {
        let number = self.number;
        self.write(&Entry::Stdin { number, text })
    }

    /// Records that a process was left behind and is ready.
    pub fn child(&self, kind: ChildKind) -> Result<(), StartsError> {
        self.write(&Entry::Child { number: self.number, kind, pid: std::process::id().cast_signed() })
    }

    /// Records how the agent is about to end.
    pub fn ended(&self, how: &str) -> Result<(), StartsError> {
        self.write(&Entry::Ended {
            number: self.number,
            ended: Ended { at_ms: now_ms(), how: how.to_owned() },
        })
    }

    fn write(&self, entry: &Entry) -> Result<(), StartsError> {
        write_entry(&self.path, entry)
    }
}

/// Records a question; it does not count as a start.
pub(super) fn record_question(log: &Path, argv: Vec<String>) -> Result<(), StartsError> {
    write_entry(log, &Entry::Asked { argv, at_ms: now_ms() })
}

fn write_entry(log: &Path, entry: &Entry) -> Result<(), StartsError> {
    let write = || {
        let mut file = open(log)?;
        file.lock()?;
        append(&mut file, entry)
    };
    write().map_err(|source| io_error(log, source))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path)
}

fn append(file: &mut File, entry: &Entry) -> io::Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    file.write_all(&line)
}

fn io_error(path: &Path, source: io::Error) -> StartsError {
    StartsError::Io { path: path.to_owned(), source }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn arrival(cwd: &str) -> Arrival {
        Arrival {
            argv: vec!["claude".to_owned(), "-p".to_owned()],
            env: BTreeMap::from([("LANG".to_owned(), "C".to_owned())]),
            cwd: cwd.into(),
        }
    }

    #[test]
    fn starts_are_numbered_everywhere_or_per_folder() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.starts.jsonl");
        let arrive = |counting, cwd| StartLog::arrive(&log, counting, &arrival(cwd)).unwrap().1;
        assert_eq!(arrive(Counting::Everywhere, "/a"), 1);
        assert_eq!(arrive(Counting::Everywhere, "/b"), 2);
        assert_eq!(arrive(Counting::PerFolder, "/b"), 2);
        assert_eq!(arrive(Counting::PerFolder, "/c"), 1);
        let numbers: Vec<_> = read_starts(&log).unwrap().iter().map(|s| s.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4]);
    }

    #[test]
    fn what_happens_to_a_start_is_found_at_that_start() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.starts.jsonl");
        let (first, _) = StartLog::arrive(&log, Counting::Everywhere, &arrival("/a")).unwrap();
        let (second, _) = StartLog::arrive(&log, Counting::Everywhere, &arrival("/a")).unwrap();
        record_question(&log, vec!["--version".to_owned()]).unwrap();
        second.stdin("hel".to_owned()).unwrap();
        second.stdin("lo".to_owned()).unwrap();
        second.child(ChildKind::Daemon).unwrap();
        first.ended("exit 0").unwrap();
        let starts = read_starts(&log).unwrap();
        assert_eq!(starts.len(), 2);
        assert_eq!(starts[0].ended.as_ref().unwrap().how, "exit 0");
        assert_eq!(starts[0].stdin, None);
        assert_eq!(starts[1].stdin.as_deref(), Some("hello"));
        assert_eq!(starts[1].children[0].0, ChildKind::Daemon);
        assert_eq!(starts[1].ended, None);
    }

    #[test]
    fn a_line_that_is_still_being_written_is_not_read_yet() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("a.starts.jsonl");
        StartLog::arrive(&log, Counting::Everywhere, &arrival("/a")).unwrap();
        open(&log).unwrap().write_all(b"{\"entry\":\"sta").unwrap();
        assert_eq!(read_starts(&log).unwrap().len(), 1);
    }
}

//! Recorded output of a CLI, fed through a provider's session.

use std::path::Path;

use crate::bindings::provider::exports::hostler::plugin::provider::GuestSession;
use crate::provider::{ExitStatus, Handle, Job, Line, Output, StreamName};
use crate::{Event, Outcome, Session};

/// Lines cut by the host end here.
const LINE_BYTES: usize = 1 << 20;

/// What a CLI printed, and how it ended.
#[derive(Clone, Debug)]
pub struct Transcript {
    stdout: Vec<Line>,
    stderr: Vec<Line>,
    exit: ExitStatus,
}

/// What a session made of a transcript.
#[derive(Debug, PartialEq)]
pub struct Read {
    /// Everything it answered, in order.
    pub outputs: Vec<Output>,
    /// Its judgement.
    pub outcome: Outcome,
}

impl Read {
    /// The events among the outputs.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Event(event) => Some(event),
            _ => None,
        })
    }
}

impl Transcript {
    /// From texts; the process ended by itself with this code.
    pub fn new(stdout: &str, stderr: &str, code: i32) -> Self {
        Self {
            stdout: lines(stdout),
            stderr: lines(stderr),
            exit: ExitStatus { code: Some(code), signal: None, ended_by_host: None },
        }
    }

    /// From the files `name.jsonl` and `name.stderr` in a directory; a file that
    /// does not exist counts as empty, but not both.
    pub fn load(directory: &Path, name: &str, code: i32) -> std::io::Result<Self> {
        let text = |ending: &str| std::fs::read_to_string(directory.join(format!("{name}.{ending}")));
        match (text("jsonl"), text("stderr")) {
            (Err(error), Err(_)) => Err(error),
            (stdout, stderr) => Ok(Self::new(&stdout.unwrap_or_default(), &stderr.unwrap_or_default(), code)),
        }
    }

    /// The same output, ended by a signal.
    pub fn signalled(mut self, signal: i32) -> Self {
        self.exit.code = None;
        self.exit.signal = Some(signal);
        self
    }

    /// The same output, ended by the host.
    pub fn ended_by_host(mut self, why: &str) -> Self {
        self.exit.ended_by_host = Some(why.to_owned());
        self
    }

    /// Feeds everything through a new session, so many lines at a time; standard
    /// error comes first.
    pub fn read<S: Session>(&self, job: &Job, lines_per_call: usize) -> Read {
        let session = Handle::<S>::new(job.clone());
        let mut outputs = Vec::new();
        for (source, lines) in [(StreamName::Stderr, &self.stderr), (StreamName::Stdout, &self.stdout)] {
            for chunk in lines.chunks(lines_per_call.max(1)) {
                outputs.extend(session.lines(source, chunk.to_vec()));
            }
        }
        let outcome = session.finish(self.exit.clone());
        Read { outputs, outcome }
    }
}

fn lines(text: &str) -> Vec<Line> {
    let line = |text: &str| {
        let end = text.floor_char_boundary(LINE_BYTES);
        Line { text: text[..end].to_owned(), cut: end < text.len() }
    };
    text.lines().map(line).collect()
}

/// A first attempt at a small job, for tests to change where they care.
pub fn job(prompt: &str) -> Job {
    Job {
        prompt: prompt.to_owned(),
        prompt_file: "/runs/1/prompt.md".into(),
        cwd: "/repo".into(),
        session: None,
        permission: "safe".into(),
        model: None,
        attempt: 1,
        config: "{}".into(),
    }
}

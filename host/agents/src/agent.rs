//! A running agent: its output, its end, and what may be said to it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hostler_engine::outcome::EndReason;
use tokio::io::{AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::control::{Command, Report, to_line};
use crate::exit::{Cause, Ending, Exit, TreeProof};
use crate::folder::{AgentRecord, Folder};
use crate::lines::Line;
use crate::marker::Marker;
use crate::output_stream::{Batch, OutputStream};
use crate::raw_log::Warning;
use crate::reap::sweep;
use crate::shim::now;
use crate::stdin::{StdinClosed, StdinQueue, StdinWriter};

/// How long an agent usually has between SIGTERM and SIGKILL: enough to save its
/// session, short enough for a person who waits.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// Which of the agent's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// What comes from a running agent.
#[derive(Debug)]
pub enum Output {
    /// The lines of one read, at least one, in order within their stream.
    Lines {
        /// Where they came from.
        source: Stream,
        /// The lines.
        lines: Vec<Line>,
    },
    /// Something is wrong, but not with the agent.
    Warning(Warning),
    /// It has ended: its tree is gone, or its survivors are named, and all its
    /// lines were given. Always the last, and never twice.
    Exited(Exit),
}

/// A running agent. Dropping it ends the agent and everything it started.
#[derive(Debug)]
pub struct Agent {
    /// Its processes, as in `agent.json`.
    pub record: AgentRecord,
    parts: Parts,
    control: Arc<Mutex<OwnedWriteHalf>>,
    warnings: VecDeque<Warning>,
    phase: Phase,
}

/// What an agent is made of while it runs.
#[derive(Debug)]
pub(crate) struct Parts {
    pub folder: Folder,
    pub marker: Marker,
    pub shim: Child,
    pub reports: Lines<BufReader<OwnedReadHalf>>,
    /// Held, not used: dropping it closes the agent's standard input.
    pub _writer: StdinWriter,
    pub queue: StdinQueue,
    pub stdout: OutputStream,
    pub stderr: OutputStream,
}

#[derive(Debug)]
enum Phase {
    Working,
    /// The shim is dead and cannot end its tree, so the host does.
    Sweeping(JoinHandle<io::Result<TreeProof>>),
    /// The tree is gone; its last words may still be in the pipes.
    Draining(Exit),
    Over,
}

impl Agent {
    pub(crate) fn new(record: AgentRecord, parts: Parts, control: OwnedWriteHalf) -> Self {
        let control = Arc::new(Mutex::new(control));
        Self { record, parts, control, warnings: VecDeque::new(), phase: Phase::Working }
    }

    /// For everybody who has something to say to the agent.
    pub fn handle(&self) -> AgentHandle {
        AgentHandle { control: Arc::downgrade(&self.control), stdin: self.parts.queue.clone() }
    }

    /// What comes next; `None` after [`Output::Exited`]. Nothing is read ahead: an
    /// agent whose output is not taken waits. Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Option<Output> {
        loop {
            if let Some(warning) = self.warnings.pop_front() {
                return Some(Output::Warning(warning));
            }
            let output = match &mut self.phase {
                Phase::Working => self.work().await,
                Phase::Sweeping(sweeping) => {
                    let swept = sweeping.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
                    self.phase = Phase::Draining(self.swept(swept));
                    None
                }
                Phase::Draining(_) => self.drain().await,
                Phase::Over => return None,
            };
            if output.is_some() {
                return output;
            }
        }
    }

    async fn work(&mut self) -> Option<Output> {
        let Parts { stdout, stderr, reports, .. } = &mut self.parts;
        tokio::select! {
            () = stdout.ready() => { let batch = stdout.read(); self.give(Stream::Stdout, batch) }
            () = stderr.ready() => { let batch = stderr.read(); self.give(Stream::Stderr, batch) }
            line = reports.next_line() => {
                let report = line.ok().flatten().and_then(|line| serde_json::from_str(&line).ok());
                self.phase = match report {
                    Some(Report::Exited(exit)) => Phase::Draining(exit),
                    _ => self.sweep(),
                };
                None
            }
        }
    }

    async fn drain(&mut self) -> Option<Output> {
        if let Some(batch) = self.parts.stdout.drain() {
            return self.give(Stream::Stdout, batch);
        }
        if let Some(batch) = self.parts.stderr.drain() {
            return self.give(Stream::Stderr, batch);
        }
        // It ends right after its last report; a dead one is collected here too.
        let _ = self.parts.shim.wait().await;
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Draining(exit) => Some(Output::Exited(exit)),
            _ => None,
        }
    }

    fn give(&mut self, source: Stream, batch: Batch) -> Option<Output> {
        self.warnings.extend(batch.warning);
        (!batch.lines.is_empty()).then_some(Output::Lines { source, lines: batch.lines })
    }

    /// Without the shim nobody adopts what loses its parent, so what is left is
    /// found by its marker. A shim that went mad instead of dying must go first.
    fn sweep(&mut self) -> Phase {
        let _ = self.parts.shim.start_kill();
        let (marker, record) = (self.parts.marker.clone(), self.record.clone());
        Phase::Sweeping(tokio::task::spawn_blocking(move || sweep(&marker, Some(&record))))
    }

    fn swept(&self, swept: io::Result<TreeProof>) -> Exit {
        // Without a look at the processes there is no proof.
        let tree = swept.unwrap_or_else(|_| TreeProof::Survivors(Vec::new()));
        let exit = Exit { ending: Ending::Unknown, cause: Cause::ShimLost, tree, at: now() };
        // The exit is told in any case; the file is for a host that is not there yet.
        let _ = self.parts.folder.write_exit(&exit);
        exit
    }
}

/// Speaks to a running agent. Cheap to clone; harmless once the agent is over.
#[derive(Clone, Debug)]
pub struct AgentHandle {
    /// Weak, so that a forgotten handle does not keep an agent alive.
    control: Weak<Mutex<OwnedWriteHalf>>,
    stdin: StdinQueue,
}

impl AgentHandle {
    /// Ends the agent and everything it started: SIGTERM, then SIGKILL after
    /// `grace`. The end is told by [`Agent::next`]. Asked again, the shorter time
    /// counts and the first reason stays.
    pub async fn end(&self, reason: EndReason, grace: Duration) {
        let Some(control) = self.control.upgrade() else { return };
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        if let Ok(line) = to_line(&Command::End { reason, grace_ms }) {
            // A shim that does not listen any more has ended, or is swept up.
            let _ = control.lock().await.write_all(&line).await;
        }
    }

    /// Writes to the agent's standard input, if it was started with
    /// [`crate::Stdin::Open`]. Waits while the agent does not read.
    pub async fn write_stdin(&self, bytes: Vec<u8>) -> Result<(), StdinClosed> {
        self.stdin.write(bytes).await
    }

    /// Closes the agent's standard input after what was written so far.
    pub async fn close_stdin(&self) {
        self.stdin.close().await;
    }
}

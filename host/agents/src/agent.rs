//! A running agent: its output and its end.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::adopt::listener;
use crate::connection::{Conversation, End, Heard, Listener, Supervised};
use crate::control::{Reached, State, Trouble};
use crate::exit::Exit;
use crate::folder::{AgentRecord, Folder};
use crate::handle::{AgentHandle, Control};
use crate::lines::Line;
use crate::stream::{Both, Stream};
use crate::transcript::Transcript;
use crate::warning::Warning;

/// How long an agent usually has between SIGTERM and SIGKILL: enough to save its
/// session, short enough for a person who waits.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// The most bytes of a log that one [`Output::Lines`] is made of: enough to be
/// quick, little enough that the other stream and the end have their turn.
const BATCH: u64 = 64 * 1024;

/// What comes from a running agent.
#[derive(Debug)]
pub enum Output {
    /// The lines of one read, in order within their stream.
    Lines {
        /// Where they came from.
        source: Stream,
        /// The lines; none only if `last`.
        lines: Vec<Line>,
        /// So much of the log was read for them and all lines before, in bytes.
        /// A [`Transcript`] read to the same ends gives the same lines.
        end: u64,
        /// The stream has ended.
        last: bool,
    },
    /// Something is wrong, but not with the agent.
    Warning(Warning),
    /// It has ended: its tree is gone, or its survivors are named, and all its
    /// lines were given. Always the last, and never twice.
    Exited(Exit),
}

/// A running agent. Dropping it changes nothing for the agent, which works on,
/// and may be adopted.
#[derive(Debug)]
pub struct Agent {
    /// Its processes, as in `agent.json`.
    pub record: AgentRecord,
    folder: Folder,
    control: Control,
    listener: Listener,
    transcript: Transcript,
    given: Both<Given>,
    /// Who was given something last, so that the other has its turn.
    turn: Stream,
    over: bool,
}

/// What was given of one stream besides lines.
#[derive(Debug, Default)]
struct Given {
    trouble: Option<Trouble>,
    last: bool,
}

impl Agent {
    pub(crate) fn new(
        conversation: Conversation,
        supervised: Supervised,
        state: State,
        transcript: Transcript,
    ) -> Self {
        let (record, folder) = (supervised.record.clone(), supervised.folder.clone());
        let (listener, control) = conversation.listen(supervised, state);
        let control = Arc::new(Mutex::new(control));
        let (given, turn, over) = (Both::default(), Stream::Stdout, false);
        Self { record, folder, control, listener, transcript, given, turn, over }
    }

    /// For everybody who has something to say to the agent.
    pub fn handle(&self) -> AgentHandle {
        AgentHandle::new(&self.control, self.listener.heard.clone())
    }

    /// The only way that the agent has to the network, if it is in
    /// [`crate::Network::OnlyThrough`]: who connects there is a process of the agent.
    /// It does not wait, and belongs to the agent's network, not to this host's: while
    /// nobody accepts, connections wait; a host that adopts the agent asks again. An
    /// error if the supervisor is gone.
    pub async fn listener(&self) -> io::Result<Option<TcpListener>> {
        match self.record.listener {
            Some(_) => listener(&self.folder, &self.record).await.map(Some),
            None => Ok(None),
        }
    }

    /// What comes next; `None` after [`Output::Exited`], and when another host
    /// has adopted the agent. Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Option<Output> {
        while !self.over {
            let heard = self.listener.heard.borrow_and_update().clone();
            if let Some(output) = self.read(&heard) {
                return Some(output);
            }
            match heard.end {
                Some(End::Exited(exit)) => {
                    self.over = true;
                    return Some(Output::Exited(exit));
                }
                Some(End::TakenOver) => self.over = true,
                None => self.over = self.listener.heard.changed().await.is_err(),
            }
        }
        None
    }

    fn read(&mut self, heard: &Heard) -> Option<Output> {
        let other = match self.turn {
            Stream::Stdout => Stream::Stderr,
            Stream::Stderr => Stream::Stdout,
        };
        for source in [other, self.turn] {
            let reached = match heard.end {
                // All that will ever be there is there.
                Some(End::Exited(_)) => Reached {
                    bytes: self.transcript.length(source).unwrap_or_default(),
                    ended: true,
                    ..*heard.state.logs.of(source)
                },
                _ => *heard.state.logs.of(source),
            };
            if let Some(output) = self.read_one(source, reached) {
                self.turn = source;
                return Some(output);
            }
        }
        None
    }

    /// What one stream has to give, now that its log has reached so far.
    fn read_one(&mut self, source: Stream, reached: Reached) -> Option<Output> {
        let given = self.given.of_mut(source);
        if given.last {
            return None;
        }
        if given.trouble != reached.trouble {
            given.trouble = reached.trouble;
            if let Some(trouble) = reached.trouble {
                return Some(Output::Warning(Warning::new(source, trouble)));
            }
        }
        loop {
            let before = self.transcript.offset(source);
            if before >= reached.bytes {
                break;
            }
            let read = self.transcript.read_to(source, reached.bytes.min(before + BATCH));
            let end = self.transcript.offset(source);
            let read = if end == before && read.is_ok() {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            } else {
                read
            };
            match read {
                Ok(lines) if lines.is_empty() => {}
                Ok(lines) => return Some(Output::Lines { source, lines, end, last: false }),
                Err(error) => {
                    given.last = true;
                    return Some(Output::Warning(Warning::LogUnreadable { stream: source, source: error }));
                }
            }
        }
        if !reached.ended {
            return None;
        }
        given.last = true;
        let lines = self.transcript.finish(source).into_iter().collect();
        Some(Output::Lines { source, lines, end: self.transcript.offset(source), last: true })
    }
}

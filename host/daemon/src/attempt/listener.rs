//! Everything an agent says, and where it goes: through the provider's session into
//! events, progress, and answers on the agent's input.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hostler_agents::{AgentHandle, Exit, Transcript};
use hostler_components::job::{Line, SessionOutput, StreamName};
use hostler_engine::Input;
use hostler_engine::event::Event;
use hostler_engine::outcome::Outcome;
use hostler_engine::run::Run;

use super::ending::{settle, status, tell_exchanged};
use super::feed::{self, Entry, Feed};
use crate::attempt::reading::Reading;
use crate::attempt::word::{NotHeard, Word};
use crate::record::events::EventLog;
use crate::rooms::Rooms;
use crate::tracker::progress::Courier;
use crate::view::Notice;

/// How much of a log is read at once, in bytes.
const STEP: u64 = 64 * 1024;

/// Something for the agent's standard input, numbered from 1 within the attempt: after
/// a restart all of it is said again, and the supervisor takes each number once.
#[derive(Debug)]
pub enum ToAgent {
    /// These bytes.
    Bytes(u32, Vec<u8>),
    /// Nothing more.
    Close(u32),
}

impl ToAgent {
    /// Says it. An agent that no longer reads has ended or is about to.
    pub async fn say(self, agent: &AgentHandle) {
        match self {
            Self::Bytes(number, bytes) => drop(agent.write_stdin(number, bytes).await),
            Self::Close(number) => agent.close_stdin(number).await,
        }
    }
}

/// Listens to one attempt.
pub struct Listener {
    rooms: Arc<Rooms>,
    run: Run,
    attempt: u32,
    reading: Reading,
    feed: Feed,
    events: EventLog,
    courier: Arc<Courier>,
    /// Number of the last thing for the agent's input.
    inputs: u32,
    /// Ids of the words it heard.
    heard: BTreeSet<String>,
    /// Something was said since the engine was last told.
    unheard: bool,
    /// The CLI said that it is finished since the engine was last told.
    finished: bool,
}

impl Listener {
    /// Listens from the beginning of an attempt on.
    pub async fn new(rooms: Arc<Rooms>, run: Run, attempt: u32, reading: Reading, folder: &Path) -> Self {
        Self {
            events: EventLog::open(&rooms.home.events(&run.id), attempt),
            courier: rooms.couriers.of(&rooms, &run).await,
            feed: Feed::open(folder),
            rooms,
            run,
            attempt,
            reading,
            inputs: 0,
            heard: BTreeSet::new(),
            unheard: false,
            finished: false,
        }
    }

    /// Brings a new session to where the one of an earlier host was. What that did
    /// about it is not done again, but for the agent's input.
    pub async fn catch_up(
        &mut self,
        folder: &Path,
        entries: Vec<Entry>,
    ) -> std::io::Result<(Transcript, Vec<ToAgent>)> {
        let mut transcript = Transcript::open(folder);
        let mut said = Vec::new();
        for entry in entries {
            said.extend(match entry {
                Entry::Lines { lines: source, end, last } => {
                    let lines = feed::lines(&mut transcript, source, end, last)?;
                    self.give(source, lines).await
                }
                // One that was not taken then is not taken now.
                Entry::Message { message, id } => self.tell_agent(message, id).await.unwrap_or_default(),
            });
        }
        Ok((transcript, said))
    }

    /// Reads what nobody has read yet of an attempt that is over.
    pub async fn read_out(&mut self, mut transcript: Transcript) -> std::io::Result<()> {
        for (source, name) in [
            (hostler_agents::Stream::Stderr, StreamName::Stderr),
            (hostler_agents::Stream::Stdout, StreamName::Stdout),
        ] {
            let length = transcript.length(source)?;
            while transcript.offset(source) < length {
                let end = length.min(transcript.offset(source) + STEP);
                let lines = feed::lines(&mut transcript, name, end, false)?;
                self.lines(name, lines, end, false).await;
            }
            let rest = feed::lines(&mut transcript, name, length, true)?;
            self.lines(name, rest, length, true).await;
        }
        Ok(())
    }

    /// The next lines of the agent, up to `end` in the log; `last` if the stream has
    /// ended.
    pub async fn lines(
        &mut self,
        source: StreamName,
        lines: Vec<Line>,
        end: u64,
        last: bool,
    ) -> Vec<ToAgent> {
        self.feed.note_lines(source, end, last);
        self.give(source, lines).await
    }

    /// A word for the agent. One that it heard before leads to nothing.
    pub async fn hear(&mut self, word: &Word) -> Result<Vec<ToAgent>, NotHeard> {
        if word.id().is_some_and(|id| self.heard.contains(id)) {
            return Ok(Vec::new());
        }
        let (message, id) = (word.text().to_owned(), word.id().map(str::to_owned));
        let entry = Entry::Message { message: message.clone(), id: id.clone() };
        self.feed.note(entry).map_err(NotHeard::NotRecorded)?;
        self.tell_agent(message, id).await
    }

    async fn give(&mut self, source: StreamName, lines: Vec<Line>) -> Vec<ToAgent> {
        if lines.is_empty() {
            return Vec::new();
        }
        let outputs = self.reading.lines(source, lines).await;
        self.take(outputs)
    }

    async fn tell_agent(&mut self, text: String, id: Option<String>) -> Result<Vec<ToAgent>, NotHeard> {
        let outputs = self.reading.message(text).await.map_err(NotHeard::NotTaken)?;
        self.heard.extend(id);
        Ok(self.take(outputs))
    }

    fn take(&mut self, outputs: Vec<SessionOutput>) -> Vec<ToAgent> {
        self.unheard = true;
        let (mut events, mut said) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                SessionOutput::Event(event) => events.push(event),
                SessionOutput::Stdin(bytes) => said.push(ToAgent::Bytes(self.next_input(), bytes)),
                SessionOutput::CloseStdin => said.push(ToAgent::Close(self.next_input())),
                SessionOutput::Log(line) => crate::tracker::log(&self.provider(), &line),
                SessionOutput::Other(name, _) => tracing::debug!("an output this host does not know: {name}"),
            }
        }
        self.finished |= events.iter().any(|event| matches!(event, Event::Finished { .. }));
        let now = self.rooms.clock.now();
        for event in self.events.append(now, events) {
            self.show(&event);
        }
        said
    }

    fn next_input(&mut self) -> u32 {
        self.inputs += 1;
        self.inputs
    }

    /// Number of the last thing for the agent's input.
    pub const fn inputs(&self) -> u32 {
        self.inputs
    }

    fn provider(&self) -> String {
        self.run.plan.as_ref().map(|plan| plan.provider.clone()).unwrap_or_default()
    }

    fn show(&mut self, event: &Event) {
        let Some(line) = event.headline() else { return };
        let at = self.rooms.clock.now();
        self.courier.hand_in(at, event);
        self.rooms.show(Notice::Event { run: self.run.id.0.clone(), at, line, usage: self.reading.usage });
    }

    /// Whether the agent said something that the engine was not told of.
    pub const fn has_news(&self) -> bool {
        self.unheard
    }

    /// Tells the engine that the CLI said it is finished, if it did.
    pub async fn tell_finish(&mut self) {
        if std::mem::take(&mut self.finished) {
            let (run, attempt) = (self.run.id.clone(), self.attempt);
            self.rooms.tell(Input::AgentFinished { run, attempt }).await;
        }
    }

    /// Tells the engine that the agent was heard of, if it was.
    pub async fn tell_news(&mut self) {
        if std::mem::take(&mut self.unheard) {
            let (run, attempt, usage) = (self.run.id.clone(), self.attempt, self.reading.usage);
            self.rooms.tell(Input::Heard { run, attempt, usage }).await;
        }
    }

    /// The outcome, by what was said and how it ended.
    pub async fn finish(self, exit: Option<&Exit>) -> Outcome {
        tell_exchanged(&self.rooms, &self.run, exit, "the agent");
        let memory = self.run.plan.as_ref().and_then(|plan| plan.limits.memory);
        settle(self.reading.finish(status(exit)).await, exit, memory)
    }
}

//! The loop beside a running agent: what it says, what is said to it, and how long it
//! may go on.

use std::path::Path;
use std::sync::Arc;

use hostler_agents::{Agent, Output, Stream};
use hostler_broker::egress::{EgressRules, Open};
use hostler_components::job::StreamName;
use hostler_engine::outcome::Outcome;
use hostler_engine::run::Run;
use hostler_engine::time::Millis;
use tokio::sync::mpsc;

use super::ending::prove;
use super::keep::Leave;
use super::listener::{Listener, ToAgent};
use crate::attempt::reading;
use crate::attempt::under_way::{AttemptHandle, Said};
use crate::attempt::word::{NotHeard, Word};
use crate::rooms::Rooms;
use crate::sandbox::let_out;
use crate::view::Notice;

/// How often the engine hears of an agent that says something: often enough for
/// budgets and stalls, rarely enough for the record.
const HEARD_EVERY: Millis = Millis::seconds(5);

/// An agent is heard of at least so many times within its stall limit, or one that
/// talks would count as silent.
const HEARD_PER_STALL: u64 = 4;

/// Words that may wait for one agent; the next one is refused.
const WORDS: usize = 16;

/// An agent that works, and what it takes to listen to it.
pub struct Listening {
    rooms: Arc<Rooms>,
    run: Run,
    attempt: u32,
    agent: Agent,
    inbox: mpsc::Receiver<Said>,
    /// What its supervisor was last told.
    leave: Option<Leave>,
    /// Its way out to the network, if it has a network of its own.
    way_out: Option<Open>,
}

impl Listening {
    /// From here on the agent can be ended and spoken to.
    pub fn begin(rooms: Arc<Rooms>, run: Run, attempt: u32, agent: Agent) -> Self {
        let (words, inbox) = mpsc::channel(WORDS);
        rooms.attempts.insert(run.id.clone(), attempt, AttemptHandle::new(agent.handle(), words));
        Self { rooms, run, attempt, agent, inbox, leave: None, way_out: None }
    }

    /// What the engine keeps to name the process.
    pub fn process(&self) -> String {
        serde_json::to_string(&self.agent.record).unwrap_or_default()
    }

    /// Gives the supervisor a leave if it is another than before.
    pub async fn keep(&mut self, run: &Run) {
        let Some(leave) = Leave::of(run).filter(|leave| self.leave != Some(*leave)) else { return };
        leave.give(&self.agent.handle(), &self.rooms.clock).await;
        self.leave = Some(leave);
    }

    /// Opens the agent's way out to the network, by these rules.
    pub async fn let_out(&mut self, rules: EgressRules, folder: &Path) {
        let Self { rooms, run, agent, .. } = &*self;
        self.way_out = let_out(rooms, agent, rules, run, folder, "the agent").await;
    }

    /// Says all of it to the agent, in order.
    pub async fn say(&self, words: Vec<ToAgent>) {
        let handle = self.agent.handle();
        for word in words {
            word.say(&handle).await;
        }
    }

    /// Tells the agent a word. It must not wait for an agent that does not read: nobody
    /// would listen to that agent, and nobody renew its leave.
    async fn pass_on(&self, listener: &mut Listener, word: &Word) -> Result<(), NotHeard> {
        let agent = self.agent.handle();
        if agent.is_behind(listener.inputs()) {
            return Err(NotHeard::Behind);
        }
        let said = listener.hear(word).await?;
        if !agent.takes_input() {
            return Err(NotHeard::Closed);
        }
        self.say(said).await;
        Ok(())
    }

    /// Listens until the end is proven.
    pub async fn listen(mut self, mut listener: Listener, folder: &Path) -> Outcome {
        let every = heard_every(&self.run);
        let mut next_word = self.rooms.clock.now() + every;
        let mut situation = self.rooms.situation.clone();
        let clock = self.rooms.clock.clone();
        let exit = loop {
            tokio::select! {
                output = self.agent.next() => match output {
                    Some(Output::Lines { source, lines, end, last }) => {
                        let lines = lines.into_iter().map(reading::line).collect();
                        let words = listener.lines(stream(source), lines, end, last).await;
                        listener.tell_finish().await;
                        self.say(words).await;
                    }
                    Some(Output::Warning(warning)) => self.rooms.show(Notice::Host {
                        message: format!("{}: {warning}", self.run.task.key),
                        warning: true,
                    }),
                    Some(Output::Exited(exit)) => break Some(exit),
                    None => break None,
                },
                Some((word, answer)) = self.inbox.recv() => {
                    let heard = self.pass_on(&mut listener, &word).await;
                    // Whoever said it may have gone away.
                    let _ = answer.send(heard);
                }
                Ok(()) = situation.changed() => {
                    let held = situation.borrow_and_update().run(&self.run.id).cloned();
                    if let Some(run) = held {
                        self.keep(&run).await;
                    }
                }
                () = clock.sleep_until(next_word), if listener.has_news() => {
                    listener.tell_news().await;
                    next_word = clock.now() + every;
                }
            }
        };
        listener.tell_news().await;
        let Self { rooms, run, attempt, agent, way_out, .. } = self;
        drop((agent, way_out));
        let proven = exit.as_ref().is_some_and(|exit| exit.tree.is_empty());
        let exit = if proven { exit } else { prove(&rooms, &run, attempt, folder).await };
        listener.finish(exit.as_ref()).await
    }
}

fn heard_every(run: &Run) -> Millis {
    let stall = run.plan.as_ref().and_then(|plan| plan.limits.stall);
    stall.map_or(HEARD_EVERY, |stall| HEARD_EVERY.min(Millis(stall.0 / HEARD_PER_STALL)))
}

const fn stream(source: Stream) -> StreamName {
    match source {
        Stream::Stdout => StreamName::Stdout,
        Stream::Stderr => StreamName::Stderr,
    }
}

//! What may be said to a running agent.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hostler_engine::outcome::EndReason;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Mutex, watch};

use crate::connection::Heard;
use crate::control::{Command, InputState, to_line};
use crate::stdin::StdinClosed;

/// How many messages may wait for an agent that does not read; the next one
/// waits with its writer.
const WINDOW: u32 = 16;

/// Where commands are written.
pub(crate) type Control = Arc<Mutex<OwnedWriteHalf>>;

/// Speaks to a running agent. Cheap to clone; harmless once the agent is over.
#[derive(Clone, Debug)]
pub struct AgentHandle {
    /// Weak, so that a forgotten handle does not keep a conversation open.
    control: Weak<Mutex<OwnedWriteHalf>>,
    heard: watch::Receiver<Heard>,
}

impl AgentHandle {
    pub(crate) fn new(control: &Control, heard: watch::Receiver<Heard>) -> Self {
        Self { control: Arc::downgrade(control), heard }
    }

    /// Ends the agent and everything it started: SIGTERM, then SIGKILL after
    /// `grace`. The end is told by [`crate::Agent::next`]. Asked again, the
    /// shorter time counts and the first reason stays.
    pub async fn end(&self, reason: EndReason, grace: Duration) {
        self.say(Command::End { reason, grace_ms: milliseconds(grace) }).await;
    }

    /// Says how long from now the agent may go on without being told again, host
    /// or no host: for its lease, after which it is killed, and for its time,
    /// after which it is ended. `None` is without an end. An agent that was never
    /// told ends a minute after its host is gone.
    pub async fn keep(&self, lease: Option<Duration>, time: Option<Duration>) {
        let (lease_ms, time_ms) = (lease.map(milliseconds), time.map(milliseconds));
        self.say(Command::Keep { lease_ms, time_ms }).await;
    }

    /// Writes to the agent's standard input, if it was started with
    /// [`crate::Stdin::Open`]. Messages and the close are numbered from 1 in each
    /// attempt; a number that was taken before is not taken again, so a host that
    /// was restarted may say everything again. Waits while the agent does not
    /// read.
    pub async fn write_stdin(&self, number: u32, bytes: Vec<u8>) -> Result<(), StdinClosed> {
        let mut heard = self.heard.clone();
        let turn = heard.wait_for(|heard| {
            let input = heard.state.input;
            heard.end.is_some() || !input.open || number <= input.taken || fits(number, input)
        });
        let (input, over) = match turn.await {
            Ok(heard) => (heard.state.input, heard.end.is_some()),
            Err(_) => return Err(StdinClosed),
        };
        if number <= input.taken {
            return Ok(());
        }
        if over || !input.open || !self.say(Command::Input { number, bytes }).await {
            return Err(StdinClosed);
        }
        Ok(())
    }

    /// Whether the agent's standard input is open.
    pub fn takes_input(&self) -> bool {
        let heard = self.heard.borrow();
        heard.state.input.open && heard.end.is_none()
    }

    /// Whether [`Self::write_stdin`] would wait after what was said up to this number,
    /// because the agent does not read.
    pub fn is_behind(&self, number: u32) -> bool {
        let input = self.heard.borrow().state.input;
        input.open && !fits(number.saturating_add(1), input)
    }

    /// Closes the agent's standard input after what was written so far.
    pub async fn close_stdin(&self, number: u32) {
        self.say(Command::CloseInput { number }).await;
    }

    /// A shim that does not listen any more has ended, or is swept up.
    async fn say(&self, command: Command) -> bool {
        let (Some(control), Ok(line)) = (self.control.upgrade(), to_line(&command)) else { return false };
        control.lock().await.write_all(&line).await.is_ok()
    }
}

/// Whether there is room for what has this number.
const fn fits(number: u32, input: InputState) -> bool {
    number <= input.written.saturating_add(WINDOW)
}

/// What does not fit is for ever.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

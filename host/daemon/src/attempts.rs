//! Attempts under way, so that they can be ended and spoken to.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hostler_agents::{AgentHandle, DEFAULT_GRACE};
use hostler_engine::outcome::EndReason;
use hostler_engine::task::RunId;
use tokio::sync::mpsc;

/// The way to an attempt under way.
#[derive(Clone)]
pub struct AttemptHandle {
    agent: AgentHandle,
    messages: mpsc::Sender<String>,
}

impl AttemptHandle {
    /// A handle for a running agent.
    pub const fn new(agent: AgentHandle, messages: mpsc::Sender<String>) -> Self {
        Self { agent, messages }
    }

    /// Ends the agent; the end is told when it is proven.
    pub async fn end(&self, why: EndReason) {
        self.agent.end(why, DEFAULT_GRACE).await;
    }

    /// Text for the agent. What it cannot take is dropped with a line in the log.
    pub async fn message(&self, text: String) {
        // An attempt that is over takes none.
        let _ = self.messages.send(text).await;
    }
}

/// Attempts under way, so that they can be ended.
#[derive(Default)]
pub struct Attempts(Mutex<BTreeMap<(RunId, u32), AttemptHandle>>);

impl Attempts {
    /// Remembers one.
    pub fn insert(&self, run: RunId, attempt: u32, handle: AttemptHandle) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((run, attempt), handle);
    }

    /// Finds one.
    pub fn get(&self, run: &RunId, attempt: u32) -> Option<AttemptHandle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(run.clone(), attempt)).cloned()
    }

    /// The one of a run that is under way.
    pub fn of(&self, run: &RunId) -> Option<AttemptHandle> {
        let attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.iter().rev().find(|((of, _), _)| of == run).map(|(_, handle)| handle.clone())
    }

    /// Forgets one.
    pub fn remove(&self, run: &RunId, attempt: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(run.clone(), attempt));
    }
}

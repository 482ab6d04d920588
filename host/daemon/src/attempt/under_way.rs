//! Attempts under way, so that they can be ended and spoken to.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hostler_agents::{AgentHandle, DEFAULT_GRACE};
use hostler_engine::outcome::EndReason;
use hostler_engine::task::RunId;
use tokio::sync::{mpsc, oneshot};

use crate::attempt::word::{NotHeard, Word};

/// The way to an attempt under way.
#[derive(Clone)]
pub struct AttemptHandle {
    agent: AgentHandle,
    words: mpsc::Sender<Said>,
}

/// A word on its way to an agent, and where to tell whether it arrived.
pub type Said = (Word, oneshot::Sender<Result<(), NotHeard>>);

impl AttemptHandle {
    /// A handle for a running agent.
    pub const fn new(agent: AgentHandle, words: mpsc::Sender<Said>) -> Self {
        Self { agent, words }
    }

    /// Ends the agent; the end is told when it is proven.
    pub async fn end(&self, why: EndReason) {
        self.agent.end(why, DEFAULT_GRACE).await;
    }

    /// Hands over a word for the agent, after those before it, without waiting. Whether
    /// it arrived is told by [`Hearing::over`].
    pub fn say(&self, word: Word) -> Result<Hearing, NotHeard> {
        let (answer, hearing) = oneshot::channel();
        match self.words.try_send((word, answer)) {
            Ok(()) => Ok(Hearing(hearing)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(NotHeard::Behind),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotHeard::NoAgent),
        }
    }
}

/// A word that is on its way.
pub struct Hearing(oneshot::Receiver<Result<(), NotHeard>>);

impl Hearing {
    /// Waits until the word has arrived: it is written down, so the agent hears it once,
    /// also if this host ends now.
    pub async fn over(self) -> Result<(), NotHeard> {
        // An attempt that ends meanwhile answers nobody.
        self.0.await.unwrap_or(Err(NotHeard::NoAgent))
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

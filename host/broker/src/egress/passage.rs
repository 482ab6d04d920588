//! What is written down of each thing an agent asked its way out for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hostler_engine::time::Millis;
use tokio::time::Instant;

use super::denial::Refusal;
use hostler_engine::sandbox::Endpoint;

/// One request or tunnel of an agent, told when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How it wanted to go.
    pub way: Way,
    /// Where to; `None` if that could not be read.
    pub to: Option<Endpoint>,
    /// What became of it.
    pub outcome: Passed,
    /// Bytes that the agent sent, without the heads of requests.
    pub up: u64,
    /// Bytes that it got, without the heads of answers.
    pub down: u64,
    /// How long it took.
    pub took: Millis,
}

/// How something leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through a tunnel.
    Tunnel,
    /// As a request in the clear.
    Plain,
    /// To a model, by this route.
    Model(String),
    /// It was not said in a way that can be read.
    Unclear,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It was let out.
    Allowed {
        /// By which entry of the rules.
        by: String,
    },
    /// It was not.
    Denied {
        /// The short name it is counted under: `egress-unlisted`, `egress-address`, …
        reason: &'static str,
        /// What the agent was told.
        told: String,
    },
    /// It was allowed but did not work.
    Failed {
        /// What the agent was told.
        told: String,
    },
}

/// Where passages are told.
pub(super) type Notes = Arc<dyn Fn(Passage) + Send + Sync>;

/// A passage under way. However it ends, it is told once.
pub(super) struct Underway {
    notes: Notes,
    way: Way,
    to: Option<Endpoint>,
    outcome: Mutex<Passed>,
    since: Instant,
    up: AtomicU64,
    down: AtomicU64,
}

impl Underway {
    /// Begins one. Who goes away before it is decided, is told as failed.
    pub(super) fn begin(notes: &Notes, way: Way, to: Option<Endpoint>) -> Arc<Self> {
        let told = "the agent went away before it was answered".to_owned();
        Arc::new(Self {
            notes: Arc::clone(notes),
            way,
            to,
            outcome: Mutex::new(Passed::Failed { told }),
            since: Instant::now(),
            up: AtomicU64::default(),
            down: AtomicU64::default(),
        })
    }

    /// It is let out.
    pub(super) fn allowed(&self, by: &str) {
        self.ends(Passed::Allowed { by: by.to_owned() });
    }

    /// It is not let out, or did not work; gives the sentence for the agent.
    pub(super) fn refused(&self, refusal: &Refusal) -> String {
        let told = match refusal {
            Refusal::Denied(denial) => denial.to_string(),
            Refusal::Failed(told) => told.clone(),
        };
        self.ends(match refusal {
            Refusal::Denied(denial) => Passed::Denied { reason: denial.reason(), told: told.clone() },
            Refusal::Failed(_) => Passed::Failed { told: told.clone() },
        });
        told
    }

    fn ends(&self, outcome: Passed) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }

    /// So many bytes more that the agent sent.
    pub(super) fn sent(&self, bytes: usize) {
        self.up.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes more that it got.
    pub(super) fn received(&self, bytes: usize) {
        self.down.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let passage = Passage {
            way: self.way.clone(),
            to: self.to.take(),
            outcome: self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            up: *self.up.get_mut(),
            down: *self.down.get_mut(),
            took: Millis(u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)),
        };
        // Without the place: an agent may ask for one that has the name of a secret.
        tracing::debug!(passage.up, passage.down, "an agent's way out");
        (self.notes)(passage);
    }
}

//! Why something did not work, in a form both a person and the engine can act on.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// What kind of problem; decides whether trying again makes sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// Try again later.
    #[default]
    Transient,
    /// Trying again is pointless.
    Permanent,
    /// The credential is missing or refused: stop asking.
    Auth,
    /// Too many requests.
    RateLimited,
    /// The task or lease is not ours any more.
    Gone,
    /// The host refused an effect: no grant covers it.
    Denied,
    /// This plugin or host does not do that.
    Unsupported,
}

impl ProblemKind {
    /// The name used in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Auth => "auth",
            Self::RateLimited => "rate-limited",
            Self::Gone => "gone",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
        }
    }

    /// Reads the name used in the contract; unknown ones count as transient.
    pub fn from_name(name: &str) -> Self {
        match name {
            "permanent" => Self::Permanent,
            "auth" => Self::Auth,
            "rate-limited" => Self::RateLimited,
            "gone" => Self::Gone,
            "denied" => Self::Denied,
            "unsupported" => Self::Unsupported,
            _ => Self::Transient,
        }
    }

    /// Whether the same request may succeed later.
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Transient | Self::RateLimited)
    }
}

/// A problem, as plugins and rooms report it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What the engine may do about it.
    pub kind: ProblemKind,
    /// One sentence: what is wrong, where, and what to do.
    pub message: String,
    /// Do not ask again before this much time has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Millis>,
}

impl Problem {
    /// A problem without a waiting time.
    pub fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// A problem that may pass.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::Transient, message)
    }

    /// A problem that will not pass.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::Permanent, message)
    }

    /// An effect that no grant covers.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ProblemKind::Denied, message)
    }
}

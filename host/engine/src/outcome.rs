//! How an attempt ended, and what may be done about it.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Memory is named in these for people.
const MIB: u64 = 1024 * 1024;

/// What a run has used. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Tokens the model produced.
    pub output_tokens: u64,
    /// The part of `input_tokens` read from a cache.
    pub cached_tokens: u64,
    /// US dollars, where the CLI says so.
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// Input and output together.
    pub const fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// The larger of both, field by field: totals of one attempt that are
    /// reported again and again never shrink.
    pub fn at_least(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.max(other.input_tokens),
            output_tokens: self.output_tokens.max(other.output_tokens),
            cached_tokens: self.cached_tokens.max(other.cached_tokens),
            cost_usd: match (self.cost_usd, sane(other.cost_usd)) {
                (Some(mine), Some(theirs)) => Some(mine.max(theirs)),
                (mine, theirs) => mine.or(theirs),
            },
        }
    }

    /// Both together, for the totals of a run.
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            cost_usd: match (self.cost_usd, sane(other.cost_usd)) {
                (Some(mine), Some(theirs)) => Some(mine + theirs),
                (mine, theirs) => mine.or(theirs),
            },
        }
    }
}

/// A plugin may return any number; a cost is finite and not negative.
fn sane(cost: Option<f64>) -> Option<f64> {
    cost.filter(|dollars| dollars.is_finite() && *dollars >= 0.0)
}

/// Whether it worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeState {
    /// The CLI said so, and ended well.
    Succeeded,
    /// Anything else.
    Failed,
}

/// What the engine may do about a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Another attempt may work.
    #[default]
    Retryable,
    /// Another attempt is pointless.
    Permanent,
    /// The account's allowance is used up; see `resets_at`.
    Quota,
    /// The CLI is not logged in.
    Auth,
    /// A person or the tracker ended it.
    Cancelled,
    /// The run's own budget is used up.
    Budget,
    /// The host stopped or died under it; not the agent's fault.
    Interrupted,
}

impl Class {
    /// The name used in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Permanent => "permanent",
            Self::Quota => "quota",
            Self::Auth => "auth",
            Self::Cancelled => "cancelled",
            Self::Budget => "budget",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads the name used in the contract; unknown ones count as retryable.
    /// `interrupted` is the host's own and cannot be claimed by a plugin.
    pub fn from_name(name: &str) -> Self {
        match name {
            "permanent" => Self::Permanent,
            "quota" => Self::Quota,
            "auth" => Self::Auth,
            "cancelled" => Self::Cancelled,
            "budget" => Self::Budget,
            _ => Self::Retryable,
        }
    }
}

/// Why the host ended an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The CLI said it was finished, but its process stayed.
    Finished,
    /// The attempt's time was up.
    TimedOut,
    /// Nothing was heard of the agent for too long.
    Stalled,
    /// A person or the tracker asked for it.
    Cancelled,
    /// The task is not ours any more.
    LeaseLost,
    /// Tokens or cost are used up.
    Budget,
    /// The host is stopping.
    Stopping,
    /// More memory was used than an attempt may have.
    OverMemory,
}

impl EndReason {
    /// The name used in the contract and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::TimedOut => "timed-out",
            Self::Stalled => "stalled",
            Self::Cancelled => "cancelled",
            Self::LeaseLost => "lease-lost",
            Self::Budget => "budget",
            Self::Stopping => "stopping",
            Self::OverMemory => "memory",
        }
    }

    /// A success that was complete before the host ended the process stays one,
    /// unless somebody no longer wants it.
    pub const fn spares_success(self) -> bool {
        !matches!(self, Self::Cancelled | Self::LeaseLost)
    }
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it worked.
    pub state: OutcomeState,
    /// From the list in the contract; empty when it succeeded.
    pub reason: String,
    /// What may be done about it.
    pub class: Class,
    /// One sentence; empty when it succeeded.
    pub message: String,
    /// The agent's closing text.
    pub summary: String,
    /// To resume it.
    pub session: Option<String>,
    /// Totals of this attempt.
    pub usage: Usage,
    /// For class `quota`.
    pub resets_at: Option<Timestamp>,
}

impl Outcome {
    /// A failure without further facts.
    pub fn failed(reason: &str, class: Class, message: impl Into<String>) -> Self {
        Self {
            state: OutcomeState::Failed,
            reason: reason.to_owned(),
            class,
            message: message.into(),
            summary: String::new(),
            session: None,
            usage: Usage::default(),
            resets_at: None,
        }
    }

    /// Ended for using more than `limit` bytes of memory. Another attempt would need
    /// as much again, so none follows.
    pub fn over_memory(self, limit: u64) -> Self {
        let ended = self.ended_by_host(EndReason::OverMemory);
        let message = format!(
            "The agent and what it started used more than the {} MiB of memory an attempt may have, and were ended; raise the limit `memory` if the task needs more.",
            limit / MIB
        );
        Self { message, ..ended }
    }

    /// Whether it worked.
    pub fn succeeded(&self) -> bool {
        self.state == OutcomeState::Succeeded
    }

    /// What the host knows about the end beats what the output suggests: an agent
    /// that was ended for its time limit did not fail by itself. Only an end after
    /// the CLI had finished leaves the plugin's reading alone.
    pub fn ended_by_host(self, why: EndReason) -> Self {
        let (reason, class, message) = match why {
            EndReason::Finished => return self,
            EndReason::TimedOut => {
                ("timed-out", Class::Retryable, "The attempt reached its time limit and was ended.")
            }
            EndReason::Stalled => {
                ("stalled", Class::Retryable, "The agent said nothing for too long and was ended.")
            }
            EndReason::Cancelled => ("cancelled", Class::Cancelled, "The run was cancelled."),
            EndReason::LeaseLost => {
                ("lost", Class::Cancelled, "The task was given to somebody else, so the agent was ended.")
            }
            EndReason::Budget => ("budget", Class::Budget, "The run used up its budget and was ended."),
            EndReason::Stopping => {
                ("interrupted", Class::Interrupted, "The host was stopped while the agent worked.")
            }
            EndReason::OverMemory => {
                ("memory", Class::Permanent, "The attempt used more memory than it may, and was ended.")
            }
        };
        Self {
            state: OutcomeState::Failed,
            reason: reason.to_owned(),
            class,
            message: message.to_owned(),
            ..self
        }
    }
}

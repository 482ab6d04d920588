//! What happens after a failed attempt: the plugin's advice within the engine's
//! bounds.

use serde::{Deserialize, Serialize};

use crate::outcome::{Class, Outcome};
use crate::plan::Limits;
use crate::policy::{MAX_INTERRUPTIONS, Policy};
use crate::time::{Millis, Timestamp};

/// Shortest pause before a retry: a CLI that fails at once must not spin.
pub const MIN_PAUSE: Millis = Millis::seconds(1);

/// Pause before the first retry; doubles with each.
pub const FIRST_PAUSE: Millis = Millis::seconds(5);

/// Longest pause a plugin may ask for.
pub const MAX_PAUSE: Millis = Millis::minutes(60);

/// Added to the moment an allowance is renewed: clocks differ.
const QUOTA_MARGIN: Millis = Millis::seconds(5);

/// A plugin's advice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Try again.
    Retry {
        /// After this pause.
        after: Millis,
        /// In a clean workspace and a new session.
        fresh: bool,
    },
    /// Report the failure.
    Finish,
    /// Keep everything and wait for a person.
    Park(String),
}

/// What the engine does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Start another attempt then.
    Retry {
        /// Not before.
        at: Timestamp,
        /// In a clean workspace and a new session.
        fresh: bool,
    },
    /// Report.
    Finish,
    /// Wait for a person.
    Park(String),
}

/// What is known when a decision is due.
pub struct Facts<'a> {
    /// How the last attempt ended.
    pub outcome: &'a Outcome,
    /// Attempts that count against the limit.
    pub failures: u32,
    /// Attempts that ended through no fault of the agent.
    pub interruptions: u32,
    /// The longest pause there was before; pauses never shrink.
    pub last_pause: Millis,
    /// In force for this run.
    pub limits: &'a Limits,
    /// The operator's.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
}

impl Facts<'_> {
    /// Decides without asking anybody, where the class of the failure is enough.
    /// `None`: the plugin is to be asked.
    pub fn settled(&self) -> Option<Decision> {
        match self.outcome.class {
            Class::Interrupted if self.interruptions <= MAX_INTERRUPTIONS => {
                Some(Decision::Retry { at: self.now, fresh: false })
            }
            Class::Quota => Some(self.after_quota()),
            Class::Retryable if self.failures < self.limits.attempts => None,
            _ => Some(Decision::Finish),
        }
    }

    fn after_quota(&self) -> Decision {
        let Some(resets_at) = self.outcome.resets_at else { return Decision::Finish };
        let longest = self.limits.quota.unwrap_or(self.policy.quota_wait).min(self.policy.quota_wait);
        let too_late = longest == Millis(0) || resets_at.since(self.now) > longest;
        if too_late || self.interruptions > MAX_INTERRUPTIONS {
            return Decision::Finish;
        }
        Decision::Retry { at: resets_at.max(self.now) + QUOTA_MARGIN, fresh: false }
    }

    /// The plugin's advice within bounds. Only called when `settled` left it open.
    pub fn bounded(&self, advice: Verdict) -> Decision {
        match advice {
            Verdict::Finish => Decision::Finish,
            Verdict::Park(reason) => Decision::Park(reason),
            Verdict::Retry { after, fresh } => {
                let pause = after.max(MIN_PAUSE).max(self.last_pause).min(MAX_PAUSE);
                Decision::Retry { at: self.now + pause, fresh }
            }
        }
    }

    /// What is done when the plugin gives no advice (it trapped): the next pause of
    /// a doubling series, in the same workspace.
    pub fn unadvised(&self) -> Verdict {
        let doublings = self.failures.saturating_sub(1).min(16);
        Verdict::Retry { after: Millis(FIRST_PAUSE.0 << doublings), fresh: false }
    }
}

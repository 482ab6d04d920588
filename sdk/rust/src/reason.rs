//! Why an attempt failed, in the contract's words.

use crate::provider::ExitStatus;
use crate::{Instant, Outcome, Usage};

/// The documented reasons of `outcome.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The CLI ended with a failure and said nothing more precise.
    ExitCode,
    /// The CLI ended without saying that it is finished.
    NoResult,
    /// The credential is missing or refused.
    Auth,
    /// The account's allowance is used up.
    Quota,
    /// Too many requests in a short time.
    RateLimited,
    /// The model's servers are over capacity.
    Overloaded,
    /// The model's servers failed.
    Server,
    /// The model does not exist or is not open to this account.
    ModelNotFound,
    /// The conversation does not fit into the model.
    ContextTooLong,
    /// The model's servers refused the request as wrong.
    InvalidRequest,
    /// The model's servers could not be reached.
    Network,
    /// The agent needed a right it was not given.
    PermissionDenied,
    /// The agent asked a person and cannot go on.
    Question,
    /// The attempt was ended from outside.
    Interrupted,
    /// The session to resume is not known or not usable.
    SessionRefused,
    /// The CLI refused to start.
    CouldNotStart,
    /// A limit on turns, tokens or cost was reached.
    Budget,
}

impl Reason {
    /// The contract's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExitCode => "exit-code",
            Self::NoResult => "no-result",
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::Server => "server",
            Self::ModelNotFound => "model-not-found",
            Self::ContextTooLong => "context-too-long",
            Self::InvalidRequest => "invalid-request",
            Self::Network => "network",
            Self::PermissionDenied => "permission-denied",
            Self::Question => "question",
            Self::Interrupted => "interrupted",
            Self::SessionRefused => "session-refused",
            Self::CouldNotStart => "could-not-start",
            Self::Budget => "budget",
        }
    }

    /// What the engine may do about it.
    pub fn class(self) -> &'static str {
        match self {
            Self::ExitCode
            | Self::NoResult
            | Self::RateLimited
            | Self::Overloaded
            | Self::Server
            | Self::Network
            | Self::Interrupted
            | Self::SessionRefused => "retryable",
            Self::ModelNotFound
            | Self::ContextTooLong
            | Self::InvalidRequest
            | Self::PermissionDenied
            | Self::Question
            | Self::CouldNotStart => "permanent",
            Self::Auth => "auth",
            Self::Quota => "quota",
            Self::Budget => "budget",
        }
    }

    /// What an HTTP status from the model's servers stands for, if it is a
    /// failure that has a name.
    pub fn from_status(status: u16) -> Option<Self> {
        match status {
            401 | 403 => Some(Self::Auth),
            402 => Some(Self::Quota),
            404 => Some(Self::ModelNotFound),
            413 => Some(Self::ContextTooLong),
            429 => Some(Self::RateLimited),
            529 => Some(Self::Overloaded),
            400..=499 => Some(Self::InvalidRequest),
            500..=599 => Some(Self::Server),
            _ => None,
        }
    }
}

impl Outcome {
    /// The attempt did what it was asked.
    pub fn succeeded(summary: impl Into<String>) -> Self {
        Self {
            state: "succeeded".into(),
            reason: String::new(),
            class: String::new(),
            message: String::new(),
            summary: summary.into(),
            session: None,
            usage: Usage::default(),
            resets_at: None,
        }
    }

    /// The attempt failed; `message` is one sentence for people.
    pub fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            state: "failed".into(),
            reason: reason.name().into(),
            class: reason.class().into(),
            message: message.into(),
            ..Self::succeeded("")
        }
    }

    /// The outcome of an attempt that the host ended, if it did so before the
    /// CLI was finished.
    pub fn ended_by_host(exit: &ExitStatus) -> Option<Self> {
        let why = exit.ended_by_host.as_deref()?;
        let (reason, class, message) = match why {
            "finished" => return None,
            "budget" => (Reason::Budget, "budget", "The run's budget was used up."),
            "timed-out" => (Reason::Interrupted, "retryable", "The attempt took longer than it may."),
            "stalled" => (Reason::Interrupted, "retryable", "The agent was silent for longer than it may."),
            "cancelled" => (Reason::Interrupted, "cancelled", "The run was cancelled."),
            "lease-lost" => (Reason::Interrupted, "cancelled", "The task is not this host's any more."),
            _ => (Reason::Interrupted, "retryable", "The host ended the attempt."),
        };
        let mut outcome = Self::failed(reason, message);
        class.clone_into(&mut outcome.class);
        Some(outcome)
    }

    /// The same outcome with the closing text.
    pub fn with_summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    /// The same outcome with the session that the next attempt can resume: none if it was
    /// just refused.
    pub fn with_session(mut self, session: Option<String>) -> Self {
        let refused = self.reason == Reason::SessionRefused.name();
        self.session = session.filter(|_| !refused);
        self
    }

    /// The same outcome with the attempt's totals.
    pub fn with_usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// The same outcome with the time the allowance is renewed.
    pub fn with_reset(mut self, at: Option<Instant>) -> Self {
        self.resets_at = at;
        self
    }
}

#[allow(clippy::derivable_impls, reason = "the type is generated and cannot derive it")]
impl Default for Usage {
    fn default() -> Self {
        Self { input_tokens: 0, output_tokens: 0, cached_tokens: 0, cost_usd: None }
    }
}

impl Usage {
    /// Adds what another turn or model used. The cost stays unknown only while no
    /// part has one.
    pub fn add(&mut self, other: &Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.cost_usd = match (self.cost_usd, other.cost_usd) {
            (None, None) => None,
            (mine, theirs) => Some(mine.unwrap_or(0.0) + theirs.unwrap_or(0.0)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_apart_from_its_neighbours() {
        assert_eq!(Reason::from_status(399), None);
        assert_eq!(Reason::from_status(400), Some(Reason::InvalidRequest));
        assert_eq!(Reason::from_status(401), Some(Reason::Auth));
        assert_eq!(Reason::from_status(429), Some(Reason::RateLimited));
        assert_eq!(Reason::from_status(500), Some(Reason::Server));
        assert_eq!(Reason::from_status(529), Some(Reason::Overloaded));
        assert_eq!(Reason::from_status(599), Some(Reason::Server));
        assert_eq!(Reason::from_status(600), None);
    }

    #[test]
    fn a_session_that_was_refused_is_not_offered_again() {
        let ended = |reason| Outcome::failed(reason, "why").with_session(Some("s".into())).session;
        assert_eq!(ended(Reason::SessionRefused), None);
        assert_eq!(ended(Reason::Network).as_deref(), Some("s"));
        assert_eq!(Outcome::succeeded("").with_session(Some("s".into())).session.as_deref(), Some("s"));
    }

    #[test]
    fn what_the_host_ended_after_the_cli_was_finished_is_no_failure() {
        let mut exit = ExitStatus { code: None, signal: Some(9), ended_by_host: Some("finished".into()) };
        assert_eq!(Outcome::ended_by_host(&exit), None);
        exit.ended_by_host = Some("cancelled".into());
        let outcome = Outcome::ended_by_host(&exit).map(|outcome| outcome.class);
        assert_eq!(outcome.as_deref(), Some("cancelled"));
    }
}

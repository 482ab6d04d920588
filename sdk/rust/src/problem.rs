//! Constructors for [`Problem`], one per kind the contract knows.

use crate::{Milliseconds, Problem};

impl Problem {
    /// A problem of any kind; prefer the constructors below.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), retry_after: None }
    }

    /// Trying again later may help.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new("transient", message)
    }

    /// Trying again is pointless.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new("permanent", message)
    }

    /// The credential is missing or refused.
    pub fn auth(message: impl Into<String>) -> Self {
        Self::new("auth", message)
    }

    /// Too many requests; see [`Problem::after`].
    pub fn rate_limited(message: impl Into<String>) -> Self {
        Self::new("rate-limited", message)
    }

    /// The task or the lease is not ours any more.
    pub fn gone(message: impl Into<String>) -> Self {
        Self::new("gone", message)
    }

    /// This plugin does not do that.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new("unsupported", message)
    }

    /// The same problem, not to be asked about again before `wait`.
    pub fn after(mut self, wait: Milliseconds) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Whether the task, lease or expected file content is not there any more.
    pub fn is_gone(&self) -> bool {
        self.kind == "gone"
    }
}

//! Why an effect is refused, in words for the plugin and the operator, and how
//! often it happened.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::rights::{AddressBlock, Origin};

/// Bytes of a plugin's text that a message repeats: enough to recognise it.
const QUOTED_BYTES: usize = 200;

/// Addresses of one name that a message repeats: enough for the grant or rule of a usual one.
const QUOTED_ADDRESSES: usize = 8;

/// A right that was missing. The message names it and what the operator can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error("`{scheme}` addresses are never sent to: use https, or http where it is granted")]
    Scheme { scheme: String },
    #[error(
        "an address with a user name or password is never sent to: \
         let the manifest ask for a secret and name it as the request's credential"
    )]
    UserInfo,
    #[error(
        "no grant covers requests to {origin} (granted: {granted}): \
         add it to the plugin's `http` grant if the plugin should talk to it"
    )]
    Origin { origin: String, granted: String },
    #[error(
        "your organisation's policy does not allow requests to {origin} ({by}): \
         no grant changes that; ask whoever keeps the policy"
    )]
    Ceiling { origin: String, by: String },
    #[error(
        "the grant for {origin} does not cover the path {path} (granted: {granted}): \
         widen `path` in the plugin's `http` grant if it should"
    )]
    Path { origin: String, path: String, granted: String },
    #[error(
        "the grant for {origin} does not cover {method} requests to {path} (granted: {granted}): \
         add the method to the plugin's `http` grant if it should"
    )]
    Method { origin: String, method: String, path: String, granted: String },
    #[error(
        "the name in {origin} stands for {kind} ({}), which no grant covers: \
         run `host plugin allow` for the plugin, or add `addresses = [{}]` to its `http` grant for {origin}, \
         if it should be reached there",
        some(addresses).join(", "), lines(addresses)
    )]
    Address { origin: Origin, addresses: Vec<IpAddr>, kind: &'static str },
    #[error("a plugin may not set the header `{header}`: {reason}")]
    Header { header: String, reason: &'static str },
    #[error(
        "no grant covers the credential `{handle}` (granted: {granted}): \
         add it to the plugin's `secret` grant if it should be used"
    )]
    Credential { handle: String, granted: String },
    #[error("the credential `{handle}` is only ever sent to {meant_for}, not to {origin}")]
    CredentialOrigin { handle: String, origin: String, meant_for: String },
    #[error(
        "no grant covers a folder `{handle}` (granted: {granted}): \
         add it to the plugin's `files` grant if the plugin should use it"
    )]
    Directory { handle: String, granted: String },
    #[error(
        "the folder `{handle}` is granted for reading only: \
         set `access = \"read-write\"` in the plugin's `files` grant if the plugin should write"
    )]
    ReadOnly { handle: String },
    #[error("the path `{path}` {reason}: name it relative to the folder `{handle}`, with `/`")]
    FilePath { handle: String, path: String, reason: &'static str },
    #[error("the path `{path}` leads out of the folder `{handle}`: only what lies inside can be used")]
    FileEscape { handle: String, path: String },
    #[error("no grant can cover a WebSocket yet: poll with HTTP requests instead")]
    Socket,
    #[error("{why}")]
    Withdrawn { effect: &'static str, why: String },
}

impl Denial {
    /// The short name it is counted under.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Scheme { .. } => "http-scheme",
            Self::UserInfo => "http-user-info",
            Self::Origin { .. } => "http-origin",
            Self::Ceiling { .. } => "http-ceiling",
            Self::Path { .. } => "http-path",
            Self::Method { .. } => "http-method",
            Self::Address { .. } => "http-address",
            Self::Header { .. } => "http-header",
            Self::Credential { .. } => "credential",
            Self::CredentialOrigin { .. } => "credential-origin",
            Self::Directory { .. } => "folder",
            Self::ReadOnly { .. } => "folder-read-only",
            Self::FilePath { .. } => "file-path",
            Self::FileEscape { .. } => "file-escape",
            Self::Socket => "socket",
            Self::Withdrawn { effect, .. } => effect,
        }
    }
}

/// Why an effect was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A right is missing.
    Denied(Denial),
    /// It was allowed, but is malformed, too large, or did not work.
    Problem(Problem),
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What a gate refused since it was made, for `host status`; for one that observes,
/// also what it would have refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denials {
    /// By reason: `http-origin`, `credential-origin`, `file-escape`, …
    pub by_reason: BTreeMap<&'static str, Refused>,
}

impl Denials {
    /// How many effects were refused in all.
    pub fn total(&self) -> u64 {
        self.by_reason.values().map(|refused| refused.times).sum()
    }
}

/// Refusals for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How often.
    pub times: u64,
    /// What the last one was told.
    pub last: String,
}

/// Counts denials.
#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<Denials>);

impl Counter {
    /// Counts a denial, and turns a refusal into what the plugin is told.
    pub(crate) fn note(&self, refusal: Refusal) -> Problem {
        let denial = match refusal {
            Refusal::Problem(problem) => return problem,
            Refusal::Denied(denial) => denial,
        };
        let message = self.count(&denial);
        tracing::debug!(reason = denial.reason(), message, "effect refused");
        Problem::new(ProblemKind::Denied, message)
    }

    /// Counts a denial, and gives it in words.
    pub(crate) fn count(&self, denial: &Denial) -> String {
        let message = denial.to_string();
        let mut denials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = denials.by_reason.entry(denial.reason()).or_default();
        refused.times += 1;
        refused.last.clone_from(&message);
        message
    }

    /// What has been counted so far.
    pub(crate) fn snapshot(&self) -> Denials {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A plugin's text as a message may repeat it: short, and without characters
/// that act on a terminal.
pub(crate) fn quoted(text: &str) -> String {
    let end = text.floor_char_boundary(QUOTED_BYTES);
    let cut = if end < text.len() { "…" } else { "" };
    format!("{}{cut}", text[..end].escape_debug())
}

/// As many addresses as a message repeats.
pub(crate) fn some(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().take(QUOTED_ADDRESSES).map(ToString::to_string).collect()
}

/// The same as ranges in a grant or a rule.
pub(crate) fn lines(addresses: &[IpAddr]) -> String {
    let some = addresses.iter().take(QUOTED_ADDRESSES);
    let quoted: Vec<String> = some.map(|address| format!("\"{}\"", AddressBlock::only(*address))).collect();
    quoted.join(", ")
}

/// What is granted, as a list for a message.
pub(crate) fn listed<T: ToString>(granted: impl Iterator<Item = T>) -> String {
    let mut names: Vec<String> = granted.map(|name| name.to_string()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_counted_by_reason_and_other_problems_are_not() {
        let counter = Counter::default();
        let told = counter.note(Denial::Socket.into());
        counter.note(Denial::Socket.into());
        counter.note(Denial::UserInfo.into());
        counter.note(Problem::transient("the network is down").into());
        assert_eq!(told.kind, ProblemKind::Denied);
        let denials = counter.snapshot();
        assert_eq!(denials.total(), 3);
        assert_eq!(denials.by_reason["socket"], Refused { times: 2, last: told.message });
    }

    #[test]
    fn a_message_repeats_so_many_addresses_and_no_more() {
        let told = |count: u8| {
            let addresses = (0..count).map(|last| IpAddr::from([10, 0, 0, last])).collect();
            let origin = Origin { scheme: "https".to_owned(), host: "a.example".to_owned(), port: 443 };
            Denial::Address { origin, addresses, kind: "a private address" }.to_string()
        };
        assert!(told(8).contains("10.0.0.7, ") || told(8).contains("10.0.0.7)"), "{}", told(8));
        assert_eq!(told(9), told(8));
    }

    #[test]
    fn a_plugins_text_is_repeated_short_and_harmless() {
        assert_eq!(quoted("plain ü"), "plain ü");
        assert_eq!(quoted("\u{1b}[2J\n"), "\\u{1b}[2J\\n");
        assert_eq!(quoted(&"x".repeat(QUOTED_BYTES)), "x".repeat(QUOTED_BYTES));
        assert_eq!(quoted(&"x".repeat(QUOTED_BYTES + 1)), "x".repeat(QUOTED_BYTES) + "…");
    }
}

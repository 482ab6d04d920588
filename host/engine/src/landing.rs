//! What happens to finished work: it is judged by a command, and it lands somewhere.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// A command that judges the work, run by a shell in the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// For the shell.
    pub command: String,
    /// At most this long.
    pub time: Option<Millis>,
    /// So many failures go back to the agent before the run fails.
    pub feed_back: u32,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Whether the work stands.
    pub passed: bool,
    /// One sentence.
    pub summary: String,
    /// The end of what the command printed.
    pub tail: String,
}

/// The kinds of landing, for what an operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandingKind {
    /// Stays on its branch; always allowed.
    Leave,
    /// Pushed to the remote.
    Push,
    /// Pushed, with a pull request.
    PullRequest,
    /// Merged into a branch of the repository, on this machine.
    Merge,
}

impl LandingKind {
    /// The name used in manifests, grants and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Push => "push",
            Self::PullRequest => "pull-request",
            Self::Merge => "merge",
        }
    }
}

impl std::fmt::Display for LandingKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How a pull request looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PullRequest {
    /// The task's title if absent.
    pub title: Option<String>,
    /// Markdown before the agent's summary.
    pub preface: Option<String>,
    /// The branch it is for; the remote's default branch if absent.
    pub base: Option<String>,
}

/// What happens to finished work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Landing {
    /// It stays on its branch.
    #[default]
    Leave,
    /// The branch is pushed.
    Push,
    /// The branch is pushed, and a pull request is opened or brought up to date.
    PullRequest(PullRequest),
    /// Merged into this branch, on this machine.
    Merge(String),
}

impl Landing {
    /// Without its details.
    pub const fn kind(&self) -> LandingKind {
        match self {
            Self::Leave => LandingKind::Leave,
            Self::Push => LandingKind::Push,
            Self::PullRequest(_) => LandingKind::PullRequest,
            Self::Merge(_) => LandingKind::Merge,
        }
    }
}

/// Where finished work is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// `branch`, `pushed`, `pull-request` or `merged`.
    pub kind: String,
    /// Of the pull request, or a link that opens one.
    pub url: Option<String>,
    /// Of the pull request.
    pub number: Option<u32>,
    /// What the branch, or the branch merged into, points to now.
    pub head: Option<String>,
    /// One sentence if it is less than was wished; else empty.
    pub note: String,
}

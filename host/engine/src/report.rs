//! The end of a run, as the tracker is told.

use serde::{Deserialize, Serialize};

use crate::landing::{Landed, Verification};
use crate::outcome::Usage;
use crate::time::Millis;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportState {
    /// The agent did it.
    Succeeded,
    /// It did not, for good.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

impl ReportState {
    /// The name used in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// New.
    Added,
    /// Other content or mode.
    Modified,
    /// Gone.
    Deleted,
    /// Elsewhere.
    Renamed,
}

impl ChangeKind {
    /// The name used in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
        }
    }
}

/// One changed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Relative to the repository.
    pub path: String,
    /// What happened.
    pub kind: ChangeKind,
    /// Lines; 0 for a binary file.
    pub added: u64,
    /// Lines; 0 for a binary file.
    pub removed: u64,
}

/// What a run changed, committed or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Object id the branch has now.
    pub head: Option<String>,
    /// Since the start commit.
    pub files: Vec<FileChange>,
    /// Commits on top of the start commit.
    pub commits: u32,
    /// Whether there is work that is not committed.
    pub uncommitted: bool,
}

/// The end of a run, for the tracker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub state: ReportState,
    /// Empty when it succeeded.
    pub reason: String,
    /// Whether another try could help.
    pub retryable: bool,
    /// One sentence; empty when it succeeded.
    pub message: String,
    /// From the agent.
    pub summary: String,
    /// With the work, if there is any.
    pub branch: Option<String>,
    /// Where the work started.
    pub base: Option<String>,
    /// Where the branch is now.
    pub head: Option<String>,
    /// Since `base`.
    pub files: Vec<FileChange>,
    /// How many there were.
    pub attempts: u32,
    /// Of all attempts.
    pub usage: Usage,
    /// From claim to end.
    pub elapsed: Millis,
    /// Of the last attempt.
    pub session: Option<String>,
    /// Who worked.
    pub provider: String,
    /// What the verification found in the end, if there was one.
    #[serde(default)]
    pub verified: Option<Verification>,
    /// What became of the work, if there was any.
    #[serde(default)]
    pub landed: Option<Landed>,
}

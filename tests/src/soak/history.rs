//! What the host remembers of its runs, as `host runs --json` tells it.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::HostSandbox;

/// A run of the host. A task that the server hands out twice has two.
#[derive(Debug, Clone, Deserialize)]
pub struct HostRun {
    /// Unique.
    pub id: String,
    /// The board's id of the task.
    pub task_id: String,
    /// What it is doing.
    pub state: String,
    /// How it ended: `succeeded`, `failed`, `cancelled`, `lost`, `not-ours`.
    pub result: Option<String>,
    /// Why.
    pub why: String,
    /// One for each start of an agent.
    pub attempts: Vec<Value>,
    /// Branch with the work.
    pub branch: Option<String>,
    /// Where it started.
    pub base: Option<String>,
    /// Where the branch is.
    pub head: Option<String>,
    /// Its worktree, there or not.
    pub workspace: Option<PathBuf>,
    /// What was changed.
    pub files: Vec<Value>,
    /// Whether it is over.
    pub closed: bool,
}

impl HostRun {
    /// Whether its worktree holds work: changed files, or commits of its own.
    pub fn holds_work(&self) -> bool {
        !self.files.is_empty() || (self.head.is_some() && self.head != self.base)
    }
}

/// All runs, oldest first.
///
/// # Panics
///
/// If the host cannot tell them.
pub fn read(sandbox: &HostSandbox) -> Vec<HostRun> {
    let output = sandbox.host(&["runs", "--all", "--json"]);
    let mut runs: Vec<HostRun> = serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("`host runs` tells no runs ({error}): {output:?}"));
    runs.reverse();
    runs
}

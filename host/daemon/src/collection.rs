//! What of the past takes space, and what of it may go: `host disk` and `host gc`.
//!
//! [`survey`] looks, [`rules`] decides (pure), [`sweep`] removes. Nothing goes on
//! doubt: a worktree needs a proof that its work is safe elsewhere, or the operator's
//! word for exactly this run. It works beside a running host, because it touches only
//! what belongs to closed runs.

mod audit;
pub mod disk;
mod lock;
mod rules;
mod survey;
mod sweep;

use std::path::PathBuf;

use hostler_engine::time::{Millis, Timestamp};
use hostler_journal::audit::Old;
use hostler_workspaces::{RemovalProof, Workspace};
use serde::Serialize;

pub(crate) use self::lock::CollectionLock;
use crate::failure::Failure;
use crate::home::Home;

/// How long the past is kept after a run has ended; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Worktrees whose work is safe elsewhere.
    pub worktrees: Option<Millis>,
    /// What agents printed, said and were told, and the patch.
    pub logs: Option<Millis>,
    /// The history of runs in the journal.
    pub journal: Option<Millis>,
    /// Files of the audit log.
    pub audit: Option<Millis>,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Some(Millis::minutes(days * 24 * 60));
        Self { worktrees: days(14), logs: days(30), journal: days(90), audit: None }
    }
}

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Everything, by age.
    #[default]
    All,
    /// One run, whatever its age.
    Run(String),
    /// One run, with all the work in its worktree, committed or not.
    Discard(String),
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A worktree with its branch.
    Worktree,
    /// The folder of a run: output, events, prompts, patch.
    Logs,
    /// Rows of the journal.
    Journal,
    /// The oldest files of the audit log.
    Audit,
    /// A plugin that was kept for runs that began with it.
    Plugin,
    /// Native code of a plugin.
    NativeCode,
}

/// What becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is kept.
    Stays,
    /// It may go; `host gc --yes` removes it.
    Goes,
    /// It was removed.
    Gone,
}

/// One thing that takes space, and what becomes of it.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub what: What,
    /// Id of the run that it belongs to.
    pub run: Option<String>,
    /// Key of that run's task.
    pub task: Option<String>,
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes on the disk.
    pub bytes: u64,
    /// What becomes of it.
    pub fate: Fate,
    /// Why; part of a sentence.
    pub why: String,
    #[serde(skip)]
    deed: Option<Deed>,
}

/// How something is removed.
#[derive(Debug)]
enum Deed {
    Worktree { workspace: Box<Workspace>, proof: RemovalProof, users: Vec<String> },
    Forget(PathBuf),
    Logs,
    Folder,
    File,
    Prune { before: Timestamp },
    Audit { old: Vec<Old>, now: Timestamp },
}

/// Looks at everything and decides, removing nothing. Blocks.
pub fn look(
    home: &Home,
    retention: &Retention,
    choice: &Choice,
    now: Timestamp,
) -> Result<Vec<Finding>, Failure> {
    let survey = survey::Survey::take(home)?;
    let choice = survey.chosen(choice)?;
    Ok(survey.findings(home, retention, &choice, now))
}

/// Removes what may go, each after a last look; tells what became of it. Blocks.
pub fn carry_out(home: &Home, findings: Vec<Finding>) -> Vec<Finding> {
    sweep::sweep(home, findings)
}

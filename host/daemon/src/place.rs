//! Where work is done: a git repository with a worktree for each run, or a plain
//! folder for one run at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_engine::effect::WorkspaceOrder;
use hostler_engine::plan::Base;
use hostler_engine::report::{ChangeKind, Changes, FileChange};
use hostler_engine::run::{Run, Workspace};
use hostler_engine::task::{RunId, slug};
use hostler_workspaces as workspaces;
use hostler_workspaces::{Order, Removal, RemovalProof, Repository, WorkspaceError};

use crate::collection::CollectionLock;
use crate::history::History;
use crate::home::Home;

/// A patch kept beside a run is cut at this size; the branch has the whole work.
const PATCH_BYTES: usize = 4 * 1024 * 1024;

/// Longest part of a wished branch name that is kept when the name itself cannot be.
const BRANCH_PART: usize = 60;

/// Runs that are searched for an earlier session.
const SEARCHED: u32 = 1000;

/// Where work is done. Cheap to clone; its methods block.
#[derive(Clone)]
pub enum Place {
    /// A repository: every run gets a worktree and a branch.
    Git(Arc<Repository>),
    /// A folder that is in no repository: work is done in it.
    Folder(PathBuf),
}

impl Place {
    /// Makes the ordered workspace, or opens it again. The same order gives the same
    /// workspace, also after a crash.
    pub fn prepare(
        &self,
        home: &Home,
        run: &Run,
        order: &WorkspaceOrder,
    ) -> Result<Workspace, WorkspaceError> {
        let repository = match self {
            Self::Git(repository) => repository,
            Self::Folder(path) => return Ok(in_place(path, order)),
        };
        // While an earlier worktree is taken up, nothing may remove it.
        let held = order.session.as_ref().and_then(|session| Some((session, hold(home)?)));
        let earlier = held.as_ref().and_then(|(session, _)| earlier_workspace(home, run, session));
        let (made, continued) = match earlier {
            Some(earlier) => go_on(repository, run, order, earlier)?,
            None => (make(repository, run, order)?, false),
        };
        keep_record(home, &run.id, &made);
        Ok(Workspace {
            path: made.path.display().to_string(),
            branch: made.order.branch.clone(),
            base: made.order.start.to_string(),
            number: order.number,
            continued,
            record: serde_json::to_string(&made).unwrap_or_default(),
        })
    }

    /// What changed in a workspace; the patch goes into `patch_file`. Of a plain
    /// folder nothing is known.
    pub fn changes(&self, record: &str, patch_file: &Path) -> Result<Changes, WorkspaceError> {
        let (Self::Git(repository), Some(workspace)) = (self, opened(record)) else {
            return Ok(Changes::default());
        };
        let (found, patch) = repository.review(&workspace, PATCH_BYTES)?;
        if let Err(error) = crate::files::note(patch_file, &patch.text) {
            tracing::warn!("the patch is not kept in {}: {error}", patch_file.display());
        }
        for omitted in &found.omitted {
            tracing::warn!("not counted among the changes: {omitted:?}");
        }
        Ok(Changes {
            head: found.head.map(|id| id.to_string()),
            files: found.files.iter().map(file_change).collect(),
            commits: found.commits,
            uncommitted: found.uncommitted,
        })
    }

    /// Removes a worktree in which nothing was changed, if that can be proven.
    pub fn remove_unchanged(&self, record: &str) -> Option<Removal> {
        let (Self::Git(repository), Some(workspace)) = (self, opened(record)) else { return None };
        Some(repository.remove(&workspace, &RemovalProof::NoChanges))
    }
}

fn hold(home: &Home) -> Option<CollectionLock> {
    let held = CollectionLock::to_take_up(home);
    held.inspect_err(|error| tracing::warn!("earlier worktrees cannot be used: {error}")).ok()
}

fn in_place(path: &Path, order: &WorkspaceOrder) -> Workspace {
    Workspace {
        path: path.display().to_string(),
        branch: String::new(),
        base: String::new(),
        number: order.number,
        continued: order.session.is_some(),
        record: String::new(),
    }
}

fn opened(record: &str) -> Option<workspaces::Workspace> {
    serde_json::from_str(record).ok()
}

fn make(
    repository: &Repository,
    run: &Run,
    order: &WorkspaceOrder,
) -> Result<workspaces::Workspace, WorkspaceError> {
    let start = match &order.start {
        Some(id) => repository.resolve(&workspaces::Base::Revision(id.clone()))?,
        None => repository.resolve(&base(&order.base))?,
    };
    prepare_from(repository, run, order, start)
}

fn prepare_from(
    repository: &Repository,
    run: &Run,
    order: &WorkspaceOrder,
    start: workspaces::ObjectId,
) -> Result<workspaces::Workspace, WorkspaceError> {
    let ordered = |branch: String| Order {
        run: run.id.0.clone(),
        attempt: order.number,
        folder: order.folder.clone(),
        place: workspaces::Place::default(),
        branch,
        start,
    };
    let [wished, suffixed, own] = branch_names(&order.branch, run.id.short(), order.number);
    let mut made = repository.prepare(&ordered(wished));
    for name in [suffixed, own] {
        if !matches!(made, Err(WorkspaceError::BranchTaken { .. } | WorkspaceError::InvalidName { .. })) {
            break;
        }
        made = repository.prepare(&ordered(name));
    }
    made
}

/// The wished name; the nearest one to it where it is taken; and where git accepts
/// neither, one of the host's own, without a folder that another branch could block.
/// The same names come out after a crash, so the workspace is found again.
fn branch_names(wish: &str, run: &str, number: u32) -> [String; 3] {
    let suffixed = format!("{wish}-{run}-{number}");
    let own = format!("hostler-{}-{run}-{number}", slug(wish, BRANCH_PART));
    [wish.to_owned(), suffixed, own]
}

/// Goes on in an earlier run's workspace; where its folder is gone, in a new one
/// that starts from its branch.
fn go_on(
    repository: &Repository,
    run: &Run,
    order: &WorkspaceOrder,
    earlier: workspaces::Workspace,
) -> Result<(workspaces::Workspace, bool), WorkspaceError> {
    let branch = earlier.order.branch.clone();
    match repository.reopen(earlier) {
        Ok(workspace) => Ok((workspace, true)),
        Err(gone) => {
            tracing::info!("{}: the earlier workspace cannot be used: {gone}", run.task.key);
            match repository.resolve(&workspaces::Base::Revision(branch)) {
                Ok(tip) => Ok((prepare_from(repository, run, order, tip)?, true)),
                Err(_) => Ok((make(repository, run, order)?, false)),
            }
        }
    }
}

/// The workspace in which a session of the same task was held on this host.
fn earlier_workspace(home: &Home, run: &Run, session: &str) -> Option<workspaces::Workspace> {
    let history = History::open(home).ok()??;
    let held = history.runs(false, SEARCHED).ok()?.into_iter().find(|earlier| {
        let same_task = earlier.tracker == run.tracker && earlier.task_id == run.task.id;
        let same_session = earlier.attempts.iter().any(|attempt| attempt.session.as_deref() == Some(session));
        earlier.id != run.id.0 && same_task && same_session
    })?;
    let record = std::fs::read(record_file(home, &RunId(held.id))).ok()?;
    serde_json::from_slice(&record).ok()
}

fn record_file(home: &Home, run: &RunId) -> PathBuf {
    home.run(run).join("workspace.json")
}

/// Kept for a later run that goes on here; without it, that one starts anew.
fn keep_record(home: &Home, run: &RunId, made: &workspaces::Workspace) {
    let kept = serde_json::to_vec(made)
        .map_err(std::io::Error::from)
        .and_then(|record| crate::files::note(&record_file(home, run), &record));
    if let Err(error) = kept {
        tracing::warn!("the workspace of {run} is not recorded for later runs: {error}");
    }
}

fn base(base: &Base) -> workspaces::Base {
    match base {
        Base::Head | Base::PreviousSession => workspaces::Base::Head,
        Base::DefaultBranch | Base::Remote(_) => workspaces::Base::DefaultBranch,
        Base::Revision(revision) => workspaces::Base::Revision(revision.clone()),
    }
}

fn file_change(change: &workspaces::FileChange) -> FileChange {
    let kind = match change.kind {
        workspaces::ChangeKind::Added => ChangeKind::Added,
        workspaces::ChangeKind::Deleted => ChangeKind::Deleted,
        workspaces::ChangeKind::Renamed { .. } => ChangeKind::Renamed,
        workspaces::ChangeKind::Modified | workspaces::ChangeKind::TypeChanged => ChangeKind::Modified,
    };
    let lines = change.lines.unwrap_or(workspaces::Lines { added: 0, removed: 0 });
    FileChange {
        path: change.path.display().to_string(),
        kind,
        added: lines.added.into(),
        removed: lines.removed.into(),
    }
}

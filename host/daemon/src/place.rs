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
use hostler_workspaces::{
    Cancel, CollectError, FETCH_LIMIT, FETCH_REUSE, Fetch, Isolation, ObjectId, Order, RemoteError, Removal,
    RemovalProof, Repository, Restored, WorkspaceError,
};

use crate::collection::CollectionLock;
use crate::home::Home;
use crate::record::history::History;
use crate::view::{AttemptView, RunView};

/// A patch kept beside a run is cut at this size; the branch has the whole work.
const PATCH_BYTES: usize = 4 * 1024 * 1024;

/// Longest part of a wished branch name that is kept when the name itself cannot be.
const BRANCH_PART: usize = 60;

/// Runs that are searched for an earlier session.
const SEARCHED: u32 = 1000;

/// The remote that work comes from and lands at.
pub const REMOTE: &str = "origin";

/// A workspace, and what a person should hear about it.
pub struct Prepared {
    /// Ready to be worked in.
    pub workspace: Workspace,
    /// One sentence, if it is not what was asked for.
    pub note: Option<String>,
}

/// What an agent has left in its workspace.
pub struct Found {
    /// Against where it started.
    pub changes: Changes,
    /// One sentence, if some of it is not on the run's branch.
    pub note: Option<String>,
}

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
    /// workspace, also after a crash; one that is there keeps its isolation. `cancel`
    /// calls a fetch off.
    pub fn prepare(
        &self,
        home: &Home,
        run: &Run,
        order: &WorkspaceOrder,
        isolation: Isolation,
        cancel: &Cancel,
    ) -> Result<Prepared, RemoteError> {
        let repository = match self {
            Self::Git(repository) => repository,
            Self::Folder(path) => return Ok(Prepared { workspace: in_place(path, order), note: None }),
        };
        // While an earlier worktree is taken up, nothing may remove it.
        let held = goes_on(order).then(|| hold(home)).flatten();
        let earlier = held.as_ref().and_then(|_| earlier_workspace(home, run, order.session.as_deref()));
        let order = Ordered { repository, home, run, order, isolation, cancel };
        let (made, continued, note) = match earlier {
            Some(earlier) => order.go_on(earlier)?,
            None => (order.make()?, false, None),
        };
        order.link(&made)?;
        keep_record(home, &run.id, &made);
        let workspace = Workspace {
            path: made.path.display().to_string(),
            branch: made.order.branch.clone(),
            base: made.order.start.to_string(),
            number: order.order.number,
            continued,
            record: serde_json::to_string(&made).unwrap_or_default(),
        };
        Ok(Prepared { workspace, note })
    }

    /// A recorded workspace with its repository; plain folders have neither.
    pub fn workspace(&self, record: &str) -> Option<(&Repository, workspaces::Workspace)> {
        let Self::Git(repository) = self else { return None };
        Some((repository, opened(record)?))
    }

    /// Takes over what was committed, and says what changed; the patch goes into
    /// `patch_file`. Of a plain folder nothing is known. No agent works there any more.
    pub fn collect(&self, record: &str, patch_file: &Path) -> Result<Found, CollectError> {
        let (Self::Git(repository), Some(workspace)) = (self, opened(record)) else {
            return Ok(Found { changes: Changes::default(), note: None });
        };
        let collected = repository.collect(&workspace)?;
        let (found, patch) = repository.review(&workspace, PATCH_BYTES)?;
        if let Err(error) = crate::files::note(patch_file, &patch.text) {
            tracing::warn!("the patch is not kept in {}: {error}", patch_file.display());
        }
        for omitted in &found.omitted {
            tracing::warn!("not counted among the changes: {omitted:?}");
        }
        let changes = Changes {
            head: found.head.map(|id| id.to_string()),
            files: found.files.iter().map(file_change).collect(),
            commits: found.commits,
            uncommitted: found.uncommitted,
        };
        Ok(Found { changes, note: collected.note })
    }

    /// Removes a worktree in which nothing was changed, if that can be proven.
    pub fn remove_unchanged(&self, record: &str) -> Option<Removal> {
        let (Self::Git(repository), Some(workspace)) = (self, opened(record)) else { return None };
        Some(repository.remove(&workspace, &RemovalProof::NoChanges))
    }

    /// Removes a worktree whose work is in the ref `into`, if that can be proven. The
    /// branch stays, and the worktree can be made again.
    pub fn put_away(&self, record: &str, into: &str) -> Option<Removal> {
        let (Self::Git(repository), Some(workspace)) = (self, opened(record)) else { return None };
        Some(repository.put_away(&workspace, into))
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
        continued: goes_on(order),
        record: String::new(),
    }
}

fn opened(record: &str) -> Option<workspaces::Workspace> {
    serde_json::from_str(record).ok()
}

/// One order, and all that is needed to carry it out.
struct Ordered<'a> {
    repository: &'a Repository,
    home: &'a Home,
    run: &'a Run,
    order: &'a WorkspaceOrder,
    isolation: Isolation,
    cancel: &'a Cancel,
}

impl Ordered<'_> {
    fn make(&self) -> Result<workspaces::Workspace, RemoteError> {
        Ok(self.make_from(self.start()?)?)
    }

    /// The commit to start from. What was found once is noted: branches move, and the
    /// same order must give the same workspace.
    fn start(&self) -> Result<ObjectId, RemoteError> {
        let exactly = |id: &str| self.repository.resolve(&workspaces::Base::Revision(id.to_owned()));
        if let Some(id) = &self.order.start {
            return Ok(exactly(id)?);
        }
        let note = self.home.run(&self.run.id).join("start");
        if let Some(id) = std::fs::read_to_string(&note).ok().and_then(|id| exactly(id.trim()).ok()) {
            return Ok(id);
        }
        let found = match &self.order.base {
            Base::Remote(branch) => self.fetch(branch.as_deref())?,
            base => self.repository.resolve(&local_base(base))?,
        };
        if let Err(error) = crate::files::note(&note, found.to_string().as_bytes()) {
            tracing::warn!("where {} starts is not noted in {}: {error}", self.run.task.key, note.display());
        }
        Ok(found)
    }

    /// A branch of the remote as it is there now. A repository without a remote has only
    /// its own default branch.
    fn fetch(&self, branch: Option<&str>) -> Result<ObjectId, RemoteError> {
        let fetch = Fetch {
            remote: REMOTE,
            branch,
            time_limit: FETCH_LIMIT,
            reuse: FETCH_REUSE,
            cancel: self.cancel,
        };
        match self.repository.fetch(&fetch) {
            Err(RemoteError::NoRemote { .. }) if branch.is_none() => {
                Ok(self.repository.resolve(&workspaces::Base::DefaultBranch)?)
            }
            fetched => Ok(fetched?.commit),
        }
    }

    fn make_from(&self, start: ObjectId) -> Result<workspaces::Workspace, WorkspaceError> {
        let folder = |name: &String| workspaces::Place::Folder(name.clone());
        let place = self.order.worktrees.as_ref().map(folder).unwrap_or_default();
        let ordered = |branch: String| Order {
            run: self.run.id.0.clone(),
            attempt: self.order.number,
            folder: self.order.folder.clone(),
            place: place.clone(),
            branch,
            start,
            isolation: self.isolation,
        };
        let [wished, suffixed, own] =
            branch_names(&self.order.branch, self.run.id.short(), self.order.number);
        let mut made = self.repository.prepare(&ordered(wished));
        for name in [suffixed, own] {
            if !matches!(made, Err(WorkspaceError::BranchTaken { .. } | WorkspaceError::InvalidName { .. })) {
                break;
            }
            made = self.repository.prepare(&ordered(name));
        }
        made
    }

    /// Goes on in an earlier run's workspace. Where its folder is gone, it is made again
    /// from its branch; where the host knows nothing of it any more, a new one starts
    /// from that branch. Says whether the work is there, and what a person should hear.
    fn go_on(
        &self,
        earlier: workspaces::Workspace,
    ) -> Result<(workspaces::Workspace, bool, Option<String>), RemoteError> {
        let branch = earlier.order.branch.clone();
        let Ok(tip) = self.repository.resolve(&workspaces::Base::Revision(format!("refs/heads/{branch}")))
        else {
            return Ok((self.make()?, false, None));
        };
        let key = &self.run.task.key;
        match self.repository.restore(&earlier) {
            Ok(Restored::Present) => Ok((earlier, true, None)),
            Ok(Restored::FromBranch(_) | Restored::FromStart) => {
                let note = format!(
                    "{key}: its worktree was gone and has been made again from the branch `{branch}`, with \
                     what was committed there."
                );
                Ok((earlier, true, Some(note)))
            }
            Err(gone) => {
                tracing::info!("{key}: the earlier workspace cannot be used: {gone}");
                let note = format!(
                    "{key}: its earlier worktree cannot be used any more; the work goes on in a new one that \
                     starts from the branch `{branch}`."
                );
                Ok((self.make_from(tip)?, true, Some(note)))
            }
        }
    }

    fn link(&self, made: &workspaces::Workspace) -> Result<(), WorkspaceError> {
        let paths: Vec<&str> = self.order.link.iter().map(String::as_str).collect();
        if !paths.is_empty() {
            let linked = self.repository.link_ignored(made, &paths)?;
            tracing::debug!("{}: linked {paths:?}: {linked:?}", self.run.task.key);
        }
        Ok(())
    }
}

/// The wished name; the nearest one to it where it is taken; and where git accepts
/// neither, one of the host's own, without a folder that another branch could block.
/// The same names come out after a crash, so the workspace is found again.
fn branch_names(wish: &str, run: &str, number: u32) -> [String; 3] {
    let suffixed = format!("{wish}-{run}-{number}");
    let own = format!("hostler-{}-{run}-{number}", slug(wish, BRANCH_PART));
    [wish.to_owned(), suffixed, own]
}

const fn goes_on(order: &WorkspaceOrder) -> bool {
    order.session.is_some() || order.last
}

/// The workspace in which a session of the same task was held on this host; of any
/// session, that of the newest run.
fn earlier_workspace(home: &Home, run: &Run, session: Option<&str>) -> Option<workspaces::Workspace> {
    let history = History::open(home).ok()??;
    let earlier = history.runs(false, SEARCHED).ok()?.into_iter().filter(|earlier| {
        let same_task = earlier.tracker == run.tracker && earlier.task_id == run.task.id;
        let held = |attempt: &AttemptView| attempt.session.as_deref() == session;
        let same_session = session.is_none() || earlier.attempts.iter().any(held);
        earlier.id != run.id.0 && same_task && same_session
    });
    let record = |earlier: RunView| std::fs::read(record_file(home, &RunId(earlier.id))).ok();
    earlier.filter_map(record).find_map(|record| serde_json::from_slice(&record).ok())
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

fn local_base(base: &Base) -> workspaces::Base {
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

//! Making a workspace: branch, worktree record, files.
//!
//! The worktree record (`worktrees/<name>` in the common git directory, see
//! gitrepository-layout(5)) and the branch are made under the repository's
//! lock; checking out, which takes the time, runs in parallel.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::WorkspaceError;
use crate::exclude::place_line;
use crate::files::{self, ensure_real_dir, is_real_dir, occupied, reached_without_links};
use crate::git::CHECKOUT_LIMIT;
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::{Isolation, Order, Workspace};
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::process::Call;
use crate::receipt::{Receipt, Stage};
use crate::repository::Repository;

impl Repository {
    /// Makes the workspace of `order`, or finishes making it, or returns it.
    ///
    /// Safe to call again after a crash at any point. A folder or branch that
    /// is there already and is not this order's is never touched.
    ///
    /// Nothing may be at work in a workspace that is prepared again: locks that a
    /// git command of its agent left behind are removed.
    pub fn prepare(&self, order: &Order) -> Result<Workspace, WorkspaceError> {
        order.check()?;
        let desk = self.desk(&order.folder);
        fs::create_dir_all(&desk).map_err(WorkspaceError::io("create the directory", &desk))?;
        let _desk_lock = Lock::acquire(&desk.join("lock"))?;
        let mut receipt = match receipt_for(order, &desk)? {
            Some(receipt) if receipt.stage == Stage::Ready => {
                let workspace = self.reopen(receipt.workspace)?;
                remove_stale_locks(&workspace)?;
                return Ok(workspace);
            }
            found => {
                let _lock = Lock::acquire(&self.lock_path())?;
                let receipt = match found {
                    Some(receipt) => {
                        // A host that was killed in here may have left the lock of its branch.
                        remove_stale_locks(&receipt.workspace)?;
                        receipt
                    }
                    None => self.begin(order, &desk)?,
                };
                self.claim(&receipt.workspace, &desk)?;
                receipt
            }
        };
        self.check_out(&receipt.workspace, &desk)?;
        receipt.stage = Stage::Ready;
        receipt.write(&desk)?;
        tracing::info!(path = %receipt.workspace.path.display(), "workspace ready");
        Ok(receipt.workspace)
    }

    /// Takes up a workspace from the host's records after a restart.
    pub fn reopen(&self, workspace: Workspace) -> Result<Workspace, WorkspaceError> {
        let desk = self.desk_of(&workspace)?;
        let known =
            Receipt::read(&desk)?.is_some_and(|it| it.stage == Stage::Ready && it.workspace == workspace);
        if !known {
            return Err(WorkspaceError::NotOurs { path: workspace.path, state: desk });
        }
        if !is_real_dir(&workspace.path) {
            return Err(WorkspaceError::Missing { path: workspace.path, branch: workspace.order.branch });
        }
        Ok(workspace)
    }

    /// Checks that nothing is in the way, and writes down what will be made.
    fn begin(&self, order: &Order, desk: &Path) -> Result<Receipt, WorkspaceError> {
        let path = self.root_of(&order.place).join(&order.folder);
        if occupied(&path) {
            return Err(WorkspaceError::FolderTaken {
                path,
                owner: "something this host did not make".to_owned(),
            });
        }
        let repository = self.refs()?;
        repository.find_commit(order.start.oid()).map_err(|_| WorkspaceError::UnknownRevision {
            revision: order.start.to_string(),
            path: self.checkout().to_owned(),
        })?;
        if branch_target(&repository, &order.branch)?.is_some() || is_in_the_way(&repository, &order.branch) {
            return Err(WorkspaceError::BranchTaken { branch: order.branch.clone() });
        }
        let git_dir = match order.isolation {
            Isolation::Worktree => self.free_record(&order.folder),
            Isolation::Clone => path.join(".git"),
        };
        let receipt = Receipt {
            stage: Stage::Started,
            drop_branch_at: None,
            collected: None,
            workspace: Workspace {
                order: order.clone(),
                path,
                common_dir: self.common_dir().to_owned(),
                git_dir,
            },
        };
        receipt.write(desk)?;
        Ok(receipt)
    }

    fn free_record(&self, folder: &str) -> PathBuf {
        let records = self.common_dir().join("worktrees");
        let mut candidate = records.join(folder);
        let mut number = 2_u64;
        while occupied(&candidate) {
            candidate = records.join(format!("{folder}-{number}"));
            number += 1;
        }
        candidate
    }

    /// Makes what other processes can see. Every step may have been done
    /// before a crash; the receipt says that it was us.
    fn claim(&self, workspace: &Workspace, desk: &Path) -> Result<(), WorkspaceError> {
        self.exclude(&place_line(&workspace.order.place))?;
        self.make_folders(workspace)?;
        ensure_real_dir(&workspace.path)?;
        self.make_branch(&workspace.order)?;
        self.make_git_dir(workspace, &workspace.path, desk, workspace.order.start)
    }

    /// Makes what the agent's git works with; the workspace's folder may still be
    /// elsewhere, at `folder`.
    pub(crate) fn make_git_dir(
        &self,
        workspace: &Workspace,
        folder: &Path,
        desk: &Path,
        tip: ObjectId,
    ) -> Result<(), WorkspaceError> {
        match workspace.order.isolation {
            Isolation::Worktree => write_record(workspace, folder),
            Isolation::Clone => self.make_clone(workspace, folder, desk, tip),
        }
    }

    pub(crate) fn make_folders(&self, workspace: &Workspace) -> Result<(), WorkspaceError> {
        let root = self.root_of(&workspace.order.place);
        if let Some(parent) = root.parent() {
            ensure_real_dir(parent)?;
        }
        ensure_real_dir(&root)?;
        if workspace.order.isolation == Isolation::Clone {
            return Ok(());
        }
        ensure_real_dir(&self.common_dir().join("worktrees"))?;
        ensure_real_dir(&workspace.git_dir)
    }

    pub(crate) fn make_branch(&self, order: &Order) -> Result<(), WorkspaceError> {
        let repository = self.refs()?;
        match branch_target(&repository, &order.branch)? {
            Some(target) if target == order.start => return Ok(()),
            Some(_) => {
                return Err(WorkspaceError::BranchTaken { branch: order.branch.clone() });
            }
            None => {}
        }
        let name = format!("refs/heads/{}", order.branch);
        let message = format!("branch: created by the host for {}", order.owner());
        match repository.reference(&name, order.start.oid(), false, &message) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == git2::ErrorCode::Exists => {
                Err(WorkspaceError::BranchTaken { branch: order.branch.clone() })
            }
            Err(error) => Err(WorkspaceError::repository("create the branch", self.common_dir())(error)),
        }
    }

    /// Writes the files, by way of the private git directory, and gives the
    /// agent a copy of the index.
    fn check_out(&self, workspace: &Workspace, desk: &Path) -> Result<(), WorkspaceError> {
        let private = PrivateGitDir::of(workspace, desk);
        private.create(self.common_dir())?;
        self.note_remotes(desk)?;
        let index = private.scratch_index()?;
        let scope = private.scope(&index, Store::Private);
        let start = workspace.order.start.to_string();
        let call = Call { time_limit: CHECKOUT_LIMIT, ..Call::default() };
        self.git.run(&scope, &["read-tree", "--reset", "-u", &start], &call)?;
        let base_index = private.base_index();
        files::move_durably(&index, &base_index)
            .map_err(WorkspaceError::io("move the index to", &base_index))?;
        files::copy_index(&base_index, &workspace.git_dir.join("index"))
    }
}

/// Makes the two sides of a worktree known to each other. The folder may
/// still be elsewhere, at `folder`.
fn write_record(workspace: &Workspace, folder: &Path) -> Result<(), WorkspaceError> {
    let link = |path: &Path| format!("{}\n", path.display()).into_bytes();
    let order = &workspace.order;
    let record = &workspace.git_dir;
    let head = format!("ref: refs/heads/{}\n", order.branch);
    let reason = format!("in use by the host for {}\n", order.owner());
    files::replace(&record.join("locked"), reason.as_bytes())?;
    files::replace(&record.join("commondir"), b"../..\n")?;
    files::replace(&record.join("HEAD"), head.as_bytes())?;
    files::replace(&record.join("gitdir"), &link(&workspace.path.join(".git")))?;
    let pointer = format!("gitdir: {}\n", record.display());
    files::replace(&folder.join(".git"), pointer.as_bytes())
}

/// Removes the locks of this worktree and its branch. A git command that was killed
/// leaves them behind, and every later one refuses to work because of them.
fn remove_stale_locks(workspace: &Workspace) -> Result<(), WorkspaceError> {
    let own = ["index.lock", "HEAD.lock"].map(|name| workspace.git_dir.join(name));
    let branch = format!("refs/heads/{}.lock", workspace.order.branch);
    let shared = workspace.common_dir.join(&branch);
    let locks = own.map(|lock| (lock, workspace.git_top()));
    let locks = locks.into_iter().chain([(shared, workspace.common_dir.as_path())]);
    for (lock, top) in locks.chain([(workspace.git_dir.join(&branch), workspace.git_top())]) {
        if reached_without_links(&lock, top) {
            match fs::remove_file(&lock) {
                Ok(()) => tracing::info!(path = %lock.display(), "stale lock removed"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(WorkspaceError::io("remove the stale lock", &lock)(error)),
            }
        }
    }
    Ok(())
}

/// The receipt of this order, if the host has begun with it.
fn receipt_for(order: &Order, desk: &Path) -> Result<Option<Receipt>, WorkspaceError> {
    match Receipt::read(desk)? {
        Some(receipt) if !receipt.workspace.order.is_same(order) => Err(WorkspaceError::FolderTaken {
            path: receipt.workspace.path,
            owner: receipt.workspace.order.owner(),
        }),
        Some(receipt) if receipt.stage == Stage::Removing => Err(WorkspaceError::FolderTaken {
            path: receipt.workspace.path,
            owner: "a removal that has not finished".to_owned(),
        }),
        found => Ok(found),
    }
}

/// Whether another branch keeps this one from being made: `a` and `a/b` cannot both exist.
fn is_in_the_way(repository: &git2::Repository, branch: &str) -> bool {
    let exists = |name: &str| repository.find_reference(&format!("refs/heads/{name}")).is_ok();
    let above = branch.match_indices('/').any(|(end, _)| exists(&branch[..end]));
    let below = repository.references_glob(&format!("refs/heads/{branch}/*"));
    above || below.is_ok_and(|mut found| found.next().is_some())
}

/// Where a branch points, or `None` if there is none. A branch that is no
/// plain pointer to a commit counts as taken by the caller's comparison.
pub(crate) fn branch_target(
    repository: &git2::Repository,
    branch: &str,
) -> Result<Option<ObjectId>, WorkspaceError> {
    match repository.find_reference(&format!("refs/heads/{branch}")) {
        Ok(reference) => match reference.target() {
            Some(target) => Ok(Some(target.into())),
            None => Err(WorkspaceError::BranchTaken { branch: branch.to_owned() }),
        },
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(WorkspaceError::repository("read the branch", repository.path())(error)),
    }
}

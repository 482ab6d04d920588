//! Deleting a workspace: only on proof, and by renaming first.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use crate::changes::Inspection;
use crate::deletion::delete_tree;
use crate::error::WorkspaceError;
use crate::files::{ensure_real_dir, is_real_dir, occupied};
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::{Isolation, Place, Workspace};
use crate::private_gitdir::Store;
use crate::receipt::{Receipt, Stage};
use crate::repository::Repository;

/// A `HEAD` is one line; a branch name fits a file name.
const MAX_HEAD_BYTES: u64 = 4096;

/// Why a workspace may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalProof {
    /// Everything in it is in this ref (full name, such as
    /// `refs/remotes/origin/main`). Checked; the branch goes, too.
    Merged {
        /// The ref that holds the work.
        into: String,
    },
    /// Everything in it is in this branch of a remote (full name). Checked; the branch
    /// stays if it has commits of its own: a remote's branch may be deleted there.
    Pushed {
        /// The ref that holds the work.
        into: String,
    },
    /// Nothing was changed. Checked; the branch goes, too.
    NoChanges,
    /// Everything in it is in the commit that `Repository::preserve` made.
    /// Checked; the branch stays if it has commits of its own.
    Preserved,
    /// A person said so. The branch stays if it has commits of its own.
    OperatorSaid,
}

/// What became of a workspace that was to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed {
        /// The branch is gone, too; everything on it is elsewhere.
        branch_deleted: bool,
        /// Files that could not be deleted, if any: out of the way, and tried
        /// again at the next removal.
        leftover: Option<PathBuf>,
    },
    /// It is still there, or cannot be proven to be safe to delete.
    Kept {
        /// One sentence for a person.
        reason: String,
    },
}

/// Why a proof does not hold.
pub(crate) enum Doubt {
    Unproven(String),
    Failed(WorkspaceError),
}

impl From<WorkspaceError> for Doubt {
    fn from(error: WorkspaceError) -> Self {
        Self::Failed(error)
    }
}

pub(crate) fn unproven(reason: impl Into<String>) -> Doubt {
    Doubt::Unproven(reason.into())
}

impl Repository {
    /// Deletes the workspace if `proof` holds. The caller knows that no agent
    /// process works in it any more. Removing what is gone already is fine.
    pub fn remove(&self, workspace: &Workspace, proof: &RemovalProof) -> Removal {
        match self.try_remove(workspace, proof) {
            Ok(removal) => removal,
            Err(Doubt::Unproven(reason)) => Removal::Kept { reason },
            Err(Doubt::Failed(error)) => {
                Removal::Kept { reason: format!("it could not be checked or deleted: {error}") }
            }
        }
    }

    fn try_remove(&self, workspace: &Workspace, proof: &RemovalProof) -> Result<Removal, Doubt> {
        let desk = self.desk_of(workspace)?;
        let Some(mut receipt) = Receipt::read(&desk)? else {
            if occupied(&workspace.path) {
                return Err(unproven("it was not made by this host"));
            }
            return Ok(Removal::Removed {
                branch_deleted: false,
                leftover: self.empty_trash(&workspace.order.place),
            });
        };
        if receipt.workspace != *workspace {
            return Err(unproven(format!("the folder belongs to {}", receipt.workspace.order.owner())));
        }
        if receipt.stage != Stage::Removing {
            receipt.drop_branch_at = self.verify(workspace, proof)?;
            receipt.stage = Stage::Removing;
            receipt.write(&desk)?;
        }
        let _lock = Lock::acquire(&self.lock_path())?;
        self.move_to_trash(workspace)?;
        let branch_deleted = self.delete_branch(workspace, receipt.drop_branch_at)?;
        self.delete_record(workspace)?;
        fs::remove_dir_all(&desk).map_err(WorkspaceError::io("delete", &desk))?;
        Ok(Removal::Removed { branch_deleted, leftover: self.empty_trash(&workspace.order.place) })
    }

    /// Checks the proof; gives back the commit at which the branch may go.
    pub(crate) fn verify(
        &self,
        workspace: &Workspace,
        proof: &RemovalProof,
    ) -> Result<Option<ObjectId>, Doubt> {
        if *proof == RemovalProof::OperatorSaid {
            return Ok(Some(workspace.order.start));
        }
        let inspection = self.inspect(workspace, Store::Private)?;
        let tip = inspection.tip.ok_or_else(|| unproven("its branch is gone or names no commit"))?;
        check_nothing_omitted(&inspection)?;
        self.check_committed(workspace, tip)?;
        if *proof == RemovalProof::Preserved {
            return self.check_preserved(workspace, &inspection, tip);
        }
        if inspection.uncommitted() {
            return Err(unproven("it holds work that is not committed"));
        }
        match proof {
            RemovalProof::Merged { into } => {
                self.check_merged(workspace, tip, into)?;
            }
            RemovalProof::Pushed { into } => {
                self.check_merged(workspace, tip, into)?;
                return Ok(Some(workspace.order.start));
            }
            _ if tip == workspace.order.start => {}
            _ => return Err(unproven("its branch has commits of its own")),
        }
        Ok(Some(tip))
    }

    /// The branch stays unless it is unused: few people would look for the kept
    /// commit.
    fn check_preserved(
        &self,
        workspace: &Workspace,
        inspection: &Inspection,
        tip: ObjectId,
    ) -> Result<Option<ObjectId>, Doubt> {
        self.kept(workspace, inspection.snapshot.tree, tip)?
            .ok_or_else(|| unproven("it holds work that has not been preserved"))?;
        Ok(Some(workspace.order.start))
    }

    fn check_merged(&self, workspace: &Workspace, tip: ObjectId, into: &str) -> Result<(), Doubt> {
        let repository = self.refs()?;
        let target = repository
            .find_reference(into)
            .and_then(|reference| reference.resolve())
            .map_err(|_| unproven(format!("`{into}` names no commit")))?;
        // By its own name or through a symbolic ref.
        let branch = format!("refs/heads/{}", workspace.order.branch);
        if target.name_bytes() == branch.as_bytes() {
            return Err(unproven("a branch is no proof of its own merge"));
        }
        let target = target.peel_to_commit().map_err(|_| unproven(format!("`{into}` names no commit")))?.id();
        if self.is_ancestor(workspace, tip, target.into())? {
            Ok(())
        } else {
            Err(unproven(format!("its commits are not in `{into}`")))
        }
    }

    /// Checks that every commit of the agent's is on the run's branch, which is on `tip`.
    pub(crate) fn check_committed(&self, workspace: &Workspace, tip: ObjectId) -> Result<(), Doubt> {
        match workspace.order.isolation {
            Isolation::Worktree => check_head(workspace, tip),
            Isolation::Clone => self.check_collected(workspace, tip),
        }
    }

    fn trash(&self, place: &Place) -> PathBuf {
        self.root_of(place).join(".trash")
    }

    /// After the rename the workspace is gone for everyone at once, however
    /// long deleting takes.
    pub(crate) fn move_to_trash(&self, workspace: &Workspace) -> Result<(), Doubt> {
        let expected = self.root_of(&workspace.order.place).join(&workspace.order.folder);
        if workspace.path != expected {
            return Err(unproven("its path is not where workspaces are"));
        }
        if !occupied(&workspace.path) {
            return Ok(());
        }
        let root = self.root_of(&workspace.order.place);
        let real = root.parent().is_some_and(is_real_dir) && is_real_dir(&root);
        if !real || !is_real_dir(&workspace.path) {
            return Err(unproven("its path leads through a link"));
        }
        let trash = self.trash(&workspace.order.place);
        ensure_real_dir(&trash)?;
        let mut target = trash.join(&workspace.order.folder);
        let mut number = 2_u64;
        while occupied(&target) {
            target = trash.join(format!("{}-{number}", workspace.order.folder));
            number += 1;
        }
        fs::rename(&workspace.path, &target).map_err(WorkspaceError::io("move", &workspace.path))?;
        Ok(())
    }

    /// Deletes the branch if it is still where the proof saw it and the user
    /// is not on it.
    fn delete_branch(&self, workspace: &Workspace, at: Option<ObjectId>) -> Result<bool, Doubt> {
        let repository = self.refs()?;
        let name = format!("refs/heads/{}", workspace.order.branch);
        let Ok(reference) = repository.find_reference(&name) else {
            return Ok(true);
        };
        let proven = at.is_some_and(|at| reference.target() == Some(at.oid()));
        let mut branch = git2::Branch::wrap(reference);
        if !proven || branch.is_head() {
            return Ok(false);
        }
        // Fails if the branch has moved since it was read.
        branch
            .get_mut()
            .delete()
            .map_err(WorkspaceError::repository("delete the branch", self.common_dir()))?;
        Ok(true)
    }

    pub(crate) fn delete_record(&self, workspace: &Workspace) -> Result<(), Doubt> {
        if workspace.order.isolation == Isolation::Clone {
            // It went with the folder.
            return Ok(());
        }
        let record = &workspace.git_dir;
        let records = self.common_dir().join("worktrees");
        if record.parent() != Some(&records) || !is_real_dir(&records) {
            return Err(unproven("its worktree record is not where records are"));
        }
        if !is_real_dir(record) {
            return Ok(());
        }
        fs::remove_dir_all(record).map_err(WorkspaceError::io("delete", record))?;
        Ok(())
    }

    /// Deletes what is in the trash; gives back the trash if some of it stays.
    pub(crate) fn empty_trash(&self, place: &Place) -> Option<PathBuf> {
        let trash = self.trash(place);
        if !is_real_dir(&trash) {
            return None;
        }
        match delete_tree(&trash) {
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::NotFound && !occupied(&trash) => None,
            Err(error) => {
                tracing::warn!(path = %trash.display(), %error, "some files could not be deleted");
                Some(trash)
            }
        }
    }
}

pub(crate) fn check_nothing_omitted(inspection: &Inspection) -> Result<(), Doubt> {
    match inspection.snapshot.omitted.first() {
        None => Ok(()),
        Some(first) => {
            Err(unproven(format!("`{}` in it cannot be compared ({:?})", first.path.display(), first.reason)))
        }
    }
}

/// Commits made on a detached `HEAD` are on no branch. The agent can write this
/// file, but only to its own loss: another branch's name there keeps nothing
/// from view that the comparison of files does not see.
fn check_head(workspace: &Workspace, tip: ObjectId) -> Result<(), Doubt> {
    let path = workspace.git_dir.join("HEAD");
    if !path.symlink_metadata().is_ok_and(|data| data.is_file()) {
        return Err(unproven("its HEAD is gone"));
    }
    let mut text = String::new();
    fs::File::open(&path)
        .and_then(|file| file.take(MAX_HEAD_BYTES).read_to_string(&mut text))
        .map_err(WorkspaceError::io("read", &path))?;
    let text = text.trim();
    if text.starts_with("ref: refs/heads/") || text == tip.to_string() {
        return Ok(());
    }
    Err(unproven("its HEAD is on a commit that is on no branch"))
}

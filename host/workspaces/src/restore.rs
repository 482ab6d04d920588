//! Making the folder of a workspace again after somebody deleted it.

use std::fs;

use crate::error::WorkspaceError;
use crate::files::{self, ensure_real_dir, is_real_dir, occupied};
use crate::git::CHECKOUT_LIMIT;
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::{Isolation, Workspace};
use crate::prepare::branch_target;
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::process::Call;
use crate::receipt::{Receipt, Stage};
use crate::repository::Repository;

/// What is in a workspace that was made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// The folder was there all the time.
    Present,
    /// All that was committed on its branch.
    FromBranch(ObjectId),
    /// Only what it started from: its branch was gone, too.
    FromStart,
}

impl Repository {
    /// Makes a workspace's folder again from its branch if it is gone. What was
    /// not committed there is lost; the host did not delete it.
    ///
    /// The files are written aside and moved into place when they are complete,
    /// so a crash leaves no half-empty folder that looks like the agent's work.
    pub fn restore(&self, workspace: &Workspace) -> Result<Restored, WorkspaceError> {
        let desk = self.desk_of(workspace)?;
        let known =
            Receipt::read(&desk)?.is_some_and(|it| it.stage == Stage::Ready && it.workspace == *workspace);
        if !known {
            return Err(WorkspaceError::NotOurs { path: workspace.path.clone(), state: desk });
        }
        let _desk_lock = Lock::acquire(&desk.join("lock"))?;
        if is_real_dir(&workspace.path) {
            return Ok(Restored::Present);
        }
        if occupied(&workspace.path) {
            return Err(WorkspaceError::UnsafePath { path: workspace.path.clone() });
        }
        let lock = Lock::acquire(&self.lock_path())?;
        let tip = branch_target(&self.refs()?, &workspace.order.branch)?;
        if tip.is_none() {
            self.make_branch(&workspace.order)?;
        }
        self.make_folders(workspace)?;
        let aside =
            self.root_of(&workspace.order.place).join(format!(".restoring-{}", workspace.order.folder));
        if occupied(&aside) {
            // Left by a crash in here; no agent has ever been in it.
            fs::remove_dir_all(&aside).map_err(WorkspaceError::io("delete", &aside))?;
        }
        ensure_real_dir(&aside)?;
        self.make_git_dir(workspace, &aside, &desk, tip.unwrap_or(workspace.order.start))?;
        drop(lock);
        let git_dir = match workspace.order.isolation {
            Isolation::Worktree => workspace.git_dir.clone(),
            Isolation::Clone => aside.join(".git"),
        };
        let staged = Workspace { path: aside.clone(), git_dir, ..workspace.clone() };
        self.fill(&staged, &PrivateGitDir::of(&staged, &desk), tip)?;
        if let Some(tip) = tip {
            Receipt::note_collected(workspace, &desk, tip)?;
        }
        fs::rename(&aside, &workspace.path).map_err(WorkspaceError::io("move to", &workspace.path))?;
        tracing::info!(path = %workspace.path.display(), "workspace made again");
        Ok(tip.map_or(Restored::FromStart, Restored::FromBranch))
    }

    /// Writes the start, whose index comparisons need, and then the tip over it.
    fn fill(
        &self,
        staged: &Workspace,
        private: &PrivateGitDir,
        tip: Option<ObjectId>,
    ) -> Result<(), WorkspaceError> {
        let (start, index, base) = (staged.order.start, private.scratch_index()?, private.base_index());
        let scope = private.scope(&index, Store::Private);
        let call = Call { time_limit: CHECKOUT_LIMIT, ..Call::default() };
        self.git.run(&scope, &["read-tree", "--reset", "-u", &start.to_string()], &call)?;
        files::copy_index(&index, &base)?;
        if let Some(tip) = tip.filter(|tip| *tip != start) {
            self.git.run(&scope, &["read-tree", "-m", "-u", &start.to_string(), &tip.to_string()], &call)?;
        }
        files::copy_index(&index, &staged.git_dir.join("index"))
    }
}

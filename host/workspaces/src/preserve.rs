//! Keeping work that was not committed.

use crate::base::commit_of;
use crate::branch;
use crate::changes::Inspection;
use crate::error::WorkspaceError;
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::{Order, Workspace};
use crate::private_gitdir::Store;
use crate::process::Call;
use crate::repository::Repository;
use crate::snapshot::{Omitted, parse_id};

/// Work that is safe in the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preserved {
    /// Full name of the ref that keeps it.
    pub reference: String,
    /// The commit with everything the workspace held.
    pub commit: ObjectId,
    /// What could not be stored in a commit.
    pub omitted: Vec<Omitted>,
}

impl Repository {
    /// Records everything the workspace holds as a commit on a ref of its own,
    /// without touching the agent's index, branch or files. `None` if there is
    /// nothing beyond the start. Doing it again keeps the same commit if
    /// nothing changed.
    pub fn preserve(&self, workspace: &Workspace) -> Result<Option<Preserved>, WorkspaceError> {
        let inspection = self.inspect(workspace, Store::Repository)?;
        let start = workspace.order.start;
        let parent = inspection.tip.unwrap_or(start);
        let reference = reference_of(&workspace.order);
        let commit = if inspection.uncommitted() {
            let tree = inspection.snapshot.tree;
            match self.kept(workspace, tree, parent)? {
                Some(commit) => commit,
                None => self.commit(workspace, &inspection, parent)?,
            }
        } else if parent == start {
            return Ok(None);
        } else {
            parent
        };
        let _lock = Lock::acquire(&self.lock_path())?;
        self.refs()?
            .reference(&reference, commit.oid(), true, "kept by the host")
            .map_err(WorkspaceError::repository("keep the work", self.common_dir()))?;
        Ok(Some(Preserved { reference, commit, omitted: inspection.snapshot.omitted }))
    }

    fn commit(
        &self,
        workspace: &Workspace,
        inspection: &Inspection,
        parent: ObjectId,
    ) -> Result<ObjectId, WorkspaceError> {
        let message = format!("Uncommitted work of {}", workspace.order.owner());
        let private = &inspection.private;
        let scope = private.scope(&private.base_index(), Store::Repository);
        let (tree, parent) = (inspection.snapshot.tree.to_string(), parent.to_string());
        let arguments = ["commit-tree", &tree, "-p", &parent, "-m", &message];
        let output = self.git.run(&scope, &arguments, &Call::default())?;
        parse_id("commit-tree", &output)
    }

    /// The commit kept before, if it holds just this: `tree` on top of
    /// `parent`, or `parent` itself.
    pub(crate) fn kept(
        &self,
        workspace: &Workspace,
        tree: ObjectId,
        parent: ObjectId,
    ) -> Result<Option<ObjectId>, WorkspaceError> {
        let repository = self.refs()?;
        let Some(id) = commit_of(&repository, &reference_of(&workspace.order)) else {
            return Ok(None);
        };
        let same = repository.find_commit(id.oid()).is_ok_and(|commit| {
            commit.tree_id() == tree.oid() && (id == parent || commit.parent_ids().eq([parent.oid()]))
        });
        Ok(same.then_some(id))
    }
}

fn reference_of(order: &Order) -> String {
    let run = branch::valid(&order.run).replace('/', "-");
    format!("refs/hostler/kept/{run}-{}", order.attempt)
}

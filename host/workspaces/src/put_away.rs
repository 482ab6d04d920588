//! Giving back the room of a workspace whose work has landed, so that it can be made
//! again.

use crate::error::WorkspaceError;
use crate::files::occupied;
use crate::lock::Lock;
use crate::order::Workspace;
use crate::receipt::{Receipt, Stage};
use crate::remove::{Doubt, Removal, RemovalProof, unproven};
use crate::repository::Repository;

impl Repository {
    /// Deletes the folder of a workspace if everything in it is in `into` (full name,
    /// such as `refs/remotes/origin/fix`). Its branch stays, and so does what the host
    /// knows of it: [`restore`](Self::restore) makes the folder again.
    ///
    /// The caller knows that no agent process works in it any more. Doing it again is
    /// fine.
    pub fn put_away(&self, workspace: &Workspace, into: &str) -> Removal {
        match self.try_to_put_away(workspace, into) {
            Ok(removal) => removal,
            Err(Doubt::Unproven(reason)) => Removal::Kept { reason },
            Err(Doubt::Failed(error)) => {
                Removal::Kept { reason: format!("it could not be checked or deleted: {error}") }
            }
        }
    }

    fn try_to_put_away(&self, workspace: &Workspace, into: &str) -> Result<Removal, Doubt> {
        let desk = self.desk_of(workspace)?;
        let known =
            Receipt::read(&desk)?.is_some_and(|it| it.stage == Stage::Ready && it.workspace == *workspace);
        if !known {
            return Err(WorkspaceError::NotOurs { path: workspace.path.clone(), state: desk }.into());
        }
        if occupied(&workspace.path) {
            self.verify(workspace, &RemovalProof::Merged { into: into.to_owned() })?
                .ok_or_else(|| unproven("its branch names no commit"))?;
        }
        let _lock = Lock::acquire(&self.lock_path())?;
        self.move_to_trash(workspace)?;
        self.delete_record(workspace)?;
        Ok(Removal::Removed { branch_deleted: false, leftover: self.empty_trash(&workspace.order.place) })
    }
}

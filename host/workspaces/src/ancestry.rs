//! Whether one commit is in the history of another.

use crate::error::WorkspaceError;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::repository::Repository;

impl Repository {
    /// Whether `new` has all of `old`'s history. Both are commits of the repository.
    /// Asked in the workspace's private git directory: what an agent wrote into the
    /// repository to speed such questions up is not believed.
    pub(crate) fn is_ancestor(
        &self,
        workspace: &Workspace,
        old: ObjectId,
        new: ObjectId,
    ) -> Result<bool, WorkspaceError> {
        let private = PrivateGitDir::of(workspace, &self.desk_of(workspace)?);
        let scope = private.scope(&private.base_index(), Store::Private);
        self.git.ask(&scope, &["merge-base", "--is-ancestor", &old.to_string(), &new.to_string()])
    }
}

//! Whether a workspace could go without any work being lost, and why not.

use crate::error::WorkspaceError;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::Store;
use crate::remove::{Doubt, RemovalProof, check_nothing_omitted, unproven};
use crate::repository::Repository;

/// Refs that are asked whether they hold the work: one git command each, so a
/// remote with thousands of branches must not take minutes per workspace.
const MAX_REFS: usize = 64;

/// Where merged work ends up, in the order in which it is looked for there.
const DEFAULT_REFS: [&str; 5] = [
    "refs/remotes/origin/HEAD",
    "refs/remotes/origin/main",
    "refs/remotes/origin/master",
    "refs/heads/main",
    "refs/heads/master",
];

impl Repository {
    /// The proof with which [`remove`](Self::remove) would let the workspace go now:
    /// nothing was changed in it, or all of it is committed and in a branch of a
    /// remote or in the default branch. Otherwise the reason for keeping it, one
    /// sentence part for a person. Changes nothing; a probe that fails proves nothing.
    pub fn proof_of_safety(&self, workspace: &Workspace) -> Result<RemovalProof, String> {
        self.find_proof(workspace).map_err(|doubt| match doubt {
            Doubt::Unproven(reason) => reason,
            Doubt::Failed(error) => format!("it could not be checked: {error}"),
        })
    }

    fn find_proof(&self, workspace: &Workspace) -> Result<RemovalProof, Doubt> {
        let inspection = self.inspect(workspace, Store::Private)?;
        let tip = inspection.tip.ok_or_else(|| unproven("its branch is gone or names no commit"))?;
        check_nothing_omitted(&inspection)?;
        self.check_committed(workspace, tip)?;
        if inspection.uncommitted() {
            return Err(unproven("it holds work that is not committed"));
        }
        if tip == workspace.order.start {
            return Ok(RemovalProof::NoChanges);
        }
        for into in self.refs_that_may_hold(&workspace.order.branch)? {
            if self.holds(workspace, &into, tip)? {
                return Ok(if DEFAULT_REFS.contains(&into.as_str()) {
                    RemovalProof::Merged { into }
                } else {
                    RemovalProof::Pushed { into }
                });
            }
        }
        Err(unproven(format!(
            "the commits of its branch `{}` are in no branch of a remote and not in the default branch",
            workspace.order.branch
        )))
    }

    /// Full names of the refs to ask: those that let the branch go with the workspace
    /// first, then the likeliest. A workspace's own branch
    /// is never among them: it is no proof of its own merge.
    fn refs_that_may_hold(&self, branch: &str) -> Result<Vec<String>, WorkspaceError> {
        let error = || WorkspaceError::repository("list the branches", self.common_dir());
        let repository = self.refs()?;
        let mut remotes = Vec::new();
        for reference in repository.references_glob("refs/remotes/*").map_err(error())? {
            let reference = reference.map_err(error())?;
            if let Ok(name) = std::str::from_utf8(reference.name_bytes()) {
                remotes.push(name.to_owned());
            }
        }
        let pushed = format!("/{branch}");
        let (own_name, others): (Vec<_>, Vec<_>) =
            remotes.into_iter().partition(|name| name.ends_with(&pushed));
        let mut names = DEFAULT_REFS.map(str::to_owned).to_vec();
        names.extend(own_name);
        names.extend(others);
        let own = format!("refs/heads/{branch}");
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| *name != own && seen.insert(name.clone()));
        names.truncate(MAX_REFS);
        Ok(names)
    }

    fn holds(&self, workspace: &Workspace, into: &str, tip: ObjectId) -> Result<bool, WorkspaceError> {
        match crate::base::commit_of(&self.refs()?, into) {
            Some(target) => self.is_ancestor(workspace, tip, target),
            None => Ok(false),
        }
    }
}

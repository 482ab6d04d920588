//! Merging a run's branch into an integration branch on this machine.
//!
//! The merge is computed without a worktree (`git merge-tree`): a conflict
//! leaves nothing to clean up, and no file of anybody changes. Then the branch
//! moves in one step, only if it is still where the merge started.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::branch;
use crate::commit::subject;
use crate::error::WorkspaceError;
use crate::landing_error::LandingError;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::prepare::branch_target;
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::repository::Repository;
use crate::snapshot::{fields, parse_id};

/// How often a merge starts anew because the branch moved meanwhile; whoever
/// moves it more often is at work there.
const ATTEMPTS: u32 = 3;

/// `HEAD` and `gitdir` files of worktrees are one line.
const MAX_LINE_BYTES: u64 = 8192;

/// A branch that has been merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What the integration branch is on now.
    pub head: ObjectId,
    /// Everything was there before.
    pub already_merged: bool,
}

enum Tried {
    Clean(ObjectId),
    Conflict(Vec<PathBuf>),
}

impl Repository {
    /// Merges the workspace's branch into the local branch `into` with a merge
    /// commit, even where a fast-forward would do. Merge drivers, hooks,
    /// filters and recorded resolutions play no part.
    ///
    /// Refused while `into` is checked out anywhere: moving a branch under a
    /// checkout makes its files look changed, and writing its files is the
    /// person's own (their filters and editors are at work there).
    pub fn merge(&self, workspace: &Workspace, into: &str, title: &str) -> Result<Merged, LandingError> {
        let branch = &workspace.order.branch;
        if into == branch {
            return Err(LandingError::OwnBranch { into: into.to_owned() });
        }
        let head = branch_target(&self.refs()?, branch)?
            .ok_or_else(|| LandingError::BranchGone { branch: branch.clone() })?;
        let message = format!("Merge branch '{branch}' into {into}\n\n{}\n", subject(title));
        let mut attempt = 1;
        loop {
            match self.merge_once(workspace, into, head, &message) {
                Err(LandingError::Moved { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn merge_once(
        &self,
        workspace: &Workspace,
        into: &str,
        head: ObjectId,
        message: &str,
    ) -> Result<Merged, LandingError> {
        let branch = &workspace.order.branch;
        let target = if branch::is_valid(into) { branch_target(&self.refs()?, into)? } else { None };
        let target = target.ok_or_else(|| LandingError::UnknownTarget {
            into: into.to_owned(),
            path: self.checkout().to_owned(),
        })?;
        if self.is_ancestor(workspace, head, target)? {
            return Ok(Merged { head: target, already_merged: true });
        }
        if let Some(path) = self.checked_out(into) {
            return Err(LandingError::CheckedOut { into: into.to_owned(), path, branch: branch.clone() });
        }
        let tree = match self.try_merge(workspace, target, head)? {
            Tried::Clean(tree) => tree,
            Tried::Conflict(paths) => {
                return Err(LandingError::Conflict { branch: branch.clone(), into: into.to_owned(), paths });
            }
        };
        let merged = self.new_commit(tree, &[target, head], message)?;
        self.move_branch(into, target, merged, &format!("merge {branch} by the host"))?;
        Ok(Merged { head: merged, already_merged: false })
    }

    fn try_merge(
        &self,
        workspace: &Workspace,
        target: ObjectId,
        head: ObjectId,
    ) -> Result<Tried, WorkspaceError> {
        let private = PrivateGitDir::of(workspace, &self.desk_of(workspace)?);
        let scope = private.scope(&private.base_index(), Store::Repository);
        let (target, head) = (target.to_string(), head.to_string());
        let arguments = [
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--no-messages",
            target.as_str(),
            head.as_str(),
        ];
        let (clean, output) = self.git.answer(&scope, &arguments)?;
        let mut fields = fields(&output);
        let tree = parse_id("merge-tree", fields.next().unwrap_or_default())?;
        if clean {
            return Ok(Tried::Clean(tree));
        }
        let mut paths: Vec<PathBuf> = fields.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect();
        paths.dedup();
        Ok(Tried::Conflict(paths))
    }

    /// A checkout of the branch, the main one first.
    pub(crate) fn checked_out(&self, branch: &str) -> Option<PathBuf> {
        let wanted = format!("ref: refs/heads/{branch}");
        let is_on = |git_dir: &Path| one_line(&git_dir.join("HEAD")).is_some_and(|line| line == wanted);
        let main = self.common_dir().parent().filter(|_| self.common_dir().ends_with(".git"));
        if let Some(main) = main.filter(|_| is_on(self.common_dir())) {
            return Some(main.to_owned());
        }
        let records = fs::read_dir(self.common_dir().join("worktrees")).into_iter().flatten().flatten();
        let mut on_it =
            records.map(|record| record.path()).filter(|record| is_on(record)).filter_map(|record| {
                let pointer = PathBuf::from(one_line(&record.join("gitdir"))?);
                // A record whose folder is gone waits for `git worktree prune`.
                pointer.exists().then(|| pointer.parent().map(Path::to_owned)).flatten()
            });
        on_it.next()
    }
}

fn one_line(path: &Path) -> Option<String> {
    if !path.symlink_metadata().is_ok_and(|data| data.is_file()) {
        return None;
    }
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_LINE_BYTES).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

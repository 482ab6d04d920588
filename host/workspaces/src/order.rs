//! What the engine orders and what it gets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::branch;
use crate::error::WorkspaceError;
use crate::object_id::ObjectId;

/// Longest folder name in bytes; leaves room below the 255 of file systems for
/// the suffixes of locks and copies.
pub const MAX_FOLDER_BYTES: usize = 100;

/// Below which folder of the main checkout a workspace is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// `.hostler/worktrees`.
    #[default]
    Hostler,
    /// A hidden folder of this name, such as `.trakkar-worktrees`, for those who
    /// look for their worktrees there. It begins with a `.`; the rest is as in
    /// [`Order::folder`].
    Folder(String),
}

/// What the agent's git works with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// A git worktree. Its commits are in the user's repository at once; for that the
    /// agent must be able to write to that repository.
    #[default]
    Worktree,
    /// A repository of its own inside the workspace, for an agent that can write
    /// nowhere else. `Repository::collect` takes its commits over.
    Clone,
}

/// A workspace to prepare. The same order always gives the same workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The run it is for.
    pub run: String,
    /// Counts from 1 within the run.
    pub attempt: u32,
    /// Name of the folder: letters, digits, `-`, `_` and `.`, not first a `.`.
    pub folder: String,
    /// Where that folder is.
    #[serde(default)]
    pub place: Place,
    /// Short name of the branch to create; see `Repository::branch_name`.
    pub branch: String,
    /// The commit to start from.
    pub start: ObjectId,
    /// What the agent's git works with. A workspace that is there already keeps what
    /// it was made with.
    #[serde(default)]
    pub isolation: Isolation,
}

/// A prepared workspace, as the host keeps it in its records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// The order it was made for.
    pub order: Order,
    /// Where the agent works.
    pub path: PathBuf,
    /// The repository's common git directory.
    pub common_dir: PathBuf,
    /// This worktree's own directory inside `common_dir`, or the clone's inside `path`.
    /// The agent can write there; the host never believes what it says.
    pub git_dir: PathBuf,
}

impl Workspace {
    /// The folder that only this workspace's git directory is in: between it and the
    /// git directory's files the host follows no link.
    pub(crate) fn git_top(&self) -> &Path {
        match self.order.isolation {
            Isolation::Worktree => &self.common_dir,
            Isolation::Clone => &self.path,
        }
    }
}

impl Order {
    /// Checks the names; an order from the engine passes, one read from
    /// elsewhere cannot leave the workspace root.
    pub(crate) fn check(&self) -> Result<(), WorkspaceError> {
        if !is_slug(&self.folder) {
            return Err(WorkspaceError::InvalidName {
                what: "folder name",
                name: self.folder.clone(),
                rule: "use at most 100 letters, digits, `-`, `_` and `.`, and begin with none of `.` and `-`",
            });
        }
        if let Place::Folder(name) = &self.place
            && !is_hidden_slug(name)
        {
            return Err(WorkspaceError::InvalidName {
                what: "place for worktrees",
                name: name.clone(),
                rule: "use one folder name that begins with a `.`, and neither `.git` nor `.hostler`",
            });
        }
        if !branch::is_valid(&self.branch) {
            return Err(WorkspaceError::InvalidName {
                what: "branch name",
                name: self.branch.clone(),
                rule: "git's rules for branch names apply, and at most 120 bytes",
            });
        }
        Ok(())
    }

    /// Whether two orders are for the same workspace.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        *self == Self { isolation: self.isolation, ..other.clone() }
    }

    pub(crate) fn owner(&self) -> String {
        format!("run {} attempt {}", self.run, self.attempt)
    }
}

fn is_hidden_slug(name: &str) -> bool {
    let taken = [".git", ".hostler"].iter().any(|taken| name.eq_ignore_ascii_case(taken));
    !taken && name.strip_prefix('.').is_some_and(is_slug)
}

fn is_slug(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_FOLDER_BYTES).contains(&name.len())
        && name.bytes().all(known)
        && !name.starts_with(['.', '-'])
        // Git could take a worktree record of this name for one of its locks.
        && !name.as_bytes().ends_with(b".lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_cannot_leave_the_workspace_root() {
        for bad in ["", ".", "..", "../x", "a/b", "/a", ".trash", "-f", "a\0", "é", "x.lock"] {
            assert!(!is_slug(bad), "{bad:?}");
        }
        for good in ["APP-12", "a.b_c", "0"] {
            assert!(is_slug(good), "{good:?}");
        }
    }

    #[test]
    fn a_folder_name_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(is_slug(&"x".repeat(MAX_FOLDER_BYTES)));
        assert!(!is_slug(&"x".repeat(MAX_FOLDER_BYTES + 1)));
    }

    #[test]
    fn a_place_is_one_hidden_folder_and_never_the_repositorys_own() {
        for bad in
            ["", ".", "..", "worktrees", ".a/b", "../x", ".git", ".GIT", ".hostler", "..x", ".git.lock"]
        {
            assert!(!is_hidden_slug(bad), "{bad:?}");
        }
        assert!(is_hidden_slug(".trakkar-worktrees"));
    }
}

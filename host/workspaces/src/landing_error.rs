//! Why work did not land, and what to do about it.

use std::path::PathBuf;

use crate::error::WorkspaceError;
use crate::forge::ForgeError;
use crate::remote_error::RemoteError;

/// Why a landing did not happen. What had been done up to there stays done;
/// the same landing may be asked for again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LandingError {
    /// The branch is where it started.
    #[error(
        "`{branch}` holds no commit of its own, so there is nothing to land; look at what the agent said"
    )]
    NothingToLand {
        /// The run's branch.
        branch: String,
    },
    /// The agent deleted the branch.
    #[error(
        "the branch `{branch}` is gone or names no commit; make it again with `git branch {branch} COMMIT`"
    )]
    BranchGone {
        /// The run's branch.
        branch: String,
    },
    /// Somebody moved a branch at the same time.
    #[error("`{branch}` was moved by somebody else at the same time; try again once nobody works on it")]
    Moved {
        /// The branch.
        branch: String,
    },
    /// The branch to merge into does not exist here.
    #[error("there is no local branch `{into}` in {path}; make it with `git branch {into}`, or name another")]
    UnknownTarget {
        /// The branch to merge into.
        into: String,
        /// The checkout.
        path: PathBuf,
    },
    /// The branch to merge into is the run's own.
    #[error("`{into}` is the branch of the run itself; name the branch it should be merged into")]
    OwnBranch {
        /// The branch to merge into.
        into: String,
    },
    /// The branch to merge into is somebody's checkout.
    #[error(
        "`{into}` is checked out in {path}, where the files would no longer match; switch that checkout to another branch, or merge there by hand with `git merge --no-ff {branch}`"
    )]
    CheckedOut {
        /// The branch to merge into.
        into: String,
        /// Where.
        path: PathBuf,
        /// The run's branch.
        branch: String,
    },
    /// Both sides changed the same lines.
    #[error(
        "`{branch}` conflicts with `{into}` in {}; nothing was changed, merge `{into}` into `{branch}` and resolve it there",
        listed(paths)
    )]
    Conflict {
        /// The run's branch.
        branch: String,
        /// The branch to merge into.
        into: String,
        /// Every file in conflict, by path.
        paths: Vec<PathBuf>,
    },
    /// The forge did not open the pull request; the branch has been pushed.
    #[error("`{branch}` is pushed, but its pull request was not opened: {source}")]
    Forge {
        /// The run's branch.
        branch: String,
        /// Why not.
        source: ForgeError,
    },
    /// The remote.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The repository on this machine.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl LandingError {
    /// True if the same may well work a little later.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Remote(error) => error.is_temporary(),
            Self::Forge { source, .. } => source.is_temporary(),
            Self::Moved { .. } => true,
            _ => false,
        }
    }
}

/// More names than this make a sentence unreadable.
const MAX_LISTED: usize = 5;

fn listed(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().take(MAX_LISTED).map(|path| path.display().to_string()).collect();
    match paths.len().checked_sub(MAX_LISTED) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_fit_are_named_and_the_rest_is_counted() {
        let paths =
            |count: usize| -> Vec<PathBuf> { (0..count).map(|it| PathBuf::from(it.to_string())).collect() };
        assert_eq!(listed(&paths(MAX_LISTED)), "0, 1, 2, 3, 4");
        assert_eq!(listed(&paths(MAX_LISTED + 1)), "0, 1, 2, 3, 4 and 1 more");
    }
}

//! Why the commits of a clone were not taken over, and what to do about it.

use std::path::PathBuf;

use crate::error::WorkspaceError;
use crate::untrusted::UntrustedError;

/// Why the commits of a clone were not taken over. Nothing was changed; the clone is
/// still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Something in the clone's git directory is not what git puts there.
    #[error(
        "the agent's commits were not taken over: {0}; the folder stays, look at it by hand without running git in it"
    )]
    Odd(#[from] UntrustedError),
    /// `HEAD` or a ref cannot be read as one.
    #[error(
        "the agent's commits were not taken over: `{name}` in {path} is no ref of the `files` format; the folder stays, look at it by hand without running git in it"
    )]
    Ref {
        /// Which one, as the agent left it.
        name: String,
        /// The clone's git directory.
        path: PathBuf,
    },
    /// There is more than an agent's work can be.
    #[error(
        "the agent's commits were not taken over: {path} holds more than {limit} {unit}; the folder stays, take over by hand what is wanted"
    )]
    TooMuch {
        /// The clone's git directory.
        path: PathBuf,
        /// The most that is taken over.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Git's own checks found something wrong.
    #[error(
        "the agent's commits in {path} were not taken over because git's strict check refused them ({detail}); the folder stays, look at it by hand without running git in it"
    )]
    Refused {
        /// The workspace.
        path: PathBuf,
        /// Git's words.
        detail: String,
    },
    /// The user's repository, or the host's own files, could not be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

//! Everything that can go wrong with a workspace, and what to do about it.

use std::path::PathBuf;

/// Why a workspace operation did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// No git repository at or above the path.
    #[error("{path} is not inside a git repository; run `git init` there, or give another path")]
    NotARepository {
        /// Where the search began.
        path: PathBuf,
    },
    /// The repository has no checkout.
    #[error("{path} is a bare repository; give the path of a checkout or of one of its worktrees instead")]
    Bare {
        /// The git directory.
        path: PathBuf,
    },
    /// The repository has no commit.
    #[error(
        "the repository at {path} has no commit to start from; commit something first, for example `git commit --allow-empty -m start`"
    )]
    Empty {
        /// The checkout.
        path: PathBuf,
    },
    /// A repository format or file name this host cannot work with safely.
    #[error(
        "the repository at {path} cannot be used: {detail}; use a full SHA-1 clone with the `files` ref format"
    )]
    Unsupported {
        /// The repository.
        path: PathBuf,
        /// What is not supported.
        detail: String,
    },
    /// The repository belongs to someone else.
    #[error("the repository at {path} belongs to another user; run the host as its owner")]
    ForeignOwner {
        /// The repository.
        path: PathBuf,
    },
    /// No git program in the search path.
    #[error("the git program was not found in PATH; install git {minimum} or newer")]
    GitMissing {
        /// The oldest version that works.
        minimum: String,
    },
    /// The git program is too old.
    #[error("git {found} is too old; install git {minimum} or newer")]
    GitTooOld {
        /// What the program says it is.
        found: String,
        /// The oldest version that works.
        minimum: String,
    },
    /// The base names no commit here.
    #[error("`{revision}` names no branch, tag or commit in {path}; fetch it first, or name another base")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
        /// The checkout.
        path: PathBuf,
    },
    /// A name in an order breaks the rules.
    #[error("`{name}` is not a valid {what}: {rule}")]
    InvalidName {
        /// Kind of name.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// Something else is where the workspace should be.
    #[error("{path} is in use by {owner}; choose another folder name, or remove it first")]
    FolderTaken {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: String,
    },
    /// The branch exists and is not this order's.
    #[error("the branch `{branch}` exists already; choose another name")]
    BranchTaken {
        /// Short branch name.
        branch: String,
    },
    /// The folder of a known workspace is gone.
    #[error(
        "the workspace {path} has been deleted by someone else; commits on `{branch}` are not affected, start again from that branch"
    )]
    Missing {
        /// The folder.
        path: PathBuf,
        /// Its branch.
        branch: String,
    },
    /// The host has no receipt for this workspace.
    #[error("{path} was not made by this host (no receipt in {state}); it is left alone")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Where the receipt should be.
        state: PathBuf,
    },
    /// A directory is a symbolic link or something else.
    #[error(
        "{path} must be a real directory, not a link or file; move it away so that the host can make its own"
    )]
    UnsafePath {
        /// What is in the way.
        path: PathBuf,
    },
    /// A git command ended with an error.
    #[error("`git {command}` failed ({status}): {message}")]
    Git {
        /// The subcommand.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote to standard error.
        message: String,
    },
    /// A git command took too long and was ended.
    #[error(
        "`git {command}` was ended after {seconds} s; the disk may be overloaded or a file may block, look at the workspace by hand"
    )]
    TimedOut {
        /// The subcommand.
        command: String,
        /// The limit.
        seconds: u64,
    },
    /// A git command was called off.
    #[error("`git {command}` was called off; nothing was changed, try again when it is wanted")]
    Cancelled {
        /// The subcommand.
        command: String,
    },
    /// A git command wrote more than it may.
    #[error("`git {command}` wrote more than {limit} bytes; the workspace holds too many files to list")]
    TooMuchOutput {
        /// The subcommand.
        command: String,
        /// The limit.
        limit: usize,
    },
    /// A git command's answer makes no sense.
    #[error("`git {command}` gave an answer that cannot be read: {detail}")]
    Answer {
        /// The subcommand.
        command: String,
        /// What is wrong with it.
        detail: String,
    },
    /// libgit2 could not read or write the repository.
    #[error("cannot {action} in {path}: {source}")]
    Repository {
        /// What was attempted.
        action: &'static str,
        /// The repository.
        path: PathBuf,
        /// Why not.
        source: git2::Error,
    },
    /// The file system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A receipt cannot be read.
    #[error("the receipt {path} is damaged ({source}); move it away after looking at the workspace by hand")]
    Receipt {
        /// The receipt.
        path: PathBuf,
        /// Why not.
        source: serde_json::Error,
    },
}

impl WorkspaceError {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    /// For `map_err` on libgit2 operations.
    pub(crate) fn repository(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(git2::Error) -> Self {
        let path = path.into();
        move |source| Self::Repository { action, path, source }
    }
}

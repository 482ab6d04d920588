//! What goes wrong between the host and a remote, and what to do about it.

use crate::error::WorkspaceError;

/// Why a remote was not reached or refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The repository has no such remote.
    #[error(
        "{path} has no remote `{remote}`; add it with `git remote add {remote} URL`, or let the work stay on its branch"
    )]
    NoRemote {
        /// The remote's name.
        remote: String,
        /// The checkout, or the workspace for which none was noted.
        path: String,
    },
    /// The address would start a program or is none.
    #[error(
        "the address of the remote `{remote}` cannot be used; set it with `git remote set-url {remote} URL` to an https, ssh, git or file address"
    )]
    UnusableUrl {
        /// The remote's name.
        remote: String,
    },
    /// No branch to start from.
    #[error("{url} has no default branch and neither `main` nor `master`; push a first commit there")]
    NoDefaultBranch {
        /// The remote, without credentials.
        url: String,
    },
    /// A branch to start from that is not there.
    #[error("{url} has no branch `{branch}`; push it there, or start from another")]
    NoBranch {
        /// The remote, without credentials.
        url: String,
        /// The branch.
        branch: String,
    },
    /// The remote does not let the operator in.
    #[error(
        "{url} refused the credentials or got none ({detail}); sign in with a credential helper or ssh agent in your own git configuration, so that `git ls-remote {url}` works without a question"
    )]
    Refused {
        /// The remote, without credentials.
        url: String,
        /// What git said.
        detail: String,
    },
    /// The remote cannot be reached now.
    #[error("{url} cannot be reached or broke off ({detail}); check the network and try again")]
    Unreachable {
        /// The remote, without credentials.
        url: String,
        /// What git said.
        detail: String,
    },
    /// There is no repository.
    #[error(
        "there is no repository at {url}, or you may not see it; correct the remote's address, or get access"
    )]
    Missing {
        /// The remote, without credentials.
        url: String,
    },
    /// The branch at the remote has commits that this host did not make.
    #[error(
        "`{branch}` at {url} has commits that are not from this run; look at them, then delete that branch or push by hand"
    )]
    Diverged {
        /// The remote, without credentials.
        url: String,
        /// The branch.
        branch: String,
    },
    /// A rule of the remote says no.
    #[error("{url} does not take `{branch}` ({detail}); change the rule there, or push by hand")]
    Declined {
        /// The remote, without credentials.
        url: String,
        /// The branch.
        branch: String,
        /// What the remote said.
        detail: String,
    },
    /// It took too long and was ended.
    #[error("{action} {url} was ended after {seconds} s; check the network, or allow more time")]
    TimedOut {
        /// `fetching from` or `pushing to`.
        action: &'static str,
        /// The remote, without credentials.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// It was called off.
    #[error("{action} {url} was called off; start it again when it is wanted")]
    Cancelled {
        /// `fetching from` or `pushing to`.
        action: &'static str,
        /// The remote, without credentials.
        url: String,
    },
    /// Anything else git said.
    #[error("{action} {url} failed: {detail}")]
    Failed {
        /// `fetching from` or `pushing to`.
        action: &'static str,
        /// The remote, without credentials.
        url: String,
        /// What git said.
        detail: String,
    },
    /// The repository on this machine is the trouble.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl RemoteError {
    /// True if the same may well work a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }

    /// Reads what git wrote to standard error in the C locale. `url` and
    /// `said` are free of credentials.
    pub(crate) fn from_message(action: &'static str, url: String, said: &str) -> Self {
        let has = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
        let detail = gist(said);
        if has(REFUSALS) {
            Self::Refused { url, detail }
        } else if has(ABSENCES) {
            Self::Missing { url }
        } else if has(BREAKS) {
            Self::Unreachable { url, detail }
        } else {
            Self::Failed { action, url, detail }
        }
    }
}

const REFUSALS: &[&str] = &[
    "Authentication failed",
    "could not read Username",
    "unable to get password from user",
    "could not read Password",
    "terminal prompts disabled",
    "Permission denied",
    "Host key verification failed",
    "returned error: 401",
    "returned error: 403",
    "HTTP 401",
    "HTTP 403",
];

const ABSENCES: &[&str] =
    &["not found", "does not appear to be a git repository", "does not exist", "returned error: 404"];

const BREAKS: &[&str] = &[
    "Could not resolve host",
    "Could not connect",
    "Couldn't connect",
    "Failed to connect",
    "Connection refused",
    "Connection reset",
    "Connection timed out",
    "Connection closed",
    "Network is unreachable",
    "No route to host",
    "Empty reply from server",
    "early EOF",
    "unexpected disconnect",
    "the remote end hung up",
    "RPC failed",
    "transfer closed",
    "returned error: 5",
    "returned error: 429",
];

/// Longest part of git's words that a message repeats, in characters; the
/// first lines name the cause.
const MAX_DETAIL: usize = 300;

/// The lines that name the cause, as one.
pub(crate) fn gist(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let grave: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.starts_with("fatal:") || line.starts_with("error:"))
        .collect();
    let chosen = if grave.is_empty() { lines } else { grave };
    let text = chosen.join("; ");
    match text.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "git gave no reason".to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &str) -> RemoteError {
        RemoteError::from_message("pushing to", "https://h/a".to_owned(), said)
    }

    #[test]
    fn the_words_of_git_are_understood() {
        let refused = [
            "fatal: Authentication failed for 'https://h/a/'",
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
            "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            "fatal: unable to access 'https://h/a/': The requested URL returned error: 403",
        ];
        assert!(refused.iter().all(|said| matches!(read(said), RemoteError::Refused { .. })));
        let broken = [
            "fatal: unable to access 'https://h/a/': Could not resolve host: h",
            "fatal: unable to access 'https://h/a/': The requested URL returned error: 503",
            "error: RPC failed; curl 18 transfer closed\nfatal: early EOF",
        ];
        assert!(broken.iter().all(|said| read(said).is_temporary()));
        assert!(matches!(read("fatal: repository 'https://h/a/' not found"), RemoteError::Missing { .. }));
        assert!(matches!(read("fatal: odd"), RemoteError::Failed { .. }));
    }

    #[test]
    fn a_detail_at_the_limit_is_whole_and_one_letter_more_is_cut() {
        assert_eq!(gist(&"x".repeat(MAX_DETAIL)), "x".repeat(MAX_DETAIL));
        assert_eq!(gist(&"x".repeat(MAX_DETAIL + 1)), format!("{}…", "x".repeat(MAX_DETAIL)));
    }
}

//! What a file operation's failure means to a plugin.

use std::io::{self, ErrorKind};

use hostler_engine::problem::{Problem, ProblemKind};

use crate::denial::{Denial, Refusal, quoted};

/// A file of a granted directory, as messages name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) handle: &'p str,
    pub(super) path: &'p str,
}

impl Place<'_> {
    /// What the system's refusal to `verb` (read, list, write) means.
    pub(super) fn fault(self, verb: &str, error: &io::Error) -> Refusal {
        let kind = error.kind();
        if kind == ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
            // Not the system but the opened directory refused: the path leads out.
            let (handle, path) = (self.handle.to_owned(), quoted(self.path));
            return Denial::FileEscape { handle, path }.into();
        }
        let (kind, reason) = match kind {
            ErrorKind::NotFound => (ProblemKind::Gone, "does not exist".to_owned()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                (ProblemKind::Transient, "cannot be written: no space is left, free some".to_owned())
            }
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                (ProblemKind::Permanent, format!("may not be {verb} by the host: check its permissions"))
            }
            ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
                (ProblemKind::Permanent, format!("cannot be {verb}: {error}"))
            }
            _ => (ProblemKind::Transient, format!("could not be {verb}: {error}")),
        };
        self.problem(kind, &reason).into()
    }

    /// A problem with this file: `reason` goes on from its name.
    pub(super) fn problem(self, kind: ProblemKind, reason: &str) -> Problem {
        let (path, handle) = (quoted(self.path), self.handle);
        Problem::new(kind, format!("`{path}` in the folder `{handle}` {reason}"))
    }

    /// It is a directory, a link, a pipe or a device.
    pub(super) fn not_plain(self) -> Problem {
        self.problem(ProblemKind::Permanent, "is not a plain file: only plain files are read and written")
    }

    /// It holds more than a plugin may get or give.
    pub(super) fn too_large(self, limit: usize) -> Problem {
        self.problem(ProblemKind::Permanent, &format!("is larger than the {limit} bytes allowed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { handle: "tasks", path: "a.md" };

    fn told(error: &io::Error) -> Problem {
        match PLACE.fault("written", error) {
            Refusal::Problem(problem) => problem,
            Refusal::Denied(denial) => Problem::denied(denial.to_string()),
        }
    }

    #[test]
    fn a_full_disk_may_pass_and_says_what_to_do() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            let problem = told(&errno.into());
            assert_eq!(problem.kind, ProblemKind::Transient);
            assert_eq!(
                problem.message,
                "`a.md` in the folder `tasks` cannot be written: no space is left, free some"
            );
        }
    }

    #[test]
    fn missing_permission_is_not_taken_for_an_attempt_to_escape() {
        assert_eq!(told(&rustix::io::Errno::ACCESS.into()).kind, ProblemKind::Permanent);
        assert_eq!(told(&io::Error::new(ErrorKind::PermissionDenied, "outside")).kind, ProblemKind::Denied);
    }

    #[test]
    fn what_the_system_does_not_explain_may_pass() {
        assert_eq!(told(&rustix::io::Errno::IO.into()).kind, ProblemKind::Transient);
    }
}

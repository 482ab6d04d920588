//! Why a command failed: one sentence for people, one number for scripts.

use std::fmt;

use hostler_daemon::audit::AuditError;
use hostler_daemon::control::ClientError;
use hostler_daemon::grants::GrantError;
use hostler_daemon::history::FindError;
use hostler_daemon::keys::KeyError;
use hostler_daemon::lockfile::LockFileError;
use hostler_daemon::plugins::NotFound;
use hostler_daemon::{FailureKind, WorkspaceError};

use crate::config::ConfigError;
use crate::exit::Exit;

/// The end of a command that did not work. Printed as `host: SENTENCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the shell gets.
    pub exit: Exit,
    /// What is wrong, where, and what to do.
    sentence: String,
}

impl Failure {
    /// A failure with its sentence.
    pub fn new(exit: Exit, sentence: impl fmt::Display) -> Self {
        Self { exit, sentence: sentence.to_string() }
    }

    /// A failure that was shown already; only the number is left to say.
    pub const fn shown(exit: Exit) -> Self {
        Self { exit, sentence: String::new() }
    }
}

/// One line, whatever it was made of.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::one_line(&self.sentence))
    }
}

impl From<hostler_daemon::Failure> for Failure {
    fn from(failure: hostler_daemon::Failure) -> Self {
        let exit = match failure.kind() {
            FailureKind::Configuration => Exit::Configuration,
            FailureKind::Plugin => Exit::Plugin,
            FailureKind::Grant => Exit::Grant,
            FailureKind::Repository => Exit::Repository,
            FailureKind::Program => Exit::Program,
            FailureKind::Busy => Exit::Busy,
            FailureKind::Record => Exit::Record,
            FailureKind::Absent => Exit::Absent,
            FailureKind::Internal => Exit::Failed,
        };
        Self::new(exit, failure)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Configuration, error)
    }
}

impl From<NotFound> for Failure {
    fn from(error: NotFound) -> Self {
        Self::new(Exit::Plugin, error)
    }
}

impl From<GrantError> for Failure {
    fn from(error: GrantError) -> Self {
        hostler_daemon::Failure::from(error).into()
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        hostler_daemon::Failure::from(error).into()
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        hostler_daemon::Failure::from(error).into()
    }
}

impl From<LockFileError> for Failure {
    fn from(error: LockFileError) -> Self {
        hostler_daemon::Failure::from(error).into()
    }
}

impl From<WorkspaceError> for Failure {
    fn from(error: WorkspaceError) -> Self {
        hostler_daemon::Failure::from(error).into()
    }
}

impl From<FindError> for Failure {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Failed(failure) => failure.into(),
            FindError::Unknown(_) | FindError::Ambiguous { .. } => Self::new(Exit::Absent, error),
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match error {
            ClientError::NotRunning { .. } | ClientError::Refused(_) => Exit::Absent,
            ClientError::NotHeard(_) => Exit::NotHeard,
            ClientError::Failed(_) => Exit::Failed,
        };
        Self::new(exit, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_one_line_and_cannot_drive_the_terminal() {
        let failure = Failure::new(Exit::Failed, "first\n  second \u{1b}[31mred");
        assert_eq!(failure.to_string(), "first second [31mred");
    }
}

//! Why a policy cannot be used. Nothing is allowed then, so each message says what to
//! mend.

use std::path::PathBuf;

use crate::line::Line;

/// Why a policy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Somebody named it, and it is not there.
    #[error("the policy {} is not there: HOSTLER_POLICY names it; correct the variable or remove it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The system does not let it be read.
    #[error("the policy {} cannot be read ({problem}): every user must be able to read it and enter its folders", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
    /// A link, folder or device.
    #[error("the policy {} is not a plain file: put the file itself there, not a link to it", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// It is not from whom a policy must be.
    #[error("{} belongs to user {owner}, who could change the policy: give it to {wanted}, with `chown`", path.display())]
    Owner {
        /// The file, or a folder it lies in.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it may be.
        wanted: String,
    },
    /// Others could change it.
    #[error("others can write to {}, and so change the policy: close it with `chmod go-w {}`", path.display(), path.display())]
    Writable {
        /// The file, or a folder it lies in.
        path: PathBuf,
    },
    /// Longer than any policy.
    #[error("the policy {} has more than {most} bytes, which no policy needs: shorten it", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        most: u64,
    },
    /// It is not in the language of policies.
    #[error("{at} cannot be understood: {problem}; `host help policy` shows a whole policy")]
    Syntax {
        /// Where.
        at: Line,
        /// What is wrong.
        problem: String,
    },
}

impl PolicyError {
    /// The place that is at fault.
    pub fn line(&self) -> Line {
        match self {
            Self::Missing { path }
            | Self::Unreadable { path, .. }
            | Self::NotAFile { path }
            | Self::Owner { path, .. }
            | Self::Writable { path }
            | Self::TooLong { path, .. } => Line::whole(path.as_path().into()),
            Self::Syntax { at, .. } => at.clone(),
        }
    }
}

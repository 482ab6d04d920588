//! Where in the files a fault is.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use super::chain::Fault;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line; the first is 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of {}", self.line, self.file.display())
    }
}

/// The first fault of a log.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{fault} ({place}); what stands before it is as it was written, keep the folder as it is and find out who changed it"
)]
pub struct Damage {
    /// What is wrong.
    pub fault: Fault,
    /// Where it shows.
    pub place: Place,
}

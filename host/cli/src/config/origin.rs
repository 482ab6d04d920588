//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::key::Key;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, with its dashes.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// A line of a file.
    File {
        /// Which file.
        path: PathBuf,
        /// Counts from 1.
        line: usize,
    },
    /// The operating system's keyring, by what people call it.
    Keyring(&'static str),
    /// A file of the program that Hostler takes over from.
    Earlier(PathBuf),
    /// Nobody said anything, so it is what is on this machine.
    Found,
    /// Nobody said anything.
    Default,
    /// Nobody said anything, so it is the same as another setting.
    Follows(Key),
}

/// Reads well after "in" and in a column of its own.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Keyring(title) => write!(f, "the keyring ({title})"),
            Self::Earlier(path) => write!(f, "{}", path.display()),
            Self::Found => f.write_str("found on this machine"),
            Self::Default => f.write_str("default"),
            Self::Follows(key) => write!(f, "follows {}", key.name()),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting<T> {
    /// The value in force.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A value nobody chose.
    pub const fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }
}

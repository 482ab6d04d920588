//! The agent's two outputs, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::folder::{STDERR_FILE, STDOUT_FILE};

/// Which of the agent's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name of the stream's log in the attempt's folder.
    pub(crate) fn log_name(self) -> &'static str {
        match self {
            Self::Stdout => STDOUT_FILE,
            Self::Stderr => STDERR_FILE,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// One of something for each stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Both<T> {
    pub stdout: T,
    pub stderr: T,
}

impl<T> Both<T> {
    pub(crate) fn of(&self, stream: Stream) -> &T {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    pub(crate) fn of_mut(&mut self, stream: Stream) -> &mut T {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    pub(crate) fn map<U>(&self, mut each: impl FnMut(&T) -> U) -> Both<U> {
        Both { stdout: each(&self.stdout), stderr: each(&self.stderr) }
    }
}

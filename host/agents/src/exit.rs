//! How an attempt's processes ended.

use std::io;
use std::path::{Path, PathBuf};

use hostler_engine::outcome::EndReason;
use hostler_engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::folder::Folder;

/// The end of one attempt, as it is told once and kept in `exit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How the agent's main process ended.
    pub ending: Ending,
    /// Who ended it.
    pub cause: Cause,
    /// What is left of everything it started.
    pub tree: TreeProof,
    /// A log lacks something that the agent wrote: it reached its limit, or could
    /// not be written to the end.
    #[serde(default)]
    pub truncated: bool,
    /// What was to stay as it is inside of writable places, and is another file or none
    /// now. No program's own git must run there before somebody has looked. Not known if
    /// the supervisor was killed.
    #[serde(default)]
    pub exchanged: Vec<PathBuf>,
    /// When the tree was found empty, or given up.
    pub at: Timestamp,
}

impl Exit {
    /// How the attempt of this folder ended, as its supervisor wrote it down; `None`
    /// while that works, and for ever if it was killed.
    /// An error if it cannot be read, or is of another version.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        Folder::at(folder).exit()
    }

    /// The exit code, if the agent ended by itself or on a signal it handled.
    pub fn code(&self) -> Option<i32> {
        match self.ending {
            Ending::Code(code) => Some(code),
            Ending::Signal(_) | Ending::Unknown => None,
        }
    }

    /// The number of the signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        match self.ending {
            Ending::Signal(signal) => Some(signal),
            Ending::Code(_) | Ending::Unknown => None,
        }
    }

    /// Why the host ended it, if the host asked for it before it ended by itself.
    pub fn ended_by_host(&self) -> Option<EndReason> {
        match self.cause {
            Cause::Host(reason) => Some(reason),
            Cause::Itself | Cause::LeaseOver | Cause::OverMemory { .. } | Cause::ShimLost => None,
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It exited with this code.
    Code(i32),
    /// A signal of this number ended it.
    Signal(i32),
    /// Nobody was there to see it: the shim was killed, or the process could
    /// not be.
    Unknown,
}

/// Who brought the end about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The agent, or somebody else outside the host.
    Itself,
    /// The host asked for it, for this reason; also before, as with a time limit.
    Host(EndReason),
    /// No host said in time that the task is still this machine's, so the shim
    /// ended everything.
    LeaseOver,
    /// It used more memory than it may.
    OverMemory {
        /// So much.
        bytes: u64,
    },
    /// The shim died, so the host ended everything.
    ShimLost,
}

/// What is known of the processes an attempt leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeProof {
    /// Nothing runs any more.
    Empty {
        /// How many processes besides the agent had to be killed.
        killed: u32,
    },
    /// These could not be killed: the attempt is not over.
    Survivors(Vec<Survivor>),
}

impl TreeProof {
    /// Whether nothing runs any more.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty { .. })
    }
}

/// A process that SIGKILL did not end in time: it runs as another user, or
/// waits inside the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Its number.
    pub pid: i32,
    /// The short name of its program.
    pub name: String,
}

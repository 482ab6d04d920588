//! Putting up what the agent sees of the disk. For the first process of a new
//! mount namespace, before the agent is started.

#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod mounts;

use std::io;

#[cfg(target_os = "linux")]
pub(super) use linux::{raise, show_own_processes};
use serde::{Deserialize, Serialize};

use crate::control::Step;

/// Why an agent could not be walled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Breach {
    /// What was being done, such as "showing `/work`".
    pub doing: String,
    pub errno: i32,
}

impl Breach {
    pub(super) fn new(doing: impl Into<String>, error: &io::Error) -> Self {
        Self { doing: doing.into(), errno: error.raw_os_error().unwrap_or(0) }
    }

    /// As the host is told.
    pub(super) fn into_step(self) -> (Step, io::Error) {
        (Step::Sandbox { doing: self.doing }, io::Error::from_raw_os_error(self.errno))
    }
}

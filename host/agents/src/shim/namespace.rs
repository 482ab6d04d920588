//! A PID namespace around the agent: with its first process, the *init*, the
//! kernel ends every process in it, and the init ends with the shim, however
//! that ends.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

#[cfg(target_os = "linux")]
pub(super) use linux::start_inside;
#[cfg(target_os = "macos")]
pub(super) use macos::start_inside;
use serde::{Deserialize, Serialize};

use super::inbox::{Filled, Inbox};
use super::walls::Breach;
use crate::exit::Ending;
use crate::process::ProcessId;

/// What the init says to the shim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    /// It will end with the shim, and has its own `/proc`.
    Ready,
    /// It cannot be an init.
    NotReady(Breach),
    /// The agent runs.
    Started,
    /// The agent could not be started.
    NotStarted { errno: i32 },
    /// The agent has ended; others may be left.
    Ended(Ending),
}

/// Why nothing was started in a namespace.
#[derive(Debug)]
#[cfg_attr(target_os = "macos", allow(dead_code, reason = "nothing is ever tried there"))]
pub(super) enum NotInside {
    /// There can be none here.
    NoNamespace(Breach),
    /// It is there, but what the agent sees of the disk or the network is not as it
    /// must be.
    Walls(Breach),
    /// The agent cannot be started.
    Agent(io::Error),
}

/// The init, seen from the shim, whose child it is.
#[derive(Debug)]
pub(super) struct Init {
    pub id: ProcessId,
    /// The agent's only way to the network, if there is only one.
    pub way_out: Option<OwnedFd>,
    socket: UnixStream,
    inbox: Inbox,
}

impl Init {
    /// A descriptor that becomes readable when it says something, or is gone.
    pub(super) fn watch(&self) -> Option<OwnedFd> {
        self.socket.try_clone().ok().map(OwnedFd::from)
    }

    /// How the agent ended, once it was said.
    pub(super) fn agent_ending(&mut self) -> Option<Ending> {
        while self.inbox.fill(&self.socket) == Filled::Some {}
        match self.inbox.next() {
            Some(Ok(Word::Ended(ending))) => Some(ending),
            _ => None,
        }
    }
}

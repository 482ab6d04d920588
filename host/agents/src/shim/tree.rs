//! Everything that the agent started: signalling it, reaping it, and the proof
//! that nothing is left.
//!
//! The shim is a subreaper, so whatever loses its parent becomes a child of the
//! shim. A shim without children has therefore no descendants at all: the
//! kernel's word "no child" is the proof, not a list that may be out of date.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, WaitStatus};

use crate::exit::{Ending, Survivor, TreeProof};
use crate::process::{ProcessId, Sent, descendants, exit_watch, signal};

/// The agent and all below it, seen from the shim.
#[derive(Debug)]
pub(super) struct Tree {
    shim: ProcessId,
    agent: i32,
    agent_ending: Option<Ending>,
    /// Processes other than the agent that were killed.
    killed: HashSet<ProcessId>,
}

/// What is left after reaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Some,
    Nothing,
}

impl Tree {
    pub(super) fn new(shim: ProcessId, agent: i32) -> Self {
        Self { shim, agent, agent_ending: None, killed: HashSet::new() }
    }

    /// A descriptor that becomes readable when the agent ends.
    pub(super) fn watch(&self) -> Option<OwnedFd> {
        exit_watch(self.agent)
    }

    /// How the agent ended, once it has.
    pub(super) fn agent_ending(&self) -> Option<Ending> {
        self.agent_ending
    }

    /// Takes note of every child that has ended.
    pub(super) fn reap(&mut self) -> Left {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == self.agent => {
                    self.agent_ending = Some(read(status));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => return Left::Nothing,
                Ok(None) | Err(_) => return Left::Some,
            }
        }
    }

    /// Asks every process once.
    pub(super) fn terminate(&self) {
        for seen in descendants(&self.shim) {
            signal(&seen.id, Signal::TERM);
        }
    }

    /// Kills every process that one look finds.
    pub(super) fn kill(&mut self) {
        for seen in descendants(&self.shim) {
            let sent = signal(&seen.id, Signal::KILL);
            if sent == Sent::Delivered && seen.id.pid != self.agent {
                self.killed.insert(seen.id);
            }
        }
    }

    /// What is known now, given what the last reaping left.
    pub(super) fn proof(&self, left: Left) -> TreeProof {
        match left {
            Left::Nothing => {
                TreeProof::Empty { killed: u32::try_from(self.killed.len()).unwrap_or(u32::MAX) }
            }
            Left::Some => TreeProof::Survivors(
                descendants(&self.shim)
                    .into_iter()
                    .map(|seen| Survivor { pid: seen.id.pid, name: seen.name })
                    .collect(),
            ),
        }
    }
}

fn read(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Unknown,
    }
}

//! Everything that the agent started: signalling it, reaping it, and the proof
//! that nothing is left.
//!
//! The shim is a subreaper, so whatever loses its parent becomes a child of the
//! shim. A shim without children has therefore no descendants at all: the
//! kernel's word "no child" is the proof, not a list that may be out of date. In
//! a PID namespace the only child is the init, which the kernel lets end last.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, WaitStatus};

use super::namespace::Init;
use crate::control_group::ControlGroup;
use crate::exit::{Ending, Survivor, TreeProof};
use crate::process::{ProcessId, Seen, Sent, descendants, exit_watch, memory, signal};

/// The agent and all below it, seen from the shim.
#[derive(Debug)]
pub(super) struct Tree {
    shim: ProcessId,
    agent: i32,
    around: Around,
    agent_ending: Option<Ending>,
    /// Processes other than the agent that were killed.
    killed: HashSet<ProcessId>,
}

/// What the kernel keeps the tree together with.
#[derive(Debug)]
pub(super) enum Around {
    /// A PID namespace, whose init is the agent's parent.
    Namespace(Init),
    Group(ControlGroup),
    Nothing,
}

impl Around {
    pub(super) fn group(&self) -> Option<&ControlGroup> {
        match self {
            Self::Group(group) => Some(group),
            Self::Namespace(_) | Self::Nothing => None,
        }
    }

    /// The agent's only way to the network, which is its host's to use.
    pub(super) fn way_out(&mut self) -> Option<OwnedFd> {
        match self {
            Self::Namespace(init) => init.way_out.take(),
            Self::Group(_) | Self::Nothing => None,
        }
    }

    /// Leaves nothing of it, once the tree is empty.
    pub(super) fn remove(self) {
        if let Self::Group(group) = self {
            group.remove();
        }
    }

    fn init(&self) -> Option<&Init> {
        match self {
            Self::Namespace(init) => Some(init),
            Self::Group(_) | Self::Nothing => None,
        }
    }
}

/// What is left after reaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    Some,
    Nothing,
}

impl Tree {
    pub(super) fn new(shim: ProcessId, agent: i32, around: Around) -> Self {
        Self { shim, agent, around, agent_ending: None, killed: HashSet::new() }
    }

    /// A descriptor that becomes readable when the agent ends.
    pub(super) fn watch(&self) -> Option<OwnedFd> {
        match self.around.init() {
            Some(init) => init.watch(),
            None => exit_watch(self.agent),
        }
    }

    /// How the agent ended, once it has.
    pub(super) fn agent_ending(&self) -> Option<Ending> {
        self.agent_ending
    }

    /// Takes note of every child that has ended.
    pub(super) fn reap(&mut self) -> Left {
        self.hear_init();
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note(pid.as_raw_nonzero().get(), status),
                Err(Errno::INTR) => {}
                Err(Errno::CHILD) => return Left::Nothing,
                Ok(None) | Err(_) => return Left::Some,
            }
        }
    }

    fn note(&mut self, pid: i32, status: WaitStatus) {
        if self.around.init().is_some_and(|init| init.id.pid == pid) {
            // Its last word may have come just before.
            self.hear_init();
            // An agent that had not ended by then was killed with its namespace.
            self.agent_ending.get_or_insert(Ending::Signal(Signal::KILL.as_raw()));
        } else if pid == self.agent {
            self.agent_ending = Some(read(status));
        }
    }

    fn hear_init(&mut self) {
        if let (None, Around::Namespace(init)) = (self.agent_ending, &mut self.around) {
            self.agent_ending = init.agent_ending();
        }
    }

    /// Asks every process once.
    pub(super) fn terminate(&self) {
        for seen in self.agents() {
            signal(&seen.id, Signal::TERM);
        }
    }

    /// Kills every process that one look finds; where the kernel keeps them
    /// together, all at once.
    pub(super) fn kill(&mut self) {
        let agents = self.agents();
        let all_at_once = match &self.around {
            Around::Namespace(init) => signal(&init.id, Signal::KILL) == Sent::Delivered,
            Around::Group(group) => {
                group.kill();
                false
            }
            Around::Nothing => false,
        };
        for seen in agents {
            let killed = all_at_once || signal(&seen.id, Signal::KILL) == Sent::Delivered;
            if killed && seen.id.pid != self.agent {
                self.killed.insert(seen.id);
            }
        }
    }

    /// Leaves nothing of what was around it.
    pub(super) fn remove(self) {
        self.around.remove();
    }

    /// The memory that all its processes have for themselves, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.agents().iter().map(|seen| memory(seen.id.pid)).sum()
    }

    /// The agent and all below it that one look finds.
    fn agents(&self) -> Vec<Seen> {
        let init = self.around.init().map(|init| init.id.pid);
        descendants(&self.shim).into_iter().filter(|seen| Some(seen.id.pid) != init).collect()
    }

    /// What is known now, given what the last reaping left.
    pub(super) fn proof(&self, left: Left) -> TreeProof {
        match left {
            Left::Nothing => {
                TreeProof::Empty { killed: u32::try_from(self.killed.len()).unwrap_or(u32::MAX) }
            }
            Left::Some => TreeProof::Survivors(
                self.agents()
                    .into_iter()
                    .map(|seen| Survivor { pid: seen.id.pid, name: seen.name })
                    .collect(),
            ),
        }
    }
}

/// How a process ended, as its parent is told.
pub(super) fn read(status: WaitStatus) -> Ending {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ending::Code(code),
        (None, Some(signal)) => Ending::Signal(signal),
        (None, None) => Ending::Unknown,
    }
}

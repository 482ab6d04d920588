//! What an agent's first process puts on before it becomes the agent, and what
//! everything below inherits.

use std::fs::File;
use std::io;

use super::affinity::{Processors, allowed};
use crate::limits::{CpuLimiter, LimitedBy, Limits, MemoryLimiter};

/// How much an agent gives way to the rest of the machine: a build by eight
/// agents must not keep the host from renewing its leases, nor a person from
/// working.
const NICE: i32 = 5;

/// Prepared in the shim, put on in the child.
#[derive(Debug)]
pub(super) struct Confinement {
    /// The entrance of a control group.
    group: Option<File>,
    processors: Option<Processors>,
}

impl Confinement {
    /// `turn` is another for each agent, so that not all choose the same
    /// processors.
    pub(super) fn new(limits: Limits, turn: usize) -> Self {
        let processors = limits.cpus.zip(allowed()).map(|(count, allowed)| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            Processors::of(&choose(&allowed, count, turn))
        });
        Self { group: None, processors }
    }

    /// In a control group too, by its entrance.
    pub(super) fn inside(mut self, group: File) -> Self {
        self.group = Some(group);
        self
    }

    /// What it, and the shim, hold an agent to.
    pub(super) fn limited_by(&self, limits: Limits) -> LimitedBy {
        LimitedBy {
            memory: limits.memory.map(|_| MemoryLimiter::Watch),
            cpus: self.processors.as_ref().map(|_| CpuLimiter::Affinity),
        }
    }

    /// Puts it on. Nothing but system calls on what is there already, so it may
    /// be called between fork and exec.
    pub(super) fn enter(&self) -> io::Result<()> {
        if let Some(group) = &self.group {
            rustix::io::write(group, b"0")?;
        }
        rustix::process::nice(NICE)?;
        self.processors.as_ref().map_or(Ok(()), Processors::stay_on)
    }
}

/// So many of the allowed, at least one, from the turn on and around.
fn choose(allowed: &[usize], count: usize, turn: usize) -> Vec<usize> {
    let start = turn.checked_rem(allowed.len()).unwrap_or(0);
    allowed.iter().copied().cycle().skip(start).take(count.clamp(1, allowed.len().max(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_chosen_in_turns_and_around() {
        let allowed = [0, 2, 4, 6];
        assert_eq!(choose(&allowed, 2, 0), [0, 2]);
        assert_eq!(choose(&allowed, 2, 3), [6, 0]);
        assert_eq!(choose(&allowed, 2, 5), [2, 4]);
        assert_eq!(choose(&allowed, 4, 1), [2, 4, 6, 0]);
        assert_eq!(choose(&allowed, 5, 1), [2, 4, 6, 0], "not more than there are");
        assert_eq!(choose(&allowed, 0, 1), [2], "not fewer than one");
        assert_eq!(choose(&[], 1, 1), [0; 0]);
    }
}

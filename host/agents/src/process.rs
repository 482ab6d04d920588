//! Which process: looking one up, and signalling it without ever hitting another.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::collections::HashSet;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    all, become_subreaper, boot_time, children, connect, environ, exit_watch, look, memory, peer_pid, signal,
};
#[cfg(target_os = "macos")]
pub(crate) use macos::{
    all, become_subreaper, boot_time, children, connect, environ, exit_watch, look, memory, peer_pid, signal,
};

use serde::{Deserialize, Serialize};

/// One process for all time: numbers are reused, a number with its start is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number the system gave it.
    pub pid: i32,
    /// When it started, in the system's own form, which names the boot too.
    /// Only good for comparing.
    pub started: String,
}

impl ProcessId {
    /// Whether this very process still runs; one that has ended and only waits
    /// for its parent to notice does not.
    pub fn is_alive(&self) -> bool {
        look(self.pid).is_some_and(|seen| seen.id == *self && !seen.ended)
    }
}

/// A process as it was at one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub id: ProcessId,
    pub parent: i32,
    /// The short name of its program.
    pub name: String,
    /// It has ended, and its parent has not noticed yet.
    pub ended: bool,
}

/// What became of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Delivered,
    /// That process is gone; whoever has its number now was not touched.
    Gone,
    /// It runs as somebody else.
    Denied,
}

/// Everything below `root` that has not ended, as one look after the other shows
/// it. Processes that move while we look are missed; callers look again.
///
/// A number read from a list may belong to a stranger a moment later. A process
/// is taken only if it names the expected parent, and its parent, looked at
/// afterwards, is still the same process.
pub(crate) fn descendants(root: &ProcessId) -> Vec<Seen> {
    let mut found = Vec::new();
    let mut visited = HashSet::from([root.pid]);
    let mut parents = vec![root.clone()];
    while let Some(parent) = parents.pop() {
        let kids: Vec<Seen> = children(parent.pid)
            .into_iter()
            .filter_map(look)
            .filter(|kid| kid.parent == parent.pid)
            .collect();
        if look(parent.pid).is_none_or(|seen| seen.id != parent) {
            continue;
        }
        for kid in kids.into_iter().filter(|kid| !kid.ended) {
            if visited.insert(kid.id.pid) {
                parents.push(kid.id.clone());
                found.push(kid);
            }
        }
    }
    found
}

/// How one process is related to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinship {
    /// It is that process, or below it.
    Descends,
    /// It is not.
    None,
    /// It, or one above it, was gone when we looked.
    Unknown,
}

/// Whether the process of this number descends from `ancestor`.
pub(crate) fn kinship(pid: i32, ancestor: &ProcessId) -> Kinship {
    let (mut pid, mut visited) = (pid, HashSet::new());
    while visited.insert(pid) {
        if pid == ancestor.pid {
            return Kinship::Descends;
        }
        match look(pid) {
            Some(seen) if seen.parent > 0 => pid = seen.parent,
            Some(_) => return Kinship::None,
            None => return Kinship::Unknown,
        }
    }
    // Nobody is above itself, unless numbers changed hands on the way.
    Kinship::Unknown
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::{Command, Stdio};

    use rustix::process::Signal;

    use super::*;

    #[test]
    fn a_wrong_start_time_is_another_process_and_gets_no_signal() {
        let mut child = Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let real = look(pid).unwrap().id;
        let other = ProcessId { pid, started: format!("{}0", real.started) };

        assert_eq!(signal(&other, Signal::KILL), Sent::Gone);
        assert!(real.is_alive());
        assert!(!other.is_alive());

        assert_eq!(signal(&real, Signal::KILL), Sent::Delivered);
        child.wait().unwrap();
        assert_eq!(signal(&real, Signal::KILL), Sent::Gone);
    }

    #[test]
    fn kinship_is_found_over_generations_and_strangers_have_none() {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let parent = look(look(me).unwrap().parent).unwrap().id;
        assert_eq!(kinship(me, &parent), Kinship::Descends);
        assert_eq!(kinship(me, &look(me).unwrap().id), Kinship::Descends);
        let mut child = Command::new("sleep").arg("30").stdin(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(kinship(pid, &parent), Kinship::Descends);
        assert_eq!(kinship(me, &look(pid).unwrap().id), Kinship::None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(kinship(pid, &parent), Kinship::Unknown);
    }

    #[test]
    fn a_zombie_is_not_alive() {
        let mut child = Command::new("true").stdin(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let id = look(pid).unwrap().id;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while id.is_alive() {
            assert!(std::time::Instant::now() < deadline, "`true` did not end");
            std::thread::yield_now();
        }
        assert!(look(pid).unwrap().ended);
        child.wait().unwrap();
        assert_eq!(look(pid), None);
    }

    #[test]
    fn descendants_include_grandchildren() {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "sleep 30 & sleep 30; true"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let root = look(i32::try_from(child.id()).unwrap()).unwrap().id;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        let below = loop {
            let below = descendants(&root);
            if below.iter().filter(|seen| seen.name == "sleep").count() == 2 {
                break below;
            }
            assert!(std::time::Instant::now() < deadline, "the shell did not start both");
            std::thread::yield_now();
        };
        for seen in below {
            signal(&seen.id, Signal::KILL);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

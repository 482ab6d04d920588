//! Finds processes that a test is responsible for, and ends them.
//!
//! A test's processes are those that carry its marker in their environment, or
//! whose program or working folder lies in the test's folder: an agent is not
//! given the marker, and a tool may stand anywhere.

use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

/// A running process, as the system tells it. What cannot be read is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its parent's process id.
    pub parent: i32,
    /// It has ended, and its parent has not asked how.
    pub zombie: bool,
    /// The program's file.
    pub executable: PathBuf,
    /// Its working folder.
    pub cwd: PathBuf,
    /// Its arguments.
    pub argv: Vec<String>,
    /// Its environment at its start, as `NAME=value`.
    pub env: Vec<String>,
}

/// All processes this user can see.
pub fn all() -> Vec<Process> {
    system::all()
}

/// Living processes whose environment had `name=value` at their start.
pub fn with_env(name: &str, value: &str) -> Vec<Process> {
    let wanted = format!("{name}={value}");
    living(|process| process.env.contains(&wanted))
}

/// Living processes whose program or working folder lies in `folder`.
pub fn under(folder: &Path) -> Vec<Process> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    living(|process| process.executable.starts_with(&folder) || process.cwd.starts_with(&folder))
}

/// Children of a process that ended and were never asked how.
pub fn zombies_of(parent: i32) -> Vec<Process> {
    let mut processes = all();
    processes.retain(|process| process.zombie && process.parent == parent);
    processes
}

/// Whether a process with this id runs; a zombie does not.
pub fn is_alive(pid: i32) -> bool {
    all().iter().any(|process| process.pid == pid && !process.zombie)
}

/// Kills one process; one that is gone already is no error.
pub fn kill(pid: i32) {
    // Zero and below would mean whole groups.
    if let Some(pid) = rustix::process::Pid::from_raw(pid).filter(|_| pid > 1) {
        // The only errors are that it is gone or not ours, and neither can be helped.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Kills what `find` finds until it finds nothing any more. A list of processes is
/// stale when it is read, so one empty look is no proof.
///
/// # Panics
///
/// If some come back again and again.
pub fn end_all(find: impl Fn() -> Vec<Process>) {
    const EMPTY_LOOKS: usize = 3;
    const LOOKS: usize = 2000;
    let mut empty = 0;
    for _ in 0..LOOKS {
        let found = find();
        empty = if found.is_empty() { empty + 1 } else { 0 };
        if empty == EMPTY_LOOKS {
            return;
        }
        for process in found {
            kill(process.pid);
        }
    }
    panic!("these processes cannot be ended: {:?}", find());
}

fn living(wanted: impl Fn(&Process) -> bool) -> Vec<Process> {
    let own = std::process::id().cast_signed();
    let mut processes = all();
    processes.retain(|process| !process.zombie && process.pid != own && wanted(process));
    processes
}

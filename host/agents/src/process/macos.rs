//! Processes as macOS shows them, through `/bin/ps`: no private interfaces and
//! no unsafe code, at the price of a few milliseconds a look.
//!
//! Weaker than Linux in three ways: there is no subreaper, so a daemonised
//! process is found by its environment only; a signal goes to a number a moment
//! after it was checked; `ps` shows the environment of our own processes only.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::time::{ClockId, clock_gettime};

use super::{ProcessId, Seen, Sent};

/// Looks at one process; `None` if there is none of that number.
pub(crate) fn look(pid: i32) -> Option<Seen> {
    let line = ps(&["-o", "ppid=,state=,lstart=,comm=", "-p", &pid.to_string()])?;
    parse_row(pid, line.lines().next()?)
}

/// The numbers of its children.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let table = ps(&["-axo", "ppid=,pid="]).unwrap_or_default();
    table
        .lines()
        .filter_map(|row| row.trim().split_once(' '))
        .filter_map(|(parent, child)| Some((parent.parse::<i32>().ok()?, child.trim().parse().ok()?)))
        .filter_map(|(parent, child)| (parent == pid).then_some(child))
        .collect()
}

/// Its command line and environment; the words are ended by NUL as on Linux.
/// A value with a space falls apart, which marker values never have.
pub(crate) fn environ(pid: i32) -> Option<Vec<u8>> {
    let words = ps(&["eww", "-o", "command=", "-p", &pid.to_string()])?;
    Some(words.split_ascii_whitespace().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect())
}

/// The memory that it holds, in bytes.
pub(crate) fn memory(pid: i32) -> u64 {
    let kib = ps(&["-o", "rss=", "-p", &pid.to_string()]).and_then(|row| row.trim().parse::<u64>().ok());
    kib.unwrap_or_default().saturating_mul(1024)
}

/// The numbers of all processes.
pub(crate) fn all() -> io::Result<Vec<i32>> {
    let table =
        ps(&["-axo", "pid="]).ok_or_else(|| io::Error::other("`/bin/ps` gave no list of processes"))?;
    Ok(table.lines().filter_map(|row| row.trim().parse().ok()).collect())
}

/// Signals this process after comparing its start time.
pub(crate) fn signal(id: &ProcessId, signal: Signal) -> Sent {
    let Some(pid) = Pid::from_raw(id.pid) else { return Sent::Gone };
    if look(id.pid).is_none_or(|seen| seen.id != *id) {
        return Sent::Gone;
    }
    match rustix::process::kill_process(pid, signal) {
        Ok(()) => Sent::Delivered,
        Err(Errno::PERM) => Sent::Denied,
        Err(_) => Sent::Gone,
    }
}

/// macOS has no such thing; orphans are found by their environment instead.
#[allow(clippy::unnecessary_wraps, reason = "the twin for Linux can fail")]
pub(crate) fn become_subreaper() -> io::Result<()> {
    Ok(())
}

/// None here: the shim looks at its child at short intervals instead.
pub(crate) fn exit_watch(_pid: i32) -> Option<OwnedFd> {
    None
}

/// Time since the machine was started, its sleep included.
pub(crate) fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

/// Connects to a socket in a folder, however long the folder's name is: the name
/// of a socket has about a hundred bytes, so it goes by a link of a short name.
pub(crate) fn connect(folder: &Path, name: &str) -> io::Result<UnixStream> {
    let way = Path::new("/tmp").join(format!("hostler-{}-{}", std::process::id(), boot_time().as_nanos()));
    std::fs::DirBuilder::new().mode(0o700).create(&way)?;
    let link = way.join("to");
    let connected =
        std::os::unix::fs::symlink(folder, &link).and_then(|()| UnixStream::connect(link.join(name)));
    // An empty folder left behind does no harm.
    let _ = std::fs::remove_file(&link).and_then(|()| std::fs::remove_dir(&way));
    connected
}

/// The number of the process at the other end: who connected, or who listened.
pub(crate) fn peer_pid(socket: &UnixStream) -> io::Result<i32> {
    let mut peer: libc::pid_t = 0;
    let mut size = u32::try_from(size_of::<libc::pid_t>()).unwrap_or(0);
    // SAFETY: both pointers are to locals that live through the call, and `size`
    // is the size of the first.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    if result == 0 && peer > 0 { Ok(peer) } else { Err(io::Error::last_os_error()) }
}

fn ps(args: &[&str]) -> Option<String> {
    let output = Command::new("/bin/ps")
        .args(args)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `ppid state Www Mmm dd hh:mm:ss yyyy command`.
fn parse_row(pid: i32, row: &str) -> Option<Seen> {
    let fields: Vec<&str> = row.split_ascii_whitespace().collect();
    let (parent, state, started) = (fields.first()?, fields.get(1)?, fields.get(2..7)?);
    Some(Seen {
        id: ProcessId { pid, started: started.join(" ") },
        parent: parent.parse().ok()?,
        name: fields.get(7..).unwrap_or_default().join(" "),
        ended: state.starts_with('Z'),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_row_is_read_by_its_columns() {
        let seen = parse_row(42, "  7 Z+   Mon Nov  3 08:41:00 2025     (a b)").unwrap();
        assert_eq!((seen.parent, seen.ended), (7, true));
        assert_eq!(seen.id.started, "Mon Nov 3 08:41:00 2025");
        assert_eq!(seen.name, "(a b)");
    }
}

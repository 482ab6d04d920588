//! Processes as Linux shows them, in `/proc`.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use rustix::time::{ClockId, clock_gettime};

use super::{ProcessId, Seen, Sent};

/// How long a process may take from one program to the next: usually less than a
/// millisecond, longer when it has to wait for a processor.
const EXEC_LIMIT: Duration = Duration::from_millis(50);

/// How often it is looked at meanwhile.
const EXEC_LOOK: Duration = Duration::from_micros(200);

/// Looks at one process; `None` if there is none of that number.
pub(crate) fn look(pid: i32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(pid, &stat, boot())
}

/// The numbers of its children, of all its threads.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The environment it was started with, entries ended by NUL; `None` if it is
/// gone or not ours to read.
///
/// A process shows no environment while it changes from one program to the next.
/// One that does so all the time would hide there, so we look until it is done.
pub(crate) fn environ(pid: i32) -> Option<Vec<u8>> {
    let deadline = Instant::now() + EXEC_LIMIT;
    loop {
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if !environ.is_empty() || is_kernel_thread(pid) || Instant::now() > deadline {
            return Some(environ);
        }
        std::thread::sleep(EXEC_LOOK);
    }
}

/// Kernel threads never have an environment.
fn is_kernel_thread(pid: i32) -> bool {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let flags =
        stat.rsplit_once(')').and_then(|(_, tail)| tail.split_ascii_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_none_or(|flags| flags & PF_KTHREAD != 0)
}

/// The memory that it does not have in common with files, in bytes; swapped out
/// too. What a fork has in common with its parent counts for both.
pub(crate) fn memory(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    parse_memory(&status)
}

/// The numbers of all processes.
pub(crate) fn all() -> io::Result<Vec<i32>> {
    Ok(fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect())
}

/// Signals exactly this process: the descriptor is opened first, then the start
/// time is compared, so the number cannot change hands in between.
pub(crate) fn signal(id: &ProcessId, signal: Signal) -> Sent {
    let Some(pid) = Pid::from_raw(id.pid) else { return Sent::Gone };
    let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return Sent::Gone };
    if look(id.pid).is_none_or(|seen| seen.id != *id) {
        return Sent::Gone;
    }
    match rustix::process::pidfd_send_signal(process, signal) {
        Ok(()) => Sent::Delivered,
        Err(Errno::PERM) => Sent::Denied,
        Err(_) => Sent::Gone,
    }
}

/// From now on every process below this one whose parent ends becomes a child
/// of this one. Nothing below can get away.
pub(crate) fn become_subreaper() -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)
}

/// A descriptor that becomes readable when this child ends.
pub(crate) fn exit_watch(pid: i32) -> Option<OwnedFd> {
    rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Time since the machine was started, its sleep included.
pub(crate) fn boot_time() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or(0), now.tv_nsec.try_into().unwrap_or(0))
}

/// Connects to a socket in a folder, however long the folder's name is: the name
/// of a socket has about a hundred bytes, and this one goes by a descriptor.
pub(crate) fn connect(folder: &Path, name: &str) -> io::Result<UnixStream> {
    let folder = fs::File::open(folder)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// The number of the process at the other end: who connected, or who listened.
pub(crate) fn peer_pid(socket: &UnixStream) -> io::Result<i32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = u32::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: both pointers are to locals that live through the call, and `size`
    // is the size of the first.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    // A process that this one cannot see has the number 0.
    if result == 0 && peer.pid > 0 { Ok(peer.pid) } else { Err(io::Error::last_os_error()) }
}

/// Start times count from boot, so they need its name to be unique.
fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|id| id.trim().to_owned())
            .unwrap_or_default()
    })
}

/// Reads `/proc/PID/stat`. The name in parentheses may hold anything, also
/// spaces and parentheses, so fields are counted from the last one.
fn parse_stat(pid: i32, stat: &str, boot: &str) -> Option<Seen> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let (state, parent, ticks) = (fields.first()?, fields.get(1)?, fields.get(19)?);
    Some(Seen {
        id: ProcessId { pid, started: format!("{boot}/{ticks}") },
        parent: parent.parse().ok()?,
        name: name.to_owned(),
        ended: matches!(*state, "Z" | "X" | "x"),
    })
}

/// Adds up what counts in `/proc/PID/status`, which tells it in KiB.
fn parse_memory(status: &str) -> u64 {
    let counted =
        |line: &&str| ["RssAnon:", "RssShmem:", "VmSwap:"].iter().any(|name| line.starts_with(name));
    let kib = |line: &str| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok();
    status.lines().filter(counted).filter_map(kib).map(|kib| kib.saturating_mul(1024)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a ) S (b) Z 7 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0";
        let seen = parse_stat(42, stat, "boot").unwrap();
        assert_eq!(seen.parent, 7);
        assert_eq!(seen.id.started, "boot/98765");
        assert_eq!(seen.name, "a ) S (b");
        assert!(seen.ended);
    }

    #[test]
    fn memory_is_what_no_file_is_behind() {
        let status =
            "VmRSS:\t 900 kB\nRssAnon:\t 100 kB\nRssFile:\t 700 kB\nRssShmem:\t 20 kB\nVmSwap:\t 3 kB\n";
        assert_eq!(parse_memory(status), 123 * 1024);
        assert_eq!(parse_memory(""), 0);
        assert!(memory(rustix::process::getpid().as_raw_nonzero().get()) > 0);
    }

    #[test]
    fn a_short_line_is_no_process() {
        assert_eq!(parse_stat(42, "42 (a) S 7", "boot"), None);
    }

    #[test]
    fn an_empty_environment_is_told_after_a_short_wait() {
        let mut child = std::process::Command::new("sleep").arg("30").env_clear().spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert_eq!(environ(pid), Some(Vec::new()));
        assert!(!is_kernel_thread(pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(environ(pid), None);
    }

    #[test]
    fn a_socket_in_a_deep_folder_is_reached_and_tells_who_listens() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("deep".repeat(50));
        fs::create_dir(&folder).unwrap();
        let inside = fs::File::open(&folder).unwrap();
        let short = format!("/proc/self/fd/{}/socket", inside.as_raw_fd());
        let _listener = std::os::unix::net::UnixListener::bind(short).unwrap();
        let socket = connect(&folder, "socket").unwrap();
        assert_eq!(peer_pid(&socket).unwrap(), rustix::process::getpid().as_raw_nonzero().get());
    }

    #[test]
    fn we_find_ourselves_and_our_environment() {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        assert!(all().unwrap().contains(&me));
        assert!(look(me).unwrap().id.is_alive());
        assert!(environ(me).is_some());
    }
}

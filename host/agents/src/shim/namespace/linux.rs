//! Making a PID namespace, and what its first process does.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr::null;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal};

use super::super::confinement::Confinement;
use super::super::inbox::Inbox;
use super::super::tree::read;
use serde::Serialize;

use super::{Init, NotInside, Word};
use crate::control::to_line;
use crate::process::{children, look};

/// How long an init may take to be one: it makes two system calls.
const READY_LIMIT: Duration = Duration::from_secs(5);

/// Starts the program as the second process of a new PID namespace with a
/// `/proc` of its own; gives the init and the agent's number as seen from here.
///
/// The streams of the program must be closed by the caller afterwards.
pub(in super::super) fn start_inside(
    program: &mut Command,
    confinement: &Confinement,
    user_namespace: bool,
) -> Result<(Init, i32), NotInside> {
    if !has_one_thread() {
        return Err(NotInside::NoNamespace);
    }
    let (ours, theirs) = UnixStream::pair().map_err(NotInside::Agent)?;
    let identity = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let Some(pid) = clone_into_namespace(user_namespace).map_err(|_| NotInside::NoNamespace)? else {
        // The streams are known to the program only; what must not stay open
        // here is what the shim has besides.
        let identity = user_namespace.then_some(identity);
        live_as_init(&theirs, program, confinement, identity)
    };
    drop(theirs);
    let started = meet(ours, pid);
    if started.is_err() {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
    }
    started
}

/// The shim's side of the start.
fn meet(socket: UnixStream, pid: Pid) -> Result<(Init, i32), NotInside> {
    let mut inbox = Inbox::default();
    socket.set_read_timeout(Some(READY_LIMIT)).map_err(NotInside::Agent)?;
    let Ok(Word::Ready) = inbox.wait(&socket) else { return Err(NotInside::NoNamespace) };
    let number = pid.as_raw_nonzero().get();
    let id = look(number).map(|seen| seen.id).ok_or(NotInside::NoNamespace)?;
    socket.set_read_timeout(None).map_err(NotInside::Agent)?;
    let mut exchange = || -> io::Result<Word> {
        say(&socket, "start")?;
        inbox.wait(&socket)
    };
    match exchange().map_err(NotInside::Agent)? {
        Word::Started => {}
        Word::NotStarted { errno } => return Err(NotInside::Agent(io::Error::from_raw_os_error(errno))),
        _ => return Err(NotInside::Agent(io::ErrorKind::InvalidData.into())),
    }
    // The agent is the init's first child; those it adopts come after, and none
    // is reaped before the shim has seen this one.
    let agent = children(number).first().copied().unwrap_or_default();
    say(&socket, "seen").map_err(NotInside::Agent)?;
    socket.set_nonblocking(true).map_err(NotInside::Agent)?;
    Ok((Init { id, socket, inbox }, agent))
}

/// Whether nobody else is in this process whom a copy of it would be without.
fn has_one_thread() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// `None` in the new process. For a process with one thread.
fn clone_into_namespace(user_namespace: bool) -> io::Result<Option<Pid>> {
    let user = if user_namespace { libc::CLONE_NEWUSER } else { 0 };
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | user | libc::SIGCHLD;
    // SAFETY: without CLONE_VM and with no stack given this is a fork: the new
    // process has a copy of everything. This one has a single thread, so no lock
    // of the allocator is held by a thread that is not copied, and the copy may
    // do what this process may do, allocate too.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::try_from(pid).ok().and_then(Pid::from_raw))
}

/// The whole life of an init.
fn live_as_init(
    socket: &UnixStream,
    program: &mut Command,
    confinement: &Confinement,
    identity: Option<(u32, u32)>,
) -> ! {
    let code = match prepare(identity) {
        Ok(()) => i32::from(run(socket, program, confinement).is_err()),
        Err(error) => {
            // A shim that is gone has ended this process, too.
            let _ = say(socket, Word::NotReady { errno: error.raw_os_error().unwrap_or(0) });
            1
        }
    };
    // SAFETY: ends this process and nothing else; what the shim had open, this
    // copy must not close in the shim's way.
    unsafe { libc::_exit(code) }
}

/// Ends with the shim from here on. Should the shim be gone already, the word
/// that lets this process go on never comes.
fn prepare(identity: Option<(u32, u32)>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if let Some((user, group)) = identity {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    // What is mounted here is not seen outside; what is mounted outside is seen here.
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_SLAVE)?;
    mount(c"proc", c"/proc", Some(c"proc"), libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC)
}

fn mount(
    source: &std::ffi::CStr,
    target: &std::ffi::CStr,
    kind: Option<&std::ffi::CStr>,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let kind = kind.map_or(null(), std::ffi::CStr::as_ptr);
    // SAFETY: all strings end with NUL and live through the call.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, null()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn run(socket: &UnixStream, program: &mut Command, confinement: &Confinement) -> io::Result<()> {
    let mut inbox = Inbox::default();
    say(socket, Word::Ready)?;
    let _: String = inbox.wait(socket)?;
    let started = confinement.enter().and_then(|()| program.spawn());
    let agent = match started {
        Ok(child) => child.id(),
        Err(error) => {
            return say(socket, Word::NotStarted { errno: error.raw_os_error().unwrap_or(0) });
        }
    };
    say(socket, Word::Started)?;
    let _: String = inbox.wait(socket)?;
    close_all_but(socket.as_raw_fd())?;
    reap_all(socket, agent)
}

/// Everything else belongs to the shim and the agent: an end of a pipe that
/// stays open here would never be at its end there.
fn close_all_but(kept: RawFd) -> io::Result<()> {
    let open: Vec<RawFd> = fs::read_dir("/proc/self/fd")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for number in open.into_iter().filter(|number| *number != kept) {
        // SAFETY: this process never uses or drops what it was copied with: it
        // waits for its children and ends by `_exit`. One number of the list,
        // that of the list itself, is closed already, which is an error without
        // consequence.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// Says a word, or lets the other side go on.
fn say(mut socket: &UnixStream, word: impl Serialize) -> io::Result<()> {
    io::Write::write_all(&mut socket, &to_line(&word)?)
}

/// Until nobody is left.
fn reap_all(socket: &UnixStream, agent: u32) -> io::Result<()> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => note(socket, agent, pid, status)?,
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return Ok(()),
        }
    }
}

fn note(socket: &UnixStream, agent: u32, pid: Pid, status: WaitStatus) -> io::Result<()> {
    if u32::try_from(pid.as_raw_nonzero().get()) == Ok(agent) {
        say(socket, Word::Ended(read(status)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_process_with_threads_is_not_copied() {
        // A test never is alone in its process.
        let mut program = Command::new("true");
        let refused = start_inside(&mut program, &Confinement::new(Limits::default(), 0), false);
        assert!(matches!(refused, Err(NotInside::NoNamespace)));
    }
}

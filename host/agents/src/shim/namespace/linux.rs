//! Making a PID namespace, and what its first process does.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use hostler_engine::sandbox::Tier;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal};
use serde::Serialize;

use super::super::confinement::Confinement;
use super::super::inbox::Inbox;
use super::super::tree::read;
use super::super::walls::{Breach, raise, show_own_processes};
use super::super::way_out;
use super::{Init, NotInside, Word};
use crate::control::to_line;
use crate::passing::{pass, take};
use crate::process::{children, look};
use crate::sandbox::Plan;

/// How long an init may take to be one: it makes a few system calls, some more with
/// walls.
const READY_LIMIT: Duration = Duration::from_secs(5);

/// Starts the program as the second process of a new PID namespace with a
/// `/proc` of its own; gives the init and the agent's number as seen from here.
///
/// The streams of the program must be closed by the caller afterwards.
pub(in super::super) fn start_inside(
    program: &mut Command,
    confinement: &Confinement,
    plan: Option<&Plan>,
    user_namespace: bool,
) -> Result<(Init, i32), NotInside> {
    let none = |error: io::Error| NotInside::NoNamespace(Breach::new("making namespaces", &error));
    if !has_one_thread() {
        return Err(none(io::Error::from_raw_os_error(libc::EBUSY)));
    }
    let (ours, theirs) = UnixStream::pair().map_err(NotInside::Agent)?;
    let (handover, their_handover) = UnixStream::pair().map_err(NotInside::Agent)?;
    let identity = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let Some(pid) = clone_into_namespace(namespaces(plan, user_namespace)).map_err(none)? else {
        // The streams are known to the program only; what must not stay open
        // here is what the shim has besides.
        let identity = user_namespace.then_some(identity);
        let orders = Orders { plan, identity, handover: their_handover };
        live_as_init(&theirs, program, confinement, &orders)
    };
    drop((theirs, their_handover));
    let started = meet(ours, &handover, plan, pid).map_err(|refused| match refused {
        NotInside::NoNamespace(breach) if plan.is_some() => NotInside::Walls(breach),
        other => other,
    });
    if started.is_err() {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
    }
    started
}

/// The shim's side of the start.
fn meet(
    socket: UnixStream,
    handover: &UnixStream,
    plan: Option<&Plan>,
    pid: Pid,
) -> Result<(Init, i32), NotInside> {
    let mut inbox = Inbox::default();
    socket.set_read_timeout(Some(READY_LIMIT)).map_err(NotInside::Agent)?;
    let gone =
        |error: io::Error| NotInside::NoNamespace(Breach::new("waiting for its first process", &error));
    match inbox.wait(&socket).map_err(gone)? {
        Word::Ready => {}
        Word::NotReady(breach) => return Err(NotInside::NoNamespace(breach)),
        _ => return Err(gone(io::Error::from_raw_os_error(libc::EPROTO))),
    }
    // It was passed before the init was ready.
    let way_out = plan.and_then(|plan| plan.port).map(|_| take(handover)).transpose().map_err(gone)?;
    let number = pid.as_raw_nonzero().get();
    let id = look(number).map(|seen| seen.id).ok_or_else(|| gone(Errno::SRCH.into()))?;
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
    Ok((Init { id, way_out, socket, inbox }, agent))
}

/// Whether nobody else is in this process whom a copy of it would be without.
fn has_one_thread() -> bool {
    fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// Those that are made, as flags.
fn namespaces(plan: Option<&Plan>, user_namespace: bool) -> libc::c_int {
    let user = if user_namespace { libc::CLONE_NEWUSER } else { 0 };
    let own = match plan.map(|plan| plan.tier) {
        Some(Tier::Contained) => libc::CLONE_NEWIPC | libc::CLONE_NEWUTS,
        Some(Tier::Basic | Tier::None) | None => 0,
    };
    let network = if plan.is_some_and(|plan| plan.port.is_some()) { libc::CLONE_NEWNET } else { 0 };
    libc::CLONE_NEWPID | libc::CLONE_NEWNS | user | own | network
}

/// `None` in the new process. For a process with one thread.
fn clone_into_namespace(namespaces: libc::c_int) -> io::Result<Option<Pid>> {
    let flags = namespaces | libc::SIGCHLD;
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

/// What an init is to be.
struct Orders<'a> {
    plan: Option<&'a Plan>,
    /// User and group to stay in a namespace of users.
    identity: Option<(u32, u32)>,
    /// Takes the way out of a network of its own.
    handover: UnixStream,
}

/// The whole life of an init.
fn live_as_init(
    socket: &UnixStream,
    program: &mut Command,
    confinement: &Confinement,
    orders: &Orders<'_>,
) -> ! {
    let code = match prepare(orders) {
        Ok(()) => i32::from(run(socket, program, confinement).is_err()),
        Err(breach) => {
            // A shim that is gone has ended this process, too.
            let _ = say(socket, Word::NotReady(breach));
            1
        }
    };
    // SAFETY: ends this process and nothing else; what the shim had open, this
    // copy must not close in the shim's way.
    unsafe { libc::_exit(code) }
}

/// Ends with the shim from here on. Should the shim be gone already, the word
/// that lets this process go on never comes.
fn prepare(orders: &Orders<'_>) -> Result<(), Breach> {
    let told = |doing: &'static str| move |error: io::Error| Breach::new(doing, &error);
    become_init(orders.identity).map_err(told("becoming the first process of its namespace"))?;
    let Some(plan) = orders.plan else {
        return show_own_processes().map_err(told("mounting `/proc`"));
    };
    if let Some(port) = plan.port {
        let opened = way_out::open(port).and_then(|way| pass(&orders.handover, way.as_fd()));
        opened.map_err(|error| Breach::new(format!("listening on port {port} of its network"), &error))?;
    }
    raise(plan)
}

fn become_init(identity: Option<(u32, u32)>) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if let Some((user, group)) = identity {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    Ok(())
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
        let refused = start_inside(&mut program, &Confinement::new(Limits::default(), 0), None, false);
        assert!(matches!(refused, Err(NotInside::NoNamespace(_))));
    }
}

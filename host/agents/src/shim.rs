//! The supervisor of one attempt: a process of its own, single-threaded, that
//! starts the agent, tells the host how it ended, and leaves nothing behind.
//!
//! It never talks to anybody but the host that started it, and signals nothing
//! that does not descend from it.

mod descriptors;
mod ending;
mod tree;

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command as Program, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hostler_engine::time::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::descriptors::keep_to_ourselves;
use self::ending::{Act, Ending};
use self::tree::{Left, Tree};
use crate::control::{Command, Inbox, Orders, Report, Step, Streams, to_line};
use crate::exit::{Ending as AgentEnding, Exit};
use crate::folder::{AgentRecord, Folder};
use crate::process::{ProcessId, become_subreaper, exit_watch, look};

/// The whole life of a supervisor process: its standard input is the socket to
/// the host. For the program's hidden `shim` subcommand; returns when nothing
/// of the attempt is left.
pub fn shim_main() -> ExitCode {
    match io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).and_then(|socket| supervise(&socket))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The usual cause is a person who tries the subcommand by hand.
            let _ = writeln!(io::stderr(), "the shim is started by the host only: {error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(socket: &UnixStream) -> io::Result<()> {
    let streams = Streams::receive(socket)?;
    let mut inbox = Inbox::new();
    let orders: Orders = inbox.wait(socket)?;
    let folder = Folder::at(Path::new(&orders.folder));
    let (record, agent) = match start(&orders, &folder, streams) {
        Ok(started) => started,
        Err((step, error)) => {
            let errno = error.raw_os_error().unwrap_or(0);
            return tell(socket, &Report::NotStarted { step, errno });
        }
    };
    let mut life = Life {
        watch: exit_watch(agent),
        tree: Tree::new(record.shim.clone(), agent),
        ending: Ending::new(),
        inbox,
        host: Some(socket),
    };
    // A host that is gone already is noticed by the loop.
    let _ = tell(socket, &Report::Started(record));
    let exit = life.run();
    // A full disk must not keep the host from learning the end.
    let _ = folder.write_exit(&exit);
    let _ = tell(socket, &Report::Exited(exit));
    Ok(())
}

/// Starts the agent, with a record on disk before there is anything to record:
/// whoever finds the record later finds the processes too.
fn start(
    orders: &Orders,
    folder: &Folder,
    streams: Streams,
) -> Result<(AgentRecord, i32), (Step, io::Error)> {
    let shim = become_supervisor().map_err(|error| (Step::Supervise, error))?;
    let mut record = AgentRecord { run: orders.run.clone(), attempt: orders.attempt, shim, agent: None };
    folder.write_record(&record).map_err(|error| (Step::Record, error))?;
    // The shim's own copies of the streams are gone with this statement, so the
    // host sees their end when the agents' copies are closed.
    let child = Program::new(&orders.program)
        .args(&orders.args)
        .env_clear()
        .envs(orders.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&orders.cwd)
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr)
        .process_group(0)
        .spawn()
        .map_err(|error| (Step::Exec, error))?;
    let agent = i32::try_from(child.id()).map_err(|error| (Step::Exec, io::Error::other(error)))?;
    record.agent = look(agent).map(|seen| seen.id);
    // Should this fail, the record on disk still names the shim, which is what
    // a reaping host waits for.
    let _ = folder.write_record(&record);
    Ok((record, agent))
}

/// Away from the host's terminal and its signals, and parent of last resort.
fn become_supervisor() -> io::Result<ProcessId> {
    rustix::process::setsid()?;
    become_subreaper()?;
    keep_to_ourselves()?;
    let me = rustix::process::getpid().as_raw_nonzero().get();
    look(me).map(|seen| seen.id).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// The agent works until it does not; then everything else ends too.
struct Life<'a> {
    tree: Tree,
    ending: Ending,
    inbox: Inbox,
    /// Readable when the agent has ended; `None` afterwards.
    watch: Option<OwnedFd>,
    /// `None` once it is gone.
    host: Option<&'a UnixStream>,
}

impl Life<'_> {
    fn run(&mut self) -> Exit {
        let left = loop {
            let ended_before = self.tree.agent_ending().is_some();
            let left = self.tree.reap();
            if self.tree.agent_ending().is_some() && !ended_before {
                self.watch = None;
                self.ending.agent_ended(Instant::now());
            }
            if left == Left::Nothing {
                break left;
            }
            match self.ending.act(Instant::now()) {
                Act::Terminate => self.tree.terminate(),
                Act::Kill(pause) => {
                    self.tree.kill();
                    self.wait(pause);
                }
                Act::Wait(pause) => self.wait(pause),
                Act::GiveUp => break left,
            }
        };
        Exit {
            ending: self.tree.agent_ending().unwrap_or(AgentEnding::Unknown),
            cause: self.ending.cause(),
            tree: self.tree.proof(left),
            at: now(),
        }
    }

    /// Until the host says something, the agent ends, or the time is over.
    fn wait(&mut self, longest: Duration) {
        let timeout = Timespec::try_from(longest).unwrap_or_default();
        let host = self.host.map(|host| PollFd::new(host, PollFlags::IN));
        let heard_from = usize::from(host.is_some());
        let watch = self.watch.as_ref().map(|watch| PollFd::new(watch, PollFlags::IN));
        let mut waiting: Vec<PollFd<'_>> = host.into_iter().chain(watch).collect();
        let woken = poll(&mut waiting, Some(&timeout));
        let host_spoke = woken.is_ok_and(|count| count > 0)
            && waiting.iter().take(heard_from).any(|host| !host.revents().is_empty());
        if host_spoke {
            self.listen();
        }
    }

    fn listen(&mut self) {
        let Some(host) = self.host else { return };
        let open = self.inbox.fill(host);
        while let Some(command) = self.inbox.next::<Command>() {
            // A host this shim does not understand is of another version; what
            // it can still do is to go away.
            if let Ok(Command::End { reason, grace_ms }) = command {
                self.ending.asked(reason, Duration::from_millis(grace_ms), Instant::now());
            }
        }
        if !open {
            self.host = None;
            self.ending.host_gone(Instant::now());
        }
    }
}

fn tell(mut socket: &UnixStream, report: &Report) -> io::Result<()> {
    socket.write_all(&to_line(report)?)
}

/// Milliseconds since 1970, read here because a report is about to be written.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

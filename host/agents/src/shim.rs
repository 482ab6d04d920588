//! The supervisor of one attempt: a process of its own, single-threaded, that
//! starts the agent, writes its logs, tells whoever is the host how far
//! everything is, and leaves nothing behind.
//!
//! It needs no host: with none there the agent works on, as long as the last
//! one said it may. It signals nothing that does not descend from it.

mod affinity;
mod allocator;
mod confinement;
mod descriptors;
mod door;
mod ending;
mod host_link;
mod inbox;
mod input;
mod kept_places;
mod log_pump;
mod memory_watch;
mod namespace;
mod seal;
mod start;
mod switch;
mod told_to_end;
mod tree;
mod walls;
#[cfg(target_os = "linux")]
mod way_out;

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hostler_engine::outcome::EndReason;
use hostler_engine::redaction::Redaction;
use hostler_engine::time::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use self::door::Door;
use self::ending::{Act, Ending};
use self::host_link::HostLink;
use self::inbox::{Filled, Inbox};
use self::input::Input;
use self::kept_places::KeptPlaces;
pub use self::log_pump::LOG_LIMIT;
use self::log_pump::LogPump;
use self::memory_watch::MemoryWatch;
use self::start::{Started, start};
use self::switch::{Over, Switch};
use self::told_to_end::{listen_for_sigterm, told_to_end};
use self::tree::{Left, Tree};
use crate::agent::DEFAULT_GRACE;
use crate::byte_text::Word;
use crate::control::{Command, Orders, Report, State};
use crate::exit::{Cause, Ending as AgentEnding, Exit};
use crate::folder::{AgentRecord, Folder};
use crate::process::boot_time;
use crate::stream::Both;

/// How long the last of an agent's output may wait for room on the disk while a
/// host waits for the end; without a host there is no hurry.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// How often a disk without room is looked at, at the end.
const FLUSH_LOOK: Duration = Duration::from_millis(200);

/// The whole life of a supervisor process: its standard input is the socket to
/// the host. For the program's hidden `shim` subcommand; returns when nothing
/// of the attempt is left.
pub fn shim_main() -> ExitCode {
    match io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).and_then(supervise) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The usual cause is a person who tries the subcommand by hand.
            let _ = writeln!(io::stderr(), "the shim is started by the host only: {error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(socket: UnixStream) -> io::Result<()> {
    listen_for_sigterm();
    allocator::give_back_what_is_large();
    let mut inbox = Inbox::default();
    let orders: Orders = inbox.wait(&socket)?;
    let folder = Folder::at(Path::new(orders.folder.as_ref()));
    let host = HostLink::new(socket, inbox)?;
    let started = start(&orders, &folder);
    // It may be long, and the agent's life longer.
    drop(orders);
    match started {
        Ok(started) => Life::new(started, folder, host).run(),
        Err((step, error)) => {
            host.last_words(&Report::NotStarted { step, errno: error.raw_os_error().unwrap_or(0) });
        }
    }
    Ok(())
}

/// The agent works until it does not; then everything else ends too.
struct Life {
    folder: Folder,
    record: AgentRecord,
    tree: Tree,
    ending: Ending,
    switch: Switch,
    logs: Both<LogPump>,
    input: Input,
    door: Door,
    memory: Option<MemoryWatch>,
    kept: KeptPlaces,
    /// Readable when the agent has ended; `None` afterwards.
    watch: Option<OwnedFd>,
    /// `None` while there is none.
    host: Option<HostLink>,
    host_since: Instant,
}

impl Life {
    fn new(started: Started, folder: Folder, host: HostLink) -> Self {
        let Started { record, tree, logs, input, door, memory, kept } = started;
        let watch = tree.watch();
        let (ending, switch) = (Ending::new(), Switch::default());
        let mut life = Self {
            folder,
            record,
            tree,
            ending,
            switch,
            logs,
            input,
            door,
            memory,
            kept,
            watch,
            host: None,
            host_since: Instant::now(),
        };
        life.welcome(host);
        life
    }

    fn run(mut self) {
        let left = self.until_over();
        let exit = Exit {
            ending: self.tree.agent_ending().unwrap_or(AgentEnding::Unknown),
            cause: self.ending.cause(),
            tree: self.tree.proof(left),
            truncated: false,
            exchanged: self.kept.exchanged(),
            at: now(),
        };
        self.finish(exit);
    }

    fn until_over(&mut self) -> Left {
        loop {
            let ended_before = self.tree.agent_ending().is_some();
            let left = self.tree.reap();
            if self.tree.agent_ending().is_some() && !ended_before {
                self.watch = None;
                self.ending.agent_ended(Instant::now());
            }
            if left == Left::Nothing {
                return left;
            }
            self.mind_the_limits();
            match self.ending.act(Instant::now()) {
                Act::Terminate => self.tree.terminate(),
                Act::Kill(pause) => {
                    self.tree.kill();
                    self.wait(pause);
                }
                Act::Wait(pause) => self.wait(pause),
                Act::GiveUp => return left,
            }
        }
    }

    /// What ends the agent without a host.
    fn mind_the_limits(&mut self) {
        let now = Instant::now();
        match self.switch.over(boot_time()) {
            Some(Over::Lease) => self.ending.kill(Cause::LeaseOver, now),
            Some(Over::Time) => self.ending.asked(EndReason::TimedOut, DEFAULT_GRACE, now),
            None => {}
        }
        let used = self.memory.as_mut().and_then(|watch| watch.too_much(now, || self.tree.memory()));
        if let Some(bytes) = used {
            self.ending.kill(Cause::OverMemory { bytes }, now);
        }
        if told_to_end() {
            self.ending.asked(EndReason::Stopping, Duration::ZERO, now);
        }
    }

    /// Until somebody says something, or the time is over.
    fn wait(&mut self, longest: Duration) {
        let timeout = Timespec::try_from(longest).unwrap_or_default();
        let mut waiting: Vec<PollFd<'_>> = self
            .door
            .sources()
            .chain(self.watch.as_ref().map(AsFd::as_fd))
            .chain(self.logs.stdout.source())
            .chain(self.logs.stderr.source())
            .map(|source| PollFd::from_borrowed_fd(source, PollFlags::IN))
            .collect();
        waiting.extend(self.input.sink().map(|sink| PollFd::from_borrowed_fd(sink, PollFlags::OUT)));
        waiting.extend(self.host.as_ref().map(HostLink::source).map(|(socket, has_more_to_say)| {
            let out = if has_more_to_say { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::from_borrowed_fd(socket, PollFlags::IN | out)
        }));
        // An interruption is a signal, which is looked at next.
        let _ = poll(&mut waiting, Some(&timeout));
        self.attend();
    }

    /// Whoever it was: nothing here waits, so everybody is asked.
    fn attend(&mut self) {
        if let Some(host) = self.door.answer() {
            self.welcome(host);
        }
        self.listen();
        let now = Instant::now();
        self.logs.stdout.pump(now);
        self.logs.stderr.pump(now);
        self.input.pump();
        let state = self.state();
        if let Some(host) = &mut self.host {
            host.tell(state);
        }
    }

    /// The newest host is the host. What the one before said still counts, though it
    /// may be read only now.
    fn welcome(&mut self, mut host: HostLink) {
        while self.listen() {}
        host.greet(&Report::Here { record: self.record.clone(), state: self.state() });
        self.host_since = Instant::now();
        if let Some(before) = self.host.replace(host) {
            before.last_words(&Report::TakenOver);
            self.end_without_secrets();
        }
    }

    /// What to hide is known to the first host only. If that is gone before it said
    /// so, the agent can never be heard; it has hardly begun.
    fn end_without_secrets(&mut self) {
        if !self.hides() {
            self.ending.asked(EndReason::Stopping, Duration::ZERO, Instant::now());
        }
    }

    const fn hides(&self) -> bool {
        self.logs.stdout.hides()
    }

    fn hide(&mut self, secrets: &[Word]) {
        // A host knows the limit before it starts an agent.
        let Ok(redaction) = Redaction::of(secrets.iter().map(|word| word.as_ref().as_bytes())) else {
            return self.end_without_secrets();
        };
        self.logs.stdout.hide(&redaction);
        self.logs.stderr.hide(&redaction);
    }

    /// Whether the host has said something, so that there may be more.
    fn listen(&mut self) -> bool {
        let Some(host) = &mut self.host else { return false };
        let (commands, filled) = host.listen();
        for command in commands {
            self.obey(command);
        }
        if filled == Filled::Closed {
            self.host = None;
            self.switch.host_gone(boot_time());
            self.end_without_secrets();
        }
        filled == Filled::Some
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Hello { .. } | Command::Listener { .. } => {}
            Command::Hide { secrets } => self.hide(&secrets),
            Command::End { reason, grace_ms } => {
                self.ending.asked(reason, Duration::from_millis(grace_ms), Instant::now());
            }
            Command::Input { number, bytes } => self.input.take(number, bytes),
            Command::CloseInput { number } => self.input.close(number),
            Command::Keep { lease_ms, time_ms } => {
                let rest = |milliseconds: Option<u64>| milliseconds.map(Duration::from_millis);
                self.switch.keep(rest(lease_ms), rest(time_ms), boot_time());
            }
        }
    }

    fn state(&self) -> State {
        State { logs: self.logs.map(LogPump::reached), input: self.input.state() }
    }

    /// Logs complete, then the exit on disk, then the host is told, then the door
    /// is shut: whoever finds it shut finds everything.
    fn finish(mut self, mut exit: Exit) {
        let began = Instant::now();
        while !self.drain() && !self.gives_up(began) {
            self.wait(FLUSH_LOOK);
        }
        exit.truncated = self.logs.stdout.is_truncated() || self.logs.stderr.is_truncated();
        while self.write(&exit).is_err() && !self.gives_up(began) {
            self.wait(FLUSH_LOOK);
        }
        let state = self.state();
        self.tree.remove();
        if let Some(mut host) = self.host {
            host.tell(state);
            host.last_words(&Report::Exited(exit));
        }
        self.door.close();
    }

    /// Whether a disk without room, or the first word of a host, is waited for no longer.
    fn gives_up(&self, began: Instant) -> bool {
        let since = began.max(self.host_since);
        let nobody_says_what_to_hide = self.host.is_none() && !self.hides();
        told_to_end() || nobody_says_what_to_hide || (self.host.is_some() && since.elapsed() > FLUSH_LIMIT)
    }

    fn drain(&mut self) -> bool {
        let now = Instant::now();
        let done = [self.logs.stdout.drain(now), self.logs.stderr.drain(now)];
        done == [true, true]
    }

    fn write(&self, exit: &Exit) -> io::Result<()> {
        self.logs.stdout.sync()?;
        self.logs.stderr.sync()?;
        self.folder.write_exit(exit)
    }
}

/// Milliseconds since 1970, read here because a report is about to be written.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

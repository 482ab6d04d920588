//! The host that speaks for the agent now, as the shim sees it.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::inbox::{Filled, Inbox};
use crate::control::{Command, Report, State, to_line};

/// How long the last words to a host may take. One that does not listen finds
/// everything in the attempt's folder.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Never waits for the host, who may be stopped or slow: what it is told is the
/// whole state, and only after it has taken the one before.
#[derive(Debug)]
pub(super) struct HostLink {
    socket: UnixStream,
    inbox: Inbox,
    /// What it was told and has not taken yet.
    outbox: Vec<u8>,
    told: State,
}

impl HostLink {
    pub(super) fn new(socket: UnixStream, inbox: Inbox) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, inbox, outbox: Vec::new(), told: State::default() })
    }

    pub(super) fn source(&self) -> (BorrowedFd<'_>, bool) {
        (self.socket.as_fd(), !self.outbox.is_empty())
    }

    /// What the host has said since, and what one read found.
    pub(super) fn listen(&mut self) -> (Vec<Command>, Filled) {
        let filled = self.inbox.fill(&self.socket);
        let mut commands = Vec::new();
        while let Some(command) = self.inbox.next() {
            // What a host of another version says and this shim does not know
            // is nothing it could do.
            commands.extend(command.ok());
        }
        (commands, filled)
    }

    /// The first thing a host hears.
    pub(super) fn greet(&mut self, report: &Report) {
        if let Report::Here { state, .. } = report {
            self.told = *state;
        }
        self.say(report);
    }

    /// Tells the state, if it is another than the one it was told.
    pub(super) fn tell(&mut self, state: State) {
        self.flush();
        if self.outbox.is_empty() && state != self.told {
            self.told = state;
            self.say(&Report::State(state));
        }
    }

    /// Says this as the last thing; whether it was taken.
    pub(super) fn last_words(mut self, report: &Report) -> bool {
        let Ok(line) = to_line(report) else { return false };
        self.outbox.extend(line);
        let waiting = self.socket.set_nonblocking(false);
        let limited = waiting.and_then(|()| self.socket.set_write_timeout(Some(LAST_WORDS)));
        limited.and_then(|()| (&self.socket).write_all(&self.outbox)).is_ok()
    }

    fn say(&mut self, report: &Report) {
        if let Ok(line) = to_line(report) {
            self.outbox.extend(line);
        }
        self.flush();
    }

    fn flush(&mut self) {
        while !self.outbox.is_empty() {
            match (&self.socket).write(&self.outbox) {
                Ok(count) => drop(self.outbox.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It is gone, which listening notices.
                Err(_) => self.outbox.clear(),
            }
        }
    }
}

impl Drop for HostLink {
    /// The first socket is the shim's standard input too, so closing this one
    /// descriptor would not end the conversation.
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{BufRead, BufReader};

    use super::*;
    use crate::control::Reached;

    fn state(bytes: u64) -> State {
        let mut state = State::default();
        state.logs.stdout = Reached { bytes, ..Reached::default() };
        state
    }

    #[test]
    fn a_host_that_does_not_listen_is_not_waited_for_and_hears_the_newest_state() {
        let (host, socket) = UnixStream::pair().unwrap();
        let mut link = HostLink::new(socket, Inbox::default()).unwrap();
        let most = 1_000_000;
        (1..=most).for_each(|bytes| link.tell(state(bytes)));
        assert!(link.outbox.len() < 4096);

        let mut lines = BufReader::new(host).lines();
        let mut last = State::default();
        while last != state(most) {
            link.tell(state(most));
            let Report::State(heard) = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() else {
                panic!("it said something else");
            };
            last = heard;
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let (mut host, socket) = UnixStream::pair().unwrap();
        let mut link = HostLink::new(socket, Inbox::default()).unwrap();
        host.write_all(b"{\"sing\":{\"song\":1}}\nnonsense\n{\"close-input\":{\"number\":7}}\n").unwrap();
        assert_eq!(link.listen(), (vec![Command::CloseInput { number: 7 }], Filled::Some));
        drop(host);
        assert_eq!(link.listen(), (Vec::new(), Filled::Closed));
    }
}

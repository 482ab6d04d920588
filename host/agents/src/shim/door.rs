//! Where a later host comes in: the named socket in the attempt's folder.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::host_link::HostLink;
use super::inbox::{Filled, Inbox};
use crate::control::Command;
use crate::folder::SOCKET_FILE;
use crate::passing::pass;
use crate::process::{Kinship, ProcessId, kinship, peer_pid};

/// The longest hello: a run's name and two numbers.
const HELLO_LIMIT: usize = 4096;

/// One guest at a time stands in the door; the newest counts.
#[derive(Debug)]
pub(super) struct Door {
    listener: UnixListener,
    shim: ProcessId,
    run: String,
    attempt: u32,
    guest: Option<(UnixStream, Inbox)>,
    /// The agent's only way to the network; whoever asks is given another end.
    way_out: Option<OwnedFd>,
}

impl Door {
    /// Opens it in the folder this process works in: the name is short, however
    /// deep the folder lies.
    pub(super) fn open(shim: ProcessId, run: &str, attempt: u32) -> io::Result<Self> {
        let listener = UnixListener::bind(SOCKET_FILE)?;
        fs::set_permissions(SOCKET_FILE, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, shim, run: run.to_owned(), attempt, guest: None, way_out: None })
    }

    /// From now on it is here to be asked for.
    pub(super) fn offer(&mut self, way_out: Option<OwnedFd>) {
        self.way_out = way_out;
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let guest = self.guest.as_ref().map(|(socket, _)| socket.as_fd());
        std::iter::once(self.listener.as_fd()).chain(guest)
    }

    /// A host that has come in and said who it is. One that only wants the agent's way
    /// out is served in the door.
    pub(super) fn answer(&mut self) -> Option<HostLink> {
        while let Ok((socket, _)) = self.listener.accept() {
            if self.is_welcome(&socket) && socket.set_nonblocking(true).is_ok() {
                self.guest = Some((socket, Inbox::default()));
            }
        }
        let (socket, inbox) = self.guest.as_mut()?;
        let filled = inbox.fill(socket);
        match inbox.next() {
            Some(Ok(Command::Hello { run, attempt, .. })) if run == self.run && attempt == self.attempt => {
                let (socket, inbox) = self.guest.take()?;
                HostLink::new(socket, inbox).ok()
            }
            Some(Ok(Command::Listener { run, attempt })) if run == self.run && attempt == self.attempt => {
                // One that has not waited for it asks again.
                let _ = self.way_out.as_ref().map(|way_out| pass(socket, way_out.as_fd()));
                self.guest = None;
                None
            }
            None if filled != Filled::Closed && inbox.held() <= HELLO_LIMIT => None,
            _ => {
                self.guest = None;
                None
            }
        }
    }

    /// An agent must not command its own supervisor. Whoever is gone already, or
    /// moves while we look, may come again.
    fn is_welcome(&self, socket: &UnixStream) -> bool {
        peer_pid(socket).is_ok_and(|peer| kinship(peer, &self.shim) == Kinship::None)
    }

    /// Closes it for good.
    pub(super) fn close(self) {
        drop(self.listener);
        // Nobody is there to be told; a socket without a listener says it too.
        let _ = fs::remove_file(SOCKET_FILE);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};

    use super::*;
    use crate::control::to_line;
    use crate::passing::take;
    use crate::process::look;

    /// A door of a shim that is no ancestor of this test.
    fn door(home: &std::path::Path) -> (Door, std::path::PathBuf) {
        let path = home.join(SOCKET_FILE);
        let listener = UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let shim = ProcessId { pid: i32::MAX, started: "never".into() };
        (Door { listener, shim, run: "r".into(), attempt: 1, guest: None, way_out: None }, path)
    }

    fn hello(run: &str) -> Vec<u8> {
        to_line(&Command::Hello { protocol: 99, run: run.into(), attempt: 1 }).unwrap()
    }

    #[test]
    fn who_says_hello_to_the_right_attempt_comes_in() {
        let home = tempfile::tempdir().unwrap();
        let (mut door, path) = door(home.path());
        let mut wrong = UnixStream::connect(&path).unwrap();
        wrong.write_all(&hello("another")).unwrap();
        assert!(door.answer().is_none());
        assert_eq!(wrong.read(&mut [0]).unwrap(), 0);

        let mut right = UnixStream::connect(&path).unwrap();
        assert!(door.answer().is_none());
        right.write_all(&hello("r")).unwrap();
        assert!(door.answer().is_some());
    }

    #[test]
    fn who_asks_for_the_way_out_of_the_right_attempt_is_given_it_and_is_no_host() {
        let home = tempfile::tempdir().unwrap();
        let (mut door, path) = door(home.path());
        let ask = |run: &str, door: &mut Door| {
            let mut guest = UnixStream::connect(&path).unwrap();
            let asks = to_line(&Command::Listener { run: run.into(), attempt: 1 }).unwrap();
            guest.write_all(&asks).unwrap();
            assert!(door.answer().is_none() && door.guest.is_none());
            take(&guest)
        };
        assert!(ask("r", &mut door).is_err(), "there is none");
        door.offer(Some(fs::File::open("/").unwrap().into()));
        assert!(ask("another", &mut door).is_err());
        assert!(ask("r", &mut door).is_ok() && ask("r", &mut door).is_ok());
    }

    #[test]
    fn a_hello_at_the_limit_is_waited_for_and_one_byte_more_is_not() {
        let home = tempfile::tempdir().unwrap();
        let (mut door, path) = door(home.path());
        let mut guest = UnixStream::connect(&path).unwrap();
        guest.write_all(&[b'x'; HELLO_LIMIT]).unwrap();
        assert!(door.answer().is_none() && door.guest.is_some());
        guest.write_all(b"x").unwrap();
        assert!(door.answer().is_none() && door.guest.is_none());
    }

    #[test]
    fn who_descends_from_the_supervisor_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (mut door, path) = door(home.path());
        // To this door, this test is one of its agent's processes.
        let parent = look(rustix::process::getpid().as_raw_nonzero().get()).unwrap().parent;
        door.shim = look(parent).unwrap().id;
        let mut agent = UnixStream::connect(&path).unwrap();
        agent.write_all(&hello("r")).unwrap();
        assert!(door.answer().is_none() && door.guest.is_none());
        assert!(matches!(agent.read(&mut [0]), Ok(0) | Err(_)));
    }
}

//! The shim's end of a conversation, read line by line as bytes come.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use serde::de::DeserializeOwned;

/// What one read from a socket found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled {
    Some,
    NothingYet,
    Closed,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    buffer: Vec<u8>,
    /// So much of the buffer is known to hold no line end: orders are long, and
    /// come in many pieces.
    searched: usize,
}

impl Inbox {
    /// Reads once.
    pub(super) fn fill(&mut self, mut socket: &UnixStream) -> Filled {
        let mut chunk = [0; 16 * 1024];
        loop {
            match socket.read(&mut chunk) {
                Ok(0) => return Filled::Closed,
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
                    return Filled::Some;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Filled::NothingYet,
                Err(_) => return Filled::Closed,
            }
        }
    }

    /// The next whole line, if one has come.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Option<io::Result<T>> {
        let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + end;
        self.searched = 0;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        // A long order, once taken, is not kept for ever.
        self.buffer.shrink_to(line.len().min(16 * 1024));
        Some(serde_json::from_slice(&line).map_err(io::Error::from))
    }

    /// Waits for a whole line; for a socket that waits.
    pub(super) fn wait<T: DeserializeOwned>(&mut self, socket: &UnixStream) -> io::Result<T> {
        loop {
            if let Some(value) = self.next() {
                return value;
            }
            if self.fill(socket) != Filled::Some {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Bytes that wait for the end of their line.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    #[test]
    fn lines_that_come_in_pieces_are_put_together() {
        let (mut host, shim) = UnixStream::pair().unwrap();
        let mut inbox = Inbox::default();
        for piece in ["\"on", "e\"\n\"two\"\n\"thr"] {
            assert!(inbox.next::<String>().is_none());
            host.write_all(piece.as_bytes()).unwrap();
            assert_eq!(inbox.fill(&shim), Filled::Some);
        }
        assert_eq!(inbox.next::<String>().unwrap().unwrap(), "one");
        assert_eq!(inbox.next::<String>().unwrap().unwrap(), "two");
        assert!(inbox.next::<String>().is_none());
        assert_eq!(inbox.held(), 4);
        host.write_all(b"ee\"\n").unwrap();
        assert_eq!(inbox.wait::<String>(&shim).unwrap(), "three");
    }

    #[test]
    fn a_closed_socket_is_told_apart_from_silence() {
        let (host, shim) = UnixStream::pair().unwrap();
        shim.set_nonblocking(true).unwrap();
        assert_eq!(Inbox::default().fill(&shim), Filled::NothingYet);
        drop(host);
        assert_eq!(Inbox::default().fill(&shim), Filled::Closed);
    }
}

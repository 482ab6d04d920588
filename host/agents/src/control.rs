//! What host and shim say to each other, over one socket that is the shim's
//! standard input: descriptors first, then one JSON value per line each way.
//!
//! The socket is also the proof of life. Nobody else holds the host's end, so
//! when it closes, the host is gone, however it died.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use hostler_engine::outcome::EndReason;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
    sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::folder::AgentRecord;
use crate::process::RECEIVE;

/// The first line from the host: what to start. It may hold secrets, so it goes
/// over the socket and never to a file or a command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub run: String,
    pub attempt: u32,
    pub folder: OsString,
    pub program: OsString,
    pub args: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    pub cwd: OsString,
}

impl Orders {
    /// Bytes of arguments and environment, as the system counts them.
    pub(crate) fn size(&self) -> usize {
        let args: usize = self.args.iter().map(|arg| arg.len() + 1).sum();
        let env: usize = self.env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        args + env
    }
}

/// Every further line from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// End the tree: ask, wait so long, then kill.
    End { reason: EndReason, grace_ms: u64 },
}

/// What the shim says: one of the first two, then the third.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    Started(AgentRecord),
    NotStarted { step: Step, errno: i32 },
    Exited(Exit),
}

/// Where a start can fail inside the shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Becoming a supervisor.
    Supervise,
    /// Writing `agent.json`.
    Record,
    /// Starting the program.
    Exec,
}

/// The agent's three standard streams, as the shim is handed them.
#[derive(Debug)]
pub(crate) struct Streams {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Streams {
    /// Hands them over with a single byte, the very first on the socket.
    pub(crate) fn send(&self, socket: &UnixStream) -> io::Result<()> {
        let streams = [self.stdin.as_fd(), self.stdout.as_fd(), self.stderr.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&streams)) {
            return Err(io::Error::other("no space for three descriptors"));
        }
        sendmsg(socket, &[IoSlice::new(b"\n")], &mut ancillary, SendFlags::empty())?;
        Ok(())
    }

    /// Takes them from the socket; they are closed in programs we start.
    pub(crate) fn receive(socket: &UnixStream) -> io::Result<Self> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut ancillary, RECEIVE)?;
        let mut received: Vec<OwnedFd> = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                received.extend(descriptors);
            }
        }
        let [stdin, stdout, stderr] = <[OwnedFd; 3]>::try_from(received)
            .map_err(|_| io::Error::other("the host did not send three streams"))?;
        Ok(Self { stdin, stdout, stderr })
    }
}

/// A value as one line.
pub(crate) fn to_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// The shim's end of the conversation, read line by line as bytes come.
#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: Vec<u8>,
    /// So much of the buffer is known to hold no line end: orders are long, and
    /// come in many pieces.
    searched: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { buffer: Vec::new(), searched: 0 }
    }

    /// Reads once; `false` when the host has closed its end.
    pub(crate) fn fill(&mut self, mut socket: &UnixStream) -> bool {
        let mut chunk = [0; 16 * 1024];
        loop {
            match socket.read(&mut chunk) {
                Ok(0) => return false,
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
    }

    /// The next whole line, if one has come.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> Option<io::Result<T>> {
        let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + end;
        self.searched = 0;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Some(serde_json::from_slice(&line).map_err(io::Error::from))
    }

    /// Waits for a whole line.
    pub(crate) fn wait<T: DeserializeOwned>(&mut self, socket: &UnixStream) -> io::Result<T> {
        loop {
            if let Some(value) = self.next() {
                return value;
            }
            if !self.fill(socket) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    #[test]
    fn three_streams_arrive_in_order_and_nothing_of_the_next_line_is_lost() {
        let (mut host, shim) = UnixStream::pair().unwrap();
        let (mut read, write) = std::io::pipe().unwrap();
        let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        Streams { stdin: null(), stdout: write.into(), stderr: null() }.send(&host).unwrap();
        let end = Command::End { reason: EndReason::Budget, grace_ms: 7 };
        host.write_all(&to_line(&end).unwrap()).unwrap();

        let streams = Streams::receive(&shim).unwrap();
        std::fs::File::from(streams.stdout).write_all(b"hello").unwrap();
        let mut said = String::new();
        read.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
        assert_eq!(Inbox::new().wait::<Command>(&shim).unwrap(), end);
    }

    #[test]
    fn lines_that_come_in_pieces_are_put_together() {
        let (mut host, shim) = UnixStream::pair().unwrap();
        let mut inbox = Inbox::new();
        for piece in ["\"on", "e\"\n\"two\"\n\"thr"] {
            assert!(inbox.next::<String>().is_none());
            host.write_all(piece.as_bytes()).unwrap();
            assert!(inbox.fill(&shim));
        }
        assert_eq!(inbox.next::<String>().unwrap().unwrap(), "one");
        assert_eq!(inbox.next::<String>().unwrap().unwrap(), "two");
        assert!(inbox.next::<String>().is_none());
        host.write_all(b"ee\"\n").unwrap();
        assert_eq!(inbox.wait::<String>(&shim).unwrap(), "three");
    }

    #[test]
    fn a_closed_socket_is_told_apart_from_silence() {
        let (host, shim) = UnixStream::pair().unwrap();
        drop(host);
        assert!(!Inbox::new().fill(&shim));
    }
}

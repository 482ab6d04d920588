//! Passing an open descriptor from one process to another, over a socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// What a descriptor travels with: something must be read for it to come.
const COMPANION: [u8; 1] = *b"\n";

/// What is started in this very moment must not have it either.
#[cfg(target_os = "linux")]
const KEPT: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_os = "macos")]
const KEPT: RecvFlags = RecvFlags::empty();

/// Gives the other side of the socket a descriptor like this one.
pub(crate) fn pass(socket: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    control.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(socket, &[IoSlice::new(&COMPANION)], &mut control, SendFlags::empty())?;
    Ok(())
}

/// Takes what the other side passed. An error if it has closed the socket, or said
/// something else; on a socket that does not wait, also if nothing has come yet.
pub(crate) fn take(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut companion = COMPANION;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let heard = recvmsg(socket, &mut [IoSliceMut::new(&mut companion)], &mut control, KEPT)?;
    let passed = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let Some(passed) = passed else {
        let closed = heard.bytes == 0;
        return Err(if closed { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData }.into());
    };
    fcntl_setfd(&passed, FdFlags::CLOEXEC)?;
    Ok(passed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use rustix::io::fcntl_getfd;

    use super::*;

    #[test]
    fn who_is_passed_a_listener_hears_who_connects_to_it_and_keeps_it_to_itself() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        pass(&ours, listener.as_fd()).unwrap();
        drop(listener);
        let passed = take(&theirs).unwrap();
        assert_eq!(fcntl_getfd(&passed).unwrap(), FdFlags::CLOEXEC);

        TcpStream::connect(address).unwrap().write_all(b"hello").unwrap();
        let mut heard = String::new();
        TcpListener::from(passed).accept().unwrap().0.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "hello");
    }

    #[test]
    fn who_says_something_else_or_nothing_has_passed_nothing() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"x").unwrap();
        assert_eq!(take(&theirs).unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(ours);
        assert_eq!(take(&theirs).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

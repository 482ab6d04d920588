//! The only way out of a network namespace: a listener inside of it, whose other
//! side is the host's. For the first process of that namespace.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType, socket};

/// The one interface that a new network has, turned off.
const LOOPBACK: &[u8] = b"lo";

/// Turns the loopback interface on, and listens there.
pub(super) fn open(port: u16) -> io::Result<OwnedFd> {
    turn_on_loopback()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(OwnedFd::from)
}

fn turn_on_loopback() -> io::Result<()> {
    let any = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: `ifreq` is numbers and a union of numbers, for all of which zero is a
    // value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(LOOPBACK) {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_UP | libc::IFF_RUNNING;
    request.ifr_ifru.ifru_flags = i16::try_from(flags).map_err(io::Error::other)?;
    // SAFETY: the request names an interface, ends with a NUL and has its flags set;
    // it and the socket live through the call.
    let result = unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

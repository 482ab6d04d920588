//! Keeping what the shim holds away from the agent.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{FdFlags, fcntl_setfd};

/// Marks every descriptor but the three standard streams to be closed in the
/// programs we start. The host marks its own; whoever started the host may not
/// have, and an agent that inherits a lock or a socket can do harm with it.
pub(super) fn keep_to_ourselves() -> io::Result<()> {
    let opened = fs::read_dir("/dev/fd")?;
    for entry in opened.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if number > 2 {
            // SAFETY: the number was just listed as open, the shim has no other
            // thread that could close it, and the list itself is open until the
            // loop is over.
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            fcntl_setfd(descriptor, FdFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

/// Reading and writing this descriptor never waits. For our own ends of pipes:
/// the flag belongs to the end, so the agent's end is as it was.
pub(super) fn do_not_wait(descriptor: impl AsFd) -> io::Result<()> {
    let flags = fcntl_getfl(&descriptor)?;
    Ok(fcntl_setfl(&descriptor, flags | OFlags::NONBLOCK)?)
}

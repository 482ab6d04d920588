//! No capability, no new rights, fewer system calls.

use std::io;

use super::filter::filter;

/// The version of the capability calls that knows 64 of them.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Without it, nobody who is root outside can be root in a user namespace
/// (`user_namespaces(7)`). It also gives rights to files; but who is root outside gives
/// them all away by a set-uid bit, too.
const CAP_SETFCAP: u32 = 31;

/// `struct __user_cap_header_struct` and `struct __user_cap_data_struct` of the system.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Prepared by the supervisor, put on by the agent's first process.
pub(in super::super) struct Seal {
    filter: Vec<libc::sock_filter>,
    /// Those that stay, a bit each.
    kept: u32,
}

impl Seal {
    /// One who `nests` and is root stays able to be root in a namespace of its own, as
    /// everybody else is themselves there; nobody else needs anything for that.
    pub(in super::super) fn new(nests: bool) -> Self {
        let kept = if nests && rustix::process::geteuid().is_root() { 1 << CAP_SETFCAP } else { 0 };
        Self { filter: filter(), kept }
    }

    /// Puts it on. Nothing but system calls on what is there already, so it may be
    /// called between fork and exec. Nothing takes it off.
    pub(in super::super) fn put_on(&self) -> io::Result<()> {
        drop_capabilities(self.kept)?;
        // SAFETY: takes numbers only.
        checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into())?;
        let program = libc::sock_fprog {
            len: u16::try_from(self.filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            filter: self.filter.as_ptr().cast_mut(),
        };
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the program points to as many instructions as it says, which live
        // through the call; the system copies them.
        checked(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) }.into())
    }
}

/// Root too is an ordinary user then. Who has no right to limit what may ever be
/// had gains nothing either, since nothing that is run gives rights any more.
fn drop_capabilities(kept: u32) -> io::Result<()> {
    // SAFETY: takes numbers only; a capability that the system does not know, or a
    // process may not drop, is an error without consequence.
    unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for capability in (0..64).filter(|capability| u64::from(kept) >> capability & 1 == 0) {
            libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
        }
    }
    // What is not there cannot be kept.
    set_capabilities(kept).or_else(|_| set_capabilities(0))
}

fn set_capabilities(kept: u32) -> io::Result<()> {
    let header = Header { version: CAPABILITY_VERSION, pid: 0 };
    let of_lower_half = Capabilities { effective: kept, permitted: kept, inheritable: 0 };
    let sets = [of_lower_half, Capabilities { effective: 0, permitted: 0, inheritable: 0 }];
    // SAFETY: the header names the version that reads two sets; both live through
    // the call, and all numbers are plain.
    checked(unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) })
}

fn checked(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

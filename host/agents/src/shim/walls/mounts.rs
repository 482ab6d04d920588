//! The system calls that put a tree of mounts together.
//!
//! A place is opened without following any link, and from then on it is meant by
//! its descriptor: nobody can exchange what a path leads to in between.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr::null;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

/// What a mount does not allow, as the system names it.
pub(super) const READ_ONLY: u64 = 1;
pub(super) const NO_SUID: u64 = 2;
pub(super) const NO_DEVICES: u64 = 4;
pub(super) const NO_PROGRAMS: u64 = 8;

const OPEN_TREE_CLONE: libc::c_uint = 1;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: libc::c_uint = 0x40;

/// `struct mount_attr` of the system.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Opens a place for nothing but to mean it: what is mounted there now, the newest on top.
pub(super) fn place(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)?)
}

/// A copy of what is mounted at a place and below, which is nowhere yet.
pub(super) fn copy(place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE
        | libc::O_CLOEXEC.unsigned_abs()
        | libc::AT_EMPTY_PATH.unsigned_abs()
        | libc::AT_RECURSIVE.unsigned_abs();
    // SAFETY: the path is an empty string with its NUL; the place is open through the call.
    let tree = unsafe { libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags) };
    let tree = i32::try_from(checked(tree)?).map_err(io::Error::other)?;
    // SAFETY: the system has just opened it, for nobody but us.
    Ok(unsafe { OwnedFd::from_raw_fd(tree) })
}

/// Puts a copy at a place.
pub(super) fn attach(tree: BorrowedFd<'_>, at: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    let empty = c"".as_ptr();
    // SAFETY: both paths are empty strings with their NUL, both descriptors are open
    // through the call.
    checked(unsafe {
        libc::syscall(libc::SYS_move_mount, tree.as_raw_fd(), empty, at.as_raw_fd(), empty, flags)
    })
    .map(drop)
}

/// Forbids this much more to a mount, and to all below it if `recursive`.
pub(super) fn restrict(mount: BorrowedFd<'_>, set: u64, recursive: bool) -> io::Result<()> {
    let attributes = Attributes { set, clear: 0, propagation: 0, user_namespace: 0 };
    let below = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty string with its NUL, the attributes have the size
    // that is told and live through the call.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | below,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    })
    .map(drop)
}

/// Mounts something new of this kind over a place.
pub(super) fn mount_new(kind: &CStr, at: BorrowedFd<'_>, flags: u64, options: &CStr) -> io::Result<()> {
    // A path that means the descriptor, whatever stands at its name by now.
    let at = std::ffi::CString::new(format!("/proc/self/fd/{}", at.as_raw_fd()))?;
    mount(kind, &at, Some(kind), flags, Some(options))
}

/// Nothing that is mounted here is seen outside, and nothing from outside comes in.
pub(super) fn keep_mounts_private() -> io::Result<()> {
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)
}

pub(super) fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: u64,
    options: Option<&CStr>,
) -> io::Result<()> {
    let kind = kind.map_or(null(), CStr::as_ptr);
    let options = options.map_or(null(), CStr::as_ptr).cast();
    // SAFETY: all strings end with NUL and live through the call.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, options) };
    checked(result.into()).map(drop)
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Whether a place is a folder.
pub(super) fn is_folder(place: impl AsFd) -> io::Result<bool> {
    let mode = rustix::fs::fstat(place)?.st_mode;
    Ok(rustix::fs::FileType::from_raw_mode(mode).is_dir())
}
